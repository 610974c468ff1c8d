"""One figure per trial, domain and instrument: each clause of the written rule, and the real sheets."""

from functools import cache

import pandas as pd
import pytest

from peersupport.effects import routes, select
from peersupport.intake import clean
from peersupport.store.codebook import codebook
from peersupport.store.sheets import read_raw

ALIASES = {"RAS": ["ras", "recovery assessment scale"], "RAS, high": ["ras - total (high)"], "SF-12": ["sf-12"]}


def choose(*cells, **settings) -> dict[str, str]:
    """row_id to why it is not selected; "" where it is."""
    same = dict(
        trial="T",
        outcome_domain="hope",
        family="smd",
        instrument="RAS",
        method="means",
        time_point="post",
        time_weeks=12.0,
        variance=0.1,
        flags="",
        event="",
        randomised=True,
        source="coder",
    )
    table = pd.DataFrame([same | cell for cell in cells])
    table["row_id"] = [f"O{i}" for i in range(1, len(table) + 1)]
    chosen = select.select(table, ALIASES, **settings)
    assert chosen.selected.eq(chosen.selection.eq("")).all()
    return dict(zip(chosen.row_id, chosen.selection, strict=True))


def kept(*cells, **settings) -> list[str]:
    return [row for row, why in choose(*cells, **settings).items() if why == ""]


POST, LATER = dict(time_point="post"), dict(time_point="follow_up", time_weeks=26.0)


def test_end_of_intervention_goes_before_follow_up_even_by_a_worse_route():
    why = choose(LATER | dict(method="means"), POST | dict(method="p_value"))
    assert why == {"O1": "a figure at end of intervention is used: O2", "O2": ""}


def test_follow_up_counts_where_there_is_nothing_else():
    assert kept(LATER) == ["O1"]


def test_time_points_are_a_setting():
    assert kept(POST, LATER, time_points=("follow_up", "post")) == ["O2"]
    assert kept(POST, LATER, time_points=("post",)) == ["O1"]
    assert kept(LATER, time_points=("post",)) == []


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("means", "change"),
        ("change", "events_or"),
        ("events_or", "standardised"),
        ("means", "mean_difference"),
        ("odds_ratio", "p_value"),
        ("standardised", "p_value"),
        ("events_rr", "hazard_ratio"),
    ],
)
def test_better_route_goes_before_worse_whatever_the_instrument(better, worse):
    why = choose(dict(method=worse, instrument="SF-12"), dict(method=better))
    assert why == {"O1": f"a figure by a better route ({better}) is used: O2", "O2": ""}


def test_different_instruments_of_one_domain_are_both_kept():
    assert kept({}, dict(instrument="Herth Hope Index")) == ["O1", "O2"]


def test_instrument_under_two_names_counts_once():
    assert kept({}, dict(instrument="Recovery Assessment Scale, total", time_weeks=13.0)) == ["O2"]


def test_total_goes_before_its_parts_and_parts_stay_without_it():
    parts = dict(instrument="RAS - hope"), dict(instrument="RAS (goals)")
    assert kept(*parts) == ["O1", "O2"]
    why = choose(*parts, {})
    assert why["O3"] == "" and why["O1"] == why["O2"] == "part of a scale whose total is used: O3"


def test_row_without_a_flag_goes_before_one_with():
    assert kept(dict(flags="implausibly_large", time_weeks=20.0), {}) == ["O2"]


def test_later_end_of_intervention_and_earlier_follow_up():
    assert kept(POST | dict(time_weeks=8.0), POST | dict(time_weeks=12.0)) == ["O2"]
    assert kept(LATER | dict(time_weeks=52.0), LATER) == ["O2"]


def test_rows_that_tie_are_averaged_whichever_is_larger():
    assert kept(dict(variance=0.1, effect=0.2), dict(variance=0.2, effect=0.9)) == ["O1", "O2"]


