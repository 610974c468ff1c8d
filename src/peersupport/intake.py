"""One raw sheet from the bytes of a .csv or .xlsx file to a table of text, with every oddity of the file named.

The table's index is the row number that a spreadsheet shows (the header is row 1). What can be read without doubt is
read and reported as a warning; what cannot is an error, and the cell keeps the text it had.
"""

import csv
import datetime
import io
from zipfile import BadZipFile

import ftfy
import openpyxl
import pandas as pd

PROBLEM = ["sheet", "row", "column", "value", "rule", "severity", "remedy"]


def problem(sheet, row, column, value, rule, severity, remedy) -> dict:
    return dict(zip(PROBLEM, (sheet, row, column, value, rule, severity, remedy), strict=True))


def parse(sheet: str, content: bytes, xlsx: bool = False) -> tuple[pd.DataFrame, list[dict]]:
    """(table, problems) of one file; the table is empty where the file cannot be read at all."""
    problems: list[dict] = []

    def note(row, column, value, rule, severity, remedy):
        problems.append(problem(sheet, row, column, value, rule, severity, remedy))

    rows = _workbook_rows(content, note) if xlsx else _csv_rows(content, note)
    if not rows:
        if not problems:
            note("", "", "", "empty_file", "error", "put the sheet back: the file is empty")
        return pd.DataFrame(), problems
    header = _header(rows[0], note)
    table = pd.DataFrame(
        _cells(header, rows[1:], note), columns=range(len(header) + 1), dtype="str"
    ).set_index(0)
    table.columns, table.index = header, table.index.astype(int)
    table.index.name = "row"
    if table.empty:
        note("", "", "", "header_only", "error", "put the rows back: the sheet has only a header")
    return table, problems


# ---------------------------------------------------------------- files to rows of text


def _csv_rows(content, note):
    text = _decode(content, note)
    first_line = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first_line.count)
    if delimiter != ",":
        shown = {";": "semicolons", "\t": "tabs"}[delimiter]
        note(1, "", "", "delimiter", "warning", f"columns are set apart by {shown}, read so; save as comma-separated")
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)] if text.strip() else []  # fmt: skip


def _decode(content, note):
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        note("", "", "", "utf_16", "warning", "the file is UTF-16, read so; save as UTF-8")
        return content.decode("utf-16", errors="replace")
    if content.startswith(b"\xef\xbb\xbf"):
        note("", "", "", "byte_order_mark", "warning", "the file begins with a byte-order mark, left out; save as UTF-8 without it")  # fmt: skip
        content = content[3:]
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        note("", "", "", "windows_encoding", "warning", "the file is not UTF-8, read as Windows-1252; save as UTF-8")
        return content.decode("cp1252", errors="replace")


def _workbook_rows(content, note):
    try:
        book = openpyxl.load_workbook(io.BytesIO(content))
    except (BadZipFile, KeyError, ValueError, OSError):
        note("", "", "", "not_a_workbook", "error", "this is not an Excel workbook: save it again as .xlsx, or as .csv")
        return []
    filled = [page for page in book.worksheets if page.max_row > 1 or page["A1"].value is not None]
    if len(filled) > 1:
        names = ", ".join(page.title for page in filled)
        note("", "", names, "several_sheets", "error", "keep one sheet in the workbook: it is not clear which one counts")
        return []
    if not filled:
        return []
    for merged in filled[0].merged_cells.ranges:
        note(merged.min_row, "", str(merged), "merged_cells", "error", "unmerge the cells and fill each one in")
    header = [str(cell.value) for cell in filled[0][1]]
    return [
        [_cell_text(cell, header, note) for cell in row] for row in filled[0].iter_rows()
    ]  # fmt: skip


def _cell_text(cell, header, note):
    value, where = cell.value, (cell.row, header[cell.column - 1])
    if isinstance(value, datetime.date | datetime.time):
        note(*where, str(value), "date_in_cell", "error", "a spreadsheet turned this into a date: type the printed figure as text")
    elif isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)  # fmt: skip


# ---------------------------------------------------------------- rows to a table


def _header(cells, note):
    header = [cell.strip() for cell in cells]
    while header and header[-1] == "":
        header.pop()
    for name in sorted({name for name in header if header.count(name) > 1}):
        note(1, name, name, "duplicate_column", "error", "two columns have this name: keep one")
    return header


def _cells(header, rows, note):
    """Rows of text with their row number in front, as long as the header; blank rows are passed over."""
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            note(number, "", "", "blank_row", "warning", "the row is blank, passed over; delete it")
            continue
        if len(row) < len(header) or any(cell.strip() for cell in row[len(header) :]):
            note(number, "", f"{len(row)} cells", "ragged_row", "error",
                 f"the header has {len(header)} columns: a comma or a quote is missing or too many")  # fmt: skip
        padded = (row + [""] * len(header))[: len(header)]
        yield [str(number), *(_clean(number, name, cell, note) for name, cell in zip(header, padded, strict=True))]  # fmt: skip


def _clean(row, column, cell, note):
    text = cell.strip()
    if text != cell:
        note(row, column, cell, "outer_blanks", "warning", "blanks before or after the text, left out; delete them")
    if len(text) > 1 and text.startswith("="):
        note(row, column, text, "formula", "error", "a formula is no record of what was printed: type its value")
    if not text.isascii() and ("\ufffd" in text or ftfy.fix_encoding(text) != text):
        note(row, column, text, "misdecoded_text", "error",
             f"the text was decoded wrongly; {ftfy.fix_encoding(text)!r} may be meant")
    return text  # fmt: skip
