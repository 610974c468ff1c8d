"""Tables as a reader sees them in a notebook, the same bytes each time: rounded, without index, scrolling when long.

Names of columns and codes become words here, once for all notebooks, and every effect says its unit in its own cell.
"""

import re
from functools import partial

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from peersupport.effects.pools import outcome_labels
from peersupport.store.codebook import AVOID, DIRECTIONS, codebook
from peersupport.text.numbers import shown, span

SCROLL = "max-height: 30em; overflow: auto"
UNITS = {"smd": "g", "log_rr": "RR"}
EFFECTS = {  # columns that make one: estimate, both ends
    "Effect (95% CI)": ("effect", "ci_low", "ci_high"),
    "Slope (95% CI)": ("estimate", "ci_low", "ci_high"),
    "Expected in a new setting": (None, "pi_low", "pi_high"),
    "Main analysis": ("main_effect", None, None),
    "Median": ("median", None, None),
    "Lowest": ("lowest", None, None),
    "Highest": ("highest", None, None),
}
HEADS = {
    "ac1": "Gwet's AC1",
    "ci_high": "95% CI, upper end",
    "ci_low": "95% CI, lower end",
    "df_between": "df, between groups",
    "df_residual": "df, within groups",
    "egger_p": "Egger's test, p",
    "egger_slope": "Egger's slope",
    "event": "The event is",
    "family": "Measure",
    "i2": "I², %",
    "k": "Trials",
    "more_per_1000": "More in 1000 who do well",
    "n": "People",
    "nnt_furukawa": "NNT, Furukawa",
    "nnt_kraemer_kupfer": "NNT, Kraemer and Kupfer",
    "nnt_risk_ratio": "NNT, from the risk ratio",
    "outcome_domain": "Outcome",
    "p_between": "p, between groups",
    "p_median": "p of the median",
    "p_permutation": "p, by permutation",
    "p_share": "p of the share",
    "p_value": "p",
    "points": "Points on the commonest scale",
    "probability_above_0": "Probability of a benefit",
    "probability_above_small": "Probability of a benefit that is not small",
    "q_between": "Q, between groups",
    "r2": "R², %",
    "rank_p": "Rank test, p",
    "row_id": "Row",
    "share_ci_above_0": "Share with the whole interval in favour",
    "share_ci_below_0": "Share with the whole interval against",
    "size_p": "Egger's test on arm size, p",
    "tau2": "τ²",
    "tau2_model": "τ² of the groups",
}
WORDS = {"smd": "Hedges g", "log_rr": "risk ratio", "avoid": "to be avoided", "wanted": "wished for"}
CODED = ("outcome_domain", "outcome", "level", "recovery_type", "time_point", "judgement", "modality", "population")
OF_SHEETS = ("column", "file", "key", "printed", "sheet", "value", "a", "b")  # as the sheets have it, to be found there
CODE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")


def readable(table: pd.DataFrame, digits: int = 2) -> HTML:
    """The table as HTML; text from the sheets is escaped, so that markup in a cell is shown and not obeyed."""
    words = in_words(table.reset_index(drop=True))
    text = [column for column in words if not pd.api.types.is_numeric_dtype(words[column])]
    styled = Styler(words, uuid_len=0).hide(axis="index")
    for column in words.columns.difference(text, sort=False):
        here = 0 if is_whole(words[column]) else digits
        show = p_number if is_p(column) else partial(number, digits=here)
        styled = styled.format(show, na_rep="", subset=[column])
    styled = styled.format(na_rep="", escape="html", subset=text) if text else styled
    styled = styled.format_index(escape="html", axis="columns")
    left = [{"selector": part, "props": "text-align: left"} for part in ("td", "th")]
    styled = styled.set_table_styles({column: left for column in text})
    return HTML(f'<div style="{SCROLL}">{styled.to_html()}</div>')


def is_p(name) -> bool:
    """Whether a column, by its head, holds p values."""
    return bool(re.match(r"p($|,| of )", str(name)) or re.search(r", p$", str(name)))


def p_number(value: float) -> str:
    """0.042, of HTML."""
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"


def is_whole(column: pd.Series) -> bool:
    """Whether a column of numbers holds counts, be it as floats because some are missing."""
    known = column.dropna()
    return bool((known.astype(float) % 1 == 0).all())


def number(value, digits: int) -> str:
    """1,234 or 0.25, with a true minus sign."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return (f"{value:,.{digits}f}" if isinstance(value, float) else f"{value:,}").replace("-", "\N{MINUS SIGN}")


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Effects with their units, codes and columns by their names; table may have a column family and event."""
    told = with_units(table) if "family" in table else table
    told = told.apply(lambda column: column if column.name in OF_SHEETS else column.map(worded(column.name)))
    return told.rename(columns={name: head(name) for name in told})


def with_units(table: pd.DataFrame) -> pd.DataFrame:
    """Each effect and interval as text with its unit, in the place of its first column."""
    told = table.copy()
    for name, columns in EFFECTS.items():
        present = [column for column in columns if column in told]
        if not present or len(present) < len([column for column in columns if column]):
            continue
        cells = [with_unit(row, *columns) for row in told.to_dict("records")]
        told.insert(told.columns.get_loc(present[0]), name, cells)
        told = told.drop(columns=present)
    return told.drop(columns="family") if len(told.columns) < len(table.columns) or _is_told(told) else told


def _is_told(told: pd.DataFrame) -> bool:
    return any(name in told for name in EFFECTS)


def with_unit(row: dict, value: str | None, low: str | None, high: str | None) -> str:
    """g 0.24 (0.15 to 0.33), RR 0.74 of the event as named; blank where there is no number."""
    family, event = row["family"], event_of(row)
    if pd.isna(row[value or low]):
        return ""
    ends = span(row[low], row[high], family, event) if low and pd.notna(row[low]) else ""
    if value is None:
        return f"{UNITS[family]} {ends}"
    return f"{UNITS[family]} {shown(row[value], family, event)}" + (f" ({ends})" if ends else "")


def event_of(row: dict) -> str:
    """Whether a row's events are to be avoided or wanted: as it says, else as the codebook says of its outcome."""
    told = row.get("event")
    if isinstance(told, str) or row["family"] == "smd":
        return told if isinstance(told, str) else ""
    book, name = codebook(), row.get("outcome_domain", "")
    if (other := name.rpartition("_")[2]) in DIRECTIONS:
        return other
    return book["events"].get(name) or book["unions"].get(name, {}).get("events") or AVOID


def worded(name: str):
    """A function that shows a cell of the column of this name: codes by their labels, else with spaces."""
    labels = _labels() if name in CODED else {}

    def show(value):
        if not isinstance(value, str):
            return value
        plain = labels.get(value) or WORDS.get(value, value)
        return plain.replace("_", " ") if CODE.fullmatch(plain) else plain

    return show


def _labels() -> dict[str, str]:
    """The label of everything that is pooled and of every code; of a code that two lists have, that of the first."""
    book = codebook()
    found = outcome_labels(book) | book["moderators"]["outcomes"]
    for codes in book["codes"].values():
        found = codes | found
    return found


def head(name: str) -> str:
    """A column's name for a reader: p of p_value, With spaces of with_spaces."""
    if name in HEADS or not isinstance(name, str):
        return HEADS.get(name, name)
    return name.replace("_", " ")[:1].upper() + name.replace("_", " ")[1:]
