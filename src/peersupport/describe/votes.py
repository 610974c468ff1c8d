"""Synthesis without meta-analysis: vote counting by direction of effect, never by significance.

After the SWiM guideline (Campbell 2020, doi 10.1136/bmj.l6890) and chapter 12 of the Cochrane Handbook (McKenzie and
Brennan): each trial has one vote per outcome domain, and the share of votes for peer support has an exact binomial
interval. A sign and a conclusion are different things. The sign of an effect is a direction; of a conclusion that
finds no difference the direction is not known. So the share has two bounds (all of those against, all in favour), and
the sign test is made of signs alone.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

ARM1, NEITHER, ARM2 = "arm1", "neither", "arm2"
COUNTS = (
    *("outcome_domain", "favours_arm1", "neither", "favours_arm2", "trials"),
    *("share", "ci_low", "ci_high", "share_upper", "ci_low_upper", "ci_high_upper", "p_value"),
)


def row_directions(outcomes: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """The direction of each outcome row: row_id, study, trial, outcome_domain, direction, told_by.

    From the sign of the effect size where notebook 01 has one (`told_by` effect), whatever its
    p-value; else from what the source concludes (`told_by` source). Before-after rows, arms that
    both have peers and rows without either are left out.
    """
    rows = outcomes[~outcomes["contrast"].isin(["within", "both_peer", "pooled_arms"])]
    signs = np.sign(rows["row_id"].map(effects.set_index("row_id")["effect"]))
    by_effect = signs.map({1.0: ARM1, 0.0: NEITHER, -1.0: ARM2})
    table = rows[["row_id", "study", "trial", "outcome_domain"]].copy()
    table["direction"] = by_effect.fillna(rows["favours"])
    table["told_by"] = np.where(by_effect.notna(), "effect", "source")
    return table.dropna(subset=["direction"]).reset_index(drop=True)


def trial_directions(rows: pd.DataFrame, majority: float = 0.7) -> pd.DataFrame:
    """One vote per trial and outcome domain: trial, outcome_domain, direction, rows, told_by.

    The direction that at least `majority` of the trial's rows in the domain share (Boon and Thomson
    2021, doi 10.1002/jrsm.1458, take 70%), else neither. `told_by` is effect, source or both.
    """
    grouped = rows.groupby(["trial", "outcome_domain"])
    shares = grouped["direction"].value_counts(normalize=True).unstack(fill_value=0.0)
    shares = shares.reindex(columns=[ARM1, NEITHER, ARM2], fill_value=0.0)
    table = pd.DataFrame(
        {
            "direction": shares.idxmax(axis=1).where(shares.max(axis=1) >= majority, NEITHER),
            "rows": grouped.size(),
            "told_by": grouped["told_by"].agg(_told_by),
        }
    )
    return table.reset_index()


def _told_by(values: pd.Series) -> str:
    return values.iloc[0] if values.nunique() == 1 else "both"


def not_pooled(votes: pd.DataFrame, effects: pd.DataFrame, minimum_trials: int) -> pd.DataFrame:
    """The votes of trials that enter no pooled estimate of that outcome domain.

    Pooled are the selected effects of a domain and family of effects with `minimum_trials` trials
    or more.
    """
    rows = effects[effects["selected"]]
    trials = rows.groupby(["outcome_domain", "family"])["trial"].transform("nunique")
    pooled = rows.loc[trials >= minimum_trials, ["trial", "outcome_domain"]].drop_duplicates()
    marked = votes.merge(pooled, on=["trial", "outcome_domain"], how="left", indicator=True)
    return marked[marked["_merge"] == "left_only"].drop(columns="_merge").reset_index(drop=True)


def count_votes(votes: pd.DataFrame) -> pd.DataFrame:
    """Votes per outcome domain, with both bounds of the share that favours peer support; columns COUNTS.

    `share` (0 to 1) takes all trials under `neither` for not favouring peer support, `share_upper` for favouring it;
    each with its 95% Clopper-Pearson interval. `p_value` is the two-sided sign test of the trials that favour either
    side against one half; blank unless every vote of the domain comes from signs (told_by effect), because a trial
    that concluded "no difference" has a sign that is not known, and to count it as a failure would test significance.
    """
    counts = pd.crosstab(votes["outcome_domain"], votes["direction"])
    counts = counts.reindex(columns=[ARM1, NEITHER, ARM2], fill_value=0)
    signs = votes["told_by"].eq("effect").groupby(votes["outcome_domain"]).all()
    rows = []
    for domain, (favour, neither, against) in zip(counts.index, counts.to_numpy().tolist(), strict=True):
        trials = favour + neither + against
        lower, upper = _share(favour, trials), _share(favour + neither, trials)
        test = binomtest(favour, favour + against, 0.5).pvalue if signs[domain] and favour + against else np.nan
        rows.append((domain, favour, neither, against, trials, *lower, *upper, test))
    return pd.DataFrame(rows, columns=list(COUNTS))


def by_kind(votes: pd.DataFrame) -> pd.DataFrame:
    """count_votes apart for what tells the direction: `kind` signs (of effect sizes) or conclusions (of the source, for
    some or all of the trial's rows)."""
    signs = votes["told_by"].eq("effect")
    parts = {"signs": votes[signs], "conclusions": votes[~signs]}
    table = pd.concat([count_votes(part).assign(kind=kind) for kind, part in parts.items()], ignore_index=True)
    return table[["kind", *COUNTS]]


def sensitivity(votes: pd.DataFrame, unpooled: pd.DataFrame) -> pd.DataFrame:
    """The same counts over other trials: scope, kind, then COUNTS.

    scope: not_pooled (as in the main table) or all (the pooled trials too); kind: any, signs or conclusions.
    """
    scopes = {"not_pooled": unpooled, "all": votes}
    tables = [
        table.assign(scope=scope)
        for scope, part in scopes.items()
        for table in (count_votes(part).assign(kind="any"), by_kind(part))
    ]
    return pd.concat(tables, ignore_index=True)[["scope", "kind", *COUNTS]]


def _share(favourable: int, counted: int) -> tuple[float, float, float]:
    test = binomtest(favourable, counted, 0.5)
    interval = test.proportion_ci(0.95, method="exact")
    return test.statistic, interval.low, interval.high
