"""All subsets of the trials (GOSH: Olkin, Dahabreh & Trikalinos 2012, doi 10.1002/jrsm.1053).

Up to a number of trials every subset of two or more is pooled; above it, subsets drawn at random.
Fixed effects need three sums per subset, which are one matrix product for a whole block of subsets;
random effects take their heterogeneity from the same sums (DerSimonian-Laird) or from engine.pool.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from peersupport.multiverse import workers
from peersupport.pool import engine

BLOCK = 1 << 16  # subsets at once: with 40 trials about 20 MB an array
BINS = (100, 50)  # effect, I2
FEW = 1000  # subsets that are drawn one by one


@dataclass(frozen=True)
class Plan:
    """Which subsets: all of them if `trials` is at most `exhaustive`, else `drawn` random ones."""

    trials: int
    exhaustive: int = 20
    drawn: int = 1_000_000
    seed: int = 0

    @property
    def complete(self) -> bool:
        return self.trials <= self.exhaustive

    @property
    def blocks(self) -> range:
        return range(-(-(1 << self.trials if self.complete else self.drawn) // BLOCK))

    def masks(self, block: int) -> np.ndarray:
        """subsets x trials, True where a trial is in; subsets of fewer than two trials are left out."""
        start = block * BLOCK
        if self.complete:
            number = np.arange(start, min(start + BLOCK, 1 << self.trials))
            masks = (number[:, None] >> np.arange(self.trials)) & 1 == 1
        else:
            count = min(BLOCK, self.drawn - start)
            drawn = np.random.default_rng([self.seed, block])
            masks = drawn.random((count, self.trials), dtype=np.float32) < 0.5
        return masks[masks.sum(axis=1) > 1]


def pool_block(y, v, plan: Plan, block: int, estimator: str) -> tuple[np.ndarray, np.ndarray]:
    """Pooled effect and I2 (percent) of every subset of one block. y, v: the k trials.

    I2 is tau2 / (tau2 + typical variance) (Higgins & Thompson 2002, as metafor), and with "fixed" the
    (Q - df) / Q of the same data.
    """
    masks = plan.masks(block)
    inside = masks.astype(float)
    w, middle = 1 / v, np.average(y, weights=1 / v)
    apart = y - middle  # near zero, so that the difference of squares keeps its digits
    sums = inside @ np.column_stack([w, w * w, w * apart, w * apart**2])
    weight, squares, weighted, q = sums.T
    df = masks.sum(axis=1) - 1
    q = np.maximum(0, q - weighted**2 / weight)
    if estimator == "fixed":
        with np.errstate(divide="ignore", invalid="ignore"):
            return middle + weighted / weight, np.where(q > df, 100 * (q - df) / q, 0.0)
    if estimator == "DL":
        tau2 = np.maximum(0, (q - df) / (weight - squares / weight))
        w = masks.T / (v[:, None] + tau2)
        effect = middle + np.einsum("ij,i->j", w, apart) / w.sum(axis=0)
    else:
        fits = engine.pool(masks.T * y[:, None], np.where(masks.T, v[:, None], np.inf), estimator)
        effect, tau2 = fits.effect, fits.tau2
    return effect, 100 * tau2 / (tau2 + df / (weight - squares / weight))


def density(effect: np.ndarray, i2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts over a grid of effect and I2 and the edges; the outermost thousandths go into the last cells."""
    low, high = np.quantile(effect, [0.001, 0.999])
    edges = np.linspace(low, high, BINS[0] + 1), np.linspace(0, 100, BINS[1] + 1)
    counts = np.bincount(_cells(effect, i2, edges), minlength=BINS[0] * BINS[1])
    return counts.reshape(BINS), *edges


def _cells(effect, i2, edges):
    """The number of the grid's cell in which each subset lies."""
    place = [
        np.clip(((x - e[0]) / (e[1] - e[0])).astype(int), 0, len(e) - 2)
        for x, e in zip((np.clip(effect, edges[0][0], edges[0][-1]), i2), edges, strict=True)
    ]
    return place[0] * BINS[1] + place[1]


