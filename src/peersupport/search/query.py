"""A search as a tree of terms: what it finds in a text, and which terms it holds.

Words are compared in lower case without accents; a hyphen parts two words, as the databases index them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from peersupport.search.identity import plain


class SearchError(ValueError):
    """A strategy or a search string that no database would take as it is meant; the message is one sentence."""


@dataclass(frozen=True)
class Phrase:
    """Words that follow one another; `*` at a word's end stands for any ending."""

    words: tuple[str, ...]

    def __str__(self):
        return " ".join(self.words)


@dataclass(frozen=True)
class Near:
    """One of some words with at most `between` words between it and one of others, in either order."""

    left: tuple[Phrase, ...]
    right: tuple[Phrase, ...]
    between: int

    def pairs(self) -> list["Near"]:
        """The same as pairs of one word and another."""
        return [Near((left,), (right,), self.between) for left in self.left for right in self.right]

    def __str__(self):
        left, right = (" or ".join(map(str, side)) for side in (self.left, self.right))
        return f"{left} within {self.between} of {right}"


@dataclass(frozen=True)
class Heading:
    """A subject heading with those below it; a title alone cannot show it."""

    name: str

    def __str__(self):
        return f"heading {self.name}"


@dataclass(frozen=True)
class Years:
    """A limit to years of publication, both included."""

    first: int
    last: int


@dataclass(frozen=True)
class Tree:
    """`OR`, `AND` or `NOT` of its parts; NOT takes the second from the first."""

    operator: str
    parts: tuple


Node = Phrase | Near | Heading | Years | Tree


def phrase(text: str) -> Phrase:
    return Phrase(tuple(re.findall(r"\w+\*?", plain(text))))


def leaves(node: Node) -> Iterator[Phrase | Near | Heading | Years]:
    """Every term, in order; words near one another as pairs."""
    if isinstance(node, Tree):
        for part in node.parts:
            yield from leaves(part)
    elif isinstance(node, Near):
        yield from node.pairs()
    else:
        yield node


def alike(one: Node, other: Node) -> bool:
    """Whether two searches are the same, whatever the order of parts and how words near one another are grouped."""
    return _normal(one) == _normal(other)


def _normal(node):
    if isinstance(node, Near):
        return node if len(node.pairs()) == 1 else _normal(Tree("OR", tuple(node.pairs())))
    if not isinstance(node, Tree):
        return node
    parts = [_normal(part) for part in node.parts]
    if node.operator == "NOT":
        return "NOT", tuple(parts)
    flat = {p for part in parts for p in (part[1] if isinstance(part, tuple) and part[0] == node.operator else [part])}
    return flat.pop() if len(flat) == 1 else (node.operator, frozenset(flat))


def words_of(text: str) -> str:
    """A text as `matches` reads it: its words with a blank before, between and after."""
    return " " + " ".join(re.findall(r"\w+", plain(text or ""))) + " "


def pattern(term: Phrase | Near) -> str:
    """Regular expression of a term in a text of `words_of`."""
    if isinstance(term, Phrase):
        return " " + " ".join(word.replace("*", r"\w*") for word in term.words) + "(?= )"
    left, right = ("(?:" + "|".join(pattern(word)[1:] for word in side) + ")" for side in (term.left, term.right))
    gap = rf"(?: \w+){{0,{term.between}}} "
    return f" (?:{left}{gap}{right}|{right}{gap}{left})"


def matches(node: Node, texts: list[str], years: np.ndarray) -> np.ndarray:
    """For each text (of `words_of`) whether the search finds it; years: of publication, NaN where unknown (passes).

    A heading finds nothing here: no text holds what an indexer added.
    """
    if isinstance(node, Years):
        return ~((years < node.first) | (years > node.last))
    if isinstance(node, Tree):
        if node.operator != "OR":
            found = [matches(part, texts, years) for part in node.parts]
            return np.logical_and.reduce(found) if node.operator == "AND" else found[0] & ~found[1]
        terms = [part for part in node.parts if isinstance(part, Phrase | Near)]
        others = [matches(part, texts, years) for part in node.parts if not isinstance(part, Phrase | Near | Heading)]
        return np.logical_or.reduce([_any(terms, texts), *others])
    return _any([] if isinstance(node, Heading) else [node], texts)


def _any(terms, texts):
    if not terms:
        return np.zeros(len(texts), dtype=bool)
    search = re.compile("|".join(map(pattern, terms))).search
    return np.fromiter((search(text) is not None for text in texts), dtype=bool, count=len(texts))
