"""Three-level, CHE with CR2, the selection model against R; the quadrature against known answers."""

import os
import subprocess
import sys

import numpy as np
import pytest
from metafor_reference import agree, as_effects, reference
from scipy import stats

from peersupport.pool import multilevel
from peersupport.pool.bayes import posterior
from peersupport.pool.fit import univariate
from peersupport.pool.optimum import lowest
from peersupport.pool.selection_model import fit_selection

NESTED = pytest.mark.parametrize("name", reference("multilevel"))


def nested(name):
    stored = reference("multilevel")[name]
    return (stored, np.array(stored["yi"], float), np.array(stored["vi"], float), np.array(stored["trial"]))


@NESTED
def test_three_level_agrees_with_metafor(name):
    stored, y, v, trial = nested(name)
    expected = stored["three_level"]
    between, within = multilevel.variance_components(y, np.diag(v), trial)
    total = multilevel.total_covariance(np.diag(v), trial, between, within)
    mean, error = multilevel.generalised_mean(y, total)
    agree(
        [mean, error, between, within],
        [expected[key] for key in ("effect", "se", "sigma2_between", "sigma2_within")],
        1e-4,
    )


@NESTED
def test_che_with_cr2_agrees_with_clubsandwich(name):
    stored, y, v, trial = nested(name)
    expected = stored["che_rve"]
    covariance = multilevel.sampling_covariance(v, trial, 0.6)
    between, within = multilevel.variance_components(y, covariance, trial)
    total = multilevel.total_covariance(covariance, trial, between, within)
    ours = [between, within, *multilevel.cr2(y, total, trial)]
    keys = ("sigma2_between", "sigma2_within", "effect", "se", "df")
    agree(ours, [expected[key] for key in keys], 1e-4)


@NESTED
def test_variance_components_do_not_hang_on_rounding(name):
    """Rows in another order round otherwise: a search that stops early ends some 1e-8 elsewhere."""
    _, y, v, trial = nested(name)
    covariance = multilevel.sampling_covariance(v, trial, 0.6)
    there = multilevel.variance_components(y, covariance, trial)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(y))
        mixed = covariance[np.ix_(order, order)]
        again = multilevel.variance_components(y[order], mixed, trial[order])
        assert np.allclose(again, there, rtol=1e-11, atol=1e-14)


def test_konstantopoulos_2011_has_its_published_three_level_estimates():
    """Konstantopoulos 2011, table 5 / metafor: mean 0.1847, district 0.0651, school 0.0327."""
    _, y, v, trial = nested("konstantopoulos2011")
    between, within = multilevel.variance_components(y, np.diag(v), trial)
    total = multilevel.total_covariance(np.diag(v), trial, between, within)
    found = (*multilevel.generalised_mean(y, total), between, within)
    assert np.round(found, 4).tolist() == [0.1847, 0.0846, 0.0651, 0.0327]


def test_lowest_point_is_exact_inside_and_at_a_bound():
    def function(at):
        return np.cosh(at[0] - np.pi) + (at[1] + 1) ** 2, np.array([np.sinh(at[0] - np.pi), 2 * (at[1] + 1)])

    found = lowest(function, [(0.0, 3.0), (9.0, 0.0)], [(-np.inf, np.inf), (0.0, np.inf)])
    assert found[1] == 0 and abs(found[0] - np.pi) < 1e-14


SECOND_MAXIMUM = ("li2007", "egger2001")  # metafor stops at a lower maximum, from four starts


def carries_selection(stored) -> bool:
    """Results on both sides of the step, and metafor's maximum is not at a bound of its own."""
    found = stored["selection"]
    return bool(found) and min(found["observed"]) > 0 and 1e-3 < found["delta"] < 90


@pytest.mark.parametrize("name", [n for n, s in reference().items() if carries_selection(s)])
def test_selection_model_agrees_with_metafor(name):
    stored = reference()[name]
    expected = stored["selection"]
    ours = fit_selection(expected["sign"] * np.array(stored["yi"]), stored["vi"])
    assert ours.log_likelihood > expected["ll"] - 1e-6
    if name in SECOND_MAXIMUM:
        assert ours.log_likelihood > expected["ll"] + 0.1
        return
    agree(ours.log_likelihood, expected["ll"], 1e-4)
    agree(
        [ours.effect, ours.tau2, ours.relative_publication],
        [expected[key] for key in ("effect", "tau2", "delta")],
        1e-4,
    )
    if expected["se"] is not None:
        agree(ours.standard_error, expected["se"], 1e-4)


