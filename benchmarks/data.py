"""The data sets that Python and R are both given: same numbers, written once, seeded.

Run by run.sh, first. Writes CSV files to the folder named on the command line.
"""

import sys
from pathlib import Path

import numpy as np

SEED = 20261122


def draw(random, k, d, tau=0.2):
    """y, v: k x d."""
    v = random.uniform(0.01, 0.2, (k, d))
    return random.normal(0.2, np.sqrt(v + tau**2)), v


def main(folder):
    random = np.random.default_rng(SEED)
    for name, k, d in [("fits", 20, 10_000), ("gosh", 15, 1), ("small_study", 20, 200), ("multiverse", 20, 1)]:
        y, v = draw(random, k, d)
        np.savetxt(folder / f"{name}_y.csv", y, delimiter=",", fmt="%.17g")
        np.savetxt(folder / f"{name}_v.csv", v, delimiter=",", fmt="%.17g")
    # 5,000 specifications: 264 subsets of the trials (of 5 or more), 19 pairs of estimator and interval.
    masks = random.random((2000, 20)) < 0.6
    masks = np.unique(masks[masks.sum(axis=1) >= 5], axis=0)[:400].astype(int)
    np.savetxt(folder / "multiverse_masks.csv", masks, delimiter=",", fmt="%d")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target)
