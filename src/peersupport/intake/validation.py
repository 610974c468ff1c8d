"""What is wrong with the raw sheets, all of it at once: a schema per sheet from the codebook, and rules across sheets.

Sheets come as tables of text whose index is the spreadsheet's row number, under their name ("coder_a/outcomes").
Errors stop the chain; warnings are for a person to look at and change nothing.
"""

import pandas as pd

from peersupport.intake.plausible import implausible
from peersupport.intake.rules import CROSS_RULES, decided_values, printed_slips
from peersupport.intake.schema import check_schema
from peersupport.store.sheets import PROBLEM, Sheets

# where these fail, rules across sheets cannot look
STRUCTURE = {"missing_column", "duplicate_column", "duplicate_key"}


class SheetError(ValueError):
    """The raw sheets have errors; the message names each: sheet, row, column, value, remedy."""


def validate(sheets: Sheets, file_problems: list[dict], codebook: dict) -> pd.DataFrame:
    """Every problem of every sheet, one row each, errors first; columns as in data/processed/validation.csv.

    file_problems: what was odd about the files themselves (intake.parse).
    """
    problems = file_problems + [
        found for name, table in sheets.items() for found in check_schema(name, table, codebook)
    ]
    whole = all(len(table.columns) for table in sheets.values())
    if whole and not any(found["rule"] in STRUCTURE for found in problems):
        problems += [found for rule in CROSS_RULES for found in rule(sheets)]
        problems = printed_slips(problems, sheets)
        problems += [*decided_values(sheets, codebook), *implausible(sheets, codebook)]
    table = pd.DataFrame(problems, columns=PROBLEM).drop_duplicates()
    return table.sort_values(["severity", "sheet", "rule"], kind="stable").reset_index(drop=True)


def stop_on_errors(problems: pd.DataFrame | list[dict]) -> None:
    """Raise SheetError naming every error; warnings pass."""
    rows = problems if isinstance(problems, list) else problems.to_dict("records")
    lines = [describe(row) for row in rows if row["severity"] == "error"]
    if lines:
        raise SheetError(f"{len(lines)} to mend in the raw sheets:\n" + "\n".join(lines))


def describe(row: dict) -> str:
    """One sentence: where, what, what to do."""
    where = [
        row["sheet"],
        f"row {row['row']}" if row["row"] != "" else "",
        f"column {row['column']}" if row["column"] else "",
    ]
    value = f" holds {row['value']!r}" if row["value"] != "" else ""
    return f"{', '.join(x for x in where if x)}{value}: {row['remedy']} ({row['rule']})."
