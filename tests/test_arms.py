"""Several effects of one trial by why they are several: scales, arms against one comparator, strata."""

import numpy as np
import pandas as pd
import pytest

from peersupport.effects import arms
from peersupport.pool.fit import composites

TWO = dict(
    trial=["A", "A"], study=["A", "A"], effect=[0.2, 0.4], variance=[0.04, 0.04], n_arm1=[50, 50], n_arm2=[50, 50]
)


def variance(**told):
    return composites(pd.DataFrame(TWO | told), 0.6).variance[0]


def test_scales_correlate_as_assumed_and_strata_not_at_all():
    """By hand: (v + v + 2 r v) / 4 with v 0.04."""
    assert variance() == pytest.approx(0.04 * (2 + 2 * 0.6) / 4)
    assert variance(stratum=["high", "low"]) == pytest.approx(0.04 * 2 / 4)
    assert variance(stratum=["high", "high"]) == variance()


def test_arms_against_one_comparator_correlate_through_its_people():
    """Gleser and Olkin 2009 with two arms of 50 against one of 50 (no effect): r = (1/50) / (1/50 + 1/50) = 0.5."""
    assert variance(multi_arm1=["email", "chat"]) == pytest.approx(0.04 * (2 + 2 * 0.5) / 4)
    few = arms.correlations(pd.DataFrame(TWO | dict(multi_arm1=["email", "chat"], n_arm2=[100, 100])), 0.6)
    assert few[0, 1] == pytest.approx((1 / 100) / (1 / 50 + 1 / 100))
    unknown = arms.correlations(pd.DataFrame(TWO | dict(multi_arm1=["email", "chat"], n_arm2=[np.nan] * 2)), 0.6)
    assert unknown[0, 1] == 0.5


def test_trials_do_not_correlate():
    rows = pd.DataFrame(TWO | dict(trial=["A", "B"], multi_arm1=["email", "chat"]))
    assert arms.correlations(rows, 0.6).tolist() == [[1, 0], [0, 1]]


def test_labels_of_a_composite_are_the_first_rows_blanks_and_all():
    rows = pd.DataFrame(TWO | dict(instrument=[None, "RAS"], method=["means", "change"]))
    joined = composites(rows, 0.6)
    assert joined.instrument.isna().all() and joined.method.tolist() == ["means"]
