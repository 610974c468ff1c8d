"""The trail of each effect: printed figure, second coder, consensus or correction, route, value."""

import pandas as pd

from peersupport.effects.routes import ROUTES

COLUMNS = ["row_id", "study", "outcome_domain", "step", "column", "value", "note"]
PRINTED = (
    "outcome_type contrast higher_is_better mean_arm1 sd_arm1 n_arm1 mean_arm2 sd_arm2 n_arm2 event_arm1 totaln_arm1 "
    "event_arm2 totaln_arm2 measure effect ci_low ci_high se p_operator p_value positive_favours favours"
).split()


def trail(effects: pd.DataFrame, raw: dict[str, pd.DataFrame], cells: pd.DataFrame) -> pd.DataFrame:
    """One row per step of each effect, in the order of the steps.

    effects: rows to explain; raw: sheets as text; cells: double-coded cells of the outcomes sheet as decided.
    """
    sheets = {"coder": "coder_a/outcomes", "open_database": "database/outcomes"}
    printed = {source: raw[name].set_index("row_id") for source, name in sheets.items()}
    rulings = cells[cells.decided_by.eq("consensus")]
    rows = []
    for effect in effects.itertuples():
        about = (effect.row_id, effect.study, effect.outcome_domain)
        rows += [about + step for step in _steps(effect, printed[effect.source], rulings, raw["corrections"], sheets)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _steps(effect, printed, rulings, corrections, sheets):
    row = printed.loc[effect.row_id]
    where = f"{sheets[effect.source]}; {row.locator}"
    yield from (("printed", column, row[column], where) for column in PRINTED if row[column] != "")
    for cell in rulings[rulings.key.eq(effect.row_id)].itertuples():
        yield "second coder", cell.column, cell.b, "differs from the first coder"
        yield "consensus", cell.column, cell.value, cell.reason
    own = corrections[corrections.key.eq(effect.row_id) & corrections.sheet.str.endswith("outcomes")]
    for cell in own.itertuples():
        yield "correction", cell.column, cell.value, cell.reason
    yield "route", "method", effect.method, effect.conversion
    if effect.assumptions:
        yield "route", "assumptions", effect.assumptions, ""
    yield "direction", "direction_source", effect.direction_source, "positive favours peer support"
    if effect.flags:
        yield "flag", "flags", effect.flags, "look at this before trusting the row"
    yield "value", "effect", repr(float(effect.effect)), effect.family
    yield "value", "variance", repr(float(effect.variance)), ""
    yield "source", "source_url", effect.source_url, effect.locator


def examples(provenance: pd.DataFrame, effects: pd.DataFrame) -> list[str]:
    """One row_id for each kind of figure that an effect starts from, in the order of ROUTES.

    The row with a correction, else with the longest trail.
    """
    steps = provenance.groupby("row_id").step.agg(corrected=lambda step: step.eq("correction").any(), steps="size")
    rows = effects.merge(steps, left_on="row_id", right_index=True)
    rows = rows.assign(kind=rows.method.map({name: route.figures for name, route in ROUTES.items()}))
    rows = rows.sort_values(["corrected", "steps", "row_id"], ascending=[False, False, True])
    first = rows.drop_duplicates("kind").set_index("kind").row_id
    return [first[kind] for kind in dict.fromkeys(route.figures for route in ROUTES.values()) if kind in first]


def trace(row_id: str, provenance: pd.DataFrame) -> pd.DataFrame:
    """The steps of one effect, for a person to read; raises KeyError for a row that has no trail."""
    steps = provenance[provenance.row_id.eq(row_id)]
    if steps.empty:
        raise KeyError(f"{row_id} is not a selected effect: see exclusions.csv, or `selection` in effects.csv.")
    return steps[["step", "column", "value", "note"]].reset_index(drop=True)
