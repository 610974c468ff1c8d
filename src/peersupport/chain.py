"""Runs the numbered notebooks in order, and checks that what is stored is what they give today.

Run from the project's folder: python -m peersupport.chain run [--from NN] | check
"""

import argparse
import ast
import fcntl
import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import jupytext
import nbformat
import papermill
import yaml

OUTPUT_FOLDERS = ("data/processed", "figures")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
QUIET_KERNEL = "--IPKernelApp.log_level=50"
MACHINE_TRACES = (".chain/", "site-packages", "ipykernel_")


class Problem(Exception):
    """A sentence for the person at the terminal."""


def numbered_notebooks(root):
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.py"))


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


def run(root, start=None):
    scripts = numbered_notebooks(root)
    if not scripts:
        raise Problem("There is no notebook to run: notebooks/ holds no file such as 01_name.py.")
    chosen = from_number(scripts, start) if start else scripts
    refuse_unsaved_edits(chosen)
    scratch = fresh_copy(root, ".chain/run", keep_outputs=bool(start))
    summary = []
    for script in chosen:
        began, before = time.monotonic(), output_stamps(scratch)
        execute(scratch / "notebooks" / script.name)
        written = changed(before, output_stamps(scratch))
        for path in [*written, f"notebooks/{script.stem}.ipynb"]:
            publish(scratch, root, path)
        summary.append((script.stem, time.monotonic() - began, len(written) + 1))
    if not start:
        remove_outputs_except(root, output_stamps(scratch))
    shutil.rmtree(scratch)
    print_summary(summary)


def refuse_unsaved_edits(scripts):
    for script in scripts:
        pair = script.with_suffix(".ipynb")
        if pair.exists() and pair.stat().st_mtime > script.stat().st_mtime:
            if first_difference(script, nbformat.read(pair, as_version=4)):
                raise Problem(
                    f"notebooks/{pair.name} was edited later than its text {script.name}; keep the "
                    f"edits with `jupytext --sync notebooks/{pair.name}`, or delete the .ipynb."
                )


def fresh_copy(root, name, keep_outputs, notebooks="*.py"):
    """The project's inputs in an ignored folder, so that nothing half-made reaches the project."""
    scratch = root / name
    shutil.rmtree(scratch, ignore_errors=True)
    for folder in ("data", "figures"):
        if (root / folder).exists():
            shutil.copytree(root / folder, scratch / folder)
    if not keep_outputs:
        for folder in OUTPUT_FOLDERS:
            shutil.rmtree(scratch / folder, ignore_errors=True)
    (scratch / "notebooks").mkdir(parents=True)
    for source in (root / "notebooks").glob(notebooks):
        shutil.copy2(source, scratch / "notebooks")
    for settings in ("parameters.yml", "pyproject.toml"):
        shutil.copy2(root / settings, scratch)
    return scratch


def execute(script):
    """Leaves the executed notebook beside its script."""
    pair = script.with_suffix(".ipynb")
    notebook = jupytext.read(script)
    notebook.metadata = nbformat.from_dict(METADATA)
    settings = yaml.safe_load((script.parents[1] / "parameters.yml").read_text("utf-8"))
    declared = declared_parameters(notebook)
    nbformat.write(notebook, pair)
    try:
        executed = papermill.execute_notebook(
            pair,
            pair,
            parameters={name: settings[name] for name in declared if name in settings},
            progress_bar={"desc": script.stem, "file": sys.stdout},
            cwd=script.parent,
            extra_arguments=[QUIET_KERNEL],
        )
    except Exception as error:
        raise Problem(failure(script.stem, notebook, pair, error)) from error
    nbformat.write(normalised(executed), pair)


def failure(stem, notebook, pair, error):
    number, source = failed_cell(notebook, nbformat.read(pair, as_version=4))
    name = getattr(error, "ename", type(error).__name__)
    message = str(getattr(error, "evalue", error)).strip()
    return f"notebook: {stem}\ncell:     {number}, {first_line(source)}\nerror:    {name}: {message}"


def failed_cell(notebook, executed):
    """Its number among the code cells of the text, and its source."""
    cells = [c for c in code_cells(executed) if not is_tagged(c, "injected-parameters")]
    for number, cell in enumerate(cells, start=1):
        if cell.metadata.get("papermill", {}).get("status") in ("failed", "running"):
            return number, cell.source
    return "none", "the notebook did not start"


def output_stamps(root):
    files = [p for folder in OUTPUT_FOLDERS for p in (root / folder).rglob("*") if p.is_file()]
    visible = [p for p in files if not p.name.startswith(".")]
    return {p.relative_to(root).as_posix(): stamp(p.stat()) for p in sorted(visible)}


def stamp(status):
    return status.st_ino, status.st_size, status.st_mtime_ns


def changed(before, after):
    return [path for path, now in after.items() if before.get(path) != now]


