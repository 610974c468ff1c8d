"""One more trial: the closed form against raw data, the simulation against the closed form, and limits seen by eye."""

import numpy as np
import pandas as pd
import pytest

from peersupport.plan import next_trial
from peersupport.plan.next_trial import Evidence, Present
from peersupport.pool.bayes import posterior

ALIKE = Evidence(np.full(12, 0.3), np.full(12, 0.04))


def test_the_closed_form_is_what_raw_data_give():
    """Trials of two arms drawn person by person, effects with a known spread, pooled by hand with normal intervals."""
    generator = np.random.default_rng(4)
    now, n, trials, draws = Present(0.25, 200.0, 0.01), 150, 2, 4000
    mean = generator.normal(now.effect, now.precision**-0.5, draws)
    hits = 0
    for mu in mean:
        truths = generator.normal(mu, np.sqrt(now.tau2), trials)
        raw = [generator.normal(t, 1, n).mean() - generator.normal(0, 1, n).mean() for t in truths]
        weight = 1 / (2 / n + now.tau2)
        precision = now.precision + trials * weight
        updated = (now.precision * now.effect + weight * sum(raw)) / precision
        hits += updated - 1.959964 / np.sqrt(precision) > 0.1
    expected = next_trial.chance_in_closed_form(now, 2 / n, 0.1, trials)
    assert hits / draws == pytest.approx(expected, abs=0.03)
    assert 0.2 < expected < 0.95


def test_an_endless_trial_settles_what_trials_alike_leave_open_and_not_what_settings_differ_in():
    alike, spread = Present(0.15, 100.0, 0.0), Present(0.15, 100.0, 0.05)
    assert next_trial.chance_in_closed_form(alike, 0, 0.0) == pytest.approx(0.9332, abs=1e-4)  # Phi(1.5)
    assert next_trial.chance_in_closed_form(spread, 0, 0.0) < 0.6
    assert next_trial.trials_needed(alike, 0.0001, 0.0, 0.8) == 1
    assert next_trial.trials_needed(spread, 0.0001, 0.0, 0.8) > 1


def test_more_trials_are_needed_for_a_threshold_near_the_effect_and_none_reach_one_above_it():
    now = Present(0.15, 100.0, 0.01)
    few, many = (next_trial.trials_needed(now, 0.02, threshold, 0.7) for threshold in (0.0, 0.04))
    assert few < many
    assert next_trial.trials_needed(now, 0.02, 0.3, 0.7) is None


def test_simulated_chances_are_sure_where_all_trials_agree_and_grow_with_size_where_they_are_open():
    surely = next_trial.assurance(ALIKE, [0.0], prior_scale=0.5, draws=400, seed=1)
    assert list(surely.columns) == ["n_per_arm", "threshold", "above", "below"]
    assert surely["above"].min() > 0.99 and surely["below"].max() < 0.01
    y = np.array([0.02, 0.35, 0.28, 0.05, 0.22, 0.31, -0.05])
    open_ = next_trial.assurance(Evidence(y, np.full(7, 0.05)), [0.05], prior_scale=0.5, draws=2000, seed=1)
    chances = open_.set_index("n_per_arm")["above"]
    assert 0.3 < chances[50] < chances[2000] < 0.95


def test_the_simulation_agrees_with_the_closed_form_where_spread_is_known_to_be_nil():
    """Trials alike but for chance, many of them: Hartung-Knapp and the normal interval are nearly the same."""
    generator = np.random.default_rng(6)
    v = np.full(60, 0.05)
    y = 0.06 + generator.normal(0, np.sqrt(v))
    y = 0.06 + (y - y.mean()) / y.std(ddof=1) * np.sqrt(0.05)
    evidence = Evidence(y, v)
    now = next_trial.present(evidence)
    simulated = next_trial.assurance(evidence, [0.0], prior_scale=0.02, draws=4000, seed=3, sizes=[400])["above"][0]
    assert now.tau2 < 0.002
    assert simulated == pytest.approx(next_trial.chance_in_closed_form(now, 2 / 400, 0.0), abs=0.06)


def test_draws_follow_the_predictive_distribution():
    found = posterior(np.array([0.1, 0.3, 0.5, 0.2]), np.full(4, 0.02), 0.5)
    drawn = next_trial.drawn_effects(found, 40_000, np.random.default_rng(2))
    for x in (0.0, 0.2, 0.4):
        assert (drawn < x).mean() == pytest.approx(found.new_effect_cdf(x), abs=0.01)


def test_the_variance_of_a_new_trial_by_hand():
    assert next_trial.sampling_variance(np.array([0.4]), np.array([100.0]), ALIKE)[0] == pytest.approx(0.0204)
    events = Evidence(np.zeros(2), np.ones(2), "log_rr", risk=0.2)
    variance = next_trial.sampling_variance(np.array([np.log(0.5)]), np.array([100.0]), events)[0]
    assert variance == pytest.approx(0.9 / 10 + 0.8 / 20)


def test_the_size_is_read_between_two_sizes_of_the_curve_or_is_blank():
    curve = pd.DataFrame({"n_per_arm": [50, 100, 200], "above": [0.4, 0.7, 0.9]})
    assert next_trial.size_needed(curve, 0.8) == pytest.approx(np.sqrt(100 * 200))
    assert next_trial.size_needed(curve, 0.3) == 50
    assert np.isnan(next_trial.size_needed(curve, 0.95))
