"""What one more trial would add: the chance that the updated interval lies on one side of a threshold (assurance).

The new trial's true effect is drawn from the predictive distribution of the trials that are there (pool.bayes), its
estimate from that effect and its size; the main model is fitted again with the new trial in it. Sutton et al. 2007
(doi 10.1002/sim.2704). The closed form for the normal interval: Roloff, Higgins & Sutton 2013 (10.1002/sim.5529).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from peersupport.pool import engine
from peersupport.pool.bayes import Posterior, posterior

SIZES = (50, 100, 200, 300, 500, 750, 1000, 1500, 2000)  # people per arm
LARGEST = 2000
MOST_TRIALS = 50


@dataclass(frozen=True)
class Evidence:
    """The pooled trials of one domain: effects and variances, positive favours arm 1; `risk`: that of the event
    without the intervention (log risk ratios only, NaN for Hedges g)."""

    y: np.ndarray
    v: np.ndarray
    family: str = "smd"
    risk: float = float("nan")


def sampling_variance(effect: np.ndarray, n: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Of a new trial's estimate with n people per arm.

    Hedges g: 2/n + g^2 / (4 n). Log risk ratio: (1 - p1) / (n p1) + (1 - p2) / (n p2), p2 the risk, p1 = p2
    exp(effect); which events are better is the caller's to turn; p1 is kept within 0.001 and 0.999.
    """
    if evidence.family == "smd":
        return 2 / n + effect**2 / (4 * n)
    treated = np.clip(evidence.risk * np.exp(effect), 0.001, 0.999)
    return (1 - treated) / (n * treated) + (1 - evidence.risk) / (n * evidence.risk)


def drawn_effects(found: Posterior, draws: int, generator: np.random.Generator) -> np.ndarray:
    """True effects of new settings, from the posterior predictive distribution."""
    node = generator.choice(len(found.tau), draws, p=found.weight)
    spread = np.sqrt(found.sd[node] ** 2 + found.tau[node] ** 2)
    return generator.normal(found.mean[node], spread)


def assurance(
    evidence: Evidence,
    thresholds: Sequence[float],
    *,
    prior_scale: float,
    draws: int,
    seed: int,
    sizes: Sequence[int] = SIZES,
) -> pd.DataFrame:
    """Chance that the main model's 95% interval, with one more trial, lies above or below each threshold.

    Columns: n_per_arm, threshold, above, below. The same draws serve every size, so that the curve is smooth.
    """
    generator = np.random.default_rng(seed)
    truth = drawn_effects(posterior(evidence.y, evidence.v, prior_scale), draws, generator)
    noise = generator.normal(size=draws)
    n = np.repeat(np.asarray(sizes, float), draws)
    variance = sampling_variance(np.tile(truth, len(sizes)), n, evidence)
    new = np.tile(truth, len(sizes)) + np.sqrt(variance) * np.tile(noise, len(sizes))
    low, high = updated(evidence, new[None], variance[None])
    rows = []
    for threshold in thresholds:
        above, below = (side.reshape(len(sizes), draws).mean(axis=1) for side in (low > threshold, high < threshold))
        rows.append(pd.DataFrame({"n_per_arm": sizes, "threshold": threshold, "above": above, "below": below}))
    return pd.concat(rows, ignore_index=True)


