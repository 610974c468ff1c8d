"""The domains that are pooled, and one table of models: name -> which effects -> which fit.

A new model is one entry in MODELS. A model that the data cannot carry raises NotEstimable with the
reason, and becomes a Fit without numbers whose note says so (the row metapsyTools leaves out).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from peersupport.effects import arms
from peersupport.effects.pools import Domain, pools
from peersupport.pool import influence, multilevel, small_study
from peersupport.pool.bayes import posterior
from peersupport.pool.fit import Fit, composites, extreme, inference, prediction, univariate
from peersupport.pool.selection_model import fit_selection

MAIN = "random_reml_hk"
STUDY_FACTS = ["design", "design_family", "helper_experience", "condition_arm2"]
UNCONVERTED = ("means", "change", "events_rr")  # methods that use the trial's own means or counts
MINIMUM_DF = 4  # below it Satterthwaite's approximation is outside its tested range (Tipton 2015)
FEW_DF = "fewer than 4 degrees of freedom: the interval is not to be relied on"
NARROWER = "narrower than without Hartung-Knapp, as the effects are very alike: see random_reml"
DEGENERATE = (ValueError, ArithmeticError, np.linalg.LinAlgError)
ONE_EACH = "every trial has one effect"
COLUMNS = (
    "outcome_domain family event model k n effect ci_low ci_high p_value pi_low pi_high tau2 i2 q q_p "
    "trials tau2_ci_low tau2_ci_high i2_ci_low i2_ci_high sigma2_between sigma2_within df note"
).split()


class NotEstimable(ValueError):
    """The data cannot carry this model; the message is the note of its row."""


@dataclass(frozen=True)
class Settings:
    """The choices that the models share; the notebook fills them from parameters.yml."""

    correlation: float = 0.6
    minimum_trials: int = 3
    window_start: int = 2020
    window_end: int = 2025
    prior_scale: float = 0.5
    small_effect: float = 0.2


@dataclass(frozen=True)
class Model:
    """select(rows, settings) gives the effects, fit(effects, settings) the Fit.

    `label` may name settings in braces. `least` is the number of trials below which the model is not tried
    (minimum_trials if larger).
    """

    label: str
    select: Callable[[pd.DataFrame, Settings], pd.DataFrame]
    fit: Callable[[pd.DataFrame, Settings], Fit]
    least: int = 2


def domains(effects: pd.DataFrame, minimum_trials: int, codebook: Mapping) -> list[Domain]:
    """Every pool of the main analysis with enough trials (effects.pools says which there are and in what order)."""
    chosen = effects[effects["selected"].astype(bool)]
    return [domain for domain in pools(chosen, codebook) if domain.trials >= minimum_trials]


def with_study_facts(effects: pd.DataFrame, studies: pd.DataFrame, risk: pd.DataFrame) -> pd.DataFrame:
    """Effects with STUDY_FACTS and the overall risk of bias of their study."""
    overall = risk[risk["domain"].eq("overall")].set_index("study")["judgement"]
    facts = studies.drop_duplicates("study").set_index("study")[STUDY_FACTS]
    return effects.join(facts, on="study").assign(risk_of_bias=effects["study"].map(overall).fillna("no_information"))


def fit_model(domain: Domain, name: str, settings: Settings) -> Fit:
    """One model on one domain; a Fit without numbers, its note the reason, if it cannot be had."""
    model = MODELS[name]
    named = {"outcome_domain": domain.name, "family": domain.family, "model": name}
    effects = domain.rows.iloc[:0]
    try:
        effects = model.select(domain.rows, settings)
        trials, least = effects["trial"].nunique(), max(model.least, settings.minimum_trials)
        if trials < least:
            raise NotEstimable(f"{_count(trials, 'trial')} left, {least} needed")
        fit = model.fit(effects, settings)
    except NotEstimable as reason:
        fit = Fit(effects=effects, note=f"not estimated: {reason}")
    except DEGENERATE as fault:  # data that this model cannot carry concern it alone
        fit = Fit(effects=effects, note=f"not estimated: the effects are too few or too alike for this model ({fault})")
    return replace(fit, **named)


def fit_battery(domain: Domain, settings: Settings) -> dict[str, Fit]:
    """Every model of MODELS on one domain."""
    return {name: fit_model(domain, name, settings) for name in MODELS}


def trial_weights(pooled: list[Domain], settings: Settings) -> pd.DataFrame:
    """The weight in percent of each trial in the main model of its pool: outcome_domain, family, trial, study, weight.

    A row for each report of the trial with an effect in the pool, all with the trial's weight.
    """
    parts = []
    for domain in pooled:
        weight = fit_model(domain, MAIN, settings).effects.set_index("trial")["weight"]
        reports = domain.rows[["trial", "study"]].drop_duplicates()
        named = reports.assign(outcome_domain=domain.name, family=domain.family, weight=reports["trial"].map(weight))
        parts.append(named[["outcome_domain", "family", "trial", "study", "weight"]])
    return pd.concat(parts, ignore_index=True)


def periods(domain: Domain, settings: Settings) -> dict[str, Fit]:
    """The main model before and in the review's window; empty unless both have trials enough."""
    start, end = settings.window_start, settings.window_end
    years = domain.rows.groupby("trial")["year"].transform("min")
    parts = {f"Before {start}": years < start, f"{start} to {end}": years.between(start, end)}
    found = {
        label: fit_model(replace(domain, rows=domain.rows[inside]), MAIN, settings) for label, inside in parts.items()
    }
    return found if all(fit.trials >= settings.minimum_trials for fit in found.values()) else {}


