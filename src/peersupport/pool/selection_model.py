"""Three-parameter selection model: mean, between-trial variance, and how much rarer the
non-significant results are than the significant ones.

Vevea & Hedges 1995 with one step (Iyengar & Greenhouse 1988; McShane, Boeckenholt & Hansen 2016
call it 3PSM); metafor: selmodel(ML fit, type = "stepfun", steps = 0.025, alternative = "greater").
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri

from peersupport.pool.optimum import lowest

STEP = 0.025  # one-sided p-value, in the direction that favours peer support
CUT = ndtri(1 - STEP)  # effect over standard error at which p is STEP
LOG_ROOT_2PI = np.log(2 * np.pi) / 2
RELATIVE_STEP = 1e-3
BOUNDS = [(-np.inf, np.inf), (0.0, np.inf), (np.log(1e-3), np.log(100))]  # mean, tau2, log delta


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

    def negative(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        return _negative(y, v, beyond, parameters)

    def unselected(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = negative(np.append(parameters, 0.0))
        return value, slope[:2]

    start = float(np.average(y, weights=1 / v))
    spreads = (0.0, float(np.var(y)))
    best = lowest(negative, [(start, tau2, d) for tau2 in spreads for d in (0.0, -1.0, -3.0)], BOUNDS)
    plain = lowest(unselected, [(start, tau2) for tau2 in spreads], BOUNDS[:2])
    mean, tau2, delta = best[0], best[1], np.exp(best[2])
    if not 1.001e-3 < delta < 99.9:
        raise ValueError("the likelihood has no maximum: relative publication runs to its bound")
    gain = 2 * (unselected(plain)[0] - negative(best)[0])
    return Selection(
        effect=float(mean),
        standard_error=_standard_error(lambda at: negative(at)[1], best),
        tau2=float(tau2),
        relative_publication=float(delta),
        log_likelihood=-negative(best)[0],
        likelihood_ratio_p=float(stats.chi2.sf(max(gain, 0.0), 1)),
    )


def _negative(y, v, beyond, parameters):
    """Minus the log likelihood and its gradient in mean, tau2 and log delta."""
    mean, tau2, log_delta = parameters
    delta, total = np.exp(log_delta), np.sqrt(v + tau2)
    place, apart = (CUT * np.sqrt(v) - mean) / total, (y - mean) / total
    unseen_side = ndtr(place)  # chance of a p above STEP
    seen = 1 - unseen_side + delta * unseen_side
    density = -(apart**2) / 2 - np.log(total) - LOG_ROOT_2PI
    value = np.sum(density - np.log(seen)) + beyond.sum() * log_delta
    edge = (delta - 1) * np.exp(-(place**2) / 2 - LOG_ROOT_2PI) / seen
    slope = [
        np.sum((apart + edge) / total),
        np.sum((apart**2 - 1 + edge * place) / total**2) / 2,
        beyond.sum() - np.sum(delta * unseen_side / seen),
    ]
    return -float(value), -np.array(slope)


def _standard_error(slope, at):
    """Of the mean, from the inverse observed information; tau2 is left out where it is zero."""
    free = [0, 1, 2] if at[1] > 1e-6 else [0, 2]

    def change(i: int, step: float) -> np.ndarray:
        move = step * np.eye(3)[i]
        return (slope(at + move) - slope(at - move))[free] / (2 * step)

    # Richardson: the error of a difference falls with the square of its step
    steps = RELATIVE_STEP * np.maximum(np.abs(at), 0.01)
    information = np.array([(4 * change(i, steps[i] / 2) - change(i, steps[i])) / 3 for i in free])
    return float(np.sqrt(np.linalg.inv((information + information.T) / 2)[0, 0]))
