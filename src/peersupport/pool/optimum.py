"""The lowest point of a smooth function within bounds, to its last digits: for the likelihoods that no library fits."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize, root

SEARCH = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000}


def lowest(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]],
    starts: Sequence[Sequence[float]],
    bounds: Sequence[tuple[float, float]],
) -> np.ndarray:
    """Where `function`, which gives its value and its gradient, is lowest; `bounds` may be infinite.

    A function is flat at its minimum, so that a search (L-BFGS-B, from each start) ends some 1e-8 away,
    wherever rounding leads it. The gradient is not flat: its root, in the coordinates that are not at a
    bound, is found from there.
    """
    searches = [
        minimize(function, start, jac=True, method="L-BFGS-B", bounds=bounds, options=SEARCH) for start in starts
    ]
    near = min(searches, key=lambda search: search.fun).x
    low, high = np.transpose(bounds)
    free = (near > low) & (near < high)
    if not free.any():
        return near

    def moved(values: np.ndarray) -> np.ndarray:
        place = near.copy()
        place[free] = values
        return place

    found = moved(root(lambda values: function(moved(values))[1][free], near[free], tol=1e-14).x)
    return found if np.allclose(found, near, rtol=1e-4, atol=1e-6) else near