@pytest.mark.parametrize("name", [n for n, s in reference().items() if carries_selection(s)])
def test_selection_model_does_not_hang_on_rounding(name):
    y = reference()[name]["selection"]["sign"] * np.array(reference()[name]["yi"])
    v = np.array(reference()[name]["vi"])
    there = fit_selection(y, v)
    mixed = np.random.default_rng(1).permutation(len(y))
    again = fit_selection(y[mixed], v[mixed])
    values = [(f.effect, f.tau2, f.relative_publication, f.standard_error) for f in (again, there)]
    assert np.allclose(*values, rtol=1e-10, atol=1e-13)


THREADS = """
import peersupport, threadpoolctl
print({lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"})
"""


def test_linear_algebra_has_one_thread_whatever_the_environment_says():
    """With two, sums round otherwise."""
    several = os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "4")
    found = subprocess.run([sys.executable, "-c", THREADS], env=several, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "{1}"


def test_selection_model_refuses_one_sided_data():
    with pytest.raises(ValueError, match="every trial"):
        fit_selection([0.9, 1.0, 1.1, 0.8], [0.01] * 4)
    with pytest.raises(ValueError, match="no trial"):
        fit_selection([0.01, 0.0, -0.1, 0.02], [0.01] * 4)


def test_posterior_with_a_prior_at_zero_is_the_fixed_effect():
    y, v = [0.1, 0.4, 0.3], [0.02, 0.05, 0.03]
    fit = univariate(as_effects(y, v), "none", "wald")
    tight = posterior(y, v, 1e-6)
    agree([tight.mu_mean, tight.mu_sd], [fit.effect, fit.standard_error], 1e-6)
    agree(tight.mu_cdf(0.0), stats.norm.cdf(0, fit.effect, fit.standard_error), 1e-6)


def test_posterior_agrees_with_a_grid_that_knows_nothing_of_the_algebra():
    """Likelihood times prior on a fine two-dimensional grid of mu and tau."""
    y, v, scale = np.array([0.1, 0.8, 0.3, -0.2]), np.array([0.02, 0.05, 0.03, 0.04]), 0.5
    mu = np.linspace(-3, 3.5, 1301)
    tau = np.linspace(0, 4, 1201)
    log_p = stats.halfnorm.logpdf(tau, scale=scale)[None, :] + sum(
        stats.norm.logpdf(yi, mu[:, None], np.sqrt(vi + tau[None, :] ** 2)) for yi, vi in zip(y, v, strict=True)
    )
    mass = np.exp(log_p - log_p.max())
    mass[:, [0, -1]] /= 2  # trapezoid in tau
    mass /= mass.sum()
    ours = posterior(y, v, scale)
    of_mu = mass.sum(axis=1)
    grid_mean = of_mu @ mu
    agree(ours.mu_mean, grid_mean, 1e-4)
    agree(ours.mu_sd, np.sqrt(of_mu @ (mu - grid_mean) ** 2), 1e-4)
    agree(1 - ours.mu_cdf(0.2), of_mu[mu > 0.2 + 1e-9].sum() + of_mu[np.isclose(mu, 0.2)].sum() / 2, 1e-3)
    agree(ours.weight @ ours.tau, mass.sum(axis=0) @ tau, 1e-4)


def test_posterior_quantiles_invert_the_distribution_functions():
    found = posterior([0.1, 0.8, 0.3], [0.02, 0.05, 0.03], 0.5)
    for probability in (0.025, 0.5, 0.975):
        agree(found.mu_cdf(found.mu_quantile(probability)), probability, 1e-9)
        agree(found.new_effect_cdf(found.new_effect_quantile(probability)), probability, 1e-9)
    assert found.new_effect_quantile(0.975) > found.mu_quantile(0.975)


@pytest.mark.parametrize("probability", [0.025, 0.5, 0.975])
def test_quantiles_of_tau2_are_those_of_the_density_by_brute_force(probability):
    """The marginal posterior of tau on a grid of 20,000 points, summed with the trapezoidal rule."""
    y, v = np.array([0.10, 0.35, 0.20, 0.55, 0.05, 0.30]), np.array([0.02, 0.03, 0.015, 0.05, 0.02, 0.04])
    tau = np.linspace(0, 3, 20_001)
    w = 1 / (v[:, None] + tau**2)
    mean = (w * y[:, None]).sum(axis=0) / w.sum(axis=0)
    log = (np.log(w).sum(axis=0) - np.log(w.sum(axis=0)) - (w * (y[:, None] - mean) ** 2).sum(axis=0)) / 2
    density = np.exp(log - log.max()) * stats.halfnorm.pdf(tau, scale=0.5)
    area = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    expected = np.interp(probability, area / area[-1], tau) ** 2
    assert posterior(y, v, 0.5).tau2_quantile(probability) == pytest.approx(expected, rel=2e-3, abs=1e-5)
