"""Small-study effects: Egger's regression, rank correlation, trim-and-fill, PET and PEESE.

All take y (effects, positive favours peer support) and v (variances) of length k.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from peersupport.pool import engine

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
    """Duval & Tweedie 2000, estimator L0 about the REML mean, for trials missing on the unfavourable side alone: what
    fills the other side corrects no bias. Returns the filled y and v, and how many were filled in. Raises ValueError
    where the number does not come to rest. engine.fill, one column.
    """
    ys, vs = engine.sort_columns(np.asarray(y, float)[:, None], np.asarray(v, float)[:, None])
    filled_y, filled_v, filled = engine.fill(ys, vs, "REML")
    if filled[0] < 0:
        raise ValueError("trim and fill does not come to rest: the number of trials to fill in goes round in a circle")
    return np.append(y, filled_y[len(y) :, 0]), np.append(v, filled_v[len(v) :, 0]), int(filled[0])


def filled_points(effects: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Effects and variances that trim and fill adds to a domain's trials; empty if there are none or no rest."""
    y, v = effects["effect"].to_numpy(float), effects["variance"].to_numpy(float)
    try:
        filled_y, filled_v, _ = trim_and_fill(y, v)
    except ValueError:
        return np.empty(0), np.empty(0)
    return filled_y[len(y) :], filled_v[len(v) :]


def pet_peese(y: np.ndarray, v: np.ndarray) -> tuple[str, Line]:
    """Stanley & Doucouliagos 2014: PET's intercept (on the standard error), or, if its one-sided test
    at 5% finds an effect above zero, PEESE's (on the variance). Returns which, and the line."""
    pet = weighted_line(y, np.sqrt(v), v)
    if pet.intercept > 0 and pet.intercept_p / 2 < 0.05:
        return "PEESE", weighted_line(y, v, v)
    return "PET", pet


def _line_or_none(test, *arrays) -> Line | None:
    """Trials that are too few or alike in precision carry no line, and effects on one line no error."""
    try:
        line = test(*arrays)
    except ValueError:
        return None
    return line if line.slope_se > 0 else None


def small_study_row(effects: pd.DataFrame) -> dict:
    """Egger (with SE, and by size where both arms are known) and rank test of one domain."""
    y, v = effects["effect"].to_numpy(float), effects["variance"].to_numpy(float)
    known = effects.dropna(subset=["n_arm1", "n_arm2"])
    sizes = [known[c].to_numpy(float) for c in ("effect", "variance", "n_arm1", "n_arm2")]
    line, by_size = _line_or_none(egger, y, v), _line_or_none(egger_by_size, *sizes)
    tau, p = rank_test(y, v) if len(y) > 1 and np.ptp(v) > 0 else (np.nan, np.nan)
    row = {
        "trials": len(y),
        "egger_slope": line.slope if line else np.nan,
        "egger_t": line.slope_t if line else np.nan,
        "egger_p": line.slope_p if line else np.nan,
        "rank_tau": tau,
        "rank_p": p,
        "trials_with_n": len(known),
        "size_slope": by_size.slope if by_size else np.nan,
        "size_p": by_size.slope_p if by_size else np.nan,
    }
    return row | {"interpreted": len(y) >= INTERPRETED_FROM}
