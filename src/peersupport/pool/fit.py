"""One pooled result (Fit), and the models with one effect per trial: fixed, DL, PM and REML.

The engine pools; a Fit is a view on one of its columns with what is said of it: interval, prediction, I2.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats

from peersupport.effects import arms
from peersupport.effects.pools import event_of
from peersupport.pool import engine

LEVEL = 0.95
NAN = float("nan")
PREDICTED_FROM = 5  # trials


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
        counted = self.effects["people"] if "people" in self.effects else stated_arms(self.effects)
        return float(counted.groupby(self.effects["trial"]).max().sum(min_count=1))

    @property
    def event(self) -> str:
        """avoid or wanted, where the effects are ratios of events; else ""."""
        return event_of(self.effects)

    @property
    def i2_from_q(self) -> float:
        """(Q - df) / Q in percent, not below zero: what most reviews print (Higgins 2003)."""
        return max(0.0, 100 * (self.q - (self.k - 1)) / self.q) if self.q > 0 else 0.0


def stated_arms(effects: pd.DataFrame) -> pd.Series:
    """People in the arms that are stated; NaN where neither is."""
    return effects[["n_arm1", "n_arm2"]].sum(axis=1, min_count=1)


def composites(rows: pd.DataFrame, correlation: float) -> pd.DataFrame:
    """One effect per trial: the mean of the trial's effects.

    Variance of a mean of m correlated estimates, (1/m^2) sum_ij r_ij sqrt(v_i v_j) (Borenstein et al. 2009, ch. 24,
    formula 24.4; metafor's aggregate with weighted = FALSE): r is `correlation` between scales, and what effects.arms
    says between arms and strata. Labels are the first row's, arms' sizes the largest, year the earliest.
    """
    _need(rows, ["trial", "effect", "variance", "n_arm1", "n_arm2"])
    root = np.sqrt(rows["variance"])
    by_trial = rows.assign(_root=root).groupby("trial", sort=False)
    m = by_trial.size()
    total = (1 - correlation) * by_trial["variance"].sum() + correlation * by_trial["_root"].sum() ** 2
    joined = rows.drop_duplicates("trial").set_index("trial")  # the first row's, blanks and all
    joined["effect"] = by_trial["effect"].mean()
    joined["variance"] = total / m**2
    if arms.told(rows):
        covariance = arms.correlations(rows, correlation) * np.sqrt(np.outer(rows["variance"], rows["variance"]))
        joined["variance"] = (
            pd.Series(covariance.sum(axis=1)).groupby(rows["trial"].to_numpy(), sort=False).sum() / m**2
        )
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
    [fit] = pooled_subsets(effects, np.ones((len(effects), 1), bool), tau2, test)
    return fit


def pooled_subsets(
    effects: pd.DataFrame, kept: np.ndarray, tau2: str | float = "REML", test: str = "knapp-hartung"
) -> list[Fit]:
    """`univariate` of many subsets of the effects in one call of the engine; kept: bool, effects x subsets."""
    y, v = _checked(effects)
    if (kept.sum(axis=0) < 2).any():
        raise ValueError(f"{kept.sum(axis=0).min()} effect cannot be pooled: two or more are needed.")
    ys, vs = y[:, None] * kept, np.where(kept, v[:, None], np.inf)
    between = "fixed" if tau2 == "none" else tau2
    pooled = engine.pool(ys, vs, between) if isinstance(between, str) else engine.pool_at(ys, vs, between)
    error, df = engine.standard_error(pooled, "wald" if test == "wald" else "hartung_knapp")
    spread = engine.heterogeneity(ys, vs)
    return [
        _view(effects[kept[:, at]], at, pooled, error, df if test != "wald" else None, spread, tau2 == "none")
        for at in range(kept.shape[1])
    ]


def _view(effects, at, pooled, error, df, spread, is_fixed) -> Fit:
    """One column of the engine's results as a Fit."""
    effect, tau2, typical = (float(x[at]) for x in (pooled.effect, pooled.tau2, spread.typical))
    q, low, high = (float(x[at]) for x in (spread.q, spread.tau2_low, spread.tau2_high))
    k = len(effects)
    fit = Fit(
        effects=_weighted(effects, effects["variance"].to_numpy(float) + tau2),
        **inference(effect, float(error[at]), NAN if df is None else float(df[at])),
        q=q,
        q_p=float(stats.chi2.sf(q, k - 1)),
        tau2=tau2,
        tau2_ci_low=low,
        tau2_ci_high=high,
        i2=100 * tau2 / (tau2 + typical),
        i2_ci_low=100 * low / (low + typical),
        i2_ci_high=100 * high / (high + typical),
    )
    if is_fixed:  # one true effect is assumed, so there is nothing to predict
        return replace(fit, tau2=NAN, tau2_ci_low=NAN, tau2_ci_high=NAN, i2=fit.i2_from_q)
    return replace(fit, **prediction(effect, float(error[at]), tau2, k - 2))


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
    effect is expected to favour peer support. Empty below PREDICTED_FROM trials, of which nothing can be said of the
    next setting.
    """
    if df < PREDICTED_FROM - 2:
        return {}
    spread = max(np.sqrt(tau2 + error**2), np.finfo(float).tiny)
    half = stats.t.ppf((1 + LEVEL) / 2, df) * spread
    return {
        "pi_low": float(effect - half),
        "pi_high": float(effect + half),
        "share_favouring": float(stats.t.cdf(effect / spread, df)),
    }


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
