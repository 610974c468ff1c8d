"""The project's figures in the site: kept small, and each with its description."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from markupsafe import Markup
from PIL import Image

COLOURS = 64  # enough for a plot, and a quarter of the bytes


def figure(picture, place):
    """picture: file, size, title, alt text; place: the way from the page to the site's top."""
    address = f"{place}figures/{picture['file']}"
    width, height = picture["size"]
    return Markup(
        '<figure class="picture"><a class="enlarge" href="{}">'
        '<img src="{}" alt="{}" width="{}" height="{}" loading="lazy"></a>'
        "<figcaption>{}</figcaption></figure>"
    ).format(address, address, picture["alt"], width, height, picture["title"])


def stored_picture(image, folder, name):
    """In few colours, which a plot does not miss; this method keeps white white."""
    image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(folder / f"{name}.png")
    return {"file": f"{name}.png", "size": image.size}


def stored_figures(root, index, folder):
    """Name to picture for each row of figures/index.csv, copied into the site."""

    def store(row):
        name = Path(row.file).stem
        with Image.open(root / f"figures/{name}.png") as image:
            about = {"notebook": row.notebook, "title": row.title, "alt": row.alt_text}
            return name, stored_picture(image, folder, name) | about

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return dict(threads.map(store, index.itertuples()))
