"""Which domains are pooled, which rows each model takes, and what the tables and sentences say."""

import numpy as np
import pandas as pd
import pytest
from metafor_reference import agree
from small_sheets import BOOK

from peersupport.effects.pools import pools
from peersupport.pool.fit import univariate
from peersupport.pool.models import (
    COLUMNS,
    MAIN,
    MODELS,
    Domain,
    Settings,
    domains,
    fit_battery,
    fit_model,
    model_labels,
    periods,
    pooled_table,
    with_study_facts,
)
from peersupport.text import sentences

ISSUE_2 = "outcome_domain family event model k n effect ci_low ci_high p_value pi_low pi_high tau2 i2 q q_p"
ISSUE_5 = "trials tau2_ci_low tau2_ci_high i2_ci_low i2_ci_high sigma2_between sigma2_within df note"
SETTINGS = Settings()
NUMBERS = [c for c in COLUMNS if c.startswith(("ci", "pi", "tau2", "i2", "q", "sigma"))]


def effects(**columns) -> pd.DataFrame:
    """Six trials, the first with two instruments; arguments replace columns."""
    table = pd.DataFrame(
        {
            "row_id": [f"R{i}" for i in range(7)],
            "study": ["A 2015", "A 2015", "B 2018", "C 2020", "D 2021", "E 2022", "F 2024"],
            "trial": ["A", "A", "B", "C", "D", "E", "F"],
            "year": [2015, 2015, 2018, 2020, 2021, 2022, 2024],
            "outcome_domain": "hope",
            "recovery_type": "personal",
            "family": "smd",
            "event": "",
            "effect": [0.1, 0.5, 0.2, 0.4, -0.1, 0.3, 0.25],
            "variance": [0.04, 0.04, 0.02, 0.03, 0.05, 0.02, 0.03],
            "n_arm1": [50, 50, 80, 60, 40, 100, 70],
            "n_arm2": [50, 50, 80, 60, 40, 100, 70],
            "method": ["means", "means", "means", "standardised", "means", "change", "p_value"],
            "selected": True,
            "design": ["rct", "rct", "cluster_rct", "pilot_rct", "quasi_experimental", "rct", "rct"],
            "helper_experience": ["distress"] * 5 + ["community", "mixed"],
            "risk_of_bias": ["low", "low", "low", "some_concerns", "high", "low", "no_information"],
        }
    )
    return table.assign(**columns)


def only(table: pd.DataFrame) -> Domain:
    return domains(table, 3, BOOK)[0]


def test_columns_are_those_of_the_issues():
    assert " ".join(COLUMNS) == f"{ISSUE_2} {ISSUE_5}"


def test_every_model_has_one_row():
    table = pooled_table(list(fit_battery(only(effects()), SETTINGS).values()))
    assert table["model"].tolist() == list(MODELS)
    assert table["model"].is_unique and table.columns.tolist() == [*COLUMNS, "ratio", "ratio_low", "ratio_high"]


@pytest.mark.parametrize(
    ("model", "trials"),
    [
        ("random_reml_hk", "ABCDEF"),
        ("low_risk_of_bias", "ABE"),
        ("means_only", "ABDE"),
        ("window", "CDEF"),
        ("distress_helpers", "ABCD"),
    ],
)
def test_each_model_takes_its_trials(model, trials):
    fit = fit_model(only(effects()), model, SETTINGS)
    assert sorted(fit.effects["trial"]) == list(trials)
    assert fit.k == len(trials)


def test_main_model_counts_a_trial_once_and_people_once():
    fit = fit_model(only(effects()), MAIN, SETTINGS)
    row = fit.effects.set_index("trial").loc["A"]
    assert (fit.trials, fit.n) == (6, 800)
    agree([row["effect"], row["variance"]], [0.3, 0.04 * 1.6 / 2], 1e-12)


def test_highest_and_lowest_take_one_end_of_the_trial_with_two_effects():
    found = fit_battery(only(effects()), SETTINGS)
    first = {name: found[name].effects.set_index("trial").loc["A", "effect"] for name in ("highest", "lowest")}
    assert first == {"highest": 0.5, "lowest": 0.1}


def test_outlier_is_left_out_and_named():
    eight = [pd.DataFrame(effects().iloc[[2]]).assign(trial=f"T{i}") for i in range(8)]
    table = pd.concat([*eight, effects().iloc[[6]].assign(effect=0.9)], ignore_index=True)
    fit = fit_model(only(table), "no_outliers", SETTINGS)
    assert (fit.k, fit.note) == (8, "left out: F 2024")
    unchanged = fit_model(only(effects()), "no_outliers", SETTINGS)
    assert (unchanged.k, unchanged.note) == (6, "none to leave out: as the main model")


def test_models_that_cannot_be_had_say_why_and_hold_no_number():
    few = only(effects()).rows.drop_duplicates("trial").head(3)
    table = pooled_table(list(fit_battery(Domain("hope", "smd", few), SETTINGS).values())).set_index("model")
    for name in ("three_level", "che_rve", "pet_peese", "selection_3psm", "window"):
        assert table.loc[name, "note"].startswith("not estimated: ")
        assert table.loc[name, [*NUMBERS, "effect", "p_value", "df"]].isna().all()
    assert table.loc["three_level", "note"] == "not estimated: every trial has one effect"
    assert table.loc["window", "note"] == "not estimated: 1 trial left, 3 needed"


