"""One sheet against the codebook: columns, kinds of cells, codes, limits and keys."""

import difflib
import re
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from peersupport.store.sheets import ODDITIES, problem

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?", re.ASCII)
MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
DATE = re.compile(
    rf"\d{{4}}-\d\d-\d\d.*|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}|\d{{1,2}}[- ]?{MONTH}([- ]\d+)?|{MONTH}[- ]\d+",
    re.I | re.S,
)
RANGE_AS_DATE = re.compile(rf"\d{{1,2}}-{MONTH}|{MONTH}-\d{{2}}", re.I)  # "8-12" in a text column
NOT_NUMBERS = {  # rule: (what such a cell looks like, remedy), in the order in which they are tried
    "date_in_cell": (DATE, ODDITIES["date_in_cell"][1]),
    "decimal_comma": (
        re.compile(r"[-+]?\d*,\d+"),
        "write the figure with a decimal point, and thousands without a comma",
    ),
    "percent_sign": (re.compile(r".*\d\s*%"), "write the figure without the percent sign"),
    "typographic_minus": (re.compile(r"[−–—]\s*[\d.]+"), "write the minus sign as a plain hyphen"),
    "sign_in_number": (
        re.compile(r"[<>=≤≥~]\s*[\d.,]+"),
        "write the figure alone (a p value's sign goes into p_operator)",
    ),
    "text_in_number": (re.compile(r".*", re.S), "write a plain number, or leave the cell blank"),
}
PATTERNS = {
    "doi": (re.compile(r"10\.\d{4,9}/\S+"), "doi_syntax", "write the DOI alone, as in 10.1000/xyz123"),
    "url": (
        re.compile(r"https?://[^\s/?#\"<>]+\.[^\s\"<>]+"),
        "url_syntax",
        "write the whole address, from http:// or https:// on, without blanks",
    ),
    "country": (re.compile(r"[A-Z]{3}(;[A-Z]{3})*"), "country_code", "use ISO 3166 alpha-3 codes, several joined by ;"),
}


def columns_of(name: str, codebook: dict) -> dict[str, dict]:
    """Column to its entry in the codebook, for one sheet: the second coder's form has fewer, the database one more."""
    folder, _, kind = name.rpartition("/")
    columns = codebook["sheets"][kind or name]["columns"]
    if folder == "coder_b":
        return {column: columns[column] for column in codebook["second_coder"][kind]}
    return {column: entry for column, entry in columns.items() if name in entry.get("only_in", [name])}


EXTRA = "the codebook has no such column: take it out, or describe it there"


def check_schema(name: str, table: pd.DataFrame, codebook: dict) -> Iterator[dict]:
    """Problems of one sheet by itself: its columns, its cells, its key."""
    if table.empty:
        return
    columns = columns_of(name, codebook)
    missing = [column for column in columns if column not in table]
    extra = [column for column in table if column not in columns]
    for column in missing:
        guess = difflib.get_close_matches(column, extra, 1, 0.6)
        hint = f": {guess[0]!r} may be meant" if guess else ""
        yield problem(name, 1, column, "", "missing_column", "error", f"add the column, spelled so{hint}")
    for column in extra:
        yield problem(name, 1, column or "(no name)", "", "extra_column", "error", EXTRA)
    if table.columns.has_duplicates:
        return
    for column, rule, value, row in cell_failures(table, columns, codebook):
        severity, remedy = remedy_for(rule, value, columns[column], codebook)
        if rule == "blank" and name.startswith("coder_b/"):
            severity = "warning"  # a cell that one coder left blank differs, and the consensus decides it
        yield problem(name, row, column, value, rule, severity, remedy)
    if not missing:
        yield from _key_problems(name, table, columns, codebook)


def cell_failures(table, columns, codebook) -> Iterator[tuple[str, str, str, int]]:
    """(column, rule, value, row) of every cell that its column in the codebook does not allow."""
    for column, entry in columns.items():
        for rule, passes in cell_rules(entry, codebook).items() if column in table else ():
            for row, value in table[column].items():
                if (value or rule == "blank") and not passes(value):
                    yield column, what_it_is(value) if rule == "no_number" else rule, value, row


