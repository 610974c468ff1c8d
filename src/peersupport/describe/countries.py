"""Where the trials were done: by country and by income group of the World Bank."""

import numpy as np
import pandas as pd

from peersupport.describe.studies import wilson


def by_country(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials and participants per country: country (ISO 3166 alpha-3), trials, multi_country,
    participants.

    `trials` is the table of one_per_trial. A trial in several countries counts once in each
    (`multi_country` says how many of `trials` these are); its participants cannot be shared out
    from the sheets, so `participants` are those of the trials in that country alone. A trial whose
    source names no country is in the row with a blank country.
    """
    places = trials.assign(country=trials["country"].str.split(";")).explode("country")
    places["country"] = places["country"].str.strip()
    several = places["trial"].duplicated(keep=False)
    places = places.assign(multi_country=several.astype(int), participants=places["participants"].where(~several))
    table = places.groupby("country", dropna=False).agg(
        trials=("trial", "nunique"), multi_country=("multi_country", "sum"), participants=("participants", "sum")
    )
    return table.reset_index().sort_values(["trials", "country"], ascending=[False, True], ignore_index=True)


INCOME = {
    "high": "High income",
    "upper_middle": "Upper middle income",
    "lower_middle": "Lower middle income",
    "low": "Low income",
    "several": "Sites in several groups",
    "not_classified": "Country not classified",
    "not_stated": "Country not stated",
}


def by_income(trials: pd.DataFrame, income: pd.DataFrame) -> pd.DataFrame:
    """Trials by World Bank income group of their country: income_group, label, trials,
    participants, of, share, ci.

    `income` has country (alpha-3) and income_group, blank where the World Bank gives none. A trial
    with sites in more than one group is `several`, one in countries without a group only is
    `not_classified`; a country without a row is an error. Shares are of the trials whose country is
    stated, with Wilson intervals.
    """
    groups = income_by_trial(trials, income)
    table = pd.DataFrame({"income_group": list(INCOME), "label": list(INCOME.values())})
    table["trials"] = [int((groups == group).sum()) for group in INCOME]
    table["participants"] = [trials["participants"][groups == group].sum() for group in INCOME]
    table["of"] = np.where(table["income_group"] == "not_stated", 0, (groups != "not_stated").sum())
    return pd.concat([table, wilson(table["trials"], table["of"])], axis=1)


def income_by_trial(trials: pd.DataFrame, income: pd.DataFrame) -> pd.Series:
    """The income group of each trial's countries, indexed as `trials`: one of INCOME."""
    group_of = income.set_index("country")["income_group"]
    countries = trials["country"].str.split(";")
    unknown = {place.strip() for place in countries.dropna().explode()} - set(group_of.index)
    if unknown:
        raise ValueError(f"No income group for {', '.join(sorted(unknown))}.")
    return countries.map(lambda places: _income_of(places, group_of))


def _income_of(places, group_of) -> str:
    if not isinstance(places, list):
        return "not_stated"
    groups = set(group_of[[place.strip() for place in places]].dropna())
    if not groups:
        return "not_classified"
    return groups.pop() if len(groups) == 1 else "several"
