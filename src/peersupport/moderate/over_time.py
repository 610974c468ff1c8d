"""Effects and deliveries by period, and effects long after the end."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import confint_proportions_2indep

from peersupport.describe.studies import wilson
from peersupport.moderate.trials import people, pooled_trials, summary_of


def pooled_by(trials: pd.DataFrame, groups: pd.Series, levels: Mapping[str, str], few: int = 4):
    """Pooled effect per group of trials (REML, Knapp-Hartung).

    Columns: level, label, k, n, effect, ci_low, ci_high, tau2, warning.

    groups: one level per row of trials; levels without a trial are kept with k = 0.
    """
    rows = []
    for level, label in levels.items():
        part = trials[groups.eq(level)]
        row = {"level": level, "label": label, "k": len(part), "n": people(part)}
        row["warning"] = f"fewer than {few} trials" if len(part) < few else ""
        rows.append(row | (summary_of(pooled_trials(part)) if len(part) else {}))
    columns = ["level", "label", "k", "n", "effect", "ci_low", "ci_high", "tau2", "warning"]
    return pd.DataFrame(rows).reindex(columns=columns)


def periods(year: pd.Series, first: int, last: int) -> pd.Series:
    """before, during or after the years `first` to `last`; blank without a year."""
    told = pd.cut(year, [-np.inf, first - 1, last, np.inf], labels=["before", "during", "after"])
    return told.astype(object)


def follow_up_classes(weeks: pd.Series, long: int) -> pd.Series:
    """short (below 13 weeks after the start), medium, or long (`long` weeks or more); blank where not stated."""
    bins = [-np.inf, 13, long, np.inf]
    return pd.cut(weeks, bins, right=False, labels=["short", "medium", "long"]).astype(object)


def long_follow_up(studies: pd.DataFrame, outcomes: pd.DataFrame, long: int) -> pd.DataFrame:
    """How many trials followed people for `long` weeks or more, by delivery.

    studies: the randomised trials, one row per trial. The length is the longer of followup_weeks and the latest outcome
    row of the trial. Columns: modality, trials, stated (that state a length), long, share (of stated), ci_low, ci_high
    (Wilson).
    """
    latest = studies["trial"].map(outcomes.groupby("trial")["time_weeks"].max())
    length = pd.concat([studies["followup_weeks"], latest], axis=1).max(axis=1)
    table = pd.DataFrame({"modality": studies["modality"].fillna("nr"), "length": length})
    grouped = table.groupby("modality")["length"]
    counted = pd.DataFrame(
        {
            "trials": grouped.size(),
            "stated": grouped.count(),
            "long": grouped.agg(lambda weeks: int((weeks >= long).sum())),
        }
    ).reset_index()
    return pd.concat([counted, wilson(counted["long"], counted["stated"])], axis=1)


def remote_share(
    studies: pd.DataFrame, remote_delivery: Collection[str], first: int, last: int, end: int
) -> pd.DataFrame:
    """Delivery at a distance before, in and after the years `first` to `last`, the last period to `end`.

    remote_delivery: the codes of modality that are at a distance.

    Columns period, remote, of (the studies of the period that report their delivery), share,
    ci_low, ci_high, and the difference to the first period with its interval (Newcombe 1998, Stat
    Med 17:873, method 10, from Wilson intervals).
    """
    told = studies[studies["modality"].fillna("nr").ne("nr")]
    periods = {
        f"before {first}": told["year"] < first,
        f"{first} to {last}": told["year"].between(first, last),
        f"{last + 1} to {end}": told["year"].between(last + 1, end),
    }
    remote = told["modality"].isin(remote_delivery)
    table = pd.DataFrame({"period": list(periods)})
    table["remote"] = [int((remote & inside).sum()) for inside in periods.values()]
    table["of"] = [int(inside.sum()) for inside in periods.values()]
    table = pd.concat([table, wilson(table["remote"], table["of"])], axis=1)
    before = table.iloc[0]
    table["difference"] = table["share"] - before["share"]
    limits = [
        confint_proportions_2indep(row.remote, row.of, before.remote, before.of, method="newcomb")
        if row.Index and row.of and before.of
        else (np.nan, np.nan)
        for row in table.itertuples()
    ]
    table["difference_low"], table["difference_high"] = zip(*limits, strict=True)
    table.loc[0, "difference"] = np.nan
    return table
