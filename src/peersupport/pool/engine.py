"""The pooling of this project: many meta-analyses in one call, effects and variances as k x d arrays, a data set per
column.

A trial that is not in a data set has variance inf, so its weight is 0, and effect 0: data sets of
every size stack. Sums run over the first axis, trial by trial, and columns never touch one another,
so a column's result does not depend on what is stacked beside it. Formulas and starting values are
metafor 3.8's (rma.uni), against which the tests hold every estimator and interval.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, ndtr, ndtri, stdtr, stdtrit

ESTIMATORS = ("REML", "fixed", "DL", "PM", "ML", "HE", "SJ")
INTERVALS = ("hartung_knapp", "wald", "hartung_knapp_conservative")
COLUMNS_AT_ONCE = 1024  # keeps the arrays of one pass in a core's cache
TOLERANCE = 1e-10
GRID = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0)  # tau2 in typical sampling variances, where a second maximum is looked for
MAX_STEPS = 60


@dataclass(frozen=True)
class Pooled:
    """One entry per data set: `effect`, `tau2`, `k`, `weight` (sum of 1 / (v + tau2)) and `q`
    (the weighted squares about the effect). NaN where fewer than two trials are left."""

    effect: np.ndarray
    tau2: np.ndarray
    weight: np.ndarray
    q: np.ndarray
    k: np.ndarray


def pool(y: np.ndarray, v: np.ndarray, estimator: str) -> Pooled:
    """Pool every column; estimator is one of ESTIMATORS. y, v: k x d; v > 0, or inf to leave out."""
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator {estimator!r}: choose from {', '.join(ESTIMATORS)}.")
    if y.shape != v.shape or y.ndim != 2:
        raise ValueError(f"effects {y.shape} and variances {v.shape} must be k x d, alike.")
    if not (v > 0).all():
        raise ValueError("a variance is missing, zero or negative.")
    if y.shape[1] == 1:  # numpy adds up a single column in another order
        pair = pool(np.repeat(y, 2, axis=1), np.repeat(v, 2, axis=1), estimator)
        return Pooled(*(getattr(pair, name)[:1] for name in Pooled.__annotations__))
    starts = range(0, max(y.shape[1], 1), COLUMNS_AT_ONCE)
    blocks = [slice(start, start + COLUMNS_AT_ONCE) for start in starts]
    parts = [_pool_columns(y[:, block], v[:, block], estimator) for block in blocks]
    return Pooled(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def pool_at(y: np.ndarray, v: np.ndarray, tau2: np.ndarray) -> Pooled:
    """Pool every column with its tau2 known before; tau2: length d, or one number."""
    k = np.isfinite(v).sum(axis=0)
    tau2 = np.broadcast_to(np.asarray(tau2, float), k.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight, effect, q, _ = _weighted(y, v, tau2)
    return Pooled(*(np.where(k >= 1, x, np.nan) for x in (effect, tau2, weight, q)), k)


@dataclass(frozen=True)
class Heterogeneity:
    """One entry per data set: Cochran's Q, the ends of the Q-profile interval of tau2, and the typical sampling
    variance s2 of Higgins & Thompson (2002), with which I2 = tau2 / (tau2 + s2)."""

    q: np.ndarray
    tau2_low: np.ndarray
    tau2_high: np.ndarray
    typical: np.ndarray


def heterogeneity(y: np.ndarray, v: np.ndarray, level: float = 0.95) -> Heterogeneity:
    """Q at tau2 = 0 and the tau2 at which the generalised Q meets chi2 quantiles with k - 1 df (Viechtbauer 2007)."""
    k = np.isfinite(v).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight, _, q, w = _weighted(y, v, 0.0)
        typical = (k - 1) / (weight - _sum(w, w) / weight)
        ends = [_q_meets(y, v, chdtri(np.maximum(k - 1, 1), tail)) for tail in ((1 - level) / 2, (1 + level) / 2)]
    return Heterogeneity(*(np.where(k >= 2, x, np.nan) for x in (q, *ends, typical)))


def _q_meets(y, v, target):
    """The tau2 at which the generalised Q equals target; 0 where it is smaller from the start."""
    return _iterate(_generalised_q_step, y, v, np.zeros(y.shape[1]), target + 1)


def half_width(pooled: Pooled, interval: str, level: float = 0.95) -> np.ndarray:
    """Half of the confidence interval.

    "wald": normal. "hartung_knapp": variance scaled by q / (k - 1), t with k - 1 df (Knapp & Hartung
    2003). "hartung_knapp_conservative": the factor is never below 1 (metafor's test = "adhoc").
    """
    error, df = standard_error(pooled, interval)
    if interval == "wald":
        return ndtri((1 + level) / 2) * error
    return t_quantile(df, level) * error


def standard_error(pooled: Pooled, interval: str) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and, for the t distribution, k - 1 degrees of freedom."""
    df = pooled.k - 1
    if interval == "wald":
        return 1 / np.sqrt(pooled.weight), df
    factor = pooled.q / np.maximum(df, 1)
    if interval == "hartung_knapp_conservative":
        factor = np.maximum(factor, 1)
    elif interval != "hartung_knapp":
        raise ValueError(f"interval {interval!r}: choose from {', '.join(INTERVALS)}.")
    return np.sqrt(factor / pooled.weight), df


def p_value(effect, error, df) -> np.ndarray:
    """Two-sided; normal where df is inf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        below = -np.abs(effect / error)
        return 2 * np.where(np.isinf(df), ndtr(below), stdtr(df, below))


# ---------------------------------------------------------------- heterogeneity


def _pool_columns(y, v, estimator):
    k = np.isfinite(v).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau2 = _tau2(y, v, k, estimator)
        weight, effect, q, _ = _weighted(y, v, tau2)
    tau2, weight, effect, q = (np.where(k >= 2, x, np.nan) for x in (tau2, weight, effect, q))
    return effect, tau2, weight, q, k


def _weighted(y, v, tau2):
    """Sum of the weights, the weighted mean, the squares about it, and the weights."""
    w = 1 / (v + tau2)
    weight = w.sum(axis=0)
    effect = _sum(w, y) / weight
    apart = y - effect
    return weight, effect, _sum(w, apart, apart), w


def _sum(*factors):
    """Sum over trials of the product, without storing it."""
    return np.einsum(",".join(["ij"] * len(factors)) + "->j", *factors)


def _tau2(y, v, k, estimator):
    if estimator == "fixed":
        return np.zeros(y.shape[1])
    if estimator == "DL":  # DerSimonian & Laird 1986: (Q - df) / C
        weight, _, q, w = _weighted(y, v, 0.0)
        return np.maximum(0, (q - (k - 1)) / (weight - _sum(w, w) / weight))
    if estimator == "HE":
        return np.maximum(0, _hedges_olkin(y, v, k))
    if estimator == "SJ":  # Sidik & Jonkman 2005, from the crude variance of the effects
        crude = _squares(y, v, k) / k
        return crude * _weighted(y, v, crude)[2] / (k - 1)
    if estimator == "PM":
        return _q_meets(y, v, k - 1.0)
    step = _reml_step if estimator == "REML" else _ml_step
    found = _iterate(step, y, v, np.maximum(0, _hedges_olkin(y, v, k)), k)
    restricted = estimator == "REML"
    return _highest(step, y, v, found, k, restricted)


def _highest(step, y, v, found, k, restricted):
    """The likelihood may have two maxima: where a point of a grid is higher, the search starts again from there."""
    best = _log_likelihood(y, v, found, restricted)
    typical = k / np.where(np.isfinite(v), 1 / v, 0).sum(axis=0)
    start = found.copy()
    for factor in GRID:
        height = _log_likelihood(y, v, factor * typical, restricted)
        higher = height > best + TOLERANCE
        start[higher], best[higher] = (factor * typical)[higher], height[higher]
    again = np.flatnonzero((start != found) & (k >= 2))
    if len(again):
        found[again] = _iterate(step, y[:, again], v[:, again], start[again], k[again])
        fallen = _log_likelihood(y[:, again], v[:, again], found[again], restricted) < best[again]
        at_zero = again[fallen & (start[again] == 0)]
        found[at_zero] = 0.0
    return found


def _squares(y, v, k):
    """Sum of squares about the unweighted mean."""
    return (np.isfinite(v) * (y - y.sum(axis=0) / k) ** 2).sum(axis=0)


def _hedges_olkin(y, v, k):
    """Hedges & Olkin 1985: the effects' variance less the mean sampling variance."""
    return _squares(y, v, k) / (k - 1) - np.where(np.isfinite(v), v, 0).sum(axis=0) / k


def _iterate(step, y, v, start, k):
    """Repeat tau2 <- tau2 + step in every column, never below zero, until it moves less than TOLERANCE."""
    tau2 = start.copy()
    active = np.flatnonzero(np.isfinite(v).sum(axis=0) >= 2)
    active = np.repeat(active, 2) if len(active) == 1 else active  # see pool
    y, v, k = y.take(active, axis=1), v.take(active, axis=1), k[active]
    for count in range(MAX_STEPS):
        if not len(active):
            return tau2
        before, small = tau2[active], 1e-3 * k / (1 / v).sum(axis=0)
        damped = 0.5 if count > MAX_STEPS // 2 else 1.0  # a cycle is broken
        after = before + damped * step(y, v, before, k)
        below = after < 0  # approach zero in steps: there may be a maximum on the way
        after[below] = np.where(before > small, before / 4, 0)[below]
        tau2[active] = after
        moving = ~(np.abs(after - before) <= TOLERANCE * (1 + after))
        if not moving.all():
            left = np.flatnonzero(moving)
            left = np.repeat(left, 2) if len(left) == 1 else left  # see pool
            active, k = active[left], k[left]
            y, v = y.take(left, axis=1), v.take(left, axis=1)
    tau2[active] = _bisect(step, y, v, tau2[active], k)
    return tau2


def _bisect(step, y, v, tau2, k):
    """For the few columns in which steps stay tiny: halve an interval in which the step turns."""
    above = step(y, v, tau2, k) > 0
    low, high = np.where(above, tau2, 0.0), np.where(above, 2 * tau2 + 1, tau2)
    for _ in range(60):
        middle = (low + high) / 2
        up = step(y, v, middle, k) > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return (low + high) / 2


def _generalised_q_step(y, v, tau2, k):
    """Newton's step to Q(tau2) = k - 1 (Paule & Mandel 1982); Q is convex, so it never overshoots.

    For another value of Q than its expectation, k is that value and 1.
    """
    w, _, r = _residuals(y, v, tau2)
    apart = y - _sum(w, y) / w.sum(axis=0)
    return (_sum(r, apart) - (k - 1)) / _sum(r, r)


def _residuals(y, v, tau2):
    """w, their sum, and r = w (y - mean), which is P y."""
    w = 1 / (v + tau2)
    weight = w.sum(axis=0)
    return w, weight, w * (y - _sum(w, y) / weight)


def _reml_step(y, v, tau2, k):
    """Newton's step where the restricted likelihood is concave, else Fisher's (Viechtbauer 2005)."""
    w, weight, r = _residuals(y, v, tau2)
    squares = _sum(w, w)
    score = _sum(r, r) - weight + squares / weight
    expected = squares - 2 * _sum(w, w, w) / weight + (squares / weight) ** 2
    observed = 2 * _curvature(w, weight, r) - expected
    return score / np.where(observed > 0.1 * expected, observed, expected)


def _ml_step(y, v, tau2, k):
    """The same for the full likelihood."""
    w, weight, r = _residuals(y, v, tau2)
    expected = _sum(w, w)
    observed = 2 * _curvature(w, weight, r) - expected
    return (_sum(r, r) - weight) / np.where(observed > 0.1 * expected, observed, expected)


def _curvature(w, weight, r):
    """y' P P P y."""
    return _sum(w, r, r) - _sum(w, r) ** 2 / weight


def _log_likelihood(y, v, tau2, restricted):
    """Up to a constant."""
    weight, _, q, _ = _weighted(y, v, tau2)
    spread = np.where(np.isfinite(v), np.log(np.where(np.isfinite(v), v, 1) + tau2), 0).sum(axis=0)
    return -0.5 * (spread + q + (np.log(weight) if restricted else 0))


def t_quantile(df: np.ndarray, level: float = 0.95) -> np.ndarray:
    """t's two-sided quantile for whole degrees of freedom; NaN below 1."""
    table = stdtrit(np.arange(1, df.max(initial=1) + 1), (1 + level) / 2)
    return np.append(np.nan, table)[np.maximum(df, 0)]


# ---------------------------------------------------------------- regression


@dataclass(frozen=True)
class Regression:
    """Per data set: `estimate` (p x d), `covariance` (d x p x p, Knapp and Hartung's), `tau2` and `k` (d). NaN where
    k <= p or the design of the data set is not of full rank."""

    estimate: np.ndarray
    covariance: np.ndarray
    tau2: np.ndarray
    k: np.ndarray


def regress(y: np.ndarray, v: np.ndarray, design: np.ndarray) -> Regression:
    """Mixed-effects meta-regression of every column on one design (k x p, with its intercept): REML by Fisher's scoring
    (Viechtbauer 2005, eq. 12; metafor's rma.uni with mods and test = "knha")."""
    p, inside = design.shape[1], np.isfinite(v)
    k = inside.sum(axis=0)
    gram = np.einsum("ip,iq,id->dpq", design, design, inside.astype(float))
    known = (k > p) & (np.linalg.matrix_rank(gram) == p)
    columns = np.flatnonzero(known)
    tau2 = np.full(y.shape[1], np.nan)
    estimate, covariance = np.full((p, y.shape[1]), np.nan), np.full((y.shape[1], p, p), np.nan)
    if len(columns):
        ys, vs = y[:, columns], v[:, columns]
        tau2[columns] = _residual_tau2(ys, vs, design, k[columns])
        estimate[:, columns], covariance[columns] = _knapp_hartung(ys, vs, design, tau2[columns], k[columns])
    return Regression(estimate, covariance, tau2, k)


def _residual_tau2(y, v, design, k):
    """REML from the highest point of the grid, by Fisher's scoring, never below zero."""
    typical = k / np.where(np.isfinite(v), 1 / v, 0).sum(axis=0)
    best, found = _regression_likelihood(y, v, design, 0.0), np.zeros(y.shape[1])
    for factor in GRID[1:]:
        height = _regression_likelihood(y, v, design, factor * typical)
        higher = height > best
        found[higher], best[higher] = (factor * typical)[higher], height[higher]
    for count in range(MAX_STEPS):
        step = _scoring_step(y, v, design, found)
        after = np.maximum(0, found + (0.5 if count > MAX_STEPS // 2 else 1.0) * step)
        moved = np.abs(after - found)
        found = after
        if (moved <= TOLERANCE * (1 + after)).all():
            break
    return found


def _weighted_fit(y, v, design, tau2):
    """w, (X'WX)^-1 (d x p x p), the coefficients (p x d) and the residuals."""
    w = 1 / (v + tau2)
    inverse = np.linalg.inv(np.einsum("ip,iq,id->dpq", design, design, w))
    beta = np.einsum("dpq,iq,id,id->pd", inverse, design, w, y)
    return w, inverse, beta, y - design @ beta


def _scoring_step(y, v, design, tau2):
    """Score over expected information: (y'PPy - tr P) / tr PP."""
    w, inverse, _, residual = _weighted_fit(y, v, design, tau2)
    square, cube = (np.einsum("ip,iq,id->dpq", design, design, w**power) for power in (2, 3))
    part = inverse @ square
    trace = w.sum(axis=0) - np.trace(part, axis1=1, axis2=2)
    information = _sum(w, w) - 2 * np.trace(inverse @ cube, axis1=1, axis2=2) + np.trace(part @ part, axis1=1, axis2=2)
    score = _sum(w * np.where(np.isfinite(v), residual, 0), w * np.where(np.isfinite(v), residual, 0)) - trace
    return score / information


def _regression_likelihood(y, v, design, tau2):
    w, inverse, _, residual = _weighted_fit(y, v, design, tau2)
    inside = np.isfinite(v)
    spread = np.where(inside, np.log(np.where(inside, v, 1) + tau2), 0).sum(axis=0)
    return -0.5 * (spread + (w * np.where(inside, residual, 0) ** 2).sum(axis=0) - np.linalg.slogdet(inverse)[1])


def _knapp_hartung(y, v, design, tau2, k):
    w, inverse, beta, residual = _weighted_fit(y, v, design, tau2)
    squares = (w * np.where(np.isfinite(v), residual, 0) ** 2).sum(axis=0)
    return beta, inverse * (squares / (k - design.shape[1]))[:, None, None]


# ---------------------------------------------------------------- small-study corrections


def sort_columns(y, v) -> tuple[np.ndarray, np.ndarray]:
    """Each column by effect, trials that are not in the data set last."""
    order = np.argsort(np.where(np.isfinite(v), y, np.inf), axis=0, kind="stable")
    return np.take_along_axis(y, order, 0), np.take_along_axis(v, order, 0)


def fill(y, v, estimator: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Duval & Tweedie 2000, L0, for trials missing on the left; y, v from sort_columns.

    `estimator` finds the centre about which trials are trimmed: the one that then pools the filled data,
    as metafor's trimfill(fit, side = "left"), or "fixed", as meta::trimfill. Returns y and v
    with the mirrored trials below, and how many were filled in: -1, and no trial left, where the
    number does not come to rest.
    """
    first = pool(y, v, estimator)
    place = np.arange(len(y))[:, None]
    filled, before = np.zeros(y.shape[1], dtype=int), np.full(y.shape[1], -2)
    centre, active = first.effect.copy(), np.flatnonzero(first.k >= 2)
    for _ in range(len(y) + 2):
        now = _missing_left(y[:, active], v[:, active], centre[active], first.k[active])
        moving = now != filled[active]
        cycling = moving & (now == before[active])
        before[active] = filled[active]
        filled[active] = np.where(cycling, -1, now)
        active, now = active[moving & ~cycling], now[moving & ~cycling]
        if not len(active):
            break
        kept = place < first.k[active] - now
        centre[active] = pool(y[:, active] * kept, np.where(kept, v[:, active], np.inf), estimator).effect
    filled[active] = -1
    return _mirrored(y, v, first.k, filled, centre)


def _mirrored(y, v, k, filled, centre):
    """Below each column its `filled` highest trials, mirrored about its centre."""
    row = np.arange(filled.max(initial=0))[:, None]
    there = row < filled
    source = np.where(there, k - 1 - row, 0)
    ys, vs = np.take_along_axis(y, source, 0), np.take_along_axis(v, source, 0)
    fallen = np.where(filled < 0, np.inf, v)
    return (
        np.concatenate([y, np.where(there, 2 * centre - ys, 0.0)]),
        np.concatenate([fallen, np.where(there, vs, np.inf)]),
        filled,
    )


def _missing_left(y, v, centre, k):
    """L0 = (4 S - k (k + 1)) / (2 k - 1), S the ranks' sum of the effects above the centre, which is
    the number of Walsh averages (y_i + y_j) / 2, i <= j, above it (Tukey)."""
    deviation = np.where(np.isfinite(v), y, -np.inf) - centre
    rank_sum = np.zeros(y.shape[1], dtype=int)
    for i, one in enumerate(deviation):
        rank_sum += np.count_nonzero(deviation[i:] > -one, axis=0)
    return np.maximum(0, np.rint((4 * rank_sum - k * (k + 1)) / (2 * k - 1))).astype(int)


def pet_peese(y, v) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stanley & Doucouliagos 2014: the intercept of the effects on their standard errors (PET), or on
    their variances (PEESE) where PET's one-sided test at 5% finds an effect above zero.

    Weights 1 / v, multiplicative error, t with k - 2 df. Returns intercept, standard error, df.
    """
    pet, pet_error, df = _line(y, v, np.sqrt(v))
    peese, peese_error, _ = _line(y, v, v)
    critical = np.append([np.nan, np.nan], stdtrit(np.arange(1, max(len(y) - 1, 2)), 0.95))
    with np.errstate(divide="ignore", invalid="ignore"):
        above = pet / pet_error > critical[np.clip(df + 1, 0, len(critical) - 1)]
    return np.where(above, peese, pet), np.where(above, peese_error, pet_error), df


def _line(y, v, x):
    """Weighted straight line in each column: intercept, its standard error, k - 2."""
    inside = np.isfinite(v)
    w, x, df = 1 / v, np.where(inside, x, 0.0), inside.sum(axis=0) - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = w.sum(axis=0)
        middle = (w * x).sum(axis=0) / weight
        mean = (w * y).sum(axis=0) / weight
        spread = (w * (x - middle) ** 2).sum(axis=0)
        slope = (w * (x - middle) * (y - mean)).sum(axis=0) / spread
        intercept = mean - slope * middle
        left = (w * (y - intercept - slope * x) ** 2).sum(axis=0) / np.where(df > 0, df, np.nan)
        error = np.sqrt(left * (1 / weight + middle**2 / spread))
    return intercept, error, df
