"""One raw sheet from the bytes of a .csv or .xlsx file to a table of text, with every oddity of the file named.

The table's index is the row number that a spreadsheet shows (the header is row 1). What can be read without doubt is
read and reported as a warning; what cannot is an error, and the cell keeps the text it had.
"""

import csv
import datetime
import io
import re

import ftfy
import openpyxl
import pandas as pd

from peersupport.store.codebook import codebook
from peersupport.store.project import project_root

Sheets = dict[str, pd.DataFrame]
PROBLEM = ["sheet", "row", "column", "value", "rule", "severity", "remedy"]
ODDITIES = {  # rule: (severity, remedy)
    "empty_file": ("error", "put the sheet back: the file is empty"),
    "header_only": ("error", "put the rows back: the sheet has only a header"),
    "not_text": (
        "error",
        "this is no text file: save it as comma-separated UTF-8, or give a workbook its ending .xlsx",
    ),
    "not_a_workbook": ("error", "this is not an Excel workbook: save it again as .xlsx, or as .csv"),
    "several_sheets": ("error", "keep one sheet in the workbook: it is not clear which one counts"),
    "merged_cells": ("error", "unmerge the cells and fill each one in"),
    "quote_open": (
        "error",
        "a quotation mark is opened in this row and not closed: close it, or write two for one inside a cell",
    ),
    "duplicate_column": ("error", "two columns have this name: keep one"),
    "ragged_row": ("error", "the header has {columns} columns: a comma or a quote is missing or too many"),
    "date_in_cell": ("error", "a spreadsheet turned this into a date: type the printed figure as text"),
    "formula": ("error", "a formula is no record of what was printed: type its value"),
    "markup": ("error", "a page would obey this as markup or as a link: write plain text"),
    "hidden_character": (
        "error",
        "a character that is not seen (control, or direction of writing) is in the text: type it anew",
    ),
    "spreadsheet_error": ("error", "a formula failed here: type what was printed"),
    "lost_character": ("error", "a character was lost when the file was saved: type the text anew"),
    "misdecoded_text": ("error", "the text was decoded wrongly; {meant!r} may be meant"),
    "utf_16": ("warning", "the file is UTF-16, read so; save as UTF-8"),
    "byte_order_mark": ("warning", "the file begins with a byte-order mark, left out; save as UTF-8 without it"),
    "windows_encoding": ("warning", "the file is not UTF-8, read as Windows-1252; save as UTF-8"),
    "delimiter": ("warning", "columns are set apart by {shown}, read so; save as comma-separated"),
    "blank_row": ("warning", "the row is blank, passed over; delete it"),
    "outer_blanks": ("warning", "blanks before or after the text, left out; delete them"),
    "line_break": ("warning", "a line break within the cell, kept: check that no quotation mark is missing"),
}
FORMULA = re.compile(r"=.|[-+@]\s*[A-Za-z(@=+-]|[-+@].*[|!]", re.S)  # what a spreadsheet runs
MARKUP = re.compile(r"<\s*[a-z/!?]|\]\(|\b(javascript|vbscript):|\bdata:\w+/", re.I)
HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FAILED = re.compile(r"#(REF!|N/A|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)")


def read_raw() -> tuple[dict[str, pd.DataFrame], list[dict]]:
    """Every sheet of the codebook as text, by its name without ending, and what is odd about the files."""
    tables, problems = {}, []
    for entry in codebook()["sheets"].values():
        for name in entry["files"]:
            tables[name], odd = _read_sheet(name)
            if entry.get("optional") and [x["rule"] for x in odd] == ["missing_sheet"]:
                tables[name], odd = pd.DataFrame(columns=list(entry["columns"]), dtype="str"), []
            may_be_empty = entry.get("may_be_empty", False)
            problems += [x for x in odd if not (may_be_empty and x["rule"] == "header_only")]
    return tables, problems


def _read_sheet(name):
    paths = [project_root() / f"data/raw/{name}{ending}" for ending in (".csv", ".xlsx")]
    found = [path for path in paths if path.is_file()]
    if len(found) == 1:
        return parse(name, found[0].read_bytes(), xlsx=found[0].suffix == ".xlsx")
    rule, remedy = ("sheet_twice", "keep one of") if found else ("missing_sheet", "put back")
    files = " and ".join(path.relative_to(project_root()).as_posix() for path in found or paths[:1])
    return pd.DataFrame(), [problem(name, "", "", "", rule, "error", f"{remedy} {files}")]


def problem(sheet, row, column, value, rule, severity, remedy) -> dict:
    return dict(zip(PROBLEM, (sheet, row, column, value, rule, severity, remedy), strict=True))


