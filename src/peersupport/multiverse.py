"""Every combination of defensible choices, fitted at once (a specification curve; Simonsohn 2020).

The choices are data (parameters.yml). A row filter is a mapping from level to the accepted values of
columns; `time_point` orders time points; `figures` says which routes to an effect may be used;
`several` and `rho` say what a trial with several effects counts; the model choices name what
stacked.py fits. The first level of each choice is the main analysis's.

Combinations that leave the same effects are one data set: each is fitted once, and the results are
laid out in a grid with one axis per choice.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from peersupport import stacked

MODEL_CHOICES = ("outliers", "small_study", "estimator", "interval")
NOT_FILTERS = ("time_point", "figures", "several", "rho")
SEVERAL = ("average", "highest", "lowest")
RESULTS = ("effect", "ci_low", "ci_high", "p_value", "tau2", "k")


@dataclass(frozen=True)
class Limits:
    """Fewest trials: in any fit, and in a fit with a small-study correction."""

    trials: int = 3
    correction_trials: int = 10


@dataclass(frozen=True)
class DataSets:
    """The d distinct data sets of one family of outcomes, over its k trials.

    y, v: k x d, variance inf where a trial is not in; y_flipped, v_flipped: what the trial
    contributes when its effects change sign (its lowest effect becomes its highest). `place`: for each
    combination of data choices, in `axes` order, the column of its data set, -1 with too few trials.
    """

    trials: list[str]
    axes: dict[str, list]
    place: np.ndarray
    y: np.ndarray
    v: np.ndarray
    y_flipped: np.ndarray
    v_flipped: np.ndarray

    @property
    def combinations(self) -> np.ndarray:
        """How many combinations of data choices lead to each data set."""
        return np.bincount(self.place[self.place >= 0], minlength=self.y.shape[1])

    def main(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Trials, effects and variances of the main analysis (the first level of every choice)."""
        y, v = self.y[:, self.place.flat[0]], self.v[:, self.place.flat[0]]
        inside = np.isfinite(v)
        return (
            [t for t, there in zip(self.trials, inside, strict=True) if there],
            y[inside],
            v[inside],
        )


# ---------------------------------------------------------------- which data sets


def accepts(rows: pd.DataFrame, accepted: dict[str, list]) -> np.ndarray:
    """Rows whose every named column holds one of the accepted values; {} accepts all."""
    unknown = [column for column in accepted if column not in rows]
    if unknown:
        raise ValueError(f"a choice names {', '.join(unknown)}, which the effects do not have.")
    mask = np.ones(len(rows), dtype=bool)
    for column, values in accepted.items():
        mask &= rows[column].isin(values).to_numpy()
    return mask


def data_sets(rows: pd.DataFrame, taken: dict, choices: dict, least: int) -> DataSets:
    """Every combination of the data choices on one family's rows; `taken` holds masks over these rows."""
    axes = {name: list(levels) for name, levels in choices.items() if name not in MODEL_CHOICES}
    filters = [name for name in axes if name not in NOT_FILTERS]
    axes = {name: axes[name] for name in ("time_point", "figures", *filters, "several", "rho")}
    masks = np.array([m for m in _row_masks(rows, taken, choices, axes, filters)])
    masks, which_mask = np.unique(masks, axis=0, return_inverse=True)
    pairs = list(product(axes["several"], axes["rho"]))
    stacks = [_per_trial(rows, masks, several, rho) for several, rho in pairs]
    columns, place = np.unique(np.concatenate(stacks, axis=2), axis=2, return_inverse=True)
    enough = np.isfinite(columns[1]).sum(axis=0) >= least
    number = np.where(enough, np.cumsum(enough) - 1, -1)
    place = number[place.reshape(len(pairs), len(masks))][:, which_mask.ravel()].T
    place = place.reshape([len(levels) for levels in axes.values()])
    return DataSets(sorted(rows["trial"].unique()), axes, place, *columns[:, :, enough])


