"""Effect sizes: every outcome row that can be turned into one, and why each other row cannot.

A route is one way from printed figures to an effect. Each route function takes a table of outcome rows (float
columns named as in the codebook) and returns the columns `effect` and `variance` in the direction printed: arm 1
minus arm 2. `effect_sizes` chooses the route of each row, turns the sign so that a positive effect favours peer
support, and keeps the trail. Effects are standardised mean differences (Hedges' g) in the family `smd` and log risk
ratios in the family `log_rr`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t, ttest_ind_from_stats

from peersupport.effects.formulas import (
    Z95,
    d_from_t,
    design_effect,
    g_from_log_odds_ratio,
    hedges_g,
    log_odds_ratio,
    log_risk_ratio,
    log_rr_from_hazard_ratio,
    log_rr_from_odds_ratio,
    small_sample_correction,
    variance_from_interval,
)

RATIOS = ("OR", "RR", "HR", "IRR")
STANDARDISED = ("SMD", "g", "d")
CLUSTERED_FIGURES = ("means", "change", "events_rr", "events_or")


def from_means(rows):
    arm1, arm2 = (rows[[f"mean_arm{i}", f"sd_arm{i}", f"n_arm{i}"]].to_numpy().T for i in (1, 2))
    t_value = ttest_ind_from_stats(*arm1, *arm2).statistic
    return hedges_g(d_from_t(t_value, rows.n_arm1, rows.n_arm2), rows.n_arm1, rows.n_arm2)


def from_events_to_g(rows):
    return g_from_log_odds_ratio(*log_odds_ratio(*_counts(rows)))


def from_events_to_log_rr(rows):
    return log_risk_ratio(*_counts(rows))


def from_mean_difference(rows):
    df = rows.n_arm1 + rows.n_arm2 - 2
    from_interval = (rows.ci_high - rows.ci_low) / (2 * t.ppf(0.975, df))
    from_p = rows.effect.abs() / t.isf(rows.p_value / 2, df)
    se = rows.se.fillna(from_interval).fillna(from_p)
    return hedges_g(d_from_t(rows.effect / se, rows.n_arm1, rows.n_arm2), rows.n_arm1, rows.n_arm2)


def from_standardised(rows):
    """Printed SMD, g or d; d is corrected for small samples. Variance from SE, else CI, else the arms' n."""
    n = rows.n_arm1 + rows.n_arm2
    correct = small_sample_correction((n - 2).where(rows.measure.eq("d") & (n > 2)))
    factor = np.where(np.isnan(correct), 1.0, correct)
    effect = factor * rows.effect
    stated = (rows.se**2).fillna(variance_from_interval(rows.ci_low, rows.ci_high)) * factor**2
    formula = 1 / rows.n_arm1 + 1 / rows.n_arm2 + effect**2 / (2 * n)
    return effect, stated.fillna(formula)


def from_ratio_to_g(rows):
    return g_from_log_odds_ratio(*_log_ratio(rows))


def from_odds_ratio_to_log_rr(rows):
    return log_rr_from_odds_ratio(*_log_ratio(rows))


def from_risk_ratio(rows):
    return _log_ratio(rows)


def from_hazard_ratio(rows):
    return log_rr_from_hazard_ratio(*_log_ratio(rows))


def from_p_value(rows):
    """|t| from the two-sided p and the arms' n; the sign is the conclusion's."""
    t_value = t.isf(rows.p_value / 2, rows.n_arm1 + rows.n_arm2 - 2)
    return hedges_g(d_from_t(t_value, rows.n_arm1, rows.n_arm2), rows.n_arm1, rows.n_arm2)


def _counts(rows):
    return rows.event_arm1, rows.totaln_arm1, rows.event_arm2, rows.totaln_arm2


def _log_ratio(rows):
    return np.log(rows.effect), variance_from_interval(np.log(rows.ci_low), np.log(rows.ci_high))


@dataclass(frozen=True)
class Route:
    """One way to an effect; `figures` says what kind of figures it starts from."""

    family: str
    figures: str
    direction: str
    compute: Callable
    conversion: str


