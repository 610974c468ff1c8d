"""data/processed/manifest.csv: each output with its digest and the digests of what it comes from."""

import ast
import hashlib
from pathlib import Path

from peersupport.chain.outputs import (
    COLUMNS,
    MANIFEST,
    NOT_READ,
    ORIGINS,
    PACKAGE,
    VERSION,
    as_csv,
    output_stamps,
    read_rows,
)


def digest(*parts):
    """Of bytes or text, each with its length, so that moving a boundary is a change."""
    found = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        found.update(b"%d:" % len(content) + content)
    return found.hexdigest()


def read_manifest(root):
    """Path to row; empty where no run has written a manifest yet."""
    path = root / MANIFEST
    if not path.is_file():
        return {}
    return {row["file"]: row for row in read_rows(path) if set(COLUMNS) <= row.keys()}


def write_manifest(root, rows):
    (root / MANIFEST).parent.mkdir(parents=True, exist_ok=True)
    (root / MANIFEST).write_bytes(as_csv([rows[path] for path in sorted(rows)], COLUMNS))


def manifest_row(root, path, notebook, origins):
    content = (root / path).read_bytes()
    about = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return {"file": path} | about | {"notebook": notebook} | origins


def origins(root, script, parameters, earlier):
    """What the outputs of a notebook come from, a digest each; earlier: the same of the notebook before it, or {}."""
    now = {
        "raw_sheets": digest_of_files(root, sheet_files(root)),
        "code": digest_of_files(root, [script, *modules(root, script), root / "requirements.lock"]),
        "parameters": digest(repr(sorted(parameters.items()))),
    }
    return {name: digest(now[name], earlier.get(name, ""))[:16] for name in ORIGINS}


def digest_of_files(root, paths):
    there = [path for path in paths if path.is_file()]
    named = ((path.relative_to(root).as_posix(), path.read_bytes()) for path in sorted(there))
    return digest(*(part for pair in named for part in pair))


def sheet_files(root):
    processed = root / "data/processed"
    found = (p for p in (root / "data").rglob("*") if p.is_file() and processed not in p.parents)
    read = (p for p in found if p.suffix not in NOT_READ or p.name == VERSION)
    return [p for p in read if not p.name.startswith((".", "~"))]


def modules(root, script):
    """The files of the package that a notebook imports, and those that they import."""
    found, left = set(), [script]
    while left:
        for path in imported(root, left.pop()):
            if path not in found:
                found.add(path)
                left.append(path)
    return found


def imported(root, script):
    """The package's modules that one file names in an import; a name that is no module is passed over."""
    names = set()
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    for name in names:
        if name.split(".")[0] == PACKAGE:
            place = root / "src" / Path(*name.split("."))
            yield from (p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file())


def manifest_problems(root, expected):
    """One sentence for each output that the manifest does not describe as it is, or whose origins have changed.

    expected: the origins of each notebook as they would be recorded now.
    """
    listed = read_manifest(root)
    stored = {path for path in output_stamps(root)}
    stored |= {f"notebooks/{name}.ipynb" for name in expected}
    stored = {path for path in stored if (root / path).is_file()}
    if not listed:
        return [f"{MANIFEST} is missing: ./run_all.sh writes it."] if stored else []
    problems = [f"{path} is not in {MANIFEST}." for path in stored - listed.keys()]
    problems += [f"{path} is in {MANIFEST}, but not there." for path in listed.keys() - stored]
    for path in stored & listed.keys():
        row = listed[path]
        now = manifest_row(root, path, row["notebook"], {})
        if (now["sha256"], str(now["bytes"])) != (row["sha256"], row["bytes"]):
            problems.append(f"{path} is not the file that {MANIFEST} describes.")
    return sorted(problems) + stale(listed, expected)


def stale(listed, expected):
    problems = []
    for notebook in sorted({row["notebook"] for row in listed.values()}):
        rows = [row for row in listed.values() if row["notebook"] == notebook]
        if notebook not in expected:
            problems.append(f"{MANIFEST} lists outputs of {notebook}, which is no notebook here.")
            continue
        now = expected[notebook]
        older = [name for name in ORIGINS if any(row[name] != now[name] for row in rows)]
        if older:
            what = " and ".join(name.replace("_", " ") for name in older)
            problems.append(
                f"The outputs of {notebook} are older than the {what} that they come from: "
                f"./run_all.sh --from {notebook[:2]}"
            )
    return problems
