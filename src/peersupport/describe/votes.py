"""Synthesis without meta-analysis: vote counting by direction of effect, never by significance.

After the SWiM guideline (Campbell 2020, doi 10.1136/bmj.l6890) and chapter 12 of the Cochrane
Handbook (McKenzie and Brennan): each trial has one vote per outcome domain, the share of votes for
peer support has an exact binomial interval, and a sign test asks whether it differs from one half.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

ARM1, NEITHER, ARM2 = "arm1", "neither", "arm2"


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


def count_votes(votes: pd.DataFrame, neither: str = "against") -> pd.DataFrame:
    """Votes per outcome domain: outcome_domain, favours_arm1, neither, favours_arm2, trials, share,
    ci_low, ci_high, p_value.

    share is that of peer support among the votes counted, with the Clopper-Pearson interval and the
    two-sided sign test against one half. Of a trial under `neither` the source says only that the
    arms did not differ, so that its direction is not known. `neither="against"` counts it with the
    trials that do not favour peer support, which gives a lower bound of the share.
    `neither="left_out"` is the Handbook's rule, fit where directions are missing at random; here
    they are missing because a result was not significant, so that it would count the significant
    results alone. Blank where no vote is left.
    """
    if neither not in ("left_out", "against"):
        raise ValueError(f'neither is "against" or "left_out", not {neither!r}.')
    counts = pd.crosstab(votes["outcome_domain"], votes["direction"])
    counts = counts.reindex(columns=[ARM1, NEITHER, ARM2], fill_value=0)
    table = counts.set_axis(["favours_arm1", "neither", "favours_arm2"], axis=1).reset_index()
    table.columns.name = None
    table["trials"] = table[["favours_arm1", "neither", "favours_arm2"]].sum(axis=1)
    counted = table["trials"] - (table["neither"] if neither == "left_out" else 0)
    tests = [_sign_test(*pair) for pair in zip(table["favours_arm1"], counted, strict=True)]
    columns = ["share", "ci_low", "ci_high", "p_value"]
    return pd.concat([table, pd.DataFrame(tests, columns=columns)], axis=1)


def sensitivity(votes: pd.DataFrame, unpooled: pd.DataFrame) -> pd.DataFrame:
    """The same counts under other choices: scope, neither, then the columns of count_votes.

    scope: not_pooled (as in the main table), all (the pooled trials too) and known_sign (the
    trials, pooled or not, whose direction comes from the sign of an effect size alone: direction in
    its strict sense).
    """
    scopes = {"not_pooled": unpooled, "all": votes, "known_sign": votes[votes["told_by"] == "effect"]}
    tables = [
        count_votes(part, neither).assign(scope=scope, neither_counts=neither)
        for scope, part in scopes.items()
        for neither in ("against", "left_out")
    ]
    table = pd.concat(tables, ignore_index=True)
    first = ["scope", "neither_counts"]
    return table[[*first, *(column for column in table.columns if column not in first)]]


def _sign_test(favourable: int, counted: int) -> tuple[float, float, float, float]:
    if counted == 0:
        return (np.nan,) * 4
    test = binomtest(int(favourable), int(counted), 0.5)
    interval = test.proportion_ci(0.95, method="exact")
    return test.statistic, interval.low, interval.high, test.pvalue
