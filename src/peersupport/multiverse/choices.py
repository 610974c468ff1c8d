"""What the multiverse starts from: the families of outcomes, and the rows that each pair of an order of
time points and an order of figures lets the selection rule take."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from peersupport.effects import select
from peersupport.effects.pools import pools
from peersupport.effects.routes import ROUTES


def in_window(choices: Mapping[str, Mapping], start: int, end: int) -> dict:
    """The choices with the review's window: a level named `window` takes its years, and is named after them."""
    years = {_window(start, end): {"year": list(range(start, end + 1))}}
    levels = {}
    for name, accepted in choices["window"].items():
        levels |= years if name == "window" else {name: accepted}
    return {**choices, "window": levels}


def types_in_window(types: Mapping[str, Mapping], start: int, end: int) -> dict:
    """The types of levels (parameters.yml, multiverse_types) with the level `window` named as in_window names it."""
    renamed = {"window": _window(start, end)}
    return {
        kind: {name: [renamed.get(x, x) if name == "window" else x for x in levels] for name, levels in named.items()}
        for kind, named in types.items()
    }


def _window(start: int, end: int) -> str:
    return f"{start} to {end}"


def families(effects: pd.DataFrame, least: int, codebook: Mapping) -> dict[tuple, pd.DataFrame]:
    """(name of a pool, family of effects) -> all its rows from randomised trials, where `least` trials or more are in
    the main analysis."""
    found = {(pool.name, pool.family): pool.rows for pool in pools(effects[effects["randomised"]], codebook)}
    return {key: rows for key, rows in found.items() if rows.loc[rows["selected"], "trial"].nunique() >= least}


def selections(effects: pd.DataFrame, aliases: dict, choices: dict) -> dict[tuple, np.ndarray]:
    """(level of time_point, level of figures) -> the rows that the rule of notebook 01 selects.

    Trials that leave the rule nothing to decide are settled here; the others are put before it, the
    cases of one order of time points and figures in one call.
    """
    rows = effects.fillna({"flags": ""}).reset_index(drop=True)
    kind = rows["method"].map({name: route.figures for name, route in ROUTES.items()})
    taken, cases = {}, {}
    for (time, times), (figure, figures) in product(choices["time_point"].items(), choices["figures"].items()):
        taken[time, figure] = mask = np.zeros(len(rows), dtype=bool)
        eligible = rows["randomised"] & rows["time_point"].isin(times) & kind.isin(figures)
        for index in rows[eligible].groupby(select.UNIT, dropna=False).groups.values():
            if len(index) == 1:
                mask[index] = True
            else:
                orders = (_that_matter(times, rows["time_point"][index]), _that_matter(figures, kind[index]))
                cases.setdefault(orders, {}).setdefault(tuple(index), []).append(mask)
    for orders, units in cases.items():
        _decide(rows, aliases, orders, units)
    return taken


def _that_matter(order, present):
    return tuple(x for x in order if x in set(present))


def _decide(rows, aliases, orders, units):
    """Put each unit before the rule as a trial of its own, and enter what it takes in the masks."""
    tagged = [rows.loc[list(index)].assign(trial=str(n)) for n, index in enumerate(units)]
    chosen = select.select(pd.concat(tagged, ignore_index=True), aliases, *orders)["selected"]
    start = 0
    for index, masks in units.items():
        for mask in masks:
            mask[list(index)] = chosen[start : start + len(index)]
        start += len(index)
