"""data/raw/codebook.yml: sheets, columns, codes, and all else that is particular to this review.

Its keys are described at the top of the file. Functions of the package take what they need of it as arguments.
"""

import difflib
import re
from collections.abc import Iterator
from functools import cache

import yaml

from peersupport.store.project import project_root

FILE = "data/raw/codebook.yml"
OPTIONAL = {  # key: what stands for it in a review that does not have it
    "second_coder": {},
    "events": {},
    "event_words": {},
    "unions": {},
    "recovery_types": {},
    "fidelity_items": [],
    "reporting_items": {},
    "moderators": {},
    "gaps": {},
    "secondary_mark": "",
    "instruments": {},
    "domain_words": {},
    "counted_the_other_way": "(?!)",
    "remote_delivery": [],
}
REQUIRED = ("codes", "sheets", "arms", "design_families")
KINDS = ("text", "code", "codes", "integer", "number", "percent", "year", "doi", "url", "country")
NUMBERS = ("integer", "number", "percent", "year")
AVOID, WANTED = DIRECTIONS = ("avoid", "wanted")
NO_MODERATORS = {"outcomes": {}, "pages": {}, "groups": {}, "slopes": {}, "joint": []}
DERIVED_GROUPS = {"risk_of_bias": "judgement", "income_group": "", "decade": ""}  # and the list of their codes
DERIVED_SLOPES = ("fidelity_index", "fidelity_index_absent")
TRANSFORMATIONS = ("log2",)


class CodebookError(ValueError):
    """The codebook has mistakes; the message names each, with its key and the remedy."""


@cache
def codebook() -> dict:
    """data/raw/codebook.yml as a mapping, checked, with what is optional filled in; raises CodebookError."""
    return read_codebook((project_root() / FILE).read_text(encoding="utf-8"))


def read_codebook(text: str) -> dict:
    """A codebook from its text; every mistake is named at once in a CodebookError."""
    try:
        book = yaml.load(text, _Strict)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CodebookError(f"{FILE}, line {line}: {error.problem}; mend the line.") from None
    if not isinstance(book, dict):
        raise CodebookError(f"{FILE} is empty or no mapping: put it back, or begin with `codes:`.")
    found = list(_keys(book)) or list(_problems(book | _defaults(book)))
    if found:
        raise CodebookError(f"{len(found)} to mend in {FILE}:\n" + "\n".join(found))
    families = {name: entry["label"] for name, entry in book["design_families"].items()}
    codes = book["codes"] | {"design_family": families | {"nr": "Design not reported"}}
    return book | _defaults(book) | {"codes": codes}


def labels(code_list: str) -> dict[str, str]:
    """Code to label, in the codebook's order: labels("population")["smi"] is "Severe mental illness"."""
    return codebook()["codes"][code_list]


def column_labels(sheet: str, column: str) -> dict[str, str]:
    """Code to label of a column of codes: column_labels("studies", "peer_training") are those of yes_no."""
    return labels(codebook()["sheets"][sheet]["columns"][column]["codes"])


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would keep the last."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f"{name!r} is declared twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _defaults(book: dict) -> dict:
    found = {key: default if book.get(key) is None else book[key] for key, default in OPTIONAL.items()}
    return found | {"moderators": NO_MODERATORS | found["moderators"]}


def _keys(book: dict) -> Iterator[str]:
    known = [*REQUIRED, *OPTIONAL]
    for key in book:
        if key not in known:
            guess = difflib.get_close_matches(str(key), known, 1, 0.6)
            hint = f"{guess[0]!r} may be meant" if guess else f"it is none of {', '.join(known)}"
            yield f"{key}: nothing reads this key; {hint}."
    for key in REQUIRED:
        if not book.get(key):
            yield f"{key}: this key is missing; add it as the comment at the top of the file says."
    for key, default in OPTIONAL.items():
        if book.get(key) is not None and not isinstance(book[key], type(default)):
            yield f"{key}: it must be a {_called(default)}, not {book[key]!r}."
    for key in REQUIRED:
        if book.get(key) and not isinstance(book[key], dict):
            yield f"{key}: it must be a mapping, not {book[key]!r}."


