"""Bubble plots show the whole confidence band, or that it goes on."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from peersupport.figures import moderators as draw

AGES = np.linspace(2, 6, 9)
TRIALS = pd.DataFrame({"age": AGES, "effect": np.linspace(-0.2, 0.6, 9), "variance": 0.04})


def panel(half_width):
    """The panel of a line whose band opens to `half_width` at its right end."""
    half = half_width * np.linspace(0, 1, 9)
    line = pd.DataFrame({"x": AGES, "effect": 0.2, "ci_low": 0.2 - half, "ci_high": 0.2 + half})
    age = {"label": "Mean age", "unit": "per year", "axis": "Age"}
    figure = draw.bubbles([{"term": "age", "slope": age, "trials": TRIALS, "line": line, "text": ""}], "Age")
    plt.close(figure)
    return figure.axes[0]


def triangles(axes):
    marks = {line.get_marker(): float(line.get_ydata()[0]) for line in axes.lines}
    return {mark: y for mark, y in marks.items() if mark in ("v", "^")}


@pytest.mark.parametrize("half_width", [0.1, 0.5, 0.8])
def test_a_band_that_fits_is_shown_whole(half_width):
    axes = panel(half_width)
    low, high = axes.get_ylim()
    assert low < 0.2 - half_width and 0.2 + half_width < high
    assert not triangles(axes)


def test_a_band_that_goes_on_ends_in_a_triangle_at_the_frame():
    axes = panel(9)
    low, high = axes.get_ylim()
    assert high - low < 3
    assert triangles(axes) == {"v": low, "^": high}
