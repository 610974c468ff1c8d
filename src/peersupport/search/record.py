"""A record of a search: its columns, and how one is made from what an export says in its own fields."""

import re

from peersupport.search.identity import bare_pmid, clean_title, doi_in, dois_in, pmid_in, surname

IDENTITY = ["file", "database", "title", "first_author", "year", "doi", "pmid"]
DETAILS = ["authors", "journal", "abstract"]  # to be screened by, and often not free to be passed on
COLUMNS = [*IDENTITY, "search", *DETAILS]
REFERENCES = re.compile(r"^\s*(?:cited )?references?\b", re.I)


def record(
    title: str = "",
    authors: list[str] | tuple = (),
    year: str = "",
    doi: str = "",
    pmid: str = "",
    database: str = "",
    journal: str = "",
    abstract: str = "",
) -> dict[str, str]:
    """One record as text; doi and pmid as `doi_of` and `pmid_of` found them."""
    named = [" ".join(author.split()) for author in authors if author.strip()]
    return {
        "database": database,
        "title": clean_title(title),
        "first_author": surname(named[0]) if named else "",
        "year": _first(r"(?<!\d)(?:1[6-9]|20|21)\d{2}(?!\d)", year) or _first(r"\d{4}", year),
        "doi": doi,
        "pmid": pmid,
        "authors": "; ".join(named),
        "journal": " ".join(journal.split()),
        "abstract": " ".join(abstract.split()),
    }


def doi_of(fields: list[str], links: list[str], notes: list[str]) -> str:
    """The DOI of a record: of a field made for it, else of a link (doi.org first), else of notes that name one alone.

    A list of references names other works' DOIs and is passed over.
    """
    links = sorted(links, key=lambda link: "doi.org/" not in link)
    for text in (*fields, *links):
        if doi := doi_in(text):
            return doi
    in_notes = {doi for note in notes if not REFERENCES.match(note) for doi in dois_in(note)}
    return in_notes.pop() if len(in_notes) == 1 else ""


def pmid_of(bare: list[str], labelled: list[str], notes: list[str]) -> str:
    """The PMID of a record: of a field known to hold it, else of texts that name it; of notes, where they name one.

    bare: fields that hold nothing but a PMID; labelled: fields that may hold another number, links; notes: prose.
    """
    own = [note for note in notes if not REFERENCES.match(note)]
    found = [*map(bare_pmid, bare), *map(pmid_in, [*bare, *labelled]), pmid_in(" ".join(own))]
    return next(filter(None, found), "")


def _first(pattern, text):
    found = re.search(pattern, text)
    return found.group() if found else ""
