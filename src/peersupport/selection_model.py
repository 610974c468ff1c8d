"""Three-parameter selection model: mean, between-trial variance, and how much rarer the
non-significant results are than the significant ones.

Vevea & Hedges 1995 with one step (Iyengar & Greenhouse 1988; McShane, Boeckenholt & Hansen 2016
call it 3PSM); metafor: selmodel(ML fit, type = "stepfun", steps = 0.025, alternative = "greater").
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

STEP = 0.025  # one-sided p-value, in the direction that favours peer support
CUT = ndtri(1 - STEP)  # effect over standard error at which p is STEP
LOG_ROOT_2PI = np.log(2 * np.pi) / 2
RELATIVE_STEP = 1e-3
BOUNDS = [(None, None), (0.0, None), (np.log(1e-3), np.log(100))]  # mean, tau, log publication


@dataclass(frozen=True)
class Selection:
    """`likelihood_ratio_p` tests relative_publication = 1 (no selection), chi2 with 1 df."""

    effect: float
    standard_error: float
    tau2: float
    relative_publication: float
    log_likelihood: float
    likelihood_ratio_p: float


def fit_selection(y: np.ndarray, v: np.ndarray) -> Selection:
    """Maximum likelihood. y, v: effects (positive favours peer support) and variances, length k.

    `relative_publication` is the chance that a result with one-sided p > 0.025 is seen, relative to
    one with p <= 0.025. Raises ValueError if all results fall on one side of the step, or if the
    likelihood has no maximum inside (relative publication tends to 0 or beyond 100).
    """
    y, v = np.asarray(y, float), np.asarray(v, float)
    beyond = stats.norm.sf(y / np.sqrt(v)) > STEP
    if beyond.all() or not beyond.any():
        side = "no" if beyond.all() else "every"
        raise ValueError(f"{side} trial has a one-sided p of {STEP} or less")

    def negative(parameters: np.ndarray) -> float:
        mean, tau, log_delta = parameters
        return -_log_likelihood(y, v, beyond, mean, tau**2, np.exp(log_delta))

    start_mean = float(np.average(y, weights=1 / v))
    starts = [(start_mean, tau, d) for tau in (0.0, float(np.std(y))) for d in (0.0, -1.0)]
    best = _minimise(negative, starts)
    mean, tau2, delta = best[0], best[1] ** 2, np.exp(best[2])
    if not 1.001e-3 < delta < 99.9:
        raise ValueError("the likelihood has no maximum: relative publication runs to its bound")

    def unselected(parameters: np.ndarray) -> float:
        return negative(np.append(parameters, 0.0))

    plain = _minimise(unselected, [start[:2] for start in starts[::2]])
    gain = 2 * (unselected(plain) - negative(best))
    return Selection(
        effect=float(mean),
        standard_error=_standard_error(y, v, beyond, np.array([mean, tau2, delta])),
        tau2=float(tau2),
        relative_publication=float(delta),
        log_likelihood=-negative(best),
        likelihood_ratio_p=float(stats.chi2.sf(max(gain, 0.0), 1)),
    )


def _log_likelihood(y, v, beyond, mean, tau2, delta):
    total = np.sqrt(v + tau2)
    unseen_side = ndtr((CUT * np.sqrt(v) - mean) / total)  # chance of a p above STEP
    seen = 1 - unseen_side + delta * unseen_side
    density = -(((y - mean) / total) ** 2) / 2 - np.log(total)
    return float(
        np.sum(density - np.log(seen)) + beyond.sum() * np.log(delta) - len(y) * LOG_ROOT_2PI
    )


def _minimise(function, starts):
    """Quasi-Newton from each start, then a simplex around the best, which needs no gradient."""
    limits = BOUNDS[: len(starts[0])]
    ends = [minimize(function, s, method="L-BFGS-B", bounds=limits).x for s in starts]
    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000}
    best = min(ends, key=function)
    return minimize(function, best, method="Nelder-Mead", bounds=limits, options=options).x


def _standard_error(y, v, beyond, at):
    """Of the mean, from the inverse observed information; tau2 is left out where it is zero."""
    free = [0, 1, 2] if at[1] > 1e-6 else [0, 2]
    steps = RELATIVE_STEP * np.maximum(np.abs(at), 0.01)

    def value(offsets: dict[int, float]) -> float:
        moved = at.copy()
        for place, offset in offsets.items():
            moved[place] += offset
        return -_log_likelihood(y, v, beyond, moved[0], max(moved[1], 0.0), moved[2])

    def curvature(i: int, j: int, shrink: float) -> float:
        a, b = steps[i] * shrink, steps[j] * shrink
        if i == j:
            return (value({i: a}) - 2 * value({}) + value({i: -a})) / a**2
        corners = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
        return sum(sign * value({i: s * a, j: t * b}) for s, t, sign in corners) / (4 * a * b)

    # Richardson: the error of each difference falls with the square of its step
    information = np.array(
        [[(4 * curvature(i, j, 0.5) - curvature(i, j, 1)) / 3 for j in free] for i in free]
    )
    return float(np.sqrt(np.linalg.inv(information)[0, 0]))
