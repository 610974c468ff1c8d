"""What Sphinx is told to do with each page that it writes: link the glossary's terms, keep the text for the search."""

import json
import re
from html import unescape
from pathlib import Path

from peersupport.report.glossary import anchor, linked, terms

KINDS = {"outcomes/": "Outcome", "studies/": "Study", "notebooks/": "Notebook"}  # other pages: Page
CLAIM = re.compile(r'<section id="[^"]*">\s*(?:<span id="[^"]*"></span>)?<h2>.*?(?=<section id=|\Z)', re.S)


def connect(app, glossary: Path) -> None:
    """Called by docs/report/conf.py."""
    found, entries = terms(glossary), []

    def on_page(app, name, template, context, doctree):
        body = context.get("body")
        if not body or name in ("search", "genindex"):
            return
        entries.extend(entries_of(name, context["title"], body, found))
        if name != "glossary":
            context["body"] = linked(body, found, context["pathto"]("glossary"))

    def on_end(app, failure):
        if not failure:
            (Path(app.outdir) / "_static/pages.js").write_text(script(entries, found), "utf-8")

    app.connect("html-page-context", on_page)
    app.connect("build-finished", on_end)


def entries_of(name: str, title: str, body: str, found: dict) -> list[list[str]]:
    """[address, kind, title, text] of a page, or of each claim and each term."""
    if name == "glossary":
        return [[f"glossary.html#{anchor(term)}", "Term", term, about["line"]] for term, about in found.items()]
    if name == "claims":
        return claim_entries(body)
    kind = next((kind for start, kind in KINDS.items() if name.startswith(start)), "Page")
    return [[f"{name}.html", kind, plain(title), plain(body)]]


def claim_entries(body: str) -> list[list[str]]:
    """One entry for each section of the page of claims, its address that of the section."""
    entries = []
    for section in re.split(r"(?=<section id=)", body)[1:]:
        address, heading = re.search(r'id="(c\d+)"', section), re.search(r"<h2>(.*?)</h2>", section, re.S)
        if address and heading:
            entries.append([f"claims.html#{address[1]}", "Claim", plain(heading[1]), plain(section)])
    return entries


def plain(html: str) -> str:
    """The text of a page without code, marks and the sign beside a heading."""
    html = re.sub(r"<(script|style|pre)\b.*?</\1>", " ", html, flags=re.S)
    html = re.sub(r'<a class="headerlink".*?</a>', "", html, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def script(entries: list[list[str]], found: dict) -> str:
    """A script, as a page from disk may load no data."""
    same = [[name.lower(), *(word.lower() for word in about["also"])] for name, about in found.items() if about["also"]]
    pages = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    return f"window.PAGES = {pages};\nwindow.SAME = {json.dumps(same, ensure_ascii=False)};\n"
