"""The project's figures in the site: kept small, and each with its description."""

import shutil
from pathlib import Path

from markupsafe import Markup
from PIL import Image


def figure(picture, place):
    """picture: file, size, title, alt text; place: the way from the page to the site's top."""
    address = f"{place}figures/{picture['file']}"
    width, height = picture["size"]
    return Markup(
        '<figure class="picture"><a class="enlarge" href="{}">'
        '<img src="{}" alt="{}" width="{}" height="{}" loading="lazy"></a>'
        "<figcaption>{}</figcaption></figure>"
    ).format(address, address, picture["alt"], width, height, picture["title"])


def stored_figures(root, index, folder):
    """Name to picture for each row of figures/index.csv, copied into the site."""
    pictures = {}
    for row in index.itertuples():
        name = f"{Path(row.file).stem}.png"
        shutil.copyfile(root / "figures" / name, folder / name)
        with Image.open(folder / name) as image:
            size = image.size
        about = {"notebook": row.notebook, "title": row.title, "alt": row.alt_text}
        pictures[Path(name).stem] = {"file": name, "size": size} | about
    return pictures
