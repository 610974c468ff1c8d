"""Leave-one-out, cumulative, influence, Baujat and small-study methods against metafor."""

import numpy as np
import pytest
from metafor_reference import agree, as_effects, reference

from peersupport.pool import influence
from peersupport.pool.fit import univariate
from peersupport.pool.small_study import egger, egger_by_size, pet_peese, rank_test, trim_and_fill, weighted_line

SETS = pytest.mark.parametrize("name", reference())
REFITTED = pytest.mark.parametrize("name", [n for n, s in reference().items() if s["k"] <= 70])


def data(name):
    stored = reference()[name]
    return stored, np.array(stored["yi"], float), np.array(stored["vi"], float)


@REFITTED
def test_refits_without_each_trial(name):
    """Leave-one-out, influence and Baujat, which share their refits."""
    stored, y, v = data(name)
    fit = univariate(as_effects(y, v).assign(year=2000, study=np.arange(len(y))))
    left = influence.deletions(fit.effects)
    ours = {
        "leave_one_out": influence.leave_one_out(fit.effects, left),
        "influence": influence.influence(fit, left),
        "baujat": influence.baujat(fit, left),
    }
    for table, columns in ours.items():
        for column, expected in stored[table].items():
            agree(columns[column], expected)


@REFITTED
def test_cumulative(name):
    stored, y, v = data(name)
    ours = influence.cumulative(as_effects(y, v).assign(year=2000, study=np.arange(len(y))))
    for column, expected in stored["cumulative"].items():
        expected = np.array(expected[1:], dtype=float)  # metafor's first row is one trial alone
        there = ~np.isnan(expected)  # and at one step of one set its scoring does not converge
        assert there.sum() >= len(expected) - 1
        agree(ours[column][there], expected[there])


@SETS
def test_egger(name):
    stored, y, v = data(name)
    line = egger(y, v)
    agree(line.slope_t, stored["egger"]["t"])
    agree(line.slope_p, stored["egger"]["p_value"])
    agree(line.intercept, stored["egger"]["limit"])


@SETS
def test_rank_test(name):
    stored, y, v = data(name)
    agree(rank_test(y, v), [stored["rank"]["tau"], stored["rank"]["p_value"]])


@SETS
def test_trim_and_fill(name):
    stored, y, v = data(name)
    expected = stored["trim_and_fill"]
    filled_y, filled_v, filled = trim_and_fill(y, v)
    assert filled == expected["filled"]
    fit = univariate(as_effects(filled_y, filled_v))
    predicted = " pi_low pi_high" if len(filled_y) > 4 else ""
    for key in f"effect ci_low ci_high p_value tau2 i2{predicted}".split():
        agree(getattr(fit, key), expected[key])


@SETS
def test_pet_and_peese(name):
    stored, y, v = data(name)
    for which, x in (("pet", np.sqrt(v)), ("peese", v)):
        line, expected = weighted_line(y, x, v), stored[which]
        agree(
            [line.intercept, line.intercept_se, line.intercept_p],
            [expected["effect"], expected["se"], expected["p_value"]],
        )


def test_peese_only_after_pet_finds_an_effect():
    v = np.array([0.01, 0.02, 0.04, 0.08, 0.16])
    noise = np.array([0.01, -0.01, 0.01, -0.01, 0.01])
    assert pet_peese(0.5 + noise, v)[0] == "PEESE"
    assert pet_peese(noise + np.sqrt(v), v)[0] == "PET"
    assert pet_peese(-0.5 + noise, v)[0] == "PET"  # an effect below zero is not corrected upwards


def test_egger_by_size_sees_no_asymmetry_where_the_effect_feeds_its_own_standard_error():
    n = np.array([20, 20, 40, 40, 80, 80])
    g = np.array([0.0, 3.0, 0.2, 2.8, 0.4, 2.6])  # symmetric about 1.5 at every size
    v = 2 / n + g**2 / (4 * n)
    assert egger(g, v).slope > 2 * egger_by_size(g, v, n, n).slope


def test_two_trials_have_no_line():
    with pytest.raises(ValueError, match="three trials"):
        egger(np.array([0.1, 0.2]), np.array([0.01, 0.02]))


def test_outliers_are_the_intervals_that_miss_the_pooled_one():
    effects = [0.2, 0.25, 0.15, 0.2, 0.22, 0.18, 0.2, 0.9]
    fit = univariate(as_effects(effects, [0.01] * 7 + [0.02]))
    assert influence.outliers(fit).tolist() == [False] * 7 + [True]
    low = univariate(as_effects([-e for e in effects], [0.01] * 7 + [0.02]))
    assert influence.outliers(low).tolist() == [False] * 7 + [True]


def test_an_interval_that_reaches_the_pooled_one_but_not_its_centre_is_no_outlier():
    fit = univariate(as_effects([0.2, 0.3, 0.1, 0.4, 0.0, 0.25, -0.1], [0.01] * 6 + [0.015]))
    upper = -0.1 + 1.96 * np.sqrt(0.015)
    assert fit.ci_low < upper < fit.effect
    assert not influence.outliers(fit).any()


def test_p_value_curve_crosses_five_percent_at_the_confidence_limits():
    fit = univariate(as_effects([0.1, 0.3, 0.5], [0.02, 0.02, 0.03]))
    at = np.array([fit.ci_low, fit.effect, fit.ci_high, 0.0])
    curve = influence.p_value_curve(fit.effect, fit.standard_error, fit.df, at)
    agree(curve, [0.05, 1.0, 0.05, fit.p_value], 1e-9)
