"""The executed notebooks as pages, and the checklist that one of them wrote."""

import base64
import re

import nbformat
from markupsafe import Markup
from PIL import Image

from peersupport.chain.pairs import executed_notebooks
from peersupport.report.html import block, contents
from peersupport.report.pictures import figure


def pages(root, pictures, folder):
    """Path to text of the notebooks and their list; folder: where a picture without a name is kept."""
    texts, titles = {}, {}
    for path in executed_notebooks(root):
        notebook = nbformat.read(path, as_version=4)
        titles[path.stem] = first_title(notebook)
        texts[f"notebooks/{path.name}"] = nbformat.writes(notebook_page(notebook, path.stem, pictures, folder))
    return texts | {"notebooks/index.md": notebooks_page(titles)}


def notebook_page(notebook, stem, pictures, folder):
    """The executed notebook with its code folded and each figure with its description."""
    for c in notebook.cells:
        if c.cell_type == "code":
            c.metadata["tags"] = [*c.metadata.get("tags", []), "hide-input"]
            for output in c.outputs:
                adapt(output, stem, pictures, folder)
        else:
            c.source = with_figures(c.source, pictures)
    own = [picture for picture in pictures.values() if picture["notebook"] == stem]
    if own:
        gallery = Markup("\n").join(figure(picture, "../") for picture in own)
        notebook.cells += [
            nbformat.v4.new_markdown_cell("## All figures of this notebook"),
            nbformat.v4.new_markdown_cell(block(Markup('<div class="gallery">\n{}\n</div>').format(gallery))),
        ]
    return notebook


def adapt(output, stem, pictures, folder):
    """What a cell shows, as the site holds it."""
    data = output.get("data", {})
    if "image/png" in data:
        data["text/html"] = str(figure(picture_of(output, stem, pictures, folder), "../"))
        del data["image/png"]
    elif "text/html" in data:
        data["text/html"] = without_ids(data["text/html"])
    elif "text/markdown" in data:
        data["text/markdown"] = to_pages(without_markup(data["text/markdown"]))


def picture_of(output, stem, pictures, folder):
    """The figure that the output names; a picture without a name is kept as shown."""
    about = output.get("metadata", {}).get("image/png", {})
    if about.get("figure") in pictures:
        return pictures[about["figure"]]
    number = len(list(folder.glob(f"{stem}-picture-*"))) + 1
    file = folder / f"{stem}-picture-{number}.png"
    file.write_bytes(base64.b64decode(output.data["image/png"]))
    with Image.open(file) as image:
        size = image.size
    words = f"Picture {number} of notebook {stem[:2]}"
    return {
        "file": file.name,
        "size": size,
        "title": words,
        "alt": about.get("alt") or f"{words}, without a description",
    }


def with_figures(source, pictures):
    """Pictures that the text of a notebook shows from figures/."""

    def shown_large(found):
        picture = pictures.get(found[1])
        return "\n" + block(figure(picture, "../")) if picture else found[0]

    return re.sub(r"!\[[^\]]*\]\(\.\./figures/(\w+)\.(?:png|svg)\)", shown_large, source)


def without_ids(html):
    """Tables of display.readable all bear the same ids and a style; others stay as they are."""
    if 'id="T_"' not in html:
        return html
    return re.sub(r' id="T_[^"]*"', "", re.sub(r'<style type="text/css">.*?</style>', "", html, flags=re.S))


def without_markup(markdown):
    """A sentence of a notebook may hold a cell of a sheet: HTML in it is shown, not obeyed."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", markdown)


def to_pages(markdown):
    """The one file of the project that a notebook's sentence links to has a page here."""
    return markdown.replace("(../data/processed/prisma_checklist.md)", "(../prisma.html)")


def checklist_page(markdown, extra):
    """Each link of the checklist leads to the page or the download of its file; extra: the site's other files."""

    def linked(found):
        words, path = found[1], found[2]
        address = address_of(path)
        if address.endswith(".html") or (extra / address).is_file():
            return str(Markup('<a href="{}">{}</a>').format(address, words))
        return f"`{words}`"

    return re.sub(r"\[([^\]]+)\]\(\.\./\.\./([^)]+)\)", linked, markdown)


def address_of(path):
    """Where the site holds a file of the project."""
    folder, _, name = path.rpartition("/")
    if folder == "notebooks":
        return f"notebooks/{name.rpartition('.')[0]}.html"
    if path.startswith("data/raw/"):
        return f"download/sheets/{path.removeprefix('data/raw/')}"
    if folder == "figures":
        return f"download/figures/{name}"
    return f"download/tables/{name}" if name.endswith(".csv") else f"download/{name}"


def notebooks_page(titles):
    """titles: file name without ending to title."""
    rows = "\n".join(f"- [{stem[:2]} {title}]({stem}.ipynb)" for stem, title in titles.items())
    toctree = contents({stem: f"{stem[:2]} {title}" for stem, title in titles.items()})
    return f"# Notebooks\n\nThe analysis in order, with its code folded.\n\n{rows}\n\n{toctree}\n"


def first_title(notebook):
    found = (re.match(r"# (.+)", c.source) for c in notebook.cells if c.cell_type == "markdown")
    return next(filter(None, found))[1]