MEANS, PRINTED, CONCLUSION = "figures and higher_is_better", "positive_favours", "favours"
ROUTES = {
    "means": Route("smd", "means", MEANS, from_means, "g = J (mean1 - mean2) / pooled SD"),
    "change": Route("smd", "change", MEANS, from_means, "g = J (change1 - change2) / pooled SD of change"),
    "events_or": Route("smd", "events", MEANS, from_events_to_g, "g = log OR sqrt(3)/pi, from counts"),
    "events_rr": Route("log_rr", "events", MEANS, from_events_to_log_rr, "log RR from counts"),
    "mean_difference": Route("smd", "printed", PRINTED, from_mean_difference, "t = MD / SE; g = J t sqrt(1/n1 + 1/n2)"),
    "standardised": Route("smd", "printed", PRINTED, from_standardised, "as printed (d times J)"),
    "odds_ratio": Route("smd", "printed", PRINTED, from_ratio_to_g, "g = log OR sqrt(3)/pi, OR printed with CI"),
    "odds_ratio_rr": Route("log_rr", "printed", PRINTED, from_odds_ratio_to_log_rr, "log RR = log OR / 2"),
    "risk_ratio": Route("log_rr", "printed", PRINTED, from_risk_ratio, "log of the printed RR"),
    "hazard_ratio": Route(
        "log_rr", "printed", PRINTED, from_hazard_ratio, "RR = (1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1/HR))"
    ),
    "p_value": Route("smd", "p", CONCLUSION, from_p_value, "t from p; g = J t sqrt(1/n1 + 1/n2)"),
}
REASONS = {
    "direction_only": "the source states a direction or a test only, no figures that give an effect",
    "not_between_arms": "not a comparison of peer support with an arm without peers",
    "regression_coefficient": "a regression coefficient that is not standardised",
    "risk_difference": "a risk difference without the comparator's risk",
    "direction_unclear": "it is not stated which sign favours peer support",
    "no_arm_sizes": "the arms' n are not stated",
    "no_standard_deviation": "means without SDs, and no p that gives a t",
    "no_variance": "an effect without CI, SE, p or arms' n",
    "ratio_for_continuous": "a risk, rate or hazard ratio in a domain pooled as SMD: no baseline risk to convert it",
    "figures_missing": "the figures that this kind of row needs are not all there",
}


def choose_route(rows: pd.DataFrame, events: Collection[str]) -> tuple[pd.Series, pd.Series]:
    """Route and reason for exclusion of each row; exactly one of the two is filled ("" otherwise).

    events: the outcome domains that are pooled as risk ratios.
    """
    event = rows.outcome_domain.isin(events)
    arms = rows.n_arm1.notna() & rows.n_arm2.notna()
    interval = rows.ci_low.notna() & rows.ci_high.notna()
    usable_p = rows.p_value.gt(0) & rows.p_operator.isin(["=", "<"]) & rows.effect.ne(0)
    two_groups = rows.mean_arm1.notna() & rows.mean_arm2.notna() & arms
    sds = two_groups & rows.sd_arm1.notna() & rows.sd_arm2.notna()
    counts = rows[["event_arm1", "totaln_arm1", "event_arm2", "totaln_arm2"]].notna().all(axis=1)
    concluded = rows.favours.isin(["arm1", "arm2"])
    kind, measure = rows.outcome_type, rows.measure
    printed = kind.eq("precalc") & rows.effect.notna()
    ratio = printed & measure.isin(RATIOS)
    clear_sign = np.where(
        kind.eq("precalc"), rows.positive_favours.isin(["arm1", "arm2"]), rows.higher_is_better.isin(["yes", "no"])
    )
    cases = [
        ("direction_only", kind.eq("direction_only")),
        ("not_between_arms", rows.contrast.ne("between")),
        ("regression_coefficient", printed & measure.eq("beta")),
        ("risk_difference", printed & measure.eq("RD")),
        ("direction_unclear", ~clear_sign.astype(bool)),
        ("means", kind.eq("msd") & sds),
        ("change", kind.eq("change") & sds),
        ("p_value", kind.isin(["msd", "change"]) & arms & usable_p & concluded),
        ("no_standard_deviation", kind.isin(["msd", "change"])),
        ("events_rr", kind.eq("dichotomous") & counts & event),
        ("events_or", kind.eq("dichotomous") & counts),
        ("mean_difference", printed & measure.eq("MD") & arms & (interval | rows.se.notna() | usable_p)),
        ("no_arm_sizes", printed & measure.eq("MD") & ~arms),
        ("standardised", printed & measure.isin(STANDARDISED) & (interval | rows.se.notna() | arms)),
        ("odds_ratio_rr", ratio & interval & measure.eq("OR") & event),
        ("odds_ratio", ratio & interval & measure.eq("OR")),
        ("ratio_for_continuous", ratio & ~event),
        ("risk_ratio", ratio & interval & measure.isin(["RR", "IRR"])),
        ("hazard_ratio", ratio & interval & measure.eq("HR")),
        ("no_variance", printed),
    ]
    names, tests = zip(*cases, strict=True)
    case = pd.Series(np.select([np.asarray(x, dtype=bool) for x in tests], names, "figures_missing"), rows.index)
    is_route = case.isin(list(ROUTES))
    return case.where(is_route, ""), case.where(~is_route, "")


