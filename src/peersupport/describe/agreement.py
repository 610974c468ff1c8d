"""How far two coders agreed beyond chance, column by column; of figures, how many are identical."""

import numpy as np
import pandas as pd
import pingouin as pg
from scipy.stats import norm
from statsmodels.stats.inter_rater import cohens_kappa

from peersupport.intake.reconcile import FIGURES

NAMES = {
    "p_operator": "Sign of p",
    "condition_arm2": "Comparator",
    "judgement": "Risk-of-bias judgement",
    "positive_favours": "Meaning of the sign",
    "favours": "Source's conclusion",
}


def column_names(columns) -> dict[str, str]:
    """What a figure calls each coded column."""
    return {column: NAMES.get(column, column.replace("_", " ").capitalize()) for column in columns}


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
    expected = np.array([(weight[x] + weight[y]) / 2 for x, y in zip(a, b, strict=True)]) / (len(categories) - 1)
    linear = (agree - chance) / (1 - chance) - 2 * (1 - ac1) * (expected - chance) / (1 - chance)
    n = len(a)
    se = np.sqrt(((linear - ac1) ** 2).sum() / (n * (n - 1)))
    half = norm.ppf(0.975) * se
    return ac1, ac1 - half, min(ac1 + half, 1.0)


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
    table = pg.intraclass_corr(long, targets="cell", raters="coder", ratings="figure").set_index("Type")
    return table.at["ICC(A,1)", "ICC"], *table.at["ICC(A,1)", "CI95"]


def _agreement_row(sheet, column, part):
    row = {"sheet": sheet, "column": column, "n": len(part), "agree": part.agree.mean()}
    coded = column not in FIGURES
    kappa = cohen_kappa(part.a.to_numpy(), part.b.to_numpy()) if coded else (np.nan,) * 3
    ac1 = gwet_ac1(part.a, part.b) if coded else (np.nan,) * 3
    names = ["kappa", "kappa_low", "kappa_high", "ac1", "ac1_low", "ac1_high"]
    return row | dict(zip(names, (*kappa, *ac1), strict=True))
