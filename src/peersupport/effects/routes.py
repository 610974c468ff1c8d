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
    log_rr_at_baseline,
    log_rr_from_hazard_ratio,
    log_rr_from_odds_ratio,
    small_sample_correction,
    variance_from_interval,
)
from peersupport.effects.instruments import name_instrument

RATIOS = ("OR", "RR", "HR", "IRR")
STANDARDISED = ("SMD", "g", "d")
RISKS_OF_THE_SQUARE_ROOT = (0.2, 0.8)  # of the comparator, between which RR is about sqrt(OR) (VanderWeele 2020)
SCORED_ALIKE = 2  # an SD beyond twice, or under half, of another belongs to another way of scoring
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
    """Standardised by the SD that the t of the difference implies: of an adjusted difference a residual SD, which is
    smaller than the scale's and gives a larger effect."""
    d = d_from_t(rows.effect / _standard_error(rows), rows.n_arm1, rows.n_arm2)
    return hedges_g(d, rows.n_arm1, rows.n_arm2)


def from_mean_difference_by_scale(rows):
    """Standardised by the SD of the same instrument in other trials, taken as known: g = J MD / SD, SE alike."""
    factor = small_sample_correction(rows.n_arm1 + rows.n_arm2 - 2) / rows.scale_sd
    return factor * rows.effect, (factor * _standard_error(rows)) ** 2


def _standard_error(rows):
    """Of a printed difference: as stated, else from its interval, else from p, by t with n1 + n2 - 2 df."""
    df = rows.n_arm1 + rows.n_arm2 - 2
    from_interval = (rows.ci_high - rows.ci_low) / (2 * t.ppf(0.975, df))
    from_p = rows.effect.abs() / t.isf(rows.p_value / 2, df)
    return rows.se.fillna(from_interval).fillna(from_p)


def implied_sd(rows):
    """The SD by which the t of a printed difference standardises it."""
    return _standard_error(rows) / np.sqrt(1 / rows.n_arm1 + 1 / rows.n_arm2)


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


def from_odds_ratio_at_baseline(rows):
    """RR = OR / (1 - p + p OR); a source that prints the comparator over peer support is turned for it and back."""
    wanted = rows.higher_is_better.eq("yes")
    turn = np.where(rows.positive_favours.eq("arm1") == wanted, 1, -1)
    log_or, variance = _log_ratio(rows)
    log_rr, variance = log_rr_at_baseline(turn * log_or, variance, rows.comparator_risk)
    return turn * log_rr, variance


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
    "mean_difference_scale": Route(
        "smd", "printed", PRINTED, from_mean_difference_by_scale, "g = J MD / SD of the instrument in other trials"
    ),
    "mean_difference": Route("smd", "printed", PRINTED, from_mean_difference, "t = MD / SE; g = J t sqrt(1/n1 + 1/n2)"),
    "standardised": Route("smd", "printed", PRINTED, from_standardised, "as printed (d times J)"),
    "odds_ratio": Route("smd", "printed", PRINTED, from_ratio_to_g, "g = log OR sqrt(3)/pi, OR printed with CI"),
    "odds_ratio_rr": Route("log_rr", "printed", PRINTED, from_odds_ratio_to_log_rr, "log RR = log OR / 2"),
    "odds_ratio_rr_at_baseline": Route(
        "log_rr", "printed", PRINTED, from_odds_ratio_at_baseline, "RR = OR / (1 - p + p OR), p the comparator's risk"
    ),
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
    "no_events": "no events, or events only, in both arms: such a trial tells nothing on a ratio",
    "rate_ratio": "a rate ratio counts events in time, not the people who have one: it is no risk ratio",
    "p_printed_as_zero": "a p printed as 0 gives no t: write what the source means by it, as < 0.001",
    "figures_missing": "the figures that this kind of row needs are not all there",
}


def choose_route(rows: pd.DataFrame, events: Collection[str]) -> tuple[pd.Series, pd.Series]:
    """Route and reason for exclusion of each row; exactly one of the two is filled ("" otherwise).

    rows: with `comparator_risk` and `scale_sd`, blank where other rows do not tell them; events: the outcome domains
    that are pooled as risk ratios.
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
    none = rows.event_arm1.eq(0) & rows.event_arm2.eq(0)
    everybody = rows.event_arm1.eq(rows.totaln_arm1) & rows.event_arm2.eq(rows.totaln_arm2)
    zero_p = rows.p_value.eq(0) & arms
    printed = kind.eq("precalc") & rows.effect.notna()
    ratio = printed & measure.isin(RATIOS)
    differs = printed & measure.eq("MD") & arms & (interval | rows.se.notna() | usable_p)
    rare = rows.comparator_risk.notna() & ~rows.comparator_risk.between(*RISKS_OF_THE_SQUARE_ROOT)
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
        ("p_printed_as_zero", kind.isin(["msd", "change"]) & zero_p & concluded),
        ("no_standard_deviation", kind.isin(["msd", "change"])),
        ("no_events", kind.eq("dichotomous") & counts & (none | everybody)),
        ("events_rr", kind.eq("dichotomous") & counts & event),
        ("events_or", kind.eq("dichotomous") & counts),
        ("mean_difference_scale", differs & rows.scale_sd.notna()),
        ("mean_difference", differs),
        ("p_printed_as_zero", printed & measure.eq("MD") & zero_p),
        ("no_arm_sizes", printed & measure.eq("MD") & ~arms),
        ("standardised", printed & measure.isin(STANDARDISED) & (interval | rows.se.notna() | arms)),
        ("odds_ratio_rr_at_baseline", ratio & interval & measure.eq("OR") & event & rare),
        ("odds_ratio_rr", ratio & interval & measure.eq("OR") & event),
        ("odds_ratio", ratio & interval & measure.eq("OR")),
        ("ratio_for_continuous", ratio & ~event),
        ("risk_ratio", ratio & interval & measure.eq("RR")),
        ("rate_ratio", ratio & measure.eq("IRR")),
        ("hazard_ratio", ratio & interval & measure.eq("HR")),
        ("no_variance", printed),
    ]
    names, tests = zip(*cases, strict=True)
    case = pd.Series(np.select([np.asarray(x, dtype=bool) for x in tests], names, "figures_missing"), rows.index)
    is_route = case.isin(list(ROUTES))
    return case.where(is_route, ""), case.where(~is_route, "")


def effect_sizes(
    outcomes: pd.DataFrame, studies: pd.DataFrame, clusters: pd.DataFrame, icc: float, codebook: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split reconciled outcome rows into effects and exclusions.

    outcomes: one row per outcome row, float figures, with `trial` and `source`; studies: with `n_randomised`, `n_arm1`,
    `n_arm2`, `design`, `design_family`; clusters: `study, clusters, icc` for cluster trials whose sheet states them;
    icc: what is assumed where the sheet gives none; codebook: its `events` and `instruments` are read.
    Returns (effects, exclusions); every row is in exactly one of them. Effects tell the direction of their `event`, the
    `people` behind them, and whether their trial is `randomised`.
    """
    events = codebook["events"]
    rows = _with_arm_sizes(outcomes.reset_index(drop=True), studies)
    rows = _with_scale_sd(_with_comparator_risk(rows), codebook["instruments"])
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


