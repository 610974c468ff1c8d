"""Bayesian random-effects meta-analysis without sampling: exact normal-normal model by quadrature.

y_i ~ N(mu, v_i + tau2), flat prior on mu, half-normal prior on tau (Roever 2020, bayesmeta; Roever et
al. 2021 on the prior's scale). Given tau, mu is normal; the marginal of tau is one-dimensional.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats
from scipy.optimize import brentq

NODES = 400


@dataclass(frozen=True)
class Posterior:
    """The mixture over tau: nodes `tau` with weights, and mu given tau ~ N(mean, sd)."""

    tau: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    sd: np.ndarray

    def mu_cdf(self, x: float) -> float:
        return float(self.weight @ stats.norm.cdf(x, self.mean, self.sd))

    def mu_quantile(self, probability: float) -> float:
        return _quantile(self.mu_cdf, probability, self.mu_mean, self.mu_sd)

    def new_effect_cdf(self, x: float) -> float:
        """Of the true effect in a new setting: N(mu, tau2) mixed over the posterior."""
        spread = np.sqrt(self.sd**2 + self.tau**2)
        return float(self.weight @ stats.norm.cdf(x, self.mean, spread))

    def new_effect_quantile(self, probability: float) -> float:
        spread = np.sqrt(self.mu_sd**2 + float(self.weight @ self.tau**2))
        return _quantile(self.new_effect_cdf, probability, self.mu_mean, spread)

    def tau2_quantile(self, probability: float) -> float:
        """Read at the middle of each node's weight: at its end, the median would lie half a node low."""
        middle = np.cumsum(self.weight) - self.weight / 2
        return float(np.interp(probability, middle, self.tau) ** 2)

    @property
    def mu_mean(self) -> float:
        return float(self.weight @ self.mean)

    @property
    def mu_sd(self) -> float:
        second = self.weight @ (self.sd**2 + self.mean**2)
        return float(np.sqrt(second - self.mu_mean**2))


def posterior(y: np.ndarray, v: np.ndarray, scale: float) -> Posterior:
    """y, v: effects and variances, length k >= 2; scale: the half-normal prior's, in units of y.

    p(tau | y) is proportional to p(tau) prod_i (v_i + tau2)^-1/2 (sum_i w_i)^-1/2
    exp(-1/2 sum_i w_i (y_i - mean)^2), on Gauss-Legendre nodes from 0 to 12 prior scales or four times the
    spread of the effects, whichever is less.
    """
    y, v = np.asarray(y, float), np.asarray(v, float)
    if len(y) < 2 or scale <= 0:
        raise ValueError("two effects or more and a positive prior scale are needed.")
    upper = min(12 * scale, 4 * max(float(np.ptp(y)), float(np.sqrt(v.max()))) + scale)
    nodes, weights = _legendre()
    tau = (nodes + 1) / 2 * upper
    w = 1 / (v[:, None] + tau**2)
    precision = w.sum(axis=0)
    mean = (w * y[:, None]).sum(axis=0) / precision
    squares = (w * (y[:, None] - mean) ** 2).sum(axis=0)
    log_density = (np.log(w).sum(axis=0) - np.log(precision) - squares) / 2
    log_density += stats.halfnorm.logpdf(tau, scale=scale)
    mass = weights * np.exp(log_density - log_density.max())
    return Posterior(tau, mass / mass.sum(), mean, precision**-0.5)


@cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(NODES)


def _quantile(cdf, probability: float, centre: float, spread: float) -> float:
    low, high = centre - 10 * spread, centre + 10 * spread
    while cdf(low) > probability:
        low -= 10 * spread
    while cdf(high) < probability:
        high += 10 * spread
    return float(brentq(lambda x: cdf(x) - probability, low, high, xtol=1e-12))
