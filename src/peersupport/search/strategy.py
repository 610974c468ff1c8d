"""The strategy of data/raw/search/strategy.yml: concepts, their terms and headings, and how they are combined."""

import re
from dataclasses import dataclass

import yaml

from peersupport.search.query import Heading, Near, Node, Phrase, SearchError, Tree, phrase

FILE = "data/raw/search/strategy.yml"
VOCABULARIES = ("mesh", "apa")
KEYS = {"title", "years", "combine", "concepts"}
CONCEPT_KEYS = {"label", "terms", *VOCABULARIES}
RESERVED = {"and", "or", "not", "near", "next", "adj", "w", "n", "pre"}
STEM = 4  # letters before a truncation sign: fewer, and PubMed refuses it


@dataclass(frozen=True)
class Concept:
    name: str
    label: str
    terms: tuple[Phrase | Near, ...]
    headings: dict[str, tuple[Heading, ...]]  # by vocabulary


@dataclass(frozen=True)
class Strategy:
    title: str
    years: tuple[int, int]
    concepts: dict[str, Concept]
    combine: Tree | str  # a name of a concept, or OR and AND of such


def read_strategy(content: bytes | str) -> Strategy:
    """The strategy of a YAML text; raises SearchError with the place and the remedy."""
    try:
        told = yaml.safe_load(content)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise SearchError(f"{FILE}{'' if line is None else f', line {line + 1}'}: this is no YAML; mend it.") from None
    if not isinstance(told, dict) or set(told) != KEYS:
        raise SearchError(f"{FILE}: it needs {', '.join(sorted(KEYS))} and nothing else at its top.")
    years = told["years"]
    if not (isinstance(years, list) and [type(year) for year in years] == [int, int] and years[0] <= years[1]):
        raise SearchError(f"{FILE}: years must be the first and the last, such as [2020, 2025], not {years!r}.")
    if not isinstance(told["concepts"], dict) or not told["concepts"]:
        raise SearchError(f"{FILE}: concepts must be names with their terms.")
    concepts = {name: _concept(name, entry) for name, entry in told["concepts"].items()}
    combine = read_combination(str(told["combine"]), set(concepts))
    return Strategy(str(told["title"]), tuple(years), concepts, combine)


def _concept(name, entry):
    if not isinstance(entry, dict) or not {"label", "terms"} <= set(entry) <= CONCEPT_KEYS:
        wanted = ", ".join(sorted(CONCEPT_KEYS))
        raise SearchError(f"{FILE}: the concept {name} needs label and terms, and may have {wanted} only.")
    terms = tuple(dict.fromkeys(_term(name, term) for term in entry["terms"] or []))
    headings = {v: tuple(Heading(str(text)) for text in entry.get(v) or []) for v in VOCABULARIES}
    if not terms:
        raise SearchError(f"{FILE}: the concept {name} has no terms.")
    return Concept(name, str(entry["label"]), terms, headings)


def _term(name, term):
    if isinstance(term, dict):
        if set(term) != {"near", "within"} or len(term["near"]) != 2 or not isinstance(term["within"], int):
            raise SearchError(f"{FILE}: in {name}, a term with near needs two lists of words and within, a number.")
        left, right = (tuple(_phrase(name, word, whole=True) for word in side) for side in term["near"])
        return Near(left, right, term["within"])
    return _phrase(name, str(term))


def _phrase(name, text, whole=False):
    """A term that every interface takes: words, a truncation sign at their ends only, no word that is an operator."""

    def refuse(why):
        raise SearchError(f"{FILE}: the term {text!r} of {name} {why}.")

    text = str(text)
    if re.search(r"[^\w\s*'-]", text):
        refuse("holds a sign that no interface takes within a term: write words, and * at a word's end")
    words = phrase(text).words
    if not words:
        refuse("is empty")
    if re.search(r"\*\w|(^|\s)\*", text):
        refuse("has * elsewhere than at a word's end")
    for word in words:
        if word.endswith("*") and (whole or len(word) <= STEM):
            refuse("has * beside near, which PubMed refuses" if whole else f"has * after fewer than {STEM} letters")
        if word in RESERVED:
            refuse(f"holds {word}, which is an operator: leave it out, or write the term otherwise")
    return Phrase(words)


def read_combination(text: str, names: set[str]) -> Tree | str:
    """`a OR (b AND c)` as a tree of names; raises SearchError on a bracket or name too many."""
    tokens = re.findall(r"[()]|[^\s()]+", text)

    def fail(why):
        raise SearchError(f"{FILE}: in combine, {why}: {text}")

    def parts(operator, below):
        found = [below()]
        while tokens and tokens[0] == operator:
            tokens.pop(0)
            found.append(below())
        return found[0] if len(found) == 1 else Tree(operator, tuple(found))

    def one():
        token = tokens.pop(0) if tokens else fail("a name is missing at the end")
        if token == "(":
            inside = parts("OR", lambda: parts("AND", one))
            if not tokens or tokens.pop(0) != ")":
                fail("a bracket is not closed")
            return inside
        if token not in names:
            fail(f"{token} is no concept")
        return token

    tree = parts("OR", lambda: parts("AND", one))
    if tokens:
        fail(f"{tokens[0]} is one too many")
    return tree


def as_query(strategy: Strategy, vocabulary: str = "", left_out: str = "") -> Node:
    """The whole search as one tree; left_out: a concept to do without (a group that loses its only part goes)."""

    def built(node):
        if isinstance(node, str):
            concept = strategy.concepts[node]
            terms = concept.headings.get(vocabulary, ()) + concept.terms
            return None if node == left_out else Tree("OR", terms)
        found = [part for part in map(built, node.parts) if part is not None]
        return Tree(node.operator, tuple(found)) if found else None

    return built(strategy.combine)
