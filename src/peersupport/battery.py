"""The domains that are pooled, and one table of models: name -> which effects -> which fit.

A new model is one entry in MODELS. A model that the data cannot carry raises NotEstimable with the
reason, and becomes a Fit without numbers whose note says so (the row metapsyTools leaves out).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from peersupport.pooling import Fit, composites, extreme, univariate

MAIN = "random_reml_hk"
RECOVERY_TYPES = ("personal", "clinical", "functional")
ANY_SERVICE_USE = "any_service_use"
EXTRA_LABELS = {ANY_SERVICE_USE: "Hospital or other service use"}
RANDOMISED = ("rct", "cluster_rct", "pilot_rct")
COLUMNS = (
    "outcome_domain family model k n effect ci_low ci_high p_value pi_low pi_high tau2 i2 q q_p "
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


@dataclass(frozen=True)
class Domain:
    """The selected effects of one outcome domain or recovery type, in one family."""

    name: str
    family: str
    rows: pd.DataFrame

    @property
    def trials(self) -> int:
        return self.rows["trial"].nunique()


@dataclass(frozen=True)
class Model:
    """select(rows, settings) gives the effects, fit(effects, settings) the Fit.

    `least` is the number of trials below which the model is not tried (minimum_trials if larger).
    """

    label: str
    select: Callable[[pd.DataFrame, Settings], pd.DataFrame]
    fit: Callable[[pd.DataFrame, Settings], Fit]
    least: int = 2


def domains(effects: pd.DataFrame, minimum_trials: int, order: list[str]) -> list[Domain]:
    """Every outcome domain and recovery type with enough trials, domains in `order`, types last.

    Hospitalisation and service use are also pooled together as log risk ratios under the name
    `any_service_use`, if both are there.
    """
    chosen = effects[effects["selected"].astype(bool)]
    found = [
        Domain(name, family, rows)
        for (name, family), rows in chosen.groupby(["outcome_domain", "family"], sort=False)
    ]
    found.sort(key=lambda domain: (order.index(domain.name), domain.family != "smd"))
    standardised, ratios = (chosen[chosen["family"].eq(f)] for f in ("smd", "log_rr"))
    for kind in RECOVERY_TYPES:
        found.append(Domain(kind, "smd", standardised[standardised["recovery_type"].eq(kind)]))
    service = ratios[ratios["outcome_domain"].isin(["hospitalisation", "service_use"])]
    if service["outcome_domain"].nunique() == 2:
        found.append(Domain(ANY_SERVICE_USE, "log_rr", service))
    return [domain for domain in found if domain.trials >= minimum_trials]


def with_study_facts(
    effects: pd.DataFrame, studies: pd.DataFrame, risk: pd.DataFrame
) -> pd.DataFrame:
    """Effects with their study's design, helper_experience and overall risk of bias."""
    overall = risk[risk["domain"].eq("overall")].set_index("study")["judgement"]
    facts = studies.drop_duplicates("study").set_index("study")[["design", "helper_experience"]]
    return effects.join(facts, on="study").assign(
        risk_of_bias=effects["study"].map(overall).fillna("no_information")
    )


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
    return replace(fit, **named)


def fit_battery(domain: Domain, settings: Settings) -> dict[str, Fit]:
    """Every model of MODELS on one domain."""
    return {name: fit_model(domain, name, settings) for name in MODELS}


def pooled_table(fits: list[Fit]) -> pd.DataFrame:
    """One row per fit, unrounded: the table pooled_outcomes.csv."""
    return pd.DataFrame([{c: getattr(fit, c) for c in COLUMNS} for fit in fits], columns=COLUMNS)


def sections(main: dict[tuple[str, str], Fit]) -> dict[str, list[Fit]]:
    """The main fits under the headings of the summary forest; empty headings are left out."""
    fits = list(main.values())
    smd = [fit for fit in fits if fit.family == "smd"]
    kinds = [fit for fit in smd if fit.outcome_domain in RECOVERY_TYPES]
    found = {
        "By type of recovery (Hedges g)": kinds,
        "By outcome (Hedges g)": [fit for fit in smd if fit.outcome_domain not in RECOVERY_TYPES],
        "Events (risk ratio)": [fit for fit in fits if fit.family == "log_rr"],
    }
    return {heading: chosen for heading, chosen in found.items() if chosen}


def slug(name: str, family: str) -> str:
    """A domain's name in file names: depression, service_use_risk_ratio."""
    return name if family == "smd" else f"{name}_risk_ratio"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _all_trials(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    return composites(rows, settings.correlation)


def _where(condition: Callable[[pd.DataFrame, Settings], pd.Series]):
    def select(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
        return composites(rows[condition(rows, settings)], settings.correlation)

    return select


def _univariate(tau2: str, test: str):
    return lambda effects, settings: univariate(effects, tau2, test)


_main = _univariate("REML", "knapp-hartung")

MODELS: dict[str, Model] = {
    "fixed": Model("Fixed effect", _all_trials, _univariate("none", "wald")),
    "random_dl": Model("Random, DerSimonian-Laird", _all_trials, _univariate("DL", "wald")),
    "random_pm": Model("Random, Paule-Mandel", _all_trials, _univariate("PM", "wald")),
    "random_reml": Model("Random, REML", _all_trials, _univariate("REML", "wald")),
    MAIN: Model("Random, REML, Hartung-Knapp (main)", _all_trials, _main),
    "highest": Model("Highest effect per trial", lambda rows, s: extreme(rows, "highest"), _main),
    "lowest": Model("Lowest effect per trial", lambda rows, s: extreme(rows, "lowest"), _main),
    "low_risk_of_bias": Model(
        "Low risk of bias only", _where(lambda rows, s: rows["risk_of_bias"].eq("low")), _main
    ),
    "rct_only": Model(
        "Randomised trials only", _where(lambda rows, s: rows["design"].isin(RANDOMISED)), _main
    ),
    "window_2020_2025": Model(
        "Published 2020 to 2025",
        _where(lambda rows, s: rows["year"].between(s.window_start, s.window_end)),
        _main,
    ),
    "distress_helpers": Model(
        "Helpers share distress itself",
        _where(lambda rows, s: rows["helper_experience"].eq("distress")),
        _main,
    ),
}
