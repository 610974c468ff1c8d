"""The terms of the glossary: their page, and a link at the first use of each on every other page."""

import re
from functools import cache
from pathlib import Path

import yaml
from markupsafe import Markup

from peersupport.report.html import block

QUIET = {"a", "button", "code", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "script", "style", "summary", "svg", "thead"}
TAG = re.compile(r"(<!--.*?-->|<[^>]*>)", re.S)


@cache
def terms(path: Path) -> dict[str, dict]:
    """Name of each term to its line, other words and pattern, by the alphabet."""
    found = yaml.safe_load(path.read_text("utf-8"))
    return {
        name: {"line": about["line"], "also": about.get("also", []), "match": about.get("match", re.escape(name))}
        for name, about in sorted(found.items(), key=lambda entry: entry[0].casefold())
    }


def anchor(name: str) -> str:
    return "term-" + re.sub(r"[^a-z0-9]+", "-", name.casefold().replace("²", "2").replace("τ", "tau")).strip("-")


def page(found: dict[str, dict]) -> str:
    """A line for each term, with its other names."""
    rows = Markup("\n").join(
        Markup('<dt id="{}">{}{}</dt><dd>{}</dd>').format(
            anchor(name), name, f" ({', '.join(about['also'])})" if about["also"] else "", about["line"]
        )
        for name, about in found.items()
    )
    return "\n".join(
        [
            "# Glossary\n",
            "Each of these words leads here at its first use on a page.\n",
            block(Markup('<dl class="glossary">\n{}\n</dl>').format(rows)),
        ]
    )


def linked(body: str, found: dict[str, dict], place: str) -> str:
    """The page's HTML with a link at the first use of each term, outside headings, links and code.

    place: the address of the glossary from this page.
    """
    left, quiet, parts = dict(found), [], []
    for part in TAG.split(body):
        if part.startswith("<"):
            follow(part, quiet)
        elif not quiet and left and not part.isspace():
            part = in_text(part, left, place)
        parts.append(part)
    return "".join(parts)


def follow(tag: str, quiet: list[str]) -> None:
    """Enter and leave the elements in which nothing is linked."""
    name = re.match(r"</?([a-zA-Z0-9]+)", tag)
    name = name[1].lower() if name else ""
    if tag.startswith("</"):
        if quiet and quiet[-1] == name:
            quiet.pop()
    elif name in QUIET and not tag.endswith("/>"):
        quiet.append(name)


def in_text(text: str, left: dict[str, dict], place: str) -> str:
    """Links for the terms that this text uses first; they are taken out of `left`."""
    first = {}
    for name, about in left.items():
        if hit := re.search(rf"(?<![\w-])(?:{about['match']})(?![\w-])", text):
            first.setdefault((hit.start(), -hit.end()), (hit, name))
    end, parts = 0, []
    for _, (hit, name) in sorted(first.items(), key=lambda entry: entry[0]):
        if hit.start() < end:
            continue
        about = left.pop(name)
        link = Markup('<a class="term" href="{}#{}" title="{}">').format(place, anchor(name), about["line"])
        parts += [text[end : hit.start()], str(link), hit[0], "</a>"]
        end = hit.end()
    return "".join([*parts, text[end:]])
