"""Exports of database searches: every record as one row, and every oddity of a file named.

Read are RIS as every interface writes it, PubMed's .nbib, files in columns (.csv, tab-separated), BibTeX and Web of
Science's plain text. What a .txt holds is told from its first lines.
"""

import codecs
import re
from collections.abc import Callable

import pandas as pd

from peersupport.search.bibtex import read_bib
from peersupport.search.databases import one_voice
from peersupport.search.record import COLUMNS
from peersupport.search.tabular import read_table_text
from peersupport.search.tagged import is_nbib, is_ris, is_wos, read_nbib, read_ris, read_wos
from peersupport.store.sheets import problem

FAULTS = {  # rule: (severity, remedy)
    "unknown_ending": (
        "error",
        "export the search as .nbib, .ris, .csv or .bib (.txt, .tsv and .ciw are read too), or take the file away",
    ),
    "empty_file": ("error", "the file is empty: export the search again, or take the file away"),
    "header_only": ("error", "the file has only a header: export the search again, or take the file away"),
    "missing_columns": (
        "error",
        "a file in columns needs title, authors and year: export with them, or as .ris or .nbib",
    ),
    "unreadable_file": ("error", "nothing in it can be read as its ending says: export the search again"),
    "unreadable_record": ("error", "the record is cut off or malformed: export the search again"),
    "windows_encoding": ("warning", "the file is not UTF-8, read as Windows-1252: check names with accents"),
    "no_title": ("warning", "the record has no title: it is counted, but look it up"),
}
READERS = {"nbib": read_nbib, "ris": read_ris, "csv": read_table_text, "tsv": read_table_text, "bib": read_bib}
TOLD_BY_CONTENT = ("txt", "ciw", "ris", "nbib")
SHEETS = ("strategy.yml", "hits.csv")  # what lies beside the exports and is none

Note = Callable[..., None]


def read_exports(files: dict[str, bytes]) -> tuple[pd.DataFrame, list[dict]]:
    """(records, problems) of the files of data/raw/search/, by path within it; no record is dropped silently.

    records: one row each, COLUMNS as text (blank = ""), DOI bare and in lower case, first_author the surname; empty
    where there are no files. database is what the record or its format says, else what the file's other records say
    with one voice, else the file's name; search is the folder that the file lies in, "" at the top. problems: as
    `store.sheets.problem` makes them; row is the record's number in its file, in columns the spreadsheet's row. A file
    named README, the strategy and its sheet of hits are passed over.
    """
    rows, problems = [], []
    for file, content in files.items():
        found, odd = _read_export(file, content)
        rows += found
        problems += odd
    return pd.DataFrame(rows, columns=COLUMNS, dtype="str"), problems


def _read_export(file, content):
    problems: list[dict] = []

    def note(rule, row="", column="", value=""):
        severity, remedy = FAULTS[rule]
        problems.append(problem(f"search/{file}", row, column, value, rule, severity, remedy))

    records = []
    for row, record in _records(file, content, note):
        if not record["title"]:
            note("no_title", row, "title", record["doi"] or record["pmid"] or record["first_author"])
        records.append(record)
    folder, _, name = file.rpartition("/")
    databases = one_voice([record["database"] for record in records], name.rpartition(".")[0])
    return [
        record | {"file": file, "search": folder, "database": database}
        for record, database in zip(records, databases, strict=True)
    ], problems


def _records(file, content, note):
    name = file.rpartition("/")[2]
    stem, _, ending = name.lower().rpartition(".")
    if "readme" in (stem, ending) or file in SHEETS:
        return
    if ending not in READERS and ending not in TOLD_BY_CONTENT:
        note("unknown_ending", value=name)
        return
    text = _text(content, note)
    text = re.sub(r"\r\n?", "\n", text) if "\r" in text else text
    if text.strip():
        yield from _reader(ending, text)(text, note)
    else:
        note("empty_file")


def _reader(ending, text):
    """By what the text holds where interfaces give one ending to several forms, else by the ending."""
    if ending in TOLD_BY_CONTENT:
        told = ((is_ris, read_ris), (is_nbib, read_nbib), (is_wos, read_wos))
        return next((read for is_so, read in told if is_so(text)), READERS.get(ending, read_table_text))
    return READERS[ending]


def _text(content, note):
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        note("windows_encoding")
        return content.decode("cp1252", errors="replace")