def _row_masks(rows, taken, choices, axes, filters):
    """The rows that each combination of time point, figures and filters leaves."""
    each = [[accepts(rows, accepted) for accepted in choices[name].values()] for name in filters]
    for time, figure in product(axes["time_point"], axes["figures"]):
        for masks in product(*each):
            yield np.logical_and.reduce([taken[time, figure], *masks])


def _per_trial(rows, masks, several, rho):
    """y, v, y_flipped and v_flipped under each mask, one effect per trial: 4 x k x masks.

    "average": the mean, its variance with correlation rho between a trial's effects (Borenstein et
    al. 2009, formula 24.4, as pooling.composites); "highest", "lowest": one effect, as pooling.extreme.
    """
    if several not in SEVERAL:
        raise ValueError(f"several {several!r}: choose from {', '.join(SEVERAL)}.")
    effect, variance = rows["effect"].to_numpy(float), rows["variance"].to_numpy(float)
    parts = []
    for trial in sorted(rows["trial"].unique()):
        own = np.flatnonzero(rows["trial"].eq(trial))
        mask, y, v = masks[:, own], effect[own], variance[own]
        if several == "average":
            one = _average(mask, y, v, rho)
            parts.append((*one, -one[0], one[1]))
        else:
            other = "lowest" if several == "highest" else "highest"
            here, there = _extreme(mask, y, v, several), _extreme(mask, y, v, other)
            parts.append((*here, -there[0], there[1]))
    return np.array(parts).swapaxes(0, 1) + 0.0  # no -0.0


def _average(mask, y, v, rho):
    m = mask.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = (1 - rho) * (mask * v).sum(axis=1) + rho * (mask * np.sqrt(v)).sum(axis=1) ** 2
        single = (mask * v).sum(axis=1)
        variance = np.where(m == 1, single, total / m**2)
        return np.where(m > 0, (mask * y).sum(axis=1) / m, 0), np.where(m > 0, variance, np.inf)


def _extreme(mask, y, v, which):
    sign = 1 if which == "highest" else -1
    found = np.argmax(np.where(mask, sign * y, -np.inf), axis=1)
    some = mask.any(axis=1)
    return np.where(some, y[found], 0), np.where(some, v[found], np.inf)


# ---------------------------------------------------------------- every model on every data set


def evaluate(y, v, choices: dict, limits: Limits, everything: bool = True) -> dict[str, np.ndarray]:
    """Every model choice on d data sets (k x d): arrays outliers x small_study x estimator x interval x d.

    `effect`, `ci_low`, `ci_high`, and with `everything` also `p_value`, `tau2`, `k`. NaN: too few
    trials, or an interval that does not go with the estimator (Hartung and Knapp's is for random
    effects). A trial is an outlier if its 95% interval lies apart from that of the pooled effect
    (REML, Hartung-Knapp); outliers leave once, before anything else is fitted.
    """
    y, v = stacked.sort_columns(y, v)
    kept = _fit_models(y, v, choices, limits, everything)
    parts = []
    for level in choices["outliers"]:
        parts.append(kept if level == "kept" else dict(kept))
        if level != "kept":
            fewer_y, fewer_v = stacked.sort_columns(*without_outliers(y, v))
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
    filled_y, filled_v, filled = stacked.fill(y[:, many], v[:, many])
    refit = filled != 0
    line = stacked.pet_peese(y[:, many], v[:, many])
    shape = (*(len(choices[name]) for name in MODEL_CHOICES[1:]), y.shape[1])
    results = {name: np.full(shape, np.nan) for name in (RESULTS if everything else RESULTS[:3])}
    for e, estimator in enumerate(choices["estimator"]):
        plain = stacked.pool(y, v, estimator)
        again = stacked.pool(filled_y[:, refit], filled_v[:, refit], estimator)
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
    values = {name: getattr(plain, name)[columns] for name in stacked.Pooled.__annotations__}
    for name, value in values.items():
        value[refit] = getattr(again, name)
    return stacked.Pooled(**values)