def splits(effect, i2, plan: Plan, names: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """How far each trial splits the subsets: a row per trial, the strongest first, and the counts of
    the subsets that hold it (trials x effect x I2, in the order of `names`).

    `separation`: the largest distance between the distribution functions with and without the trial,
    of the effect or of I2, whichever is larger (Kolmogorov; 0: the trial makes no difference; 1: two
    clouds). `shift`: mean effect with it less mean effect without it.
    """
    _, *edges = density(effect, i2)
    cells = _cells(effect, i2, edges)
    size = BINS[0] * BINS[1]
    counts, totals, sums, start = np.zeros((plan.trials, size)), 0, 0, 0
    for block in plan.blocks:
        masks = plan.masks(block)
        here = slice(start, start + len(masks))
        start += len(masks)
        for trial, held in enumerate(masks.T):
            counts[trial] += np.bincount(cells[here][held], minlength=size)
        totals = totals + masks.sum(axis=0)
        sums = sums + effect[here] @ masks
    others = len(effect) - totals
    counts = counts.reshape(-1, *BINS)
    rest = np.bincount(cells, minlength=size).reshape(BINS) - counts
    gaps = [
        np.abs(np.cumsum(counts.sum(axis) / totals[:, None] - rest.sum(axis) / others[:, None], axis=1))
        for axis in (2, 1)
    ]
    separation = np.maximum(*(gap.max(axis=1) for gap in gaps))
    shift = sums / totals - (effect.sum() - sums) / others
    table = pd.DataFrame({"trial": names, "separation": separation, "shift": shift})
    return table.sort_values("separation", ascending=False, kind="stable"), counts.reshape(-1, *BINS)


def summary(effect: np.ndarray, i2: np.ndarray) -> dict[str, float]:
    low, middle, high = np.percentile(effect, [2.5, 50, 97.5])
    return {
        "subsets": len(effect),
        "median": middle,
        "percentile_2_5": low,
        "percentile_97_5": high,
        "lowest": effect.min(),
        "highest": effect.max(),
        "share_positive": np.mean(effect > 0),
        "median_i2": np.median(i2),
    }


@dataclass(frozen=True)
class Cloud:
    """All subsets of one family: their summary, density, and the trial that splits them most."""

    summary: dict[str, float]
    counts: np.ndarray
    edges: list[np.ndarray]
    splits: pd.DataFrame
    held: np.ndarray  # the counts of the subsets that hold the first trial of `splits`
    points: tuple | None  # where there are few: effect, I2, and whether that trial is in


def all_subsets(y, v, names: list[str], plan: Plan, estimator: str) -> Cloud:
    """Pool every subset of the plan, block by block (blocks.run)."""
    pieces = [(y, v, plan, block, estimator) for block in plan.blocks]
    jobs = 1 if len(pieces) == 1 else -1
    found = workers.run(pool_block, pieces, f"subsets of {plan.trials} trials", jobs=jobs)
    effect, i2 = (np.concatenate(part) for part in zip(*found, strict=True))
    counts, *edges = density(effect, i2)
    table, held = splits(effect, i2, plan, names)
    strongest = names.index(table["trial"].iloc[0])
    few = len(effect) <= FEW
    points = (effect, i2, plan.masks(0)[:, strongest]) if few else None
    return Cloud(summary(effect, i2), counts, edges, table, held[strongest], points)


def every_subset(data: Mapping, all_up_to: int, drawn: int, seed: int) -> dict[tuple, Cloud]:
    """((outcome domain, family), estimator) -> the Cloud of DL and of fixed effects.

    data: family -> trials, effects and variances of its main analysis. All subsets up to `all_up_to` trials, else
    `drawn` of them at random; family number i draws by seed + i.
    """
    found = {}
    for number, (key, (trials, y, v)) in enumerate(data.items()):
        plan = Plan(len(trials), all_up_to, drawn, seed + number)
        for estimator in ("DL", "fixed"):
            found[key, estimator] = all_subsets(y, v, trials, plan, estimator)
    return found


def summaries_of(clouds: Mapping[tuple, Cloud], all_up_to: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The summary of each cloud, and its trials with how far each separates it: the tables gosh and gosh_trials."""
    rows, trials = [], []
    for ((domain, family), estimator), cloud in clouds.items():
        about = {"outcome_domain": domain, "family": family, "model": estimator}
        counts = {"trials": len(cloud.splits), "all_subsets": len(cloud.splits) <= all_up_to}
        rows.append(about | counts | cloud.summary)
        trials.append(cloud.splits.assign(**about))
    return pd.DataFrame(rows), pd.concat(trials, ignore_index=True)
