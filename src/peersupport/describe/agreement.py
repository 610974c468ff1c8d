"""How far two coders agreed beyond chance, column by column; of figures, how many are identical."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pingouin as pg
from scipy.stats import binomtest, norm, t
from statsmodels.stats.inter_rater import cohens_kappa

from peersupport.intake.reconcile import FIGURES

MEASURES = ["kappa", "kappa_low", "kappa_high", "ac1", "ac1_low", "ac1_high"]
NEAR_FULL, FEW_CELLS = 0.9, 50
TOO_NARROW = "AC1 near 1 in few cells: its interval is too narrow"
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
    with np.errstate(invalid="ignore"):  # of coders who agree no more than by chance the variance may round below zero
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


def clustered(a, b, clusters, statistic: Callable) -> tuple[float, float, float]:
    """Kappa or AC1 with a 95% interval for cells that come in clusters (a study's themes, domains or outcomes).

    statistic: cohen_kappa or gwet_ac1. The standard error is the jackknife's over the G clusters,
    sqrt((G - 1) / G sum (s_g - mean s)^2), s_g without cluster g (Efron and Tibshirani 1993, ch. 11), the reference t
    with G - 1 degrees of freedom. Each cluster with one cell: the statistic's own interval. NaN where leaving a cluster
    out leaves one code only.
    """
    frame = pd.DataFrame({"a": np.asarray(a, str), "b": np.asarray(b, str), "cluster": np.asarray(clusters)})
    own = statistic(frame["a"].to_numpy(), frame["b"].to_numpy())
    groups = frame["cluster"].unique()
    if len(groups) == len(frame) or len(groups) < 2:
        return own
    parts = [frame[frame["cluster"].ne(group)] for group in groups]
    without = np.array([statistic(part["a"].to_numpy(), part["b"].to_numpy())[0] for part in parts])
    count = len(groups)
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    half = t.ppf(0.975, count - 1) * error
    return own[0], own[0] - half, min(own[0] + half, 1.0)


def agreement(cells: dict[str, pd.DataFrame], study_of: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Percent, kappa and AC1 per coded column, per theme and per domain of appraisal; figures by share identical only.

    cells: sheet to double-coded cells with `agree`. A cell that both left blank says nothing and does not count.
    study_of: the study of an outcome's row_id; intervals are clustered by study where a study has several cells.
    Columns as in data/processed/agreement.csv; beside the themes stands `all themes`, beside the domains `judgement`
    over all of them; `note` says where AC1's interval is too narrow (simulated coverage of 34 to 90% near full
    agreement in 50 cells or fewer).
    """
    rows, studies = [], dict({} if study_of is None else study_of)
    for sheet, table in cells.items():
        table = table[~(table.a.eq("") & table.b.eq(""))]
        table = table.assign(study=[studies.get(key, key.split("|")[0]) for key in table.key])
        whole = {"themes": "all themes", "appraisal": "judgement"}.get(sheet)
        column = table.key.str.split("|").str[-1] if whole else table.column
        rows += [_agreement_row(sheet, name, part) for name, part in table.groupby(column)]
        if whole:
            rows.append(_agreement_row(sheet, whole, table))
    return pd.DataFrame(rows)


def agreement_of_pairs(pairs: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Percent with its exact 95% interval, kappa and AC1 with theirs, of each two screeners at each stage.

    pairs: stage to `person_a, person_b, a, b`, a row per record that both decided on.
    """
    columns = ["stage", "person_a", "person_b", "n", "agree", "agree_low", "agree_high", *MEASURES]
    rows = []
    for stage, table in pairs.items():
        for people, part in table.groupby(["person_a", "person_b"]):
            same = part.a.eq(part.b)
            share = binomtest(int(same.sum()), len(part)).proportion_ci(method="exact")
            measured = *cohen_kappa(part.a, part.b), *gwet_ac1(part.a, part.b)
            rows.append((stage, *people, len(part), same.mean(), share.low, share.high, *measured))
    return pd.DataFrame(rows, columns=columns)


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
    for name, statistic in (("kappa", cohen_kappa), ("ac1", gwet_ac1)):
        found = clustered(part.a, part.b, part.study, statistic) if coded else (np.nan,) * 3
        row |= dict(zip([name, f"{name}_low", f"{name}_high"], found, strict=True))
    near = row["ac1"] > NEAR_FULL and len(part) <= FEW_CELLS
    return row | {"note": TOO_NARROW if near else ""}
