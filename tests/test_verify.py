"""The proof that every output is reproduced, and the manifest: on a project of two small notebooks, run for real."""

import csv
import hashlib
import shutil

import nbformat
import pytest
from PIL import Image
from test_chain import stored

from peersupport.chain import check, comparison, outputs, run
from peersupport.chain.__main__ import main
from peersupport.chain.manifest import modules, read_manifest

TABLE = "data/processed/numbers.csv"
DRAWING = "figures/drawing.svg"


def manifest(root):
    return read_manifest(root)


def verified(root, capfd):
    capfd.readouterr()
    code = main(["verify"])
    return code, capfd.readouterr().out.splitlines()


def test_an_untouched_project_is_reproduced_and_not_touched(project, capfd):
    before = {p: p.stat().st_mtime_ns for p in project.rglob("*") if ".chain" not in p.parts}
    code, lines = verified(project, capfd)
    assert code == 0
    assert lines[-1] == "5 of 5 outputs reproduced, byte for byte"
    assert f"reproduced  {TABLE}" in lines
    assert before == {p: p.stat().st_mtime_ns for p in before}
    assert not list((project / ".chain").glob("verify*"))


def test_what_was_changed_is_named_with_its_place(project, capfd):
    (project / TABLE).write_text("0,1,3")
    (project / DRAWING).unlink()
    (project / "figures/old.svg").write_text("<svg/>")
    notebook = nbformat.read(project / "notebooks/01_numbers.ipynb", as_version=4)
    notebook.cells[2].outputs[0].text = "one\ntoo\n"
    nbformat.write(notebook, project / "notebooks/01_numbers.ipynb")
    code, lines = verified(project, capfd)
    assert code == 1
    told = "\n".join(lines)
    assert f"differs     {TABLE}\n            columns: stored without ['2'], now without ['3']" in told
    assert f"new         {DRAWING}\n" in told
    assert "missing     figures/old.svg\n" in told
    assert "cell 3 (from pathlib import Path), its output: one too stored, one two now" in told
    assert lines[-1] == "2 of 6 outputs reproduced, byte for byte; 2 differs, 1 missing, 1 new"


def test_a_notebook_that_fails_leaves_its_outputs_unreproduced(project, capfd):
    script = project / "notebooks/02_drawing.py"
    script.write_text(script.read_text() + "\n# %%\nraise ValueError\n")
    code, lines = verified(project, capfd)
    assert code == 1
    assert not lines[-1].startswith("5 of 5")
    assert "missing     notebooks/02_drawing.ipynb" in lines


def test_manifest_lists_each_output_with_its_notebook_and_hash(project):
    rows = manifest(project)
    assert {path: row["notebook"] for path, row in rows.items()} == {
        TABLE: "01_numbers",
        DRAWING: "02_drawing",
        "notebooks/01_numbers.ipynb": "01_numbers",
        "notebooks/02_drawing.ipynb": "02_drawing",
    }
    assert rows[TABLE]["sha256"] == hashlib.sha256(b"0,1,2").hexdigest()
    assert rows[TABLE]["bytes"] == "5"


def test_a_second_run_writes_the_same_manifest(project):
    before = (project / outputs.MANIFEST).read_bytes()
    run.run(project)
    assert (project / outputs.MANIFEST).read_bytes() == before
    run.run(project, "02")
    assert (project / outputs.MANIFEST).read_bytes() == before


def test_manifest_of_an_untouched_project_is_right(project, capsys):
    assert check.check_manifest(project), capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "content", "sentence"),
    [
        (TABLE, "0,1,3", f"{TABLE} is not the file that"),
        ("figures/other.svg", "<svg/>", "figures/other.svg is not in"),
        (DRAWING, None, f"{DRAWING} is in data/processed/manifest.csv, but not there"),
        (outputs.MANIFEST, None, "manifest.csv is missing"),
        ("data/raw/sheet.csv", "a,b\n", "01_numbers are older than the raw sheets"),
        ("data/raw/sheet.csv", "a,b\n", "02_drawing are older than the raw sheets"),
        ("parameters.yml", "size: 4\n", "01_numbers are older than the parameters"),
        ("notebooks/02_drawing.py", "# %%\n1\n", "02_drawing are older than the code"),
        ("notebooks/01_numbers.py", "# %%\n1\n", "02_drawing are older than the code"),
        ("requirements.lock", "numpy==1\n", "01_numbers are older than the code"),
    ],
)
def test_what_is_stale_or_spoiled_is_named(project, capsys, path, content, sentence):
    if content is None:
        (project / path).unlink()
    else:
        (project / path).write_text(content)
    assert not check.check_manifest(project)
    assert sentence in capsys.readouterr().out


def test_what_a_notebook_does_not_read_leaves_it_fresh(project, capsys):
    (project / "data/raw/README.md").write_text("about the sheets")
    (project / "parameters.yml").write_text("size: 3\nnot_declared_anywhere: 2\n")
    assert check.check_manifest(project), capsys.readouterr().out


def test_a_run_from_the_middle_does_not_hide_that_an_earlier_notebook_is_stale(project, capsys):
    script = project / "notebooks/01_numbers.py"
    script.write_text(script.read_text() + "\n# %%\n1\n")
    run.run(project, "02")
    capsys.readouterr()
    assert not check.check_manifest(project)
    told = capsys.readouterr().out
    assert "01_numbers are older than the code" in told and "02_drawing are older" in told
    run.run(project)
    assert check.check_manifest(project)


