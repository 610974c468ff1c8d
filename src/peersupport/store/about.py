"""Who made this review, of what, when, and under which licence: CITATION.cff and data/raw/VERSION."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from peersupport.store.project import project_root

VERSION = "data/raw/VERSION"
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
    data = data_version(root)
    examined = next((one for one in cited.get("references", []) if one.get("type") == "article"), {})
    return About(
        title=cited["title"],
        authors=tuple(map(person, cited.get("authors", []))) or (f"{TO_FILL}CITATION.cff",),
        version=str(data.get("version", cited.get("version", f"{TO_FILL}CITATION.cff"))),
        date=str(data.get("last_search") or cited.get("date-released", f"{TO_FILL}CITATION.cff")),
        licences=tuple([cited["license"]] if isinstance(cited.get("license"), str) else cited.get("license", [])),
        article=examined | {"authors": [person(one) for one in examined.get("authors", [])]},
        last_search=str(data.get("last_search", f"{TO_FILL}{VERSION}")),
    )


def data_version(root: Path) -> dict:
    """data/raw/VERSION, `name: value` lines; empty where there is none."""
    path = root / VERSION
    return (yaml.safe_load(path.read_text("utf-8")) or {}) if path.is_file() else {}


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
