"""The number of units whose removal changes a verdict, where it can be seen by eye; the searches on known turns."""

from types import SimpleNamespace

import numpy as np
import pytest

from peersupport.plan import fragility
from peersupport.plan.fragility import Removal, smallest_removal


def judge_of(effects, rule):
    """Judges by the plain mean of the effects that are left."""

    def judge(sets):
        means = [np.mean([e for unit, e in effects.items() if unit not in gone]) for gone in sets]
        return [SimpleNamespace(verdict=rule(mean), estimate=mean) for mean in means]

    return judge


def above(limit):
    return lambda mean: "yes" if mean > limit else "no"


THREE_BIG = dict(zip("abcdefgh", [0.9, 0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0], strict=True))


def test_one_trial_carries_it():
    effects = {"big": 1.0, "x": 0.0, "y": 0.0, "z": 0.0}
    found = smallest_removal(list(effects), judge_of(effects, above(0.1)))
    assert found == Removal(1, ("big",), "no", 1)


def test_three_trials_whose_removal_counts_are_found_and_two_are_not_enough():
    found = smallest_removal(list(THREE_BIG), judge_of(THREE_BIG, above(0.1)))
    assert (found.size, set(found.units), found.exact, found.sets) == (3, set("abc"), True, 1)


def test_beyond_three_the_way_is_greedy_and_says_so():
    effects = {f"t{i}": 0.5 for i in range(5)} | {f"u{i}": -0.01 for i in range(5)}
    found = smallest_removal(list(effects), judge_of(effects, above(0.0)))
    assert (found.size, found.exact) == (5, False) and all(unit.startswith("t") for unit in found.units)


def test_a_verdict_that_falls_by_the_removal_of_low_effects_is_found_too():
    effects = {"low": -1.0, "a": 0.1, "b": 0.1, "c": 0.1}
    found = smallest_removal(list(effects), judge_of(effects, lambda mean: "no" if mean <= 0 else "yes"))
    assert (found.size, found.units, found.verdict) == (1, ("low",), "yes")


def test_nothing_changes_what_all_agree_on():
    effects = dict.fromkeys("abcde", 0.5)
    found = smallest_removal(list(effects), judge_of(effects, above(0.0)))
    assert found.size == 0 and fragility.in_words(found, 5) == "sturdy"


def test_the_smallest_shift_and_the_fewest_added_are_met():
    assert fragility.first_turn(lambda x: "a" if x > -0.3 else "b", -2.0) == pytest.approx(-0.3, abs=1e-9)
    assert np.isnan(fragility.first_turn(lambda x: "a", 2.0))
    assert fragility.fewest_added(lambda m: "a" if m < 17 else "b", 1000) == 17
    assert fragility.fewest_added(lambda m: "a", 1000) is None


@pytest.mark.parametrize(
    ("size", "trials", "word"), [(1, 30, "fragile"), (3, 30, "delicate"), (5, 30, "firm"), (9, 30, "sturdy")]
)
def test_grades_of_sturdiness(size, trials, word):
    assert fragility.in_words(Removal(size, tuple(range(size))), trials) == word
