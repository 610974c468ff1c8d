"""What makes two records the same work: DOI, PMID, title and first author, each in one form.

The one place where a DOI is normalised: exports, screening log and studies all use it, so that none is cut shorter
in one place than in another.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from urllib.parse import unquote

import pandas as pd

DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*(?:/|%2f)[^\s\"“”]+", re.I)
NEXT_DOI = re.compile(r"[;,|]\s*(?:https?://(?:dx\.)?doi\.org/|doi:?\s*)?(?=10\.\d{4,9}/)", re.I)
MARKUP = re.compile(r"</?(?:a|b|i|p|u|br|em|sub|sup|span|strong|td|div|li|doi)\b[^>]*>.*$", re.I | re.S)
LABEL = re.compile(r"\[(?:doi|pii)\]$", re.I)
PART_OF_PAGE = re.compile(
    r"(?:/(?:full|abstract|e?pdf(?:direct)?|fulltext|html|meta|summary|references|reader))+$|\.pdf$"
)
PREPRINT_PAGE = re.compile(r"^(10\.1101/.*\d)v\d+(?:\.[\w-]+)*$")
DASHES = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2212": "-"})
UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
CLOSING = {")": "(", "]": "[", "}": "{", ">": "<"}

LABELLED_PMID = re.compile(
    r"\b(?:PMID|PubMed[ -]?ID|(?:PubMed|MEDLINE)(?=[\s:]*\d{6}))\b[\s:=#-]*(?:NLM)?([1-9]\d{0,7})(?!\d)", re.I
)
PMID_IN_LINK = re.compile(
    r"(?:pubmed\.ncbi\.nlm\.nih\.gov/|ncbi\.nlm\.nih\.gov/(?:m/)?pubmed/(?:\?term=)?|list_uids=|pubmed\.gov/|/MED/)"
    r"([1-9]\d{0,7})(?!\d)",
    re.I,
)

LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "æ": "ae", "œ": "oe"})
SAME_TITLE = 0.9  # of two spellings of one title, by SequenceMatcher; "paid" and "trained" in one place are below it


def doi_in(text: str) -> str:
    """The first DOI in a text, bare and in lower case; "" where there is none.

    HTML entities and percent signs are decoded; brackets, `;`, `<` and `>` inside an old SICI DOI stay; what follows
    it (a query, the name of a page's part, a label, closing punctuation) goes.
    """
    text = UNSEEN.sub("", html.unescape(html.unescape(text or ""))).translate(DASHES)
    found = DOI.search(text)
    if not found:
        return ""
    before, doi = text[: found.start()], found.group()
    in_link = re.search(r"https?://\S*$|www\.\S*$|[?&]\w+=$", before)
    if in_link:
        doi = re.split(r"[?&#](?!\w*;)|%26|%3f", doi, maxsplit=1, flags=re.I)[0]
    doi = unquote(doi) if re.search("%[0-9a-f]{2}", doi, re.I) else doi
    doi = re.sub(r"\\([_&%#$])", r"\1", NEXT_DOI.split(doi)[0])
    doi = _without_end(MARKUP.sub("", doi)).lower()
    if in_link and "doi.org" not in in_link.group():
        doi = PREPRINT_PAGE.sub(r"\1", PART_OF_PAGE.sub("", doi))
    return doi if not doi.endswith("/") else ""


def dois_in(text: str) -> list[str]:
    """Every DOI in a text, once each."""
    starts = [match.start() for match in DOI.finditer(html.unescape(html.unescape(text or "")))]
    plain = html.unescape(html.unescape(text or ""))
    return list(dict.fromkeys(filter(None, (doi_in(plain[_start_of_word(plain, start) :]) for start in starts))))


def _start_of_word(text, start):
    """Where the word begins that holds this place: whether a DOI stands in a link decides what follows it."""
    return max(text.rfind(" ", 0, start), text.rfind("\n", 0, start)) + 1


def _without_end(doi):
    """Without label, punctuation, quotes and brackets that were opened before the DOI."""
    before = None
    while doi != before:
        before = doi
        doi = LABEL.sub("", doi).rstrip(".,;:'’`*|\\")
        if doi and doi[-1] in CLOSING and doi.count(doi[-1]) > doi.count(CLOSING[doi[-1]]):
            doi = doi[:-1]
    return doi


def normal_doi(doi: pd.Series) -> pd.Series:
    """A column of DOIs, each as `doi_in` gives it; what is no DOI is blank."""
    return doi.fillna("").map(doi_in).astype("str")


def pmid_in(text: str) -> str:
    """The PubMed identifier that a text names with its label or as a link, "" where it names none or several."""
    found = {*LABELLED_PMID.findall(text), *PMID_IN_LINK.findall(text)}
    return found.pop() if len(found) == 1 else ""


def bare_pmid(text: str) -> str:
    """A number alone, where its field is known to hold PMIDs."""
    found = re.fullmatch(r"\s*(?:PMID:?\s*)?0*([1-9]\d{0,7})(?:\.0|\s*\[.*\])?\s*", text, re.I)
    return found.group(1) if found else ""


# ---------------------------------------------------------------- titles and names


def normal_title(title: pd.Series) -> pd.Series:
    return title.str.lower().str.replace(r"[^a-z0-9]+", " ", regex=True).str.strip()


def folded(text: str) -> str:
    """Case, accents, blanks and punctuation gone: what spellings of one title have in common."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    return "".join(letter for letter in decomposed if letter.isalnum())


def plain(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def clean_title(text: str) -> str:
    without_tags = re.sub(r"</?[a-zA-Z]+>", "", html.unescape(text))
    return " ".join(without_tags.split()).removesuffix(".")


def surname(author: str) -> str:
    """ "Smith, John", "Smith J.-P." and "Smith JP; Doe A" are all Smith."""
    words = re.split("[;,]", author)[0].split()
    while len(words) > 1 and words[-1].isupper() and len(re.sub(r"\W", "", words[-1])) <= 3:
        words.pop()
    return " ".join(words)


def other_work(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two of (title, first author) that share a DOI are two works: another title and another first author.

    Abstracts of one supplement, or chapters of one book, share one. A title that is the beginning of the other, or
    nearly the same with the same numbers, is no other; a name that is blank, or a part of the other, is none either.
    """
    titles, names = ([folded(text) for text in pair] for pair in zip(one, other, strict=True))
    return _other_title(*titles) and _other_name(*names)


def _other_title(one, other):
    short, long = sorted((one, other), key=len)
    if (
        not short
        or long.startswith(short)
        or re.findall(r"\d+", one) == re.findall(r"\d+", other)
        and _alike(one, other)
    ):
        return False
    return True


def _alike(one, other):
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= SAME_TITLE


def _other_name(one, other):
    return bool(one and other) and one not in other and other not in one


# ---------------------------------------------------------------- which records hang together


def first_alike(keys: Iterable[pd.Series]) -> pd.Series:
    """For each record the index of the first that any key links it to, directly or through others; "" links none."""
    keys = list(keys)
    first = keys[0].index.to_series()
    before = None
    while not first.equals(before):
        before = first.copy()
        for key in keys:
            named = key.ne("")
            first[named] = first[named].groupby(key[named]).transform("min")
    return first


def doi_keys(doi: pd.Series, title: pd.Series, author: pd.Series) -> pd.Series:
    """A key per work: the DOI, with a number behind it where one DOI belongs to several works (see `other_work`)."""
    keys = normal_doi(doi)
    shared = keys[keys.ne("") & keys.duplicated(keep=False)]
    for name, rows in shared.groupby(shared).groups.items():
        works: list[tuple[str, str]] = []
        for row in rows:
            own = title[row], author[row]
            same = (n for n, work in enumerate(works) if not other_work(own, work))
            number = next(same, len(works))
            works += [own] * (number == len(works))
            keys[row] = f"{name} {number}" if number else name
    return keys
