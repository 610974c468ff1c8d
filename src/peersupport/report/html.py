"""Text and tables of the sheets as HTML and Markdown that show them and obey none of them."""

import re
from urllib.parse import quote, urlsplit

import pandas as pd
from markupsafe import Markup, escape

from peersupport.text.numbers import span

# ---------------------------------------------------------------- text


def said(value):
    """A cell for a reader: of a pair what to show; blank stays blank, 65.0 is 65."""
    if isinstance(value, tuple):
        return said(value[1])
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    return value if isinstance(value, str) else f"{value:.10g}"


def in_markdown(value):
    """Text of a sheet as Markdown that shows it and obeys none of it."""
    words = " ".join(said(value).split())
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", words)


def block(html):
    """HTML within a page of Markdown; no backtick is left that could end the block; nothing for nothing."""
    if not html:
        return ""
    return "```{raw} html\n" + str(html).replace("`", "&#96;") + "\n```\n"


def contents(titles):
    """The pages below this one, for the navigation: path to title."""
    entries = (f"{title} <{path}>" for path, title in titles.items())
    return "\n".join(["```{toctree}", ":hidden:", "", *entries, "```"])


def interval_text(low, high, family="smd", event=""):
    return span(low, high, family, event) if pd.notna(low) else ""


# ---------------------------------------------------------------- addresses


def is_of_the_web(address):
    return urlsplit(address).scheme in ("http", "https")


def link(address, words=None):
    """A link where the address is one of the web, else its text."""
    address = said(address).strip()
    if not is_of_the_web(address):
        return escape(words or address)
    return Markup('<a href="{}">{}</a>').format(address, words or address)


def doi_link(doi):
    doi = said(doi).strip()
    return link(f"https://doi.org/{quote(doi)}", f"doi:{doi}") if doi else ""


# ---------------------------------------------------------------- tables


def cell(value, tag="td"):
    """A pair is what to sort by and what to show; the space keeps words apart in the search."""
    attributes = {"th": Markup(' scope="row"'), "td": Markup("")}[tag]
    if isinstance(value, tuple):
        attributes += Markup(' data-order="{}"').format(said(value[0]))
    return Markup("<{}{}>{}</{}> ").format(tag, attributes, said(value), tag)


def table(rows, caption):
    """rows: a dict each, column to cell. A keyboard scrolls it; report.js sorts and filters it."""
    columns = list(rows[0])
    head = Markup("").join(Markup('<th scope="col">{}</th> ').format(name) for name in columns)
    body = Markup("\n").join(
        Markup("<tr>{}{}</tr>").format(
            cell(row[columns[0]], "th"), Markup("").join(cell(row[name]) for name in columns[1:])
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll" role="region" tabindex="0" aria-label="{}">'
        '<table class="data table">\n'
        "<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody></table></div>"
    ).format(caption, head, body)


def pairs(rows, caption):
    """Two columns, name and value, for one thing alone."""
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th> <td>{}</td></tr>').format(name, said(value)) for name, value in rows.items()
    )
    return Markup('<table class="pairs table" aria-label="{}">\n<tbody>\n{}\n</tbody></table>').format(caption, body)


def filled(rows):
    """Without the columns that hold nothing in any row."""
    held = [name for name in rows[0] if any(said(row[name]) for row in rows)]
    return [{name: row[name] for name in held} for row in rows]
