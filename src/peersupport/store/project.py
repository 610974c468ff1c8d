"""The project's folder, and places within it that nothing leads out of."""

import os
from pathlib import Path
from typing import Any

import yaml

MARKER = "parameters.yml"


def project_root() -> Path:
    """The folder that holds parameters.yml, at or above the working directory."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / MARKER).is_file():
            return folder
    raise FileNotFoundError(f"{MARKER} is neither in {here} nor above it: start from inside the project folder.")


def setting(name: str) -> Any:
    """What parameters.yml says under that name: for long declarations, which stand there alone. KeyError: not there."""
    settings = yaml.safe_load((project_root() / MARKER).read_text("utf-8")) or {}
    if name not in settings:
        raise KeyError(f"{MARKER} has no {name}: a notebook reads it from there.")
    return settings[name]


def processed(name: str) -> Path:
    return inside(project_root() / "data/processed", name)


def inside(folder: Path, name: str) -> Path:
    """The place of that name within the folder; a name made from a sheet's cell cannot lead out of it."""
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} leads out of {folder.name}/: an output keeps to its folder.")
    return folder / name


def replace_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")  # two notebooks may write the index of figures at once
    part.write_bytes(content)
    os.replace(part, path)