def publish(scratch, root, path):
    """In one step per file: a reader finds the old file or the new one."""
    part, target = scratch / "part", root / path
    shutil.copyfile(scratch / path, part)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, target)


def remove_outputs_except(root, kept):
    for path in output_stamps(root):
        if path not in kept:
            (root / path).unlink()
            print(f"removed {path}, which no notebook writes any more")


def print_summary(summary):
    total = ("total", sum(s for _, s, _ in summary), sum(n for _, _, n in summary))
    for name, seconds, files in [*summary, total]:
        print(f"{name:<32} {seconds:6.1f} s {files:4d} files")


def check(root):
    """Every step runs, whatever the others say; the last lines name each with its result."""
    steps = {
        "ruff": check_style,
        "pairs": check_pairs,
        "tests": check_tests,
        "nbval": check_notebooks,
        "outputs": check_outputs,
    }
    passed = {}
    for name, step in steps.items():
        print(f"== {name}", flush=True)
        passed[name] = step(root)
    print()
    for name, good in passed.items():
        print(f"{name:<8} {'passed' if good else 'FAILED'}")
    return all(passed.values())


def succeeds(root, *command):
    return subprocess.run([sys.executable, "-m", *command], cwd=root).returncode == 0


def none_of(problems):
    for problem in problems:
        print(problem)
    return not problems


def check_style(root):
    return succeeds(root, "ruff", "check") & succeeds(root, "ruff", "format", "--check")


def check_tests(root):
    return succeeds(root, "pytest", "tests")


def check_notebooks(root):
    scratch = fresh_copy(root, ".chain/check", keep_outputs=False, notebooks="[0-9]*.ipynb")
    options = ("-p", "no:cacheprovider", "--nbval", "--nbval-current-env", "notebooks")
    return succeeds(scratch, "pytest", *options)


def check_outputs(root):
    return none_of(output_differences(root / ".chain/check", root))


def output_differences(fresh, stored):
    """One sentence for each stored output that is not, byte for byte, what the notebooks wrote."""
    new, old = output_stamps(fresh), output_stamps(stored)
    problems = [f"{path} is stored, but no notebook writes it." for path in old.keys() - new.keys()]
    problems += [f"{path} is written by a notebook, but not stored." for path in new.keys() - old]
    for path in new.keys() & old.keys():
        if not filecmp.cmp(fresh / path, stored / path, shallow=False):
            problems.append(f"{path} is not what the notebooks write today.")
    return sorted(problems)


def check_pairs(root):
    settings = yaml.safe_load((root / "parameters.yml").read_text("utf-8"))
    scripts, pairs = numbered_notebooks(root), (root / "notebooks").glob("[0-9][0-9]_*.ipynb")
    names = {script.stem for script in scripts}
    problems = [f"notebooks/{p.name} has no text pair." for p in pairs if p.stem not in names]
    for script in scripts:
        problems += pair_problems(script) + parameter_problems(script, settings)
    return none_of(problems)


def pair_problems(script):
    pair = script.with_suffix(".ipynb")
    if not pair.exists():
        return [f"notebooks/{script.name} was never run: {pair.name} is missing."]
    notebook = nbformat.read(pair, as_version=4)
    problems = []
    if number := first_difference(script, notebook):
        problems.append(f"notebooks/{script.stem}: .py and .ipynb differ from cell {number} on.")
    if not script.read_text("utf-8").startswith(text_header()):
        problems.append(
            f"notebooks/{script.name} does not begin as jupytext writes it; "
            f"renew it with `jupytext --to py:percent notebooks/{pair.name}`."
        )
    if not any(cell.outputs for cell in code_cells(notebook)):
        problems.append(f"notebooks/{pair.name} has no stored outputs.")
    outputs = str([cell.outputs for cell in code_cells(notebook)])
    problems += [
        f"notebooks/{pair.name} shows a path of the machine that ran it ({trace})."
        for trace in MACHINE_TRACES
        if trace in outputs
    ]
    return problems


def parameter_problems(script, settings):
    problems = []
    for name, default in declared_parameters(jupytext.read(script)).items():
        if name not in settings:
            problems.append(f"notebooks/{script.name}: {name} is not in parameters.yml.")
        elif default != settings[name]:
            problems.append(
                f"notebooks/{script.name}: {name} is {default!r} there, "
                f"but {settings[name]!r} in parameters.yml."
            )
    return problems


@contextmanager
def only_run(root):
    """Held by the open file, so that a killed run leaves no lock behind."""
    (root / ".chain").mkdir(exist_ok=True)
    with open(root / ".chain/lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("Another run is at work in this folder; wait until it ends.") from None
        yield


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="peersupport.chain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run").add_argument("--from", dest="start", metavar="NN")
    commands.add_parser("check")
    options = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        with only_run(root):
            if options.command == "check":
                return 0 if check(root) else 1
            run(root, options.start)
            return 0
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the outputs of the notebooks that had ended are kept.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
