"""New rows laid over the sheets that are there: what keeps them from going in, and where.

Tables are as read: text in every cell, the index the row that a spreadsheet shows. A row of a wave keeps the number of
its own file in what is said of it.
"""

import csv
from collections.abc import Iterator

import pandas as pd

from peersupport.intake import reconcile
from peersupport.store.sheets import Sheets, problem

DECIDED_HERE = "undecided: the first coder's value stands in this preview"


def not_utf8(sheet: str, content: bytes) -> Iterator[dict]:
    """The first cell of a .csv file that is not UTF-8, with its row and column."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        lines = content[: error.start].split(b"\n")
        header = next(csv.reader([content.split(b"\n")[0].decode("utf-8", "replace")]), [""])
        cells = next(csv.reader([lines[-1].decode("utf-8", "replace")]), [""])
        column = header[min(len(cells), len(header)) - 1] if len(lines) > 1 else ""
        remedy = "the file is not UTF-8: save it as comma-separated UTF-8"
        yield problem(sheet, len(lines), column, "", "not_utf8", "error", remedy)


def repeated(sheet: str, old: pd.DataFrame, new: pd.DataFrame, key: list[str]) -> list[dict]:
    """Rows of a wave whose key is there already: the same row once more, or one that would change it silently."""
    there = {cells: row for row, *cells in zip(old.index, *(old[c] for c in key), strict=True) for cells in [(*cells,)]}
    found = []
    for row, cells in zip(new.index, new[key].itertuples(index=False, name=None), strict=True):
        if cells not in there:
            continue
        at = there[cells]
        differ = [c for c in new if not reconcile.same(new.loc[[row], c], pd.Series([old.at[at, c]], [row])).all()]
        named = ", ".join(key)
        if not differ:
            remedy = f"row {at} of data/raw/{sheet} is this row: take it out of the wave"
            found.append(problem(sheet, row, named, "|".join(cells), "repeated_row", "error", remedy))
        for column in differ:
            remedy = (
                f"row {at} of data/raw/{sheet} ({'|'.join(cells)}) holds {old.at[at, column]!r}: a row that is there "
                "is mended by a row of corrections.csv; if this is another one, give it another key"
            )
            found.append(problem(sheet, row, column, new.at[row, column], "changed_row", "error", remedy))
    return found


def other_header(sheet: str, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[dict]:
    """Columns that the wave's file lacks, has besides, or has twice."""
    for column in [c for c in old if c not in new]:
        remedy = f"add the column: the header is that of data/raw/{sheet}"
        yield problem(sheet, 1, column, "", "missing_column", "error", remedy)
    for column in [c for c in new if c not in old]:
        remedy = f"data/raw/{sheet} has no such column: take it out"
        yield problem(sheet, 1, column or "(no name)", "", "extra_column", "error", remedy)


def lay_over(old: Sheets, new: Sheets, codebook: dict) -> tuple[Sheets, dict[str, int], list[dict]]:
    """(sheets with the new rows below, sheet to the last row before them, problems of the new rows).

    A new row that is refused here is left out, so that one mistake is named once.
    """
    laid, last, problems = dict(old), {}, []
    for sheet, rows in new.items():
        wrong = list(other_header(sheet, old[sheet], rows))
        if wrong or rows.columns.has_duplicates:
            problems += wrong
            continue
        found = repeated(sheet, old[sheet], rows, codebook["sheets"][sheet.rpartition("/")[2]]["key"])
        problems += found
        kept = rows.drop(index=[row["row"] for row in found], errors="ignore")
        last[sheet] = int(old[sheet].index.max()) if len(old[sheet]) else 1
        laid[sheet] = pd.concat([old[sheet], kept.set_axis(kept.index + last[sheet] - 1, axis=0)])[[*old[sheet]]]
    return laid, last, problems


def in_the_wave(problems: pd.DataFrame, last: dict[str, int]) -> pd.DataFrame:
    """Problems of laid sheets, rows of a wave numbered as in its own files; `new` says which are of the wave."""
    row = pd.to_numeric(problems["row"], errors="coerce")
    before = problems["sheet"].map(last).astype(float)
    new = row > before
    number = (row - before + 1).where(new, row)
    shown = [text if pd.isna(value) else int(value) for text, value in zip(problems["row"], number, strict=True)]
    return problems.assign(row=pd.Series(shown, problems.index, dtype=object), new=new)


def undecided(sheets: Sheets) -> pd.DataFrame:
    """Cells in which the coders differ without a decision: sheet, key, column, a, b."""
    parts = []
    for sheet in reconcile.KEYS:
        cells = reconcile.double_coded(sheet, sheets[f"coder_a/{sheet}"], sheets[f"coder_b/{sheet}"])
        cells = reconcile.decide(sheet, cells, sheets["consensus"])
        parts.append(cells[cells["decided_by"].eq("")].assign(sheet=sheet))
    return pd.concat(parts)[["sheet", "key", "column", "a", "b"]].reset_index(drop=True)


def first_coder_stands(consensus: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The consensus with a row for each undecided cell that takes the first coder's value, for a preview only."""
    rows = cells.assign(value=cells["a"], reason=DECIDED_HERE)
    start = int(consensus.index.max()) + 1 if len(consensus) else 2
    return pd.concat([consensus, rows.set_axis(range(start, start + len(rows)), axis=0)])[list(consensus.columns)]
