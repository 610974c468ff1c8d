"""Runs a project of two small notebooks for real."""

import subprocess
import sys

import jupytext
import nbformat
import pytest
from conftest import SECOND

from peersupport.chain import check, outputs, pairs, run
from peersupport.chain.__main__ import main


def stored(root):
    return {path: (root / path).read_bytes() for path in outputs.output_stamps(root)}


def first_notebook(root):
    return nbformat.read(root / "notebooks/01_numbers.ipynb", as_version=4)


def test_notebooks_run_in_order_and_leave_no_scratch(project):
    assert stored(project) == {"data/processed/numbers.csv": b"0,1,2", "figures/drawing.svg": b"<svg>0,1,2</svg>"}
    assert not list((project / ".chain").glob("run*"))


def test_a_stored_notebook_is_its_text_with_outputs_and_nothing_else(project):
    notebook = first_notebook(project)
    assert pairs.first_difference(project / "notebooks/01_numbers.py", notebook) is None
    assert notebook.metadata == pairs.METADATA
    assert [dict(cell.metadata) for cell in notebook.cells] == [{"tags": ["parameters"]}, {}, {}]
    assert [cell.execution_count for cell in pairs.code_cells(notebook)] == [1, 2]
    stream, result = notebook.cells[2].outputs
    assert stream.text == "one\ntwo\n"
    assert result.execution_count == 2
    nbformat.validate(notebook)


def test_a_second_run_gives_the_same_bytes_and_drops_what_is_no_longer_written(project):
    before = (project / "notebooks/01_numbers.ipynb").read_bytes()
    (project / "data/processed/old").mkdir()
    (project / "data/processed/old/stale.csv").write_text("written by a notebook of last year")
    run.run(project)
    assert (project / "notebooks/01_numbers.ipynb").read_bytes() == before
    assert stored(project).keys() == {"data/processed/numbers.csv", "figures/drawing.svg"}


def test_from_starts_on_the_stored_tables_and_keeps_the_rest(project, capsys):
    (project / "data/processed/numbers.csv").write_text("7")
    assert main(["run", "--from", "2"]) == 0
    assert stored(project)["figures/drawing.svg"] == b"<svg>7</svg>"
    assert stored(project)["data/processed/numbers.csv"] == b"7"
    assert "01_numbers" not in capsys.readouterr().out


def test_parameters_come_from_the_file(project):
    (project / "parameters.yml").write_text("size: 2\n")
    run.run(project)
    assert stored(project)["data/processed/numbers.csv"] == b"0,1"
    assert "size = 2" not in (project / "notebooks/01_numbers.ipynb").read_text()


def test_a_failing_notebook_is_told_with_its_whole_message_and_changes_nothing(project, capfd):
    (project / "notebooks/02_drawing.py").write_text(
        SECOND.replace("<svg>", "<new>") + '\n# %%\n# divide\nraise ValueError("first\\nsecond")\n'
    )
    before = stored(project), (project / "notebooks/02_drawing.ipynb").read_bytes()
    assert main(["run", "--from", "02"]) == 1
    assert capfd.readouterr().err.splitlines() == [
        "notebook: 02_drawing",
        'cell:     2, raise ValueError("first\\nsecond")',
        "error:    ValueError: first",
        "second",
    ]
    assert before == (stored(project), (project / "notebooks/02_drawing.ipynb").read_bytes())


HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_run_at_the_same_time_is_refused(project, capsys):
    command = [sys.executable, "-c", HOLD, project / ".chain/lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        for command in (["run"], ["check"]):
            assert main(command) == 1
            assert capsys.readouterr().err.startswith("Another run is at work")


def test_an_unknown_start_is_refused(project, capsys):
    assert main(["run", "--from", "09"]) == 1
    assert capsys.readouterr().err == "No notebook begins with 09; there are 01, 02.\n"


def test_edits_of_a_notebook_that_its_text_lacks_are_not_overwritten(project, capsys):
    notebook = first_notebook(project)
    notebook.cells[1].source = "# Better numbers"
    nbformat.write(notebook, project / "notebooks/01_numbers.ipynb")
    assert main(["run"]) == 1
    assert "jupytext --sync" in capsys.readouterr().err
    assert first_notebook(project).cells[1].source == "# Better numbers"


def test_pairs_agree_after_a_run(project):
    assert check.check_pairs(project)


@pytest.mark.parametrize(
    ("path", "old", "new", "sentence"),
    [
        ("parameters.yml", "size: 3", "size: 4", "size is 3 there, but 4 in parameters.yml"),
        ("parameters.yml", "size: 3", "length: 3", "size is not in parameters.yml"),
        ("notebooks/01_numbers.py", "# # Numbers", "# # Figures", "differ from cell 2 on"),
        ("notebooks/01_numbers.py", 'tags=["parameters"]', "", "differ from cell 1 on"),
        ("notebooks/01_numbers.py", "size = 3\n", "size = 3\n\n# %%\n4\n", "from cell 2 on"),
        ("notebooks/01_numbers.py", "(ipykernel)", "", "does not begin as jupytext writes it"),
        ("notebooks/01_numbers.ipynb", "two", "/x/site-packages/y.py", "path of the machine"),
    ],
)
def test_a_pair_that_disagrees_is_named(project, capsys, path, old, new, sentence):
    text = (project / path).read_text()
    assert old in text
    (project / path).write_text(text.replace(old, new, 1))
    assert not check.check_pairs(project)
    assert sentence in capsys.readouterr().out


def test_missing_halves_and_missing_outputs_are_named(project, capsys):
    (project / "notebooks/02_drawing.py").rename(project / "notebooks/03_drawing.py")
    bare = jupytext.read(project / "notebooks/01_numbers.py")
    nbformat.write(bare, project / "notebooks/01_numbers.ipynb")
    assert not check.check_pairs(project)
    told = capsys.readouterr().out
    assert "02_drawing.ipynb has no text pair" in told
    assert "03_drawing.py was never run" in told
    assert "01_numbers.ipynb has no stored outputs" in told


def test_stored_outputs_are_compared_with_a_fresh_run(project, capfd):
    path = project / "notebooks/01_numbers.ipynb"
    path.write_text(path.read_text().replace("two", "three", 1))
    assert not check.check_notebooks(project)
    assert "1 failed, 2 passed" in capfd.readouterr().out
    assert check.check_outputs(project)
    (project / "figures/drawing.svg").write_text("<svg>0,1,3</svg>")
    (project / "figures/old.svg").write_text("<svg></svg>")
    (project / "data/processed/numbers.csv").unlink()
    assert not check.check_outputs(project)
    assert capfd.readouterr().out.splitlines() == [
        "data/processed/numbers.csv new: written now, but not stored",
        "figures/drawing.svg differs: line 1: <svg>0,1,3</svg> stored, <svg>0,1,2</svg> now",
        "figures/old.svg missing: stored, but no notebook writes it",
    ]


def test_every_step_of_the_check_runs_and_is_told(project, monkeypatch, capsys):
    monkeypatch.setattr(check, "check_style", lambda root: False)
    for step in ("check_tests", "check_notebooks", "check_outputs"):
        monkeypatch.setattr(check, step, lambda root: True)
    assert main(["check"]) == 1
    closing = capsys.readouterr().out.splitlines()[-6:]
    assert [line.split()[1] for line in closing] == ["FAILED", *["passed"] * 5]


def test_a_kernel_that_never_answers_is_replaced_once_and_another_fault_is_not():
    tries = []

    def silent_at_first():
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return "done"

    def broken():
        tries.append(1)
        raise RuntimeError("something else")

    assert run.with_another_kernel(silent_at_first) == "done" and len(tries) == 2
    with pytest.raises(RuntimeError, match="something else"):
        run.with_another_kernel(broken)
    assert len(tries) == 3
