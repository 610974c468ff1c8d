"""Diversity of instruments by hand, the spread that goes along with them, and the order of gaps seen by eye."""

import numpy as np
import pandas as pd
import pytest

from peersupport.plan import gaps, instruments


def test_effective_number_by_hand():
    assert instruments.effective_number([1, 1, 1, 1]) == 4
    assert instruments.effective_number([8, 1, 1]) == pytest.approx(100 / 66)
    assert np.isnan(instruments.effective_number([]))


def test_diversity_counts_a_trial_once_per_instrument_and_names_ties_by_their_letters():
    rows = pd.DataFrame(
        {
            "trial": ["a", "a", "b", "c", "c", "d"],
            "year": [2010, 2010, 2012, 2021, 2021, 2022],
            "outcome_domain": "hope",
            "instrument": ["RAS", "RAS", "HHI", "RAS", "HHI", ""],
        }
    )
    table = instruments.diversity(instruments.used(rows), {"2020 to 2025": (2020, 2025)})
    whole, late = table.to_dict("records")
    assert (whole["trials"], whole["instruments"], whole["commonest"], whole["commonest_trials"]) == (3, 2, "HHI", 2)
    assert whole["commonest_share"] == pytest.approx(2 / 3) and whole["effective_number"] == 2
    assert (late["trials"], late["period"]) == (1, "2020 to 2025")


def of(effects, names):
    return pd.DataFrame({"trial": range(len(effects)), "effect": effects, "variance": 0.01, "instrument": names})


def test_instruments_that_part_the_trials_take_the_spread_and_others_do_not():
    part = instruments.spread_with_instrument(of([0.1, 0.12, 0.08, 0.6, 0.62, 0.58], list("aaabbb")), 5)
    assert part["share"] == pytest.approx(1) and part["groups"] == 2 and part["note"] == ""
    mixed = instruments.spread_with_instrument(of([0.1, 0.6, 0.12, 0.58, 0.08, 0.62], list("aaabbb")), 5)
    assert mixed["share"] < 0.2


def test_too_little_is_said_and_not_computed():
    few = instruments.spread_with_instrument(of([0.1, 0.2], list("ab")), 5)
    assert np.isnan(few["share"]) and few["note"] == "2 trials, 5 needed"
    one = instruments.spread_with_instrument(of([0.1] * 6, list("aaaaaa")), 5)
    assert "cannot be told apart" in one["note"]


def test_the_emptiest_least_sure_and_most_asked_for_cell_is_first_and_says_why():
    trials = pd.DataFrame(
        {"population": ["youth", "smi"], "delivery": "digital", "participants": [40.0, 900.0]}, index=["a", "b"]
    )
    rows = pd.DataFrame({"trial": ["a", "b", "b"], "outcome": ["clinical", "clinical", "personal"]})
    table = gaps.cells(rows, trials, ["youth", "smi"], ["personal", "clinical"], ["digital"])
    assert table["people"].tolist() == [0, 40, 900, 900]
    found = gaps.ranked(table, {"personal": "low", "clinical": "moderate"}, {"youth": 5}, {"personal": "Personal"})
    first = found.iloc[0]
    assert (first["population"], first["outcome"], first["rank"]) == ("youth", "personal", 1)
    assert first["reason"] == "no trial; personal: certainty low; 5 reports ask for more"
    assert found.iloc[-1]["population"] == "smi"


def test_cells_alike_share_their_rank():
    table = gaps.cells(
        pd.DataFrame({"trial": [], "outcome": []}),
        pd.DataFrame({"population": [], "delivery": [], "participants": []}),
        ["a", "b"],
        ["x"],
        ["d"],
    )
    assert gaps.ranked(table, {}, {}, {})["rank"].tolist() == [1, 1]
