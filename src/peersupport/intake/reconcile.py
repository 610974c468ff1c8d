"""Two coders and the database into one set of sheets, every decision traceable to a row that took it.

Tables are as read: text in every cell, blank = "". The unit of a sheet is named by its key columns, joined by "|".
"""

from collections.abc import Iterator
from functools import reduce

import numpy as np
import pandas as pd

KEYS = {
    "studies": ["study"],
    "outcomes": ["row_id"],
    "appraisal": ["study", "tool", "domain"],
    "themes": ["study", "theme_group", "theme"],
}
FORM = ("study", "outcome_domain", "instrument", "time_point", "locator")  # printed on coder B's form, not coded
SILENT = ("", "nr", "unclear")
FIGURES = (
    "mean_arm1 sd_arm1 n_arm1 mean_arm2 sd_arm2 n_arm2 event_arm1 totaln_arm1 event_arm2 totaln_arm2 "
    "effect ci_low ci_high se p_value n_randomised"
).split()


def unit_keys(table: pd.DataFrame, sheet: str) -> pd.Series:
    return reduce(lambda left, right: left + "|" + right, (table[c] for c in KEYS[sheet]))


def same(a: pd.Series, b: pd.Series) -> pd.Series:
    """True where two columns of text agree; 1.70 and 1.7 are the same figure."""
    numbers = [pd.to_numeric(x, errors="coerce") for x in (a, b)]
    return a.eq(b) | numbers[0].eq(numbers[1])


def double_coded(sheet: str, a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """One row per cell that both coders filled in for the same unit: key, column, a, b.

    Themes are units that a coder lists or not: the column is `reported`, 1 or 0, for every theme that either coder
    lists anywhere, in every study that both coded (a study with no theme of a coder counts as coded).
    """
    if sheet == "themes":
        return _listed(a, b)
    left, right = (table.assign(key=unit_keys(table, sheet)).set_index("key") for table in (a, b))
    shared = left.index.intersection(right.index)
    columns = [c for c in right if c in left and c not in KEYS[sheet] and c not in FORM]
    a, b = (table.loc[shared, columns].melt(var_name="column", ignore_index=False) for table in (left, right))
    cells = a.reset_index().rename(columns={"value": "a"})
    return cells.assign(b=b.value.to_numpy())


def _listed(a, b):
    themes = pd.concat([a, b])[["theme_group", "theme"]].drop_duplicates()
    studies = pd.concat([a, b])[["study"]].drop_duplicates()
    grid = studies.merge(themes, how="cross").sort_values(KEYS["themes"])
    keys = unit_keys(grid, "themes")
    listed = [keys.isin(unit_keys(table, "themes")).astype(int).astype(str) for table in (a, b)]
    return pd.DataFrame({"key": keys, "column": "reported", "a": listed[0], "b": listed[1]}).reset_index(drop=True)


def decide(sheet: str, cells: pd.DataFrame, consensus: pd.DataFrame) -> pd.DataFrame:
    """Add `agree`, `value` and `decided_by` (both, consensus, or "" where nobody decided) to double-coded cells."""
    rulings = consensus[consensus.sheet.eq(sheet)][["key", "column", "value", "reason"]]
    joined = cells.merge(rulings, on=["key", "column"], how="left", indicator=True)
    agree = same(joined.a, joined.b)
    ruled = joined["_merge"].eq("both")
    return joined.drop(columns="_merge").assign(
        agree=agree,
        value=joined.a.where(agree, joined.value.where(ruled, "")),
        decided_by=np.select([agree, ruled], ["both", "consensus"], ""),
        reason=joined.reason.fillna(""),
    )


def reconcile(sheet: str, a: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Coder A's sheet with the decided value in every double-coded cell; raises ValueError on an undecided cell."""
    undecided = cells[cells.decided_by.eq("")]
    if len(undecided):
        named = "; ".join(f"{r.key}, {r.column}: {r.a!r} or {r.b!r}" for r in undecided.itertuples())
        raise ValueError(
            f"{sheet}: the coders differ and consensus.csv has no decision for {named}. Add a row for each."
        )
    return fill_in(sheet, a, cells).reset_index(drop=True)


def fill_in(sheet: str, a: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Coder A's sheet, under its own row numbers, with the value of each of the cells."""
    if sheet == "themes":
        return _reported(a, cells)
    table = a.assign(key=unit_keys(a, sheet)).set_index("key")
    for column, part in cells.groupby("column"):
        table.loc[part.key, column] = part.value.to_numpy()
    return table.set_index(a.index)


def _reported(a, cells):
    """Themes that stand: coder A's paraphrase where A listed it, blank where only B did."""
    kept = cells[cells.value.eq("1")].key.str.split("|", expand=True)
    kept.columns = KEYS["themes"]
    return kept.merge(a, on=KEYS["themes"], how="left").fillna("").reset_index(drop=True)


def correct(name: str, sheet: str, table: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    """Apply the rows that corrections.csv has for `name`, a table with the key columns of `sheet`.

    Raises ValueError where a correction names no cell, or one that does not hold what the correction calls printed.
    """
    problems = [
        f"{name}, {row.key}, {row.column}: "
        + ("no such cell" if held is None else f"holds {held!r}, not {row.printed!r}")
        for row, held in ((corrections.loc[i], held) for i, held in misfits(name, sheet, table, corrections))
    ]
    if problems:
        raise ValueError("corrections.csv does not fit the sheets: " + "; ".join(problems) + ".")
    result = table.assign(key=unit_keys(table, sheet)).set_index("key")
    for row in corrections[corrections.sheet.eq(name)].itertuples():
        result.loc[row.key, row.column] = row.value
    return result.reset_index(drop=True)


def misfits(name: str, sheet: str, table: pd.DataFrame, corrections: pd.DataFrame) -> Iterator[tuple[int, str | None]]:
    """(row of corrections.csv, what its cell holds) where that is not what the correction calls printed.

    None where there is no such cell.
    """
    own = corrections[corrections.sheet.eq(name)]
    keyed = table.assign(key=unit_keys(table, sheet)).set_index("key")
    held = [keyed[c].get(k) if c in keyed else None for k, c in zip(own.key, own.column, strict=True)]
    held = pd.Series(held, own.index, dtype=object)
    wrong = held.isna() | ~same(held.fillna(""), own.printed)
    yield from ((row, None if pd.isna(held[row]) else held[row]) for row in own.index[wrong])


def add_database_studies(studies: pd.DataFrame, database: pd.DataFrame) -> pd.DataFrame:
    """Coders' studies, their blanks filled from the database where it has the study, and the database's own studies.

    `source` says who has it: coder, open_database or both. A code that both state stays the coders' decision; blank,
    `nr` and `unclear` state nothing.
    """
    coded, known = studies.set_index("study"), database.set_index("study")
    shared = coded.index.intersection(known.index)
    merged = coded.copy()
    for column in known.columns.intersection(coded.columns):
        silent = coded.loc[shared, column].isin(SILENT) & ~known.loc[shared, column].isin(SILENT)
        merged.loc[shared[silent], column] = known.loc[shared[silent], column]
    merged["source"] = np.where(merged.index.isin(shared), "both", "coder")
    only = known[~known.index.isin(shared)].assign(source="open_database")
    return pd.concat([merged, only]).reset_index()
