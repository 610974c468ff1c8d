"""What Sphinx reads, and the site that it makes of it."""

import re
import shutil
import subprocess
import sys
from importlib.resources import files

import nbformat
import pandas as pd

from peersupport.chain import pairs
from peersupport.report import claims, notebooks, studies
from peersupport.report.pictures import stored_figures
from peersupport.store.project import processed

SUMMARY = "03_summary_forest"


def build(root, scratch):
    """The site in an empty folder; returns its place and what Sphinx warns of."""
    source, site = scratch / "source", scratch / "site"
    write_sources(root, source)
    options = ["-q", "-b", "html", "-d", scratch / "doctrees"]
    made = subprocess.run([sys.executable, "-m", "sphinx", *options, source, site], capture_output=True, text=True)
    if made.returncode:
        raise pairs.Problem(f"The report was not made; Sphinx says:\n{made.stderr.strip()}")
    for left in [site / ".buildinfo", site / "objects.inv", *site.rglob("*.map")]:
        left.unlink(missing_ok=True)
    return site, made.stderr


def write_sources(root, source):
    """Everything that Sphinx reads, in an empty folder."""
    shutil.copytree(root / "docs/report", source)
    pictures_folder = source / "extra/figures"
    pictures_folder.mkdir(parents=True)
    index = pd.read_csv(root / "figures/index.csv", keep_default_na=False)
    pictures = stored_figures(root, index, pictures_folder)
    checklist = processed("prisma_checklist.md").read_text("utf-8")
    texts = claims.pages(pictures[SUMMARY]) | studies.pages()
    texts["prisma.md"] = notebooks.checklist_page(checklist)
    titles = {}
    for path in pairs.executed_notebooks(root):
        notebook = nbformat.read(path, as_version=4)
        titles[path.stem] = notebooks.first_title(notebook)
        page = notebooks.notebook_page(notebook, path.stem, pictures, pictures_folder)
        texts[f"notebooks/{path.name}"] = nbformat.writes(page)
    texts["notebooks/index.md"] = notebooks.notebooks_page(titles)
    for path, text in texts.items():
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_text(text, "utf-8")
    write_data_tables(source / "_static")


def write_data_tables(folder):
    """DataTables as itables brings it, made a plain script: a module cannot be loaded from disk."""
    bundle = files("itables") / "html"
    script = (bundle / "dt_bundle.js").read_text("utf-8")
    exported = re.search(r"export\s*\{([^}]*)\}\s*;?", script)
    query = re.search(r"(\w+) as jQuery\b", exported[1])[1]
    body = script.replace(exported[0], f"window.jQuery = {query};")
    (folder / "datatables.js").write_text(f'(() => {{"use strict";\n{body}\n}})();\n', "utf-8")
    shutil.copyfile(bundle / "dt_bundle.css", folder / "datatables.css")
