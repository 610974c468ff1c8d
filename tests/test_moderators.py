"""Subgroups and meta-regression against metafor (tests/reference/moderators.R), and how nr is treated."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sheets import BOOK

from peersupport.moderate import over_time, regression, subgroups
from peersupport.moderate.trials import study_facts, trial_table

HERE = Path(__file__).parent / "reference"
DATA = pd.read_csv(HERE / "moderators_data.csv").assign(n_arm1=50, n_arm2=50)
REFERENCE = pd.read_csv(HERE / "moderators.csv").set_index(["set", "what", "item"])["value"]
SETS = list(DATA["set"].unique())


def published(name: str) -> pd.DataFrame:
    return DATA[DATA["set"].eq(name)].reset_index(drop=True)


def agrees(ours, name, what, item, tolerance=1e-6):
    theirs = REFERENCE[name, what, item]
    assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance), (name, what, item)


@pytest.mark.parametrize("terms", [["x1"], ["x1", "x2"]])
@pytest.mark.parametrize("name", SETS)
def test_a_regression_is_metafors(name, terms):
    trials, what = published(name), "+".join(terms)
    found = regression.meta_regression(trials, name, terms, "m", permutations=1, seed=1)
    for row in found.itertuples():
        for ours, item in (("estimate", "beta"), ("ci_low", "ci.lb"), ("ci_high", "ci.ub")):
            agrees(getattr(row, ours), name, f"{what}|{item}", row.term)
        agrees(row.p_value, name, f"{what}|pval", row.term)
        agrees(row.tau2, name, f"{what}|tau2", "model")
        agrees(row.df, name, f"{what}|df", "model")
        agrees(row.r2, name, f"{what}|r2", "model", 1e-5)


@pytest.mark.parametrize("name", SETS)
def test_subgroups_are_metafors(name):
    trials = published(name).dropna(subset=["group"])
    found = subgroups.subgroups(trials, name, "group", sorted(trials["group"].unique()))
    for row in found.itertuples():
        for item in ("effect", "ci_low", "ci_high"):
            agrees(getattr(row, item), name, f"{row.tau2_model}|{item}", row.level)
        level = "all" if row.tau2_model == "common" else row.level
        agrees(row.tau2, name, f"{row.tau2_model}|tau2", level)
        agrees(row.q_between, name, f"{row.tau2_model}|q_between", "all")
        agrees(row.p_between, name, f"{row.tau2_model}|p_between", "all")
    assert set(found["df_between"]) == {trials["group"].nunique() - 1}
    common = found[found["tau2_model"].eq("common")]
    agrees(common["df_residual"].iloc[0], name, "common|df_residual", "all")


def test_the_exact_permutation_test_is_metafors():
    six = published("bcg").head(6)
    found = regression.meta_regression(six, "bcg", ["x1"], "m", permutations=720, seed=1)
    agrees(found.set_index("term")["p_permutation"]["x1"], "bcg_six", "permutation|p", "x1")


def test_a_permutation_test_repeats_with_its_seed_and_leaves_the_global_generator_alone():
    trials = published("bcg")
    design = np.column_stack([np.ones(len(trials)), trials["x1"]])
    np.random.seed(7)
    before = np.random.get_state()[1].tolist()
    first, second = (regression.permutation_p(trials, design, 200, 3) for _ in range(2))
    other = regression.permutation_p(trials, design, 200, 4)
    assert first.tolist() == second.tolist() != other.tolist()
    assert np.random.get_state()[1].tolist() == before


def made_up(levels, effects=None):
    k = len(levels)
    effects = np.linspace(0.1, 0.5, k) if effects is None else effects
    return pd.DataFrame({"trial": range(k), "effect": effects, "variance": 0.02, "n_arm1": 40, "n_arm2": 40}).assign(
        modality=levels
    )


def test_not_reported_is_shown_but_not_compared():
    levels = ["digital"] * 3 + ["in_person"] * 3 + ["nr"] * 3
    found = subgroups.subgroups(made_up(levels), "o", "modality", ["digital", "in_person", "nr"])
    separate = found[found["tau2_model"].eq("separate")].set_index("level")
    assert list(separate.index) == ["digital", "in_person", "nr"]
    assert separate["df_between"].tolist() == [1, 1, 1]
    told = [level for level in levels if level != "nr"]
    without = subgroups.subgroups(made_up(levels).head(len(told)), "o", "modality", ["digital", "in_person"])
    assert separate["q_between"].iloc[0] == pytest.approx(without["q_between"].iloc[0])


def test_one_known_level_gives_no_test():
    found = subgroups.subgroups(made_up(["yes"] * 3 + ["nr"] * 3), "o", "modality", ["yes", "no", "nr"])
    assert found["p_between"].isna().all()


def test_small_subgroups_carry_a_warning_and_a_single_trial_its_own_interval():
    found = subgroups.subgroups(made_up(["a"] * 4 + ["b"] * 3 + ["c"]), "o", "modality", ["a", "b", "c"], few=4)
    alone = found[found["tau2_model"].eq("separate")].set_index("level")
    assert alone["warning"].to_dict() == {"a": "", "b": "fewer than 4 trials", "c": "fewer than 4 trials"}
    half = 1.959964 * np.sqrt(0.02)
    assert alone.loc["c", "ci_high"] - alone.loc["c", "effect"] == pytest.approx(half, rel=1e-6)
    assert np.isnan(alone.loc["c", "tau2"])


def test_a_level_that_has_no_place_is_an_error():
    with pytest.raises(ValueError, match="no place for the level b"):
        subgroups.subgroups(made_up(["a", "b"]), "o", "modality", ["a"])


@pytest.mark.parametrize(
    ("values", "words"),
    [([1.0, 2.0, None, None, None], "stated in 2 of the 4 trials needed"), ([1.0] * 5, "the same in every trial")],
)
def test_a_regression_that_cannot_be_had_says_why(values, words):
    trials = made_up(["a"] * 5).assign(x=values)
    found = regression.meta_regression(trials, "o", ["x"], "single", permutations=10, seed=1)
    assert found["estimate"].isna().all() and words in found["note"].iloc[0]


def test_terms_that_repeat_each_other_are_not_estimated():
    trials = made_up(["a"] * 6).assign(x=range(6), twice=[2 * i for i in range(6)])
    found = regression.meta_regression(trials, "o", ["x", "twice"], "joint", permutations=10, seed=1)
    assert "cannot be told apart" in found["note"].iloc[0]


STUDY = dict(
    year=2021,
    country="GBR",
    population="smi",
    structure="nr",
    condition_arm2="waitlist",
    setting=None,
    helper_experience="distress",
    design="rct",
    design_family="randomised",
    modality="telephone",
    peer_training="yes",
    supervision="nr",
    manualised="no",
    fidelity_assessed="yes",
    duration_weeks=20,
    percent_women=55,
    mean_age=40,
    n_randomised=128,
    followup_weeks=12,
)
MODERATORS = BOOK["moderators"]
INCOME = pd.DataFrame({"country": ["GBR", "IND"], "income_group": ["high", "lower_middle"]})
RISK = pd.DataFrame({"study": ["A", "B"], "domain": "overall", "judgement": ["high", "no_information"]})


def facts(*studies):
    rows = [STUDY | {"study": name} | changes for name, changes in studies]
    return study_facts(pd.DataFrame(rows), RISK, INCOME, MODERATORS, BOOK["fidelity_items"])


def test_what_is_not_reported_is_missing_in_one_index_and_zero_in_the_other():
    table = facts(("A", {}), ("B", {"supervision": "no"}))
    assert table["fidelity_index"].isna().tolist() == [True, False]
    assert table["fidelity_index_absent"].tolist() == [2, 2]
    assert table["supervision_absent"].tolist() == ["no_or_nr", "no_or_nr"]
    assert table["high_risk"].iloc[0] == 1 and np.isnan(table["high_risk"].iloc[1])


def test_digital_is_blank_where_delivery_is_not_reported():
    table = facts(("A", {}), ("B", {"modality": "hybrid"}), ("C", {"modality": None}))
    assert table["digital"].iloc[:2].tolist() == [1, 0] and np.isnan(table["digital"].iloc[2])
    assert table["distance"].iloc[:2].tolist() == ["digital_telephone", "hybrid"]
    assert table["decade"].iloc[0] == "2020s"


def test_countries_of_several_groups_and_countries_without_one():
    table = facts(("A", {"country": "GBR; IND"}), ("B", {"country": None}))
    assert table["income_group"].iloc[0] == "several" and pd.isna(table["income_group"].iloc[1])
    with pytest.raises(ValueError, match="no row for XXX"):
        facts(("A", {"country": "XXX"}))


def test_a_trial_counts_once_and_its_companion_fills_what_it_leaves_out():
    rows = pd.DataFrame(
        {
            "study": ["A", "A", "B"],
            "trial": ["A", "A", "A"],
            "effect": [0.1, 0.3, 0.5],
            "variance": 0.04,
            "n_arm1": 30,
            "n_arm2": [34, 34, 30],
            "year": 2021,
        }
    )
    found = trial_table(rows, facts(("A", {}), ("B", {"setting": "online"})), 0.6, MODERATORS)
    assert len(found) == 1 and found["effect"].iloc[0] == pytest.approx(0.3)
    assert found["setting"].iloc[0] == "online" and found["structure"].iloc[0] == "nr"
    assert found["size"].iloc[0] == 6


def test_periods_and_follow_up_classes_keep_their_limits():
    years = over_time.periods(pd.Series([2019, 2020, 2022, 2023, None]), 2020, 2022)
    assert years.iloc[:4].tolist() == ["before", "during", "during", "after"] and pd.isna(years.iloc[4])
    weeks = over_time.follow_up_classes(pd.Series([12.0, 13.0, 25.9, 26.0]), 26)
    assert weeks.tolist() == ["short", "medium", "medium", "long"]


def test_the_longer_of_the_stated_and_the_measured_follow_up_counts():
    studies = pd.DataFrame({"trial": ["A", "B", "C"], "modality": "digital", "followup_weeks": [12, None, None]})
    outcomes = pd.DataFrame({"trial": ["A", "A", "B"], "time_weeks": [12, 30, 8]})
    found = over_time.long_follow_up(studies, outcomes, 26).iloc[0]
    assert (found["trials"], found["stated"], found["long"], found["share"]) == (3, 2, 1, 0.5)
