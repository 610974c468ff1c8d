"""Who, what and when: the line beneath every page, the page on citing and limits, and the downloads."""

import csv
import io
import shutil
import zipfile

import pandas as pd
from markupsafe import Markup
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from peersupport.report.html import block, doi_link, pairs, table
from peersupport.store.about import About, article_words, bibtex, citation
from peersupport.text.tables import same_bytes

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip file can hold: the same bytes on every run
FOLDER = "download"
LIMITS = (
    "Coding and adjudication were done by language models from the same passages; no person has checked the sheets.",
    "Most sources were seen as abstracts: “not reported” often means “not in the part that was seen”.",
    "The search was of stored public web pages, not of PubMed, PsycINFO or Scopus.",
    "A g of 0.2 is small in any field; whether it matters to a person is not a question of statistics.",
    "Certainty is what rules suggest, overruled by the authors where a sheet says so.",
)


# ---------------------------------------------------------------- words


def footer(found: About) -> dict[str, str]:
    """What the template beneath every page shows."""
    return {
        "article": article_words(found.article),
        "article_doi": found.article.get("doi", ""),
        "authors": ", ".join(found.authors),
        "version": found.version,
        "date": found.date,
        "last_search": found.last_search,
        "licences": ", ".join(found.licences),
    }


def about_page(found: About, bias: str) -> str:
    """How to cite, what is examined, by whom and when, and every limit."""
    limits = Markup("\n").join(Markup("<li>{}</li>").format(one) for one in (*LIMITS, f"{bias[0].upper()}{bias[1:]}."))
    about = {
        "Article examined": Markup("{} {}").format(article_words(found.article), doi_link(found.article.get("doi"))),
        "Authors of this review": ", ".join(found.authors),
        "Version of the data": f"{found.version} of {found.date}",
        "Last search": found.last_search,
        "Licence": ", ".join(found.licences),
    }
    return "\n".join(
        [
            "# How to cite, and the limits\n",
            "## Who, what, when\n",
            block(pairs(about, "Who, what and when")),
            "## Cite\n",
            block(copyable(citation(found), "citation")),
            block(copyable(bibtex(found), "BibTeX")),
            "(limits)=\n## Limits\n",
            block(Markup("<ul>\n{}\n</ul>").format(limits)),
        ]
    )


def copyable(text: str, name: str) -> Markup:
    """Text with a button that copies it; without a script it can be selected."""
    return Markup(
        '<div class="copyable"><pre tabindex="0" aria-label="{}">{}</pre>'
        '<button type="button" class="copy" hidden>Copy the {}</button></div>'
    ).format(name, text, name)


# ---------------------------------------------------------------- downloads


def store_downloads(root, extra) -> dict[str, list]:
    """Tables as CSV and XLSX, figures as SVG, the sheets, and a zip of all; returns what there is, by kind."""
    target = extra / FOLDER
    (target / "tables").mkdir(parents=True)
    tables = sorted([*root.glob("data/processed/*.csv"), *root.glob("data/processed/tables/*.csv")])
    for path in tables:
        shutil.copyfile(path, target / "tables" / path.name)
        (target / "tables" / f"{path.stem}.xlsx").write_bytes(workbook(path))
    for path in (root / "parameters.yml", *root.glob("data/processed/*.md")):
        shutil.copyfile(path, target / path.name)
    shutil.copytree(root / "data/raw", target / "sheets", ignore=shutil.ignore_patterns(".*", "LICENSE"))
    shutil.copytree(root / "figures", target / "figures", ignore=shutil.ignore_patterns(".*", "*.png", "*.csv"))
    sheets = sorted(path.relative_to(target).as_posix() for path in (target / "sheets").rglob("*") if path.is_file())
    write_zip(target)
    return {"tables": [path.stem for path in tables], "sheets": sheets}


def workbook(path) -> bytes:
    """A table of text and numbers as XLSX; text is text, even where it begins as a formula does."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("table")
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file)):
            sheet.append([cell_of(sheet, value, number) for value in row])
    return same_bytes(book)


def cell_of(sheet, value, number):
    if number and value and (found := as_number(value)) is not None:
        return found
    text = ILLEGAL_CHARACTERS_RE.sub("", value)
    if not text.startswith("="):
        return text or None
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    return cell


def as_number(text):
    """A number if the text is one as tables are written, so that 007 and 1e5x stay text."""
    try:
        value = float(text)
    except ValueError:
        return None
    plain = text.lstrip("-")
    is_code = len(plain) > 1 and plain.startswith("0") and not plain.startswith("0.")
    return None if is_code or not pd.notna(value) or value in (float("inf"), float("-inf")) else value


def write_zip(target):
    """Everything in the folder, with one fixed date, so that a rerun gives the same file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(path for path in target.rglob("*") if path.is_file() and path.suffix != ".xlsx"):
            entry = zipfile.ZipInfo(path.relative_to(target).as_posix(), EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=6)
    (target / "all.zip").write_bytes(packed.getvalue())


def download_page(found, pictures) -> str:
    """found: store_downloads; pictures: the site's figures, by name."""
    tables = [
        {
            "Table": name.replace("_", " "),
            "CSV": anchor(f"tables/{name}.csv", "CSV"),
            "XLSX": anchor(f"tables/{name}.xlsx", "XLSX"),
        }
        for name in found["tables"]
    ]
    figures = [
        {
            "Figure": picture["title"],
            "SVG": anchor(f"figures/{name}.svg", "SVG"),
            "PNG": Markup('<a href="figures/{}" download>PNG</a>').format(picture["file"]),
            "File": name,
        }
        for name, picture in pictures.items()
        if picture.get("notebook")
    ]
    sheets = [{"Sheet": name.removeprefix("sheets/"), "File": anchor(name, "download")} for name in found["sheets"]]
    return "\n".join(
        [
            "# Download\n",
            block(
                Markup(
                    '<p><a class="btn btn-primary" href="{}/all.zip" download>Everything as one zip</a> '
                    "Tables as CSV, the sheets and the figures as SVG.</p>"
                    "<p>In tables that code reads, effects are Hedges g or natural logarithms of risk ratios (column "
                    "family), positive in favour of peer support; they are not rounded.</p>"
                ).format(FOLDER)
            ),
            "## Tables\n",
            block(table(tables, "Tables")),
            "## Figures\n",
            block(table(figures, "Figures")) if figures else "",
            "## Sheets\n",
            block(table(sheets, "Sheets of the extractors")),
        ]
    )


def anchor(path, words):
    return Markup('<a href="{}/{}" download>{}</a>').format(FOLDER, path, words)
