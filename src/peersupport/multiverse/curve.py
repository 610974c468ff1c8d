"""What the curve of all results says, whether it could arise without an effect, and the tables made of it.

Many combinations of choices lead to one result, because a choice changes nothing where there is nothing to choose. Each
different result counts once: shares and medians are of results, not of combinations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from peersupport.multiverse import workers
from peersupport.multiverse.data_sets import DataSets
from peersupport.multiverse.evaluate import MODEL_CHOICES, RESULTS, Limits, evaluate, on_grid

TYPES = ("E", "U", "N")  # equivalent, uncertain, not equivalent: Del Giudice & Gangestad 2021
DECIMALS = 6  # what differs beyond them is rounding


@dataclass(frozen=True)
class Curve:
    """All results of one family of outcomes.

    table: one row per different result, sorted by effect, with its `type`; effect: the grid of all combinations, an
    axis per choice of `axes`; held: (choice, level) -> in how many combinations of each result it stands.
    """

    table: pd.DataFrame
    effect: np.ndarray
    axes: dict[str, list]
    held: dict[tuple[str, str], np.ndarray]

    @property
    def main_effect(self) -> float:
        """The main analysis's: the first level of every choice."""
        return float(self.effect.flat[0])


def whole(data: DataSets, choices: Mapping, limits: Limits, types: Mapping[str, Mapping[str, Sequence]]) -> Curve:
    """Every combination of the choices on one family's data sets; types: those of parameters.yml (rank_of_levels)."""
    results = evaluate(data.y, data.v, choices, limits)
    number = numbered(results)
    axes = {name: list(choices[name]) for name in MODEL_CHOICES} | data.axes
    on_all = np.where(data.place >= 0, number[..., data.place], -1)
    held = levels_held(on_all, axes)
    best = best_type(on_all, rank_of_levels(axes, types))
    shown = table(data, results, number, choices).assign(type=[TYPES[i] for i in best])
    return Curve(shown, on_grid(results["effect"], data.place), axes, held)


def numbered(results: Mapping[str, np.ndarray]) -> np.ndarray:
    """The number of each result, from 0 in the order of the effects; equal ones of one data set share it; -1: none.
    Results are equal if effect and ci_low are, to DECIMALS (an interval is symmetrical about its effect).

    results: from evaluate, with everything; the last axis is the data set.
    """
    there = ~np.isnan(results["ci_low"])
    found = np.nonzero(there)
    shown = {name: results[name][there].round(DECIMALS) for name in RESULTS[:2]}
    rows = pd.DataFrame(shown).assign(data_set=found[-1], exact=results["effect"][there])
    group = rows.groupby(["data_set", *shown], sort=False)
    code = group.ngroup().to_numpy()
    order = group["exact"].first().to_numpy().argsort(kind="stable")
    number = np.full(there.shape, -1)
    number[there] = np.argsort(order, kind="stable")[code]
    return number


def levels_held(number: np.ndarray, axes: Mapping[str, list]) -> dict[tuple[str, str], np.ndarray]:
    """(choice, level) -> in how many combinations of each result it stands; number: the grid, an axis per choice."""
    places, held = np.flatnonzero(number >= 0), {}
    own, size = number.ravel()[places], int(number.max(initial=-1)) + 1
    for axis, (name, levels) in enumerate(axes.items()):
        at = np.unravel_index(places, number.shape)[axis]
        for i, level in enumerate(levels):
            held[name, str(level)] = np.bincount(own[at == i], minlength=size)
    return held


def rank_of_levels(axes: Mapping[str, list], types: Mapping[str, Mapping[str, Sequence]]) -> list[list[int]]:
    """The place in TYPES of each level of each choice; a level that `types` does not name under U or N is E.

    Raises ValueError for a type, choice or level that is not there.
    """
    known = {name: [str(level) for level in levels] for name, levels in axes.items()}
    rank = {(name, level): 0 for name, levels in known.items() for level in levels}
    for kind, named in types.items():
        if kind not in TYPES:
            raise ValueError(f"multiverse_types: {kind!r} is none of {', '.join(TYPES)}.")
        for name, levels in named.items():
            for level in map(str, levels):
                if (name, level) not in rank:
                    raise ValueError(f"multiverse_types, {kind}: {name} has no level {level!r}.")
                rank[name, level] = TYPES.index(kind)
    return [[rank[name, level] for level in levels] for name, levels in known.items()]


