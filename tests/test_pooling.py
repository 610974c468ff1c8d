"""Pooling against metafor's stored values, published results, and hand-sized cases."""

import numpy as np
import pandas as pd
import pytest
from metafor_reference import HERE, agree, as_effects, reference

from peersupport.pool.fit import composites, extreme, univariate

MODELS = {
    "fixed": ("none", "wald"),
    "random_dl": ("DL", "wald"),
    "random_pm": ("PM", "wald"),
    "random_reml": ("REML", "wald"),
    "random_reml_hk": ("REML", "knapp-hartung"),
}


def test_reference_holds_twenty_published_data_sets():
    metadat = [n for n in reference() if not n.startswith(("review:", "smit2022_"))]
    assert len(metadat) >= 20


@pytest.mark.parametrize("name", reference())
@pytest.mark.parametrize("model", MODELS)
def test_models_agree_with_metafor(name, model):
    stored = reference()[name]
    expected = stored[model]
    fit = univariate(as_effects(stored["yi"], stored["vi"]), *MODELS[model])
    ours = {"se": fit.standard_error} | {
        key: getattr(fit, key) for key in "effect ci_low ci_high p_value tau2 i2 q q_p pi_low pi_high".split()
    }
    for key in expected:
        if model == "fixed" and key == "tau2":
            continue  # metafor prints the assumed 0; here a fixed effect has no tau2
        if fit.k < 5 and key.startswith("pi"):
            continue
        agree(ours[key], expected[key])


@pytest.mark.parametrize("name", reference())
def test_q_profile_agrees_with_metafor(name):
    stored = reference()[name]
    fit = univariate(as_effects(stored["yi"], stored["vi"]))
    expected = stored["q_profile"]
    agree(fit.tau2_ci_low, expected["tau2_low"])
    agree(fit.tau2_ci_high, expected["tau2_high"])
    agree(fit.i2_ci_low, expected["i2_low"])
    agree(fit.i2_ci_high, expected["i2_high"])


@pytest.mark.parametrize(
    ("recovery_type", "effect", "low", "high", "i2"),
    [("clinical", 0.19, 0.11, 0.27, 10), ("personal", 0.15, 0.04, 0.27, 43), ("functional", 0.08, -0.02, 0.18, 36)],
)
def test_smit_2022_is_reproduced_from_its_open_database(recovery_type, effect, low, high, i2):
    """Smit et al. 2022 (doi 10.1017/S0033291722002422), abstract: g, CI and the Q-based I2."""
    sheet = pd.read_csv(HERE.parent / "data/raw/database/outcomes.csv")
    rows = sheet[sheet["recovery_type"].eq(recovery_type)]
    fit = univariate(as_effects(rows["effect"].to_numpy(), rows["se"].to_numpy() ** 2))
    assert (round(fit.effect, 2), round(fit.ci_low, 2), round(fit.ci_high, 2)) == (effect, low, high)
    assert round(fit.i2_from_q) == i2


def test_normand_1999_has_its_published_dersimonian_laird_estimate():
    """BCG trials, Colditz et al. 1994: DL log risk ratio -0.7141, tau2 0.3088 (metafor, dat.bcg)."""
    stored = reference()["bcg"]
    fit = univariate(as_effects(stored["yi"], stored["vi"]), "DL", "wald")
    assert fit.effect == pytest.approx(-0.7141, abs=5e-5)
    assert fit.tau2 == pytest.approx(0.3088, abs=5e-5)


def test_composite_of_two_effects_by_hand():
    """Borenstein 2009, ch. 24: mean of 0.30 (v 0.05) and 0.10 (v 0.05), r 0.5: 0.20, v 0.0375."""
    rows = as_effects([0.30, 0.10, 0.70], [0.05, 0.05, 0.02], trial=["A", "A", "B"])
    joined = composites(rows, 0.5).set_index("trial")
    assert joined.loc["A", "effect"] == pytest.approx(0.20)
    assert joined.loc["A", "variance"] == pytest.approx(0.0375)
    assert joined.loc["B", ["effect", "variance"]].tolist() == [0.70, 0.02]


@pytest.mark.parametrize("name", [n for n in reference() if n.startswith("review:")])
def test_composites_agree_with_metafor_aggregate(name):
    stored = reference()[name]
    rows = pd.DataFrame(stored["rows"]).assign(n_arm1=1, n_arm2=1)
    joined = composites(rows, 0.6)
    agree(joined["effect"].to_numpy(), stored["yi"], 1e-10)
    agree(joined["variance"].to_numpy(), stored["vi"], 1e-10)


def test_composite_keeps_the_largest_arms_and_counts_people_once():
    rows = as_effects([0.3, 0.1, 0.2], [0.05, 0.05, 0.1], trial=["A", "A", "B"])
    rows["n_arm1"] = [40, 60, 10]
    fit = univariate(composites(rows, 0.6))
    assert fit.n == 60 + 50 + 10 + 50
    assert fit.trials == 2


def test_highest_and_lowest_effect_per_trial():
    rows = as_effects([0.3, 0.1, 0.2], [0.05, 0.05, 0.1], trial=["A", "A", "B"])
    assert extreme(rows, "highest")["effect"].tolist() == [0.3, 0.2]
    assert extreme(rows, "lowest")["effect"].tolist() == [0.1, 0.2]


@pytest.mark.parametrize(("k", "predicts"), [(2, False), (4, False), (5, True)])
def test_fewer_than_five_trials_have_no_prediction_interval(k, predicts):
    fit = univariate(as_effects(np.linspace(0.1, 0.4, k), np.linspace(0.02, 0.03, k)))
    assert np.isfinite(fit.pi_low) == predicts


@pytest.mark.parametrize("variance", [0.0, -0.1, np.nan, np.inf])
def test_impossible_variance_is_named(variance):
    with pytest.raises(ValueError, match=r"not positive: \['C'\]"):
        univariate(as_effects([0.1, 0.2, 0.3], [0.1, 0.1, variance], trial=["A", "B", "C"]))


def test_unknown_tau2_method_is_refused():
    with pytest.raises(ValueError, match="choose from REML, fixed, DL, PM"):
        univariate(as_effects([0.1, 0.2], [0.1, 0.1]), "XX")


def test_of_two_maxima_the_higher_one_counts():
    """The first 22 trials of metadat's dat.lau1992, log odds ratios: tau2 0 is a maximum, 0.01197 a higher one."""
    sheet = pd.read_csv(HERE / "reference/lau1992.csv")
    fit = univariate(as_effects(sheet["yi"].to_numpy(), sheet["vi"].to_numpy()))
    assert (fit.tau2, fit.effect) == pytest.approx((0.011967, -0.225209), abs=1e-6)
