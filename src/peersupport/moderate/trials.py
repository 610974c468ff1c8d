"""For whom, how delivered, with which support for the worker: the trials and their moderators.

One effect per trial (pool.fit.composites). A moderator that a source does not state is `nr`, its own level, never "no";
the fidelity items are shown twice, with nr as missing and with nr as absent. Effects are Hedges g, positive
favours peer support. All of this is observational: trials were not randomised to their moderators.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from peersupport.describe.fidelity import fidelity_index
from peersupport.pool.fit import Fit, composites, inference, univariate

ALL_RECOVERY = "all_recovery"
UNTOLD = ("nr", "no_information")  # levels that say what a source does not tell
ABSENT = "_absent"  # ends the name of a moderator in which nr counts as "no"
EXTRA_LEVELS = {"no_or_nr": "No or not reported", "several": "Sites in several groups", "nr": "Not reported"}
LEAST = 4  # trials; below, two coefficients and a spread cannot be told apart


def groupings(groups: Mapping[str, Mapping]) -> dict[str, str]:
    """Label of each grouping of the codebook's `moderators`; those with nr_as_absent once more, at the end."""
    twice = [name for name, entry in groups.items() if entry.get("nr_as_absent")]
    return {name: entry["label"] for name, entry in groups.items()} | {
        f"{name}{ABSENT}": f"{groups[name]['label']}, nr as absent" for name in twice
    }


def level_labels(groups: Mapping[str, Mapping], labels_of: Callable[[str], Mapping[str, str]]) -> dict[str, dict]:
    """Levels of each grouping in their order, with labels; labels_of gives the labels of a column's codes."""
    found = {}
    for name, entry in groups.items():
        codes = {code: label for code, label in labels_of(entry.get("column", name)).items() if code != "nr"}
        joined = {code: join["label"] for code, join in entry.get("join", {}).items()}
        found[name] = codes | joined | EXTRA_LEVELS
        if entry.get("nr_as_absent"):
            found[f"{name}{ABSENT}"] = {"yes": codes["yes"], "no_or_nr": EXTRA_LEVELS["no_or_nr"]}
    return found


def terms(slopes: Mapping[str, Mapping]) -> dict[str, str]:
    """Label and unit of each slope of the codebook's `moderators`."""
    return {name: f"{entry['label']}, {entry['unit']}" for name, entry in slopes.items()}


def study_facts(
    studies: pd.DataFrame,
    risk: pd.DataFrame,
    income: pd.DataFrame,
    moderators: Mapping[str, Mapping],
    fidelity_items: Sequence[str],
) -> pd.DataFrame:
    """The moderators of each study, indexed by study; blank where the source does not state one.

    studies: studies.csv; risk: risk_of_bias.csv; income: country (alpha-3) and income_group; moderators and
    fidelity_items: the codebook's. Slopes are in the codebook's units, those of `ones` and `zeros` 1 or 0.
    Raises ValueError for a country without an income group.
    """
    facts = studies.set_index("study")
    overall = risk[risk["domain"].eq("overall")].set_index("study")["judgement"]
    sources = facts.assign(
        income_group=income_groups(facts["country"], income),
        risk_of_bias=pd.Series(facts.index.map(overall), facts.index, dtype=object),
        decade=facts["year"].map(lambda year: f"{year // 10 * 10:.0f}s", na_action="ignore"),
        fidelity_index=fidelity_index(studies, fidelity_items, nr_is="missing"),
        fidelity_index_absent=fidelity_index(studies, fidelity_items, nr_is="absent"),
    )
    table = facts[["design", "design_family", "n_randomised"]].copy()
    for name, entry in moderators["groups"].items():
        table[name] = _group(sources[entry.get("column", name)], entry)
        if entry.get("nr_as_absent"):
            table[f"{name}{ABSENT}"] = np.where(table[name].eq("yes"), "yes", "no_or_nr")
    for name, entry in moderators["slopes"].items():
        if entry.get("column") != "people":
            table[name] = _slope(sources[entry.get("column", name)], entry)
    return table


def _group(codes: pd.Series, entry: Mapping) -> pd.Series:
    told = codes.where(codes.ne("nr"))
    if entry.get("column", "") == "risk_of_bias" or codes.name == "risk_of_bias":
        told = told.fillna("no_information")
    joins = entry.get("join", {})
    return told.replace({code: joined for joined, join in joins.items() for code in join["codes"]})


def _slope(values: pd.Series, entry: Mapping) -> pd.Series:
    """A number in the codebook's unit, or 1 and 0 for its codes; blank where neither is told."""
    if "ones" in entry:
        ones, zeros = entry["ones"]["codes"], entry["zeros"]["codes"]
        return values.isin(ones).where(values.isin([*ones, *zeros])).astype(float)
    values = values / entry.get("per", 1)
    return np.log2(values) if entry.get("transformation") == "log2" else values


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
    """The standardised effects of a recovery type, a domain, or of ALL_RECOVERY, every outcome that has a type;
    selected rows only if the caller selected them before."""
    rows = effects[effects["family"].eq("smd")]
    if outcome == ALL_RECOVERY:
        return rows[rows["recovery_type"].notna()]
    column = "recovery_type" if outcome in set(rows["recovery_type"].dropna()) else "outcome_domain"
    return rows[rows[column].eq(outcome)]


def trial_table(
    rows: pd.DataFrame, facts: pd.DataFrame, correlation: float, moderators: Mapping[str, Mapping]
) -> pd.DataFrame:
    """One effect per trial with its moderators; what no report of the trial states is "nr" in the groupings.

    A slope of `people` takes the people analysed, or those randomised where the former is not stated.
    """
    told = rows[["study", "trial"]].join(facts, on="study").groupby("trial").first().drop(columns="study")
    table = composites(rows, correlation)
    table = table[[name for name in table if name not in told]].join(told, on="trial")
    names = [name for name in groupings(moderators["groups"]) if name in table]
    table[names] = table[names].astype(object).fillna("nr")
    people = (table["n_arm1"] + table["n_arm2"]).fillna(table["n_randomised"])
    for name, entry in moderators["slopes"].items():
        if entry.get("column") == "people":
            table[name] = _slope(people, entry)
    return table


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
