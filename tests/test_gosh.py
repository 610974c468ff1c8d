"""All subsets against metafor's fits of each (reference/multiverse.R), and the plan of subsets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from peersupport.multiverse import subsets
from peersupport.pool import engine

REFERENCE = Path(__file__).parent / "reference"


@pytest.mark.parametrize("estimator", ["fixed", "DL", "REML"])
@pytest.mark.parametrize("name", ["bcg", "made5", "made10"])
def test_every_subset_is_metafors(name, estimator):
    data = pd.read_csv(REFERENCE / "multiverse_data.csv").query("set == @name")
    theirs = pd.read_csv(REFERENCE / "gosh.csv").query("set == @name and estimator == @estimator")
    k = theirs["k"].iloc[0]
    plan = subsets.Plan(k)
    effect, i2 = subsets.pool_block(data["y"].to_numpy()[:k], data["v"].to_numpy()[:k], plan, 0, estimator)
    numbers = plan.masks(0) @ (1 << np.arange(k))
    ours = pd.DataFrame({"effect": effect, "i2": i2}, index=numbers)
    assert len(ours) == 2**k - k - 1 and len(theirs) > 0.98 * len(ours)
    wanted = theirs.set_index("number")
    np.testing.assert_allclose(ours["effect"][wanted.index], wanted["effect"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours["i2"][wanted.index], wanted["i2"], rtol=1e-6, atol=1e-5)


def test_all_subsets_are_there_once(monkeypatch):
    monkeypatch.setattr(subsets, "BLOCK", 100)
    plan = subsets.Plan(9)
    masks = np.concatenate([plan.masks(block) for block in plan.blocks])
    assert len(plan.blocks) == 6
    assert len({mask.tobytes() for mask in masks}) == len(masks) == 2**9 - 9 - 1


def test_above_the_limit_subsets_are_drawn_by_seed():
    plan, other = subsets.Plan(12, 10, 5000, seed=1), subsets.Plan(12, 10, 5000, seed=2)
    masks = plan.masks(0)
    assert not plan.complete and 4900 < len(masks) <= 5000
    assert (masks == plan.masks(0)).all() and not np.array_equal(masks[:4000], other.masks(0)[:4000])
    assert abs(masks.mean() - 0.5) < 0.02 and masks.sum(axis=1).min() > 1


@pytest.mark.parametrize("estimator", ["fixed", "DL"])
def test_sums_by_matrix_product_lose_no_digits(estimator):
    """Effects far from zero with small variances, where differences of large squares would."""
    rng = np.random.default_rng(4)
    v = rng.uniform(1e-6, 1e-5, 12)
    y = 50 + rng.normal(0, 2e-3, 12)
    plan = subsets.Plan(12)
    effect, i2 = subsets.pool_block(y, v, plan, 0, estimator)
    masks = plan.masks(0).T
    fits = engine.pool(masks * y[:, None], np.where(masks, v[:, None], np.inf), estimator)
    np.testing.assert_allclose(effect, fits.effect, rtol=1e-12)
    assert i2.min() >= 0 and i2.max() < 100


def test_the_trial_that_splits_the_cloud_is_named():
    y, v = np.array([0.1, 0.15, 0.2, 0.12, 0.18, 0.16, 0.14, 0.11, 0.19, 2.0]), np.full(10, 0.01)
    plan, names = subsets.Plan(10), [f"T{i}" for i in range(10)]
    cloud = subsets.all_subsets(y, v, names, plan, "DL")
    first = cloud.splits.iloc[0]
    assert first["trial"] == "T9" and first["separation"] > 0.95 and first["shift"] > 0.2
    assert cloud.splits["separation"].iloc[1] < 0.5
    assert cloud.counts.sum() == 2**10 - 11 and cloud.held.sum() == plan.masks(0)[:, 9].sum()
    assert cloud.summary["subsets"] == 2**10 - 11


def test_blocks_do_not_change_the_numbers(monkeypatch):
    rng = np.random.default_rng(8)
    y, v, names = rng.normal(size=11), rng.uniform(0.1, 1, 11), list("abcdefghijk")
    whole = subsets.all_subsets(y, v, names, subsets.Plan(11), "DL")
    monkeypatch.setattr(subsets, "BLOCK", 1 << 11)
    one = subsets.all_subsets(y, v, names, subsets.Plan(11), "DL")
    assert whole.counts.tobytes() == one.counts.tobytes()
    assert whole.splits.equals(one.splits)