def best_type(number: np.ndarray, ranks: Sequence[Sequence[int]]) -> np.ndarray:
    """The type of each result, as a place in TYPES: a combination is as its least defensible level, a result as the
    most defensible combination that leads to it."""
    worst = np.zeros(number.shape, dtype=np.int8)
    for axis, levels in enumerate(ranks):
        shape = [-1 if i == axis else 1 for i in range(number.ndim)]
        worst = np.maximum(worst, np.array(levels, dtype=np.int8).reshape(shape))
    there = number >= 0
    best = np.full(int(number.max(initial=-1)) + 1, len(TYPES) - 1)
    np.minimum.at(best, number[there], worst[there])
    return best


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Of a table of different results: how many, median, range, and shares (0 to 1) whose interval excludes 0."""
    if table.empty:
        return {"results": 0, "combinations": 0}
    effect, low, high = (table[name].to_numpy() for name in RESULTS[:3])
    return {
        "results": len(table),
        "combinations": int(table["combinations"].sum()),
        "median": np.median(effect),
        "lowest": effect.min(),
        "percentile_5": np.percentile(effect, 5),
        "percentile_95": np.percentile(effect, 95),
        "highest": effect.max(),
        "share_positive": np.mean(effect > 0),
        "share_ci_above_0": np.mean(low > 0),
        "share_ci_below_0": np.mean(high < 0),
    }


def by_type(table: pd.DataFrame) -> pd.DataFrame:
    """The summary of the results of each of TYPES, apart: type, then the columns of summary."""
    return pd.DataFrame([{"type": kind} | summary(table[table["type"].eq(kind)]) for kind in TYPES])


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


def levels_table(curve: Curve) -> pd.DataFrame:
    """For each level of each choice, over the different results it leads to: `choice, level, results, median,
    share_ci_above_0`."""
    effect, above = curve.table["effect"].to_numpy(), curve.table["ci_low"].to_numpy() > 0
    rows = []
    for (name, level), count in curve.held.items():
        here = count > 0
        middle, share = (np.median(effect[here]), np.mean(above[here])) if here.any() else (np.nan, np.nan)
        rows.append((name, level, int(here.sum()), middle, share))
    return pd.DataFrame(rows, columns=["choice", "level", "results", "median", "share_ci_above_0"])


def sign_flips(trials: int, permutations: int, seed) -> np.ndarray:
    """permutations x trials, True where a trial's effects change sign.

    The null is that of a sign-flip test: in no trial an effect, or effects that lie symmetrically about zero; then both
    signs are equally likely for each trial, whatever its size. It is not "zero on average": where true effects are
    skewed about a mean of zero the test of the median rejects too often.
    """
    return np.random.default_rng(seed).random((permutations, trials)) < 0.5


def curves_under_signs(data: DataSets, flips: np.ndarray, choices: dict, limits: Limits) -> np.ndarray:
    """Median effect and share of intervals above 0, over the different results of the whole multiverse, for each row
    of `flips`."""
    changed = flips.T[:, None, :]  # trials x 1 x flips: every data set under every row of signs
    size = len(data.y), data.y.shape[1] * len(flips)
    y = np.where(changed, data.y_flipped[..., None], data.y[..., None]).reshape(size)
    v = np.where(changed, data.v_flipped[..., None], data.v[..., None]).reshape(size)
    y, v, place = _distinct(y, v)
    results = evaluate(y, v, choices, limits, everything=False)
    once = _different(results["effect"], results["ci_low"])
    shape = (len(once), data.y.shape[1], len(flips))
    once = once[:, place].reshape(shape)
    return np.array([_curve(once[..., i]) for i in range(len(flips))])


def _different(effect, low):
    """effect + i low of each different result of a column, NaN for its repetitions: results x data sets."""
    pairs = (effect.round(DECIMALS) + 1j * low.round(DECIMALS)).reshape(-1, effect.shape[-1])
    pairs = np.sort(pairs, axis=0)
    pairs[1:][pairs[1:] == pairs[:-1]] = np.nan
    return pairs


def _distinct(y, v):
    """Each different column once, and where to find every column among them."""
    columns = np.ascontiguousarray(np.vstack([y, v]).T)
    as_bytes = columns.view(f"V{columns[0].nbytes}").ravel()
    _, first, place = np.unique(as_bytes, return_index=True, return_inverse=True)
    return y[:, first], v[:, first], place


def _curve(pairs):
    found = pairs[~np.isnan(pairs)]
    return np.median(found.real), np.mean(found.imag > 0)


def observed(data: DataSets, choices: dict, limits: Limits) -> np.ndarray:
    """The same two figures of the curve as it is."""
    return curves_under_signs(data, np.zeros((1, len(data.trials)), dtype=bool), choices, limits)[0]


def under_no_effect(data: Mapping, choices: dict, limits: Limits, *, flips: int, seed: int) -> dict:
    """curves_under_signs of each family for so many patterns of signs, over all cores; seed: number `i` draws the
    family `i` by [seed, i]."""
    pieces, size = [], 100
    for number, d in enumerate(data.values()):
        signs = sign_flips(len(d.trials), flips, [seed, number])
        pieces += [(d, signs[i : i + size], choices, limits) for i in range(0, flips, size)]
    curves = np.concatenate(workers.run(curves_under_signs, pieces, "multiverse under no effect"))
    return dict(zip(data, curves.reshape(len(data), flips, 2), strict=True))


def summaries(data: Mapping, curves: Mapping, under_null: Mapping, choices: dict, limits: Limits) -> pd.DataFrame:
    """One row per family: outcome_domain, family, trials, data_sets, main_effect, share_below_main, then summary, and
    p_median and p_share against under_no_effect."""
    rows = []
    for key, d in data.items():
        one, found = curves[key], observed(d, choices, limits)
        row = {"trials": len(d.trials), "data_sets": d.y.shape[1], "main_effect": one.main_effect}
        row |= {"share_below_main": float((one.table["effect"] < one.main_effect).mean())} | summary(one.table)
        row |= dict(zip(["p_median", "p_share"], probability(found, under_null[key]), strict=True))
        rows.append(dict(zip(["outcome_domain", "family"], key, strict=True)) | row)
    return pd.DataFrame(rows)


def joined(tables: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Tables by (outcome domain, family) below one another, with these two as their first columns."""
    return pd.concat(tables, names=["outcome_domain", "family"]).reset_index(level=[0, 1]).reset_index(drop=True)


