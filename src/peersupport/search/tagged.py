"""Exports in which each line begins with a tag: RIS, PubMed's .nbib, Web of Science's plain text."""

import re
from collections.abc import Iterator

from peersupport.search.databases import database_name
from peersupport.search.record import doi_of, pmid_of, record

NBIB_LINE = re.compile(r"([A-Z][A-Z0-9 ]{3})- (.*)")
WOS_LINE = re.compile(r"([A-Z][A-Z0-9])(?: (.*))?$")
RIS_TYPE = re.compile(r"^\s*TY {1,2}-", re.M)
PREAMBLE = re.compile(r"^Database:\s*(.+)$", re.M)
LINE = re.compile(r"[^\n]+")
HEAD = 60  # characters of a record that are shown where it cannot be read
LINKS = ["L2", "LK", "L1", "UR", "L4"]


def is_nbib(text: str) -> bool:
    return bool(re.search(r"^PMID- ", text, re.M))


def is_ris(text: str) -> bool:
    return bool(RIS_TYPE.search(text) and re.search(r"^\s*ER {1,2}-", text, re.M))


def is_wos(text: str) -> bool:
    return bool(re.search(r"^PT \w", text, re.M) and re.search(r"^ER\s*$", text, re.M))


# ---------------------------------------------------------------- lines to fields


class Fields(dict):
    """Tag to its values, line by line."""

    last = ""

    def add(self, found, line, apart=()):
        """The line's value under its tag; a line without tag goes on with the last value, or is one more in `apart`."""
        if found:
            self.last = found.group(1).strip()
            self.setdefault(self.last, []).append((found.group(2) or "").strip())
        elif line.strip() and self:
            values = self[self.last]
            if self.last in apart:
                values.append(line.strip())
            else:
                values[-1] = f"{values[-1]} {line.strip()}"


def _nbib_parts(text) -> Iterator[tuple[Fields, str, bool]]:
    for part in re.split(r"(?m)^(?=PMID- )", text)[1:]:
        fields = Fields()
        for line in part.split("\n"):
            fields.add(NBIB_LINE.match(line), line)
        yield fields, part, bool(re.match(r"\d+", fields["PMID"][0])) if "PMID" in fields else False


def ris_parts(text) -> Iterator[tuple[Fields, str, bool]]:
    """Fields of each record, its text, and whether it is whole: a type somewhere in it, and an end.

    A record ends at ER, or where a second TY begins; tags before its TY belong to it.
    """
    blanks = " {2}" if re.search(r"^\s*TY  -", text, re.M) else " {1,2}"
    tag = re.compile(rf"\s?([A-Z][A-Z0-9]){blanks}- ?(.*)")
    fields, began = Fields(), 0
    for found_line in LINE.finditer(text):
        line = found_line.group()
        found = tag.match(line)
        if found and found.group(1) == "TY" and "TY" in fields:
            yield fields, text[began : began + HEAD], False
            fields = Fields()
        if found and found.group(1) == "ER":
            yield fields, text[began : began + HEAD], "TY" in fields
            fields = Fields()
        elif found or fields:
            began = began if fields else found_line.start()
            fields.add(found, line)
    if fields:
        yield fields, text[began : began + HEAD], False


def _wos_parts(text) -> Iterator[tuple[Fields, str, bool]]:
    for part in re.split(r"(?m)^(?=PT \w)", text)[1:]:
        fields = Fields()
        for line in part.split("\n"):
            found = WOS_LINE.match(line)
            if found and found.group(1) == "ER":
                break
            fields.add(found, line, apart=("AU", "AF"))
        yield fields, part, bool(re.search(r"^ER\s*$", part, re.M))


def _one(fields, *tags):
    return next((text for tag in tags for text in fields.get(tag, []) if text), "")


def _all(fields, *tags):
    return [text for tag in tags for text in fields.get(tag, []) if text]


# ---------------------------------------------------------------- fields to records


def read_nbib(text: str, note) -> Iterator[tuple[int, dict]]:
    yield from _records(_nbib_parts(text), _of_nbib, text, note)


def read_ris(text: str, note) -> Iterator[tuple[int, dict]]:
    named = PREAMBLE.search(RIS_TYPE.split(text, maxsplit=1)[0])
    preamble = named.group(1).strip() if named else ""
    yield from _records(ris_parts(text), lambda fields: _of_ris(fields, preamble), text, note)


def read_wos(text: str, note) -> Iterator[tuple[int, dict]]:
    yield from _records(_wos_parts(text), _of_wos, text, note)


def _records(parts, of_fields, text, note):
    """Number and content of each record, so that one bad record costs one record."""
    row = 0
    for row, (fields, part, whole) in enumerate(parts, start=1):
        if whole:
            yield row, of_fields(fields)
        else:
            note("unreadable_record", row, value=part[:HEAD].strip())
    if not row:
        note("unreadable_file", value=text.strip()[:HEAD])


def _of_nbib(fields):
    labelled = [text for text in _all(fields, "LID", "AID") if text.endswith("[doi]")]
    return record(
        title=_one(fields, "TI", "BTI"),
        authors=_all(fields, "FAU") or _all(fields, "AU") or _all(fields, "CN", "FED", "ED"),
        year=_one(fields, "DP", "DEP"),
        doi=doi_of(labelled, [], _all(fields, "SO")),
        pmid=re.match(r"0*(\d+)", fields["PMID"][0]).group(1),
        database="PubMed",
        journal=_one(fields, "JT", "TA"),
        abstract=_one(fields, "AB"),
    )


def _of_ris(fields, preamble):
    links = _all(fields, *LINKS, "L3")
    number = _one(fields, "AN", "U2", "ID")
    named = _one(fields, "DB") or preamble
    database = database_name(named, _one(fields, "DP"), number, " ".join(links))
    notes = _all(fields, "N1")
    return record(
        title=_one(fields, "TI", "T1", "CT", "BT"),
        authors=_all(fields, "AU") or _all(fields, "A1") or _all(fields, "A2", "ED"),
        year=_one(fields, "PY", "Y1", "DA"),
        doi=doi_of(_all(fields, "DO", "DI", "M3", "L3"), links, notes),
        pmid=_ris_pmid(fields, named, database, notes),
        database=database,
        journal=_one(fields, "JF", "T2", "JO", "JA", "J2"),
        abstract=_one(fields, "AB", "N2"),
    )


def _ris_pmid(fields, named, database, notes):
    """Bare numbers stand for other things in other databases, so they count only where they are known to be PMIDs."""
    bare = _all(fields, "PM")
    in_pubmed = re.search("medline|pubmed", f"{named} {database}", re.I) and "embase" not in named.lower()
    if database == "Scopus":
        bare += _all(fields, "C2")
    if database == "Embase":
        bare += _all(fields, "C5")
    elif in_pubmed:
        bare += _all(fields, "AN", "ID", "UI")
        notes = [re.sub(r"Accession Number:\s*(?=\d{1,8}\b)", "PMID: ", note) for note in notes]
    return pmid_of(bare, _all(fields, "AN", "C2", "C3", "C5", "M1", "M2", "U1", "U2", *LINKS), notes)


def _of_wos(fields):
    return record(
        title=_one(fields, "TI"),
        authors=_all(fields, "AF") or _all(fields, "AU") or _all(fields, "CA", "BE"),
        year=_one(fields, "PY", "EA"),
        doi=doi_of(_all(fields, "DI", "D2"), [], []),
        pmid=pmid_of(_all(fields, "PM"), _all(fields, "UT"), []),
        database="Web of Science",
        journal=_one(fields, "SO"),
        abstract=_one(fields, "AB"),
    )
