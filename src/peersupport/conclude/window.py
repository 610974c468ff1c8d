"""The article's years beside all years: the same evidence from the studies of the window alone.

The main analysis is of all years; each claim is judged once more on what was published from window_start to window_end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from peersupport.conclude.evidence import Evidence
from peersupport.describe.countries import by_income
from peersupport.describe.themes import presence, ranks
from peersupport.moderate.over_time import follow_up_classes, pooled_by
from peersupport.moderate.regression import meta_regression
from peersupport.moderate.subgroups import subgroups
from peersupport.moderate.trials import ABSENT, ALL_RECOVERY, outcome_rows, trial_table


@dataclass(frozen=True)
class Sources:
    """What the tables of the window are made from: notebook 01's effects and themes, the window's rows of
    pooled_outcomes.csv, the randomised trials one row each, study_facts, the countries with their income group, and the
    codebook; long_weeks: of a long follow-up."""

    effects: pd.DataFrame
    themes: pd.DataFrame
    pooled: pd.DataFrame
    randomised: pd.DataFrame
    facts: pd.DataFrame
    countries: pd.DataFrame
    codebook: Mapping
    long_weeks: int


def in_window(evidence: Evidence, sources: Sources, start: int, end: int) -> Evidence:
    """The Evidence of the studies published from `start` to `end`; a study without a year is in no window.

    Votes count by the year of the trial's first report, effects by that of their own.
    """
    studies = evidence.studies[evidence.studies["year"].between(start, end)]
    first = evidence.studies.groupby("trial")["year"].min()
    effects = sources.effects[sources.effects["year"].between(start, end)]
    outcomes = evidence.outcomes[evidence.outcomes["study"].isin(studies["study"])]
    votes = evidence.votes[evidence.votes["trial"].map(first).between(start, end)]
    randomised = sources.randomised[sources.randomised["trial"].map(first).between(start, end)]
    of_outcome = _trials(effects, sources, evidence.correlation)
    return replace(
        evidence,
        pooled=sources.pooled,
        trials=evidence.trials[evidence.trials["year"].between(start, end)],
        votes=votes,
        subgroups=_subgroups(of_outcome, sources.codebook["moderators"]["groups"]),
        regressions=_regressions(of_outcome[ALL_RECOVERY], sources.codebook["moderators"]["slopes"]),
        over_time=_over_time(effects, sources, evidence),
        barriers=_barriers(studies, sources),
        studies=studies,
        outcomes=outcomes,
        income=by_income(randomised, sources.countries),
        since=start,
    )


def _trials(effects: pd.DataFrame, sources: Sources, correlation: float) -> dict[str, pd.DataFrame]:
    moderators = sources.codebook["moderators"]
    selected = effects[effects["selected"]]
    return {
        outcome: trial_table(outcome_rows(selected, outcome), sources.facts, correlation, moderators)
        for outcome in moderators["outcomes"]
    }


def _subgroups(trials: Mapping[str, pd.DataFrame], moderators: Sequence[str]) -> pd.DataFrame:
    """Each level pooled by itself, in every outcome that has trials."""
    tables = [
        subgroups(part, outcome, name, sorted(part[name].unique()))
        for outcome, part in trials.items()
        for name in moderators
        if len(part) and name in part
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _regressions(trials: pd.DataFrame, slopes: Mapping) -> pd.DataFrame:
    """One slope at a time, without the permutation test, which no rule reads."""
    terms = [name for slope in slopes for name in (slope, f"{slope}{ABSENT}") if name in trials]
    options = {"permutations": 1, "seed": 0}
    return pd.concat([meta_regression(trials, ALL_RECOVERY, [t], "single", **options) for t in terms]).drop(
        columns="p_permutation"
    )


def _over_time(effects: pd.DataFrame, sources: Sources, evidence: Evidence) -> pd.DataFrame:
    """The pool of digital effects long after the end, as in digital_over_time.csv."""
    rows = outcome_rows(effects, ALL_RECOVERY)
    rows = rows[rows["study"].map(sources.facts["modality"]).eq("digital")]
    rows = rows[follow_up_classes(rows["time_weeks"], sources.long_weeks).eq("long")]
    table = trial_table(rows, sources.facts, evidence.correlation, sources.codebook["moderators"])
    return pooled_by(table, pd.Series("long", table.index), {"long": "long"}).assign(split="follow-up")


def _barriers(studies: pd.DataFrame, sources: Sources) -> pd.DataFrame:
    """Ranks of the barriers with few draws: their intervals are only shown beside the verdict of all years."""
    read = studies[studies["source"].ne("open_database")]
    codes = {"barrier": list(sources.codebook["codes"]["barrier"])}
    themes = sources.themes[sources.themes["kind"].eq("primary") & sources.themes["theme_group"].eq("barrier")]
    reported = presence(themes, read["study"], codes)
    trials = read.set_index("study")["trial"]
    return ranks(reported, "barrier", trials, top=5, draws=200, seed=0)
