"""BibTeX exports. Only the fields that make a record are decoded: lists of references would take most of the time."""

import re
from collections.abc import Iterator

import bibtexparser
from bibtexparser import middlewares, model
from bibtexparser.middlewares.names import parse_single_name_into_parts, split_multiple_persons_names

from peersupport.search.databases import database_name
from peersupport.search.record import doi_of, pmid_of, record

FIELDS = """author editor title booktitle journal journaltitle year date doi url note annote pmid pubmedid database
source abstract eprint eprinttype uniqueid unique-id researcherid howpublished""".split()
CODED = re.compile(r"[\\$~]|--|``|''")  # what LaTeX reads otherwise than as written


def read_bib(text: str, note) -> Iterator[tuple[int, dict]]:
    blocks = bibtexparser.parse_string(text, parse_stack=[]).blocks
    records = [block for block in blocks if isinstance(block, model.Entry | model.ParsingFailedBlock)]
    if not records:
        note("unreadable_file", value=text.strip()[:60])
    strings = [block for block in blocks if isinstance(block, model.String)]
    entries = _decoded_entries(records, strings)
    for row, block in enumerate(records, start=1):
        if row in entries:
            yield row, _record(entries[row])
        else:
            note("unreadable_record", row, value=(block.raw or "")[:60])


def _decoded_entries(records, strings):
    """Fields as plain text by number of the record; a citation key used twice is no fault."""
    entries = []
    for row, block in enumerate(records, start=1):
        entry = getattr(block, "ignore_error_block", block)
        if isinstance(entry, model.Entry):
            entry.key = f"{row}"
            entry.fields = [field for field in entry.fields if field.key.lower() in FIELDS]
            entries.append(entry)
    library = bibtexparser.Library([*strings, *entries])
    for change in (
        middlewares.NormalizeFieldKeys(),
        middlewares.ResolveStringReferencesMiddleware(),
        middlewares.RemoveEnclosingMiddleware(),
    ):
        library = change.transform(library)
    plain = {entry.key: {field.key: str(field.value) for field in entry.fields} for entry in library.entries}
    for entry in library.entries:
        entry.fields = [
            field for field in entry.fields if field.key not in ("doi", "url") and CODED.search(field.value)
        ]
    library = middlewares.LatexDecodingMiddleware(keep_braced_groups=True).transform(library)
    decoded = {entry.key: {field.key: str(field.value) for field in entry.fields} for entry in library.entries}
    return {int(key): fields | decoded[key] for key, fields in plain.items()}


def _record(found):
    names = split_multiple_persons_names(found.get("author") or found.get("editor", ""))
    number = found.get("unique-id") or found.get("uniqueid", "")
    notes = [found[name] for name in ("note", "annote") if name in found]
    links = [found[name] for name in ("url", "howpublished") if name in found]
    pubmed = [found.get("eprint", "")] if found.get("eprinttype", "").lower() in ("pmid", "pubmed") else []
    return record(
        title=re.sub("[{}]", "", found.get("title", "")),
        authors=[_last_first(name) for name in names],
        year=found.get("year") or found.get("date", ""),
        doi=doi_of([found.get("doi", "")], links, notes),
        pmid=pmid_of([found.get("pmid", ""), found.get("pubmedid", ""), *pubmed], links, notes),
        database=database_name(
            found.get("database") or _database(found.get("source", "")), "", number, " ".join(links)
        ),
        journal=re.sub("[{}]", "", found.get("journal") or found.get("journaltitle") or found.get("booktitle", "")),
        abstract=re.sub("[{}]", "", found.get("abstract", "")),
    )


def _database(source):
    """`source` is Scopus' own field, but elsewhere it may hold anything."""
    return source if source.lower() in ("scopus", "pubmed", "web of science", "embase") else ""


def _last_first(name):
    """ "Hugo von Erfunden" and "von Erfunden, Hugo" are both "von Erfunden, Hugo"."""
    parts = parse_single_name_into_parts(name, strict=False)
    last, first = " ".join(parts.von + parts.last), " ".join(parts.first)
    return re.sub("[{}]", "", f"{last}, {first}" if first else last)
