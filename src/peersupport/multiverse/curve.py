"""What the curve of all results says, whether it could arise without an effect, and the tables made of it."""

import numpy as np
import pandas as pd

from peersupport.multiverse.data_sets import DataSets
from peersupport.multiverse.evaluate import MODEL_CHOICES, RESULTS, Limits, evaluate


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
    return pd.DataFrame(rows, columns=["choice", "level", "estimable", "median", "share_ci_above_0"])


def sign_flips(trials: int, permutations: int, seed) -> np.ndarray:
    """permutations x trials, True where a trial's effects change sign; under no effect both signs are
    equally likely for each trial, whatever its size and however trials differ."""
    return np.random.default_rng(seed).random((permutations, trials)) < 0.5


def curves_under_signs(data: DataSets, flips: np.ndarray, choices: dict, limits: Limits) -> np.ndarray:
    """Median effect and share of intervals above 0 of the whole multiverse, for each row of `flips`."""
    changed = flips.T[:, None, :]  # trials x 1 x flips: every data set under every row of signs
    size = len(data.y), data.y.shape[1] * len(flips)
    y = np.where(changed, data.y_flipped[..., None], data.y[..., None]).reshape(size)
    v = np.where(changed, data.v_flipped[..., None], data.v[..., None]).reshape(size)
    y, v, place = _distinct(y, v)
    results = evaluate(y, v, choices, limits, everything=False)
    shape = (-1, data.y.shape[1], len(flips))
    effect, low = (results[name][..., place].reshape(shape) for name in ("effect", "ci_low"))
    return np.array([_curve(effect[..., i], low[..., i], data.combinations) for i in range(len(flips))])


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
        axis: np.array([str(x) for x in levels])[at[axis]][rows["data_set"]] for axis, levels in data.axes.items()
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
