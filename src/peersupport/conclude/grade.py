"""Certainty of evidence (GRADE): what rules suggest, each downgrade with its reason, and what authors overrule.

GRADE is a judgement (Guyatt 2011, doi 10.1016/j.jclinepi.2010.04.026); rules only make a first suggestion that can be
checked. Thresholds are in RULES. A sheet of overrides (outcome_domain, family, domain, downgrade, reason) lets the
authors judge otherwise; the suggestion stays beside their judgement.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

DOMAINS = {
    "risk_of_bias": "Risk of bias",
    "inconsistency": "Inconsistency",
    "indirectness": "Indirectness",
    "imprecision": "Imprecision",
    "publication_bias": "Publication bias",
}
LEVELS = ("very_low", "low", "moderate", "high")
LEVEL_LABELS = {"very_low": "Very low", "low": "Low", "moderate": "Moderate", "high": "High"}
RULES = {
    "majority": 0.5,  # of the weight: risk of bias, indirectness, non-randomised
    "high_serious": 0.25,  # of the weight from trials at high risk of bias
    "high_very_serious": 0.75,
    "i2": 50.0,  # percent; substantial
    "i2_very": 75.0,  # considerable (Cochrane Handbook 10.10.2)
    "asymmetry_p": 0.10,  # Egger's test
    "power": 0.80,
    "risk_reduction": 0.25,  # relative, for the optimal information size of events
}
NO_OVERRIDES = pd.DataFrame(columns=["outcome_domain", "family", "domain", "downgrade", "reason"])


def downgrades(
    row: Mapping, trials: pd.DataFrame, small: Mapping | None, small_effect: float, baseline: float
) -> dict[str, tuple[int, str]]:
    """Suggested downgrade (0, -1, -2) and its reason for each of DOMAINS, of one outcome.

    row: its main model (k, n, effect, ci_*, pi_*, i2, family). trials: the pooled trials with `weight` (any scale),
    risk_of_bias, helper_experience and condition_arm2. small: its row of small_study_effects.csv. small_effect:
    the smallest effect that matters (Hedges g); baseline: the comparator's assumed risk of the event.
    """
    weight = trials["weight"] / trials["weight"].sum()
    return {
        "risk_of_bias": risk_of_bias(trials["risk_of_bias"], weight),
        "inconsistency": inconsistency(row),
        "indirectness": indirectness(trials, weight),
        "imprecision": imprecision(row, small_effect, baseline),
        "publication_bias": publication_bias(row, small),
    }


def risk_of_bias(judgements: pd.Series, weight: pd.Series) -> tuple[int, str]:
    """-2 if three quarters of the weight are at high risk, -1 if a quarter is or if most weight is not at low risk.

    A trial that could not be judged is not at low risk, nor at high.
    """
    high, low = (float(weight[judgements.eq(code)].sum()) for code in ("high", "low"))
    unknown = float(weight[judgements.eq("no_information")].sum())
    reason = f"{high:.0%} of the weight at high risk, {unknown:.0%} not judgeable, {low:.0%} low"
    if high >= RULES["high_very_serious"]:
        return -2, reason
    serious = high >= RULES["high_serious"] or low < RULES["majority"]
    return (-1 if serious else 0), reason


def inconsistency(row: Mapping) -> tuple[int, str]:
    """-1 if I2 is substantial or the prediction interval reaches both sides of an average that the CI does not; -2 if
    I2 is considerable and the prediction interval reaches both sides. One trial: nothing to compare."""
    if row["k"] < 2:
        return 0, "a single trial"
    i2, reason = row["i2"], f"I² {row['i2']:.0f}%"
    predicted = np.isfinite(row["pi_low"])
    both = predicted and row["pi_low"] < 0 < row["pi_high"]
    if predicted:
        reason += f", prediction interval {_span(row, 'pi')}"
    one_sided = row["ci_low"] > 0 or row["ci_high"] < 0
    if i2 >= RULES["i2_very"] and both:
        return -2, reason
    return (-1 if i2 >= RULES["i2"] or (both and one_sided and row["tau2"] > 0) else 0), reason


def indirectness(trials: pd.DataFrame, weight: pd.Series) -> tuple[int, str]:
    """-1 if most weight comes from helpers who do not (or not surely) share mental distress, or from comparators
    other than usual care or a waiting list."""
    helpers = float(weight[trials["helper_experience"].ne("distress")].sum())
    other = float(weight[~trials["condition_arm2"].isin(["care_as_usual", "waitlist"])].sum())
    reason = (
        f"helpers not known to share distress: {helpers:.0%} of the weight; "
        f"comparator other than usual care or waiting list: {other:.0%}"
    )
    return (-1 if max(helpers, other) >= RULES["majority"] else 0), reason


def imprecision(row: Mapping, small_effect: float, baseline: float) -> tuple[int, str]:
    """-1 if the CI includes no effect, -1 if fewer people than the optimal information size."""
    needed = information_size(row["family"], small_effect, baseline)
    includes = row["ci_low"] <= 0 <= row["ci_high"]
    few = row["n"] < needed
    crossed = ", no effect included" if includes else ""
    reason = f"95% CI {_span(row, 'ci')}{crossed}; {row['n']:,.0f} people, {needed:,.0f} needed"
    return -(int(includes) + int(few)), reason


def information_size(family: str, small_effect: float, baseline: float) -> float:
    """People in both arms for a two-sided 5% test with 80% power (Guyatt 2011, doi 10.1016/j.jclinepi.2011.01.012).

    Hedges g: 4 (z_a + z_b)^2 / g^2. Events: 2 (z_a + z_b)^2 [p1 (1 - p1) + p2 (1 - p2)] / (p1 - p2)^2, p1 the baseline
    and p2 that less the relative reduction of RULES.
    """
    z = stats.norm.ppf(0.975) + stats.norm.ppf(RULES["power"])
    if family == "smd":
        return float(np.ceil(4 * z**2 / small_effect**2))
    p1, p2 = baseline, baseline * (1 - RULES["risk_reduction"])
    return float(np.ceil(2 * z**2 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2))


def publication_bias(row: Mapping, small: Mapping | None) -> tuple[int, str]:
    """-1 if Egger's test (on the arms' size where it can be had, which g cannot feign) has p below 0.10 in ten trials
    or more and small trials show the larger effects; with fewer, the tests are not read."""
    if small is None or not small["interpreted"]:
        return 0, f"{row['k']:.0f} trials: too few to test for small-study effects"
    by_size = np.isfinite(small["size_p"])
    p, slope = (small["size_p"], small["size_slope"]) if by_size else (small["egger_p"], small["egger_slope"])
    reason = f"Egger's test {'on arm size' if by_size else 'on the standard error'}: p = {p:.2f}"
    return (-1 if p < RULES["asymmetry_p"] and slope > 0 else 0), reason


def certainty(start: str, steps: int) -> str:
    """The level after so many steps down (negative) from `start`, not below very low."""
    return LEVELS[max(0, LEVELS.index(start) + steps)]


def starting_level(trials: pd.DataFrame) -> str:
    """High if most of the weight is randomised, else low."""
    randomised = trials["weight"][trials["design_family"].eq("randomised")].sum()
    return "high" if randomised >= RULES["majority"] * trials["weight"].sum() else "low"


def summary_of_findings(
    main: pd.DataFrame,
    trials: pd.DataFrame,
    small: pd.DataFrame,
    absolute: pd.DataFrame,
    overrides: pd.DataFrame,
    *,
    small_effect: float,
    baseline: float,
) -> pd.DataFrame:
    """One row per outcome: relative and absolute effect, trials, people, downgrades with reasons, certainty.

    main: the main model's rows of pooled_outcomes.csv; trials: pooled_trials; small, absolute: notebook 03's tables.
    `more_per_1000` is how many more of 1000 people do well, if `baseline` of them would without peer support (notebook
    03's NNT turned over). `certainty_suggested` follows the rules, `certainty` the overrides where there are any.
    Raises ValueError for an override of an unknown outcome or domain.
    """
    keys = ["outcome_domain", "family"]
    _known(overrides, main)
    decided = overrides.set_index([*keys, "domain"]) if len(overrides) else None
    rows = []
    for row in main.dropna(subset=["effect"]).to_dict("records"):
        key = (row["outcome_domain"], row["family"])
        own = _of(trials, key)
        start = starting_level(own)
        suggested = downgrades(row, own, _first(small, key), small_effect, baseline)
        found = {"start": start} | {name: row[name] for name in ("k", "n", "effect", "ci_low", "ci_high")}
        found |= _absolute(_first(absolute, key))
        for domain, (step, reason) in suggested.items():
            found |= {domain: step, f"{domain}_reason": reason}
            judged = None if decided is None or (*key, domain) not in decided.index else decided.loc[(*key, domain)]
            found[f"{domain}_authors"] = np.nan if judged is None else float(judged["downgrade"])
            found[f"{domain}_authors_reason"] = "" if judged is None else judged["reason"]
        steps = {d: step for d, (step, _) in suggested.items()}
        own_steps = {d: steps[d] if np.isnan(found[f"{d}_authors"]) else found[f"{d}_authors"] for d in steps}
        found["certainty_suggested"] = certainty(start, sum(steps.values()))
        found["certainty"] = certainty(start, int(sum(own_steps.values())))
        rows.append(dict(zip(keys, key, strict=True)) | found)
    return pd.DataFrame(rows)


def _absolute(row: Mapping | None) -> dict:
    """People per 1000 who do well in addition, and points on the commonest scale, with their intervals."""
    found = {}
    if row is None:
        return found
    nnt = "nnt_furukawa" if row["family"] == "smd" else "nnt_risk_ratio"
    for end in ("", "_low", "_high"):
        number = row.get(f"{nnt}{end}", np.nan)
        found[f"more_per_1000{end}"] = np.nan if pd.isna(number) else 1000 / number
        found[f"points{end}"] = row.get(f"points{end}", np.nan)
    return found | {"scale": row.get("instrument", "")}


def _of(table: pd.DataFrame, key: tuple[str, str]) -> pd.DataFrame:
    return table[table["outcome_domain"].eq(key[0]) & table["family"].eq(key[1])]


def _first(table: pd.DataFrame, key: tuple[str, str]) -> dict | None:
    return next(iter(_of(table, key).to_dict("records")), None)


def _known(overrides: pd.DataFrame, main: pd.DataFrame) -> None:
    outcomes = set(zip(main["outcome_domain"], main["family"], strict=True))
    for number, row in enumerate(overrides.to_dict("records"), start=2):
        if (row["outcome_domain"], row["family"]) not in outcomes or row["domain"] not in DOMAINS:
            raise ValueError(
                f"grade.csv, row {number}: {row['outcome_domain']} ({row['family']}), {row['domain']} is not a pooled "
                f"outcome with one of {', '.join(DOMAINS)}."
            )


def _span(row: Mapping, which: str) -> str:
    low, high = row[f"{which}_low"], row[f"{which}_high"]
    if row["family"] == "log_rr":
        low, high = np.exp([low, high])
    return f"{low:.2f} to {high:.2f}".replace("-", "\N{MINUS SIGN}")
