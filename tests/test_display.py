"""A figure is shown once, with the words of its alt text."""

import base64
from io import BytesIO

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.layout_engine import LayoutEngine
from matplotlib.transforms import Bbox
from PIL import Image

from peersupport.figures import style
from peersupport.store import pictures
from peersupport.store.pictures import COLOURS, in_few_colours, write_figure


@pytest.fixture
def picture(tmp_path, monkeypatch):
    (tmp_path / "parameters.yml").touch()
    monkeypatch.chdir(tmp_path)
    figure, axes = plt.subplots(figsize=(2, 1), dpi=50)
    axes.plot([1, 2])
    words = 'A line that rises, "quoted" & <marked>'
    return write_figure(figure, "01_line", notebook="01", title="Line", alt_text=words)


def test_the_picture_carries_its_alt_text_and_the_name_of_its_file(picture):
    content, about = picture._repr_mimebundle_()
    assert base64.b64decode(content["image/png"]).startswith(b"\x89PNG")
    words = 'A line that rises, "quoted" & <marked>'
    assert about == {"image/png": {"alt": words, "figure": "01_line"}}
    assert repr(picture) == f"01_line: {words}"


def test_what_is_shown_is_the_stored_file_made_smaller(picture):
    shown = Image.open(BytesIO(base64.b64decode(picture._repr_mimebundle_()[0]["image/png"]))).convert("RGB")
    whole = Image.open(picture.file).convert("RGB")
    assert (whole.size, shown.size) == ((600, 300), (200, 100))
    assert np.allclose(np.asarray(shown).mean(), np.asarray(whole).mean(), atol=0.5)
    assert np.asarray(shown).min() < 200  # the line is there


def test_the_stored_picture_has_a_palette_its_words_and_its_resolution(picture):
    with Image.open(picture.file) as stored:
        assert stored.mode == "P" and round(stored.info["dpi"][0]) == 300
        assert stored.text == {"Title": "Line", "Description": picture.alt_text}
        assert stored.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_few_colours_keep_a_drawing_to_the_eye():
    figure, axes = plt.subplots(dpi=100)
    axes.scatter(range(200), range(200), c=range(200), cmap="viridis")
    figure.canvas.draw()
    drawn = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    plt.close(figure)
    few = in_few_colours(drawn)
    assert len(drawn.getcolors(1 << 24)) > COLOURS >= len(few.getcolors())
    moved = np.asarray(few.convert("RGB"), dtype=int) - np.asarray(drawn)
    assert np.abs(moved).max() < 32
    assert (np.asarray(few.convert("RGB"))[np.asarray(drawn).min(axis=2) == 255] == 255).all()


def test_coordinates_of_a_drawing_are_rounded_and_lengths_elsewhere_are_not():
    drawing = '<path d="M 1.005432 -0.001\nL 3 4.5 1e-07" style="stroke: 0.12345"/><use x="7.100001" y="2"/>'
    rounded = pictures.COORDINATES.sub(pictures._rounded, drawing)
    assert rounded == '<path d="M 1.01 -0\nL 3 4.5 1e-07" style="stroke: 0.12345"/><use x="7.1" y="2"/>'


def test_letters_of_a_drawing_are_text_in_a_font_with_fallbacks(picture):
    assert "A label" not in picture.file.with_suffix(".svg").read_text("utf-8")
    with plt.rc_context(style.RC):
        figure, axes = plt.subplots()
        axes.set_title("A label")
        write_figure(figure, "02_label", notebook="02", title="x", alt_text="x")
    drawing = picture.file.with_name("02_label.svg").read_text("utf-8")
    assert ">A label</text>" in drawing and "'DejaVu Sans', 'Verdana', sans-serif" in drawing


def test_the_figure_is_closed_so_that_it_is_not_shown_again(picture):
    figure, _ = plt.subplots()
    write_figure(figure, "03_closed", notebook="03", title="x", alt_text="x")
    assert not plt.fignum_exists(figure.number)


def test_shown_twice_the_picture_is_the_same(picture):
    assert picture._repr_mimebundle_() == picture._repr_mimebundle_()


def test_the_files_are_written_whether_or_not_it_is_shown(picture, tmp_path):
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {"01_line.svg", "01_line.png", "index.csv"}


class Trembling(LayoutEngine):
    """Puts the axes where they are asked to be, but for what a solver leaves over."""

    _adjust_compatible = _colorbar_gridspec = True

    def __init__(self, off):
        super().__init__()
        self.off = off

    def execute(self, fig):
        box = Bbox([[0.1 + self.off, 0.1], [0.9, 0.7 + self.off]])
        fig.axes[0].set_position(box, which="original")


def test_a_layout_that_trembles_gives_the_same_bytes(tmp_path, monkeypatch):
    (tmp_path / "parameters.yml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(plt.rcParams, "svg.hashsalt", "peersupport")
    written = []
    for off in (0, 3e-13):
        figure, axes = plt.subplots(layout=Trembling(off))
        axes.plot([1, 2, 4])
        write_figure(figure, "drawing", notebook="01", title="A line", alt_text="rises")
        written.append([(tmp_path / f"figures/drawing{x}").read_bytes() for x in (".svg", ".png")])
    assert written[0] == written[1]