def parse(sheet: str, content: bytes, xlsx: bool = False) -> tuple[pd.DataFrame, list[dict]]:
    """(table, problems) of one file; the table is empty where the file cannot be read at all."""
    problems: list[dict] = []

    def note(rule, row="", column="", value="", **words):
        severity, remedy = ODDITIES[rule]
        problems.append(problem(sheet, row, column, value, rule, severity, remedy.format(**words)))

    rows = _workbook_rows(content, note) if xlsx else _csv_rows(content, note)
    filled = _without_blank_rows(rows, note)
    if not filled:
        if not any(found["severity"] == "error" for found in problems):
            note("empty_file")
        return pd.DataFrame(), problems
    header = _header(*filled[0], note)
    table = pd.DataFrame(_cells(header, filled[1:], note), columns=range(len(header) + 1), dtype="str").set_index(0)
    table.columns, table.index = header, table.index.astype(int)
    table.index.name = "row"
    if table.empty:
        note("header_only")
    return table, problems


# ---------------------------------------------------------------- files to rows of text


def _csv_rows(content, note):
    text = _decode(content, note)
    first_line = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    if delimiter != ",":
        note("delimiter", row=1, shown={";": "semicolons", "\t": "tabs"}[delimiter])
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            rows.append(row)
    except csv.Error:
        note("quote_open", row=len(rows) + 1)
        return []
    return rows


def _decode(content, note):
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        note("utf_16")
        return content.decode("utf-16", errors="replace")
    if content.startswith(b"PK\x03\x04") or b"\x00" in content:
        note("not_text")
        return ""
    if content.startswith(b"\xef\xbb\xbf"):
        note("byte_order_mark")
        content = content[3:]
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        note("windows_encoding")
        return content.decode("cp1252", errors="replace")


def _workbook_rows(content, note):
    try:
        book = openpyxl.load_workbook(io.BytesIO(content))
    except Exception:  # a broken file breaks openpyxl in many ways, and all of them mean this
        note("not_a_workbook")
        return []
    filled = [page for page in book.worksheets if any(map(any, page.iter_rows(values_only=True)))]
    if len(filled) > 1:
        note("several_sheets", value=", ".join(page.title for page in filled))
        return []
    if not filled:
        return []
    for merged in filled[0].merged_cells.ranges:
        note("merged_cells", row=merged.min_row, value=str(merged))
    pages = list(filled[0].iter_rows())
    header = next(row for row in pages if any(cell.value is not None for cell in row))
    return [[_cell_text(cell, head.value, note) for cell, head in zip(row, header, strict=True)] for row in pages]


def _cell_text(cell, column, note):
    value = getattr(cell.value, "text", cell.value)  # of an array formula, what it says
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        note("date_in_cell", cell.row, str(column or ""), str(value))
    if isinstance(value, int | float) and "%" in cell.number_format:
        return f"{value * 100:.15g}%"  # as the spreadsheet shows it
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


# ---------------------------------------------------------------- rows to a table


def _without_blank_rows(rows, note):
    """(row number, cells) of every row that holds something; blank rows between them are named."""
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(map(str.strip, row))]
    if filled:
        numbers = {number for number, _ in filled}
        for number in sorted(set(range(1, max(numbers))) - numbers):
            note("blank_row", number)
    return filled


def _header(number, cells, note):
    header = [_clean(number, cell.strip(), cell, note) for cell in cells]
    while header[-1] == "":
        header.pop()
    for name in sorted({name for name in header if header.count(name) > 1}):
        note("duplicate_column", number, name, name)
    return header


def _cells(header, rows, note):
    """Rows of text with their row number in front, as long as the header."""
    for number, row in rows:
        if len(row) < len(header) or any(cell.strip() for cell in row[len(header) :]):
            note("ragged_row", number, value=f"{len(row)} cells", columns=len(header))
        padded = (row + [""] * len(header))[: len(header)]
        yield [str(number), *(_clean(number, name, cell, note) for name, cell in zip(header, padded, strict=True))]


def _clean(row, column, cell, note):
    text = cell.strip()
    if text != cell:
        note("outer_blanks", row, column, cell)
    if "\n" in text or "\r" in text:
        note("line_break", row, column, text)
    for rule, pattern in (("formula", FORMULA), ("markup", MARKUP), ("hidden_character", HIDDEN)):
        if pattern.match(text) if rule == "formula" else pattern.search(text):
            note(rule, row, column, text)
    if FAILED.fullmatch(text):
        note("spreadsheet_error", row, column, text)
    if "\ufffd" in text:
        note("lost_character", row, column, text)
    elif not text.isascii() and (meant := ftfy.fix_encoding(text)) != text:
        note("misdecoded_text", row, column, text, meant=meant)
    return text
