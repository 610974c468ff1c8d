"""For whom, how delivered, with which support for the worker: the trials and their moderators.

One effect per trial (pool.fit.composites). A moderator that a source does not state is `nr`, its own level, never "no";
the fidelity items are shown twice, with nr as missing and with nr as absent. Effects are Hedges g, positive
favours peer support. All of this is observational: trials were not randomised to their moderators.
"""

import numpy as np
import pandas as pd

from peersupport.describe.fidelity import FIDELITY_ITEMS, fidelity_index
from peersupport.pool.fit import Fit, composites, inference, univariate
from peersupport.pool.models import RECOVERY_TYPES

ALL_RECOVERY = "all_recovery"
OUTCOMES = {
    ALL_RECOVERY: "All recovery outcomes",
    "personal": "Personal recovery outcomes",
    "clinical": "Clinical recovery outcomes",
    "functional": "Functional recovery outcomes",
    "depression": "Depression",
}
AT_A_DISTANCE = ("digital", "telephone")
GROUPINGS = {
    "population": "Population",
    "modality": "Delivery",
    "distance": "Delivery, digital and telephone joined",
    "structure": "Structure",
    "condition_arm2": "Comparator",
    "setting": "Setting",
    "income_group": "Income group of the country",
    "helper_experience": "What the helpers share",
    "risk_of_bias": "Risk of bias",
    "decade": "Decade of publication",
    "peer_training": "Training of the peers",
    "supervision": "Supervision of the peers",
    "manualised": "Manual or curriculum",
    "fidelity_assessed": "Fidelity measured",
}
UNTOLD = ("nr", "no_information")  # levels that say what a source does not tell
ABSENT = "_absent"  # ends the name of a moderator in which nr counts as "no"
GROUPINGS |= {f"{item}{ABSENT}": f"{GROUPINGS[item]}, nr as absent" for item in FIDELITY_ITEMS}
EXTRA_LEVELS = {
    "digital_telephone": "Digital or telephone",
    "no_or_nr": "No or not reported",
    "several": "Sites in several groups",
    "nr": "Not reported",
}
TERMS = {
    "fidelity_index": "Fidelity index (nr missing), per point",
    f"fidelity_index{ABSENT}": "Fidelity index (nr absent), per point",
    "digital": "Digital or telephone, against in person or hybrid",
    "decades": "Year of publication, per 10 years",
    "duration": "Duration, per 10 weeks",
    "women": "Women, per 10 percentage points",
    "age": "Mean age, per 10 years",
    "high_risk": "High risk of bias, against low or some concerns",
    "size": "People in the trial, per doubling",
}
JOINT = (f"fidelity_index{ABSENT}", "digital", "decades", "high_risk")  # set before the results were seen
LEAST = 4  # trials; below, two coefficients and a spread cannot be told apart


def study_facts(studies: pd.DataFrame, risk: pd.DataFrame, income: pd.DataFrame) -> pd.DataFrame:
    """The moderators of each study, indexed by study; blank where the source does not state one.

    studies: studies.csv; risk: risk_of_bias.csv; income: country (alpha-3) and income_group. `distance` joins digital
    and telephone, `decade` is "2010s", `digital` and `high_risk` are 1 or 0; the rest as in TERMS, in its units.
    Raises ValueError for a country without an income group.
    """
    facts = studies.set_index("study")
    overall = risk[risk["domain"].eq("overall")].set_index("study")["judgement"]
    modality = facts["modality"].where(facts["modality"].ne("nr"))
    judged = pd.Series(facts.index.map(overall), facts.index, dtype=object)
    table = facts[[name for name in GROUPINGS if name in facts]]
    table = table.assign(
        design=facts["design"],
        modality=modality,
        distance=modality.replace(dict.fromkeys(AT_A_DISTANCE, "digital_telephone")),
        income_group=income_groups(facts["country"], income),
        risk_of_bias=judged.fillna("no_information"),
        decade=facts["year"].map(lambda year: f"{year // 10 * 10:.0f}s", na_action="ignore"),
    )
    for item in FIDELITY_ITEMS:
        table[f"{item}{ABSENT}"] = np.where(facts[item].eq("yes"), "yes", "no_or_nr")
    table["fidelity_index"] = fidelity_index(studies, nr_is="missing")
    table[f"fidelity_index{ABSENT}"] = fidelity_index(studies, nr_is="absent")
    table["digital"] = modality.isin(AT_A_DISTANCE).where(modality.notna()).astype(float)
    table["decades"] = facts["year"] / 10
    table["duration"] = facts["duration_weeks"] / 10
    table["women"] = facts["percent_women"] / 10
    table["age"] = facts["mean_age"] / 10
    known = judged.isin(["low", "some_concerns", "high"])
    table["high_risk"] = judged.eq("high").where(known).astype(float)
    return table.assign(n_randomised=facts["n_randomised"])


def income_groups(countries: pd.Series, income: pd.DataFrame) -> pd.Series:
    """The income group of each study's countries ("GBR;IND"): one of them, `several`, or blank without a country."""
    group_of = income.set_index("country")["income_group"]
    places = countries.str.split(";").explode().str.strip()
    unknown = sorted(set(places.dropna()) - set(group_of.index))
    if unknown:
        raise ValueError(f"data/reference/countries.csv has no row for {', '.join(unknown)}.")
    groups = places.map(group_of).dropna()
    told = groups.groupby(level=0).agg(lambda g: g.iloc[0] if g.nunique() == 1 else "several")
    return told.reindex(countries.index)


def outcome_rows(effects: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """The standardised effects of an outcome of OUTCOMES; selected rows only if the caller selected them before."""
    rows = effects[effects["family"].eq("smd")]
    if outcome == ALL_RECOVERY:
        return rows[rows["recovery_type"].isin(RECOVERY_TYPES)]
    column = "recovery_type" if outcome in RECOVERY_TYPES else "outcome_domain"
    return rows[rows[column].eq(outcome)]


def trial_table(rows: pd.DataFrame, facts: pd.DataFrame, correlation: float) -> pd.DataFrame:
    """One effect per trial with its moderators; what no report of the trial states is "nr" in the groupings.

    `size` is log2 of the people analysed (of those randomised where the former is not stated).
    """
    table = composites(rows.join(facts, on="study"), correlation)
    groupings = [name for name in GROUPINGS if name in table]
    table[groupings] = table[groupings].astype(object).fillna("nr")
    people = (table["n_arm1"] + table["n_arm2"]).fillna(table["n_randomised"])
    return table.assign(size=np.log2(people))


def people(trials: pd.DataFrame) -> float:
    """People analysed in both arms; an arm whose size is not stated counts 0."""
    return float(trials[["n_arm1", "n_arm2"]].sum().sum())


def pooled_trials(part: pd.DataFrame) -> Fit:
    if len(part) > 1:
        return univariate(part)
    row = part.iloc[0]
    return Fit(effects=part, **inference(row["effect"], np.sqrt(row["variance"])))


def summary_of(fit: Fit) -> dict:
    return {name: getattr(fit, name) for name in ("effect", "ci_low", "ci_high", "tau2")}