def pooled_table(fits: list[Fit]) -> pd.DataFrame:
    """One row per fit, unrounded, with ratios as named: the table pooled_outcomes.csv."""
    table = pd.DataFrame([{c: getattr(fit, c) for c in COLUMNS} for fit in fits], columns=COLUMNS)
    return with_ratios(table)


def with_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """With the ratio of the event as named, arm 1 over arm 2, beside logs that are positive where arm 1 does better.

    Columns ratio, ratio_low, ratio_high; blank for what is no event.
    """
    logs = table[["effect", "ci_low", "ci_high"]].where(table["event"].isin(["avoid", "wanted"]))
    first = np.exp(logs.mul(np.where(table["event"].eq("avoid"), -1.0, 1.0), axis=0).astype(float))
    low, high = first[["ci_low", "ci_high"]].min(axis=1), first[["ci_low", "ci_high"]].max(axis=1)
    return table.assign(ratio=first["effect"], ratio_low=low, ratio_high=high)


def sections(main: dict[tuple[str, str], Fit], recovery_types: Collection[str]) -> dict[str, list[Fit]]:
    """The main fits under the headings of the summary forest; empty headings are left out."""
    fits = list(main.values())
    smd = [fit for fit in fits if fit.family == "smd"]
    found = {
        "By type of recovery (Hedges g)": [fit for fit in smd if fit.outcome_domain in recovery_types],
        "By outcome (Hedges g)": [fit for fit in smd if fit.outcome_domain not in recovery_types],
        "Events to be avoided (risk ratio)": [fit for fit in fits if fit.event == "avoid"],
        "Events wished for (risk ratio)": [fit for fit in fits if fit.event == "wanted"],
    }
    return {heading: chosen for heading, chosen in found.items() if chosen}


def model_labels(settings: Settings) -> dict[str, str]:
    """What each model of MODELS is called, with the review's own window."""
    return {name: model.label.format(**vars(settings)) for name, model in MODELS.items()}


def compare(variants: Mapping[str, pd.DataFrame], settings: Settings, codebook: Mapping) -> pd.DataFrame:
    """The main model of every pool under each variant of the effects; only pools in which a variant differs.

    The first variant is the main analysis. Columns: outcome_domain, family, event, variant, k, effect, ci_low, ci_high.
    """
    about = ["outcome_domain", "family", "event"]
    rows = []
    for name, effects in variants.items():
        for domain in domains(effects, settings.minimum_trials, codebook):
            trials = composites(domain.rows, settings.correlation)
            fit = univariate(trials)
            rows.append((domain.name, domain.family, domain.event, name, fit.k, fit.effect, fit.ci_low, fit.ci_high))
    table = pd.DataFrame(rows, columns=[*about, "variant", "k", "effect", "ci_low", "ci_high"])
    spread = table.groupby(about)["effect"].transform(lambda effect: effect.max() - effect.min())
    return table[spread > 1e-9].sort_values(about, kind="stable").reset_index(drop=True)


def one_by_one(domains: list[Domain], settings: Settings, labels: Mapping[str, str]) -> dict[str, list[Fit]]:
    """Each study's own effect in each of these domains, under the headings of the summary forest; where there are
    trials enough, the main model below them. The Fits are named "Outcome: Study".
    """
    found = {}
    for domain in domains:
        trials = composites(domain.rows, settings.correlation).sort_values(["year", "study"], kind="stable")
        fits = [
            Fit(effects=trials.iloc[[i]], **inference(row.effect, row.variance**0.5))
            for i, row in enumerate(trials.itertuples())
        ]
        named = [replace(fit, outcome_domain=f"{labels[domain.name]}: {fit.effects['study'].iloc[0]}") for fit in fits]
        pooled = fit_model(domain, MAIN, settings)
        if not np.isnan(pooled.effect):
            named.append(replace(pooled, outcome_domain=f"{labels[domain.name]}: pooled"))
        found[domain.name, domain.family] = [replace(fit, family=domain.family) for fit in named]
    every = {(fit.outcome_domain, fit.family): fit for fits in found.values() for fit in fits}
    return sections(every, ())


