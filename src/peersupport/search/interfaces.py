"""The strategy written for each interface, line by line, by that interface's own rules.

Rules: pubmed.ncbi.nlm.nih.gov/help (field tags, truncation within quotes, `:~n`, no truncation beside it); Ovid's and
EBSCOhost's help on adjN and Nn; Scopus' on W/n; Web of Science's on NEAR/n; the Cochrane Library's on NEXT, since its
quotes take no truncation. Ovid's adjN and Cochrane's NEAR/n count one more than the words between.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from peersupport.search.query import Heading, Phrase, SearchError
from peersupport.search.strategy import Concept, Strategy

LINES = ["interface", "line", "what", "string"]


@dataclass(frozen=True)
class Interface:
    """How one interface writes a search; `longest` is the number of characters that it takes in one line."""

    label: str
    vocabulary: str
    phrase: Callable[[Phrase], str]
    near: Callable[[str, str, int], str]
    field: Callable[[str], str]
    heading: Callable[[Heading], str]
    line: str  # how a line is referred to
    years: Callable[[int, int, str], str]  # first, last, reference to the line that is limited
    longest: int
    lower: bool = False  # operators in small letters
    pairs_only: bool = False  # words near one another stand as single pairs


def _quoted(term):
    return f'"{term}"' if len(term.words) > 1 else str(term)


def _next(term):
    if any("*" in word for word in term.words) and len(term.words) > 1:
        return f"({' NEXT '.join(term.words)})"
    return _quoted(term)


INTERFACES = {
    "pubmed": Interface(
        "PubMed",
        "mesh",
        phrase=lambda term: f"{_quoted(term)}[tiab]",
        near=lambda left, right, n: f'"{left} {right}"[tiab:~{n}]',
        field=lambda inside: inside,
        heading=lambda heading: f'"{heading.name}"[mh]',
        line="#{}",
        years=lambda first, last, line: f"{line} AND {first}:{last}[dp]",
        longest=20_000,
        pairs_only=True,
    ),
    "psycinfo_ovid": Interface(
        "PsycINFO (Ovid)",
        "apa",
        phrase=str,
        near=lambda left, right, n: f"({left} adj{n + 1} {right})",
        field=lambda inside: f"({inside}).ti,ab,id.",
        heading=lambda heading: f"exp {heading.name}/",
        line="{}",
        years=lambda first, last, line: f'limit {line} to yr="{first}-{last}"',
        longest=8_000,
        lower=True,
    ),
    "psycinfo_ebsco": Interface(
        "PsycINFO (EBSCOhost)",
        "apa",
        phrase=_quoted,
        near=lambda left, right, n: f"({left} N{n} {right})",
        field=lambda inside: f"TI ({inside}) OR AB ({inside}) OR KW ({inside})",
        heading=lambda heading: f'DE "{heading.name}"',
        line="S{}",
        years=lambda first, last, line: f"{line} AND PY {first}-{last}",
        longest=8_000,
    ),
    "scopus": Interface(
        "Scopus",
        "",
        phrase=_quoted,
        near=lambda left, right, n: f"({left} W/{n} {right})",
        field=lambda inside: f"TITLE-ABS-KEY({inside})",
        heading=lambda heading: "",
        line="#{}",
        years=lambda first, last, line: f"{line} AND PUBYEAR > {first - 1} AND PUBYEAR < {last + 1}",
        longest=8_000,
    ),
    "web_of_science": Interface(
        "Web of Science",
        "",
        phrase=_quoted,
        near=lambda left, right, n: f"({left} NEAR/{n} {right})",
        field=lambda inside: f"TS=({inside})",
        heading=lambda heading: "",
        line="#{}",
        years=lambda first, last, line: f"{line} AND PY={first}-{last}",
        longest=8_000,
    ),
    "cochrane": Interface(
        "Cochrane Library",
        "mesh",
        phrase=_next,
        near=lambda left, right, n: f"({left} NEAR/{n + 1} {right})",
        field=lambda inside: f"({inside}):ti,ab,kw",
        heading=lambda heading: f'[mh "{heading.name}"]',
        line="#{}",
        years=lambda first, last, line: f"{line} with Publication Year from {first} to {last}, in Trials",
        longest=7_000,
    ),
}


def strings(strategy: Strategy) -> pd.DataFrame:
    """LINES for every interface: headings and free terms of each concept, their union, the combination, the limit.

    Raises SearchError where a line is longer than its interface takes.
    """
    rows = [row for name in INTERFACES for row in _lines(strategy, name)]
    table = pd.DataFrame(rows, columns=LINES)
    for row in table.itertuples():
        way = INTERFACES[row.interface]
        if len(row.string) > way.longest:
            raise SearchError(
                f"Line {row.line} of the search for {way.label} has {len(row.string):,} characters, and it takes "
                f"{way.longest:,}: part the concept in strategy.yml in two."
            )
    return table


def _lines(strategy, name):
    way, rows, at = INTERFACES[name], [], {}

    def add(what, string):
        rows.append((name, len(rows) + 1, what, string))
        return way.line.format(len(rows))

    for concept in strategy.concepts.values():
        parts = []
        headings = concept.headings.get(way.vocabulary, ())
        if headings:
            parts.append(add(f"{concept.label}: headings", _or(way).join(map(way.heading, headings))))
        parts.append(add(f"{concept.label}: title, abstract, keywords", free_terms(concept, way)))
        at[concept.name] = parts[0] if len(parts) == 1 else add(concept.label, _or(way).join(parts))
    whole = add("All concepts combined", _combined(strategy.combine, at, way))
    add("Limited to years", way.years(*strategy.years, whole))
    return rows


def free_terms(concept: Concept, way: Interface) -> str:
    """The words and phrases of a concept in the fields of title, abstract and keywords."""
    said = []
    for term in concept.terms:
        if isinstance(term, Phrase):
            said.append(way.phrase(term))
        elif way.pairs_only:
            said += [way.near(str(pair.left[0]), str(pair.right[0]), pair.between) for pair in term.pairs()]
        else:
            left, right = (f"({_or(way).join(map(str, side))})" for side in (term.left, term.right))
            said.append(way.near(left, right, term.between))
    return way.field(_or(way).join(said))


def _or(way):
    return " or " if way.lower else " OR "


def _combined(node, at, way, outer=True):
    if isinstance(node, str):
        return at[node]
    operator = node.operator.lower() if way.lower else node.operator
    inside = f" {operator} ".join(_combined(part, at, way, outer=False) for part in node.parts)
    return inside if outer else f"({inside})"


def pasted(lines: pd.DataFrame) -> dict[str, str]:
    """By interface the lines as they are pasted one after the other, numbered; from `strings`."""
    texts = {}
    for name, part in lines.groupby("interface", sort=False):
        said = [f"{INTERFACES[name].label}", ""]
        said += [f"{INTERFACES[name].line.format(row.line)}\t{row.string}" for row in part.itertuples()]
        texts[name] = "\n".join(said) + "\n"
    return texts
