"""Critical appraisal: overall judgements from the domains, and how the judgements are spread."""

from collections.abc import Iterable

import pandas as pd

JUDGEMENTS = ("low", "some_concerns", "high", "no_information")
WORSE = ("some_concerns", "high")
DOMAINS = {
    "rob2": ("randomisation", "deviations", "missing_data", "measurement", "selective_reporting"),
    "robins_i": (
        *("confounding", "selection", "classification"),
        *("deviations", "missing_data", "measurement", "selective_reporting"),
    ),
    "casp_qual": (
        *("aims", "method", "design", "recruitment", "data_collection"),
        *("reflexivity", "ethics", "analysis", "findings", "value"),
    ),
}

# CASP asks about quality, not about risk of bias.
CASP_LABEL = {
    "low": "Little concern",
    "some_concerns": "Some concern",
    "high": "Serious concern",
    "no_information": "No information",
}


def overall_judgement(judgements: Iterable[str], several: int | None = 2) -> str:
    """The overall risk of bias of one study from its domains.

    RoB 2 (Sterne 2019, doi 10.1136/bmj.l4898): high where any domain is high, or where there are
    some concerns in several domains (here `several` or more); low where every domain is low; some
    concerns in between. For ROBINS-I, where the overall judgement is that of the worst domain
    (Sterne 2016, doi 10.1136/bmj.i4919), `several=None`.

    RoB 2 knows no study without information; these sheets do, because most sources seen are
    abstracts. A domain without information is never counted as low, nor as a concern: as long as
    the domains that could be judged do not make the study high, one domain without information
    leaves the overall judgement open, `no_information`.
    """
    found = list(judgements)
    unknown = sorted(set(found) - set(JUDGEMENTS))
    if unknown or not found:
        raise ValueError(f"Not judgements: {', '.join(unknown) or 'an empty list'}.")
    concerns = found.count("some_concerns")
    if "high" in found or (several is not None and concerns >= several):
        return "high"
    if "no_information" in found:
        return "no_information"
    return "some_concerns" if concerns else "low"


def risk_of_bias(appraisal: pd.DataFrame, several: int = 2) -> pd.DataFrame:
    """RoB 2 and ROBINS-I judgements with the overall one: study, domain, judgement, tool, source.

    One row per study, domain and `overall`. Where both the open database and this review's coders
    appraised a study, the database's judgement stands: its two raters had the full text, ours
    mostly the abstract.
    """
    table = appraisal[appraisal["tool"].isin(["rob2", "robins_i"])]
    by_database = set(table.loc[table["source"] == "open_database", "study"])
    ours = table["source"] != "open_database"
    table = table[~(ours & table["study"].isin(by_database))]
    _check_complete(table)
    overall = table.groupby(["study", "tool", "source"])["judgement"].agg(list).reset_index()
    overall["judgement"] = [
        overall_judgement(found, several if tool == "rob2" else None)
        for tool, found in zip(overall["tool"], overall["judgement"], strict=True)
    ]
    table = pd.concat([table, overall.assign(domain="overall")])
    place = {domain: i for domains in DOMAINS.values() for i, domain in enumerate(domains)}
    table = table.assign(place=table["domain"].map(place | {"overall": 99}))
    table = table.sort_values(["tool", "study", "place"], ignore_index=True)
    return table[["study", "domain", "judgement", "tool", "source"]]


def _check_complete(table: pd.DataFrame) -> None:
    for (study, tool), domains in table.groupby(["study", "tool"])["domain"]:
        if sorted(domains) != sorted(DOMAINS[tool]):
            raise ValueError(f"{study}: the domains of {tool} are not there once each.")


def judgement_shares(table: pd.DataFrame, by: str = "domain", weight: str | None = None) -> pd.DataFrame:
    """Share of the studies with each judgement: columns `by`, judgement, studies, weight, share;
    zeros included.

    `weight` names a column (participants, or a study's weight in a meta-analysis), which gives
    robvis's weighted bars (McGuinness 2021, doi 10.1002/jrsm.1411); a study without a weight is
    left out. Without it, studies count 1 each.
    """
    table = table.assign(weight=1.0 if weight is None else table[weight]).dropna(subset=["weight"])
    grid = pd.MultiIndex.from_product([list(dict.fromkeys(table[by])), JUDGEMENTS], names=[by, "judgement"])
    grouped = table.groupby([by, "judgement"], sort=False)["weight"]
    shares = pd.DataFrame({"studies": grouped.size(), "weight": grouped.sum()})
    shares = shares.reindex(grid, fill_value=0).reset_index()
    shares["share"] = shares["weight"] / shares.groupby(by)["weight"].transform("sum")
    return shares


