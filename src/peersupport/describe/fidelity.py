"""What studies report of the intervention and its workers, and the index made of it."""

from collections.abc import Sequence

import pandas as pd

from peersupport.describe.studies import wilson


def reporting(studies: pd.DataFrame, items: Sequence[str], families: Sequence[str]) -> pd.DataFrame:
    """In how many studies each part of the intervention is reported (after TIDieR, Hoffmann 2014,
    items 3 to 12).

    Columns: design_family ("all" and each of `families` that has a study), item, yes, no, nr, of (all studies of the
    family), share (yes of `of`), ci_low, ci_high (Wilson). `nr` says that the source seen does not
    tell, which is not a "no".
    """
    family = studies["design_family"]
    groups = {"all": studies} | {code: studies[family == code] for code in families if (family == code).any()}
    rows = [
        {"design_family": code, "item": item, **_answers(part[item]), "of": len(part)}
        for code, part in groups.items()
        for item in items
    ]
    table = pd.DataFrame(rows)
    return pd.concat([table, wilson(table["yes"], table["of"])], axis=1)


def _answers(answers: pd.Series) -> dict[str, int]:
    given = answers.fillna("nr").value_counts()
    return {answer: int(given.get(answer, 0)) for answer in ("yes", "no", "nr")}


def fidelity_index(studies: pd.DataFrame, items: Sequence[str], *, nr_is: str = "missing") -> pd.Series:
    """How much support for a faithful delivery a study reports: one point for each of `items` with a yes.

    `nr_is="missing"`: blank as soon as one item is not reported (nothing
    is assumed). `nr_is="absent"`: an item that is not reported counts 0, so that the index measures
    what is reported rather than what was done. Index: the study.
    """
    answers = studies.set_index("study")[list(items)].fillna("nr")
    points = answers.eq("yes").sum(axis=1).astype(float)
    if nr_is == "missing":
        return points.where(~answers.eq("nr").any(axis=1)).rename("fidelity_index")
    if nr_is == "absent":
        return points.rename("fidelity_index")
    raise ValueError(f'nr_is is "missing" or "absent", not {nr_is!r}.')


def fidelity_table(studies: pd.DataFrame, items: Sequence[str]) -> pd.DataFrame:
    """Both readings of the index beside each other: study, trial, items_reported, fidelity_index,
    fidelity_index_absent."""
    table = studies[["study", "trial"]].reset_index(drop=True)
    answers = studies[list(items)].fillna("nr").ne("nr")
    table["items_reported"] = answers.sum(axis=1).to_numpy()
    table["fidelity_index"] = fidelity_index(studies, items, nr_is="missing").to_numpy()
    table["fidelity_index_absent"] = fidelity_index(studies, items, nr_is="absent").to_numpy()
    return table
