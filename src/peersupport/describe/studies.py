"""Who was studied, where, when and how: counts and summaries of the included studies.

Throughout, `studies` is data/processed/studies.csv: one row per included primary study, blank where
the source does not state a value, `nr` where a yes/no question is not answered by the source. What
is not reported is never taken for "no". A `trial` gathers the reports that share their
participants, so that people are counted once; `design_family` is the codebook's family of the design.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

NOT_REPORTED = {"nr": "Not reported"}
NO_DATE = "no date"


def wilson(successes, totals, level: float = 0.95) -> pd.DataFrame:
    """Shares with Wilson score intervals: columns share, ci_low, ci_high; blank where the total is
    0.

    Wilson 1927; recommended for small counts by Brown, Cai and DasGupta 2001 (doi
    10.1214/ss/1009213286).
    """
    successes, totals = np.asarray(successes, float), np.asarray(totals, float)
    known = totals > 0
    table = pd.DataFrame(np.nan, index=range(len(totals)), columns=["share", "ci_low", "ci_high"])
    low, high = proportion_confint(successes[known], totals[known], 1 - level, method="wilson")
    table.loc[known, "share"] = successes[known] / totals[known]
    table.loc[known, "ci_low"], table.loc[known, "ci_high"] = low, high
    return table


def participants(studies: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """How many people took part in each study, and where the number comes from.

    Columns study, trial, participants, participants_from. In this order: the number randomised; the
    sum of the arms (the one arm of a study without a comparator); for a study of the open database,
    which states no totals, the largest number analysed in one of its outcome rows. Blank where none
    of the three is stated.
    """
    arms = studies["n_arm1"] + studies["n_arm2"]
    without_comparator = studies["condition_arm2"].eq("none") | studies["condition_arm2"].isna()
    arms = arms.fillna(studies["n_arm1"].where(without_comparator & studies["n_arm2"].isna()))
    rows = outcomes[~outcomes["contrast"].isin(["within", "both_peer"])]
    analysed = (rows["n_arm1"] + rows["n_arm2"]).fillna(rows["totaln_arm1"] + rows["totaln_arm2"])
    analysed = studies["study"].map(analysed.groupby(rows["study"]).max())
    table = studies[["study", "trial"]].copy()
    table["participants"] = studies["n_randomised"].fillna(arms).fillna(analysed)
    table["participants_from"] = np.select(
        [studies["n_randomised"].notna(), arms.notna(), analysed.notna()],
        ["randomised", "arms", "analysed"],
        "not stated",
    )
    return table.reset_index(drop=True)


def one_per_trial(studies: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """The main report of each trial (the one that it is named after), with the trial's largest
    number of participants."""
    largest = counts.groupby("trial")["participants"].max()
    main = studies.assign(companion=studies["study"] != studies["trial"])
    main = main.sort_values(["companion", "study"]).drop_duplicates("trial")
    main = main.assign(participants=main["trial"].map(largest)).drop(columns="companion")
    return main.sort_values("study").reset_index(drop=True)


def characteristics(
    studies: pd.DataFrame, counts: pd.DataFrame, names: Mapping[str, Mapping[str, str]], items: Sequence[str]
) -> pd.DataFrame:
    """Table 1: one row per study with codes spelled out; `names` maps a column to its codes'
    labels, `items` are the columns of what is reported of the intervention."""
    table = studies.merge(counts[["study", "participants"]], on="study", validate="one_to_one")
    for column, labels in names.items():
        table[column] = spell_out(table[column], labels)
    table["report_of"] = table["trial"].where(table["trial"] != table["study"])
    table["country"] = table["country"].str.replace(";", ", ")
    order = [
        *("study", "report_of", "year", "country", "design", "design_family", "population", "age_group", "setting"),
        *("modality", "structure", "condition_arm1", "condition_arm2", "participants", "mean_age"),
        *("percent_women", "duration_weeks", "followup_weeks", *items),
        *("helper_experience", "source_type", "source_url"),
    ]
    by = ["population", "study"]
    return table[order].sort_values(by, key=lambda column: column.str.lower(), ignore_index=True)


def spell_out(codes: pd.Series, labels: Mapping[str, str]) -> pd.Series:
    """Codes to labels; blank and nr both read "Not reported"; an unknown code is an error."""
    labels = {**NOT_REPORTED, **labels}
    unknown = sorted(set(codes.dropna()) - set(labels))
    if unknown:
        raise ValueError(f"Column {codes.name}: no label for {', '.join(map(str, unknown))}.")
    return codes.map(labels).fillna("Not reported")


def summary_by(studies: pd.DataFrame, counts: pd.DataFrame, column: str, labels: Mapping[str, str]) -> pd.DataFrame:
    """Table 2: one row per level of `column` (in the codebook's order) and one for all studies.

    Columns: grouping, level, label, studies, share (of all studies), randomised (randomised trials,
    each counted once), trials (companion reports joined), participants (of the trials that state
    them), participants_stated (those trials), then median, q1 and q3 of participants per trial,
    mean age (years), women (%) and duration (weeks), each over the studies that state it, whose
    number is in `..._stated`.
    """
    labels = {**labels, **NOT_REPORTED}
    level = studies[column].fillna("nr")
    rows = [
        _summary(studies[level == code], counts, column, code, label)
        for code, label in labels.items()
        if (level == code).any()
    ]
    rows.append(_summary(studies, counts, column, "all", "All studies"))
    table = pd.DataFrame(rows)
    table.insert(4, "share", table["studies"] / len(studies))
    return table


def _summary(part, counts, column, code, label) -> dict:
    trials = one_per_trial(part, counts[counts["study"].isin(part["study"])])
    row = {
        "grouping": column,
        "level": code,
        "label": label,
        "studies": len(part),
        "trials": len(trials),
        "randomised": int(trials["design_family"].eq("randomised").sum()),
        "participants": trials["participants"].sum(),
    }
    row |= _spread("participants", trials["participants"])
    for measure in ("mean_age", "percent_women", "duration_weeks"):
        row |= _spread(measure, part[measure])
    return row


def _spread(name: str, values: pd.Series) -> dict:
    q1, median, q3 = values.quantile([0.25, 0.5, 0.75])
    stated = int(values.notna().sum())
    return {f"{name}_stated": stated, f"{name}_median": median, f"{name}_q1": q1, f"{name}_q3": q3}


def by_year(studies: pd.DataFrame, column: str, levels: Sequence[str]) -> pd.DataFrame:
    """Studies per year and level: year ("2020"; "no date" last), level, studies; every year between
    first and last."""
    known = studies["year"].dropna().astype(int)
    years = [str(year) for year in range(known.min(), known.max() + 1)]
    if studies["year"].isna().any():
        years.append(NO_DATE)
    year = studies["year"].map(lambda value: NO_DATE if pd.isna(value) else str(int(value)))
    return _count_grid(year, studies[column].fillna("nr"), years, levels, ("year", "level"))


def cross_count(
    studies: pd.DataFrame, rows: str, columns: str, row_levels: Sequence[str], column_levels: Sequence[str]
) -> pd.DataFrame:
    """Studies per cell of two codes, empty cells as 0: columns `rows`, `columns`, studies. A blank
    counts as nr."""
    first, second = studies[rows].fillna("nr"), studies[columns].fillna("nr")
    return _count_grid(first, second, row_levels, column_levels, (rows, columns))


def _count_grid(first, second, first_levels, second_levels, names) -> pd.DataFrame:
    grid = pd.crosstab(first, second)
    lost = set(grid.index) - set(first_levels) | set(grid.columns) - set(second_levels)
    if lost:
        raise ValueError(f"Levels without a place in the table: {', '.join(sorted(lost))}.")
    grid = grid.reindex(index=list(first_levels), columns=list(second_levels), fill_value=0)
    grid = grid.rename_axis(index=names[0], columns=names[1])
    return grid.stack().rename("studies").reset_index()


def evidence_gap_map(
    outcomes: pd.DataFrame,
    trials: pd.DataFrame,
    overall: pd.Series,
    axis: str,
    axis_levels: Sequence[str],
    domains: Sequence[str],
) -> pd.DataFrame:
    """Where there is evidence and where there is none: one row per outcome domain and level of
    `axis`, zeros included.

    `trials` is a table of one_per_trial, restricted to the designs the map is about; `overall` the
    overall risk of bias by trial. Columns: axis, level, outcome_domain, trials, participants (sum
    over the trials that state them), low, some_concerns, high, no_information (trials by overall
    judgement; a trial without an appraisal has no information) and high_share (high, of the
    trials). After Snilstveit 2016 (doi 10.1016/j.jclinepi.2016.05.015).
    """
    known = trials.set_index("trial")
    pairs = outcomes[["trial", "outcome_domain"]].drop_duplicates()
    pairs = pairs[pairs["trial"].isin(known.index)]
    pairs = pairs.assign(
        level=pairs["trial"].map(known[axis].fillna("nr")),
        participants=pairs["trial"].map(known["participants"]),
        judgement=pairs["trial"].map(overall).fillna("no_information"),
    )
    cells = pd.MultiIndex.from_product([axis_levels, domains], names=["level", "outcome_domain"])
    grouped = pairs.groupby(["level", "outcome_domain"])
    table = grouped.agg(trials=("trial", "size"), participants=("participants", "sum"))
    judged = pd.crosstab([pairs["level"], pairs["outcome_domain"]], pairs["judgement"])
    judged = judged.reindex(columns=["low", "some_concerns", "high", "no_information"], fill_value=0)
    lost = table.index.difference(cells)
    if len(lost):
        raise ValueError(f"Cells without a place in the map: {list(lost)}.")
    table = table.join(judged).reindex(cells, fill_value=0).reset_index()
    table.insert(0, "axis", axis)
    table["high_share"] = (table["high"] / table["trials"]).where(table["trials"] > 0)
    return table
