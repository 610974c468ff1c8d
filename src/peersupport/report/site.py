"""What Sphinx reads, and the site that it makes of it."""

import json
import re
import shutil
import subprocess
import sys
from importlib.resources import files

import pandas as pd

from peersupport.chain import pairs
from peersupport.chain.changes import changes_page
from peersupport.chain.outputs import CHANGES
from peersupport.report import about as about_pages
from peersupport.report import claims, glossary, notebooks, outcomes, studies
from peersupport.report.pictures import stored_figures
from peersupport.store.about import about
from peersupport.store.project import processed
from peersupport.store.tables import read_table

SUMMARY = "03_summary_forest"
LINK_TO_CHANGES = "\n## What changed\n\n[What moved since the version of the data before](changes.md)\n"
TOP = {  # the pages that the head of every page leads to
    "outcomes/index": "Outcomes",
    "claims": "Claims",
    "studies/index": "Studies",
    "notebooks/index": "Notebooks",
    "prisma": "PRISMA",
    "glossary": "Glossary",
    "download": "Download",
    "about": "Cite",
}


def build(root, scratch):
    """The site in an empty folder; returns its place and what Sphinx warns of."""
    source, site = scratch / "source", scratch / "site"
    write_sources(root, source)
    options = ["-q", "-b", "html", "-d", scratch / "doctrees"]
    made = subprocess.run([sys.executable, "-m", "sphinx", *options, source, site], capture_output=True, text=True)
    if made.returncode:
        raise pairs.Problem(f"The report was not made; Sphinx says:\n{made.stderr.strip()}")
    searched = [site / "searchindex.js", site / "_static/searchtools.js", site / "_static/language_data.js"]
    for left in [site / ".buildinfo", site / "objects.inv", *searched, *site.rglob("*.map")]:
        left.unlink(missing_ok=True)
    return site, made.stderr


def write_sources(root, source):
    """Everything that Sphinx reads, in an empty folder."""
    shutil.copytree(root / "docs/report", source)
    pictures_folder = source / "extra/figures"
    pictures_folder.mkdir(parents=True)
    index = pd.read_csv(root / "figures/index.csv", keep_default_na=False)
    pictures = stored_figures(root, index, pictures_folder)
    names = studies.slugs(read_table("studies.csv")["study"])
    found = outcomes.Outcomes(names, pictures)
    texts = claims.pages(pictures[SUMMARY], found, TOP) | found.pages() | studies.pages(found)
    texts |= pages_about(root, source, pictures)
    texts |= notebooks.pages(root, pictures, pictures_folder)
    for path, text in texts.items():
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_text(text, "utf-8")
    write_data_tables(source / "_static")


def pages_about(root, source, pictures):
    """Path to text of what is told about the review itself; beside them the downloads and the line of every page."""
    review = about()
    (source / "who.json").write_text(json.dumps(about_pages.footer(review)), "utf-8")
    stored = about_pages.store_downloads(root, source / "extra")
    checklist = processed("prisma_checklist.md").read_text("utf-8")
    moved = page_of_changes(root, source)
    return moved | {
        "about.md": about_pages.about_page(review, outcomes.bias_words()) + (LINK_TO_CHANGES if moved else ""),
        "download.md": about_pages.download_page(stored, pictures),
        "glossary.md": glossary.page(glossary.terms(source / "glossary.yml")),
        "prisma.md": notebooks.checklist_page(checklist, source / "extra"),
    }


def page_of_changes(root, source) -> dict[str, str]:
    """The page that ./run_all.sh --changes wrote, with its figure; nothing where it was never asked for."""
    text = changes_page(root)
    if text is None:
        return {}
    picture = root / CHANGES[-1]
    if picture.is_file():
        shutil.copyfile(picture, source / "extra" / picture.name)
        title, _, rest = text.partition("\n")
        text = f"{title}\n\n![Pooled results before and now](extra/{picture.name})\n{rest}"
    return {"changes.md": f"---\norphan: true\n---\n\n{text}"}


def write_data_tables(folder):
    """DataTables as itables brings it, made a plain script: a module cannot be loaded from disk."""
    bundle = files("itables") / "html"
    script = (bundle / "dt_bundle.js").read_text("utf-8")
    exported = re.search(r"export\s*\{([^}]*)\}\s*;?", script)
    query = re.search(r"(\w+) as jQuery\b", exported[1])[1]
    body = script.replace(exported[0], f"window.jQuery = {query};")
    (folder / "datatables.js").write_text(f'(() => {{"use strict";\n{body}\n}})();\n', "utf-8")
    shutil.copyfile(bundle / "dt_bundle.css", folder / "datatables.css")
