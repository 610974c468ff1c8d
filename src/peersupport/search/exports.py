"""Exports of database searches: every record as one row, repeated records named, included studies found among them.

Read are PubMed's .nbib, RIS as PsycINFO, Scopus and others write it, Scopus' .csv and BibTeX. Names and titles are
compared with case, accents and punctuation folded, because each database spells them its own way.
"""

import codecs
import html
import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator

import bibtexparser
import nbib
import numpy as np
import pandas as pd
import rispy
from bibtexparser import middlewares, model
from bibtexparser.middlewares.names import parse_single_name_into_parts, split_multiple_persons_names

from peersupport.search.prisma import first_alike, match_studies, normal_doi, normal_title
from peersupport.store.sheets import problem

COLUMNS = ["file", "database", "title", "first_author", "year", "doi", "pmid"]
SCOPUS_COLUMNS = ("Authors", "Title", "Year")
FAULTS = {  # rule: (severity, remedy)
    "unknown_ending": ("error", "export the search as .nbib, .ris, .csv or .bib, or take the file away"),
    "empty_file": ("error", "the file is empty: export the search again, or take the file away"),
    "header_only": ("error", "the file has only a header: export the search again, or take the file away"),
    "not_scopus": ("error", "a .csv is read as Scopus writes it: export with these columns, or as .ris or .nbib"),
    "unreadable_file": ("error", "nothing in it can be read as its ending says: export the search again"),
    "unreadable_record": ("error", "the record is cut off or malformed: export the search again"),
    "windows_encoding": ("warning", "the file is not UTF-8, read as Windows-1252: check names with accents"),
    "no_title": ("warning", "the record has no title: it is counted, but look it up"),
}

Note = Callable[..., None]
Found = Iterator[tuple[int, dict[str, str]]]


def read_exports(files: dict[str, bytes]) -> tuple[pd.DataFrame, list[dict]]:
    """(records, problems) of the files of data/raw/search/, by file name; no record is dropped silently.

    records: one row each, COLUMNS as text (blank = ""), DOI bare and in lower case, first_author the surname; empty
    where there are no files. database is what the record or its format says, else what the file's other records say
    with one voice, else the file's name. problems: as `intake.problem` makes them; row is the record's number in its
    file, in a .csv the spreadsheet's row. A file named README is passed over.
    """
    rows, problems = [], []
    for file, content in files.items():
        found, odd = _read_export(file, content)
        rows += found
        problems += odd
    return pd.DataFrame(rows, columns=COLUMNS, dtype="str"), problems


def deduplicate(records: pd.DataFrame) -> pd.DataFrame:
    """Records with `duplicate` (bool), `duplicate_of` (index of the record kept, the first of its like; else NaN)
    and `matched_by`: the first of doi, pmid and `title, year and first author` on which it agrees with the record
    kept, or, where a third record links the two, with that one; "" for records kept.
    """
    keys = _identities(records)
    kept = first_alike(list(keys.values()))
    direct = [key.ne("") & key.eq(key[kept].array) for key in keys.values()]
    through_third = [key.ne("") & key.duplicated(keep=False) for key in keys.values()]
    duplicate = kept.ne(records.index)
    agreed = np.select([*direct, *through_third], [*keys, *keys], "")
    return records.assign(
        duplicate=duplicate,
        duplicate_of=kept.where(duplicate).astype(float),
        matched_by=pd.Series(agreed, records.index, dtype="str").where(duplicate, ""),
    )


def match(records: pd.DataFrame, studies: pd.DataFrame) -> pd.DataFrame:
    """Records, as `deduplicate` returns them, with `study`: the included study (studies: study, title, doi) whose DOI,
    else whose title, the record or one of its duplicates has; else "".
    """
    found = match_studies(_with_plain_title(records), _with_plain_title(studies))
    kept = records.duplicate_of.fillna(records.index.to_series())
    return records.assign(study=found.where(found.ne("")).groupby(kept).transform("first").fillna(""))


# ---------------------------------------------------------------- files to records