def _called(value) -> str:
    return {dict: "mapping", list: "list", str: "text"}[type(value)]


def _problems(book: dict) -> Iterator[str]:
    checks = (_sheets, _arms, _outcomes, _designs, _items, _moderators, _words)
    for check in checks:
        try:
            yield from check(book)
        except (AttributeError, KeyError, TypeError) as error:
            name = check.__name__.strip("_")
            yield f"{name}: an entry does not have the form that the comment at the top of the file shows ({error!r})."


def _sheets(book) -> Iterator[str]:
    for sheet, entry in book["sheets"].items():
        for name, column in entry["columns"].items():
            here = f"sheets, {sheet}, {name}"
            if column.get("kind") not in KINDS:
                yield f"{here}: kind {column.get('kind')!r} is not known; use one of {', '.join(KINDS)}."
            if "codes" in column and column["codes"] not in book["codes"]:
                yield f"{here}: codes has no list {column['codes']!r}; add the list, or name another."
    for sheet, columns in book["second_coder"].items():
        known = book["sheets"].get(sheet, {"columns": {}})["columns"]
        for name in columns:
            if name not in known:
                yield f"second_coder, {sheet}: the sheet has no column {name!r}; add it to sheets, or take it out."


def _arms(book) -> Iterator[str]:
    for arm in ("arm1", "arm2"):
        for word in ("name", "short"):
            text = book["arms"].get(arm, {}).get(word)
            if not isinstance(text, str) or not text.strip():
                yield f"arms, {arm}: {word!r} is missing; say what the arm is called, as in {{name: x, short: x}}."


def _outcomes(book) -> Iterator[str]:
    domains = book["codes"].get("outcome_domain", {})
    types = book["codes"].get("recovery_type", {})
    for domain, direction in book["events"].items():
        yield from _known("events", [domain], domains, "codes, outcome_domain")
        if direction not in DIRECTIONS:
            yield f"events, {domain}: {direction!r} is no direction; say avoid or wanted."
    for name, union in book["unions"].items():
        here = f"unions, {name}"
        yield from _known(here, union["domains"], domains, "codes, outcome_domain")
        if not union.get("label"):
            yield f"{here}: it has no label; say what it is called."
        if name in domains or name in types:
            yield f"{here}: an outcome domain or a recovery type has this name; choose another."
        if len(set(union["domains"])) < 2:
            yield f"{here}: a union joins two domains or more; add one, or take the union out."
        of_events = [domain in book["events"] for domain in union["domains"]]
        if any(of_events) and not all(of_events):
            yield f"{here}: events and scales cannot be pooled together; keep one kind."
        if all(of_events) and union.get("events") not in DIRECTIONS:
            yield f"{here}: events {union.get('events')!r}; say which are pooled here, avoid or wanted."
    placed: dict[str, str] = {}
    for kind, members in book["recovery_types"].items():
        here = f"recovery_types, {kind}"
        yield from _known("recovery_types", [kind], types, "codes, recovery_type")
        yield from _known(here, members, domains, "codes, outcome_domain")
        for domain in members:
            if placed.setdefault(domain, kind) != kind:
                yield f"{here}: {domain!r} is in {placed[domain]} as well; keep it in one."


def _known(here, names, known, where) -> Iterator[str]:
    for name in names:
        if name not in known:
            guess = difflib.get_close_matches(str(name), list(known), 1, 0.6)
            hint = f"; {guess[0]!r} may be meant" if guess else ""
            yield f"{here}: {name!r} is not declared in {where}{hint}."


def _designs(book) -> Iterator[str]:
    designs, placed = book["codes"].get("design", {}), {}
    if "randomised" not in book["design_families"]:
        yield "design_families: the family 'randomised' is missing; list the randomised designs there."
    for family, entry in book["design_families"].items():
        here = f"design_families, {family}"
        yield from _known(here, entry["designs"], designs, "codes, design")
        if not entry.get("label"):
            yield f"{here}: it has no label; say what it is called."
        for design in entry["designs"]:
            if placed.setdefault(design, family) != family:
                yield f"{here}: {design!r} is in {placed[design]} as well; keep it in one."
    for design in designs:
        if design not in placed:
            yield f"design_families: no family has the design {design!r}; put it into one."