def without_outliers(y, v):
    """The same data sets with each trial left out whose 95% interval lies apart from the pooled one."""
    pooled = stacked.pool(y, v, "REML")
    half = stacked.half_width(pooled, "hartung_knapp")
    own = 1.959963984540054 * np.sqrt(v)
    with np.errstate(invalid="ignore"):
        apart = (y - own > pooled.effect + half) | (y + own < pooled.effect - half)
    return np.where(apart, 0.0, y), np.where(apart, np.inf, v)


def _summary(fits, interval, everything):
    if isinstance(fits, stacked.Pooled):
        effect, tau2, k = fits.effect, fits.tau2, fits.k
        half = stacked.half_width(fits, interval)
        error, df = stacked.standard_error(fits, interval)
        df = np.full(len(k), np.inf) if interval == "wald" else df
    else:
        effect, error, df = fits
        half, tau2, k = stacked.t_quantile(df) * error, np.full(len(df), np.nan), df + 2
    found = {"effect": effect, "ci_low": effect - half, "ci_high": effect + half}
    if everything:
        found["p_value"] = stacked.p_value(effect, error, df)
        found |= {"tau2": tau2, "k": k}
    return found


def on_grid(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Results laid out with one axis per choice: model choices first, then the axes of DataSets."""
    return np.where(place >= 0, values[..., place], np.nan)


# ---------------------------------------------------------------- what the curve says


def summary(grid: dict[str, np.ndarray]) -> dict[str, float]:
    """Over all estimable combinations: how many, median, range, and shares whose interval excludes 0.

    grid: `effect`, `ci_low`, `ci_high` from on_grid. The first level of every choice is the main one.
    """
    there = ~np.isnan(grid["ci_low"])
    effect, low, high = (grid[name][there] for name in RESULTS[:3])
    main = grid["effect"].flat[0]
    return {
        "combinations": there.size,
        "estimable": len(effect),
        "main_effect": main,
        "median": np.median(effect),
        "lowest": effect.min(),
        "percentile_5": np.percentile(effect, 5),
        "percentile_95": np.percentile(effect, 95),
        "highest": effect.max(),
        "share_positive": np.mean(effect > 0),
        "share_ci_above_0": np.mean(low > 0),
        "share_ci_below_0": np.mean(high < 0),
        "share_below_main": np.mean(effect < main),
    }


def influence_of_choices(effect: np.ndarray, axes: dict[str, list]) -> pd.DataFrame:
    """How much each choice moves the answer: one row per choice with more than one level.

    effect: the grid, an axis per choice of `axes`. `share_alone`: squares between the levels' means, as
    a share of the squares of all estimable combinations (Sobol's first-order index, were the grid
    full). `share_total`: squares within the groups that differ in this choice only, as the same share
    (Sobol's total index; interactions count for each choice in them, so the shares do not add to 1).
    `typical_move`: the mean distance from the lowest to the highest effect in those groups.
    """
    total, mean = np.nanvar(effect) * np.count_nonzero(~np.isnan(effect)), np.nanmean(effect)
    rows = []
    for axis, (name, levels) in enumerate(axes.items()):
        lines = np.moveaxis(effect, axis, -1).reshape(-1, len(levels))
        there = ~np.isnan(lines)
        number = np.ones(len(lines)) @ there  # faster than a sum along a short axis
        means = np.where(there, lines, 0).sum(axis=0) / np.maximum(number, 1)
        alone = (number * (means - mean) ** 2).sum()
        lines = lines[there @ np.ones(len(levels)) > 1]
        within, move = _within(lines) if len(lines) else (0.0, 0.0)
        rows.append((name, alone / total, within / total, move))
    return pd.DataFrame(rows, columns=["choice", "share_alone", "share_total", "typical_move"])


def _within(lines):
    """Squares about the mean of each line, summed; mean distance from lowest to highest."""
    squares = (lines - np.nanmean(lines, axis=1, keepdims=True)) ** 2
    apart = np.nanmax(lines, axis=1) - np.nanmin(lines, axis=1)
    return np.nansum(squares), apart.mean()


def levels_table(grid: dict[str, np.ndarray], axes: dict[str, list]) -> pd.DataFrame:
    """For each level of each choice: `choice, level, estimable, median, share_ci_above_0`."""
    rows, places = [], np.flatnonzero(~np.isnan(grid["ci_low"]))
    effect, above = grid["effect"].ravel()[places], grid["ci_low"].ravel()[places] > 0
    index = np.unravel_index(places, grid["effect"].shape)
    for axis, (name, levels) in enumerate(axes.items()):
        for i, level in enumerate(levels):
            here = index[axis] == i
            share = np.mean(above[here]) if here.any() else np.nan
            middle = np.median(effect[here]) if here.any() else np.nan
            rows.append((name, str(level), int(here.sum()), middle, share))
    return pd.DataFrame(
        rows, columns=["choice", "level", "estimable", "median", "share_ci_above_0"]
    )


# ---------------------------------------------------------------- inference on the curve


def sign_flips(trials: int, permutations: int, seed) -> np.ndarray:
    """permutations x trials, True where a trial's effects change sign; under no effect both signs are
    equally likely for each trial, whatever its size and however trials differ."""
    return np.random.default_rng(seed).random((permutations, trials)) < 0.5


def curves_under_signs(
    data: DataSets, flips: np.ndarray, choices: dict, limits: Limits
) -> np.ndarray:
    """Median effect and share of intervals above 0 of the whole multiverse, for each row of `flips`."""
    changed = flips.T[:, None, :]  # trials x 1 x flips: every data set under every row of signs
    size = len(data.y), data.y.shape[1] * len(flips)
    y = np.where(changed, data.y_flipped[..., None], data.y[..., None]).reshape(size)
    v = np.where(changed, data.v_flipped[..., None], data.v[..., None]).reshape(size)
    y, v, place = _distinct(y, v)
    results = evaluate(y, v, choices, limits, everything=False)
    shape = (-1, data.y.shape[1], len(flips))
    effect, low = (results[name][..., place].reshape(shape) for name in ("effect", "ci_low"))
    return np.array(
        [_curve(effect[..., i], low[..., i], data.combinations) for i in range(len(flips))]
    )


def _distinct(y, v):
    """Each different column once, and where to find every column among them."""
    columns = np.ascontiguousarray(np.vstack([y, v]).T)
    as_bytes = columns.view(f"V{columns[0].nbytes}").ravel()
    _, first, place = np.unique(as_bytes, return_index=True, return_inverse=True)
    return y[:, first], v[:, first], place


def _curve(effect, low, combinations):
    """Weighted by the combinations of data choices behind each data set."""
    there = ~np.isnan(low)
    weight = np.broadcast_to(combinations, effect.shape)[there]
    effect, low = effect[there], low[there]
    order = np.argsort(effect)
    reached = np.cumsum(weight[order])
    middle = effect[order[np.searchsorted(reached, reached[-1] / 2)]]
    return middle, weight[low > 0].sum() / reached[-1]


def probability(observed: np.ndarray, under_null: np.ndarray) -> np.ndarray:
    """Share of curves at least as extreme, the observed one among them (Phipson & Smyth 2010).

    observed: median, share above 0; the median is two-sided, the share one-sided.
    """
    median, share = under_null.T
    extreme = [np.abs(median) >= abs(observed[0]), share >= observed[1]]
    return np.array([(1 + x.sum()) / (1 + len(under_null)) for x in extreme])


# ---------------------------------------------------------------- tables and what figures draw


def table(data: DataSets, results: dict[str, np.ndarray], choices: dict) -> pd.DataFrame:
    """One row per result of one family that differs in its first six decimals, sorted by effect.

    Columns: every choice, `k`, `effect`, `ci_low`, `ci_high`, `p_value`, `tau2`, `data_set`,
    `combinations`. The choices are the first, in the declared order, of the `combinations` that lead
    to the result: a choice that changes nothing shows its first level.
    """
    names = {name: [str(level) for level in choices[name]] for name in MODEL_CHOICES}
    estimable = ~np.isnan(results["ci_low"])
    found = dict(zip([*names, "data_set"], np.nonzero(estimable), strict=True))
    rows = pd.DataFrame(found).assign(**{name: results[name][estimable] for name in RESULTS})
    rows["combinations"] = data.combinations[rows["data_set"]]
    rounded = [rows[name].round(6) for name in RESULTS]  # what else differs is rounding
    same = rows.groupby([rows["data_set"], *rounded], sort=False, dropna=False)
    rows = rows.loc[same.head(1).index].assign(combinations=same["combinations"].sum().to_numpy())
    _, first = np.unique(data.place.ravel()[data.place.ravel() >= 0], return_index=True)
    first = np.flatnonzero(data.place.ravel() >= 0)[first]
    at = dict(zip(data.axes, np.unravel_index(first, data.place.shape), strict=True))
    columns = {
        axis: np.array([str(x) for x in levels])[at[axis]][rows["data_set"]]
        for axis, levels in data.axes.items()
    } | {name: np.array(levels)[rows[name]] for name, levels in names.items()}
    shown = pd.DataFrame(columns)
    for name in ("k", "effect", "ci_low", "ci_high", "p_value", "tau2", "data_set", "combinations"):
        shown[name] = rows[name].to_numpy()
    shown["k"] = shown["k"].astype(int)
    return shown.sort_values("effect", kind="stable", ignore_index=True)


def panel(effect: np.ndarray, axes: dict[str, list], bins: int = 100) -> dict[tuple, np.ndarray]:
    """(choice, level) -> its share of the combinations in each of `bins` equal parts of the curve.

    Combinations with the same effect have no order, so each of them is spread over their whole stretch.
    """
    places = np.flatnonzero(~np.isnan(effect))
    _, stretch, size = np.unique(effect.ravel()[places], return_inverse=True, return_counts=True)
    ends = np.append(0, np.cumsum(size))
    parts = np.linspace(0, len(places), bins + 1)
    index = np.unravel_index(places, effect.shape)
    shares = {}
    for axis, (name, levels) in enumerate(axes.items()):
        for i, level in enumerate(levels):
            count = np.bincount(stretch[index[axis] == i], minlength=len(size))
            reached = np.interp(parts, ends, np.append(0, np.cumsum(count)))
            shares[name, str(level)] = np.diff(reached) / np.diff(parts)
    return shares


def published(reviews: pd.DataFrame) -> pd.DataFrame:
    """Pooled effects of other reviews, turned so that positive favours peer support: `outcome_domain`,
    `family`, `review`, `effect`, `ci_low`, `ci_high`. Those without an effect or a direction are left out.
    """
    family = reviews["measure"].map({"SMD": "smd", "g": "smd", "d": "smd", "RR": "log_rr"})
    kept = family.notna() & reviews["effect"].notna()
    kept &= reviews["higher_is_better"].isin(["yes", "no"])
    rows = reviews[kept].assign(family=family[kept])
    figures = rows[["effect", "ci_low", "ci_high"]].astype(float)
    figures = figures.where(rows["family"].eq("smd"), np.log(figures.clip(lower=1e-9)))
    turned = rows["higher_is_better"].eq("no")
    low, high = figures["ci_low"], figures["ci_high"]
    return rows[["review", "outcome_domain", "family"]].assign(
        effect=figures["effect"].where(~turned, -figures["effect"]),
        ci_low=low.where(~turned, -high),
        ci_high=high.where(~turned, -low),
    )
