"""Runs the numbered notebooks, side by side where none waits for another, and publishes what each wrote."""

import os
import shutil
import sys
import time
from functools import partial

import jupytext
import nbformat
import papermill

from peersupport.chain.manifest import manifest_row, origins, read_manifest, write_manifest
from peersupport.chain.outputs import (
    FIGURE_INDEX,
    MANIFEST,
    OUTPUT_FOLDERS,
    changed,
    forget,
    hand_in,
    output_stamps,
    publish,
    remove_outputs_except,
)
from peersupport.chain.pairs import (
    METADATA,
    Problem,
    code_cells,
    first_line,
    from_number,
    is_tagged,
    normalised,
    numbered_notebooks,
    read_settings,
    refuse_unsaved_edits,
    used_parameters,
)
from peersupport.chain.readme import renew
from peersupport.chain.side_by_side import forerunners, run_in_order

QUIET_KERNEL = "--IPKernelApp.log_level=50"
KEPT = "The outputs of the notebooks that had ended are kept, the others are as before."


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
    renew(root)
    shutil.rmtree(scratch)
    tell("total", began, written)


def run_notebooks(scratch, names, sources):
    """Runs these notebooks, side by side where none waits for another, and hands in what they write.

    Yields each name with the rows of the manifest for its outputs; the index of figures is the last notebook's.
    """
    scripts = numbered_notebooks(scratch)
    waits = {name: others & set(names) for name, others in forerunners(scripts).items() if name in names}
    last, began = scripts[-1].stem, time.monotonic()
    at_once = processors() + 1  # a notebook also waits, for its kernel or its disk
    for stem, paths in run_in_order(waits, partial(run_apart, scratch, names), at_once):
        hand_in(own_place(scratch, stem), scratch, paths)
        shutil.rmtree(own_place(scratch, stem))
        owners = dict.fromkeys(paths, stem)
        if (scratch / FIGURE_INDEX).is_file():
            owners[FIGURE_INDEX] = last
        tell(stem, began, paths)
        yield (stem, {p: manifest_row(scratch, p, owner, sources[owner]) for p, owner in owners.items()})


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
            notebook = jupytext.read(script)
            settings = used_parameters(root, notebook) | read_settings(root, notebook)
            earlier = origins(root, script, settings, earlier)
        found[script.stem] = earlier
    return found


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
        executed = with_another_kernel(partial(execute_pair, script, pair, notebook, line))
    except Exception as error:
        raise Problem(failure(script.stem, notebook, pair, error)) from error
    nbformat.write(normalised(executed), pair)


def with_another_kernel(work):
    """A kernel may never answer, as when another process took the port it was given; nothing has run then, so one more
    is started."""
    try:
        return work()
    except RuntimeError as error:
        if "Kernel didn't respond" not in str(error):
            raise
        return work()


def execute_pair(script, pair, notebook, line):
    return papermill.execute_notebook(
        pair,
        pair,
        parameters=used_parameters(script.parents[1], notebook),
        progress_bar={"desc": script.stem, "file": sys.stdout, "disable": None} | {"position": line, "leave": False},
        cwd=script.parent,
        extra_arguments=[QUIET_KERNEL],
    )


def failure(stem, notebook, pair, error):
    number, source = failed_cell(pair)
    name = getattr(error, "ename", type(error).__name__)
    message = str(getattr(error, "evalue", error)).strip()
    return f"notebook: {stem}\ncell:     {number}, {first_line(source)}\nerror:    {name}: {message}"


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