def _items(book) -> Iterator[str]:
    columns = book["sheets"].get("studies", {"columns": {}})["columns"]
    for key in ("fidelity_items", "reporting_items"):
        for name in book[key]:
            if columns.get(name, {}).get("codes") != "yes_no":
                yield f"{key}: the studies sheet has no yes/no column {name!r}; add it there, or take it out."
    deliveries = _codes_of("modality", columns, book)
    yield from _known("remote_delivery", book["remote_delivery"], deliveries, "the codes of modality")
    for name in book["fidelity_items"]:
        if name not in book["reporting_items"]:
            yield f"fidelity_items: reporting_items has no label for {name!r}; add it there."


def _moderators(book) -> Iterator[str]:
    table, columns = book["moderators"], book["sheets"].get("studies", {"columns": {}})["columns"]
    for part in table:
        if part not in NO_MODERATORS:
            yield f"moderators: nothing reads {part!r}; use {', '.join(NO_MODERATORS)}."
    outcomes = {"all_recovery", *book["recovery_types"], *book["codes"].get("outcome_domain", {})}
    yield from _known("moderators, outcomes", table["outcomes"], outcomes, "recovery_types or codes, outcome_domain")
    for name, entry in table["groups"].items():
        here, column = f"moderators, groups, {name}", entry.get("column", name)
        if not entry.get("label"):
            yield f"{here}: it has no label; say what it is called."
        if entry.get("page") not in table["pages"]:
            yield f"{here}: page {entry.get('page')!r} is not among pages; name one of them."
        if column not in DERIVED_GROUPS and columns.get(column, {}).get("kind") != "code":
            yield f"{here}: the studies sheet has no column of codes {column!r}; name one with `column`."
        for join in entry.get("join", {}).values():
            yield from _known(here, join["codes"], _codes_of(column, columns, book), f"the codes of {column}")
    for name, entry in table["slopes"].items():
        yield from _slope(name, entry, columns, book)
    yield from _known("moderators, joint", table["joint"], table["slopes"], "moderators, slopes")


def _slope(name, entry, columns, book) -> Iterator[str]:
    here, column = f"moderators, slopes, {name}", entry.get("column", name)
    for word in ("label", "unit", "axis"):
        if not entry.get(word):
            yield f"{here}: {word!r} is missing; give its label, its unit and the words on its axis."
    if "ones" in entry or "zeros" in entry:
        for side in ("ones", "zeros"):
            codes = entry.get(side, {}).get("codes", [])
            yield from _known(f"{here}, {side}", codes, _codes_of(column, columns, book), f"the codes of {column}")
            if not codes:
                yield f"{here}: {side!r} is missing; give the codes that count as one and those that count as zero."
    elif name not in DERIVED_SLOPES and column != "people" and columns.get(column, {}).get("kind") not in NUMBERS:
        yield f"{here}: the studies sheet has no column of numbers {column!r}; name one with `column`."
    if not isinstance(entry.get("per", 1), int | float) or entry.get("per", 1) <= 0:
        yield f"{here}: per {entry['per']!r} is no number above 0."
    if entry.get("transformation", "log2") not in TRANSFORMATIONS:
        yield f"{here}: transformation {entry['transformation']!r} is not known; use {', '.join(TRANSFORMATIONS)}."


def _codes_of(column, columns, book) -> dict:
    return book["codes"].get(DERIVED_GROUPS.get(column) or columns.get(column, {}).get("codes", ""), {})


def _words(book) -> Iterator[str]:
    for words, domains in book["domain_words"].items():
        yield from _pattern("domain_words", words)
        yield from _known(f"domain_words, {words}", domains, book["codes"]["outcome_domain"], "codes, outcome_domain")
    yield from _pattern("counted_the_other_way", book["counted_the_other_way"])


def _pattern(here, words) -> Iterator[str]:
    try:
        re.compile(words)
    except re.error as error:
        yield f"{here}: {words!r} is no regular expression ({error}); mend it."
