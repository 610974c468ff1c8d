"""Several effects of one trial, by why they are several: how far their sampling errors go together.

Scales of one domain in the same people and arms correlate as far as is assumed; two arms against one comparator as far
as the people that they share make it (Gleser and Olkin 2009, without the term in the effects themselves); strata of
different people not at all.
"""

import numpy as np
import pandas as pd

ARMS = ["multi_arm1", "multi_arm2", "stratum"]
EQUAL_ARMS = 0.5  # correlation through a shared arm where the arms' sizes are not stated: arms of one size


def told(rows: pd.DataFrame) -> bool:
    """Whether any row says to which arm or stratum it belongs."""
    return any(name in rows and (rows[name].fillna("") != "").any() for name in ARMS)


def correlations(rows: pd.DataFrame, scales: float) -> np.ndarray:
    """(k, k) correlations of the sampling errors of these effects, all of one trial or 0 between trials.

    rows: trial, n_arm1, n_arm2 and, where the sheets tell them, multi_arm1, multi_arm2 and stratum; scales: what is
    assumed for scales of one domain. Arms of n1 and m1 people against one of n: sqrt(n1 / (n1 + n) * m1 / (m1 + n)).
    """
    trial = rows["trial"].to_numpy()
    found = np.where(trial[:, None] == trial, float(scales), 0.0)
    if told(rows):
        first, second, stratum = (rows.get(name, pd.Series("", rows.index)).fillna("").to_numpy() for name in ARMS)
        alike1, alike2 = first[:, None] == first, second[:, None] == second
        same = trial[:, None] == trial
        n1, n2 = rows["n_arm1"].to_numpy(float), rows["n_arm2"].to_numpy(float)
        found = np.where(same & ~alike1 & alike2, _shared(n1, n2), found)
        found = np.where(same & alike1 & ~alike2, _shared(n2, n1), found)
        apart = (~alike1 & ~alike2) | ((stratum[:, None] != stratum) & (stratum[:, None] != "") & (stratum != ""))
        found = np.where(apart, 0.0, found)
    np.fill_diagonal(found, 1.0)
    return found


def _shared(own: np.ndarray, shared: np.ndarray) -> np.ndarray:
    part = np.sqrt(own / (own + shared))
    both = np.outer(part, part)
    return np.where(np.isnan(both), EQUAL_ARMS, both)
