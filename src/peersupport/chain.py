"""Runs the numbered notebooks in order, and checks that what is stored is what they give today.

Run from the project's folder: python -m peersupport.chain run [--from NN] | verify | check [--all]
"""

import argparse
import ast
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import jupytext
import nbformat
import papermill
import yaml

from peersupport import comparison
from peersupport.outputs import (
    FIGURE_INDEX,
    MANIFEST,
    OUTPUT_FOLDERS,
    changed,
    forget,
    hand_in,
    manifest_problems,
    manifest_row,
    origins,
    output_stamps,
    publish,
    read_manifest,
    remove_outputs_except,
    write_manifest,
)
from peersupport.side_by_side import Ended, forerunners, run_in_order

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
QUIET_KERNEL = "--IPKernelApp.log_level=50"
MACHINE_TRACES = (".chain/", "site-packages", "ipykernel_")
ELSEWHERE = {  # another person's machine, as far as its environment can say it
    "PYTHONHASHSEED": "4711",
    "TZ": "Asia/Kathmandu",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "C",
    "USER": "somebody",
    "LOGNAME": "somebody",
    "HOSTNAME": "elsewhere",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
}


KEPT = "The outputs of the notebooks that had ended are kept, the others are as before."


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


def run(root, start=None):
    scripts = numbered_notebooks(root)
    if not scripts:
        raise Problem("There is no notebook to run: notebooks/ holds no file such as 01_name.py.")
    chosen = from_number(scripts, start) if start else scripts
    refuse_unsaved_edits(chosen)
    before = rows = read_manifest(root)
    sources = expected_origins(root, rows, chosen[0].stem)
    scratch = fresh_copy(root, "run", keep_outputs=bool(start))
    forget(scratch, {script.stem for script in chosen}, rows)
    began, written = time.monotonic(), {}
    for stem, new in run_notebooks(scratch, [script.stem for script in chosen], sources):
        rows = {path: row for path, row in rows.items() if row["notebook"] != stem} | new
        written |= new
        write_manifest(scratch, rows)
        for path in [*new, MANIFEST]:
            publish(scratch, root, path)
    if start:
        kept = output_stamps(root).keys() - (before.keys() - rows.keys())
    else:
        kept = rows = {path: row for path, row in rows.items() if row["notebook"] in sources}
        write_manifest(scratch, rows)
        publish(scratch, root, MANIFEST)
    remove_outputs_except(root, kept)
    shutil.rmtree(scratch)
    tell("total", began, written)


def run_notebooks(scratch, names, sources):
    """Runs these notebooks, side by side where none waits for another, and hands in what they write.

    Yields each name with the rows of the manifest for its outputs; the index of figures is the last notebook's.
    """
    scripts = numbered_notebooks(scratch)
    waits = {
        name: others & set(names) for name, others in forerunners(scripts).items() if name in names
    }
    last, began = scripts[-1].stem, time.monotonic()
    at_once = processors() + 1  # a notebook also waits, for its kernel or its disk
    for stem, paths in run_in_order(waits, partial(run_apart, scratch, names), at_once):
        hand_in(own_place(scratch, stem), scratch, paths)
        shutil.rmtree(own_place(scratch, stem))
        owners = dict.fromkeys(paths, stem)
        if (scratch / FIGURE_INDEX).is_file():
            owners[FIGURE_INDEX] = last
        tell(stem, began, paths)
        yield (
            stem,
            {p: manifest_row(scratch, p, owner, sources[owner]) for p, owner in owners.items()},
        )


def run_apart(scratch, names, stem):
    """Runs one notebook on a copy of what is there; the paths of what it wrote in that copy."""
    place = own_place(scratch, stem)
    copy_inputs(scratch, place, notebooks="*.py")
    before = output_stamps(place)
    execute(place / f"notebooks/{stem}.py", names.index(stem))
    return [*changed(before, output_stamps(place)), f"notebooks/{stem}.ipynb"]


def own_place(scratch, stem):
    return scratch / "apart" / stem


def processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def tell(name, began, files):
    print(f"{name:<32} {time.monotonic() - began:6.1f} s {len(files):4d} files", flush=True)


def expected_origins(root, rows=None, start=""):
    """What each notebook's outputs come from; those before `start` as the rows of the manifest say."""
    recorded = {row["notebook"]: row for row in (rows or {}).values()}
    found, earlier = {}, {}
    for script in numbered_notebooks(root):
        if script.stem < start:
            earlier = recorded.get(script.stem, {})
        else:
            earlier = origins(root, script, used_parameters(root, jupytext.read(script)), earlier)
        found[script.stem] = earlier
    return found


