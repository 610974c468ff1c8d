"""Numbers needed to treat against published tables; points of a scale by hand."""

import numpy as np
import pandas as pd
import pytest

from peersupport.pool.absolute import commonest_scale, nnt_furukawa, nnt_kraemer_kupfer, nnt_risk_ratio


@pytest.mark.parametrize(("g", "nnt"), [(0.2, 8.9), (0.5, 3.6), (0.8, 2.3)])
def test_kraemer_kupfer_table(g, nnt):
    """Kraemer & Kupfer 2006, table 1: NNT 8.9, 3.6, 2.3 for Cohen's small, medium and large d."""
    assert round(nnt_kraemer_kupfer(g), 1) == nnt


@pytest.mark.parametrize(("g", "baseline", "nnt"), [(0.2, 0.2, 16.5), (0.5, 0.2, 6.0), (0.8, 0.5, 3.5)])
def test_furukawa_table(g, baseline, nnt):
    """Furukawa & Leucht 2011, table 1: SMD 0.2 at 20% 16.5, 0.5 at 20% 6.0, 0.8 at 50% 3.5."""
    assert round(nnt_furukawa(g, baseline), 1) == nnt


def test_harm_is_negative_and_no_effect_infinite():
    assert nnt_kraemer_kupfer(-0.2) == pytest.approx(-nnt_kraemer_kupfer(0.2))
    assert nnt_furukawa(0.0, 0.3) == np.inf
    assert nnt_risk_ratio(0.0, 0.3, good_event=True) == np.inf


def test_risk_ratio_by_hand():
    """Risk falls from 30% to 20% (bad event, ratio turned: 1.5): ten must be treated."""
    assert nnt_risk_ratio(np.log(1.5), 0.3, good_event=False) == pytest.approx(10)


def test_risk_ratio_of_a_good_event_by_hand():
    """20% of the comparators start treatment, 30% of those with peer support: ten."""
    assert nnt_risk_ratio(np.log(1.5), 0.2, good_event=True) == pytest.approx(10)


@pytest.mark.parametrize("baseline", [0, 1, 1.2])
def test_baseline_must_be_a_probability(baseline):
    with pytest.raises(ValueError, match="between 0 and 1"):
        nnt_furukawa(0.2, baseline)


def test_an_sd_on_another_scoring_is_set_aside():
    """RAS as a mean of items (SD 0.7) among sums of items (SD 11 and 14)."""
    rows = pd.DataFrame({"row_id": list("abc"), "trial": list("123"), "instrument": "RAS", "outcome_domain": "hope"})
    sds = {"sd_arm2": [11.0, 14.0, 0.7], "n_arm2": 41}
    scale = commonest_scale(rows, rows[["row_id"]].assign(outcome_type="msd", **sds))
    assert scale["trials"] == 2
    assert scale["sd"] == pytest.approx(np.sqrt((121 + 196) / 2))


def test_commonest_scale_counts_trials_and_pools_sds():
    rows = pd.DataFrame(
        {
            "row_id": list("abcd"),
            "trial": ["1", "2", "2", "3"],
            "instrument": ["X scale (XS)", "XS - total", "Y", "Y "],
            "outcome_domain": "hope",
        }
    )
    outcomes = pd.DataFrame(
        {
            "row_id": list("abcd"),
            "outcome_type": ["msd", "msd", "msd", "change"],
            "sd_arm2": [3.0, 4.0, 9.0, 9.0],
            "n_arm2": [11, 31, 50, 50],
        }
    )
    scale = commonest_scale(rows, outcomes)
    assert (scale["instrument"], scale["trials"]) == ("X scale (XS)", 2)
    assert scale["sd"] == pytest.approx(np.sqrt((10 * 9 + 30 * 16) / 40))
    assert commonest_scale(rows, outcomes.assign(outcome_type="change")) is None
    assert commonest_scale(rows.assign(outcome_domain=list("abcd")), outcomes) is None
