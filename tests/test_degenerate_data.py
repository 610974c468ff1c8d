"""Data that a model or a panel cannot carry concern that model alone: ties, zeros, extremes, one to six trials."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from peersupport.effects.pools import Domain
from peersupport.figures.diagnostic import domain_page
from peersupport.pool import influence, models, small_study

SETTINGS = models.Settings(minimum_trials=2)


def domain(effects, variances, trials=None, sizes=None):
    k = len(effects)
    names = trials or [f"T{i}" for i in range(k)]
    rows = pd.DataFrame({"trial": names, "study": names, "effect": effects, "variance": variances, "year": range(k)})
    sizes = sizes or [50.0] * k
    return rows.assign(
        outcome_domain="hope",
        family="smd",
        n_arm1=sizes,
        n_arm2=sizes,
        people=100.0,
        risk_of_bias="low",
        method="means",
        design="rct",
        helper_experience="distress",
        instrument="x",
        condition_arm2="waitlist",
    )


def everything_of(rows):
    """All that notebook 03 does with one outcome; returns its fits."""
    one = Domain("hope", "smd", rows)
    fits = models.fit_battery(one, SETTINGS)
    main = fits[models.MAIN]
    if main.note.startswith("not estimated"):
        return fits
    tables = influence.page_tables(main)
    small_study.small_study_row(main.effects)
    labels = {name: model.label for name, model in models.MODELS.items()}
    figure = domain_page(
        fits, labels, main=models.MAIN, title="Hope", **tables, filled=small_study.filled_points(main.effects)
    )
    figure.canvas.draw()
    plt.close(figure)
    return fits


@pytest.mark.parametrize(
    ("effects", "variances", "trials"),
    [
        ([0.2, 0.2, 0.5], [0.02, 0.03, 0.04], None),
        ([0.1, 0.3, 0.5, 0.2], [0.04] * 4, None),
        ([0.3] * 4, [0.02, 0.03, 0.04, 0.05], None),
        ([0.3] * 5, [0.04] * 5, None),
        ([0.1, 0.4], [0.02, 0.03], None),
        ([0.1, 0.1, 0.3, 0.4, 0.2], [0.02, 0.02, 0.03, 0.03, 0.04], ["A", "A", "B", "B", "C"]),
    ],
)
def test_ties_and_few_trials_give_rows_whose_notes_say_why(effects, variances, trials):
    fits = everything_of(domain(effects, variances, trials))
    assert set(fits) == set(models.MODELS)
    for fit in fits.values():
        assert np.isfinite(fit.effect) or fit.note.startswith("not estimated")


VALUES = st.sampled_from([0.0, 0.2, 0.2, -0.3, 1e-9, 5.0, 1e4])
SPREADS = st.sampled_from([0.01, 0.04, 0.04, 1e-8, 9.0])


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(VALUES, SPREADS, st.integers(0, 3)), min_size=1, max_size=6))
def test_no_small_or_extreme_data_stop_the_notebook(rows):
    effects, variances, trials = zip(*rows, strict=True)
    everything_of(domain(list(effects), list(variances), [f"T{t}" for t in trials]))