def used_parameters(root, notebook):
    """The settings of parameters.yml that the notebook declares."""
    settings = yaml.safe_load((root / "parameters.yml").read_text("utf-8")) or {}
    return {name: settings[name] for name in declared_parameters(notebook) if name in settings}


def verify(root):
    """True where each stored output is, byte for byte, what comes out of data/raw/ once more."""
    scratch = fresh_copy(root, "verify", keep_outputs=False)
    try:
        run_all(scratch, expected_origins(root))
    except (Problem, Ended) as problem:
        print(problem, file=sys.stderr)
    paths = everything_written(scratch) | everything_written(root)
    results = comparison.compare(scratch, root, paths)
    for status, path, detail in results:
        print(f"{status:<11} {path}" + (f"\n{'':<11} {detail}" if detail else ""))
    reproduced = all(status == comparison.REPRODUCED for status, _, _ in results)
    if reproduced:
        shutil.rmtree(scratch)
    else:
        print(f"What came out now is in {scratch.relative_to(root)}/.")
    print(comparison.summary(results))
    return reproduced


def run_all(scratch, sources):
    rows = {}
    for _, new in run_notebooks(scratch, list(sources), sources):
        rows |= new
    write_manifest(scratch, rows)


def everything_written(root):
    notebooks = {path.relative_to(root).as_posix() for path in executed_notebooks(root)}
    manifest = {MANIFEST} if (root / MANIFEST).is_file() else set()
    return output_stamps(root).keys() | notebooks | manifest


def refuse_unsaved_edits(scripts):
    for script in scripts:
        pair = script.with_suffix(".ipynb")
        if pair.exists() and pair.stat().st_mtime > script.stat().st_mtime:
            if first_difference(script, nbformat.read(pair, as_version=4)):
                raise Problem(
                    f"notebooks/{pair.name} was edited later than its text {script.name}; keep the "
                    f"edits with `jupytext --sync notebooks/{pair.name}`, or delete the .ipynb."
                )


def scratch_folder(root, task):
    """Another one for each process: a kernel that outlives a killed run finds its own, not the next run's."""
    return root / f".chain/{task}-{os.getpid()}"


def fresh_copy(root, task, keep_outputs, notebooks="*.py"):
    """The project's inputs in an ignored folder, so that nothing half-made reaches the project."""
    for old in (root / ".chain").glob(f"{task}-*"):
        shutil.rmtree(old, ignore_errors=True)
    scratch = scratch_folder(root, task)
    copy_inputs(root, scratch, notebooks)
    if not keep_outputs:
        for folder in OUTPUT_FOLDERS:
            shutil.rmtree(scratch / folder, ignore_errors=True)
    return scratch


def copy_inputs(root, scratch, notebooks):
    for folder in ("data", "figures"):
        if (root / folder).exists():
            shutil.copytree(root / folder, scratch / folder)
    (scratch / "notebooks").mkdir(parents=True)
    for source in (root / "notebooks").glob(notebooks):
        shutil.copy2(source, scratch / "notebooks")
    for settings in ("parameters.yml", "pyproject.toml"):
        shutil.copy2(root / settings, scratch)


def execute(script, line=0):
    """Leaves the executed notebook beside its script; its progress is shown on that line of a terminal."""
    pair = script.with_suffix(".ipynb")
    notebook = jupytext.read(script)
    notebook.metadata = nbformat.from_dict(METADATA)
    nbformat.write(notebook, pair)
    try:
        executed = papermill.execute_notebook(
            pair,
            pair,
            parameters=used_parameters(script.parents[1], notebook),
            progress_bar={"desc": script.stem, "file": sys.stdout, "disable": None}
            | {"position": line, "leave": False},
            cwd=script.parent,
            extra_arguments=[QUIET_KERNEL],
        )
    except Exception as error:
        raise Problem(failure(script.stem, notebook, pair, error)) from error
    nbformat.write(normalised(executed), pair)


def failure(stem, notebook, pair, error):
    number, source = failed_cell(pair)
    name = getattr(error, "ename", type(error).__name__)
    message = str(getattr(error, "evalue", error)).strip()
    return (
        f"notebook: {stem}\ncell:     {number}, {first_line(source)}\nerror:    {name}: {message}"
    )


