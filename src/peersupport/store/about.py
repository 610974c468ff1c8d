"""Who made this review, of what, when, and under which licence: CITATION.cff, data/raw/VERSION and parameters.yml."""

import re
from dataclasses import dataclass

import yaml

from peersupport.store.project import MARKER, project_root

TO_FILL = "not stated in this project: add it to "


@dataclass(frozen=True)
class About:
    """What every page of the report says of itself; an entry that no file states says where to add it."""

    title: str
    authors: tuple[str, ...]
    version: str
    date: str
    licences: tuple[str, ...]
    article: dict
    last_search: str


def about() -> About:
    """From the files of the project; FileNotFoundError where CITATION.cff is gone."""
    root = project_root()
    cited = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    settings = yaml.safe_load((root / MARKER).read_text("utf-8")) or {}
    data = data_version(root)
    examined = next((one for one in cited.get("references", []) if one.get("type") == "article"), {})
    return About(
        title=cited["title"],
        authors=tuple(map(person, cited.get("authors", []))) or (f"{TO_FILL}CITATION.cff",),
        version=str(data.get("version", cited.get("version", f"{TO_FILL}CITATION.cff"))),
        date=str(data.get("date", cited.get("date-released", f"{TO_FILL}CITATION.cff"))),
        licences=tuple([cited["license"]] if isinstance(cited.get("license"), str) else cited.get("license", [])),
        article=examined | {"authors": [person(one) for one in examined.get("authors", [])]},
        last_search=str(data.get("last_search", settings.get("last_search", f"{TO_FILL}{MARKER}"))),
    )


def data_version(root) -> dict:
    """data/raw/VERSION: `name: value` lines, or a version and a date as words; empty where there is none."""
    path = root / "data/raw/VERSION"
    if not path.is_file():
        return {}
    text = path.read_text("utf-8").strip()
    named = yaml.safe_load(text)
    if isinstance(named, dict):
        return named
    dated = re.search(r"\d{4}-\d{2}-\d{2}", text)
    return {"version": text.split()[0]} | ({"date": dated[0]} if dated else {}) if text else {}


def person(entry: dict) -> str:
    """Aftab A, or the name of a team."""
    return entry.get("name") or f"{entry.get('family-names', '')} {entry.get('given-names', '')}".strip()


def article_words(article: dict) -> str:
    """Aftab A, Ali Khan S. Title. Journal 2026."""
    if not article.get("title"):
        return f"{TO_FILL}CITATION.cff, as a reference of type article"
    where = " ".join(str(article[key]) for key in ("journal", "year") if article.get(key))
    who = f"{', '.join(article['authors'])}. " if article["authors"] else ""
    return f"{who}{article['title'].rstrip('.')}. {where}."


def citation(found: About) -> str:
    """One line to copy."""
    year = found.date[:4]
    return (
        f"{', '.join(found.authors)}. {found.title}. Version {found.version} of {found.date}. "
        f"{year if year.isdigit() else ''}".strip()
    )


def bibtex(found: About) -> str:
    """The same as an entry of BibTeX; a name of a team stays whole in its braces."""
    authors = " and ".join(f"{{{name}}}" for name in found.authors)
    year = found.date[:4] if found.date[:4].isdigit() else ""
    fields = {
        "author": authors,
        "title": f"{{{found.title}}}",
        "year": year,
        "version": found.version,
        "date": found.date,
        "note": f"Examines: {article_words(found.article)} doi:{found.article.get('doi', '')}",
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@misc{{peersupport{year},\n{lines}\n}}"