def _key_problems(name, table, columns, codebook):
    entry = codebook["sheets"][name.rpartition("/")[2]]
    key = entry["key"]
    for row in table[table.duplicated(key)].itertuples():
        value = "|".join(getattr(row, column) for column in key)
        yield problem(
            name,
            row.Index,
            ", ".join(key),
            value,
            "duplicate_key",
            "error",
            "this is there already: keep one of the rows",
        )
    for column, spec in columns.items():
        if "codes_by" in spec:
            allowed = table[spec["codes_by"]].map(lambda code: codebook["codes"].get(code, {}))
            wrong = [value not in codes for value, codes in zip(table[column], allowed, strict=True)]
            for row, value in table.loc[wrong, column].items():
                yield problem(
                    name,
                    row,
                    column,
                    value,
                    "unknown_code",
                    "error",
                    f"use a code that its {spec['codes_by']} has in the codebook",
                )


def cell_rules(entry: dict, codebook: dict) -> dict[str, Callable[[str], bool]]:
    """Each rule's name and what a cell must pass, for one entry of the codebook; blanks are asked by `blank` alone."""
    rules: dict[str, Callable[[str], bool]] = {}
    kind = entry["kind"]
    if kind in ("number", "integer", "percent", "year"):
        rules["no_number"] = lambda text: bool(NUMBER.fullmatch(text))
        if kind in ("integer", "year"):
            rules["not_whole"] = lambda text: as_number(text) is None or as_number(text).is_integer()
        rules["out_of_range"] = partial(_in_range, *limits(entry))
    if kind == "text":
        rules["date_in_cell"] = lambda text: not RANGE_AS_DATE.fullmatch(text)
    if kind == "code" and "codes" in entry:
        codes, also = set(codebook["codes"][entry["codes"]]), set(entry.get("also", []))
        rules["unknown_code"] = lambda text: text in codes | also
        rules["tolerated_code"] = lambda text: text not in also
    if kind in PATTERNS:
        pattern, rule, _ = PATTERNS[kind]
        rules[rule] = lambda text: bool(pattern.fullmatch(text))
    if "pattern" in entry:
        rules["pattern"] = lambda text: bool(re.fullmatch(entry["pattern"], text))
    if entry.get("required"):
        rules["blank"] = bool
    return rules


def as_number(text):
    return float(text) if NUMBER.fullmatch(text) else None


def what_it_is(text: str) -> str:
    """The rule for a cell that is no number: the first of NOT_NUMBERS that it looks like."""
    return next(rule for rule, (look, _) in NOT_NUMBERS.items() if look.fullmatch(text))


def _in_range(low, high, above, text):
    value = as_number(text)
    return value is None or (low <= value <= high and value > above)


def limits(entry: dict) -> tuple[float, float, float]:
    """(min, max, above): a figure must be at least min, at most max, and greater than above."""
    default = {"percent": (0, 100), "year": (1900, 2099)}.get(entry["kind"], (-np.inf, np.inf))
    return entry.get("min", default[0]), entry.get("max", default[1]), entry.get("above", -np.inf)


def remedy_for(rule: str, value: str, entry: dict, codebook: dict) -> tuple[str, str]:
    """(severity, remedy) of a failed cell check."""
    if rule in NOT_NUMBERS:
        return "warning" if entry["kind"] == "text" else "error", NOT_NUMBERS[rule][1]
    if rule == "unknown_code":
        codes = list(codebook["codes"][entry["codes"]])
        guess = difflib.get_close_matches(value.lower(), codes, 1, 0.6)
        return "error", f"use one of {', '.join(codes)}" + (f"; {guess[0]} may be meant" if guess else "")
    if rule == "out_of_range":
        low, high, above = limits(entry)
        bounds = [
            f"above {above:g}" if above > -np.inf else "",
            f"at least {low:g}" if low > -np.inf else "",
            f"at most {high:g}" if high < np.inf else "",
        ]
        return "error", f"check it at the source: it must be {' and '.join(b for b in bounds if b)}"
    fixed = {
        "not_whole": ("error", "this counts people or years: write a whole number"),
        "tolerated_code": ("warning", "leave the cell blank: the codebook has no such code in this column"),
        "pattern": ("error", f"write it as the codebook says: {entry.get('pattern')}"),
        "blank": ("error", "fill it in: the codebook requires it"),
    }
    return fixed.get(rule) or ("warning", PATTERNS[entry["kind"]][2])