def updated(evidence: Evidence, new_y: np.ndarray, new_v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the main model's interval (REML, Hartung-Knapp) with new trials; new_y, new_v: m x d, d futures."""
    columns = new_y.shape[1]
    y = np.vstack([np.repeat(evidence.y[:, None], columns, axis=1), new_y])
    v = np.vstack([np.repeat(evidence.v[:, None], columns, axis=1), new_v])
    pooled = engine.pool(y, v, "REML")
    half = engine.half_width(pooled, "hartung_knapp")
    return pooled.effect - half, pooled.effect + half


@dataclass(frozen=True)
class Present:
    """Where the evidence stands: mean, its precision (sum of 1 / (v + tau2)) and tau2 of the main model."""

    effect: float
    precision: float
    tau2: float


def present(evidence: Evidence) -> Present:
    fit = engine.pool(evidence.y[:, None], evidence.v[:, None], "REML")
    return Present(float(fit.effect[0]), float(fit.weight[0]), float(fit.tau2[0]))


def chance_in_closed_form(now: Present, variance: float, threshold: float, trials: int = 1) -> float:
    """Assurance of a normal interval with tau2 known, after `trials` new trials with that sampling variance each.

    With W0 the present precision and w = trials / (variance + tau2) the new one, the updated mean is normal about the
    present mean with variance w / (W0 (W0 + w)), and its interval has half-width 1.96 (W0 + w)^-1/2. `variance` 0 is a
    trial without end: what is left is the spread between settings.
    """
    new = trials / (variance + now.tau2) if variance + now.tau2 > 0 else np.inf
    if np.isinf(new):
        return float(ndtr((now.effect - threshold) * np.sqrt(now.precision)))
    spread = np.sqrt(new / (now.precision * (now.precision + new)))
    half = ndtri(0.975) / np.sqrt(now.precision + new)
    return float(ndtr((now.effect - threshold - half) / spread))


def trials_needed(now: Present, variance: float, threshold: float, chance: float) -> int | None:
    """The fewest new trials of that variance whose closed-form assurance reaches `chance`; or None."""
    for trials in range(1, MOST_TRIALS + 1):
        if chance_in_closed_form(now, variance, threshold, trials) >= chance:
            return trials
    return None


def size_needed(curve: pd.DataFrame, chance: float) -> float:
    """People per arm at which the simulated curve first reaches `chance`, between two sizes by their logarithm; NaN if
    no size of the curve does. curve: n_per_arm, above, of one threshold."""
    reached = curve["above"].ge(chance).to_numpy()
    if not reached.any():
        return float("nan")
    at = int(reached.argmax())
    if at == 0:
        return float(curve["n_per_arm"].iloc[0])
    n, share = np.log(curve["n_per_arm"].to_numpy(float)), curve["above"].to_numpy(float)
    part = (chance - share[at - 1]) / (share[at] - share[at - 1])
    return float(np.exp(n[at - 1] + part * (n[at] - n[at - 1])))


BELOW, OPEN, ABOVE = -1, 0, 1


def extended_funnel(evidence: Evidence, effects: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Where the main model's interval would lie if one trial with that effect and standard error came in.

    Returns len(errors) x len(effects): ABOVE (the interval is above no effect), BELOW or OPEN. Langan et al. 2012
    (doi 10.1016/j.jclinepi.2011.10.009).
    """
    grid_effect, grid_error = np.meshgrid(effects, errors)
    low, high = updated(evidence, grid_effect.reshape(1, -1), grid_error.reshape(1, -1) ** 2)
    where = np.where(low > 0, ABOVE, np.where(high < 0, BELOW, OPEN))
    return where.reshape(grid_effect.shape)


WIDEST = {"smd": (-1.0, 1.2), "log_rr": (-1.5, 1.5)}


def funnel_panel(evidence: Evidence, title: str, wanted: bool) -> dict:
    """What figures.planning.extended_funnels draws of one outcome; an event to be avoided is shown as named, so that a
    ratio below one is the better side (wanted: False)."""
    low, high = WIDEST[evidence.family]
    effects, errors = np.linspace(low, high, 89), np.linspace(0.01, 0.5, 50)
    where, sign = extended_funnel(evidence, effects, errors), 1 if wanted else -1
    return {
        "title": title,
        "effects": (sign * effects)[::sign],
        "errors": errors,
        "where": where[:, ::sign],
        "y": sign * evidence.y,
        "v": evidence.v,
        "centre": sign * present(evidence).effect,
    }


def evidences(
    trials: pd.DataFrame, main: pd.DataFrame, absolute: pd.DataFrame, assumed: float
) -> dict[tuple[str, str], Evidence]:
    """The pooled trials of each outcome of the main model.

    absolute: absolute_effects.csv, whose `baseline` is the risk of an event without the intervention; `assumed` stands
    in where it has none.
    """
    found = {}
    for row in main.dropna(subset=["effect"]).itertuples():
        key = (row.outcome_domain, row.family)
        own = trials[trials["outcome_domain"].eq(key[0]) & trials["family"].eq(key[1])]
        told = absolute[absolute["outcome_domain"].eq(key[0]) & absolute["family"].eq(key[1])]
        risk = told["baseline"].dropna() if "baseline" in told else pd.Series(dtype=float)
        arrays = (own[name].to_numpy(float) for name in ("effect", "variance"))
        found[key] = Evidence(*arrays, row.family, float(risk.iloc[0]) if len(risk) else assumed)
    return found


def stacked(curves: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """assurance.csv: the curves with their outcome."""
    parts = [curve.assign(outcome_domain=key[0], family=key[1]) for key, curve in curves.items()]
    whole = pd.concat(parts, ignore_index=True)
    return whole[["outcome_domain", "family", *whole.columns[:-2]]]


def plan(
    evidences: Mapping[tuple[str, str], Evidence],
    curves: Mapping[tuple[str, str], pd.DataFrame],
    thresholds: Sequence[float],
    wanted: float,
    prior_scale: float,
) -> pd.DataFrame:
    """next_trial.csv: outcome and threshold, and what it would take.

    settled: the present interval already lies above the threshold. people_per_arm: of one more trial at which the
    simulated assurance reaches `wanted`; blank where no size up to LARGEST does. trials: of 100 people per arm that it
    takes in closed form; blank beyond MOST_TRIALS. endless: assurance of a trial without end. next_above: probability
    that the true effect in the next setting lies above the threshold.
    """
    rows = []
    for key, one in evidences.items():
        now, found = present(one), posterior(one.y, one.v, prior_scale)
        low, _ = updated(one, np.zeros((0, 2)), np.ones((0, 2)))
        variance = float(sampling_variance(np.array([now.effect]), np.array([100.0]), one)[0])
        for threshold in thresholds:
            curve = curves[key][curves[key]["threshold"].eq(threshold)]
            needed = trials_needed(now, variance, threshold, wanted)
            rows.append(
                {
                    "outcome_domain": key[0],
                    "family": key[1],
                    "threshold": threshold,
                    "settled": bool(low[0] > threshold),
                    "people_per_arm": size_needed(curve, wanted),
                    "trials": np.nan if needed is None else needed,
                    "endless": chance_in_closed_form(now, 0.0, threshold),
                    "next_above": 1 - found.new_effect_cdf(threshold),
                }
            )
    return pd.DataFrame(rows)