def _with_comparator_risk(rows):
    """The comparators' risk of each row's event: of the trial itself (the mean of its rows), else the median of the
    domain's trials with events of that direction; with how it is known."""
    counted = rows.outcome_type.eq("dichotomous") & rows.totaln_arm2.gt(0)
    risk = (rows.event_arm2 / rows.totaln_arm2).where(counted & rows.contrast.eq("between"))
    kind = [rows.outcome_domain, rows.higher_is_better]
    own = risk.groupby([*kind, rows.trial]).transform("mean")
    trials = own.where(~pd.concat([*kind, rows.trial], axis=1).duplicated())
    usual = trials.groupby(kind).transform("median")
    source = np.where(own.notna(), "the trial's comparator", np.where(usual.notna(), "the domain's comparators", ""))
    return rows.assign(comparator_risk=own.fillna(usual), risk_from=source)


def _with_scale_sd(rows, aliases):
    """The SD of each difference's instrument in other trials, pooled over arms with scores at one time, where it is
    scored alike: sqrt(sum (n - 1) sd^2 / sum (n - 1))."""
    named = [name_instrument(text, aliases) for text in rows.instrument.fillna("")]
    scale = pd.Series([f"{name}|{part}" if name else "" for name, part in named], rows.index)
    arms = [
        pd.DataFrame({"scale": scale, "trial": rows.trial, "sd": rows[f"sd_arm{i}"], "n": rows[f"n_arm{i}"]})
        for i in (1, 2)
    ]
    known = pd.concat([arm[rows.outcome_type.eq("msd") & scale.ne("")] for arm in arms]).dropna()
    sd, trials = pd.Series(np.nan, rows.index), pd.Series(0, rows.index)
    implied = implied_sd(rows)
    for i in rows.index[rows.outcome_type.eq("precalc") & rows.measure.eq("MD") & implied.notna()]:
        others = known[known.scale.eq(scale[i]) & known.trial.ne(rows.trial[i]) & known.n.gt(1)]
        others = others[others.sd.between(implied[i] / SCORED_ALIKE, implied[i] * SCORED_ALIKE)]
        if len(others):
            sd[i] = np.sqrt(((others.n - 1) * others.sd**2).sum() / (others.n - 1).sum())
            trials[i] = others.trial.nunique()
    return rows.assign(scale_sd=sd, scale_trials=trials)


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
        _per_row(name == "mean_difference_scale", part, _scale_text),
        _where(
            (name == "odds_ratio_rr") & part.risk_from.eq(""), "risks between 0.2 and 0.8, which no trial states", part
        ),
        _per_row(name in ("odds_ratio_rr", "odds_ratio_rr_at_baseline"), part, _risk_text),
        _where(
            _holds_zero(part) & (name in ("events_or", "events_rr")), "0.5 added to each cell, as one is empty", part
        ),
        _where(name == "hazard_ratio", "half of the comparators have the event", part),
        _where(name in ("events_or", "odds_ratio"), "a logistic trait under the events", part),
    ]
    return _joined(notes)


def _scale_text(row):
    trials = "1 other trial" if row.scale_trials == 1 else f"{row.scale_trials} other trials"
    return f"SD {row.scale_sd:.3g}, of the instrument in {trials}"


def _risk_text(row):
    return f"risk {row.comparator_risk:.2f}, of {row.risk_from}" if row.risk_from else ""


def _per_row(condition, part, text):
    return pd.Series([text(row) if condition else "" for row in part.itertuples()], part.index, dtype=object)


def _holds_zero(part):
    pairs = ((part.event_arm1, part.totaln_arm1), (part.event_arm2, part.totaln_arm2))
    return pairs[0][0].eq(0) | pairs[0][0].eq(pairs[0][1]) | pairs[1][0].eq(0) | pairs[1][0].eq(pairs[1][1])


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
        "residual_sd": effects.method.eq("mean_difference"),
        "implausibly_large": effects.family.eq("smd") & (effects.effect.abs() > 2),
    }
    columns = [_where(test, name, effects) for name, test in tests.items()]
    return effects.assign(flags=_joined(columns)).drop(columns="cluster_unadjusted")
