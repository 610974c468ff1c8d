"""Every combination of defensible choices, fitted at once (a specification curve; Simonsohn 2020).

The choices are data (parameters.yml). A row filter is a mapping from level to the accepted values of
columns; `time_point` orders time points; `figures` says which routes to an effect may be used;
`several` and `rho` say what a trial with several effects counts; the model choices name what
pool.engine fits. The first level of each choice is the main analysis's.

Combinations that leave the same effects are one data set: each is fitted once, and the results are
laid out in a grid with one axis per choice.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from peersupport.pool import engine

MODEL_CHOICES = ("outliers", "small_study", "estimator", "interval")
RESULTS = ("effect", "ci_low", "ci_high", "p_value", "tau2", "k")


@dataclass(frozen=True)
class Limits:
    """Fewest trials: in any fit, and in a fit with a small-study correction."""

    trials: int = 3
    correction_trials: int = 10


def evaluate(y, v, choices: dict, limits: Limits, everything: bool = True) -> dict[str, np.ndarray]:
    """Every model choice on d data sets (k x d): arrays outliers x small_study x estimator x interval x d.

    `effect`, `ci_low`, `ci_high`, and with `everything` also `p_value`, `tau2`, `k`. NaN: too few
    trials, or an interval that does not go with the estimator (Hartung and Knapp's is for random
    effects). A trial is an outlier if its 95% interval lies apart from that of the pooled effect
    (REML, Hartung-Knapp); outliers leave once, before anything else is fitted.
    """
    y, v = engine.sort_columns(y, v)
    kept = _fit_models(y, v, choices, limits, everything)
    parts = []
    for level in choices["outliers"]:
        parts.append(kept if level == "kept" else dict(kept))
        if level != "kept":
            fewer_y, fewer_v = engine.sort_columns(*without_outliers(y, v))
            changed = np.flatnonzero((fewer_v != v).any(axis=0))
            fewer = fewer_y[:, changed], fewer_v[:, changed]
            for name, found in _fit_models(*fewer, choices, limits, everything).items():
                parts[-1][name] = kept[name].copy()
                parts[-1][name][..., changed] = found
    return {name: np.stack([part[name] for part in parts]) for name in kept}


def _fit_models(y, v, choices, limits, everything):
    """The same without the axis of outliers, on sorted columns."""
    k = np.isfinite(v).sum(axis=0)
    many = np.flatnonzero(k >= limits.correction_trials)
    v = np.where(k >= limits.trials, v, np.inf)
    filled_y, filled_v, filled = engine.fill(y[:, many], v[:, many], "REML")
    refit = filled != 0
    line = engine.pet_peese(y[:, many], v[:, many])
    shape = (*(len(choices[name]) for name in MODEL_CHOICES[1:]), y.shape[1])
    results = {name: np.full(shape, np.nan) for name in (RESULTS if everything else RESULTS[:3])}
    for e, estimator in enumerate(choices["estimator"]):
        plain = engine.pool(y, v, estimator)
        again = engine.pool(filled_y[:, refit], filled_v[:, refit], estimator)
        fits = {
            "none": (plain, np.arange(len(k))),
            "trim_and_fill": (_replaced(plain, again, many, refit), many),
            "pet_peese": (line, many),
        }
        for (s, correction), (i, interval) in product(
            enumerate(choices["small_study"]), enumerate(choices["interval"])
        ):
            if estimator == "fixed" and interval != "wald":
                continue
            fit, columns = fits[correction]
            for name, found in _summary(fit, interval, everything).items():
                results[name][s, e, i, columns] = k[columns] if name == "k" else found
    if everything:
        results["k"][np.isnan(results["effect"])] = np.nan
    return results


def _replaced(plain, again, columns, refit):
    values = {name: getattr(plain, name)[columns] for name in engine.Pooled.__annotations__}
    for name, value in values.items():
        value[refit] = getattr(again, name)
    return engine.Pooled(**values)


def without_outliers(y, v):
    """The same data sets with each trial left out whose 95% interval lies apart from the pooled one."""
    pooled = engine.pool(y, v, "REML")
    half = engine.half_width(pooled, "hartung_knapp")
    own = 1.959963984540054 * np.sqrt(v)
    with np.errstate(invalid="ignore"):
        apart = (y - own > pooled.effect + half) | (y + own < pooled.effect - half)
    return np.where(apart, 0.0, y), np.where(apart, np.inf, v)


def _summary(fits, interval, everything):
    if isinstance(fits, engine.Pooled):
        effect, tau2, k = fits.effect, fits.tau2, fits.k
        half = engine.half_width(fits, interval)
        error, df = engine.standard_error(fits, interval)
        df = np.full(len(k), np.inf) if interval == "wald" else df
    else:
        effect, error, df = fits
        half, tau2, k = engine.t_quantile(df) * error, np.full(len(df), np.nan), df + 2
    found = {"effect": effect, "ci_low": effect - half, "ci_high": effect + half}
    if everything:
        found["p_value"] = engine.p_value(effect, error, df)
        found |= {"tau2": tau2, "k": k}
    return found


def on_grid(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Results laid out with one axis per choice: model choices first, then the axes of DataSets."""
    return np.where(place >= 0, values[..., place], np.nan)
