"""The project's folder, and places within it that nothing leads out of."""

import os
from pathlib import Path

MARKER = "parameters.yml"


def project_root() -> Path:
    """The folder that holds parameters.yml, at or above the working directory."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / MARKER).is_file():
            return folder
    raise FileNotFoundError(f"{MARKER} is neither in {here} nor above it: start from inside the project folder.")


def processed(name: str) -> Path:
    return inside(project_root() / "data/processed", name)


def inside(folder: Path, name: str) -> Path:
    """The place of that name within the folder; a name made from a sheet's cell cannot lead out of it."""
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} leads out of {folder.name}/: an output keeps to its folder.")
    return folder / name


def replace_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)
