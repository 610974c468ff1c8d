"""The files that the notebooks write: which there are, how they reach the project, and the manifest that lists them.

data/processed/manifest.csv has one row per output: its notebook, its hash, and digests of the raw sheets, the code and
the parameters that it came from. A digest covers the earlier notebooks too, as they were when they ran.
"""

import csv
import io
import os
import shutil

OUTPUT_FOLDERS = ("data/processed", "figures")
MANIFEST = "data/processed/manifest.csv"
FIGURE_INDEX = "figures/index.csv"
CHANGES = (  # written by --changes alone: no notebook's outputs
    "data/processed/changes.md",
    "data/processed/tables/changes.csv",
    "figures/changes.svg",
    "figures/changes.png",
)
ORIGINS = ("raw_sheets", "code", "parameters")
COLUMNS = ("file", "sha256", "bytes", "notebook", *ORIGINS)
PACKAGE = "peersupport"
NOT_READ = (".md", "")  # documentation beside the sheets
VERSION = "VERSION"  # but this is read


def output_stamps(root):
    """Path to what changes when a file is written again, for every output of a notebook."""
    files = [p for folder in OUTPUT_FOLDERS for p in (root / folder).rglob("*") if p.is_file()]
    paths = {p.relative_to(root).as_posix(): p for p in sorted(files) if not p.name.startswith(".")}
    return {path: stamp(p.stat()) for path, p in paths.items() if path not in (MANIFEST, *CHANGES)}


def stamp(status):
    return status.st_ino, status.st_size, status.st_mtime_ns


def changed(before, after):
    return [path for path, now in after.items() if before.get(path) != now]


def publish(scratch, root, path):
    """In one step per file: a reader finds the old file or the new one, even after a power cut."""
    part, target = scratch / "part", root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(scratch / path, part)
    with open(part, "rb") as written:
        os.fsync(written.fileno())
    os.replace(part, target)


def hand_in(place, scratch, paths):
    """Moves what one notebook wrote in its own place to where all outputs are; its index joins the others'."""
    for path in paths:
        target = scratch / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path == FIGURE_INDEX and target.is_file():
            add_lines(place / path, target)
        else:
            os.replace(place / path, target)


def add_lines(index, target):
    own, others = ({row["file"]: row for row in read_rows(path)} for path in (index, target))
    lines = [row for _, row in sorted((others | own).items())]
    target.write_bytes(as_csv(lines, list(lines[0])))


def read_rows(path):
    with open(path, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def remove_outputs_except(root, kept):
    for path in output_stamps(root):
        if path not in kept:
            (root / path).unlink()
            print(f"removed {path}, which no notebook writes any more")


def forget(scratch, notebooks, rows):
    """Takes out what these notebooks wrote last time, so that what they write no more is not carried on."""
    for path, row in rows.items():
        if row["notebook"] in notebooks and path != FIGURE_INDEX:
            (scratch / path).unlink(missing_ok=True)
    index = scratch / FIGURE_INDEX
    if index.is_file():
        figures = read_rows(index)
        kept = [figure for figure in figures if figure["notebook"] not in notebooks]
        if figures:
            index.write_bytes(as_csv(kept, list(figures[0])))


def as_csv(rows, columns):
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