def probability(observed: np.ndarray, under_null: np.ndarray) -> np.ndarray:
    """Share of curves at least as extreme, the observed one among them (Phipson & Smyth 2010).

    observed: median, share above 0; the median is two-sided, the share one-sided.
    """
    median, share = under_null.T
    extreme = [np.abs(median) >= abs(observed[0]), share >= observed[1]]
    return np.array([(1 + x.sum()) / (1 + len(under_null)) for x in extreme])


def table(data: DataSets, results: Mapping[str, np.ndarray], number: np.ndarray, choices: Mapping) -> pd.DataFrame:
    """One row per different result of one family (numbered), in the order of its number, which is that of the effects.

    Columns: every choice, `k`, `effect`, `ci_low`, `ci_high`, `p_value`, `tau2`, `data_set`,
    `combinations`. The choices are the first, in the declared order, of the `combinations` that lead
    to the result: a choice that changes nothing shows its first level.
    """
    names = {name: [str(level) for level in choices[name]] for name in MODEL_CHOICES}
    there = number >= 0
    rows = pd.DataFrame(dict(zip([*names, "data_set"], np.nonzero(there), strict=True)))
    rows = rows.assign(number=number[there], **{name: results[name][there] for name in RESULTS})
    rows["combinations"] = data.combinations[rows["data_set"]]
    total = rows.groupby("number")["combinations"].sum()
    rows = rows.drop_duplicates("number").set_index("number").sort_index().assign(combinations=total)
    _, first = np.unique(data.place.ravel()[data.place.ravel() >= 0], return_index=True)
    first = np.flatnonzero(data.place.ravel() >= 0)[first]
    at = dict(zip(data.axes, np.unravel_index(first, data.place.shape), strict=True))
    columns = {
        axis: np.array([str(x) for x in levels])[at[axis]][rows["data_set"]] for axis, levels in data.axes.items()
    } | {name: np.array(levels)[rows[name]] for name, levels in names.items()}
    shown = pd.DataFrame(columns)
    for name in ("k", "effect", "ci_low", "ci_high", "p_value", "tau2", "data_set", "combinations"):
        shown[name] = rows[name].to_numpy()
    return shown.assign(k=shown["k"].astype(int))


def panel(held: Mapping[tuple[str, str], np.ndarray], bins: int = 100) -> dict[tuple, np.ndarray]:
    """(choice, level) -> its share in each of `bins` equal parts of the curve of different results.

    held: as in Curve; a result that several levels of a choice lead to is shared out by its combinations.
    """
    choices = {choice for choice, _ in held}
    whole = {name: sum(count for (choice, _), count in held.items() if choice == name) for name in choices}
    shares = {}
    for (choice, level), count in held.items():
        part = count / whole[choice]
        parts = np.linspace(0, len(part), bins + 1)
        reached = np.interp(parts, np.arange(len(part) + 1), np.append(0, np.cumsum(part)))
        shares[choice, level] = np.diff(reached) / np.diff(parts)
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
