"""The steps of ./run_all.sh --check: every one runs, whatever the others say."""

import os
import subprocess
import sys
from functools import partial

import jupytext
import nbformat
import yaml

from peersupport.chain import comparison
from peersupport.chain.manifest import manifest_problems
from peersupport.chain.outputs import changed, output_stamps
from peersupport.chain.pairs import (
    code_cells,
    declared_parameters,
    executed_notebooks,
    first_difference,
    numbered_notebooks,
    text_header,
)
from peersupport.chain.run import expected_origins, fresh_copy, processors, scratch_folder

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

    Each notebook reads the stored tables, so they run side by side: where all outputs are as stored, a run in order
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
            f"renew it with `./run_all.sh --sync notebooks/{pair.name}`."
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
                f"notebooks/{script.name}: {name} is {default!r} there, but {settings[name]!r} in parameters.yml."
            )
    return problems
