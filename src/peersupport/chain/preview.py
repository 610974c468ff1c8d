"""A wave before it is merged (./run_all.sh --preview FOLDER): is it sound, what is undecided, what would move.

The folder holds new rows of any of the sheets (coder_a/outcomes.csv and so on, with their headers). They are laid over
a copy of data/raw/; the project itself is not changed.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd

from peersupport.chain.changes import clear_outputs, read_state, refuse_stale, run_what_is_compared, tell
from peersupport.chain.pairs import Problem
from peersupport.chain.run import fresh_copy
from peersupport.intake import validation, wave
from peersupport.store.codebook import codebook
from peersupport.store.sheets import Sheets, parse, problem, read_raw

SUFFIXES = (".csv", ".xlsx")
UNDECIDED = "undecided"  # the validator's rule: here a list of its own
EXAMPLE = "new rows in files such as FOLDER/coder_a/outcomes.csv, with their header"


def preview(root: Path, folder: Path) -> bool:
    """Prints what is wrong, else what is undecided and what would move; True where nothing is wrong."""
    if not folder.is_dir():
        raise Problem(f"{folder} is no folder: --preview takes a folder with {EXAMPLE}.")
    book = codebook()
    raw, odd = read_raw()
    new, problems = read_wave(folder, set(raw))
    laid, last, refused = wave.lay_over(raw, new, book)
    errors = [row for row in problems + refused if row["severity"] == "error"]
    found = pd.DataFrame()
    if not errors:
        found = news(validation.validate(laid, odd, book), validation.validate(raw, odd, book), last)
        errors = found[found["severity"].eq("error") & found["rule"].ne(UNDECIDED)].to_dict("records")
    say_rows(folder, new)
    if errors:
        print(f"{len(errors)} to mend in {folder.name}/; nothing was changed:")
        print("\n".join(validation.describe(row) for row in errors))
        return False
    open_cells = wave.undecided(laid)
    if len(open_cells):
        laid |= {"consensus": wave.first_coder_stands(laid["consensus"], open_cells)}
    say_warnings(found[found["severity"].eq("warning")])
    say_undecided(open_cells)
    refuse_stale(root)
    say_what_would_move(root, laid, new, len(open_cells))
    return True


def read_wave(folder: Path, known: set[str]) -> tuple[Sheets, list[dict]]:
    """(the wave's sheets by name, what is wrong with its files); `known`: the sheets of the codebook."""
    new, problems = {}, []
    for path in sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and not p.name.startswith((".", "~"))):
        name = path.relative_to(folder).with_suffix("").as_posix()
        content = path.read_bytes()
        if name not in known:
            remedy = f"the codebook has no such sheet: use one of {', '.join(sorted(known))}"
            problems.append(problem(name, "", "", "", "unknown_sheet", "error", remedy))
            continue
        broken = list(wave.not_utf8(name, content)) if path.suffix == ".csv" else []
        table, odd = (pd.DataFrame(), broken) if broken else parse(name, content, xlsx=path.suffix == ".xlsx")
        problems += [row for row in odd if row["rule"] != "header_only"]  # no new row of this sheet
        if len(table):
            new[name] = table
    if not new and not problems:
        raise Problem(f"{folder} holds no sheet: --preview takes a folder with {EXAMPLE}.")
    return new, problems


def news(found: pd.DataFrame, before: pd.DataFrame, last: dict[str, int]) -> pd.DataFrame:
    """The problems that the wave brings, its rows numbered as in its own files."""
    keys = ["sheet", "row", "column", "value", "rule"]
    known = set(before[keys].astype(str).itertuples(index=False, name=None))
    fresh = [row not in known for row in found[keys].astype(str).itertuples(index=False, name=None)]
    return wave.in_the_wave(found[fresh], last)


def say_rows(folder, new):
    counts = ", ".join(f"{name} {len(table)}" for name, table in new.items())
    print(f"{folder.name}/ holds new rows of {len(new)} sheets: {counts or 'none'}.")


def say_warnings(found):
    print(f"{len(found)} places to look at." if len(found) else "No place to look at.")
    for row in found.to_dict("records"):
        print(f"- {validation.describe(row)}")


def say_undecided(cells):
    if cells.empty:
        print("Nothing is undecided between the coders.")
        return
    print(f"{len(cells)} cells are undecided between the coders; each needs a row in consensus.csv:")
    for row in cells.itertuples():
        print(f"- {row.sheet}, {row.key}, column {row.column}: {row.a!r} or {row.b!r}")


def say_what_would_move(root, laid, new, undecided):
    scratch = fresh_copy(root, "preview", keep_outputs=False)
    try:
        clear_outputs(scratch)
        for name in {*new, *(["consensus"] if undecided else [])}:
            target = scratch / f"data/raw/{name}.csv"
            target.with_suffix(".xlsx").unlink(missing_ok=True)
            laid[name].to_csv(target, index=False, lineterminator="\n")
        if undecided:
            print("What would move, as if the first coder's value stood in each undecided cell:")
        now = read_state(root, "the project as it is")
        then = replace(run_what_is_compared(scratch, root), name="the project with the wave", settings=now.settings)
        _, text = tell(root, now, replace(then, code=now.code))
        print(text)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
