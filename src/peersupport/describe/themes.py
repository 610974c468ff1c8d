"""What helps and what hinders: in how many studies each theme is reported.

Throughout, `themes` is data/processed/themes.csv: one row per study (or review) and theme that its
findings report, with `kind` primary or review. A theme without a row was not reported in the source
seen, which does not say that it was absent.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pingouin as pg
from scipy import stats
from scipy.cluster import hierarchy

from peersupport.describe.studies import wilson


def presence(themes: pd.DataFrame, studies: Sequence[str], theme_codes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Study by theme, True where the study reports it: index study, columns (theme_group, theme) in
    the codebook's order.

    `studies` are all the studies whose findings were read for themes, those that report none among
    them.
    """
    columns = pd.MultiIndex.from_tuples(
        [(group, theme) for group, codes in theme_codes.items() for theme in codes], names=["theme_group", "theme"]
    )
    rows = themes[themes["study"].isin(list(studies))]
    unknown = set(zip(rows["theme_group"], rows["theme"], strict=True)) - set(columns)
    if unknown:
        raise ValueError(f"Themes that the codebook does not know: {sorted(unknown)}.")
    counts = pd.crosstab(rows["study"], [rows["theme_group"], rows["theme"]])
    return counts.reindex(index=list(studies), columns=columns, fill_value=0).gt(0)


def theme_frequency(reported: pd.DataFrame) -> pd.DataFrame:
    """From `presence`: theme_group, theme, studies, of, share, ci_low, ci_high (95% Wilson),
    commonest first in a group.

    Ties keep the codebook's order.
    """
    table = reported.sum().rename("studies").reset_index()
    table["of"] = len(reported)
    table = pd.concat([table, wilson(table["studies"], table["of"])], axis=1)
    place = {group: i for i, group in enumerate(dict.fromkeys(table["theme_group"]))}
    table = table.assign(place=table["theme_group"].map(place), order=-table["studies"])
    table = table.sort_values(["place", "order"], kind="stable", ignore_index=True)
    return table.drop(columns=["place", "order"])


SOURCE_KINDS = {
    "qualitative": "Qualitative studies",
    "mixed_methods": "Mixed methods",
    "quantitative": "Quantitative studies",
    "review": "Reviews",
}


def source_kind(studies: pd.DataFrame) -> pd.Series:
    """qualitative, mixed_methods or quantitative by the study's design, indexed by study; blank
    without a design."""
    family = studies.set_index("study")["design_family"]
    quantitative = ~family.isin(["qualitative", "mixed_methods", "nr"])
    return family.mask(quantitative, "quantitative").mask(family.eq("nr"))


def frequency_by(reported: pd.DataFrame, groups: pd.Series, grouping: str, levels: Sequence[str]) -> pd.DataFrame:
    """Frequency of each theme within each level of a grouping: grouping, level, then the columns of
    theme_frequency.

    `groups` by study; studies whose group is blank are in no level. A level without studies has a
    blank share.
    """
    groups = groups.reindex(reported.index)
    rows = []
    for level in levels:
        part = reported[(groups == level).to_numpy()]
        counted = part.sum().rename("studies").reset_index()
        rows.append(counted.assign(grouping=grouping, level=level, of=len(part)))
    table = pd.concat(rows, ignore_index=True)
    table["studies"] = table["studies"].astype(int)
    table = pd.concat([table, wilson(table["studies"], table["of"])], axis=1)
    first = ["grouping", "level", "theme_group", "theme", "studies", "of"]
    return table[[*first, "share", "ci_low", "ci_high"]]


