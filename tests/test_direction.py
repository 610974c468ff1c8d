"""Vote counting by direction: the rules by hand, the sign test against published values."""

import numpy as np
import pandas as pd
import pytest

from peersupport.describe import votes as swim


@pytest.fixture
def outcomes():
    return pd.DataFrame(
        [
            ("O1", "A", "A", "hope", "between", "neither"),  # an effect above 0, not significant
            ("O2", "A", "A", "cost", None, "arm1"),
            ("O3", "B", "B", "hope", None, "neither"),
            ("O4", "C", "C", "hope", "within", "arm1"),  # before-after: no vote
            ("O5", "D", "D", "hope", "both_peer", "arm1"),  # both arms have peers: no vote
            ("O6", "E", "E", "hope", "between", None),  # no conclusion, no effect: no vote
            ("O7", "F", "F", "hope", None, "arm2"),
        ],
        columns=["row_id", "study", "trial", "outcome_domain", "contrast", "favours"],
    )


@pytest.fixture
def effects():
    return pd.DataFrame(
        {
            "row_id": ["O1"],
            "trial": ["A"],
            "outcome_domain": ["hope"],
            "family": ["smd"],
            "effect": [0.1],
            "selected": [True],
        }
    )


def test_the_sign_of_an_effect_goes_before_its_significance(outcomes, effects):
    rows = swim.row_directions(outcomes, effects).set_index("row_id")
    assert rows["direction"].to_dict() == {"O1": "arm1", "O2": "arm1", "O3": "neither", "O7": "arm2"}
    assert rows.loc["O1", "told_by"] == "effect"
    assert rows.loc["O3", "told_by"] == "source"


def votes(*directions):
    return pd.DataFrame({"trial": "A", "outcome_domain": "hope", "direction": directions, "told_by": "source"})


@pytest.mark.parametrize(
    ("directions", "vote"),
    [
        (("arm1", "arm1", "arm1", "arm2"), "arm1"),  # 75%
        (("arm1", "arm1", "arm2"), "neither"),  # 67%: mixed
        (("arm1", "neither"), "neither"),
        (("arm2",), "arm2"),
    ],
)
def test_a_trial_has_one_vote_per_domain(directions, vote):
    table = swim.trial_directions(votes(*directions), majority=0.7)
    assert table["direction"].tolist() == [vote]


def one_vote_each(arm1, neither, arm2, told_by="source"):
    directions = ["arm1"] * arm1 + ["neither"] * neither + ["arm2"] * arm2
    return pd.DataFrame(
        {
            "trial": [f"T{i}" for i in range(len(directions))],
            "outcome_domain": "hope",
            "direction": directions,
            "told_by": told_by,
        }
    )


def test_share_and_exact_interval_agree_with_published_values():
    """Newcombe 1998, Stat Med 17:857, table I, Clopper-Pearson: 15/148 gives 0.0578 to 0.1617."""
    table = swim.count_votes(one_vote_each(15, 0, 133)).iloc[0]
    assert table["share"] == pytest.approx(15 / 148)
    assert [round(table["ci_low"], 4), round(table["ci_high"], 4)] == [0.0578, 0.1617]


def test_the_sign_test_is_of_signs_alone():
    """7 of 8: two-sided p = 2 * (8 + 1) / 256; an effect of exactly 0 has no sign (Conover 1999, 3.4)."""
    table = swim.count_votes(one_vote_each(7, 2, 1, "effect")).iloc[0]
    assert table["p_value"] == pytest.approx(18 / 256)
    assert np.isnan(swim.count_votes(one_vote_each(7, 2, 1, "source")).iloc[0]["p_value"])
    assert np.isnan(swim.count_votes(one_vote_each(7, 2, 1, "both")).iloc[0]["p_value"])


def test_neither_gives_two_bounds():
    """6, 3 and 1 of 10: from 6 to 9 of 10; exact intervals as R's binom.test prints them."""
    row = swim.count_votes(one_vote_each(6, 3, 1)).iloc[0]
    assert row[["favours_arm1", "neither", "favours_arm2", "trials"]].tolist() == [6, 3, 1, 10]
    assert (row["share"], row["share_upper"]) == (0.6, 0.9)
    assert row[["ci_low", "ci_high"]].tolist() == pytest.approx([0.2623781, 0.8784477], abs=1e-6)
    assert row[["ci_low_upper", "ci_high_upper"]].tolist() == pytest.approx([0.5549839, 0.9974714], abs=1e-6)


def test_signs_and_conclusions_are_counted_apart():
    votes = pd.concat(
        [one_vote_each(5, 1, 2, "effect"), one_vote_each(4, 6, 0, "source"), one_vote_each(1, 0, 0, "both")]
    )
    table = swim.by_kind(votes).set_index("kind")
    counts = ["favours_arm1", "neither", "favours_arm2"]
    assert table.loc["signs", counts].tolist() == [5, 1, 2]
    assert table.loc["conclusions", counts].tolist() == [5, 6, 0]
    assert table.loc["signs", "p_value"] == pytest.approx(0.453125)  # 2 (1 + 7 + 21) / 128
    assert np.isnan(table.loc["conclusions", "p_value"])


def test_a_trial_in_a_pooled_estimate_is_left_out_only_if_there_is_one(outcomes, effects):
    table = swim.trial_directions(swim.row_directions(outcomes, effects))
    assert len(swim.not_pooled(table, effects, minimum_trials=3)) == 4
    left = swim.not_pooled(table, effects, minimum_trials=1)
    assert ("A", "hope") not in set(zip(left["trial"], left["outcome_domain"], strict=True))
    assert len(left) == 3


def test_known_sign_counts_effects_alone(outcomes, effects):
    table = swim.trial_directions(swim.row_directions(outcomes, effects))
    choices = swim.sensitivity(table, swim.not_pooled(table, effects, 3))
    assert choices.query("scope == 'all' and kind == 'signs'")["trials"].sum() == 1
    assert choices.query("scope == 'all' and kind == 'any'")["trials"].sum() == 4
