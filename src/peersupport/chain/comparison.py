"""What differs between an output as it is stored and as the notebooks write it now: the first place, in words."""

import csv
import itertools
import zipfile
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

REPRODUCED, DIFFERS, MISSING, NEW = "reproduced", "differs", "missing", "new"
WIDEST = 60


def compare(fresh: Path, stored: Path, paths) -> list[tuple[str, str, str]]:
    """(status, path, detail) of each path; missing: not written any more, new: written but not stored."""
    return [(*_status(fresh / path, stored / path, path),) for path in sorted(paths)]


def _status(now, before, path):
    if not now.is_file():
        return MISSING, path, "stored, but no notebook writes it"
    if not before.is_file():
        return NEW, path, "written now, but not stored"
    if now.read_bytes() == before.read_bytes():
        return REPRODUCED, path, ""
    return DIFFERS, path, difference(before, now)


def difference(before: Path, now: Path) -> str:
    """The first difference of two files of one kind; a file that cannot be read as its kind says so."""
    describe = KINDS.get(before.suffix, _binary)
    try:
        found = describe(before, now)
    except Exception as error:  # a spoiled file may break its reader in any way
        return f"cannot be read as {before.suffix}: {type(error).__name__}; {_binary(before, now)}"
    return found or f"the same content, but {_binary(before, now)}"


def summary(results) -> str:
    """The closing line."""
    good = sum(status == REPRODUCED for status, _, _ in results)
    line = f"{good} of {len(results)} outputs reproduced, byte for byte"
    counts = {s: sum(status == s for status, _, _ in results) for s in (DIFFERS, MISSING, NEW)}
    others = [f"{number} {status}" for status, number in counts.items() if number]
    return f"{line}; {', '.join(others)}" if others else line


# ---------------------------------------------------------------- kinds of files


def _table(before, now):
    old, new = _rows(before), _rows(now)
    if not old or not new:
        return f"{len(old)} rows stored, {len(new)} now"
    if old[0] != new[0]:
        gone, come = (sorted(set(x) - set(y)) for x, y in ((old[0], new[0]), (new[0], old[0])))
        return f"columns: stored without {come}, now without {gone}" if gone or come else "columns in another order"
    for number, (one, other) in enumerate(zip(old, new, strict=False), start=1):
        cells = itertools.zip_longest(old[0], one, other, fillvalue="")
        for column, a, b in ((c, a, b) for c, a, b in cells if a != b):
            count = sum(x != y for x, y in zip(old, new, strict=False))
            rows = f" ({count} rows differ)" if count > 1 else ""
            return f"row {number} ({_short(one[0])}), column {column}: {_short(a)} stored, {_short(b)} now{rows}"
    return "" if len(old) == len(new) else f"{len(old) - 1} rows stored, {len(new) - 1} now"


def _rows(path):
    return list(csv.reader(path.read_text("utf-8").splitlines(keepends=True)))


def _picture(before, now):
    old, new = (np.asarray(Image.open(p).convert("RGBA"), dtype=int) for p in (before, now))
    if old.shape != new.shape:
        sizes = (f"{x.shape[1]} x {x.shape[0]}" for x in (old, new))
        return "{} pixels stored, {} now".format(*sizes)
    apart = np.abs(old - new).max(axis=2)
    count = int((apart > 0).sum())
    share = f"{count} of {apart.size} pixels differ, by up to {apart.max()} of 255"
    return f"{share}, the first at {_first(apart > 0)}" if count else ""


def _first(mask):
    row, column = np.argwhere(mask)[0]
    return f"({column}, {row})"


def _drawing(before, now):
    """A vector drawing is text; the size of the difference is that of its .png, where there is one."""
    found = _text(before, now)
    pixels = [path.with_suffix(".png") for path in (before, now)]
    if found and all(path.is_file() for path in pixels):
        return f"{found}; its .png: {_picture(*pixels) or 'no pixel differs'}"
    return found


def _text(before, now):
    old, new = (path.read_text("utf-8").splitlines() for path in (before, now))
    for number, (one, other) in enumerate(zip(old, new, strict=False), start=1):
        if one != other:
            return f"line {number}: {_short(*_around(one, other))} stored, {_short(*_around(other, one))} now"
    return "" if len(old) == len(new) else f"{len(old)} lines stored, {len(new)} now"


def _notebook(before, now):
    old, new = (nbformat.read(path, as_version=4).cells for path in (before, now))
    for number, (one, other) in enumerate(zip(old, new, strict=False), start=1):
        if one.source != other.source or one.cell_type != other.cell_type:
            texts = one.source, other.source
            return f"cell {number}, its text: {_pair(*texts)}"
        if one.get("outputs") != other.get("outputs"):
            return (
                f"cell {number} ({_short(_first_line(one.source))}), its output: {_outputs(one.outputs, other.outputs)}"
            )
    return "" if len(old) == len(new) else f"{len(old)} cells stored, {len(new)} now"


def _outputs(old, new):
    for one, other in zip(old, new, strict=False):
        if one != other:
            return _pair(*(_shown(output) for output in (one, other)))
    return f"{len(old)} parts stored, {len(new)} now"


def _shown(output):
    data = output.get("data", {})
    kind = next((k for k in ("text/html", "text/markdown", "text/plain") if k in data), None)
    return str(data[kind] if kind else output.get("text", data or output))


def _document(before, now):
    old, new = (_members(path) for path in (before, now))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            return f"{name} within the file"
    return ""


def _members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _binary(before, now):
    old, new = before.read_bytes(), now.read_bytes()
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    return f"{len(old)} bytes stored, {len(new)} now, alike up to byte {same}"


def _pair(old, new):
    return f"{_short(*_around(old, new))} stored, {_short(*_around(new, old))} now"


def _around(text, other):
    """The text from a little before the first character in which it differs from the other."""
    same = sum(1 for _ in itertools.takewhile(lambda p: p[0] == p[1], zip(text, other, strict=False)))
    return (text, 0) if same < WIDEST // 2 else (text, same - 15)


def _short(text, start=0):
    flat = " ".join(text[start:].split())
    cut = flat[:WIDEST] + "…" if len(flat) > WIDEST else flat
    return f"{'…' if start else ''}{cut}" if cut else "(blank)"


def _first_line(source):
    return source.strip().splitlines()[0] if source.strip() else ""


KINDS = {
    ".csv": _table,
    ".png": _picture,
    ".svg": _drawing,
    ".ipynb": _notebook,
    ".docx": _document,
    ".xlsx": _document,
    ".html": _text,
    ".md": _text,
    ".txt": _text,
    ".json": _text,
}
