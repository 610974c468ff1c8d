"""Small-study effects: Egger's regression, rank correlation, trim-and-fill, PET and PEESE.

All take y (effects, positive favours peer support) and v (variances) of length k.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pymare import Dataset
from pymare.estimators import VarianceBasedLikelihoodEstimator
from scipy import stats

from peersupport.pool.fit import estimate_tau2

INTERPRETED_FROM = 10  # trials; Cochrane Handbook 13.3.5.4: below ten the tests have too little power


@dataclass(frozen=True)
class Line:
    """Weighted regression y = intercept + slope x: estimates, standard errors, t with k - 2 df."""

    intercept: float
    intercept_se: float
    slope: float
    slope_se: float
    df: int

    @property
    def slope_t(self) -> float:
        return self.slope / self.slope_se

    @property
    def slope_p(self) -> float:
        return float(2 * stats.t.sf(abs(self.slope_t), self.df))

    @property
    def intercept_p(self) -> float:
        return float(2 * stats.t.sf(abs(self.intercept / self.intercept_se), self.df))


def weighted_line(y: np.ndarray, x: np.ndarray, v: np.ndarray) -> Line:
    """Least squares with weights 1 / v and a multiplicative error term (R: lm(y ~ x, weights = 1/v))."""
    y, x, v = (np.asarray(a, float) for a in (y, x, v))
    df = len(y) - 2
    if df < 1 or np.ptp(x) == 0:
        raise ValueError("a line needs three trials or more that differ in precision")
    design = np.column_stack([np.ones_like(x), x]) / np.sqrt(v)[:, None]
    inverse = np.linalg.inv(design.T @ design)
    intercept, slope = inverse @ design.T @ (y / np.sqrt(v))
    residual = (y - intercept - slope * x) / np.sqrt(v)
    errors = np.sqrt(np.diag(inverse) * (residual @ residual) / df)
    return Line(float(intercept), float(errors[0]), float(slope), float(errors[1]), df)


def egger(y: np.ndarray, v: np.ndarray) -> Line:
    """Egger et al. 1997: effect on its standard error; the slope is their bias coefficient."""
    return weighted_line(y, np.sqrt(v), v)


def egger_by_size(y: np.ndarray, v: np.ndarray, n1: np.ndarray, n2: np.ndarray) -> Line:
    """Pustejovsky & Rodgers 2019: sqrt(1/n1 + 1/n2) in place of the standard error of g, which grows
    with g itself and so feigns asymmetry."""
    size = 1 / np.asarray(n1, float) + 1 / np.asarray(n2, float)
    return weighted_line(y, np.sqrt(size), v)


def rank_test(y: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    """Begg & Mazumdar 1994: Kendall's tau of standardised effects and variances, and its p-value.

    Exact p where nothing is tied, else the normal approximation, as metafor's ranktest.
    """
    y, v = np.asarray(y, float), np.asarray(v, float)
    w = 1 / v
    centred = (y - (w * y).sum() / w.sum()) / np.sqrt(v - 1 / w.sum())
    tied = len(set(centred)) < len(y) or len(set(v)) < len(v)
    method = "asymptotic" if tied else "exact"
    result = stats.kendalltau(centred, v, method=method)
    return float(result.statistic), float(result.pvalue)


def trim_and_fill(y: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Duval & Tweedie 2000, estimator L0 on the REML mean; the side where trials are missing is told
    by the slope on the standard error. Returns the filled y and v, and how many were filled in.
    """
    y, v = np.asarray(y, float), np.asarray(v, float)
    sign = -1.0 if _mixed_slope(y, v) < 0 else 1.0
    order = np.argsort(sign * y, kind="stable")
    flipped, variance = sign * y[order], v[order]
    k, filled, before = len(y), 0, -1
    for _ in range(100):
        if filled == before:
            break
        before = filled
        kept = slice(0, k - filled)
        centre = _random_mean(flipped[kept], variance[kept])
        deviation = flipped - centre
        rank = np.argsort(np.argsort(np.abs(deviation), kind="stable"), kind="stable") + 1
        positive = rank[deviation > 0].sum()
        filled = max(0, round((4 * positive - k * (k + 1)) / (2 * k - 1)))
    else:
        raise ValueError("trim and fill did not converge")
    if filled == 0:
        return y, v, 0
    mirrored = sign * (2 * centre - flipped[k - filled :])
    return np.append(y, mirrored), np.append(v, variance[k - filled :]), filled


def filled_points(effects: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Effects and variances that trim and fill adds to a domain's trials; empty arrays if none."""
    y, v = effects["effect"].to_numpy(float), effects["variance"].to_numpy(float)
    filled_y, filled_v, _ = trim_and_fill(y, v)
    return filled_y[len(y) :], filled_v[len(v) :]


def pet_peese(y: np.ndarray, v: np.ndarray) -> tuple[str, Line]:
    """Stanley & Doucouliagos 2014: PET's intercept (on the standard error), or, if its one-sided test
    at 5% finds an effect above zero, PEESE's (on the variance). Returns which, and the line."""
    pet = weighted_line(y, np.sqrt(v), v)
    if pet.intercept > 0 and pet.intercept_p / 2 < 0.05:
        return "PEESE", weighted_line(y, v, v)
    return "PET", pet


def small_study_row(effects: pd.DataFrame) -> dict:
    """Egger (with SE, and by size where both arms are known) and rank test of one domain."""
    y, v = effects["effect"].to_numpy(float), effects["variance"].to_numpy(float)
    line, (tau, p) = egger(y, v), rank_test(y, v)
    known = effects.dropna(subset=["n_arm1", "n_arm2"])
    row = {
        "trials": len(y),
        "egger_slope": line.slope,
        "egger_t": line.slope_t,
        "egger_p": line.slope_p,
        "rank_tau": tau,
        "rank_p": p,
        "trials_with_n": len(known),
        "size_slope": np.nan,
        "size_p": np.nan,
    }
    if len(known) > 2:
        arrays = (known[c].to_numpy(float) for c in ("effect", "variance", "n_arm1", "n_arm2"))
        by_size = egger_by_size(*arrays)
        row |= {"size_slope": by_size.slope, "size_p": by_size.slope_p}
    return row | {"interpreted": len(y) >= INTERPRETED_FROM}


def _random_mean(y: np.ndarray, v: np.ndarray) -> float:
    w = 1 / (v + estimate_tau2(y, v, "REML")) if len(y) > 1 else np.ones(1)
    return float((w * y).sum() / w.sum())


def _mixed_slope(y: np.ndarray, v: np.ndarray) -> float:
    """Slope on the standard error in a mixed-effects regression (REML), PyMARE's."""
    dataset = Dataset(y=y, v=v, X=np.sqrt(v)[:, None], add_intercept=True)
    result = VarianceBasedLikelihoodEstimator(method="REML").fit_dataset(dataset).summary()
    return float(result.get_fe_stats()["est"][1].item())
