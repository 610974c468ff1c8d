"""The one module that opens files: raw sheets in, tidy tables and figures out."""

import os
from functools import cache
from pathlib import Path

import pandas as pd
import yaml
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from peersupport import intake
from peersupport.display import Picture

MARKER = "parameters.yml"
DPI = 300


def project_root() -> Path:
    """The folder that holds parameters.yml, at or above the working directory."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / MARKER).is_file():
            return folder
    raise FileNotFoundError(
        f"{MARKER} is neither in {here} nor above it: start from inside the project folder."
    )


@cache
def codebook() -> dict:
    """data/raw/codebook.yml as a mapping with the keys `codes` and `sheets`."""
    text = (project_root() / "data/raw/codebook.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def labels(code_list: str) -> dict[str, str]:
    """Code to label, in the codebook's order: labels("population")["smi"] is "Severe mental illness"."""
    return codebook()["codes"][code_list]


def read_raw() -> tuple[dict[str, pd.DataFrame], list[dict]]:
    """Every sheet of the codebook as text, by its name without ending, and what is odd about the files."""
    tables, problems = {}, []
    for entry in codebook()["sheets"].values():
        for name in entry["files"]:
            tables[name], odd = _read_sheet(name)
            may_be_empty = entry.get("may_be_empty", False)
            problems += [x for x in odd if not (may_be_empty and x["rule"] == "header_only")]
    return tables, problems


def _read_sheet(name):
    paths = [project_root() / f"data/raw/{name}{ending}" for ending in (".csv", ".xlsx")]
    found = [path for path in paths if path.is_file()]
    if len(found) == 1:
        return intake.parse(name, found[0].read_bytes(), xlsx=found[0].suffix == ".xlsx")
    rule, remedy = ("sheet_twice", "keep one of") if found else ("missing_sheet", "put back")
    files = " and ".join(path.relative_to(project_root()).as_posix() for path in found or paths[:1])
    return pd.DataFrame(), [intake.problem(name, "", "", "", rule, "error", f"{remedy} {files}")]


def read_search_exports() -> dict[str, bytes]:
    """The files in data/raw/search/ by name: exports of database searches, if any were put there."""
    folder = project_root() / "data/raw/search"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("[!.]*"))}


def processed(name: str) -> Path:
    return _inside(project_root() / "data/processed", name)


def _inside(folder: Path, name: str) -> Path:
    """The place of that name within the folder; a name made from a sheet's cell cannot lead out of it."""
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} leads out of {folder.name}/: an output keeps to its folder.")
    return folder / name


def read_table(name: str) -> pd.DataFrame:
    """A tidy table that an earlier notebook wrote, e.g. read_table("effects.csv")."""
    path = processed(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"data/processed/{name} is not there yet: run ./run_all.sh, or the notebook that writes it."
        )
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def read_reference(name: str) -> pd.DataFrame:
    """A table of data/reference/, e.g. read_reference("countries.csv")."""
    return pd.read_csv(project_root() / "data/reference" / name)


def write_document(content: str | bytes, name: str) -> None:
    """Write a table in its published form (.html text, .docx bytes) under data/processed/."""
    _replace(processed(name), content.encode() if isinstance(content, str) else content)


def write_table(table: pd.DataFrame, name: str) -> None:
    """Write a tidy table, unrounded, under data/processed/; 65.0 is written as 65.

    Text that a spreadsheet would run as a formula gets an apostrophe in front. No sheet holds such text (intake refuses
    it); an export of a search may.
    """
    _replace(processed(name), table.map(_plain).to_csv(index=False, lineterminator="\n").encode())


def _plain(value):
    if isinstance(value, str) and intake.FORMULA.match(value):
        return f"'{value}"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else value


def write_figure(figure, name: str, *, notebook: str, title: str, alt_text: str) -> Picture:
    """Write figures/NAME.svg and figures/NAME.png (300 dpi) and their row in figures/index.csv.

    Returns the picture to show in a notebook, and closes the figure, which would be shown once more.
    """
    folder = project_root() / "figures"
    folder.mkdir(exist_ok=True)
    about = {"Title": title, "Description": alt_text}
    _inside(folder, name)
    _lay_out(figure)
    with plt.rc_context({"figure.constrained_layout.use": False}):  # savefig would bring it back
        figure.set_layout_engine(None)
        for suffix, metadata in (("svg", about | {"Date": None}), ("png", about)):
            part = folder / f".{name}.{suffix}"
            figure.savefig(part, format=suffix, dpi=DPI, metadata=metadata)
            os.replace(part, folder / f"{name}.{suffix}")
    _index_figure(folder / "index.csv", name, notebook, title, alt_text)
    plt.close(figure)
    return Picture(folder / f"{name}.png", alt_text)


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
    row = pd.DataFrame(
        {"file": [f"{name}.svg"], "notebook": notebook, "title": title, "alt_text": alt_text}
    )
    rows = pd.concat([rows[rows["file"] != f"{name}.svg"], row]).sort_values("file")
    _replace(index, rows.to_csv(index=False, lineterminator="\n").encode())


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)
