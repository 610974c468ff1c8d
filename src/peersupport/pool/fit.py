"""One pooled result (Fit), and the models with one effect per trial: fixed, DL, PM and REML.

PyMARE fits; what it does not print (Paule-Mandel, prediction interval, I2 with its interval) is
computed here with metafor's formulas, so that the numbers can be laid beside R's.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from pymare import Dataset
from pymare.estimators import DerSimonianLaird, VarianceBasedLikelihoodEstimator, WeightedLeastSquares
from pymare.stats import q_gen, q_profile
from scipy import stats
from scipy.optimize import brentq

from peersupport.effects.pools import event_of

LEVEL = 0.95
NAN = float("nan")


@dataclass(frozen=True)
class Fit:
    """What one model says about one domain; every table row, plot and diagnostic takes this.

    `effects` are the rows that the model used (trial, effect, variance, n_arm1, n_arm2 and labels),
    with their `weight` in percent. `effect`, `ci_*`, `pi_*` are Hedges g or log risk ratio, positive
    favours peer support. `df` is the t distribution's (NaN: normal). `i2`, `share_favouring` and the
    two probabilities: I2 in percent, the others from 0 to 1. NaN: the model has no such quantity.
    """

    effects: pd.DataFrame = field(repr=False)
    effect: float = NAN
    standard_error: float = NAN
    df: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    p_value: float = NAN
    pi_low: float = NAN
    pi_high: float = NAN
    tau2: float = NAN
    tau2_ci_low: float = NAN
    tau2_ci_high: float = NAN
    i2: float = NAN
    i2_ci_low: float = NAN
    i2_ci_high: float = NAN
    q: float = NAN
    q_p: float = NAN
    sigma2_between: float = NAN
    sigma2_within: float = NAN
    share_favouring: float = NAN
    probability_above_0: float = NAN
    probability_above_small: float = NAN
    note: str = ""
    outcome_domain: str = ""
    family: str = "smd"
    model: str = ""

    @property
    def k(self) -> int:
        """Effects in the model."""
        return len(self.effects)

    @property
    def trials(self) -> int:
        return self.effects["trial"].nunique()

    @property
    def n(self) -> float:
        """People in the trials of the model; a trial with several effects counts once; NaN if no trial states them."""
        counted = self.effects["people"] if "people" in self.effects else arms(self.effects)
        return float(counted.groupby(self.effects["trial"]).max().sum(min_count=1))

    @property
    def event(self) -> str:
        """avoid or wanted, where the effects are ratios of events; else ""."""
        return event_of(self.effects)

    @property
    def i2_from_q(self) -> float:
        """(Q - df) / Q in percent, not below zero: what most reviews print (Higgins 2003)."""
        return max(0.0, 100 * (self.q - (self.k - 1)) / self.q) if self.q > 0 else 0.0


def arms(effects: pd.DataFrame) -> pd.Series:
    """People in the arms that are stated; NaN where neither is."""
    return effects[["n_arm1", "n_arm2"]].sum(axis=1, min_count=1)


def composites(rows: pd.DataFrame, correlation: float) -> pd.DataFrame:
    """One effect per trial: the mean of the trial's effects.

    Variance of a mean of m correlated estimates, (1/m^2) [sum v_i + sum_{i!=j} r sqrt(v_i v_j)]
    (Borenstein et al. 2009, ch. 24, formula 24.4; metafor's aggregate with struct "CS" and
    weighted = FALSE). Labels are the first row's, arms' sizes the largest, year the earliest.
    """
    _need(rows, ["trial", "effect", "variance", "n_arm1", "n_arm2"])
    root = np.sqrt(rows["variance"])
    by_trial = rows.assign(_root=root).groupby("trial", sort=False)
    m = by_trial.size()
    total = (1 - correlation) * by_trial["variance"].sum() + correlation * by_trial["_root"].sum() ** 2
    joined = by_trial.first().drop(columns="_root")
    joined["effect"] = by_trial["effect"].mean()
    joined["variance"] = total / m**2
    for column in [name for name in ("n_arm1", "n_arm2", "people") if name in rows]:
        joined[column] = by_trial[column].max()
    if "year" in rows:
        joined["year"] = by_trial["year"].min()
    joined["effects_combined"] = m
    return joined.reset_index()


def extreme(rows: pd.DataFrame, which: str) -> pd.DataFrame:
    """One effect per trial: its `highest` or `lowest`, as metapsyTools names them."""
    order = rows.sort_values("effect", ascending=which == "lowest", kind="stable")
    return order.drop_duplicates("trial").sort_index()


def univariate(effects: pd.DataFrame, tau2: str | float = "REML", test: str = "knapp-hartung") -> Fit:
    """Pool one effect per trial.

    tau2: "none" (fixed effect), "DL" (DerSimonian & Laird 1986), "PM" (Paule & Mandel 1982) or "REML"
    (Viechtbauer 2005), or a number, known before. test: "knapp-hartung" (Knapp & Hartung 2003: scaled
    variance, t with k-1 df, not truncated, as metafor's knha) or "wald" (normal). Prediction interval t
    with k-2 df on sqrt(tau2 + se^2): Higgins, Thompson & Spiegelhalter 2009; with the Knapp-Hartung
    standard error it is Partlett & Riley's (2017) interval. Raises ValueError for fewer than two effects or a
    variance that is not positive.
    """
    y, v = _checked(effects)
    k = len(y)
    between = 0.0 if tau2 == "none" else tau2
    if isinstance(between, str):
        between = estimate_tau2(y, v, between)
    result = WeightedLeastSquares(tau2=between, small_sample_correction=test).fit_dataset(Dataset(y=y, v=v)).summary()
    stat = result.get_fe_stats()
    effect, error = float(stat["est"].item()), float(stat["se"].item())
    fit = Fit(
        effects=_weighted(effects, v + between),
        **inference(effect, error, k - 1 if test == "knapp-hartung" else NAN),
        **heterogeneity(y, v, between),
    )
    if tau2 == "none":  # one true effect is assumed, so there is nothing to predict
        return replace(fit, tau2=NAN, tau2_ci_low=NAN, tau2_ci_high=NAN, i2=fit.i2_from_q)
    return replace(fit, **prediction(effect, error, between, k - 2))


def estimate_tau2(y: np.ndarray, v: np.ndarray, method: str) -> float:
    """Between-trial variance by DL, PM or REML, never below zero."""
    if method == "PM":  # the tau2 at which the generalised Q equals its expectation, k - 1
        return _paule_mandel(y, v)
    if method not in ("DL", "REML"):
        raise ValueError(f"tau2 method {method!r}: choose DL, PM or REML.")
    restricted = VarianceBasedLikelihoodEstimator(method="REML")
    fitted = (DerSimonianLaird() if method == "DL" else restricted).fit_dataset(Dataset(y=y, v=v))
    found = float(np.ravel(fitted.summary().tau2)[0])
    return found if method == "DL" else _polished(y, v, found)


def inference(effect: float, error: float, df: float = NAN) -> dict:
    """Confidence interval and two-sided p-value from a t distribution (normal if df is NaN)."""
    reference = stats.norm if np.isnan(df) else stats.t(df)
    half = reference.ppf((1 + LEVEL) / 2) * error
    distance = abs(effect) / error if error > 0 else np.inf  # identical effects: no spread at all
    return {
        "effect": effect,
        "standard_error": error,
        "df": df,
        "ci_low": float(effect - half),
        "ci_high": float(effect + half),
        "p_value": float(2 * reference.sf(distance)),
    }


def prediction(effect: float, error: float, tau2: float, df: int) -> dict:
    """Where the true effect of a new setting lies: effect +- t_df sqrt(tau2 + se^2).

    `share_favouring` is the same distribution's mass above zero: the share of settings whose true
    effect is expected to favour peer support. Empty for df < 1.
    """
    if df < 1:
        return {}
    spread = max(np.sqrt(tau2 + error**2), np.finfo(float).tiny)
    half = stats.t.ppf((1 + LEVEL) / 2, df) * spread
    return {
        "pi_low": float(effect - half),
        "pi_high": float(effect + half),
        "share_favouring": float(stats.t.cdf(effect / spread, df)),
    }


def heterogeneity(y: np.ndarray, v: np.ndarray, tau2: float) -> dict:
    """Q with its p-value, tau2 and I2 with Q-profile intervals (Viechtbauer 2007).

    I2 = 100 tau2 / (tau2 + s2), s2 the typical sampling variance of Higgins & Thompson (2002), as
    metafor prints it; for DL this is the familiar (Q - df) / Q.
    """
    k, w = len(y), 1 / v
    design = np.ones((k, 1))
    q = float(np.ravel(q_gen(y[:, None], v[:, None], design, 0.0))[0])
    bounds = q_profile(y[:, None], v[:, None], design)
    low, high = (float(np.ravel(bounds[side])[0]) for side in ("ci_l", "ci_u"))
    typical = float((k - 1) / (w.sum() - (w**2).sum() / w.sum()))
    return {
        "q": q,
        "q_p": float(stats.chi2.sf(q, k - 1)),
        "tau2": tau2,
        "tau2_ci_low": low,
        "tau2_ci_high": high,
        "i2": 100 * tau2 / (tau2 + typical),
        "i2_ci_low": 100 * low / (low + typical),
        "i2_ci_high": 100 * high / (high + typical),
    }


def _polished(y: np.ndarray, v: np.ndarray, tau2: float) -> float:
    """PyMARE's REML search stops about 1e-7 from the maximum; the score's root beside it is exact."""

    def score(candidate: float) -> float:
        w = 1 / (v + candidate)
        residual = y - (w * y).sum() / w.sum()
        return float((w**2 * residual**2).sum() - w.sum() + (w**2).sum() / w.sum())

    low, high = 0.999 * tau2, 1.001 * tau2
    if score(low) * score(high) >= 0:  # tau2 is zero
        return tau2
    return float(brentq(score, low, high, xtol=1e-15, rtol=1e-14))


def _paule_mandel(y: np.ndarray, v: np.ndarray) -> float:
    design = np.ones((len(y), 1))

    def excess(tau2: float) -> float:
        return float(np.ravel(q_gen(y[:, None], v[:, None], design, tau2))[0]) - (len(y) - 1)

    if excess(0.0) <= 0:
        return 0.0
    upper = np.var(y, ddof=1) + v.max()
    while excess(upper) > 0:
        upper *= 2
    return float(brentq(excess, 0.0, upper, xtol=1e-14, rtol=1e-14))


def _weighted(effects: pd.DataFrame, total_variance: np.ndarray) -> pd.DataFrame:
    weight = 1 / total_variance
    return effects.assign(weight=100 * weight / weight.sum())


def _checked(effects: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    _need(effects, ["trial", "effect", "variance", "n_arm1", "n_arm2"])
    y, v = effects["effect"].to_numpy(float), effects["variance"].to_numpy(float)
    if len(y) < 2:
        raise ValueError(f"{len(y)} effect cannot be pooled: two or more are needed.")
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
        bad = effects.loc[~(np.isfinite(y) & np.isfinite(v) & (v > 0)), "trial"]
        raise ValueError(f"effect or variance missing, infinite or not positive: {list(bad)}")
    return y, v


def _need(table: pd.DataFrame, columns: list[str]) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"the table of effects lacks {', '.join(missing)}.")
