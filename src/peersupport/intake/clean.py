"""From raw sheets to tidy tables: reconcile the coders, add the database, correct, read figures as numbers."""

import re

import numpy as np
import pandas as pd

from peersupport.effects.arms import ARMS
from peersupport.intake import reconcile

NUMBER_KINDS = ("integer", "number", "percent", "year")


def decisions(raw: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every double-coded cell of each sheet with what was decided and by whom; raw: sheets by name, as text."""
    return {
        sheet: reconcile.decide(
            sheet, reconcile.double_coded(sheet, raw[f"coder_a/{sheet}"], raw[f"coder_b/{sheet}"]), raw["consensus"]
        )
        for sheet in reconcile.KEYS
    }


def tidy(raw: dict[str, pd.DataFrame], cells: dict[str, pd.DataFrame], codebook: dict) -> dict[str, pd.DataFrame]:
    """Tidy tables `studies`, `outcomes`, `appraisal`, `themes` from raw sheets and the decisions on them.

    Figures are floats, blanks in them NaN; text stays text, blank = "". `trial` names the trial a study belongs to,
    `design_family` the family of its design ("nr" without a design).
    """
    coded = {sheet: reconcile.reconcile(sheet, raw[f"coder_a/{sheet}"], part) for sheet, part in cells.items()}
    known = {sheet: raw[f"database/{sheet}"] for sheet in ("studies", "outcomes", "appraisal")}
    coded = {sheet: reconcile.correct(sheet, sheet, table, raw["corrections"]) for sheet, table in coded.items()}
    known = {
        sheet: reconcile.correct(f"database/{sheet}", sheet, table, raw["corrections"])
        for sheet, table in known.items()
    }
    joined = {
        "studies": reconcile.add_database_studies(coded["studies"], known["studies"]),
        "outcomes": _stack(coded["outcomes"], known["outcomes"]),
        "appraisal": _stack(coded["appraisal"], known["appraisal"]),
        "themes": coded["themes"],
    }
    tables = {name: as_numbers(table, codebook["sheets"][name]) for name, table in joined.items()}
    trial = raw["trials"].set_index("study")["trial"]
    for sheet in ("studies", "outcomes"):
        tables[sheet]["trial"] = tables[sheet].study.map(trial).fillna(tables[sheet].study)
    tables["studies"]["design_family"] = _design_families(tables["studies"].design, codebook["design_families"])
    tables["outcomes"]["recovery_type"] = _recovery_types(tables["outcomes"], codebook["recovery_types"])
    tables["outcomes"] = _with_arms(tables["outcomes"], raw.get("arms", NO_ARMS))
    tables["outcomes"]["secondary"] = _secondary(tables["outcomes"].note, codebook.get("secondary_mark"))
    is_study = tables["themes"].study.isin(tables["studies"].study)
    tables["themes"]["kind"] = np.where(is_study, "primary", "review")
    return tables


def as_numbers(table: pd.DataFrame, schema: dict) -> pd.DataFrame:
    """The columns that the codebook calls numbers as floats."""
    kinds = {name: column["kind"] for name, column in schema["columns"].items() if name in table}
    numeric = [name for name, kind in kinds.items() if kind in NUMBER_KINDS]
    return table.assign(**{name: pd.to_numeric(table[name].where(table[name].ne(""))) for name in numeric})


def _stack(coded, database):
    return pd.concat([coded.assign(source="coder"), database.assign(source="open_database")], ignore_index=True).fillna(
        ""
    )


def _secondary(notes, mark):
    """yes where the note says by its mark that another team transcribed the figures."""
    marked = notes.str.contains(rf"\b{re.escape(mark)}\b") if mark else pd.Series(False, notes.index)
    return marked.map({True: "yes", False: "no"})


NO_ARMS = pd.DataFrame(columns=["row_id", *ARMS])


def _with_arms(outcomes, arms):
    """Which comparison of its trial a row is: of arms.csv, else of the outcomes sheet if it has these columns."""
    told = arms.set_index("row_id")
    columns = {name: outcomes.row_id.map(told[name]).fillna("") for name in ARMS}
    own = {name: outcomes[name].fillna("") if name in outcomes else "" for name in ARMS}
    return outcomes.assign(**{name: column.where(column.ne(""), own[name]) for name, column in columns.items()})


def _design_families(design, families):
    by_design = {code: family for family, entry in families.items() for code in entry["designs"]}
    return design.map(by_design).fillna("nr")


def _recovery_types(outcomes, groups):
    by_domain = {domain: kind for kind, domains in groups.items() for domain in domains}
    stated = outcomes.recovery_type
    return stated.where(stated.ne(""), outcomes.outcome_domain.map(by_domain).fillna(""))
