"""Futures against the same fitted one by one, and the sturdiness of small verdicts that can be seen by eye."""

import numpy as np
import pandas as pd
import pytest

from peersupport.conclude import claims, grade
from peersupport.conclude.evidence import Evidence
from peersupport.moderate.regression import regress
from peersupport.plan import sturdiness
from peersupport.plan.altered import Futures, Rows, Studies, grouped_rows
from peersupport.pool.fit import univariate

EFFECTS = [0.9, 0.25, 0.2, 0.3, 0.15, 0.22]
TRIALS = [f"T{i}" for i in range(len(EFFECTS))]


def table(effects=EFFECTS, outcome="hope"):
    trials = [f"T{i}" for i in range(len(effects))]
    found = pd.DataFrame({"trial": trials, "effect": effects, "variance": np.linspace(0.02, 0.05, len(effects))})
    return found.assign(
        outcome_domain=outcome, family="smd", n_arm1=50.0, n_arm2=50.0, people=100.0, size=range(len(effects))
    )


def evidence_of(rows, **more):
    fit = univariate(rows)
    pooled = pd.DataFrame([{"outcome_domain": "hope", "family": "smd", "k": fit.k, "n": fit.n, "effect": fit.effect}])
    pooled = pooled.assign(ci_low=fit.ci_low, ci_high=fit.ci_high, pi_low=fit.pi_low, pi_high=fit.pi_high, i2=fit.i2)
    votes = pd.DataFrame({"trial": rows["trial"], "outcome_domain": "hope", "direction": "arm1"})
    return Evidence(pooled=pooled, trials=rows, votes=votes, **more)


def futures(gone, rows=None, **changes):
    rows = table() if rows is None else rows
    grouped = grouped_rows({"all_recovery": rows.assign(population="youth")})
    return Futures(evidence_of(rows), Rows(rows, grouped, rows, 3), [frozenset(some) for some in gone], **changes)


@pytest.mark.parametrize("gone", [[], ["T0"], ["T1", "T4"]])
def test_a_pool_without_trials_is_the_fit_of_the_others(gone):
    [future] = futures([gone])
    row, rows = future.pool("hope"), table()
    fit = univariate(rows[~rows["trial"].isin(gone)])
    for name in ("k", "n", "effect", "ci_low", "ci_high", "pi_low", "pi_high", "i2"):
        assert getattr(row, name) == pytest.approx(getattr(fit, name), abs=1e-9, nan_ok=True)
    assert future.effects("hope", "smd").tolist() == fit.effects["effect"].tolist()


def test_an_outcome_with_too_few_trials_left_is_not_pooled():
    [future] = futures([TRIALS[:4]])
    assert future.pool("hope") is None


def test_shifts_and_added_trials_are_those_of_the_rows_changed_by_hand():
    [shifted] = futures([[]], shifts={"T0": np.array([-0.7])})
    by_hand = table([0.2, *EFFECTS[1:]])
    assert shifted.pool("hope").effect == pytest.approx(univariate(by_hand).effect, abs=1e-9)
    [more] = futures([[]], added=np.array([2]))
    null = pd.DataFrame({"trial": ["N1", "N2"], "variance": table()["variance"].median()})
    null["effect"] = np.sqrt(null["variance"]) * [1, -1]
    both = pd.concat([table(), null.assign(n_arm1=0.0, n_arm2=0.0)], ignore_index=True)
    assert more.pool("hope").effect == pytest.approx(univariate(both).effect, abs=1e-9)


def test_votes_of_trials_that_are_gone_do_not_count():
    [future] = futures([["T0", "T1"]])
    assert (future.share("hope").favour, future.share("hope").counted) == (4, 4)


def test_a_slope_without_trials_is_the_regression_of_the_others():
    rows, gone = table(), ["T2"]
    slopes = pd.DataFrame({"outcome": ["all_recovery"], "model": "single", "term": "size", "estimate": 0.1, "note": ""})
    both = Futures(Evidence(regressions=slopes), Rows(rows, {"all_recovery": rows}, rows, 3), [frozenset(gone)])
    [future] = both
    left = rows[~rows["trial"].isin(gone)]
    expected = regress(left, np.column_stack([np.ones(len(left)), left["size"]]))
    found = future.slope("all_recovery", "size")
    assert (found.estimate, found.ci_low) == pytest.approx((expected["estimate"][1], expected["ci_low"][1]), abs=1e-9)


HOPE = {"claim_id": "X1", "claim": "Hope improves.", "evidence": "hope", "rule_name": "improvement", "known": "no"}
HOPE |= {"outcomes": "hope", "trials_least": "3", "share_percent": "50", "trials_enough": "3"}


def sturdiness_of(effects, directions):
    rows = table(effects)
    evidence = evidence_of(rows)
    evidence.votes["direction"] = directions
    left = Studies(evidence, pd.Series(dtype=object), pd.DataFrame())
    nothing = pd.DataFrame(columns=["outcome_domain", "k", "effect", "ci_low", "ci_high"])
    [claim] = claims.read(pd.DataFrame([HOPE]))
    return sturdiness.of_claims([claim], evidence, Rows(rows, {}, rows, 3), left, nothing).iloc[0]


def test_one_contrary_trial_is_all_that_keeps_a_verdict_down():
    row = sturdiness_of([0.5, 0.5, 0.5, 0.5, -0.9], ["neither"] * 5)
    assert (row["verdict"], row["removed"], row["trials"], row["verdict_then"]) == (
        "not_supported",
        1,
        "T4",
        "supported",
    )
    assert row["grade"] == "fragile" and row["shift_trial"] == "T4" and row["shift"] > 0


def test_a_verdict_on_alike_trials_needs_many_null_trials():
    row = sturdiness_of([0.5] * 5 + [0.52], ["neither"] * 6)
    assert row["verdict"] == "supported" and row["removed"] != 1
    assert 3 < row["null_trials"] < 500, row


def test_certainty_hangs_on_the_one_trial_at_high_risk():
    rows = table([0.3, 0.31, 0.29, 0.3]).assign(
        risk_of_bias=["high", "low", "low", "low"],
        helper_experience="distress",
        condition_arm2="waitlist",
        design_family="randomised",
        variance=0.002,
    )
    findings = pd.DataFrame([{"outcome_domain": "hope", "family": "smd", "certainty_suggested": "moderate"}])
    none = pd.DataFrame(columns=["outcome_domain", "family"])
    found = sturdiness.of_certainty(findings, rows, none, none, rules=grade.Rules(), baseline=0.2, budget=100)
    assert (found.loc[0, "removed"], found.loc[0, "trials"], found.loc[0, "certainty_then"]) == (1, "T0", "high")
