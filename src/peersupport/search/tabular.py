"""Exports in columns: .csv and tab-separated text of Scopus, PubMed, Web of Science, Dimensions, Lens, Embase, Rayyan,
Zotero, EBSCO, ProQuest, Cochrane, Covidence and ASReview. A column is known by its name, whatever its case and signs.
"""

import csv
import io
import re
import warnings
from collections.abc import Iterator

import pandas as pd

from peersupport.search.databases import DATABASES, database_name
from peersupport.search.record import doi_of, pmid_of, record

NAMES = {  # what a record holds: names of its column, folded, surest first
    "title": ["title", "articletitle", "documenttitle", "ti", "primarytitle", "titles"],
    "authors": ["authors", "author", "authornames", "au", "authorfullnames", "creators", "primaryauthors"],
    "year": ["year", "publicationyear", "pubyear", "py", "publishedyear", "publicationdate", "datepublished", "date"],
    "doi": ["doi", "di", "digitalobjectidentifier"],
    "pmid": ["pmid", "pubmedid", "medlinepmid", "pm"],
    "database": ["database", "db", "databasename"],
    "source": ["source", "librarycatalog", "databaseprovider"],
    "accession": [
        "eid",
        "lensid",
        "publicationid",
        "utuniquewosid",
        "ut",
        "accessionnumber",
        "cochraneid",
        "id",
        "key",
    ],
    "journal": ["journal", "sourcetitle", "journalbook", "journaltitle", "publicationtitle", "pubtitle", "so"],
    "abstract": ["abstract", "abstractnote", "ab", "abstracts"],
    "links": ["link", "url", "urls", "externalurl", "sourceurls", "embaselink", "fulltextlink", "plink", "documenturl"],
    "notes": ["notes", "extra", "note", "customfields"],
}
NEEDED = ("authors", "title", "year")
OWN_COLUMNS = {
    "eid": "Scopus",
    "lensid": "The Lens",
    "embaselink": "Embase",
    "nihmsid": "PubMed",
    "dimensionsurl": "Dimensions",
    "ut": "Web of Science",
    "utuniquewosid": "Web of Science",
}


def read_table_text(text: str, note) -> Iterator[tuple[int, dict]]:
    """The records of a file in columns, each with its number as a spreadsheet shows it."""
    if re.match(r'\W*"?TITLE"?,', text.lstrip("\n"), re.I) and _is_in_rows(text):
        yield from _read_rows(text)
        return
    text, above = _from_header(text)
    header = text.split("\n", 1)[0]
    try:
        table = table_of(text)
    except ValueError as error:
        note("unreadable_file", value=str(error))
        return
    columns = {_name(column): column for column in table}
    known = {what: [columns[name] for name in names if name in columns] for what, names in NAMES.items()}
    missing = [what for what in NEEDED if not known[what]]
    if missing:
        note("missing_columns", 1 + above, ", ".join(missing), header[:60])
    elif table.empty:
        note("header_only")
    else:
        database = _database_of(columns)
        for row, found in zip(table.index + 2 + above, table.to_dict("records"), strict=True):
            yield int(row), _record({w: [found[c] for c in cs] for w, cs in known.items()}, database)


def table_of(text: str) -> pd.DataFrame:
    """A file in columns as text, indexed as a spreadsheet numbers rows, less 2; ValueError where it is none."""
    try:
        return _table(text, max(",;\t", key=text.split("\n", 1)[0].count))
    except pd.errors.ParserWarning as error:
        raise ValueError(str(error)) from None


def _name(column):
    return re.sub(r"[^a-z]", "", str(column).lower())


def _from_header(text):
    """The text from its header on, and how many lines stand above it, as in what Dimensions writes."""
    lines = text.split("\n")
    for i, line in enumerate(lines[:5]):
        if len({_name(cell) for cell in re.split("[,;\t]", line)} & {n for w in NEEDED for n in NAMES[w]}) >= 2:
            return "\n".join(lines[i:]), i
    blank = len(text) - len(text.lstrip("\n"))
    return text.lstrip("\n"), blank


def _table(text, separator):
    """The rows that are not blank; one with more cells than the header is an error, as its cells may have shifted."""
    quoting = (
        csv.QUOTE_NONE
        if separator == "\t" and not re.search(r'(?m)(^|\t)"[^\t\n]*"(\t|$)', text)
        else csv.QUOTE_MINIMAL
    )
    with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            dtype="str",
            keep_default_na=False,
            index_col=False,
            skip_blank_lines=False,
            quoting=quoting,
        ).fillna("")
    return table[table.ne("").any(axis=1)]


def _database_of(columns):
    """What the columns tell: some are one database's own."""
    return next((name for own, name in OWN_COLUMNS.items() if own in columns), "")


def _one(found, what):
    return next((text for text in found[what] if text), "")


def _record(found, database):
    links = [link for link in found["links"] if link]
    source = _one(found, "source")
    spoken = database_name(
        _one(found, "database"),
        source if source.lower() in map(str.lower, DATABASES) else "",
        _one(found, "accession"),
        " ".join(links),
    )
    authors = [name.strip() for name in re.split(r";|\|| and ", _one(found, "authors")) if name.strip()]
    if database == "The Lens":  # given names first
        authors = [f"{last}, {given}".removesuffix(", ") for given, _, last in (n.rpartition(" ") for n in authors)]
    return record(
        title=_one(found, "title"),
        authors=authors,
        year=_one(found, "year"),
        doi=doi_of(found["doi"], links, found["notes"]),
        pmid=pmid_of(found["pmid"], [*found["accession"], *links], found["notes"]),
        database=database or spoken,
        journal=_one(found, "journal"),
        abstract=_one(found, "abstract"),
    )


# ---------------------------------------------------------------- Embase.com: a line per field, a blank line between


def _is_in_rows(text):
    first = next(csv.reader(io.StringIO(text.lstrip("\n"))), [])
    return _name(first[0]) == "title" and not {_name(cell) for cell in first[1:]} & {
        n for w in NEEDED for n in NAMES[w]
    }


def _read_rows(text):
    found: dict[str, list[str]] = {}
    start = 1
    reader = csv.reader(io.StringIO(text))
    for cells in [*reader, []]:
        filled = [cell for cell in cells if cell.strip()]
        if not filled or _name(filled[0]) == "title" and "title" in found:
            if "title" in found:
                yield start, _of_rows(found)
            found = {}
        if filled:
            start = start if found else reader.line_num
            found.setdefault(_name(filled[0]), []).extend(filled[1:])


def _of_rows(found):
    first = {what: [v for name in names for v in found.get(name, [])] for what, names in NAMES.items()}
    return _record(first | {"authors": ["; ".join(first["authors"])], "database": []}, "Embase")
