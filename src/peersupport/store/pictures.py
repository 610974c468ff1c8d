"""Figures written as .svg and .png with their words, and shown again in notebooks, the same bytes each time."""

import os
import re
from base64 import b64encode
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox
from PIL import Image, PngImagePlugin

from peersupport.store.project import inside, project_root, replace_file

DPI = 300
SHRINK = 3  # a whole number, so that each pixel is the mean of nine
COORDINATES = re.compile(r' (?:d|x|y)="[^"]*"')
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?!\d*e)")
COLOURS = 64  # enough for a plot: no pixel moves by more than some 20 of 255, and a third of the bytes


class Picture:
    """A stored figure with its alt text; made smaller for the screen, where it is shown."""

    def __init__(self, file: Path, alt_text: str):
        self.file, self.alt_text = file, alt_text

    def __repr__(self):
        return f"{self.file.stem}: {self.alt_text}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        about = {"alt": self.alt_text, "figure": self.file.stem}
        return {"image/png": b64encode(self._small()).decode()}, {"image/png": about}

    def _small(self) -> bytes:
        small = BytesIO()
        with Image.open(self.file) as whole:
            in_few_colours(whole.convert("RGB").reduce(SHRINK)).save(small, "PNG")
        return small.getvalue()


def in_few_colours(image: Image.Image) -> Image.Image:
    """A palette instead of three bytes a pixel; this method keeps white white, and gives the same each time."""
    return image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def write_figure(figure, name: str, *, notebook: str, title: str, alt_text: str) -> Picture:
    """Write figures/NAME.svg and figures/NAME.png (300 dpi) and their row in figures/index.csv.

    Returns the picture to show in a notebook, and closes the figure, which would be shown once more.
    """
    folder = project_root() / "figures"
    save_figure(figure, folder, name, title=title, alt_text=alt_text)
    _index_figure(folder / "index.csv", name, notebook, title, alt_text)
    return Picture(folder / f"{name}.png", alt_text)


def save_figure(figure, folder: Path, name: str, *, title: str, alt_text: str) -> None:
    """Write NAME.svg and NAME.png (300 dpi) into the folder, and close the figure."""
    folder.mkdir(exist_ok=True)
    about = {"Title": title, "Description": alt_text}
    inside(folder, name)
    _lay_out(figure)
    with plt.rc_context({"figure.constrained_layout.use": False}):  # savefig would bring it back
        figure.set_layout_engine(None)
        for suffix, write in (("svg", _write_svg), ("png", _write_png)):
            part = folder / f".{name}.{suffix}"
            write(figure, part, about)
            os.replace(part, folder / f"{name}.{suffix}")
    plt.close(figure)


def _write_svg(figure, file: Path, about: dict[str, str]) -> None:
    """Coordinates to a hundredth of a point: the rest is bytes, and the last digits differ between machines."""
    drawing = StringIO()
    figure.savefig(drawing, format="svg", dpi=DPI, metadata=about | {"Date": None})
    file.write_text(COORDINATES.sub(_rounded, drawing.getvalue()), "utf-8", newline="\n")


def _rounded(attribute: re.Match) -> str:
    return LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), attribute[0])


def _write_png(figure, file: Path, about: dict[str, str]) -> None:
    """From the pixels as drawn: through savefig they would be encoded twice, which costs more than the drawing."""
    figure.canvas.draw()
    words = PngImagePlugin.PngInfo()
    for key, text in about.items():
        words.add_itxt(key, text)
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba()))
    in_few_colours(pixels).save(file, "PNG", dpi=(DPI, DPI), pnginfo=words)


def _lay_out(figure):
    """Once for both files: with a layout engine, each savefig lays out anew and draws everything twice."""
    FigureCanvasAgg(figure)
    figure.dpi = DPI
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        _round_positions(figure)


def _round_positions(figure):
    """The solver of the layout ends some 1e-13 elsewhere with other addresses in memory, and ids in the SVG tell."""
    for axes in figure.axes:
        axes.set_position(Bbox(axes.get_position(True).get_points().round(6)), which="original")


def _index_figure(index: Path, name: str, notebook: str, title: str, alt_text: str) -> None:
    rows = pd.read_csv(index) if index.is_file() else pd.DataFrame(columns=["file"])
    row = pd.DataFrame({"file": [f"{name}.svg"], "notebook": notebook, "title": title, "alt_text": alt_text})
    rows = pd.concat([rows[rows["file"] != f"{name}.svg"], row]).sort_values("file")
    replace_file(index, rows.to_csv(index=False, lineterminator="\n").encode())
