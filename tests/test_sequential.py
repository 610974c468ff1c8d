"""Monitoring bounds against printed designs, and results year by year against the main model."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from peersupport.conclude import cumulative, grade
from peersupport.effects.pools import Domain
from peersupport.pool import models, sequential

PRINTED = {  # O'Brien-Fleming type spending, two-sided 5%: the R packages ldbounds, gsDesign (sfLDOF) and rpact (asOF)
    (1 / 2, 1): [2.9626, 1.9686],
    (1 / 3, 2 / 3, 1): [3.7103, 2.5114, 1.9930],
    (1 / 4, 2 / 4, 3 / 4, 1): [4.3326, 2.9631, 2.3590, 2.0141],
    (1 / 5, 2 / 5, 3 / 5, 4 / 5, 1): [4.8769, 3.3570, 2.6803, 2.2898, 2.0310],
}


@pytest.mark.parametrize("shares", PRINTED)
def test_bounds_are_those_of_printed_designs(shares):
    assert sequential.monitoring_bounds(shares) == pytest.approx(PRINTED[shares], abs=1.5e-4)


def test_the_error_of_unequal_looks_adds_up_to_the_five_percent():
    """By simulation of a Brownian motion seen at uneven times: no effect is called one in 5% of the paths."""
    shares = np.array([0.3, 0.37, 0.8, 1.0])
    bounds = sequential.monitoring_bounds(shares)
    steps = np.random.default_rng(1).normal(size=(400_000, 4)) * np.sqrt(np.diff(shares, prepend=0))
    z = steps.cumsum(axis=1) / np.sqrt(shares)
    assert (np.abs(z) >= bounds).any(axis=1).mean() == pytest.approx(0.05, abs=0.0015)


def test_one_look_at_the_end_is_the_plain_test():
    assert sequential.monitoring_bounds([1.0]) == pytest.approx([norm.isf(0.025)])


def test_looks_too_early_without_news_or_too_late_have_no_bound_of_their_own():
    bounds = sequential.monitoring_bounds([0.01, 0.01, 0.5, 1.3, 1.5])
    assert np.isinf(bounds[:2]).all() and bounds[2] == pytest.approx(2.9626, abs=1e-3)
    assert np.isfinite(bounds[3]) and np.isnan(bounds[4])
    with pytest.raises(ValueError, match="never fall"):
        sequential.monitoring_bounds([0.5, 0.4])


def test_required_information_is_that_of_a_trial():
    """Two arms of 393: g 0.2 with 80% power; 1 / variance = n / 2 an arm of 393 for a difference with unit SD."""
    assert sequential.required_information(0.2) == pytest.approx(393 / 2, rel=0.002)


def trials(*rows):
    """(trial, year, effect, variance) as selected effects of one domain."""
    table = pd.DataFrame(rows, columns=["trial", "year", "effect", "variance"])
    about = dict(study=table.trial, outcome_domain="hope", recovery_type="", family="smd", n_arm1=50, n_arm2=50)
    return Domain("hope", "smd", table.assign(**about, selected=True, method="means", design="rct"))


SETTINGS, RULES = models.Settings(), grade.Rules()
FIVE = trials(
    ("A", 2010, 0.3, 0.02),
    ("B", 2012, 0.5, 0.03),
    ("C", 2014, 0.4, 0.02),
    ("D", 2018, 0.35, 0.01),
    ("E", 2019, 0.4, 0.01),
)


def test_each_year_is_the_main_model_on_the_trials_until_then():
    table = cumulative.by_year([FIVE], SETTINGS, RULES, 2012, 2020).set_index("year")
    assert table.loc[[2012, 2013], "verdict"].tolist() == ["too_few"] * 2 and table.loc[2014, "k"] == 3
    rows = FIVE.rows[FIVE.rows.year <= 2018]
    alone = models.fit_model(Domain("hope", "smd", rows), models.MAIN, SETTINGS)
    assert table.loc[2018, ["effect", "ci_low", "ci_high"]].tolist() == [alone.effect, alone.ci_low, alone.ci_high]
    last = table.iloc[-1]
    assert last.verdict == "above" and last.since == table.index[table.verdict.eq("above")][0]


def test_a_verdict_that_came_back_counts_from_its_return():
    turned = trials(
        ("A", 2011, 0.5, 0.01),
        ("B", 2012, 0.5, 0.01),
        ("C", 2012, 0.52, 0.01),
        ("D", 2014, -0.9, 0.01),
        *((f"E{i}", 2016, 0.5 + i / 100, 0.005) for i in range(12)),
    )
    table = cumulative.by_year([turned], SETTINGS, RULES, 2012, 2018).set_index("year")
    assert table.loc[[2012, 2014, 2016], "verdict"].tolist() == ["above", "open", "above"]
    assert (table["since"] == 2016).all()


def test_monitoring_is_that_of_the_fixed_weights_when_trials_agree():
    """tau2 0: z is the weighted sum over the root of the weights' sum, by hand for the trials until 2018."""
    table = cumulative.by_year([FIVE], SETTINGS, RULES, 2012, 2020).set_index("year")
    weights = np.array([1 / 0.02, 1 / 0.03, 1 / 0.02, 1 / 0.01])
    z = weights @ [0.3, 0.5, 0.4, 0.35] / np.sqrt(weights.sum())
    row = table.loc[2018]
    assert row.z == pytest.approx(z)
    assert row.share == pytest.approx(weights.sum() / sequential.required_information(0.2))
    assert row.monitored_low < row.ci_low and table["monitored"].iloc[-1] == "crossed"


def test_a_pool_that_is_too_thin_says_why_it_is_not_monitored():
    table = cumulative.by_year([trials(("A", 2012, 0.1, 0.1), ("B", 2013, 0.2, 0.1))], SETTINGS, RULES, 2012, 2014)
    assert table["monitored"].eq("").all() and table["z"].isna().all()
    assert table["note"].str.contains("2 trials left, 3 needed").all()
