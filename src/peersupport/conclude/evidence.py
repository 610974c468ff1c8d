"""What the rules of the claims read: the chain's tables, asked one question at a time.

Whoever wants to know what a rule would say of other evidence (fewer trials, a shifted effect) answers the same
questions from it; the rules do not change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from peersupport.describe.votes import trial_directions
from peersupport.pool.fit import NAN, univariate

ALL_RECOVERY = "all_recovery"


@dataclass(frozen=True)
class Share:
    """Of `counted` votes, how many favour arm 1; exact (Clopper-Pearson) interval; blank without a vote."""

    favour: int
    counted: int
    neither: int
    share: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN


@dataclass(frozen=True)
class Evidence:
    """The chain's tables that the rules read.

    pooled: the main model's rows of pooled_outcomes.csv; trials: outcome_domain, family, trial, effect, variance of the
    pooled trials; votes: votes_for_claims; subgroups, regressions, over_time: the tables of notebook 04; barriers:
    barrier_ranks.csv; studies, outcomes: notebook 01's, outcomes with `instrument` as the codebook joins its names;
    income: trials_by_income.csv. labels: code to label. randomised, remote: codes of designs and of deliveries.
    neither: whether a trial that found no difference counts `against` a share or is `left_out`. since: the first year
    of the studies, where they are those of a window.
    """

    pooled: pd.DataFrame = field(default_factory=pd.DataFrame)
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)
    votes: pd.DataFrame = field(default_factory=pd.DataFrame)
    subgroups: pd.DataFrame = field(default_factory=pd.DataFrame)
    regressions: pd.DataFrame = field(default_factory=pd.DataFrame)
    over_time: pd.DataFrame = field(default_factory=pd.DataFrame)
    barriers: pd.DataFrame = field(default_factory=pd.DataFrame)
    studies: pd.DataFrame = field(default_factory=pd.DataFrame)
    outcomes: pd.DataFrame = field(default_factory=pd.DataFrame)
    income: pd.DataFrame = field(default_factory=pd.DataFrame)
    labels: dict[str, str] = field(default_factory=dict)
    arm1: str = "arm 1"
    randomised: Sequence[str] = ()
    remote: Sequence[str] = ()
    correlation: float = 0.6
    neither: str = "against"
    since: float = float("-inf")

    def label(self, code: str) -> str:
        return self.labels.get(code, code)

    def pool(self, outcome: str, family: str = ""):
        """The main model's row of that outcome with numbers in it; standardised effects before ratios, or those of
        `family` alone; None: none."""
        table = self.pooled
        if table.empty:
            return None
        rows = table[table["outcome_domain"].eq(outcome)].dropna(subset=["effect"])
        rows = rows[rows["family"].eq(family)] if family else rows
        return next(rows.sort_values("family", ascending=False).itertuples(), None)

    def subgroup(self, outcome: str, moderator: str, level: str):
        """The row of that level, pooled by itself; None where it is not there."""
        table = self.subgroups
        if table.empty:
            return None
        found = table["outcome"].eq(outcome) & table["moderator"].eq(moderator)
        found &= table["level"].eq(level) & table["tau2_model"].eq("separate")
        return next(table[found].itertuples(), None)

    def slope(self, outcome: str, term: str):
        """The row of that term's own model of meta_regression.csv; None where it is not there."""
        table = self.regressions
        if table.empty:
            return None
        found = table["outcome"].eq(outcome) & table["model"].eq("single") & table["term"].eq(term)
        return next(table[found].itertuples(), None)

    def late(self):
        """The row of digital_over_time.csv for effects long after the end; None where it is not there."""
        table = self.over_time
        if table.empty:
            return None
        return next(table[table["split"].eq("follow-up") & table["level"].eq("long")].itertuples(), None)

    def effects(self, outcome: str, family: str) -> np.ndarray:
        """The pooled trials' own effects."""
        table = self.trials
        return table.loc[table["outcome_domain"].eq(outcome) & table["family"].eq(family), "effect"].to_numpy(float)

    def difference(self, one: str, other: str):
        """The main model of `one` minus `other` within the trials that have both, standardised effects: a Fit, or None
        under two trials. The variance of a difference is v1 + v2 - 2 r sqrt(v1 v2)."""
        pairs = paired(self.trials, one, other, self.correlation)
        return univariate(pairs) if len(pairs) > 1 else None

    def share(self, outcome: str, column: str = "", levels: Sequence[str] = ()) -> Share:
        """Of the trials with a vote on that outcome, those that favour arm 1; `column` in `levels` only."""
        if self.votes.empty:
            return Share(0, 0, 0)
        votes = self.votes[self.votes["outcome_domain"].eq(outcome)]
        if column:
            votes = votes[votes[column].isin(levels)]
        counts = votes["direction"].value_counts()
        return share_of(*(int(counts.get(way, 0)) for way in ("arm1", "neither", "arm2")), self.neither)


def share_of(favour: int, neither: int, against: int, counted_as: str) -> Share:
    """counted_as: `against` keeps trials that found no difference in the share, `left_out` does not."""
    counted = favour + against + (neither if counted_as == "against" else 0)
    if not counted:
        return Share(favour, counted, neither)
    interval = binomtest(favour, counted).proportion_ci(0.95, method="exact")
    return Share(favour, counted, neither, favour / counted, interval.low, interval.high)


def paired(trials: pd.DataFrame, one: str, other: str, correlation: float) -> pd.DataFrame:
    """trial, effect and variance of the difference within each trial that has a standardised effect on both."""
    smd = trials[trials["family"].eq("smd")] if len(trials) else trials
    if smd.empty:
        return pd.DataFrame({"trial": [], "effect": [], "variance": []})
    first, second = (smd[smd["outcome_domain"].eq(name)].set_index("trial") for name in (one, other))
    both = first.index.intersection(second.index)
    a, b = first.loc[both], second.loc[both]
    shared = 2 * correlation * np.sqrt(a["variance"] * b["variance"])
    sizes = {name: a[name] for name in ("n_arm1", "n_arm2") if name in a}
    effect, variance = a["effect"] - b["effect"], a["variance"] + b["variance"] - shared
    return (
        pd.DataFrame({"effect": effect, "variance": variance, **sizes}, index=both).rename_axis("trial").reset_index()
    )


def votes_for_claims(
    votes: pd.DataFrame, rows: pd.DataFrame, outcomes: pd.DataFrame, studies: pd.DataFrame, majority: float
) -> pd.DataFrame:
    """The votes of effect_direction_votes.csv, one more per trial over all its recovery outcomes, and the trial's
    population and modality.

    rows: votes.row_directions; those of trials without a vote in `votes` (not randomised) are left out.
    """
    recovery = outcomes.loc[outcomes["recovery_type"].notna(), "row_id"]
    joined = rows[rows["row_id"].isin(recovery) & rows["trial"].isin(votes["trial"])]
    over_all = trial_directions(joined.assign(outcome_domain=ALL_RECOVERY), majority)
    main = studies.assign(companion=studies["study"].ne(studies["trial"]))
    main = main.sort_values("companion", kind="stable").groupby("trial").first()
    both = pd.concat([votes, over_all], ignore_index=True)
    return both.join(main[["population", "modality"]], on="trial")