def failed_cell(pair):
    """Its number among the code cells of the text, and its source."""
    try:
        executed = nbformat.read(pair, as_version=4)
    except Exception:  # cut short, as on a full disk
        return "none", "the notebook could not be stored"
    cells = [c for c in code_cells(executed) if not is_tagged(c, "injected-parameters")]
    for number, cell in enumerate(cells, start=1):
        if cell.metadata.get("papermill", {}).get("status") in ("failed", "running"):
            return number, cell.source
    return "none", "the notebook did not start"


def check(root, everything=False):
    """Every step runs, whatever the others say; the last lines name each with its result."""
    steps = {
        "ruff": check_style,
        "pairs": check_pairs,
        "manifest": check_manifest,
        "tests": check_tests,
        "nbval": check_notebooks,
        "outputs": check_outputs,
    }
    if everything:
        steps |= {path.stem: partial(check_sweep, path) for path in sweeps(root)}
    passed = {}
    for name, step in steps.items():
        print(f"== {name}", flush=True)
        passed[name] = step(root)
    print()
    for name, good in passed.items():
        print(f"{name:<12} {'passed' if good else 'FAILED'}")
    return all(passed.values())


def sweeps(root):
    return sorted((root / "sweeps").glob("[a-z]*.py"))


def check_sweep(path, root):
    return subprocess.run([sys.executable, path], cwd=root).returncode == 0


def succeeds(root, *command, **environment):
    command = [sys.executable, "-m", *command]
    return subprocess.run(command, cwd=root, env=os.environ | environment).returncode == 0


def none_of(problems):
    found = list(problems)
    for problem in found:
        print(problem)
    return not found


def check_style(root):
    return succeeds(root, "ruff", "check") & succeeds(root, "ruff", "format", "--check")


def side_by_side():
    return "-n", str(processors()), "--dist", "loadfile"


def check_tests(root):
    return succeeds(root, "pytest", *side_by_side(), "tests")


def check_manifest(root):
    return none_of(manifest_problems(root, expected_origins(root)))


def check_notebooks(root):
    """In another environment than run's: what it gives must be the same to the byte.

    Each notebook reads the stored tables, so they run side by side: where all outputs come out as stored, a run in order
    gives them too. What no notebook wrote again is taken out, so that the next step misses it.
    """
    scratch = fresh_copy(root, "check", keep_outputs=True, notebooks="[0-9]*")
    before = output_stamps(scratch)
    home = scratch / "home"
    home.mkdir()
    options = ("-p", "no:cacheprovider", "--nbval", "--nbval-current-env", *side_by_side())
    passed = succeeds(scratch, "pytest", *options, "notebooks", HOME=str(home), **ELSEWHERE)
    for path in before.keys() - set(changed(before, output_stamps(scratch))):
        (scratch / path).unlink(missing_ok=True)
    return passed


def check_outputs(root):
    fresh = scratch_folder(root, "check")
    paths = output_stamps(fresh).keys() | output_stamps(root).keys()
    results = comparison.compare(fresh, root, paths)
    return none_of(f"{p} {s}: {d}" for s, p, d in results if s != comparison.REPRODUCED)


def check_pairs(root):
    settings = yaml.safe_load((root / "parameters.yml").read_text("utf-8"))
    scripts = numbered_notebooks(root)
    alone = {path.stem for path in executed_notebooks(root)} - {script.stem for script in scripts}
    problems = [f"notebooks/{stem}.ipynb has no text pair." for stem in sorted(alone)]
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
    """Held by this process alone, so that neither a killed run nor its notebooks leave a lock behind."""
    (root / ".chain").mkdir(exist_ok=True)
    with open(root / ".chain/lock", "w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("Another run is at work in this folder; wait until it ends.") from None
        yield


def in_words(error):
    """What the system says of a disk or a folder; of many files that could not be copied, the first."""
    if isinstance(error, shutil.Error):
        *_, reason = error.args[0][0]
        return str(reason).rpartition(" -> ")[0] or str(reason)
    return f"{error.strerror}: {error.filename}" if error.filename else str(error)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="peersupport.chain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run").add_argument("--from", dest="start", metavar="NN")
    commands.add_parser("verify")
    commands.add_parser("check").add_argument("--all", dest="everything", action="store_true")
    options = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        with only_run(root):
            if options.command == "verify":
                return 0 if verify(root) else 1
            if options.command == "check":
                return 0 if check(root, options.everything) else 1
            run(root, options.start)
            return 0
    except (Problem, Ended) as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{in_words(error)}. {KEPT}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Interrupted. {KEPT}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
