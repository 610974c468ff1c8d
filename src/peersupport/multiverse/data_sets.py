"""Which effects each combination of choices takes: every different data set once, one column each."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from peersupport.effects import arms
from peersupport.multiverse.evaluate import MODEL_CHOICES

NOT_FILTERS = ("time_point", "figures", "several", "rho")
SEVERAL = ("average", "highest", "lowest")


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
        return ([t for t, there in zip(self.trials, inside, strict=True) if there], y[inside], v[inside])


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


def of_families(effects: pd.DataFrame, families: dict, taken: dict, choices: dict, least: int) -> dict:
    """The DataSets of each of choices.families; `taken`: choices.selections, masks over all effects."""
    found = {}
    for key, rows in families.items():
        own = {pair: mask[effects.index.get_indexer(rows.index)] for pair, mask in taken.items()}
        found[key] = data_sets(rows, own, choices, least)
    return found


def _row_masks(rows, taken, choices, axes, filters):
    """The rows that each combination of time point, figures and filters leaves."""
    each = [[accepts(rows, accepted) for accepted in choices[name].values()] for name in filters]
    for time, figure in product(axes["time_point"], axes["figures"]):
        for masks in product(*each):
            yield np.logical_and.reduce([taken[time, figure], *masks])


def _per_trial(rows, masks, several, rho):
    """y, v, y_flipped and v_flipped under each mask, one effect per trial: 4 x k x masks.

    "average": the mean, its variance with correlation rho between a trial's scales and that of effects.arms between its
    arms and strata (Borenstein et al. 2009, formula 24.4, as pool.fit.composites). "highest", "lowest": one effect, as
    pool.fit.extreme.
    """
    if several not in SEVERAL:
        raise ValueError(f"several {several!r}: choose from {', '.join(SEVERAL)}.")
    effect, variance = rows["effect"].to_numpy(float), rows["variance"].to_numpy(float)
    parts = []
    for trial in sorted(rows["trial"].unique()):
        own = np.flatnonzero(rows["trial"].eq(trial))
        mask, y, v = masks[:, own], effect[own], variance[own]
        if several == "average":
            one = _average(mask, y, v, arms.correlations(rows.iloc[own], rho))
            parts.append((*one, -one[0], one[1]))
        else:
            other = "lowest" if several == "highest" else "highest"
            here, there = _extreme(mask, y, v, several), _extreme(mask, y, v, other)
            parts.append((*here, -there[0], there[1]))
    return np.array(parts).swapaxes(0, 1) + 0.0  # no -0.0


def _average(mask, y, v, correlations):
    m, roots = mask.sum(axis=1), mask * np.sqrt(v)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = ((roots @ correlations) * roots).sum(axis=1)
        single = (mask * v).sum(axis=1)
        variance = np.where(m == 1, single, total / m**2)
        return np.where(m > 0, (mask * y).sum(axis=1) / m, 0), np.where(m > 0, variance, np.inf)


def _extreme(mask, y, v, which):
    sign = 1 if which == "highest" else -1
    found = np.argmax(np.where(mask, sign * y, -np.inf), axis=1)
    some = mask.any(axis=1)
    return np.where(some, y[found], 0), np.where(some, v[found], np.inf)