def slug(name: str, family: str) -> str:
    """A domain's name in file names: depression, service_use_risk_ratio."""
    return name if family == "smd" else f"{name}_risk_ratio"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# ---- selections: rows and settings in, effects out ----


def _rows(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    return rows


def _all_trials(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    joined = composites(rows, settings.correlation)
    return joined.sort_values(["year", "study"], kind="stable", ignore_index=True)


def _where(condition: Callable[[pd.DataFrame, Settings], pd.Series]):
    def select(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
        return _all_trials(rows[condition(rows, settings)], settings)

    return select


# ---- fits: effects and settings in, Fit out ----


def _univariate(tau2: str, test: str):
    return lambda effects, settings: univariate(effects, tau2, test)


def _main(effects: pd.DataFrame, settings: Settings) -> Fit:
    """REML with Hartung-Knapp; the note says where the adjustment narrows the interval, which it can
    when effects are more alike than chance would have them (Jackson et al. 2017)."""
    fit = univariate(effects)
    plain = univariate(effects, fit.tau2, test="wald")
    narrower = fit.ci_high - fit.ci_low < plain.ci_high - plain.ci_low
    return replace(fit, note=NARROWER) if narrower else fit


def _extreme(which: str):
    def fit(rows: pd.DataFrame, settings: Settings) -> Fit:
        found = _main(extreme(rows, which), settings)
        return found if rows["trial"].duplicated().any() else replace(found, note=ONE_EACH)

    return fit


def _without(rule: Callable[[Fit], pd.Series]):
    """The main model without the trials that the rule, applied once to all of them, points at."""

    def fit(effects: pd.DataFrame, settings: Settings) -> Fit:
        out = rule(univariate(effects)).to_numpy(bool)
        names = ", ".join(effects.loc[out, "study"])
        left = int((~out).sum())
        if left < settings.minimum_trials:
            raise NotEstimable(f"{_count(left, 'trial')} left without {names}")
        note = f"left out: {names}" if names else "none to leave out: as the main model"
        return replace(univariate(effects[~out]), note=note)

    return fit


def _nested(correlation: Callable[[Settings], float], robust: bool):
    """Three-level model, or with `robust` correlated hierarchical effects and CR2."""

    def fit(rows: pd.DataFrame, settings: Settings) -> Fit:
        if not rows["trial"].duplicated().any():
            raise NotEstimable(ONE_EACH)
        y, v = rows["effect"].to_numpy(float), rows["variance"].to_numpy(float)
        trial = rows["trial"].to_numpy()
        within_trial = arms.correlations(rows, correlation(settings)) if arms.told(rows) else correlation(settings)
        sampling = multilevel.sampling_covariance(v, trial, within_trial)
        between, within = multilevel.variance_components(y, sampling, trial)
        total = multilevel.total_covariance(sampling, trial, between, within)
        mean, error = multilevel.generalised_mean(y, total)
        trials, note = rows["trial"].nunique(), ""
        df = trials - 1.0
        if robust:
            mean, error, df = multilevel.cr2(y, total, trial)
            note = FEW_DF if df < MINIMUM_DF else ""
        return Fit(
            effects=rows.assign(weight=multilevel.weights(total)),
            **inference(mean, error, df),
            **prediction(mean, error, between + within, trials - 2),
            **multilevel.heterogeneity(y, sampling, between + within),
            sigma2_between=between,
            sigma2_within=within,
            note=note,
        )

    return fit


def _trim_and_fill(effects: pd.DataFrame, settings: Settings) -> Fit:
    y, v = _arrays(effects)
    try:
        filled_y, filled_v, filled = small_study.trim_and_fill(y, v)
    except ValueError as reason:
        raise NotEstimable(str(reason)) from None
    together = pd.DataFrame({"trial": range(len(filled_y)), "effect": filled_y, "variance": filled_v})
    fit = univariate(together.assign(n_arm1=float("nan"), n_arm2=float("nan")))
    note = f"{_count(filled, 'trial')} filled in beside the {len(y)}"
    return replace(fit, effects=univariate(effects).effects, note=_few(effects, note))


def _pet_peese(effects: pd.DataFrame, settings: Settings) -> Fit:
    which, line = small_study.pet_peese(*_arrays(effects))
    return Fit(
        effects=effects,
        **inference(line.intercept, line.intercept_se, line.df),
        note=_few(effects, f"{which}: the effect that a trial of perfect precision would have"),
    )


def _selection(effects: pd.DataFrame, settings: Settings) -> Fit:
    try:
        found = fit_selection(*_arrays(effects))
    except ValueError as reason:
        raise NotEstimable(str(reason)) from None
    note = (
        f"results with one-sided p above 0.025 seen {found.relative_publication:.2f} times as often "
        f"as the others; no selection: p = {found.likelihood_ratio_p:.3f}"
    )
    return Fit(
        effects=effects,
        **inference(found.effect, found.standard_error),
        **prediction(found.effect, found.standard_error, found.tau2, len(effects) - 2),
        tau2=found.tau2,
        note=_few(effects, note),
    )


def _bayes(effects: pd.DataFrame, settings: Settings) -> Fit:
    y, v = _arrays(effects)
    found = posterior(y, v, settings.prior_scale)
    above, small = (1 - found.mu_cdf(x) for x in (0.0, settings.small_effect))
    return Fit(
        effects=effects,
        effect=found.mu_mean,
        standard_error=found.mu_sd,
        ci_low=found.mu_quantile(0.025),
        ci_high=found.mu_quantile(0.975),
        pi_low=found.new_effect_quantile(0.025),
        pi_high=found.new_effect_quantile(0.975),
        share_favouring=1 - found.new_effect_cdf(0.0),
        tau2=found.tau2_quantile(0.5),
        tau2_ci_low=found.tau2_quantile(0.025),
        tau2_ci_high=found.tau2_quantile(0.975),
        probability_above_0=above,
        probability_above_small=small,
        note=(
            f"credible intervals, prior half-normal({settings.prior_scale:g}) on tau; "
            f"P(effect > 0) = {above:.3f}, P(effect > {settings.small_effect:g}) = {small:.3f}"
        ),
    )


def _arrays(effects: pd.DataFrame):
    return effects["effect"].to_numpy(float), effects["variance"].to_numpy(float)


def _few(effects: pd.DataFrame, note: str) -> str:
    if len(effects) >= small_study.INTERPRETED_FROM:
        return note
    return f"{note}; fewer than {small_study.INTERPRETED_FROM} trials: shown, not interpreted"


MODELS: dict[str, Model] = {
    "fixed": Model("Fixed effect", _all_trials, _univariate("none", "wald")),
    "random_dl": Model("Random, DerSimonian-Laird", _all_trials, _univariate("DL", "wald")),
    "random_pm": Model("Random, Paule-Mandel", _all_trials, _univariate("PM", "wald")),
    "random_reml": Model("Random, REML", _all_trials, _univariate("REML", "wald")),
    MAIN: Model("Random, REML, Hartung-Knapp (main)", _all_trials, _main),
    "highest": Model("Highest effect per trial", _rows, _extreme("highest")),
    "lowest": Model("Lowest effect per trial", _rows, _extreme("lowest")),
    "no_outliers": Model("Without outliers", _all_trials, _without(influence.outliers)),
    "no_influential": Model(
        "Without influential trials", _all_trials, _without(lambda fit: influence.influence(fit)["influential"])
    ),
    "low_risk_of_bias": Model("Low risk of bias only", _where(lambda rows, s: rows["risk_of_bias"].eq("low")), _main),
    "means_only": Model("Means or counts only", _where(lambda rows, s: rows["method"].isin(UNCONVERTED)), _main),
    "window": Model(
        "Published {window_start} to {window_end}",
        _where(lambda rows, s: rows["year"].between(s.window_start, s.window_end)),
        _main,
    ),
    "distress_helpers": Model(
        "Helpers share distress itself", _where(lambda rows, s: rows["helper_experience"].eq("distress")), _main
    ),
    "three_level": Model("Three levels", _rows, _nested(lambda s: 0.0, robust=False)),
    "che_rve": Model("Correlated effects, robust (CHE)", _rows, _nested(lambda s: s.correlation, robust=True)),
    "trim_and_fill": Model("Trim and fill", _all_trials, _trim_and_fill),
    "pet_peese": Model("PET-PEESE", _all_trials, _pet_peese, least=4),
    "selection_3psm": Model("Selection model (3PSM)", _all_trials, _selection, least=5),
    "bayes_half_normal": Model("Bayesian, half-normal prior", _all_trials, _bayes),
}
