"""Two coders and the database into one set of sheets, every decision traceable to a row that took it.

Tables are as read: text in every cell, blank = "". The unit of a sheet is named by its key columns, joined by "|".
"""

from collections.abc import Iterator
from functools import reduce

import numpy as np
import pandas as pd
import pingouin as pg
from scipy.stats import norm
from statsmodels.stats.inter_rater import cohens_kappa

KEYS = {
    "studies": ["study"],
    "outcomes": ["row_id"],
    "appraisal": ["study", "tool", "domain"],
    "themes": ["study", "theme_group", "theme"],
}
FORM = (
    "study",
    "outcome_domain",
    "instrument",
    "time_point",
    "locator",
)  # printed on coder B's form, not coded
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
    a, b = (
        table.loc[shared, columns].melt(var_name="column", ignore_index=False)
        for table in (left, right)
    )
    cells = a.reset_index().rename(columns={"value": "a"})
    return cells.assign(b=b.value.to_numpy())  # fmt: skip


def _listed(a, b):
    themes = pd.concat([a, b])[["theme_group", "theme"]].drop_duplicates()
    studies = pd.concat([a, b])[["study"]].drop_duplicates()
    grid = studies.merge(themes, how="cross").sort_values(KEYS["themes"])
    keys = unit_keys(grid, "themes")
    listed = [keys.isin(unit_keys(table, "themes")).astype(int).astype(str) for table in (a, b)]
    return pd.DataFrame(
        {"key": keys, "column": "reported", "a": listed[0], "b": listed[1]}
    ).reset_index(drop=True)


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
        named = "; ".join(
            f"{r.key}, {r.column}: {r.a!r} or {r.b!r}" for r in undecided.itertuples()
        )
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
        f"{name}, {row.key}, {row.column}: " + ("no such cell" if held is None else f"holds {held!r}, not {row.printed!r}")
        for row, held in ((corrections.loc[i], held) for i, held in misfits(name, sheet, table, corrections))
    ]  # fmt: skip
    if problems:
        raise ValueError("corrections.csv does not fit the sheets: " + "; ".join(problems) + ".")
    result = table.assign(key=unit_keys(table, sheet)).set_index("key")
    for row in corrections[corrections.sheet.eq(name)].itertuples():
        result.loc[row.key, row.column] = row.value
    return result.reset_index(drop=True)


def misfits(
    name: str, sheet: str, table: pd.DataFrame, corrections: pd.DataFrame
) -> Iterator[tuple[int, str | None]]:
    """(row of corrections.csv, what its cell holds) where that is not what the correction calls printed.

    None where there is no such cell.
    """
    own = corrections[corrections.sheet.eq(name)]
    keyed = table.assign(key=unit_keys(table, sheet)).set_index("key")
    held = [
        keyed[c].get(k) if c in keyed else None for k, c in zip(own.key, own.column, strict=True)
    ]
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


# ---------------------------------------------------------------- agreement


def cohen_kappa(a, b) -> tuple[float, float, float]:
    """Cohen's kappa with its 95% interval (Fleiss, Cohen & Everitt 1969), through statsmodels; NaN if one code only."""
    codes = pd.Categorical(np.concatenate([a, b])).codes
    table = np.zeros((codes.max() + 1,) * 2)
    np.add.at(table, (codes[: len(a)], codes[len(a) :]), 1)
    if len(table) < 2:
        return (np.nan,) * 3
    result = cohens_kappa(table)
    return result.kappa, result.kappa_low, min(result.kappa_upp, 1.0)


def gwet_ac1(a, b) -> tuple[float, float, float]:
    """Gwet's AC1 for two coders with its 95% interval (normal).

    Gwet (2008), Br J Math Stat Psychol 61:29, eqs 7 and 14 (no finite-population correction): units i of n,
    categories q of Q, pi_q the mean of the coders' shares, pe = sum pi_q (1 - pi_q) / (Q - 1).
    """
    a, b = np.asarray(a, dtype=str), np.asarray(b, dtype=str)
    categories = np.unique(np.concatenate([a, b]))
    if len(categories) < 2:
        return (np.nan,) * 3
    shares = np.array([((a == q).mean() + (b == q).mean()) / 2 for q in categories])
    chance = (shares * (1 - shares)).sum() / (len(categories) - 1)
    agree = (a == b).astype(float)
    ac1 = (agree.mean() - chance) / (1 - chance)
    weight = {q: 1 - share for q, share in zip(categories, shares, strict=True)}
    expected = np.array([(weight[x] + weight[y]) / 2 for x, y in zip(a, b, strict=True)]) / (
        len(categories) - 1
    )
    linear = (agree - chance) / (1 - chance) - 2 * (1 - ac1) * (expected - chance) / (1 - chance)
    n = len(a)
    se = np.sqrt(((linear - ac1) ** 2).sum() / (n * (n - 1)))
    half = norm.ppf(0.975) * se
    return ac1, ac1 - half, min(ac1 + half, 1.0)  # fmt: skip


def agreement(cells: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Percent, kappa and AC1 per coded column, per theme and per domain of appraisal; figures by share identical only.

    cells: sheet to double-coded cells with `agree`. Columns as in data/processed/agreement.csv; beside the themes
    stands `all themes`, beside the domains `judgement` over all of them.
    """
    rows = []
    for sheet, table in cells.items():
        whole = {"themes": "all themes", "appraisal": "judgement"}.get(sheet)
        column = table.key.str.split("|").str[-1] if whole else table.column
        rows += [_agreement_row(sheet, name, part) for name, part in table.groupby(column)]
        if whole:
            rows.append(_agreement_row(sheet, whole, table))
    return pd.DataFrame(rows)


def figure_agreement(cells: pd.DataFrame) -> pd.DataFrame:
    """Share of figures that both coders give alike, and ICC(2,1) with its 95% interval (pingouin), per column.

    cells: double-coded cells. Only cells that both filled in count here: a figure that one coder leaves blank is a
    disagreement of agreement.csv. ICC(2,1) is named ICC(A,1) by pingouin; it is blank under five cells.
    """
    rows = []
    for column, part in cells[cells.column.isin(FIGURES)].groupby("column"):
        pairs = part[["a", "b"]].apply(pd.to_numeric, errors="coerce").dropna()
        row = {"column": column, "n": len(pairs), "identical": pairs.a.eq(pairs.b).mean()}
        rows.append(row | dict(zip(["icc", "icc_low", "icc_high"], _icc(pairs), strict=True)))
    return pd.DataFrame(rows)


def _icc(pairs):
    if len(pairs) < 5 or pairs.nunique().max() < 2:
        return (np.nan,) * 3
    if pairs.a.eq(pairs.b).all():
        return 1.0, np.nan, np.nan  # no residual to estimate an interval from
    long = pairs.reset_index(names="cell").melt("cell", var_name="coder", value_name="figure")
    table = pg.intraclass_corr(long, targets="cell", raters="coder", ratings="figure").set_index(
        "Type"
    )
    return table.at["ICC(A,1)", "ICC"], *table.at["ICC(A,1)", "CI95"]


def _agreement_row(sheet, column, part):
    row = {"sheet": sheet, "column": column, "n": len(part), "agree": part.agree.mean()}
    coded = column not in FIGURES
    kappa = cohen_kappa(part.a.to_numpy(), part.b.to_numpy()) if coded else (np.nan,) * 3
    ac1 = gwet_ac1(part.a, part.b) if coded else (np.nan,) * 3
    names = ["kappa", "kappa_low", "kappa_high", "ac1", "ac1_low", "ac1_high"]
    return row | dict(zip(names, (*kappa, *ac1), strict=True))