def _read_export(file, content):
    problems: list[dict] = []

    def note(rule, row="", column="", value=""):
        severity, remedy = FAULTS[rule]
        problems.append(problem(f"search/{file}", row, column, value, rule, severity, remedy))

    records = list(_records(file, content, note))
    for row, record in records:
        if not record["title"]:
            known = record["doi"] or record["pmid"] or record["first_author"]
            note("no_title", row, "title", known)
    return _with_database([record for _, record in records], file), problems


def _records(file, content, note) -> Found:
    stem, _, ending = file.lower().rpartition(".")
    if "readme" in (stem, ending):
        return
    if ending not in READERS:
        note("unknown_ending", value=file)
        return
    text = re.sub(r"\r\n?", "\n", _text(content, note))
    if text.strip():
        yield from READERS[ending](text, note)
    else:
        note("empty_file")


def _text(content, note):
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        note("windows_encoding")
        return content.decode("cp1252", errors="replace")


def _with_database(records, file):
    voices = {record["database"] for record in records} - {""}
    default = voices.pop() if len(voices) == 1 else file.rpartition(".")[0]
    return [record | {"file": file, "database": record["database"] or default} for record in records]


def _record(database, title, author, year, doi, pmid):
    return {
        "database": database,
        "title": _title(title),
        "first_author": _surname(author),
        "year": _first(r"\d{4}", year),
        "doi": _first(r"10\.\d{4,9}/[^\s;\]]+", doi).lower(),
        "pmid": _first(r"[1-9]\d*", pmid),
    }


def _first(pattern, text):
    found = re.search(pattern, text)
    return found.group() if found else ""


def _title(text):
    without_tags = re.sub(r"</?[a-zA-Z]+>", "", html.unescape(text))
    return " ".join(without_tags.split()).removesuffix(".")


def _surname(author):
    """ "Smith, John", "Smith J.-P." and "Smith JP; Doe A" are all Smith."""
    words = re.split("[;,]", author)[0].split()
    while len(words) > 1 and words[-1].isupper() and len(re.sub(r"\W", "", words[-1])) <= 3:
        words.pop()
    return " ".join(words)


# ---------------------------------------------------------------- one reader per format


def _read_nbib(text: str, note: Note) -> Found:
    for row, found in _one_by_one(text, "PMID-", nbib.read, note):
        authors = [author["author"] for author in found.get("authors", []) if "author" in author]
        author = next(iter(authors), found.get("corporate_author", ""))
        published = found.get("publication_date", "")
        doi, pmid = found.get("doi", ""), str(found.get("pubmed_id", ""))
        yield row, _record("PubMed", found.get("title", ""), author, published, doi, pmid)


def _read_ris(text: str, note: Note) -> Found:
    for row, found in _one_by_one(text, "TY  -", rispy.loads, note):
        database = _ris_database(found)
        title = found.get("title") or found.get("primary_title", "")
        author = next(iter(found.get("authors") or found.get("first_authors") or [""]))
        year = found.get("year") or found.get("publication_year") or found.get("date", "")
        links = [link for link in found.get("urls", []) if "doi.org/" in link]
        doi = " ".join([found.get("doi", ""), found.get("type_of_work", ""), *links])
        yield row, _record(database, title, author, year, doi, _ris_pmid(found, database))


def _one_by_one(text, start, parse, note):
    """Number and parsed content of each record that begins with `start`, so that one bad record costs one record."""
    parts = re.split(rf"(?m)^(?={start})", text)[1:]
    if not parts:
        note("unreadable_file", value=text.strip()[:60])
    for row, part in enumerate(parts, start=1):
        try:
            yield row, parse(part.strip() + "\n")[0]
        except Exception:  # the parsers document no closed set of errors
            note("unreadable_record", row, value=part[:60].strip())


def _ris_database(found):
    named = found.get("name_of_database", "")
    accession = found.get("accession_number") or found.get("id", "")
    if re.search("psyc-?info|psyh", named, re.I):
        return "PsycINFO"
    if not named and re.fullmatch(r"\d{4}-\d{5}-\d{3}", accession):
        return "PsycINFO"
    known = [name for name in ("Scopus", "PubMed", "MEDLINE") if name.lower() in named.lower()]
    return next(iter(known), named)


