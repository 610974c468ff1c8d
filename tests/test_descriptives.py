"""Counts worked out by hand on small tables; intervals against published values."""

import numpy as np
import pandas as pd
import pytest

from peersupport.describe import countries, fidelity
from peersupport.describe.studies import (
    by_year,
    characteristics,
    cross_count,
    evidence_gap_map,
    one_per_trial,
    participants,
    spell_out,
    summary_by,
    wilson,
)
from peersupport.moderate import over_time

BLANK = np.nan
ITEMS = ["peer_training", "supervision", "manualised", "fidelity_assessed", "coproduced"]


def small_studies() -> pd.DataFrame:
    """Four reports of three trials and one interview study; B 2021 reports again on A 2020's participants."""
    return pd.DataFrame(
        {
            "study": ["A 2020", "B 2021", "C 2022", "D nd"],
            "trial": ["A 2020", "A 2020", "C 2022", "D nd"],
            "year": [2020, 2021, 2022, BLANK],
            "country": ["USA", "USA", "IND;GBR", BLANK],
            "design": ["rct", "rct", "cluster_rct", "qualitative"],
            "design_family": ["randomised", "randomised", "randomised", "qualitative"],
            "population": ["smi", "smi", "youth", "smi"],
            "modality": ["in_person", "nr", "digital", BLANK],
            "condition_arm2": ["waitlist", "waitlist", "care_as_usual", "none"],
            "n_randomised": [100, BLANK, BLANK, BLANK],
            "n_arm1": [50, 40, BLANK, 12],
            "n_arm2": [50, 45, BLANK, BLANK],
            "mean_age": [30.0, BLANK, 20.0, 50.0],
            "percent_women": [BLANK, BLANK, 60.0, BLANK],
            "duration_weeks": [10.0, 10.0, BLANK, BLANK],
            "peer_training": ["yes", "nr", "yes", "no"],
            "supervision": ["yes", "nr", "no", "nr"],
            "manualised": ["no", "nr", "yes", "yes"],
            "fidelity_assessed": ["yes", "nr", "no", BLANK],
            "coproduced": ["nr", "nr", "nr", "yes"],
        }
    )


def small_outcomes() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "study": ["A 2020", "B 2021", "C 2022", "C 2022", "C 2022"],
            "trial": ["A 2020", "A 2020", "C 2022", "C 2022", "C 2022"],
            "outcome_domain": ["hope", "hope", "hope", "cost", "cost"],
            "contrast": ["between", "between", "between", "within", "between"],
            "n_arm1": [50, 40, 30, 90, BLANK],
            "n_arm2": [50, 45, 31, 90, BLANK],
            "totaln_arm1": [BLANK, BLANK, BLANK, BLANK, 33],
            "totaln_arm2": [BLANK, BLANK, BLANK, BLANK, 32],
        }
    )


@pytest.fixture
def counts():
    return participants(small_studies(), small_outcomes())


def test_wilson_agrees_with_the_published_example():
    """Newcombe 1998, Stat Med 17:857, table I, method 3 (score): 81/263, 15/148, 0/20, 1/29."""
    table = wilson([81, 15, 0, 1], [263, 148, 20, 29])
    assert table["ci_low"].round(4).tolist() == [0.2553, 0.0624, 0.0, 0.0061]
    assert table["ci_high"].round(4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]


def test_wilson_leaves_an_empty_total_blank():
    assert wilson([0], [0]).isna().all(axis=None)


def test_participants_say_where_they_come_from(counts):
    """C 2022: the largest controlled row has 33 + 32; its larger before-after row does not count."""
    assert counts["participants"].tolist() == [100, 85, 65, 12]
    assert counts["participants_from"].tolist() == ["randomised", "arms", "analysed", "arms"]


def test_one_arm_of_two_is_not_the_total():
    studies = small_studies().iloc[[0]].assign(n_randomised=BLANK, n_arm2=BLANK)
    counts = participants(studies, small_outcomes().iloc[:0])
    assert counts["participants"].isna().all()
    assert counts["participants_from"].tolist() == ["not stated"]


