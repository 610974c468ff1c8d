"""Gaps worth filling: where few people were studied, certainty is low and reports ask for more."""

from collections.abc import Mapping, Sequence

import pandas as pd

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
