"""GRADE's suggestions domain by domain, the overrides beside them, and the table of findings."""

import pandas as pd
import pytest

from peersupport.conclude import grade

NAN = float("nan")
ROW = dict(
    outcome_domain="hope",
    family="smd",
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


def trials(judgements, **columns):
    table = pd.DataFrame({"risk_of_bias": judgements, "weight": 1.0})
    facts = {"design_family": "randomised", "helper_experience": "distress", "condition_arm2": "waitlist"}
    return table.assign(**facts | columns, outcome_domain="hope", family="smd")


@pytest.mark.parametrize(
    ("judgements", "step"),
    [
        (["low"] * 4, 0),
        (["low"] * 3 + ["high"], -1),
        (["low", "some_concerns", "no_information", "low"], 0),
        (["low", "no_information", "no_information", "no_information"], -1),
        (["high"] * 3 + ["low"], -2),
    ],
)
def test_risk_of_bias_goes_by_weight_and_what_cannot_be_judged_is_not_low(judgements, step):
    table = trials(judgements)
    found, reason = grade.risk_of_bias(table["risk_of_bias"], table["weight"] / 4)
    assert found == step and "high risk" in reason


def test_a_heavy_trial_at_high_risk_counts_by_its_weight():
    table = trials(["low", "low", "high"]).assign(weight=[1, 1, 18])
    found = grade.downgrades(ROW, table, SMALL, 0.2, 0.2)
    assert found["risk_of_bias"][0] == -2


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, 0),
        ({"i2": 50.0}, -1),
        ({"pi_low": -0.1}, -1),
        ({"pi_low": -0.1, "tau2": 0.0}, 0),  # the interval is wide for want of trials, not for their spread
        ({"pi_low": -0.1, "ci_low": -0.05}, 0),  # already told by imprecision
        ({"i2": 75.0, "pi_low": -0.1}, -2),
        ({"i2": 80.0, "pi_low": NAN, "pi_high": NAN}, -1),
        ({"k": 1, "i2": NAN}, 0),
    ],
)
def test_inconsistency(changes, step):
    assert grade.inconsistency(ROW | changes)[0] == step


@pytest.mark.parametrize(
    ("columns", "step"),
    [
        ({}, 0),
        ({"helper_experience": ["distress", "community", "unclear", "mixed"]}, -1),
        ({"condition_arm2": ["care_as_usual", "waitlist", "active_treatment", "nr"]}, -1),
        ({"condition_arm2": ["care_as_usual", "waitlist", "waitlist", "nr"]}, 0),
    ],
)
def test_indirectness(columns, step):
    table = trials(["low"] * 4, **columns)
    assert grade.indirectness(table, table["weight"] / 4)[0] == step


@pytest.mark.parametrize(
    ("changes", "step"), [({}, 0), ({"n": 784}, -1), ({"ci_low": -0.1}, -1), ({"ci_low": -0.1, "n": 500}, -2)]
)
def test_imprecision(changes, step):
    assert grade.imprecision(ROW | changes, 0.2, 0.2)[0] == step


def test_the_optimal_information_sizes_are_the_textbooks():
    # Two-sided 5%, power 80%: 16 / d^2 people per arm in Lehr's approximation; 25% fewer of 20%: about 905 per arm.
    assert grade.information_size("smd", 0.5, 0.2) == pytest.approx(2 * 16 / 0.25, rel=0.02)
    assert grade.information_size("log_rr", 0.2, 0.2) == pytest.approx(2 * 903, abs=4)


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
    assert grade.publication_bias(ROW, SMALL | changes)[0] == step


def test_without_a_row_of_small_study_tests_nothing_is_read():
    assert grade.publication_bias(ROW, None)[0] == 0


def test_certainty_stops_at_very_low_and_starts_low_without_randomisation():
    assert grade.certainty("high", -1) == "moderate"
    assert grade.certainty("low", -5) == "very_low"
    assert grade.starting_level(trials(["low"] * 3, design_family=["non_randomised"] * 2 + ["randomised"])) == "low"
    assert grade.starting_level(trials(["low"] * 2, design_family=["non_randomised", "randomised"])) == "high"


def findings(overrides=grade.NO_OVERRIDES, absolute=None):
    absolute = pd.DataFrame(columns=["outcome_domain", "family"]) if absolute is None else absolute
    table = trials(["low"] * 3 + ["high"])
    return grade.summary_of_findings(
        pd.DataFrame([ROW]), table, pd.DataFrame([SMALL]), absolute, overrides, small_effect=0.2, baseline=0.2
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
