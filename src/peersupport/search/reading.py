"""Reads search strings back into trees: by the syntax of each interface, without a look at how they were written."""

import re

from peersupport.search.interfaces import INTERFACES
from peersupport.search.query import Heading, Near, Node, Phrase, SearchError, Tree, Years, leaves, phrase

FIELDS = {  # fields of title, abstract and keywords as each interface names them
    "pubmed": {"tiab", "ti", "ab", "tw", "ot", "mh", "mesh", "mesh:noexp", "mh:noexp", "dp", "all"},
    "psycinfo_ovid": {"ti", "ab", "id", "kw", "hw", "sh", "mp", "tw"},
    "psycinfo_ebsco": {"TI", "AB", "KW", "SU", "DE", "MM", "PY", "DT", "TX"},
    "scopus": {"TITLE-ABS-KEY", "TITLE", "ABS", "KEY", "TITLE-ABS", "PUBYEAR", "ALL"},
    "web_of_science": {"TS", "TI", "AB", "AK", "KP", "PY", "ALL"},
    "cochrane": {"ti", "ab", "kw", "mh", "pt", "au"},
}
NEARNESS = {
    "psycinfo_ovid": (r"adj(\d*)", 1),
    "psycinfo_ebsco": (r"[NW](\d+)", 0),
    "scopus": (r"(?:W|PRE)/(\d+)", 0),
    "web_of_science": (r"NEAR(?:/(\d+))?", 0),
    "cochrane": (r"NEAR(?:/(\d+))?", 1),
}
LIMITS = {  # a limit to years, once the line's own search is taken away
    "pubmed": r"(?:(.*?) AND )?(\d{4}):(\d{4})\[dp\]$",
    "psycinfo_ovid": r'limit (\d+) to yr="(\d{4}) ?- ?(\d{4})"$',
    "psycinfo_ebsco": r"(?:(.*?) AND )?PY (\d{4})-(\d{4})$",
    "scopus": r"(?:(.*?) AND )?PUBYEAR > (\d{4}) AND PUBYEAR < (\d{4})$",
    "web_of_science": r"(?:(.*?) AND )?PY=\(?(\d{4})-(\d{4})\)?$",
    "cochrane": r"(.*?) with Publication Year from (\d{4}) to (\d{4})(?:, in \w+)?$",
}
TOKEN = re.compile(
    r"""\s*(?:(?P<heading>exp\s+[^/\n]+/|\[mh\s+\^?"[^"]*"\])
    |(?P<quoted>"[^"]*")(?P<tag>\[[\w:~ ]+\])?
    |(?P<suffix>\.[a-z]{2}(?:,[a-z]{2})*\.|:[a-z]{2}(?:,[a-z]{2})*|\[[\w:~ ]+\])
    |(?P<field>[A-Z][A-Z-]+)(?=\s*[=(]|\s+")=?
    |(?P<mark>[()])
    |(?P<line>\#\d+|\bS\d+\b)
    |(?P<word>[^\s()"\[\]]+?(?=\.[a-z]{2}[,.]|:[a-z]{2}\b|[\s()"\[\]]|$)))""",
    re.X,
)
OPERATORS = {"AND", "OR", "NOT", "NEXT"}


def read_lines(lines: list[str], interface: str) -> Node:
    """The last line as one tree, with the lines it refers to in their places."""
    trees: list[Node] = []
    for number, text in enumerate(lines, start=1):
        trees.append(read_string(text, interface, trees, number))
    return trees[-1]


def read_string(text: str, interface: str, earlier: list[Node] = (), number: int = 1) -> Node:
    """One line as a tree; raises SearchError, with line and remedy, on what the interface would not take."""
    limit = re.match(LIMITS[interface], text.strip())
    if not limit:
        return Reader(text, interface, earlier, number).whole()
    rest, first, last = limit.groups()
    shift = interface == "scopus"
    years = Years(int(first) + shift, int(last) - shift)
    return Tree("AND", (Reader(rest, interface, earlier, number).whole(), years)) if rest else years