def in_pooled_outcomes(weights: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """The judgements of the trials that enter each pooled outcome, with their weight in its main model.

    weights: outcome_domain, family, trial, study (each report with an effect in the pool), weight (the trial's, as
    pool.models.trial_weights). `judged` from risk_of_bias. One row per outcome, trial and domain of bias (or overall):
    outcome_domain, family, trial, domain, judgement, weight. A trial judged by another tool than RoB 2 has that tool's
    overall judgement, and rows for the domains that both tools have; one that was not appraised has no information. Of
    several reports of a trial the most severe judgement counts, and none before one that says nothing.
    """
    domains = [*DOMAINS["rob2"], "overall"]
    blank = pd.DataFrame({"domain": domains, "judgement": "no_information"})
    unjudged = weights[~weights["study"].isin(judged["study"])].merge(blank, how="cross")
    told = judged.loc[judged["domain"].isin(domains), ["study", "domain", "judgement"]]
    rows = pd.concat([weights.merge(told, on="study"), unjudged], ignore_index=True)
    place = rows["domain"].map(domains.index)
    rows = rows.assign(place=place, severity=rows["judgement"].map(["no_information", "low", *WORSE].index))
    key = ["outcome_domain", "family", "trial", "place"]
    rows = rows.sort_values([*key, "severity"], kind="stable").drop_duplicates(key, keep="last")
    columns = ["outcome_domain", "family", "trial", "domain", "judgement", "weight"]
    return rows[columns].reset_index(drop=True)


def agreement_with_database(appraisal: pd.DataFrame) -> pd.DataFrame:
    """RoB 2 judgements of the trials that the open database and this review both appraised: domain,
    n, same, share, and both_informed and same_informed over the pairs in which neither says that
    there is no information.
    """
    table = appraisal[appraisal["tool"] == "rob2"]
    database = table["source"] == "open_database"
    pairs = table[~database].merge(table[database], on=["study", "domain"], validate="one_to_one")
    informed = pairs[["judgement_x", "judgement_y"]].ne("no_information").all(axis=1)
    same = pairs["judgement_x"] == pairs["judgement_y"]
    pairs = pairs.assign(same=same, both_informed=informed, same_informed=same & informed)
    grouped = pairs.groupby("domain")
    result = grouped[["same", "both_informed", "same_informed"]].sum()
    result.insert(0, "n", grouped.size())
    result = result.reindex(list(DOMAINS["rob2"]), fill_value=0).reset_index()
    return result.assign(share=result["same"] / result["n"].where(result["n"] > 0))


def pooled_summary(pooled: pd.DataFrame, unweighted: pd.DataFrame, by_participants: pd.DataFrame) -> pd.DataFrame:
    """Every summary of RoB 2 in one table: scope, weighting, domain, judgement, studies, weight,
    share.

    `scope` is all_trials (`unweighted`, `by_participants`: two tables of judgement_shares) or an
    outcome domain and family ("hope|smd"), from the table of in_pooled_outcomes, unweighted and
    weighted as in the main model.
    """
    parts = [
        unweighted.assign(scope="all_trials", weighting="none"),
        by_participants.assign(scope="all_trials", weighting="participants"),
    ]
    for (outcome, family), rows in pooled.groupby(["outcome_domain", "family"]):
        for weight, weighting in ((None, "none"), ("weight", "main_model")):
            shares = judgement_shares(rows, weight=weight)
            parts.append(shares.assign(scope=f"{outcome}|{family}", weighting=weighting))
    columns = ["scope", "weighting", "domain", "judgement", "studies", "weight", "share"]
    return pd.concat(parts, ignore_index=True)[columns]
