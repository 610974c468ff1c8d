"""The stored values of metafor and clubSandwich, and how the tests compare with them."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


@cache
def reference(name: str = "univariate") -> dict:
    """Data set -> its effects and what R makes of them (tests/reference/make_reference.R)."""
    return json.loads((HERE / f"reference/{name}.json").read_text())["sets"]


def as_effects(y, v, trial=None) -> pd.DataFrame:
    trial = np.arange(len(y)) if trial is None else trial
    return pd.DataFrame({"trial": trial, "study": trial, "effect": y, "variance": v, "n_arm1": 50, "n_arm2": 50})


def agree(ours, theirs, tolerance=1e-6):
    """Equal to R within the tolerance, relative where the numbers are above 1; both may be missing."""
    theirs = np.array(theirs, dtype=float)
    np.testing.assert_allclose(np.asarray(ours, dtype=float), theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