def test_interval_that_hartung_and_knapp_narrow_is_pointed_out():
    alike = only(effects(effect=[0.20, 0.20, 0.21, 0.19, 0.20, 0.21, 0.20]))
    fit, plain = (fit_model(alike, name, SETTINGS) for name in (MAIN, "random_reml"))
    assert fit.ci_high - fit.ci_low < plain.ci_high - plain.ci_low
    assert fit.note.startswith("narrower than without Hartung-Knapp")
    assert fit_model(only(effects()), MAIN, SETTINGS).note == ""


def test_small_study_models_of_few_trials_are_not_interpreted():
    fit = fit_model(only(effects()), "trim_and_fill", SETTINGS)
    assert fit.note.endswith("fewer than 10 trials: shown, not interpreted")


def test_che_and_three_level_take_the_rows_themselves():
    found = fit_battery(only(effects()), SETTINGS)
    for name in ("three_level", "che_rve"):
        assert (found[name].k, found[name].trials) == (7, 6)
        assert found[name].tau2 == pytest.approx(found[name].sigma2_between + found[name].sigma2_within)


def test_bayes_row_has_its_probabilities():
    fit = fit_model(only(effects()), "bayes_half_normal", SETTINGS)
    assert 0.9 < fit.probability_above_0 < 1
    assert fit.probability_above_small < fit.probability_above_0
    assert f"P(effect > 0) = {fit.probability_above_0:.3f}" in fit.note
    assert np.isnan(fit.p_value)


def test_domains_need_three_trials_and_selected_rows():
    table = effects(selected=[True] * 3 + [False] * 4)
    assert domains(table, 3, BOOK) == []
    names = [(d.name, d.trials) for d in domains(effects(), 3, BOOK)]
    assert names == [("hope", 6), ("personal", 6)]


def test_families_are_never_mixed_and_service_use_is_joined():
    domain = ["hospitalisation"] * 4 + ["service_use"] * 3
    found = domains(effects(outcome_domain=domain, family="log_rr", event="avoid", recovery_type=None), 3, BOOK)
    assert [(d.name, d.family, d.trials) for d in found] == [
        ("hospitalisation", "log_rr", 3),
        ("service_use", "log_rr", 3),
        ("acute_care", "log_rr", 6),
    ]


def test_events_of_two_directions_never_share_a_pool():
    """Of a domain to be avoided, the rows wished for are a pool of their own, and join no union of the others."""
    both = effects(outcome_domain="service_use", family="log_rr", recovery_type=None)
    both = both.assign(event=["avoid"] * 3 + ["wanted"] * 4)
    other = effects(outcome_domain="engagement", family="log_rr", event="wanted", recovery_type=None)
    other = other.assign(trial=other["trial"] + "2")
    found = {d.name: (d.trials, set(d.rows["event"])) for d in pools(pd.concat([both, other]), BOOK)}
    assert found == {
        "service_use": (2, {"avoid"}),
        "service_use_wanted": (4, {"wanted"}),
        "engagement": (6, {"wanted"}),
        "help_and_engagement": (10, {"wanted"}),
    }
    assert {d.event for d in pools(both, BOOK)} == {"avoid", "wanted"}


def test_study_facts_come_by_study_and_missing_judgements_are_said():
    studies = pd.DataFrame({"study": ["A 2015"], "design": ["rct"], "helper_experience": ["mixed"]}).assign(
        design_family="randomised", condition_arm2="waitlist"
    )
    risk = pd.DataFrame({"study": ["A 2015"], "domain": ["overall"], "judgement": ["high"]})
    bare = effects().drop(columns=["design", "helper_experience", "risk_of_bias"])
    joined = with_study_facts(bare, studies, risk)
    assert joined["risk_of_bias"].tolist() == ["high"] * 2 + ["no_information"] * 5
    assert joined["design"].tolist()[:2] == ["rct", "rct"]


def test_periods_stand_apart_only_where_both_have_trials_enough():
    assert periods(only(effects()), SETTINGS) == {}
    years = effects(year=[2015, 2015, 2018, 2019, 2021, 2022, 2024])
    assert [f.k for f in periods(only(years), SETTINGS).values()] == [3, 3]


def test_finding_states_the_numbers_and_gives_no_verdict():
    models = fit_battery(only(effects()), SETTINGS)
    words = sentences.finding(models, MAIN, "Hope", model_labels(SETTINGS))
    fit = models[MAIN]
    assert f"6 trials with 800 people, pooled g = {fit.effect:.2f}" in words
    assert f"{fit.ci_low:.2f} to {fit.ci_high:.2f}".replace("-", "\N{MINUS SIGN}") in words
    assert "significant" not in words.lower()
    assert "low in 3 of the 6 trials and high in 1" in words


def test_wide_interval_is_told_as_compatible_with_both_directions():
    fit = univariate(only(effects()).rows.drop_duplicates("trial").assign(effect=[0.4, -0.4] * 3))
    words = sentences.finding({MAIN: fit}, MAIN, "Hope", model_labels(SETTINGS))
    assert "compatible with an average effect from" in words and "both directions" in words


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"n": 10.2, "n_low": 20.4, "n_high": 5.1}, "10 (5 to 20)"),
        ({"n": -10.2, "n_low": -5.1, "n_high": -20.4}, "10 to harm (5 to 20)"),
        ({"n": 30.0, "n_low": -8.4, "n_high": 6.0}, "30 to benefit (6 to benefit, through infinity, to 8 to harm)"),
    ],
)
def test_numbers_needed_to_treat_in_words(row, words):
    assert sentences.nnt_text(row, "n") == words