def test_of_one_row_in_both_sheets_the_databases_stays():
    why = choose(dict(source="coder"), dict(source="open_database"))
    assert why == {"O1": "the same instrument is used in: O2", "O2": ""}


def test_arms_and_strata_of_one_trial_do_not_compete():
    assert kept(dict(multi_arm1="email"), dict(multi_arm1="chat")) == ["O1", "O2"]
    assert kept(dict(stratum="high"), dict(stratum="low")) == ["O1", "O2"]


@pytest.mark.parametrize("apart", [dict(trial="U"), dict(outcome_domain="empowerment"), dict(family="log_rr")])
def test_trials_domains_and_families_do_not_compete(apart):
    assert kept(LATER, POST | apart) == ["O1", "O2"]


def test_companion_reports_compete_as_one_trial():
    assert kept(dict(study="A 1", trial="A 1"), dict(study="A 2", trial="A 1", time_weeks=13.0)) == ["O2"]


def test_order_of_rows_does_not_matter():
    cells = [POST, LATER, dict(variance=0.3), dict(instrument="SF-12", method="change"), dict(instrument="RAS - hope")]
    there = choose(*cells)
    back = choose(*cells[::-1])
    assert [w == "" for w in there.values()] == [w == "" for w in list(back.values())[::-1]]


@pytest.mark.parametrize(
    ("printed", "name", "part"),
    [
        ("RAS", "RAS", ""),
        ("Recovery Assessment Scale - total", "RAS", ""),
        ("RAS - Goals", "RAS", "goals"),
        ("RAS - total (high)", "RAS, high", ""),
        ("SF-12, mental component", "SF-12", "mental component"),
        ("GAF, symptoms", "gaf", "symptoms"),
        ("Herth Hope Index", "herth hope index", ""),
        ("SF-12 (<45)", "SF-12", ""),
    ],
)
def test_name_and_part_of_an_instrument(printed, name, part):
    assert select.name_instrument(printed, ALIASES) == (name, part)


# ---------------------------------------------------------------- the real sheets


@cache
def real():
    raw, _ = read_raw()
    book = codebook()
    tables = clean.tidy(raw, clean.decisions(raw), book)
    clusters = clean.as_numbers(raw["clusters"], book["sheets"]["clusters"])
    found, _ = routes.effect_sizes(tables["outcomes"], tables["studies"], clusters, 0.05, book)
    return raw, book, select.select(found, book["instruments"])


def test_at_most_one_figure_per_trial_domain_family_instrument_and_part():
    _, book, chosen = real()
    used = chosen[chosen.selected]
    named = [select.name_instrument(x, book["instruments"]) for x in used.instrument]
    key = used[["trial", "outcome_domain", "family"]].assign(
        name=[name for name, _ in named], part=[part for _, part in named]
    )
    assert len(used) > 100 and not key[key.trial.ne("Zhang 2025")].duplicated().any()
    unit = ["trial", "outcome_domain", "family"]
    assert used.groupby(unit).time_point.nunique().max() == 1
    assert set(map(tuple, chosen[unit].to_numpy())) == set(
        map(tuple, chosen.loc[chosen.selected | chosen.apart, unit].to_numpy())
    )


def test_companions_count_once():
    raw, _, chosen = real()
    assert not set(chosen.trial) & set(raw["trials"].study)
    moved = chosen[chosen.study.isin(raw["trials"].study)]
    assert len(moved) and moved.trial.ne(moved.study).all()


def test_what_is_not_selected_names_a_row_that_is():
    _, _, chosen = real()
    used = set(chosen.row_id[chosen.selected])
    assert chosen.selection.eq(select.NOT_RANDOMISED).equals(chosen.apart)
    used |= set(chosen.row_id[chosen.apart])
    for row in chosen[~chosen.selected & ~chosen.apart].itertuples():
        others = row.selection.rpartition(": ")[2].split(", ")
        assert set(others) <= set(chosen.row_id) and row.row_id not in others
        assert set(others) & used, row.selection
