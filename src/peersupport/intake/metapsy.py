"""A database in the Metapsy data standard, as sheets and codebook of a review of its own.

The standard (docs.metapsy.org, "Data format") has a row per comparison: study, condition_arm1, condition_arm2,
multi_arm1, multi_arm2, outcome_type, instrument, time, time_weeks, rating, raw figures (mean_, sd_, n_, event_,
totaln_) and effects already computed (.g, .g_se, .log_rr, .log_rr_se). What it does not hold is not assumed: a
direction that nobody states stays as printed, and a row that has no figures is named.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

BLANK = {"", "na", "nan", "n/a", "null"}
FIGURES = {  # outcome_type of the sheet: the columns that it needs
    "msd": ("mean_arm1", "sd_arm1", "n_arm1", "mean_arm2", "sd_arm2", "n_arm2"),
    "change": (
        "mean_change_arm1",
        "sd_change_arm1",
        "n_change_arm1",
        "mean_change_arm2",
        "sd_change_arm2",
        "n_change_arm2",
    ),
    "dichotomous": ("event_arm1", "totaln_arm1", "event_arm2", "totaln_arm2"),
}
KINDS_OF_FIGURES = {"msd", "change", "imsd", "raw", "es", "dich", "dichotomous", "binary", "precalc", "continuous"}
NUMBERS = sorted({c for columns in FIGURES.values() for c in columns} | {"time_weeks", "year", "baseline_n"})
COMPUTED = {".g": ("g", ".g_se"), ".log_rr": ("RR", ".log_rr_se")}
OF_THE_ROW = {
    *NUMBERS,
    *COMPUTED,
    ".g_se",
    ".log_rr_se",
    "outcome_type",
    "instrument",
    "time",
    "rating",
    "multi_arm1",
    "multi_arm2",
    "condition_arm1",
    "condition_arm2",
    "study",
}
JUDGEMENTS = {
    "low": "low",
    "some": "some_concerns",
    "high": "high",
    "no": "no_information",
    "unclear": "no_information",
}
Z = 1.959963984540054


class NoDatabase(ValueError):
    """The file is no database of this standard; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Imported:
    """`sheets`: text tables by the names of data/raw/; `codebook`: its mapping; `unplaced`: row, study, reason."""

    sheets: dict[str, pd.DataFrame]
    codebook: dict
    unplaced: pd.DataFrame


def read(content: bytes) -> pd.DataFrame:
    """The file as text, its index the row that a spreadsheet shows; semicolons, commas or tabs; blanks for NA.

    Numbers get a point for a decimal comma. Raises NoDatabase for a file without `study` or any figures.
    """
    text = _decoded(content)
    separator = max(";,\t", key=text.partition("\n")[0].count)
    rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    if len(rows) < 2:
        raise NoDatabase("The file holds no row below its header: export the database again.")
    header = [name.strip() for name in rows[0]]
    uneven = [number for number, row in enumerate(rows[1:], 2) if row and len(row) != len(header)]
    if uneven:
        raise NoDatabase(
            f"Row {uneven[0]} has {len(rows[uneven[0] - 1])} cells, the header {len(header)}: mend the row."
        )
    table = pd.DataFrame(rows[1:], columns=header, index=range(2, len(rows) + 1), dtype=object)
    table = table.loc[:, [name for name in dict.fromkeys(header) if name]]
    table = table.map(lambda cell: "" if cell.strip().lower() in BLANK else cell.strip())
    known = [name for name in [*NUMBERS, *COMPUTED, ".g_se", ".log_rr_se"] if name in table]
    if "study" not in table or not set(known) - {"time_weeks", "year"}:
        raise NoDatabase(
            "The file has no column `study`, or none with figures (.g, .log_rr, mean_arm1, event_arm1): is it a "
            "database in the Metapsy standard?"
        )
    return table.assign(**{name: table[name].map(_point) for name in known})


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise NoDatabase("The file is neither UTF-8 nor Windows-1252: save it as UTF-8.")


