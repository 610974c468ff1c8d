"""For whom, how delivered, with which support for the worker: subgroups and meta-regression.

One effect per trial (pooling.composites). A moderator that a source does not state is `nr`, its own level, never "no";
the fidelity items are shown twice, with nr as missing and with nr as absent. Effects are Hedges g, positive favours peer
support. All of this is observational: trials were not randomised to their moderators.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pymare import Dataset
from pymare.estimators import VarianceBasedLikelihoodEstimator, WeightedLeastSquares
from scipy import stats
from scipy.optimize import brentq

from peersupport.battery import RECOVERY_TYPES
from peersupport.descriptives import FIDELITY_ITEMS, fidelity_index, wilson
from peersupport.pooling import NAN, Fit, composites, inference, univariate

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
JOINT = (
    f"fidelity_index{ABSENT}",
    "digital",
    "decades",
    "high_risk",
)  # set before the results were seen
LEAST = 4  # trials; below, two coefficients and a spread cannot be told apart
SUBGROUP_COLUMNS = (
    "family outcome moderator level k effect ci_low ci_high tau2 q_between p_between "
    "tau2_model df_between df_residual n warning"
).split()
REGRESSION_COLUMNS = (
    "outcome model term estimate ci_low ci_high p_value p_permutation k r2 tau2 df family warning note"
).split()


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


def subgroups(
    trials: pd.DataFrame, outcome: str, moderator: str, order: Sequence[str], few: int = 4
):
    """Pooled effect of each level of a moderator, and the test between levels, with separate and with common tau2.

    `tau2_model` separate: each level by REML with Knapp-Hartung interval; q_between is Cochran's Q of the levels' means
    on their model-based standard errors, chi-square with df_between (Borenstein et al. 2009, ch. 19). common: one tau2
    for all levels (REML), interval t with k - levels df; q_between is df_between times the Knapp-Hartung F, with
    df_residual. The tests compare the levels with two trials or more and leave the levels of UNTOLD out: studies that do
    not tell are not a kind of study. A single trial has its own effect and normal interval.
    `order` gives the rows' order; `warning` is filled where k < `few`. Columns: SUBGROUP_COLUMNS.
    """
    lost = sorted(set(trials[moderator]) - set(order))
    if lost:
        raise ValueError(f"{moderator}: no place for the level {', '.join(lost)}.")
    parts = {level: part for level in order if len(part := trials[trials[moderator].eq(level)])}
    tested = [level for level, part in parts.items() if level not in UNTOLD and len(part) > 1]
    compared = pd.concat([parts[level] for level in tested]) if len(tested) > 1 else None
    common = {} if len(trials) < 3 else _common_tau2(trials, moderator, list(parts))
    fits = {level: _pooled(part) for level, part in parts.items()}
    separate_test = {} if compared is None else _separate_test([fits[level] for level in tested])
    common_test = {} if compared is None else _common_test(compared, moderator, tested)
    rows = []
    for level, part in parts.items():
        about = {"family": "smd", "outcome": outcome, "moderator": moderator, "level": level}
        about |= {"k": len(part), "n": people(part)}
        about["warning"] = f"fewer than {few} trials" if len(part) < few else ""
        rows.append(about | _shown(fits[level]) | separate_test | {"tau2_model": "separate"})
        if level in common:
            rows.append(about | common[level] | common_test | {"tau2_model": "common"})
    table = pd.DataFrame(rows).reindex(columns=SUBGROUP_COLUMNS)
    return table.sort_values("tau2_model", ascending=False, kind="stable", ignore_index=True)


def people(trials: pd.DataFrame) -> float:
    """People analysed in both arms; an arm whose size is not stated counts 0."""
    return float(trials[["n_arm1", "n_arm2"]].sum().sum())


def _pooled(part: pd.DataFrame) -> Fit:
    if len(part) > 1:
        return univariate(part)
    row = part.iloc[0]
    return Fit(effects=part, **inference(row["effect"], np.sqrt(row["variance"])))


def _shown(fit: Fit) -> dict:
    return {name: getattr(fit, name) for name in ("effect", "ci_low", "ci_high", "tau2")}


def _separate_test(fits: list[Fit]) -> dict:
    fits = [univariate(fit.effects, fit.tau2, test="wald") for fit in fits]
    mean = np.array([fit.effect for fit in fits])
    weight = 1 / np.array([fit.standard_error for fit in fits]) ** 2
    q = float((weight * (mean - (weight * mean).sum() / weight.sum()) ** 2).sum())
    df = len(fits) - 1
    return {"q_between": q, "df_between": df, "p_between": float(stats.chi2.sf(q, df))}


def _common_tau2(trials: pd.DataFrame, moderator: str, levels: list[str]) -> dict[str, dict]:
    if len(trials) <= len(levels):
        return {}
    design = np.column_stack([trials[moderator].eq(level) for level in levels]).astype(float)
    fit = regress(trials, design)
    names = ("effect", "ci_low", "ci_high")
    values = zip(fit["estimate"], fit["ci_low"], fit["ci_high"], strict=True)
    return {
        level: dict(zip(names, value, strict=True)) | {"tau2": fit["tau2"]}
        for level, value in zip(levels, values, strict=True)
    }


def _common_test(trials: pd.DataFrame, moderator: str, levels: list[str]) -> dict:
    design = np.column_stack([trials[moderator].eq(level) for level in levels]).astype(float)
    design[:, 0] = 1.0  # the first level is the intercept, the others differ from it
    fit = regress(trials, design)
    slopes, covariance = fit["estimate"][1:], fit["covariance"][1:, 1:]
    q, df = float(slopes @ np.linalg.solve(covariance, slopes)), len(slopes)
    p = float(stats.f.sf(q / df, df, fit["df"]))
    return {"q_between": q, "df_between": df, "df_residual": fit["df"], "p_between": p}


def regress(trials: pd.DataFrame, design: np.ndarray) -> dict:
    """Mixed-effects meta-regression: REML, Knapp-Hartung covariance, t with k - p df (metafor's test = "knha").

    trials: `effect`, `variance` (k rows); design: (k, p) with its intercept. Returns estimate, ci_low, ci_high, p_value
    (arrays of p), covariance (p, p), tau2, df. PyMARE fits; its REML is polished to the root of the score (Viechtbauer
    2005, eq. 12), so that it can be laid beside R. Raises ValueError where k <= p or the design is not of full rank.
    """
    y, v = trials["effect"].to_numpy(float), trials["variance"].to_numpy(float)
    k, p = design.shape
    if k <= p or np.linalg.matrix_rank(design) < p:
        raise ValueError(f"{k} trials cannot carry {p} coefficients with this design.")
    dataset = Dataset(y=y, v=v, X=design, add_intercept=False)
    start = VarianceBasedLikelihoodEstimator(method="REML").fit_dataset(dataset).summary()
    tau2 = _polished(y, v, design, float(np.ravel(start.tau2)[0]))
    knapp_hartung = WeightedLeastSquares(tau2=tau2, small_sample_correction="knapp-hartung")
    result = knapp_hartung.fit_dataset(dataset).summary()
    statistics = {name: value.ravel() for name, value in result.get_fe_stats().items()}
    return {
        "estimate": statistics["est"],
        "ci_low": statistics["ci_l"],
        "ci_high": statistics["ci_u"],
        "p_value": statistics["p"],
        "covariance": result.fe_cov.reshape(p, p),
        "tau2": tau2,
        "df": k - p,
    }


def _polished(y: np.ndarray, v: np.ndarray, design: np.ndarray, tau2: float) -> float:
    def score(candidate: float) -> float:
        w = 1 / (v + candidate)
        wx = w[:, None] * design
        projection = np.diag(w) - wx @ np.linalg.solve(design.T @ wx, wx.T)
        residual = projection @ y
        return float(residual @ residual - np.trace(projection))

    low, high = 0.99 * tau2, 1.01 * tau2
    if score(low) * score(high) >= 0:  # tau2 is zero
        return tau2
    return float(brentq(score, low, high, xtol=1e-15, rtol=1e-14))


def permutation_p(trials: pd.DataFrame, design: np.ndarray, permutations: int, seed: int):
    """Permutation p-values of the coefficients (array of p): PyMARE's test of |estimate / se| over shuffled trials.

    Higgins & Thompson 2004 (doi 10.1002/sim.1752); exact where there are no more orders than `permutations`.
    """
    y, v = trials["effect"].to_numpy(float), trials["variance"].to_numpy(float)
    dataset = Dataset(y=y, v=v, X=design, add_intercept=False)
    result = VarianceBasedLikelihoodEstimator(method="REML").fit_dataset(dataset).summary()
    state = np.random.get_state()
    np.random.seed(seed)  # PyMARE draws from numpy's global generator
    try:
        return result.permutation_test(n_perm=permutations).perm_p["fe_p"].ravel()
    finally:
        np.random.set_state(state)


def meta_regression(
    trials: pd.DataFrame,
    outcome: str,
    terms: Sequence[str],
    model: str,
    *,
    permutations: int,
    seed: int,
    few: int = 10,
) -> pd.DataFrame:
    """One meta-regression on the trials that state every term: a row for the intercept and for each term.

    r2 is the share of tau2 that the terms explain, 100 (tau2_null - tau2) / tau2_null on the same trials, not below 0,
    and blank where tau2_null is 0 (Raudenbush 2009; as metafor). `few`: trials below which the row carries a warning.
    Fewer than LEAST trials, or a term that does not vary, give one row per term with a note and no numbers.
    """
    complete = trials.dropna(subset=list(terms))
    about = {"outcome": outcome, "model": model, "family": "smd", "k": len(complete)}
    about["warning"] = f"fewer than {few} trials" if len(complete) < few else ""
    note = _why_not(complete, terms)
    if note:
        rows = [about | {"term": term, "note": note} for term in terms]
        return pd.DataFrame(rows).reindex(columns=REGRESSION_COLUMNS)
    design = np.column_stack([np.ones(len(complete)), complete[list(terms)].to_numpy(float)])
    fit = regress(complete, design)
    null = regress(complete, design[:, :1])["tau2"]
    table = pd.DataFrame(
        {
            "term": ["intercept", *terms],
            **{name: fit[name] for name in ("estimate", "ci_low", "ci_high", "p_value")},
            "p_permutation": permutation_p(complete, design, permutations, seed),
        }
    )
    r2 = max(0.0, 100 * (null - fit["tau2"]) / null) if null > 1e-9 else NAN
    table = table.assign(**about, r2=r2, tau2=fit["tau2"], df=fit["df"], note="")
    table.loc[table["term"].eq("intercept"), "p_permutation"] = NAN  # shuffling does not test it
    return table.reindex(columns=REGRESSION_COLUMNS)


def _why_not(trials: pd.DataFrame, terms: Sequence[str]) -> str:
    least = max(LEAST, len(terms) + 2)
    if len(trials) < least:
        return f"not estimated: stated in {len(trials)} of the {least} trials needed"
    flat = [term for term in terms if trials[term].nunique() < 2]
    if flat:
        return f"not estimated: {', '.join(flat)} is the same in every trial"
    design = np.column_stack([np.ones(len(trials)), trials[list(terms)].to_numpy(float)])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return "not estimated: the terms cannot be told apart in these trials"
    return ""


def correlations(trials: pd.DataFrame, terms: Sequence[str]) -> pd.DataFrame:
    """Spearman's rank correlation of each pair of moderators: term_a, term_b, rho, k (trials that state both).

    Blank below LEAST trials or where one of the two does not vary.
    """
    rows = []
    for place, first in enumerate(terms):
        for second in terms[place + 1 :]:
            both = trials[[first, second]].dropna()
            known = len(both) >= LEAST and both.nunique().min() > 1
            rho = stats.spearmanr(both).statistic if known else NAN
            rows.append({"term_a": first, "term_b": second, "rho": rho, "k": len(both)})
    return pd.DataFrame(rows)


def pooled_by(trials: pd.DataFrame, groups: pd.Series, levels: Mapping[str, str], few: int = 4):
    """Pooled effect per group of trials (REML, Knapp-Hartung): level, label, k, n, effect, ci_low, ci_high, tau2, warning.

    groups: one level per row of trials; levels without a trial are kept with k = 0.
    """
    rows = []
    for level, label in levels.items():
        part = trials[groups.eq(level)]
        row = {"level": level, "label": label, "k": len(part), "n": people(part)}
        row["warning"] = f"fewer than {few} trials" if len(part) < few else ""
        rows.append(row | (_shown(_pooled(part)) if len(part) else {}))
    columns = ["level", "label", "k", "n", "effect", "ci_low", "ci_high", "tau2", "warning"]
    return pd.DataFrame(rows).reindex(columns=columns)


def periods(year: pd.Series, first: int, last: int) -> pd.Series:
    """before, during or after the years `first` to `last`; blank without a year."""
    told = pd.cut(year, [-np.inf, first - 1, last, np.inf], labels=["before", "during", "after"])
    return told.astype(object)


def follow_up_classes(weeks: pd.Series, long: int) -> pd.Series:
    """short (below 13 weeks after the start), medium, or long (`long` weeks or more); blank where not stated."""
    bins = [-np.inf, 13, long, np.inf]
    return pd.cut(weeks, bins, right=False, labels=["short", "medium", "long"]).astype(object)


def long_follow_up(studies: pd.DataFrame, outcomes: pd.DataFrame, long: int) -> pd.DataFrame:
    """How many trials followed people for `long` weeks or more, by delivery.

    studies: the randomised trials, one row per trial. The length is the longer of followup_weeks and the latest outcome
    row of the trial. Columns: modality, trials, stated (that state a length), long, share (of stated), ci_low, ci_high
    (Wilson).
    """
    latest = studies["trial"].map(outcomes.groupby("trial")["time_weeks"].max())
    length = pd.concat([studies["followup_weeks"], latest], axis=1).max(axis=1)
    table = pd.DataFrame({"modality": studies["modality"].fillna("nr"), "length": length})
    grouped = table.groupby("modality")["length"]
    counted = pd.DataFrame(
        {
            "trials": grouped.size(),
            "stated": grouped.count(),
            "long": grouped.agg(lambda weeks: int((weeks >= long).sum())),
        }
    ).reset_index()
    return pd.concat([counted, wilson(counted["long"], counted["stated"])], axis=1)


def regression_line(trials: pd.DataFrame, term: str, points: int = 50) -> pd.DataFrame:
    """The fitted line of a regression on one term with its 95% interval: x, effect, ci_low, ci_high.

    Over the range of the trials that state the term, in the term's units; the interval is that of the mean.
    """
    complete = trials.dropna(subset=[term])
    fit = regress(complete, np.column_stack([np.ones(len(complete)), complete[term]]))
    x = np.linspace(complete[term].min(), complete[term].max(), points)
    design = np.column_stack([np.ones(points), x])
    error = np.sqrt(np.einsum("ij,jk,ik->i", design, fit["covariance"], design))
    mean, half = design @ fit["estimate"], stats.t.ppf(0.975, fit["df"]) * error
    return pd.DataFrame({"x": x, "effect": mean, "ci_low": mean - half, "ci_high": mean + half})
