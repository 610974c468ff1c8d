"""Our pooled effects among those of published reviews, in one direction: positive favours peer support."""

import numpy as np
import pandas as pd

STANDARDISED = ("SMD", "g", "d")
RATIOS = ("OR", "RR", "HR", "IRR")
OVERLAP = "unknown: the review's list of primary studies was not seen"
COLUMNS = (
    "source review year population outcome_domain comparison time_point k n measure printed family effect ci_low "
    "ci_high comparable marks overlap"
).split()


def published_reviews(reviews: pd.DataFrame, main: pd.DataFrame) -> pd.DataFrame:
    """Every pooled result of reviews.csv turned so that positive favours peer support, and ours above them per domain.

    `source` is ours or published. `printed` is the effect as the review prints it. `effect` and its interval are Hedges
    g (SMD, g and d are taken as one) or log ratios; what is better lower turns the sign. `marks`
    (joined by ";"): one_trial (k = 1), subgroup (said in one of the entries of the same figures), no_control, repeated
    (the same figures are entered before, for this or another review), no_interval,
    direction_unclear (higher_is_better not stated; no effect is computed), other_unit (raw units). `comparable`: a
    result without any of these but one_trial and subgroup. `overlap` in primary studies is unknown throughout.
    """
    table = reviews.assign(source="published", printed=reviews["effect"], overlap=OVERLAP)
    turn = table["higher_is_better"].map({"yes": 1.0, "no": -1.0})
    ratio = table["measure"].isin(RATIOS)
    table["family"] = np.select([table["measure"].isin(STANDARDISED), ratio], ["smd", "log_rr"], "other")
    scale = {
        name: np.log(table[name].where(ratio & table[name].gt(0))).where(ratio, table[name])
        for name in ("effect", "ci_low", "ci_high")
    }
    low, high = scale["ci_low"] * turn, scale["ci_high"] * turn
    table["effect"] = scale["effect"] * turn
    table["ci_low"], table["ci_high"] = np.minimum(low, high), np.maximum(low, high)
    marks = _marks(table, turn)
    table["marks"] = marks.apply(lambda row: ";".join(row.index[row]), axis=1)
    table["comparable"] = ~marks.drop(columns=["one_trial", "subgroup"]).any(axis=1)
    ours = main.dropna(subset=["effect"]).assign(
        source="ours", review="This review", comparison="main model", marks="", overlap="", comparable=True
    )
    both = pd.concat([ours, table], ignore_index=True)
    place = {name: i for i, name in enumerate(dict.fromkeys(both["outcome_domain"]))}
    both["place"] = both["outcome_domain"].map(place)
    order = ["place", "source", "family", "year", "review"]
    return both.sort_values(order, kind="stable").reindex(columns=COLUMNS).reset_index(drop=True)


def _marks(table: pd.DataFrame, turn: pd.Series) -> pd.DataFrame:
    words = (table["comparison"].fillna("") + " " + table["note"].fillna("")).str.lower()
    same = table.assign(
        size=table["printed"].abs().round(3),
        ends=[tuple(sorted(map(abs, ends))) for ends in table[["ci_low", "ci_high"]].round(3).fillna(-9).to_numpy()],
    )
    result = ["outcome_domain", "size", "ends"]
    same["subgroup"] = words.str.contains("subgroup")
    return pd.DataFrame(
        {
            "one_trial": table["k"].eq(1),
            "subgroup": same.groupby(result)["subgroup"].transform("any"),
            "no_control": words.str.contains(r"pre-post|pre vs post|no control\)", regex=True),
            "repeated": same.duplicated(result),
            "no_interval": table["ci_low"].isna(),
            "direction_unclear": turn.isna(),
            "other_unit": table["family"].eq("other"),
        }
    )
