"""Critical appraisal: overall judgements from the domains, and how the judgements are spread."""

from collections.abc import Iterable

import pandas as pd

JUDGEMENTS = ("low", "some_concerns", "high", "no_information")
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


def overall_judgement(judgements: Iterable[str], several: int | None = 2) -> str:
    """The overall risk of bias of one study from its domains.

    RoB 2 (Sterne 2019, doi 10.1136/bmj.l4898): high where any domain is high, or where there are some concerns in several
    domains (here `several` or more); low where every domain is low; some concerns in between. For ROBINS-I, where the
    overall judgement is that of the worst domain (Sterne 2016, doi 10.1136/bmj.i4919), `several=None`.

    RoB 2 knows no study without information; these sheets do, because most sources seen are abstracts. A domain
    without information is never counted as low, nor as a concern: as long as the domains that could be judged do not
    make the study high, one domain without information leaves the overall judgement open, `no_information`.
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

    One row per study, domain and `overall`. Where both the open database and this review's coders appraised a study,
    the database's judgement stands: its two raters had the full text, ours mostly the abstract.
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


def judgement_shares(
    table: pd.DataFrame, weights: pd.Series | None = None, by: str = "domain"
) -> pd.DataFrame:
    """Share of the studies with each judgement: columns `by`, judgement, studies, weight, share; zeros included.

    `weights` by study (participants, or a study's weight in a meta-analysis) gives robvis's weighted bars (McGuinness
    2021, doi 10.1002/jrsm.1411); a study without a weight is left out of them. Without weights, studies count 1 each.
    """
    table = table.assign(weight=1.0 if weights is None else table["study"].map(weights))
    table = table.dropna(subset=["weight"])
    grid = pd.MultiIndex.from_product(
        [list(dict.fromkeys(table[by])), JUDGEMENTS], names=[by, "judgement"]
    )
    grouped = table.groupby([by, "judgement"], sort=False)["weight"]
    shares = pd.DataFrame({"studies": grouped.size(), "weight": grouped.sum()})
    shares = shares.reindex(grid, fill_value=0).reset_index()
    shares["share"] = shares["weight"] / shares.groupby(by)["weight"].transform("sum")
    return shares