def test_a_trial_counts_once_under_its_main_report(counts):
    trials = one_per_trial(small_studies(), counts)
    assert trials["study"].tolist() == ["A 2020", "C 2022", "D nd"]
    assert trials["participants"].tolist() == [100, 65, 12]


def test_summary_adds_up_and_counts_people_once(counts):
    labels = {"smi": "Severe mental illness", "youth": "Youth", "veterans": "Veterans"}
    table = summary_by(small_studies(), counts, "population", labels).set_index("level")
    assert table.index.tolist() == ["smi", "youth", "all"]
    assert table["studies"].tolist() == [3, 1, 4]
    assert table["trials"].tolist() == [2, 1, 3]
    assert table["randomised"].tolist() == [1, 1, 2]
    assert table["participants"].tolist() == [112, 65, 177]
    assert table.loc["smi", "share"] == 0.75
    assert table.loc["all", ["mean_age_stated", "mean_age_median"]].tolist() == [3, 30]
    assert table.loc["all", ["mean_age_q1", "mean_age_q3"]].tolist() == [25, 40]


def test_a_blank_and_nr_are_one_level_not_reported(counts):
    labels = {"in_person": "In person", "digital": "Digital"}
    table = summary_by(small_studies(), counts, "modality", labels).set_index("label")
    assert table.loc["Not reported", "studies"] == 2
    assert table["studies"].iloc[:-1].sum() == 4


def test_years_without_studies_and_studies_without_years_are_shown():
    studies = small_studies().assign(year=[2020, 2022, 2022, BLANK])
    table = by_year(studies, "design", ["rct", "cluster_rct", "qualitative"])
    per_year = table.groupby("year", sort=False)["studies"].sum()
    assert per_year.to_dict() == {"2020": 1, "2021": 0, "2022": 2, "no date": 1}


def test_a_level_without_a_place_is_an_error_and_not_lost():
    with pytest.raises(ValueError, match="qualitative"):
        by_year(small_studies(), "design", ["rct", "cluster_rct"])


def test_cross_count_shows_the_empty_cells():
    table = cross_count(small_studies(), "population", "modality", ["smi", "youth"], ["in_person", "digital", "nr"])
    assert table["studies"].tolist() == [1, 0, 2, 0, 1, 0]


def test_a_trial_in_two_countries_counts_in_both_without_its_participants(counts):
    trials = one_per_trial(small_studies(), counts)
    table = countries.by_country(trials).set_index("country")
    assert table["trials"].to_dict() == {"GBR": 1, "IND": 1, "USA": 1, BLANK: 1}
    assert table.loc[["GBR", "IND", "USA"], "participants"].tolist() == [0, 0, 100]
    assert table.loc[["GBR", "IND", "USA"], "multi_country"].tolist() == [1, 1, 0]


def test_income_groups_share_the_trials_whose_country_is_stated(counts):
    trials = one_per_trial(small_studies(), counts)
    income = pd.DataFrame({"country": ["USA", "GBR", "IND"], "income_group": ["high", "high", "lower_middle"]})
    table = countries.by_income(trials, income).set_index("income_group")
    assert table["trials"].sum() == len(trials)
    assert table.loc[["high", "several", "not_stated"], "trials"].tolist() == [1, 1, 1]
    assert table.loc["high", "share"] == 0.5
    assert pd.isna(table.loc["not_stated", "share"])


def test_a_country_that_is_not_classified_is_stated_all_the_same(counts):
    income = pd.DataFrame({"country": ["USA", "GBR", "IND"], "income_group": [None, "high", "lower_middle"]})
    table = countries.by_income(one_per_trial(small_studies(), counts), income).set_index("income_group")
    assert table.loc[["high", "several", "not_classified"], "trials"].tolist() == [0, 1, 1]
    assert table.loc["not_classified", "of"] == 2


def test_a_country_without_a_row_is_named(counts):
    income = pd.DataFrame({"country": ["USA"], "income_group": ["high"]})
    with pytest.raises(ValueError, match="GBR, IND"):
        countries.by_income(one_per_trial(small_studies(), counts), income)