def _ris_pmid(found, database):
    """Bare numbers stand for other things in other databases, so they count only where they are known to be PMIDs."""
    custom, accession = found.get("custom2", ""), found.get("accession_number", "")
    labelled = re.search(r"PMID:?\s*(\d+)", f"{custom} {accession}")
    if labelled:
        return labelled.group(1)
    bare = {"Scopus": custom, "PubMed": accession, "MEDLINE": accession}.get(database, "")
    return bare if re.fullmatch(r"\d{1,8}", bare) else ""


def _read_csv(text: str, note: Note) -> Found:
    header = text.lstrip().split("\n", 1)[0]
    try:
        table = _csv_table(text, max(",;\t", key=header.count))
    except (ValueError, pd.errors.ParserWarning) as error:
        note("unreadable_file", value=str(error))
        return
    missing = [name for name in SCOPUS_COLUMNS if name not in table]
    if missing:
        note("not_scopus", 1, ", ".join(missing), header[:60])
    elif table.empty:
        note("header_only")
    else:
        for row, found in zip(table.index + 2, table.to_dict("records"), strict=True):
            yield int(row), _csv_record(found)


def _csv_table(text, separator):
    """The rows that are not blank; one with more cells than the header is an error, as its cells may have shifted."""
    with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
        table = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            dtype="str",
            keep_default_na=False,
            index_col=False,
            skip_blank_lines=False,
        ).fillna("")
    return table[table.ne("").any(axis=1)]


def _csv_record(found):
    database = "Scopus" if found.get("EID") or found.get("Source") == "Scopus" else ""
    doi, pmid = found.get("DOI", ""), found.get("PubMed ID", "")
    return _record(database, found["Title"], found["Authors"], found["Year"], doi, pmid)


def _read_bib(text: str, note: Note) -> Found:
    blocks = bibtexparser.parse_string(text, parse_stack=[]).blocks
    records = [block for block in blocks if isinstance(block, model.Entry | model.ParsingFailedBlock)]
    if not records:
        note("unreadable_file", value=text.strip()[:60])
    strings = [block for block in blocks if isinstance(block, model.String)]
    entries = _decoded_entries(records, strings)
    for row, block in enumerate(records, start=1):
        if row in entries:
            yield row, _bib_record(entries[row])
        else:
            note("unreadable_record", row, value=(block.raw or "")[:60])


def _decoded_entries(records, strings):
    """Fields as plain text by number of the record; a citation key used twice is no fault."""
    entries = []
    for row, block in enumerate(records, start=1):
        entry = getattr(block, "ignore_error_block", block)
        if isinstance(entry, model.Entry):
            entry.key = f"{row}"
            entries.append(entry)
    library = bibtexparser.Library([*strings, *entries])
    for change in (
        middlewares.NormalizeFieldKeys(),
        middlewares.ResolveStringReferencesMiddleware(),
        middlewares.RemoveEnclosingMiddleware(),
        middlewares.LatexDecodingMiddleware(keep_braced_groups=True),
    ):
        library = change.transform(library)
    return {int(entry.key): {field.key: str(field.value) for field in entry.fields} for entry in library.entries}


def _bib_record(found):
    database = "Scopus" if found.get("source") == "Scopus" else ""
    first = next(iter(split_multiple_persons_names(found.get("author", ""))), "")
    name = parse_single_name_into_parts(first, strict=False)
    year = found.get("year") or found.get("date", "")
    return _record(
        database,
        re.sub("[{}]", "", found.get("title", "")),
        re.sub("[{}]", "", " ".join(name.von + name.last)),
        year,
        found.get("doi", ""),
        found.get("pmid", ""),
    )


READERS = {"nbib": _read_nbib, "ris": _read_ris, "csv": _read_csv, "bib": _read_bib}


# ---------------------------------------------------------------- which records are the same


def _identities(records):
    """What two records of one report share, surest first; "" where a record lacks it."""
    parts = [_folded(records.title), records.year, _folded(records.first_author)]
    known = np.logical_and.reduce([part.ne("") for part in parts])
    together = (parts[0] + "|" + parts[1] + "|" + parts[2]).where(known, "")
    return {"doi": normal_doi(records.doi), "pmid": records.pmid, "title, year and first author": together}


def _folded(text):
    return normal_title(text.map(_plain)).str.replace(" ", "")


LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})


def _plain(text):
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _with_plain_title(table):
    return table.assign(title=table.title.fillna("").map(_plain))
