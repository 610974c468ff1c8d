"""A notebook and the text script of the same name: what both hold, and what the notebook holds besides."""

import ast
import hashlib
import re

import jupytext
import nbformat
import yaml

READ_SETTING = re.compile(r"\bsetting\(\"(\w+)\"\)")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


class Problem(Exception):
    """A sentence for the person at the terminal."""


def numbered_notebooks(root):
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.py"))


def executed_notebooks(root):
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def from_number(scripts, start):
    chosen = [script for script in scripts if script.stem >= start.zfill(2)]
    if not any(script.stem.startswith(start.zfill(2)) for script in scripts):
        known = ", ".join(script.stem[:2] for script in scripts)
        raise Problem(f"No notebook begins with {start}; there are {known}.")
    return chosen


def is_tagged(cell, tag):
    return tag in cell.metadata.get("tags", [])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def first_line(source):
    lines = [line for line in source.splitlines() if line.strip() and not line.startswith("#")]
    return lines[0] if lines else ""


def declared_parameters(notebook):
    """The names and defaults that the cell tagged `parameters` assigns."""
    declared = {}
    for cell in notebook.cells:
        if is_tagged(cell, "parameters"):
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, ast.Assign | ast.AnnAssign):
                    targets = getattr(statement, "targets", None) or [statement.target]
                    declared |= {t.id: ast.literal_eval(statement.value) for t in targets}
    return declared


def normalised(notebook):
    """Without anything that papermill, a kernel or a machine added; cells as in the text."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.cells = [c for c in notebook.cells if not is_tagged(c, "injected-parameters")]
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
        cell.outputs = merged_streams(cell.outputs)
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
    for cell, identity in zip(notebook.cells, cell_ids(notebook.cells), strict=True):
        cell.id = identity
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    return notebook


def merged_streams(outputs):
    merged = []
    for output in outputs:
        last = merged[-1] if merged else {}
        if output.output_type == "stream" and output.get("name") == last.get("name"):
            last["text"] += output.text
        else:
            merged.append(output)
    return merged


def cell_ids(cells):
    """From the content, so that inserting a cell leaves the other ids alone."""
    seen = {}
    for cell in cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        yield f"{digest}-{seen[digest]}"


def comparable(notebook):
    """What a pair must agree on: type, tags and source of each cell, as text keeps them."""
    kept = jupytext.reads(jupytext.writes(notebook, fmt="py:percent"), fmt="py:percent")
    return [(c.cell_type, tuple(c.metadata.get("tags", [])), c.source) for c in kept.cells]


def text_header():
    """What every text begins with: the kernel and nothing that depends on a version."""
    settings = {"jupytext": {"notebook_metadata_filter": "kernelspec,-all"}}
    return jupytext.writes(nbformat.v4.new_notebook(metadata=METADATA | settings), "py:percent")


def first_difference(script, notebook):
    ours, theirs = comparable(jupytext.read(script)), comparable(notebook)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False), start=1):
        if one != other:
            return number
    return None if len(ours) == len(theirs) else min(len(ours), len(theirs)) + 1


def used_parameters(root, notebook):
    """The settings of parameters.yml that the notebook declares."""
    return _of_settings(root, declared_parameters(notebook))


def read_settings(root, notebook):
    """The settings that the notebook reads from parameters.yml itself: setting("name")."""
    return _of_settings(root, [name for cell in code_cells(notebook) for name in READ_SETTING.findall(cell.source)])


def _of_settings(root, names):
    settings = yaml.safe_load((root / "parameters.yml").read_text("utf-8")) or {}
    return {name: settings[name] for name in names if name in settings}


def refuse_unsaved_edits(scripts):
    for script in scripts:
        pair = script.with_suffix(".ipynb")
        if pair.exists() and pair.stat().st_mtime > script.stat().st_mtime:
            if first_difference(script, nbformat.read(pair, as_version=4)):
                raise Problem(
                    f"notebooks/{pair.name} was edited later than its text {script.name}; keep the "
                    f"edits with `jupytext --sync notebooks/{pair.name}`, or delete the .ipynb."
                )
