"""Certainty of evidence (GRADE): what rules suggest, each downgrade with its reason, and what authors overrule.

GRADE is a judgement (Guyatt 2011, doi 10.1016/j.jclinepi.2010.04.026); rules only make a first suggestion that can be
checked. Their thresholds stand in parameters.yml. A sheet of overrides (outcome_domain, family, domain, downgrade,
reason) lets the authors judge otherwise; the suggestion stays beside their judgement. What is not known costs no level:
it is said in the reason, and only what is known to be amiss lowers the certainty.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from peersupport.text.numbers import people

DOMAINS = {
    "risk_of_bias": "Risk of bias",
    "inconsistency": "Inconsistency",
    "indirectness": "Indirectness",
    "imprecision": "Imprecision",
    "publication_bias": "Publication bias",
}
LEVELS = ("very_low", "low", "moderate", "high")
LEVEL_LABELS = {"very_low": "Very low", "low": "Low", "moderate": "Moderate", "high": "High"}
SIZES = ("small", "moderate", "large")
UNKNOWN = ("unclear", "nr", "no_information", "")
NO_OVERRIDES = pd.DataFrame(columns=["outcome_domain", "family", "domain", "downgrade", "reason"])
Z = stats.norm.ppf(0.975)


@dataclass(frozen=True)
class Rules:
    """The thresholds of parameters.yml, `grade`; shares are of the weight in the main model, from 0 to 1.

    effect_g, effect_per_1000: from where on an effect is small, moderate and large (Hedges g; events more or fewer of
    1000 people). high_serious, high_very_serious: share at high risk of bias that costs one level, two. majority: share
    that is most of the weight. apart: share of trials whose own interval leaves out the average that is little overlap.
    asymmetry_p: of Egger's test. power, risk_reduction: of the optimal information size. far_below: part of that size
    under which two levels go.
    """

    effect_g: Sequence[float] = (0.2, 0.5, 0.8)
    effect_per_1000: Sequence[float] = (20, 50, 100)
    majority: float = 0.5
    high_serious: float = 0.25
    high_very_serious: float = 0.75
    apart: float = 0.25
    asymmetry_p: float = 0.10
    power: float = 0.80
    risk_reduction: float = 0.25
    far_below: float = 0.3


@dataclass(frozen=True)
class Scale:
    """How an effect is read against thresholds: Hedges g as it is, a log risk ratio as events of 1000 people."""

    thresholds: Sequence[float]
    convert: Callable[[float], float]
    unit: str
    digits: int

    def crossed(self, low: float, high: float) -> list[tuple[float, str]]:
        """The thresholds, to either side of no effect, that lie within the interval, each with its name."""
        low, high = self.convert(low), self.convert(high)
        both = [(sign * t, name) for t, name in zip(self.thresholds, SIZES, strict=True) for sign in (-1, 1)]
        return sorted((t, name) for t, name in both if low < t < high)

    def span(self, low: float, high: float) -> str:
        return f"{self.shown(self.convert(low))} to {self.shown(self.convert(high))}{self.unit}"

    def shown(self, value: float) -> str:
        return f"{value:.{self.digits}f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")


def scale_of(row: Mapping, rules: Rules, baseline: float, wanted: bool) -> Scale:
    """baseline: the event's risk without peer support, 0 to 1; wanted: whether the event is to be wished for. An effect
    is positive where it favours peer support, and so is what is read: people better off of 1000."""
    if row["family"] == "smd":
        return Scale(rules.effect_g, float, "", 2)
    sign = 1 if wanted else -1

    def better_off(effect: float) -> float:
        risk = min(1.0, baseline * float(np.exp(sign * effect)))  # no ratio takes a risk beyond certainty
        return sign * 1000 * (risk - baseline)

    return Scale(rules.effect_per_1000, better_off, " of 1000 people", 0)


def downgrades(
    row: Mapping, trials: pd.DataFrame, small: Mapping | None, rules: Rules, absolute: Mapping
) -> dict[str, tuple[int, str]]:
    """Suggested downgrade (0 or negative) and its reason for each of DOMAINS, of one outcome.

    row: its main model (k, n, effect, ci_*, pi_*, tau2, family). trials: the pooled trials with effect, variance,
    `weight` (any scale), risk_of_bias, helper_experience and condition_arm2. small: its row of small_study_effects.csv.
    absolute: `baseline`, the event's risk without peer support, and `wanted`.
    """
    weight = trials["weight"] / trials["weight"].sum()
    scale = scale_of(row, rules, absolute["baseline"], absolute["wanted"])
    return {
        "risk_of_bias": risk_of_bias(trials["risk_of_bias"], weight, rules),
        "inconsistency": inconsistency(row, trials, weight, scale, rules),
        "indirectness": indirectness(trials, weight, rules),
        "imprecision": imprecision(row, scale, rules, absolute["baseline"]),
        "publication_bias": publication_bias(row, small, rules),
    }


def risk_of_bias(judgements: pd.Series, weight: pd.Series, rules: Rules) -> tuple[int, str]:
    """-2 if three quarters of the weight are at high risk, -1 if a quarter is or if most of it is known not to be low.

    A trial that could not be judged is not at low risk, nor at high: it costs no level and its share is said.
    """
    share = {code: float(weight[judgements.eq(code)].sum()) for code in ("high", "some_concerns", "low")}
    unknown = float(weight[judgements.fillna("").isin(UNKNOWN)].sum())
    reason = (
        f"{share['high']:.0%} of the weight at high risk, {share['some_concerns']:.0%} with some concerns, "
        f"{share['low']:.0%} low, {unknown:.0%} not judgeable"
    )
    if share["high"] >= rules.high_very_serious:
        return -2, reason
    known = share["high"] + share["some_concerns"]
    return (-1 if share["high"] >= rules.high_serious or known > rules.majority else 0), reason


def inconsistency(row: Mapping, trials: pd.DataFrame, weight: pd.Series, scale: Scale, rules: Rules) -> tuple[int, str]:
    """By overlap and prediction interval, no cut-off of I2 (Guyatt 2011, doi 10.1016/j.jclinepi.2011.03.017).

    Little overlap: a quarter of the weight or more in trials whose own 95% interval leaves out the average (a twentieth
    is to be expected). The prediction interval speaks where trials differ at all (tau2 above 0): it reaches the other
    side of no effect and the confidence interval does not, or small effects on both sides. -1 for either, -2 where
    there is little overlap and effects of both kinds are to be expected. One trial: nothing to compare.
    """
    if row["k"] < 2:
        return 0, "a single trial"
    away = (trials["effect"] - row["effect"]).abs() > Z * np.sqrt(trials["variance"])
    apart = float(weight[away].sum())
    reason = f"{apart:.0%} of the weight in trials whose interval leaves out the average"
    little, other_side, both = apart >= rules.apart, False, False
    if np.isfinite(row["pi_low"]):
        reason += f"; prediction interval {scale.span(row['pi_low'], row['pi_high'])}"
        told = row["ci_low"] > 0 or row["ci_high"] < 0
        other_side = row["tau2"] > 0 and told and row["pi_low"] < 0 < row["pi_high"]
        both = row["tau2"] > 0 and _both_small(scale, row, "pi") and not _both_small(scale, row, "ci")
    if little and both:
        return -2, reason
    return (-1 if little or other_side or both else 0), reason


def _both_small(scale: Scale, row: Mapping, which: str) -> bool:
    found = {t for t, name in scale.crossed(row[f"{which}_low"], row[f"{which}_high"]) if name == SIZES[0]}
    return len(found) == 2


def indirectness(trials: pd.DataFrame, weight: pd.Series, rules: Rules) -> tuple[int, str]:
    """-1 if most weight comes from helpers known not to share mental distress (or not all of them), or from comparators
    known to be other than usual care or a waiting list. What is not stated costs nothing."""
    helpers, compared = (trials[c].fillna("") for c in ("helper_experience", "condition_arm2"))
    others = float(weight[~helpers.isin(["distress", *UNKNOWN])].sum())
    active = float(weight[~compared.isin(["care_as_usual", "waitlist", *UNKNOWN])].sum())
    unstated = [float(weight[column.isin(UNKNOWN)].sum()) for column in (helpers, compared)]
    reason = (
        f"helpers of another experience: {others:.0%} of the weight ({unstated[0]:.0%} not known); comparator other "
        f"than usual care or waiting list: {active:.0%} ({unstated[1]:.0%} not known)"
    )
    return (-1 if max(others, active) >= rules.majority else 0), reason


def imprecision(row: Mapping, scale: Scale, rules: Rules, baseline: float) -> tuple[int, str]:
    """One level for each threshold within the confidence interval, three at most.

    The thresholds of a small, moderate and large effect, to either side of none (GRADE guidances 34 and 35: Zeng 2022,
    doi 10.1016/j.jclinepi.2022.07.014, and Schünemann 2022). Where the interval holds none of them and the effect is
    moderate or larger, the optimal information size is asked for: one level under it, two far below it.
    """
    crossed = scale.crossed(row["ci_low"], row["ci_high"])
    reason = f"95% CI {scale.span(row['ci_low'], row['ci_high'])}"
    if crossed:
        within = ", ".join(f"{scale.shown(t)} ({name})" for t, name in crossed)
        return -min(3, len(crossed)), f"{reason} holds {within}"
    reason += " holds no threshold"
    if abs(scale.convert(row["effect"])) < scale.thresholds[1]:
        return 0, reason
    needed = information_size(row["family"], rules, baseline)
    enough = row["n"] >= needed
    reason += f"; {needed:,.0f} people needed, {people(row['n'])} there: {'enough' if enough else 'too few'}"
    return (0 if enough else -2 if row["n"] < rules.far_below * needed else -1), reason


def information_size(family: str, rules: Rules, baseline: float) -> float:
    """People in both arms for a two-sided 5% test with the power of the rules (Guyatt 2011, doi
    10.1016/j.jclinepi.2011.01.012).

    Hedges g: 4 (z_a + z_b)^2 / g^2, g a small effect. Events: 2 (z_a + z_b)^2 [p1 (1 - p1) + p2 (1 - p2)] /
    (p1 - p2)^2, p1 the baseline and p2 that less the relative reduction of the rules.
    """
    z = Z + stats.norm.ppf(rules.power)
    if family == "smd":
        return float(np.ceil(4 * z**2 / rules.effect_g[0] ** 2))
    p1, p2 = baseline, baseline * (1 - rules.risk_reduction)
    return float(np.ceil(2 * z**2 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2))


def publication_bias(row: Mapping, small: Mapping | None, rules: Rules) -> tuple[int, str]:
    """-1 if Egger's test (on the arms' size where it can be had, which g cannot feign) has a small p in ten trials
    or more and small trials show the larger effects; with fewer, the tests are not read."""
    if small is None or not small["interpreted"]:
        return 0, f"{row['k']:.0f} trials: too few to test for small-study effects"
    by_size = np.isfinite(small["size_p"])
    p, slope = (small["size_p"], small["size_slope"]) if by_size else (small["egger_p"], small["egger_slope"])
    reason = f"Egger's test {'on arm size' if by_size else 'on the standard error'}: p = {p:.2f}"
    return (-1 if p < rules.asymmetry_p and slope > 0 else 0), reason


def certainty(start: str, steps: int) -> str:
    """The level after so many steps down (negative) from `start`, not below very low."""
    return LEVELS[max(0, LEVELS.index(start) + steps)]


def starting_level(trials: pd.DataFrame, rules: Rules) -> str:
    """High if most of the weight is randomised, else low."""
    randomised = trials["weight"][trials["design_family"].eq("randomised")].sum()
    return "high" if randomised >= rules.majority * trials["weight"].sum() else "low"


def summary_of_findings(
    main: pd.DataFrame,
    trials: pd.DataFrame,
    small: pd.DataFrame,
    absolute: pd.DataFrame,
    overrides: pd.DataFrame,
    *,
    rules: Rules,
    baseline: float,
) -> pd.DataFrame:
    """One row per outcome: relative and absolute effect, trials, people, downgrades with reasons, certainty.

    main: the main model's rows of pooled_outcomes.csv; trials: pooled_trials; small, absolute: notebook 03's tables.
    `more_per_1000` is how many more of 1000 people do well, if `baseline` of them would without peer support (notebook
    03's NNT turned over); the table says the baseline of each outcome, and the argument stands in where `absolute` has
    none. `certainty_suggested` follows the rules, `certainty` the overrides where there are any.
    Raises ValueError for an override of an unknown outcome or domain.
    """
    keys = ["outcome_domain", "family"]
    _known(overrides, main)
    decided = overrides.set_index([*keys, "domain"]) if len(overrides) else None
    rows = []
    for row in main.dropna(subset=["effect"]).to_dict("records"):
        key = (row["outcome_domain"], row["family"])
        own = of(trials, key)
        start = starting_level(own, rules)
        in_absolute_terms = first(absolute, key)
        suggested = downgrades(row, own, first(small, key), rules, event(in_absolute_terms, baseline))
        found = {"start": start} | {name: row[name] for name in ("event", "k", "n", "effect", "ci_low", "ci_high")}
        found |= _absolute(in_absolute_terms)
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
    if row is None:
        return {}
    found = {name: row.get(name, np.nan) for name in ("baseline", "baseline_trials")}
    nnt = "nnt_furukawa" if row["family"] == "smd" else "nnt_risk_ratio"
    for end in ("", "_low", "_high"):
        number = row.get(f"{nnt}{end}", np.nan)
        found[f"more_per_1000{end}"] = np.nan if pd.isna(number) else 1000 / number
        found[f"points{end}"] = row.get(f"points{end}", np.nan)
    return found | {"scale": row.get("instrument", "")}


def event(row: Mapping | None, assumed: float) -> dict:
    """The event's risk without peer support and whether it is wished for."""
    row = row or {}
    known = row.get("baseline", np.nan)
    return {"baseline": assumed if pd.isna(known) else known, "wanted": row.get("event_wanted") == 1}


def of(table: pd.DataFrame, key: tuple[str, str]) -> pd.DataFrame:
    return table[table["outcome_domain"].eq(key[0]) & table["family"].eq(key[1])]


def first(table: pd.DataFrame, key: tuple[str, str]) -> dict | None:
    return next(iter(of(table, key).to_dict("records")), None)


def _known(overrides: pd.DataFrame, main: pd.DataFrame) -> None:
    outcomes = set(zip(main["outcome_domain"], main["family"], strict=True))
    for number, row in enumerate(overrides.to_dict("records"), start=2):
        if (row["outcome_domain"], row["family"]) not in outcomes or row["domain"] not in DOMAINS:
            raise ValueError(
                f"grade.csv, row {number}: {row['outcome_domain']} ({row['family']}), {row['domain']} is not a pooled "
                f"outcome with one of {', '.join(DOMAINS)}."
            )
