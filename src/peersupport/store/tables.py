"""Tidy tables between notebooks: data/processed/, data/reference/ and exports of searches."""

import json

import pandas as pd

from peersupport.store.project import inside, processed, project_root, replace_file
from peersupport.store.sheets import FORMULA


def read_search_exports() -> dict[str, bytes]:
    """The files in data/raw/search/ and its folders by path: exports of searches, strategy and sheet of hits."""
    return _files_below("data/raw/search")


def read_screening() -> dict[str, bytes]:
    """The files in the folders of data/raw/screening/ by path: decisions of the screeners."""
    return _files_below("data/raw/screening")


def read_raw_file(name: str) -> bytes:
    """A file of data/raw/ as it is, b"" where there is none."""
    path = inside(project_root() / "data/raw", name)
    return path.read_bytes() if path.is_file() else b""


def _files_below(name):
    folder = project_root() / name
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    seen = {name: path for name, path in found.items() if not any(part.startswith(".") for part in name.parts)}
    return {name.as_posix(): path.read_bytes() for name, path in seen.items()}


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


def read_boundaries() -> dict:
    """The countries' boundaries of data/reference/, a TopoJSON topology."""
    return json.loads((project_root() / "data/reference/world_boundaries.json").read_text("utf-8"))


def write_document(content: str | bytes, name: str) -> None:
    """Write a table in its published form (.html text, .docx bytes) under data/processed/."""
    replace_file(processed(name), content.encode() if isinstance(content, str) else content)


def write_table(table: pd.DataFrame, name: str) -> None:
    """Write a tidy table, unrounded, under data/processed/; 65.0 is written as 65.

    Text that a spreadsheet would run as a formula gets an apostrophe in front. No sheet holds such text (intake refuses
    it); an export of a search may.
    """
    replace_file(processed(name), table.map(_plain).to_csv(index=False, lineterminator="\n").encode())


def _plain(value):
    if isinstance(value, str) and FORMULA.match(value):
        return f"'{value}"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else value