def difference_tests(
    reported: pd.DataFrame, groups: pd.Series, grouping: str, *, minimum: int, seed: int, draws: int = 9999
) -> pd.DataFrame:
    """Does a theme's frequency differ between the levels of a grouping? One row per theme;
    exploratory.

    Over the levels with `minimum` studies or more, `nr` left out. Pearson's chi-square (pingouin)
    where every expected count is 5 or more, else the exact test of Fisher, Freeman and Halton by
    `draws` random tables with these margins (scipy; the p-value is (1 + extreme) / (1 + draws)).
    `cramers_v` is the effect size, `p_holm` adjusts for all themes of the grouping (Holm 1979).
    Columns: grouping, theme_group, theme, levels, studies, of, test, chi2, p, p_holm, cramers_v; a
    theme that no study or every study reports has no test.
    """
    groups = groups.reindex(reported.index)
    sizes = groups[groups != "nr"].value_counts()
    kept = groups.isin(sizes.index[sizes >= minimum]).to_numpy()
    groups, reported = groups[kept], reported[kept]
    rows = [
        {
            "grouping": grouping,
            "theme_group": theme[0],
            "theme": theme[1],
            "levels": groups.nunique(),
            "studies": int(reported[theme].sum()),
            "of": len(reported),
            **_difference(reported[theme].to_numpy(), groups.to_numpy(), seed, draws),
        }
        for theme in reported.columns
    ]
    table = pd.DataFrame(rows)
    tested = table["p"].notna()
    table["p_holm"] = np.nan
    table.loc[tested, "p_holm"] = pg.multicomp(table.loc[tested, "p"].to_list(), method="holm")[1]
    last = ["test", "chi2", "p", "p_holm", "cramers_v"]
    return table[["grouping", "theme_group", "theme", "levels", "studies", "of", *last]]


def _difference(present: np.ndarray, group: np.ndarray, seed: int, draws: int) -> dict:
    counts = pd.crosstab(group, present)
    if min(counts.shape) < 2:
        return {"test": "none", "chi2": np.nan, "p": np.nan, "cramers_v": np.nan}
    chi2, _, _, expected = stats.chi2_contingency(counts, correction=False)
    size = stats.contingency.association(counts, method="cramer")
    if expected.min() >= 5:
        data = pd.DataFrame({"group": group, "present": present})
        with warnings.catch_warnings():  # of low observed counts: it is the expected ones that matter
            warnings.simplefilter("ignore", UserWarning)
            _, _, found = pg.chi2_independence(data, "group", "present", correction=False)
        p = found.loc[found["test"] == "pearson", "pval"].iloc[0]
        return {"test": "chi_square", "chi2": chi2, "p": p, "cramers_v": size}
    method = stats.MonteCarloMethod(n_resamples=draws, rng=np.random.default_rng(seed))
    p = stats.fisher_exact(counts.to_numpy(), method=method).pvalue
    return {"test": "exact", "chi2": chi2, "p": p, "cramers_v": size}


