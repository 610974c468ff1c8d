"""--preview: made-up rows over a small project, sound and spoiled, each spoiled in one way."""

import pandas as pd
import pytest
from small_sheets import as_csv, grids, write_project

from peersupport.chain import preview as previewing
from peersupport.chain.pairs import Problem
from peersupport.conclude.changes import State
from peersupport.store.codebook import codebook

SHEET = "coder_a/outcomes"


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = tmp_path / "project"
    root.mkdir()
    write_project(root, grids())
    (root / "pyproject.toml").write_text("")
    (root / "notebooks").mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setattr(previewing, "refuse_stale", lambda root: None)
    codebook.cache_clear()
    yield root
    codebook.cache_clear()


def rows_like(sheet, key, value, **changes):
    """Header and one row: the first of the small sheet that holds the value, changed."""
    grid = grids()[sheet]
    row = dict(zip(grid[0], next(r for r in grid[1:] if r[grid[0].index(key)] == value), strict=True)) | changes
    return [grid[0], [row[c] for c in grid[0]]]


def first_with_figures():
    grid = grids()[SHEET]
    kind = grid[0].index("outcome_type")
    return next(dict(zip(grid[0], r, strict=True)) for r in grid[1:] if r[kind] == "msd")


def five_rows():
    """A new study, coded twice, an outcome row with figures, coded twice, and one with a direction only."""
    known = first_with_figures()
    study, row_id = known["study"], known["row_id"]
    new = dict(study="Grey 2026")
    one = rows_like(SHEET, "row_id", row_id, row_id="O0901", **new)
    other = rows_like(SHEET, "row_id", row_id, row_id="O0902", outcome_type="direction_only", **new)[1]
    figures = {c: "" for c in ("mean_arm1", "sd_arm1", "mean_arm2", "sd_arm2")}
    other = [figures.get(c, cell) for c, cell in zip(one[0], other, strict=True)]
    about = dict(
        study="Grey 2026", registration="", title="Grey peers", doi="", source_url="https://grey.example.org/1"
    )
    files = {
        "coder_a/studies": rows_like("coder_a/studies", "study", study, **about),
        "coder_b/studies": rows_like("coder_b/studies", "study", study, **new),
        SHEET: [*one, other],
        "coder_b/outcomes": rows_like("coder_b/outcomes", "row_id", row_id, row_id="O0901", **new),
    }
    return {name: [list(row) for row in grid] for name, grid in files.items()}


def lay(folder, files):
    for name, content in files.items():
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else as_csv(content))
    return folder


def stored(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file() and ".chain" not in p.parts}


def agree(files):
    """The second coder's rows with the first's words, so that nothing is undecided."""
    for sheet in ("studies", "outcomes"):
        a, b = files[f"coder_a/{sheet}"], files[f"coder_b/{sheet}"]
        for row in b[1:]:
            same = next(r for r in a[1:] if r[0] == row[0])
            row[:] = [same[a[0].index(c)] for c in b[0]]
    return files


@pytest.fixture
def told(project, tmp_path, monkeypatch, capsys):
    """previews these files; (sound, what was printed, what ran)"""
    before, ran = stored(project), {}

    def run(scratch, root):
        for name in ("coder_a/outcomes", "consensus"):
            ran[name] = pd.read_csv(scratch / f"data/raw/{name}.csv", dtype=str, keep_default_na=False)
        return State("with", {})

    monkeypatch.setattr(previewing, "run_what_is_compared", run)
    monkeypatch.setattr(previewing, "read_state", lambda root, name: State(name, {}))
    monkeypatch.setattr(previewing, "tell", lambda root, before, now: (None, f"moved from {before.name}"))

    def go(files):
        sound = previewing.preview(project, lay(tmp_path / "wave", files))
        assert stored(project) == before, "the project is as it was"
        assert not list((project / ".chain").glob("preview*"))
        return sound, capsys.readouterr().out, ran

    return go


def test_five_sound_rows(told):
    sound, out, ran = told(agree(five_rows()))
    assert sound, out
    assert "Nothing is undecided" in out and "moved from the project as it is" in out
    assert ran["coder_a/outcomes"]["row_id"].tolist()[-2:] == ["O0901", "O0902"]


def test_what_the_coders_differ_on_is_listed_and_the_first_stands_for_now(told):
    files = agree(five_rows())
    column = files["coder_b/outcomes"][0].index("mean_arm1")
    files["coder_b/outcomes"][1][column] = "77"
    sound, out, ran = told(files)
    mean = first_with_figures()["mean_arm1"]
    assert sound and f"outcomes, O0901, column mean_arm1: '{mean}' or '77'" in out
    assert ran["consensus"].iloc[-1][["key", "value"]].tolist() == ["O0901", mean]


def spoil_repeated(files):
    files[SHEET].append(rows_like(SHEET, "row_id", first_with_figures()["row_id"])[1])


def spoil_changed(files):
    files[SHEET].append(rows_like(SHEET, "row_id", first_with_figures()["row_id"], mean_arm1="3.21")[1])


def spoil_one_coder(files):
    files["coder_b/outcomes"] = files["coder_b/outcomes"][:1]


def spoil_orphan(files):
    column = files[SHEET][0].index("study")
    files[SHEET][2][column] = "Nobody 2026"


def spoil_twice(files):
    files[SHEET].append(list(files[SHEET][1]))


def spoil_encoding(files):
    row = dict(zip(*files["coder_a/studies"], strict=True)) | {"journal": "Peers", "note": "Müller"}
    files["coder_a/studies"][1] = list(row.values())
    files["coder_a/studies"] = as_csv(files["coder_a/studies"], encoding="cp1252")


def spoil_header(files):
    note = files[SHEET][0].index("note")
    for row in files[SHEET]:
        del row[note]


def spoil_name(files):
    files["coder_c/outcomes"] = files[SHEET]


WHERE = {
    spoil_repeated: (f"{SHEET}, row 4, column row_id", "repeated_row"),
    spoil_changed: (f"{SHEET}, row 4, column mean_arm1 holds '3.21'", "changed_row"),
    spoil_one_coder: (f"{SHEET}, row 2, column row_id holds 'O0901'", "coded_by_one"),
    spoil_orphan: (f"{SHEET}, row 3, column study holds 'Nobody 2026'", "orphan_study"),
    spoil_twice: (f"{SHEET}, row 4, column row_id holds 'O0901'", "duplicate_key"),
    spoil_encoding: ("coder_a/studies, row 2, column note", "not_utf8"),
    spoil_header: (f"{SHEET}, row 1, column note", "missing_column"),
    spoil_name: ("coder_c/outcomes", "unknown_sheet"),
}


@pytest.mark.parametrize("spoil", WHERE, ids=lambda spoil: spoil.__name__)
def test_a_spoiled_wave_is_named_by_sheet_row_and_column(told, spoil):
    files = agree(five_rows())
    spoil(files)
    sound, out, ran = told(files)
    where, rule = WHERE[spoil]
    assert not sound and not ran and "nothing was changed" in out
    assert any(where in line and f"({rule})" in line for line in out.splitlines()), out


def test_a_folder_that_is_none_or_holds_nothing(project, tmp_path):
    for folder in (tmp_path / "none", project / "notebooks"):
        with pytest.raises(Problem, match="--preview takes a folder with new rows"):
            previewing.preview(project, folder)
