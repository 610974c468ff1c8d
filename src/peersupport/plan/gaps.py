"""Gaps worth filling: where few people were studied, certainty is low and reports ask for more."""

from collections.abc import Mapping, Sequence

import pandas as pd

from peersupport.describe.studies import one_per_trial

CERTAINTY = {"high": 3, "moderate": 2, "low": 1, "very_low": 0, "not_pooled": -1}


def cells(
    rows: pd.DataFrame,
    trials: pd.DataFrame,
    populations: Sequence[str],
    outcomes: Sequence[str],
    deliveries: Sequence[str],
) -> pd.DataFrame:
    """Trials and people in each cell of population, outcome and delivery, empty cells too.

    rows: trial, outcome; trials: indexed by trial, with population, delivery and participants (blank where not stated).
    """
    pairs = rows[["trial", "outcome"]].drop_duplicates()
    pairs = pairs[pairs["trial"].isin(trials.index)]
    pairs = pairs.join(trials[["population", "delivery", "participants"]], on="trial")
    index = pd.MultiIndex.from_product([populations, outcomes, deliveries], names=["population", "outcome", "delivery"])
    counted = pairs.groupby(index.names).agg(trials=("trial", "size"), people=("participants", "sum"))
    return counted.reindex(index, fill_value=0).reset_index()


def table(studies: pd.DataFrame, outcomes: pd.DataFrame, people: pd.DataFrame, book: Mapping) -> pd.DataFrame:
    """The cells of the codebook's `gaps` and its kinds of study: kind, population, outcome, delivery, trials, people.

    Cells count randomised trials, kinds of study all designs. people: describe.studies.participants.
    """
    asked = book["gaps"]
    designs = book["design_families"]["randomised"]["designs"]
    trials = one_per_trial(studies, people).set_index("trial")
    delivery = {code: name for name, entry in asked["deliveries"].items() for code in entry["codes"]}
    trials = trials.assign(delivery=trials["modality"].map(delivery))
    kinds = {domain: kind for kind, domains in book["recovery_types"].items() for domain in domains}
    named = outcomes["outcome_domain"].where(outcomes["outcome_domain"].isin(asked["outcomes"]))
    named = named.fillna(outcomes["outcome_domain"].map(kinds))
    rows = outcomes[["trial"]].assign(outcome=named).dropna()
    populations = [code for code in book["codes"]["population"] if code not in asked["leave_out"]]
    own = trials[trials["design"].isin(designs)]
    found = cells(rows, own, populations, asked["outcomes"], list(asked["deliveries"])).assign(kind="cell")
    beside = [_kind_of_study(name, entry, trials, outcomes) for name, entry in asked["studies"].items()]
    return pd.concat([found, pd.DataFrame(beside)], ignore_index=True)


def _kind_of_study(name, entry, trials, outcomes) -> dict:
    if "outcome" in entry:
        found = trials.index.isin(outcomes.loc[outcomes["outcome_domain"].eq(entry["outcome"]), "trial"])
    else:
        found = trials["population"].eq(entry["population"]).to_numpy()
    about = {"kind": "study", "population": name, "outcome": entry.get("outcome", ""), "delivery": ""}
    return about | {"trials": int(found.sum()), "people": float(trials.loc[found, "participants"].sum())}


def words(book: Mapping) -> dict[str, str]:
    """Labels of the codebook's `gaps`."""
    asked = book["gaps"]
    return {name: entry["label"] for part in ("deliveries", "studies") for name, entry in asked[part].items()}


def asked(themes: pd.DataFrame, book: Mapping) -> dict[str, int]:
    """How many reports ask for studies of a population, a delivery or a kind; themes: themes.csv."""
    counts: dict[str, set] = {}
    for theme, codes in book["gaps"]["asked_by"].items():
        reports = set(themes.loc[themes["theme"].eq(theme), "study"])
        for code in codes:
            counts[code] = counts.get(code, set()) | reports
    return {code: len(reports) for code, reports in counts.items()}


def certainty_of(findings: pd.DataFrame) -> dict[str, str]:
    """Outcome to its certainty; of an outcome with two families the lower one."""
    order = findings.assign(level=findings["certainty"].map(CERTAINTY)).sort_values("level")
    return order.drop_duplicates("outcome_domain").set_index("outcome_domain")["certainty"].to_dict()


def ranked(
    table: pd.DataFrame, certainty: Mapping[str, str], asked_of: Mapping[str, int], labels: Mapping[str, str]
) -> pd.DataFrame:
    """Cells in the order in which a trial there would be missed most: the mean of three ranks, ties share theirs.

    table: `cells`, or rows of the same columns for other kinds of study. certainty: outcome to a level of CERTAINTY
    (not_pooled where absent). asked_of: population or delivery to the number of reports that ask for studies of it.
    Adds certainty, asked, rank_people (fewest people first), rank_certainty (least first), rank_asked (most first),
    score (their mean), rank and reason.
    """
    table = table.assign(certainty=table["outcome"].map(lambda code: certainty.get(code, "not_pooled")))
    asked = table[["population", "delivery"]].map(lambda code: asked_of.get(code, 0))
    table["asked"] = asked.sum(axis=1)
    table["rank_people"] = table["people"].rank(method="average")
    table["rank_certainty"] = table["certainty"].map(CERTAINTY).rank(method="average")
    table["rank_asked"] = table["asked"].rank(method="average", ascending=False)
    table["score"] = table[["rank_people", "rank_certainty", "rank_asked"]].mean(axis=1)
    table["rank"] = table["score"].rank(method="min").astype(int)
    table["reason"] = [_reason(row, labels) for row in table.itertuples()]
    order = ["rank", "population", "outcome", "delivery"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _reason(row, labels) -> str:
    trials = "no trial" if not row.trials else f"{row.trials} {'trial' if row.trials == 1 else 'trials'}"
    people = f" with {row.people:,.0f} people" if row.people else " that state their people" if row.trials else ""
    sure = "not pooled yet" if row.certainty == "not_pooled" else f"certainty {row.certainty.replace('_', ' ')}"
    asked = (
        f"{row.asked} {'report asks' if row.asked == 1 else 'reports ask'} for more"
        if row.asked
        else "none asks for it"
    )
    outcome = labels.get(row.outcome, row.outcome).lower()
    return f"{trials}{people}; {outcome}: {sure}; {asked}"