def test_reporting_keeps_no_and_not_reported_apart():
    table = fidelity.reporting(small_studies(), ITEMS, ["randomised", "mixed_methods", "qualitative"]).set_index(
        ["design_family", "item"]
    )
    training = table.loc[("all", "peer_training")]
    assert training[["yes", "no", "nr", "of"]].tolist() == [2, 1, 1, 4]
    assert training["share"] == 0.5
    assert (table["yes"] + table["no"] + table["nr"] == table["of"]).all()
    assert table.xs("coproduced", level="item")["yes"].to_dict() == {"all": 1, "randomised": 0, "qualitative": 1}


def test_fidelity_index_assumes_nothing_unless_told():
    missing = fidelity.fidelity_index(small_studies(), ITEMS[:4])
    absent = fidelity.fidelity_index(small_studies(), ITEMS[:4], nr_is="absent")
    assert missing["A 2020"] == 3 and missing["C 2022"] == 2
    assert missing[["B 2021", "D nd"]].isna().all()
    assert absent.tolist() == [3, 0, 2, 1]


def test_gap_map_counts_each_trial_once_per_domain_and_shows_gaps(counts):
    trials = one_per_trial(small_studies(), counts)
    overall = pd.Series({"A 2020": "high"})
    table = evidence_gap_map(
        small_outcomes(), trials, overall, "population", ["smi", "youth"], ["hope", "cost"]
    ).set_index(["level", "outcome_domain"])
    assert table["trials"].to_dict() == {
        ("smi", "hope"): 1,
        ("smi", "cost"): 0,
        ("youth", "hope"): 1,
        ("youth", "cost"): 1,
    }
    assert table["participants"].tolist() == [100, 0, 65, 65]
    assert table.loc[("smi", "hope"), "high_share"] == 1
    assert table.loc[("youth", "hope"), "no_information"] == 1
    assert pd.isna(table.loc[("smi", "cost"), "high_share"])


def test_an_unknown_code_is_an_error():
    with pytest.raises(ValueError, match="carrier_pigeon"):
        spell_out(pd.Series(["digital", "carrier_pigeon"]), {"digital": "Digital"})


def test_characteristics_spells_out_and_marks_companion_reports(counts):
    studies = small_studies().assign(
        age_group="adult",
        setting="community",
        structure="group",
        condition_arm1="peer support",
        followup_weeks=BLANK,
        helper_experience="distress",
        source_type="abstract",
        source_url="",
    )
    names = {"population": {"smi": "Severe mental illness", "youth": "Youth"}}
    names |= {item: {"yes": "Yes", "no": "No"} for item in ITEMS}
    table = characteristics(studies, counts, names, ITEMS).set_index("study")
    assert len(table) == 4
    assert table.loc["B 2021", "report_of"] == "A 2020"
    assert pd.isna(table.loc["A 2020", "report_of"])
    assert table.loc["D nd", "fidelity_assessed"] == "Not reported"
    assert table.loc["C 2022", "country"] == "IND, GBR"


def test_share_of_remote_delivery_by_period_and_its_difference():
    """Newcombe 1998, Stat Med 17:873, table II (a), method 10: 56/70 - 48/80 is 0.0524 to 0.3339."""
    studies = pd.DataFrame(
        {
            "year": [2010] * 80 + [2021] * 70 + [2024, 2024, 2026, BLANK],
            "modality": ["digital"] * 48
            + ["in_person"] * 32
            + ["hybrid"] * 56
            + ["in_person"] * 14
            + ["telephone", "nr", "digital", "digital"],
        }
    )
    table = over_time.remote_share(studies, ["digital", "telephone", "hybrid"], 2020, 2022, 2025)
    assert table["period"].tolist() == ["before 2020", "2020 to 2022", "2023 to 2025"]
    assert table["remote"].tolist() == [48, 56, 1]
    assert table["of"].tolist() == [80, 70, 1]
    assert table.loc[1, "difference"] == pytest.approx(0.2)
    assert table.loc[1, "difference_low"] == pytest.approx(0.0524, abs=1e-4)
    assert table.loc[1, "difference_high"] == pytest.approx(0.3339, abs=1e-4)
    assert pd.isna(table.loc[0, "difference_low"])