class Reader:
    """A reader of one line, by descent: OR of AND and NOT of words near one another of single terms."""

    def __init__(self, text, interface, earlier, number):
        self.text, self.interface, self.earlier, self.number = text, interface, earlier, number
        self.tokens = list(self._tokens())
        self.said: dict[Phrase, str] = {}  # phrases as they were written

    def fail(self, why):
        raise SearchError(f"{INTERFACES[self.interface].label}, line {self.number}: {why}.")

    def _tokens(self):
        at = 0
        if self.text.count('"') % 2:
            self.fail("a quotation mark is opened and not closed")
        while at < len(self.text.rstrip()):
            found = TOKEN.match(self.text, at)
            if not found:
                self.fail(f"{self.text[at : at + 20]!r} cannot be read")
            at = found.end()
            kind = found.lastgroup if found.lastgroup != "tag" else "quoted"
            value = found.group(kind)
            kind, value = self._told_apart(kind, value)
            yield kind, value
            if found.group("tag"):
                yield "suffix", found.group("tag")

    def _told_apart(self, kind, value):
        """Operators among the words, and a number alone, which is a line in Ovid."""
        if kind in ("word", "field") and value.upper() in OPERATORS and (value.isupper() or self._lower()):
            return "operator", value.upper()
        if kind in ("word", "field") and self._between(value) is not None:
            return "near", self._between(value)
        if kind == "word" and value.isdigit() and self.interface == "psycinfo_ovid":
            return "line", value
        if kind == "field" and value not in FIELDS[self.interface] and not re.match(rf"{value}\s*=", self.text):
            if value.isupper() and self.interface in ("psycinfo_ebsco", "scopus", "web_of_science"):
                self.fail(f"{value} is no field of this interface")
            return "word", value
        return kind, value

    def _lower(self):
        return INTERFACES[self.interface].lower

    def _between(self, word):
        """How many words may stand between, if this is the interface's operator of nearness."""
        form, more = NEARNESS.get(self.interface, ("(?!)", 0))
        found = re.fullmatch(form, word)
        return None if not found else int(found.group(1) or 1) - more

    def peek(self, *kinds):
        return bool(self.tokens) and self.tokens[0][0] in kinds

    def take(self, kind, value):
        if self.tokens and self.tokens[0] == (kind, value):
            self.tokens.pop(0)
            return True
        return False

    def whole(self):
        tree = self.either()
        if self.tokens:
            value = self.tokens[0][1]
            self.fail("a bracket is closed that was not opened" if value == ")" else f"{value!r} is one too many")
        return tree

    def either(self):
        parts = [self.both()]
        while self.take("operator", "OR"):
            parts.append(self.both())
        flat = [p for part in parts for p in (part.parts if _is(part, "OR") else [part])]
        return flat[0] if len(flat) == 1 else Tree("OR", tuple(flat))

    def both(self):
        parts = [self.close()]
        while self.peek("operator") and self.tokens[0][1] in ("AND", "NOT"):
            if self.tokens.pop(0)[1] == "NOT":
                parts = [Tree("NOT", (self._and(parts), self.close()))]
            else:
                parts.append(self.close())
        return self._and(parts)

    def _and(self, parts):
        return parts[0] if len(parts) == 1 else Tree("AND", tuple(parts))

    def close(self):
        left = self.one()
        while self.peek("near"):
            between = self.tokens.pop(0)[1]
            left = Near(self._words(left), self._words(self.one()), between)
        return left

    def _words(self, node):
        terms = tuple(leaves(node))
        if not all(isinstance(term, Phrase) for term in terms):
            self.fail("only words can stand beside an operator of nearness")
        return terms

    def one(self):
        if not self.tokens:
            self.fail("a term is missing at the end")
        kind, value = self.tokens.pop(0)
        if kind == "mark" and value == "(":
            node = self.either()
            if not self.take("mark", ")"):
                self.fail("a bracket is opened and not closed")
            return self.suffixed(node)
        if kind == "field":
            return self._in_field(value)
        if kind == "heading":
            return Heading(re.sub(r'^exp\s+|/$|^\[mh\s+\^?"|"\]$', "", value))
        if kind == "line":
            return self._line(int(re.sub(r"\D", "", value)))
        if kind in ("quoted", "word"):
            return self.suffixed(self._phrase(value, kind == "quoted"))
        self.fail(f"a term is missing before {value!r}")

    def _in_field(self, name):
        if name not in FIELDS[self.interface]:
            self.fail(f"{name} is no field of this interface")
        node = self.one()
        return self._heading(node) if name in ("DE", "MM") else node

    def _heading(self, node):
        """A heading with its capitals: as a phrase it has been folded."""
        return node if isinstance(node, Heading) else Heading(self.said.get(node, str(node)))

    def _line(self, number):
        if not 1 <= number <= len(self.earlier):
            self.fail(f"it refers to line {number}, which is not above it")
        return self.earlier[number - 1]

    def _phrase(self, value, quoted):
        words = [value.strip('"')]
        while not quoted and (self.peek("word") or self.peek("operator") and self.tokens[0][1] == "NEXT"):
            kind, word = self.tokens.pop(0)
            words += [word] if kind == "word" else []
        text = " ".join(words)
        if re.search(r"(^|\s)\*|\*\w", text):
            self.fail(f"{text!r} has * elsewhere than at a word's end")
        if quoted and "*" in text and " " in text and self.interface == "cochrane":
            self.fail(f"{text!r} has * within quotes, which this interface does not read: join its words with NEXT")
        found = phrase(text)
        if not found.words:
            self.fail(f"{text!r} holds no word")
        self.said[found] = text
        return found

    def suffixed(self, node):
        """A term with its field behind it; PubMed's headings and words near one another are told by it."""
        if not self.peek("suffix"):
            return node
        value = self.tokens.pop(0)[1].strip("[].:")
        name, _, distance = value.partition(":~")
        for field in name.split(","):
            if field.lower() not in FIELDS[self.interface]:
                self.fail(f"{field} is no field of this interface")
        if name.lower().startswith(("mh", "mesh")):
            return self._heading(node)
        if distance:
            if any(word.endswith("*") for word in node.words):
                self.fail(f"{str(node)!r} has * beside a distance, which this interface refuses")
            return Near((Phrase(node.words[:1]),), (Phrase(node.words[1:]),), int(distance))
        return node


def _is(node, operator):
    return isinstance(node, Tree) and node.operator == operator