def effect_sizes(
    outcomes: pd.DataFrame, studies: pd.DataFrame, clusters: pd.DataFrame, icc: float, events: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split reconciled outcome rows into effects and exclusions.

    outcomes: one row per outcome row, float figures, with `trial` and `source`; studies: with `n_randomised`, `n_arm1`,
    `n_arm2`, `design`, `design_family`; clusters: `study, clusters, icc` for cluster trials whose sheet states them;
    icc: what is assumed where the sheet gives none; events: the codebook's, domain to `avoid` or `wanted`.
    Returns (effects, exclusions); every row is in exactly one of them. Effects tell the direction of their `event`, the
    `people` behind them, and whether their trial is `randomised`.
    """
    rows = _with_arm_sizes(outcomes.reset_index(drop=True), studies)
    route, reason = choose_route(rows, events)
    kept = rows[route.ne("")].assign(route=route)
    left_out = rows[reason.ne("")]
    reason = reason[reason.ne("")]
    exclusions = left_out[["row_id", "study", "outcome_domain"]].assign(
        reason=reason, detail=reason.map(REASONS) + left_out.contrast.map(_contrast_detail)
    )
    effects = pd.concat([_apply(name, kept[kept.route.eq(name)]) for name in ROUTES])
    effects = _allow_for_clusters(effects, studies, clusters, icc)
    effects = _with_flags(effects).sort_values("row_id")
    effects = effects.assign(
        event=_direction_of_event(effects, events),
        people=_people(effects, studies),
        randomised=_randomised(effects, studies),
    )
    half = Z95 * np.sqrt(effects.variance)
    effects = effects.assign(ci_low=effects.effect - half, ci_high=effects.effect + half)
    return effects.reset_index(drop=True), exclusions.sort_values("row_id").reset_index(drop=True)


def _direction_of_event(effects, events):
    """avoid or wanted by the row itself, else by its domain; "" for what is no event."""
    told = effects.higher_is_better.map({"yes": "wanted", "no": "avoid"}).fillna(effects.outcome_domain.map(events))
    return told.where(effects.family.eq("log_rr"), "")


def _people(effects, studies):
    """Both arms analysed; else those whom the study randomised; else the one arm that is stated; else blank."""
    arms = effects[["n_arm1", "n_arm2"]]
    randomised = effects.study.map(studies.set_index("study")["n_randomised"])
    return arms.sum(axis=1, min_count=2).fillna(randomised).fillna(arms.sum(axis=1, min_count=1))


def _randomised(effects, studies):
    """Of a trial with several reports, the design of the report that it is named after."""
    family = studies.set_index("study")["design_family"]
    return effects.trial.map(family).fillna(effects.study.map(family)).eq("randomised")


def _contrast_detail(contrast: str) -> str:
    return "" if contrast in ("", "between") else f" (contrast: {contrast})"


def _with_arm_sizes(rows, studies):
    """Events carry their totals; an effect without arms' n takes the arms of the study sheet, and says so."""
    arms = rows[["study"]].merge(studies[["study", "n_arm1", "n_arm2"]], on="study", how="left")
    borrow = rows.outcome_type.eq("precalc") & rows.n_arm1.isna() & rows.n_arm2.isna()
    borrow &= arms.n_arm1.notna() & arms.n_arm2.notna()
    filled = rows.assign(arms_from=np.where(borrow, "arms' n as in the study sheet", ""))
    for arm in ("1", "2"):
        n = rows[f"n_arm{arm}"].where(~borrow, arms[f"n_arm{arm}"])
        filled[f"n_arm{arm}"] = n.fillna(rows[f"totaln_arm{arm}"])
    return filled


def _apply(name, part):
    route = ROUTES[name]
    effect, variance = route.compute(part)
    better = {
        MEANS: ("higher_is_better", "yes"),
        PRINTED: ("positive_favours", "arm1"),
        CONCLUSION: ("favours", "arm1"),
    }
    column, positive = better[route.direction]
    sign = np.where(part[column].eq(positive), 1, -1)
    return part.assign(
        printed_effect=part.effect,
        printed_ci_low=part.ci_low,
        printed_ci_high=part.ci_high,
        effect=sign * np.asarray(effect),
        variance=np.asarray(variance),
        family=route.family,
        method=name,
        conversion=route.conversion,
        direction_source=route.direction,
        assumptions=_assumptions(name, part),
    )


def _assumptions(name, part):
    """What the route takes for granted in each row, in words."""
    interval = part.ci_low.notna() & part.ci_high.notna()
    from_p = (name == "p_value") | ((name == "mean_difference") & ~interval & part.se.isna())
    no_interval = (name == "standardised") & ~interval & part.se.isna()
    notes = [
        part.arms_from,
        _where(from_p & part.p_operator.eq("<"), "p taken at its bound", part),
        _where(from_p & part.p_operator.eq("="), "two-sided p", part),
        _where(no_interval, "variance from the arms' n", part),
        _where(name == "mean_difference", "the difference is standardised by the SD its t implies", part),
        _where(name == "odds_ratio_rr", "risks between 0.2 and 0.8", part),
        _where(name == "hazard_ratio", "half of the comparators have the event", part),
        _where(name in ("events_or", "odds_ratio"), "a logistic trait under the events", part),
    ]
    return _joined(notes)


def _joined(notes):
    """Columns of text into one, "; " between what is there."""
    text = notes[0]
    for note in notes[1:]:
        text = text + np.where(text.ne("") & note.ne(""), "; ", "") + note
    return text


def _where(condition, text, part):
    return pd.Series(np.where(condition, text, ""), index=part.index)


def _allow_for_clusters(effects, studies, clusters, icc):
    """Raw figures of a cluster trial: variance times the design effect where the clusters are stated, else flagged."""
    stated = clusters.set_index("study")
    number, own_icc = (effects.study.map(stated[column]) for column in ("clusters", "icc"))
    design = effects.study.map(studies.set_index("study")["design"])
    raw = design.eq("cluster_rct") & effects.method.isin(CLUSTERED_FIGURES)
    inflate = raw & number.notna()
    deff = design_effect(effects.n_arm1 + effects.n_arm2, number, own_icc.fillna(icc))
    note = "design effect " + pd.Series(deff, effects.index).round(2).astype(str)
    joined = effects.assumptions.where(effects.assumptions.eq(""), effects.assumptions + "; ") + note
    return effects.assign(
        variance=effects.variance.where(~inflate, effects.variance * deff),
        assumptions=effects.assumptions.where(~inflate, joined),
        cluster_unadjusted=raw & ~inflate,
    )


def _with_flags(effects):
    """Flags, joined by "; ": what a reader should look at before trusting the row."""
    sign = np.sign(effects.effect.round(12))
    concluded = effects.favours.map({"arm1": 1, "arm2": -1}).fillna(0)
    database = effects.source.eq("open_database") & effects.outcome_type.ne("precalc")
    printed = effects.printed_effect.where(database)
    tests = {
        "conclusion_conflict": sign * concluded == -1,
        "database_sign_conflict": sign * np.sign(printed) == -1,
        "database_size_differs": (effects.effect - printed).abs() > 0.05,
        "cluster_unadjusted": effects.cluster_unadjusted,
        "implausibly_large": effects.family.eq("smd") & (effects.effect.abs() > 2),
    }
    columns = [_where(test, name, effects) for name, test in tests.items()]
    return effects.assign(flags=_joined(columns)).drop(columns="cluster_unadjusted")