def cooccurrence(reported: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Which themes of one group come with which of another: one row per pair of themes that some
    study reports.

    Columns: theme_a, theme_b, a, b (studies that report each), both, of, jaccard (both of those
    that report either), ci_low, ci_high (Wilson, of those that report either) and lift (both, over
    what independence would give; 1 is none).
    """
    left, right = (reported[group].loc[:, reported[group].any()] for group in (first, second))
    both = left.astype(int).T @ right.astype(int)
    table = both.rename_axis(index="theme_a", columns="theme_b").stack().rename("both")
    table = table.reset_index()
    table["a"] = table["theme_a"].map(left.sum())
    table["b"] = table["theme_b"].map(right.sum())
    table["of"] = len(reported)
    either = table["a"] + table["b"] - table["both"]
    intervals = wilson(table["both"], either).rename(columns={"share": "jaccard"})
    table = pd.concat([table, intervals], axis=1)
    table["lift"] = table["both"] * table["of"] / (table["a"] * table["b"])
    first_columns = ["theme_a", "theme_b", "a", "b", "both", "of"]
    return table[[*first_columns, "jaccard", "ci_low", "ci_high", "lift"]]


def hierarchical_order(pairs: pd.DataFrame, value: str = "jaccard") -> tuple[list, list]:
    """Rows and columns of a table of pairs, those with alike profiles next to each other (average
    linkage, optimal leaves)."""
    grid = pairs.pivot(index="theme_a", columns="theme_b", values=value)
    return _leaves(grid), _leaves(grid.T)


def _leaves(grid: pd.DataFrame) -> list:
    if len(grid) < 3:
        return list(grid.index)
    tree = hierarchy.linkage(grid.to_numpy(), method="average", optimal_ordering=True)
    return list(grid.index[hierarchy.leaves_list(tree)])


def combinations(reported: pd.DataFrame, themes: Sequence[str]) -> pd.Series:
    """How many studies report exactly this combination of `themes` (and, of them, no other): for an
    UpSet plot.

    The index has one True/False level per theme; studies that report none of them are left out.
    """
    chosen = reported.droplevel("theme_group", axis=1)[list(themes)]
    return chosen[chosen.any(axis=1)].value_counts(sort=False).rename("studies")


def ranks(
    reported: pd.DataFrame, group: str, trials: pd.Series | None = None, *, top: int, draws: int, seed: int
) -> pd.DataFrame:
    """Rank of each theme of a group by frequency (1 is the commonest; tied themes share the better rank), with
    intervals.

    Studies are drawn with replacement `draws` times; the reports of one trial (`trials`: the trial of each study,
    indexed by study) are drawn together, since they are not independent. A tie in a draw leaves the rank open:
    rank_low is the 2.5th percentile of the better rank, rank_high the 97.5th of the worse; in_top is the share of the
    draws in which the theme is among the `top` commonest (better rank of `top` or less). Columns: theme, studies, of,
    rank, rank_low, rank_high, in_top.
    """
    present = reported[group]
    found = present.to_numpy()
    own = np.arange(len(found)) if trials is None else trials.reindex(reported.index).to_numpy()
    by_trial = pd.DataFrame(found.astype(int)).groupby(own, sort=False).sum().to_numpy()
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(by_trial), size=(draws, len(by_trial)))
    counts = np.stack([by_trial[rows].sum(axis=0) for rows in drawn])
    better, worse = (stats.rankdata(-counts, method=tied, axis=1) for tied in ("min", "max"))
    table = pd.DataFrame(
        {
            "theme": present.columns,
            "studies": present.sum().to_numpy(),
            "of": len(found),
            "rank": stats.rankdata(-found.sum(axis=0), method="min"),
            "rank_low": np.percentile(better, 2.5, axis=0),
            "rank_high": np.percentile(worse, 97.5, axis=0),
            "in_top": (better <= top).mean(axis=0),
        }
    )
    return table.sort_values(["rank", "theme"], ignore_index=True)


def commonest(table: pd.DataFrame, top: int = 1) -> pd.DataFrame:
    """The rows of a table of frequencies with fewer than `top` rows above them by `studies`: a tie for the last place
    is in."""
    return table[table["studies"].rank(method="min", ascending=False) <= top]


def review_frequency(themes: pd.DataFrame, theme_codes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Frequency among the reviews that report a theme at all, in the columns of frequency_by (level
    review)."""
    reviews = sorted(themes["study"].unique())
    reported = presence(themes, reviews, theme_codes)
    groups = pd.Series("review", index=reviews)
    return frequency_by(reported, groups, "source_kind", ["review"])


def with_agreement(frequency: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    """The frequencies with the coders' agreement on each theme beside them; `agreement` is indexed
    by theme."""
    columns = ["agree", "kappa", "kappa_low", "kappa_high", "ac1", "ac1_low", "ac1_high", "note"]
    return frequency.join(agreement[columns], on="theme")


def levels_present(table: pd.DataFrame, labels: Mapping[str, str]) -> dict[str, str]:
    """The levels of a table of frequency_by that hold any study, with their labels."""
    sizes = table.drop_duplicates("level").set_index("level")["of"]
    return {code: label for code, label in labels.items() if sizes.get(code, 0) > 0}


def one_per_trial(reported: pd.DataFrame, trials: pd.Series) -> pd.DataFrame:
    """`presence` with the reports of a trial joined: a theme is reported where any of them reports
    it.

    `trials` is the trial of each study, indexed by study.
    """
    joined = reported.groupby(trials.reindex(reported.index).to_numpy()).any()
    return joined.rename_axis("trial")


def frequency_sensitivity(scopes: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The frequencies of several tables of `presence` below one another: scope, rank (in the
    group), then theme_frequency."""
    tables = [theme_frequency(reported).assign(scope=scope) for scope, reported in scopes.items()]
    table = pd.concat(tables, ignore_index=True)
    order = table.groupby(["scope", "theme_group"])["studies"]
    table["rank"] = order.rank(method="min", ascending=False).astype(int)
    first = ["scope", "theme_group", "theme", "rank"]
    return table[[*first, *(column for column in table.columns if column not in first)]]
