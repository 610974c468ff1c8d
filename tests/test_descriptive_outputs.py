"""The stored tables of notebooks 02 and 05 add up, with each other and with those of notebook 01."""

import pandas as pd
import pytest

from peersupport.describe.studies import one_per_trial, participants
from peersupport.store.codebook import codebook, labels
from peersupport.store.project import processed, project_root
from peersupport.store.tables import read_table

TABLES = ("characteristics", "evidence_gap_map", "theme_frequency", "effect_direction")
pytestmark = pytest.mark.skipif(
    not all(processed(f"tables/{name}.csv").is_file() for name in TABLES),
    reason="notebooks 02 and 05 have not run yet: ./run_all.sh",
)


def table(name: str) -> pd.DataFrame:
    return read_table(f"tables/{name}.csv")


@pytest.fixture(scope="module")
def studies():
    return read_table("studies.csv")


@pytest.fixture(scope="module")
def trials(studies):
    return one_per_trial(studies, participants(studies, read_table("outcomes.csv")))


def test_every_study_is_in_the_table_of_characteristics_once(studies):
    found = table("characteristics")["study"]
    assert sorted(found) == sorted(studies["study"])


def test_the_flow_ends_at_the_studies_described(studies):
    flow = table("prisma").set_index("detail")["n"]
    assert flow["primary studies included"] == len(studies)
    assert flow["of these, independent of one another"] == studies["trial"].nunique()


@pytest.mark.parametrize("name", ["studies_by_year_design", "studies_by_year_delivery"])
def test_the_years_hold_every_study(name, studies):
    years = table(name)
    assert years["studies"].sum() == len(studies)
    undated = years.loc[years["year"] == "no date", "studies"].sum()
    assert undated == studies["year"].isna().sum()


@pytest.mark.parametrize("name", ["summary_by_population", "summary_by_delivery"])
def test_the_levels_of_table_2_add_up_to_all_studies(name, studies):
    summary = table(name)
    levels, every = summary[summary["level"] != "all"], summary[summary["level"] == "all"].iloc[0]
    assert levels["studies"].sum() == every["studies"] == len(studies)
    assert levels["share"].sum() == pytest.approx(1)
    assert every["trials"] == studies["trial"].nunique()


def test_table_2_as_printed_says_what_the_tables_say():
    printed = table("table2_summary").set_index("Level")["Studies, n (%)"]
    counted = table("summary_by_population").set_index("label")["studies"]
    assert {level: int(printed[level].split(" ")[0]) for level in ("Perinatal", "Youth")} == {
        level: counted[level] for level in ("Perinatal", "Youth")
    }
    assert int(printed["All studies"].split(" ")[0]) == counted["All studies"]


def test_income_groups_hold_every_randomised_trial(trials):
    randomised = trials["design_family"].eq("randomised").sum()
    assert table("trials_by_income")["trials"].sum() == randomised
    places = table("trials_by_country")
    assert places["trials"].sum() - places["multi_country"].sum() <= randomised


def test_reporting_counts_every_study(studies):
    reporting = table("reporting")
    every = reporting[reporting["design_family"] == "all"]
    assert (every["yes"] + every["no"] + every["nr"] == len(studies)).all()
    for item in codebook()["reporting_items"]:
        families = reporting[(reporting["design_family"] != "all") & (reporting["item"] == item)]
        assert families["of"].sum() == len(studies)
        assert families["yes"].sum() == (studies[item] == "yes").sum()


def test_each_randomised_trial_has_one_overall_judgement(trials):
    judged = table("risk_of_bias")
    assert not judged.duplicated(["study", "domain"]).any()
    overall = judged[(judged["domain"] == "overall") & (judged["tool"] == "rob2")]
    named = trials.loc[trials["design_family"].eq("randomised"), "study"]
    unjudged = set(named) - set(overall["study"])
    assert len(unjudged) <= 1, unjudged  # a study whose coders differed on its design


def test_no_study_without_information_is_low():
    judged = table("risk_of_bias")
    unknown = judged.loc[judged["judgement"] == "no_information", "study"]
    overall = judged[judged["domain"] == "overall"].set_index("study")["judgement"]
    assert not overall[list(set(unknown))].isin(["low", "some_concerns"]).any()


def test_the_gap_maps_hold_every_trial_that_measured_a_domain(trials):
    maps = table("evidence_gap_map")
    randomised = set(trials.loc[trials["design_family"].eq("randomised"), "trial"])
    outcomes = read_table("outcomes.csv")
    pairs = outcomes[outcomes["trial"].isin(randomised)]
    pairs = pairs[["trial", "outcome_domain"]].drop_duplicates()
    for _, cells in maps.groupby("axis"):
        assert cells["trials"].sum() == len(pairs)
        assert (cells[["low", "some_concerns", "high", "no_information"]].sum(axis=1) == cells["trials"]).all()
    assert len(maps[maps["axis"] == "population"]) == len(labels("population")) * len(labels("outcome_domain"))


def test_theme_counts_are_those_of_the_primary_studies(studies):
    themes = read_table("themes.csv")
    primary = themes[themes["kind"] == "primary"]
    frequency = table("theme_frequency")
    assert set(frequency["of"]) == {(studies["source"] != "open_database").sum()}
    counted = primary.groupby("theme")["study"].nunique()
    expected = counted.reindex(frequency["theme"], fill_value=0)
    assert frequency["studies"].tolist() == expected.tolist()
    assert frequency["studies"].sum() == len(primary)


def test_kinds_of_source_add_up_to_the_primary_studies(studies):
    kinds = table("theme_frequency_by_source")
    primary = kinds[kinds["level"] != "review"].groupby("theme")["studies"].sum()
    total = table("theme_frequency").set_index("theme")["studies"]
    without_design = studies["design"].isna().sum()
    assert (total - primary[total.index]).between(0, without_design).all()


def test_populations_add_up_to_the_primary_studies():
    by = table("theme_by_population").query("grouping == 'population'")
    total = table("theme_frequency").set_index("theme")["studies"]
    assert by.groupby("theme")["studies"].sum().to_dict() == total.to_dict()


def test_the_heat_map_of_pairs_uses_the_same_counts():
    pairs = table("theme_cooccurrence")
    total = table("theme_frequency").set_index(["theme_group", "theme"])["studies"]
    assert (pairs["a"].to_numpy() == total["barrier"].loc[pairs["theme_a"]].to_numpy()).all()
    assert (pairs["both"] <= pairs[["a", "b"]].min(axis=1)).all()


def test_votes_add_up():
    direction = table("effect_direction")
    parts = direction[["favours_arm1", "neither", "favours_arm2"]].sum(axis=1)
    assert (parts == direction["trials"]).all()
    votes = table("effect_direction_votes")
    assert not votes.duplicated(["trial", "outcome_domain"]).any()
    every = table("effect_direction_sensitivity").query("scope == 'all' and kind == 'any'")
    assert every["trials"].sum() == len(votes)


def test_every_figure_has_an_alternative_text_with_a_number():
    index = pd.read_csv(project_root() / "figures/index.csv")
    ours = index[index["notebook"].isin(["02_descriptive_tables", "05_thematic_frequency"])]
    assert len(ours) >= 14
    assert ours["alt_text"].str.contains(r"\d").all()
    assert ours["title"].is_unique
