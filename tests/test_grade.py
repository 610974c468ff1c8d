"""GRADE's suggestions domain by domain, the overrides beside them, and the table of findings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from peersupport.conclude import grade
from peersupport.pool import absolute

ROOT = Path(__file__).resolve().parents[1]
NAN = float("nan")
RULES = grade.Rules()
ROW = dict(
    outcome_domain="hope",
    family="smd",
    event="",
    k=12,
    n=2000,
    effect=0.3,
    ci_low=0.2,
    ci_high=0.4,
    pi_low=0.1,
    pi_high=0.5,
    i2=20.0,
    tau2=0.01,
)
SMALL = dict(
    outcome_domain="hope", family="smd", interpreted=True, size_p=0.5, size_slope=1.0, egger_p=0.01, egger_slope=1.0
)


def scale():
    return grade.scale_of(ROW, RULES, 0.2, wanted=False)


def trials(judgements, **columns):
    table = pd.DataFrame({"risk_of_bias": judgements, "weight": 1.0, "effect": 0.3, "variance": 0.02})
    facts = {"design_family": "randomised", "helper_experience": "distress", "condition_arm2": "waitlist"}
    return table.assign(**facts | columns, outcome_domain="hope", family="smd")


@pytest.mark.parametrize(
    ("judgements", "step"),
    [
        (["low"] * 4, 0),
        (["low"] * 3 + ["high"], -1),
        (["low", "some_concerns", "no_information", "low"], 0),
        (["low", "some_concerns", "some_concerns", "some_concerns"], -1),
        (["low", "no_information", "no_information", "no_information"], 0),  # what is unknown costs no level
        (["high"] * 3 + ["low"], -2),
    ],
)
def test_risk_of_bias_goes_by_weight_and_what_cannot_be_judged_is_said(judgements, step):
    table = trials(judgements)
    found, reason = grade.risk_of_bias(table["risk_of_bias"], table["weight"] / 4, RULES)
    assert found == step and f"{judgements.count('no_information') / 4:.0%} not judgeable" in reason


def test_a_heavy_trial_at_high_risk_counts_by_its_weight():
    table = trials(["low", "low", "high"]).assign(weight=[1, 1, 18])
    found = grade.downgrades(ROW, table, SMALL, RULES, {"baseline": 0.2, "wanted": False})
    assert found["risk_of_bias"][0] == -2


def test_the_thresholds_are_those_of_parameters_yml():
    settings = yaml.safe_load((ROOT / "parameters.yml").read_text("utf-8"))["grade"]
    assert grade.Rules(**settings) == replace(RULES, effect_g=[0.2, 0.5, 0.8], effect_per_1000=[20, 50, 100])


@pytest.mark.parametrize(
    ("changes", "effects", "step"),
    [
        ({}, [0.3] * 4, 0),
        ({"i2": 90.0}, [0.3] * 4, 0),  # no cut-off of I2
        ({}, [0.3, 0.3, 0.3, 0.9], -1),  # a quarter of the weight leaves out the average: 0.6 > 1.96 sqrt(0.02)
        ({"pi_low": -0.1}, [0.3] * 4, -1),
        ({"pi_low": -0.1, "tau2": 0.0}, [0.3] * 4, 0),  # wide for want of trials, not for their spread
        ({"pi_low": -0.1, "ci_low": -0.05}, [0.3] * 4, 0),  # already told by imprecision
        ({"pi_low": -0.25, "ci_low": -0.05}, [0.3] * 4, -1),  # small effects of both kinds
        ({"pi_low": -0.25}, [0.3, 0.3, 0.3, 0.9], -2),
        ({"pi_low": NAN, "pi_high": NAN}, [0.3, 0.3, 0.3, 0.9], -1),
        ({"k": 1, "i2": NAN}, [0.3], 0),
    ],
)
def test_inconsistency_goes_by_overlap_and_prediction_interval(changes, effects, step):
    table = trials(["low"] * len(effects)).assign(effect=effects)
    found = grade.inconsistency(ROW | changes, table, table["weight"] / len(table), scale(), RULES)
    assert found[0] == step


@pytest.mark.parametrize(
    ("columns", "step"),
    [
        ({}, 0),
        ({"helper_experience": ["distress", "community", "unclear", "mixed"]}, -1),
        ({"helper_experience": ["distress", "unclear", "unclear", "nr"]}, 0),  # not known to share distress
        ({"condition_arm2": ["care_as_usual", "waitlist", "active_treatment", "attention_control"]}, -1),
        ({"condition_arm2": ["active_treatment", "waitlist", "nr", None]}, 0),
    ],
)
def test_indirectness_is_of_what_is_known(columns, step):
    table = trials(["low"] * 4, **columns)
    assert grade.indirectness(table, table["weight"] / 4, RULES)[0] == step


@pytest.mark.parametrize(
    ("changes", "step", "words"),
    [
        ({}, -0, "holds no threshold"),
        ({"ci_low": 0.19}, -1, "holds 0.20 (small)"),
        ({"ci_low": -0.1, "ci_high": 0.15}, 0, "holds no threshold"),  # precise: next to nothing
        ({"ci_low": -0.25}, -2, "holds \u22120.20 (small), 0.20 (small)"),
        ({"ci_low": 0.1, "ci_high": 0.9}, -3, "0.50 (moderate), 0.80 (large)"),
        ({"ci_low": -0.9, "ci_high": 0.9}, -3, "0.80 (large)"),
        ({"effect": 0.6, "ci_low": 0.55, "ci_high": 0.7, "n": 785}, 0, "785 people needed, 785 there: enough"),
        ({"effect": 0.6, "ci_low": 0.55, "ci_high": 0.7, "n": 784}, -1, "785 people needed, 784 there: too few"),
        ({"effect": 0.6, "ci_low": 0.55, "ci_high": 0.7, "n": 235}, -2, "too few"),  # under 0.3 x 785 = 235.5
    ],
)
def test_imprecision_counts_the_thresholds_within_the_interval(changes, step, words):
    found, reason = grade.imprecision(ROW | {"ci_low": 0.21} | changes, scale(), RULES, 0.2)
    assert found == step and words in reason


def test_events_are_read_as_people_of_1000_at_the_outcomes_own_baseline():
    # 30% without peer support, RR 0.80 (0.70 to 0.92): 60 fewer of 1000, 24 to 90 fewer; 50 lies within.
    ends = {"effect": -np.log(0.8), "ci_low": -np.log(0.92), "ci_high": -np.log(0.7)}
    row = ROW | {"family": "log_rr", "n": 5000} | ends
    per_1000 = grade.scale_of(row, RULES, 0.3, wanted=False)
    assert [per_1000.convert(row[name]) for name in ends] == pytest.approx([60, 24, 90])
    step, reason = grade.imprecision(row, per_1000, RULES, 0.3)
    assert step == -1 and "24 to 90 of 1000 people holds 50 (moderate)" in reason
    # At a baseline of 5% the same ratios are 4 to 15 of 1000: no threshold.
    assert grade.imprecision(row, grade.scale_of(row, RULES, 0.05, wanted=False), RULES, 0.05)[0] == 0
    # A wanted event, 30%, RR 1.25: 75 more.
    assert grade.scale_of(row, RULES, 0.3, wanted=True).convert(np.log(1.25)) == pytest.approx(75)


def test_the_baseline_is_the_median_risk_of_the_trials_own_comparators():
    rows = pd.DataFrame({"row_id": [1, 2, 3, 4], "trial": ["a", "b", "c", "c"]})
    outcomes = pd.DataFrame({"row_id": [1, 2, 3, 4], "event_arm2": [1, 5, 2, 4], "totaln_arm2": [10, 10, 10, 10]})
    assert absolute.comparator_risk(rows, outcomes) == (pytest.approx(0.3), 3)  # of 0.1, 0.5 and 0.3
    assert absolute.comparator_risk(rows, outcomes.assign(event_arm2=NAN)) is None
    assert absolute.comparator_risk(rows, outcomes.assign(event_arm2=0)) is None


def test_the_optimal_information_sizes_are_the_textbooks():
    # Two-sided 5%, power 80%: 16 / d^2 people per arm in Lehr's approximation; 25% fewer of 20%: about 905 per arm.
    half = replace(RULES, effect_g=(0.5, 0.6, 0.8))
    assert grade.information_size("smd", half, 0.2) == pytest.approx(2 * 16 / 0.25, rel=0.02)
    assert grade.information_size("log_rr", RULES, 0.2) == pytest.approx(2 * 903, abs=4)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, 0),
        ({"size_p": 0.05}, -1),
        ({"size_p": 0.05, "size_slope": -1.0}, 0),  # small trials show the smaller effects
        ({"size_p": NAN}, -1),  # Egger's own test takes its place
        ({"size_p": 0.05, "interpreted": False}, 0),
    ],
)
def test_publication_bias(changes, step):
    assert grade.publication_bias(ROW, SMALL | changes, RULES)[0] == step


def test_without_a_row_of_small_study_tests_nothing_is_read():
    assert grade.publication_bias(ROW, None, RULES)[0] == 0


def test_certainty_stops_at_very_low_and_starts_low_without_randomisation():
    assert grade.certainty("high", -1) == "moderate"
    assert grade.certainty("low", -5) == "very_low"
    assert (
        grade.starting_level(trials(["low"] * 3, design_family=["non_randomised"] * 2 + ["randomised"]), RULES) == "low"
    )
    assert grade.starting_level(trials(["low"] * 2, design_family=["non_randomised", "randomised"]), RULES) == "high"


def findings(overrides=grade.NO_OVERRIDES, absolute=None):
    absolute = pd.DataFrame(columns=["outcome_domain", "family"]) if absolute is None else absolute
    table = trials(["low"] * 3 + ["high"])
    return grade.summary_of_findings(
        pd.DataFrame([ROW]), table, pd.DataFrame([SMALL]), absolute, overrides, rules=RULES, baseline=0.2
    ).iloc[0]


def override(**changes):
    row = dict(outcome_domain="hope", family="smd", domain="risk_of_bias", downgrade=-2, reason="full texts read")
    return pd.DataFrame([row | changes])


def test_an_override_changes_the_certainty_and_leaves_the_suggestion():
    alone, judged = findings(), findings(override())
    assert (alone["certainty_suggested"], alone["certainty"]) == ("moderate", "moderate")
    assert (judged["certainty_suggested"], judged["certainty"]) == ("moderate", "low")
    assert judged["risk_of_bias"] == -1 and judged["risk_of_bias_authors"] == -2
    assert judged["risk_of_bias_authors_reason"] == "full texts read"


@pytest.mark.parametrize("changes", [{"outcome_domain": "hop"}, {"domain": "bias"}])
def test_an_override_of_something_unknown_names_its_row(changes):
    with pytest.raises(ValueError, match="grade.csv, row 2"):
        findings(override(**changes))


def test_people_per_1000_are_the_turned_number_needed_to_treat():
    absolute = pd.DataFrame(
        [
            {
                "outcome_domain": "hope",
                "family": "smd",
                "nnt_furukawa": 10.0,
                "nnt_furukawa_low": float("inf"),
                "nnt_furukawa_high": 5.0,
                "points": 1.5,
                "instrument": "Herth",
            }
        ]
    )
    row = findings(absolute=absolute)
    assert (row["more_per_1000"], row["more_per_1000_low"], row["more_per_1000_high"]) == (100, 0, 200)
    assert row["points"] == 1.5 and row["scale"] == "Herth"