def test_a_run_from_the_middle_removes_what_is_no_longer_written(project):
    (project / "figures/mine.svg").write_text("put here by hand")
    script = project / "notebooks/02_drawing.py"
    script.write_text(script.read_text().replace("drawing.svg", "sketch.svg"))
    run.run(project, "02")
    assert stored(project).keys() == {TABLE, "figures/sketch.svg", "figures/mine.svg"}
    assert DRAWING not in manifest(project)


def test_rows_of_figures_no_longer_drawn_leave_the_index(tmp_path):
    (tmp_path / "figures").mkdir()
    index = tmp_path / outputs.FIGURE_INDEX
    index.write_text("file,notebook\na.svg,01_a\nb.svg,02_b\n")
    outputs.forget(tmp_path, {"02_b"}, {})
    assert index.read_text() == "file,notebook\na.svg,01_a\n"


def test_code_is_the_notebook_and_the_modules_it_imports_and_no_others(tmp_path):
    package = tmp_path / "src/peersupport"
    (package / "figures").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "a.py": "from peersupport.figures import b",
        "unused.py": "",
        "figures/__init__.py": "",
        "figures/b.py": "import peersupport.c",
        "c.py": "from peersupport import a",
    }.items():
        (package / name).write_text(text)
    script = tmp_path / "01_x.py"
    script.write_text("import numpy\nfrom peersupport import a\nfrom peersupport.a import thing\n")
    found = {p.relative_to(package).as_posix() for p in modules(tmp_path, script)}
    assert found == {"__init__.py", "a.py", "figures/__init__.py", "figures/b.py", "c.py"}


# ---------------------------------------------------------------- the words for a difference


def differ(tmp_path, name, old, new):
    for folder, content in (("old", old), ("new", new)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(content)
    return comparison.difference(tmp_path / "old" / name, tmp_path / "new" / name)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("id,x\na,1\nb,2\n", "id,x\na,1\nb,3\n", "row 3 (b), column x: 2 stored, 3 now"),
        ("id,x\na,1\nb,2\n", "id,x\na,9\nb,3\n", "row 2 (a), column x: 1 stored, 9 now (2 rows differ)"),
        ("id,x\na,1\n", "id,x\na,1\nb,3\n", "1 rows stored, 2 now"),
        ("id,x\na,1\n", "id,y\na,1\n", "columns: stored without ['y'], now without ['x']"),
        ("id,x\na,1\n", "x,id\n1,a\n", "columns in another order"),
        ("id,x\na,\n", "id,x\na,0\n", "row 2 (a), column x: (blank) stored, 0 now"),
        ("", "id,x\n", "0 rows stored, 1 now"),
        ("id,x\n", "id,x\r\n", "the same content, but 5 bytes stored, 6 now, alike up to byte 4"),
    ],
)
def test_tables_say_the_first_cell(tmp_path, old, new, words):
    assert differ(tmp_path, "t.csv", old.encode(), new.encode()) == words


def picture(folder, name, size, dots=()):
    folder.mkdir(exist_ok=True)
    image = Image.new("RGB", size, "white")
    for place, colour in dots:
        image.putpixel(place, colour)
    image.save(folder / name)


def test_figures_say_how_many_pixels_and_how_far(tmp_path):
    picture(tmp_path / "old", "f.png", (10, 8))
    picture(tmp_path / "new", "f.png", (10, 8), [((3, 2), (250, 255, 255)), ((4, 5), (0, 0, 0))])
    for folder, text in (("old", "<svg>\n<a/>"), ("new", "<svg>\n<b/>")):
        (tmp_path / folder / "f.svg").write_text(text)
    pixels = "2 of 80 pixels differ, by up to 255 of 255, the first at (3, 2)"
    old, new = tmp_path / "old", tmp_path / "new"
    assert comparison.difference(old / "f.png", new / "f.png") == pixels
    drawing = comparison.difference(old / "f.svg", new / "f.svg")
    assert drawing == f"line 2: <a/> stored, <b/> now; its .png: {pixels}"
    picture(tmp_path / "new", "f.png", (10, 9))
    assert comparison.difference(old / "f.png", new / "f.png") == "10 x 8 pixels stored, 10 x 9 now"


def test_a_broken_file_is_said_to_be_broken(tmp_path):
    picture(tmp_path / "new", "f.png", (10, 8))
    good = (tmp_path / "new/f.png").read_bytes()
    words = differ(tmp_path, "f.png", good[:40], good)
    assert words.startswith("cannot be read as .png") and "alike up to byte 40" in words
    shutil.rmtree(tmp_path / "old")
    assert "cannot be read as .csv" in differ(tmp_path, "t.csv", b"\xff\xfe\x00", b"a\n")


def test_nothing_is_reproduced_by_an_empty_list():
    assert comparison.summary([]) == "0 of 0 outputs reproduced, byte for byte"


def test_manifest_is_plain_csv(project):
    with open(project / outputs.MANIFEST, newline="") as lines:
        rows = list(csv.reader(lines))
    assert rows[0][:4] == ["file", "sha256", "bytes", "notebook"]
    assert [row[0] for row in rows[1:]] == sorted(row[0] for row in rows[1:])