def _point(cell: str) -> str:
    """12,5 and 1.234,5 as 12.5 and 1234.5; 1,234.5 as 1234.5."""
    if cell.count(",") == 1 and "." not in cell:
        return cell.replace(",", ".")
    if "," in cell and "." in cell:
        decimal = max(",", ".", key=cell.rfind)
        other = "." if decimal == "," else ","
        return cell.replace(other, "").replace(decimal, ".")
    return cell


def code_of(text: str) -> str:
    """A code from any name: letters, figures and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "not_named"


def imported(table: pd.DataFrame, mapping: Mapping) -> Imported:
    """Sheets and codebook from `read`'s table; mapping as docs/your_review.md shows, {} for none.

    mapping: `columns` (sheet's name: the file's), `outcomes` (code: label, better: higher or lower, event: avoid or
    wanted), `arms`, `source_url`.
    """
    table = table.rename(columns={theirs: ours for ours, theirs in mapping.get("columns", {}).items()})
    domain = _domains(table)
    rows, unplaced = [], []
    for number, row in table.iterrows():
        figures = _figures(row)
        reason = "no study is named" if not row["study"] else figures if isinstance(figures, str) else ""
        if reason:
            unplaced.append({"row": number, "study": row["study"], "reason": reason})
            continue
        rows.append(_outcome(number, row, domain[number], figures, mapping))
    outcomes = pd.DataFrame(rows).fillna("")
    placed = table[table["study"].isin(outcomes["study"] if len(outcomes) else [])]
    sheets = {"database/outcomes": outcomes, "database/studies": _studies(placed, mapping)}
    appraisal = _appraisal(placed)
    if len(appraisal):
        sheets["database/appraisal"] = appraisal
    return Imported(
        sheets, _codebook(sheets, domain, mapping), pd.DataFrame(unplaced, columns=["row", "study", "reason"])
    )


def _domains(table: pd.DataFrame) -> pd.Series:
    """The outcome of each row by its name: `outcome_domain`, or `outcome_type` where that names outcomes and not kinds
    of figures, or `outcome`, or one for all."""
    for name in ("outcome_domain", "outcome_type", "outcome"):
        if name in table:
            named = table[name].replace("", np.nan).dropna().str.lower()
            if len(named) and not set(named) <= KINDS_OF_FIGURES:
                return table[name].replace("", "not stated")
    return pd.Series("outcome", table.index)


def _figures(row: pd.Series) -> dict[str, str] | str:
    """The figures of the best kind that is there, with its outcome_type; or why there are none."""
    for kind, columns in FIGURES.items():
        if all(row.get(column, "") for column in columns):
            plain = [column.replace("_change", "") for column in columns]
            cells = {ours: row[theirs] for ours, theirs in zip(plain, columns, strict=True)}
            wrong = [column for column, cell in cells.items() if _number(cell) is None]
            return f"{wrong[0]} is no number: {cells[wrong[0]]}" if wrong else {"outcome_type": kind} | cells
    for name, (measure, error) in COMPUTED.items():
        if row.get(name, "") and row.get(error, ""):
            return _computed(row, name, measure, error)
    present = [name for name in (*COMPUTED, "mean_arm1", "mean_change_arm1", "event_arm1") if row.get(name, "")]
    return f"{present[0]} stands without what belongs to it" if present else "no figures"


def _computed(row: pd.Series, name: str, measure: str, error: str) -> dict[str, str] | str:
    effect, spread = _number(row[name]), _number(row[error])
    if effect is None or spread is None or spread <= 0:
        return f"{name} {row[name]} with {error} {row[error]}: an effect needs a number and a standard error above 0"
    sizes = {arm: row.get(arm, "") for arm in ("n_arm1", "n_arm2")}
    found = {"outcome_type": "precalc", "measure": measure} | sizes
    if measure == "g":
        return found | {"effect": row[name], "se": row[error]}
    ends = (effect, effect - Z * spread, effect + Z * spread)
    return found | {c: repr(float(np.exp(x))) for c, x in zip(("effect", "ci_low", "ci_high"), ends, strict=True)}


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _outcome(number: int, row: pd.Series, domain: str, figures: dict[str, str], mapping: Mapping) -> dict[str, str]:
    code = code_of(domain)
    better = mapping.get("outcomes", {}).get(code, {}).get("better", "")
    time = row.get("time", "").lower()
    return {
        "row_id": f"D{number - 1:04d}",
        "study": row["study"],
        "outcome_domain": code,
        "instrument": row.get("instrument", "") or domain,
        "rating": row.get("rating", ""),
        "time_point": "follow_up" if re.match(r"f(ollow)?[ -_]?u", time) else "post",
        "time_weeks": row.get("time_weeks", ""),
        "higher_is_better": {"higher": "yes", "lower": "no"}.get(better, ""),
        "positive_favours": {"higher": "arm1", "lower": "arm2"}.get(better, ""),
        "contrast": "between",
        "multi_arm1": row.get("multi_arm1", ""),
        "multi_arm2": row.get("multi_arm2", ""),
        "source_url": mapping.get("source_url", ""),
        "locator": f"row {number} of the database",
    } | figures


def _studies(table: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """One row per study; of a column that differs within a study, every value once, joined by a semicolon."""
    columns = [
        name for name in table if name not in OF_THE_ROW and not name.startswith(".") and name not in ("rob", "")
    ]
    columns = ["condition_arm1", "condition_arm2", *columns]

    def once(cells: pd.Series) -> str:
        return "; ".join(dict.fromkeys(cell for cell in cells if cell))

    present = [name for name in columns if name in table and table[name].ne("").any()]
    found = table.groupby("study", sort=False)[present].agg(once).reset_index()
    year = found["study"].str.extract(r"((?:19|20)\d\d)")[0].fillna("")
    stated = found.get("year", pd.Series("", found.index))
    design = found.get("design", pd.Series("rct", found.index)).replace("", "rct")
    return found.assign(year=stated.where(stated.ne(""), year), design=design, source_url=mapping.get("source_url", ""))


def _appraisal(table: pd.DataFrame) -> pd.DataFrame:
    """The overall judgement, where the column `rob` words it; a score has no place in the sheet and is left out."""
    if "rob" not in table:
        return pd.DataFrame()
    words = table.drop_duplicates("study").set_index("study")["rob"].str.lower().str.split().str[0].map(JUDGEMENTS)
    rows = words.dropna().rename("judgement").reset_index()
    return rows.assign(tool="rob", domain="overall")[["study", "tool", "domain", "judgement"]]


def _codebook(sheets: dict[str, pd.DataFrame], domain: pd.Series, mapping: Mapping) -> dict:
    """What the codes of the file tell; labels are the file's own words unless the mapping has others."""
    told = mapping.get("outcomes", {})
    names = {code_of(name): name for name in domain.unique()}
    outcomes = sheets["database/outcomes"]
    kinds = outcomes.groupby("outcome_domain")["outcome_type"].agg(set) if len(outcomes) else {}
    ratios = [code for code in names if code in kinds and kinds[code] <= {"dichotomous"}]
    return {
        "arms": mapping.get("arms")
        or {"arm1": {"name": "intervention", "short": "int."}, "arm2": {"name": "comparator", "short": "comp."}},
        "outcome_domain": {code: told.get(code, {}).get("label", name.capitalize()) for code, name in names.items()},
        "events": {code: told.get(code, {}).get("event", "as_printed") for code in ratios},
        "groups": {
            name: {code: code for code in sorted(set(sheets["database/studies"][name]) - {""})}
            for name in sheets["database/studies"]
            if name not in ("study", "year", "source_url", "design")
        },
    }
