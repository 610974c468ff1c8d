"""Monitoring of a meta-analysis that is looked at again and again (trial sequential analysis).

Bounds spend the two-sided error by the O'Brien-Fleming type function of Lan and DeMets (1983, Biometrika 70:659);
information is 1 / variance of the random-effects average (Higgins, Whitehead and Simmonds 2011, Stat Med 30:903), and
what is required is ((z_{alpha/2} + z_{beta}) / delta)^2, which with the heterogeneity in the variance is the
diversity-adjusted information of trial sequential analysis (Wetterslev et al. 2009, BMC Med Res Methodol 9:86).
"""

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

NODES = 200  # of Gauss and Legendre between the bounds: bounds to 1e-6
NEWS = 1e-9  # share of the information that is more than rounding
NO_BOUND = 8.0  # beyond it no error worth the name is spent


def required_information(delta: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """1 / variance at which a true effect of `delta` is found with that power at two-sided alpha."""
    return float(((norm.isf(alpha / 2) + norm.isf(1 - power)) / delta) ** 2)


def spent(share: float, alpha: float = 0.05) -> float:
    """Two-sided error spent when `share` of the information is there: 4 (1 - Phi(z_{alpha/4} / sqrt(share))).

    That is the function of Lan and DeMets, 2 (1 - Phi(z_{a/2} / sqrt(t))), on each side with a = alpha/2.
    """
    return alpha if share >= 1 else float(4 * norm.sf(norm.isf(alpha / 4) / np.sqrt(share)))


def monitoring_bounds(shares, alpha: float = 0.05) -> np.ndarray:
    """The |z| that stops at each look; shares of the required information, not falling, above 0.

    inf where as good as no error may be spent yet; nan at looks with news after the first with a share of 1 or more:
    what is required was there, and nothing is left to spend. A look without news keeps the bound of the one
    before. Recursive integration (Armitage, McPherson and Rowe 1969).
    """
    shares = np.asarray(shares, dtype=float)
    if len(shares) and (shares[0] <= 0 or (np.diff(shares) < -NEWS).any()):
        raise ValueError("shares of the information are above 0 and never fall from one look to the next.")
    bounds = np.full(len(shares), np.nan)
    nodes, weights, before, used = np.array([0.0]), np.array([1.0]), 0.0, 0.0
    for look, share in enumerate(np.minimum(shares, 1.0)):
        if look and shares[look] - shares[look - 1] < NEWS:
            bounds[look] = bounds[look - 1]  # nothing new to look at
        if share - before < NEWS:
            continue
        step, root = np.sqrt(share - before), np.sqrt(share)
        spend = spent(share, alpha) - used
        bounds[look] = bound = _bound(nodes, weights, step, root, spend)
        used, before = spent(share, alpha), share
        edge = min(bound, NO_BOUND) * root
        places, lengths = np.polynomial.legendre.leggauss(NODES)
        there = places * edge
        weights = edge * lengths * (norm.pdf(there[:, None], nodes, step) @ weights)
        nodes = there
    return bounds


def _bound(nodes, weights, step, root, spend):
    """The z whose two tails hold just the error to spend, of paths that have not stopped before."""

    def tails(z):
        up, down = (norm.sf((z * root - side * nodes) / step) for side in (1, -1))
        return float((up + down) @ weights) - spend

    return np.inf if tails(NO_BOUND) > 0 else brentq(tails, 0.0, NO_BOUND, xtol=1e-9)


def looks(effects, variances, tau2: float, first, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(z, information) after each of `count` looks; `first`: for each trial the look, from 0, at which it was there.

    The spread between trials is that of all of them, so that information only grows.
    """
    effects, variances, first = (np.asarray(x, dtype=float) for x in (effects, variances, first))
    weights = 1 / (variances + tau2)
    order = np.arange(count)
    there = first[None, :] <= order[:, None]
    information = there @ weights
    return (there @ (weights * effects)) / np.sqrt(information), information
