"""Where run_all.sh spends its time: python benchmarks/chain_time.py RESULTS.md

The whole run, what of it is start and imports, and the same code cells in one plain Python process, in
elapsed and CPU seconds (children included). ./run_all.sh runs here, and gives what is stored; the plain
process runs in a copy. On a machine that is doing nothing else.
"""

import ast
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLAIN = """
import sys, matplotlib, jupytext, yaml
matplotlib.use("Agg")
import IPython.display
IPython.display.display = lambda *things, **options: None
settings = yaml.safe_load(open("../parameters.yml"))
if __name__ == "__main__":
    for path in sys.argv[1:]:
        space = {"__name__": "notebook"}
        for cell in jupytext.read(path).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, path, "exec"), space)
                if "parameters" in cell.metadata.get("tags", []):
                    space |= {name: settings[name] for name in space.keys() & settings.keys()}
"""
KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute_interactive("1")
client.stop_channels()
manager.shutdown_kernel()
"""


def used():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def timed(folder, *command):
    """Elapsed and CPU seconds, in the environment of run_all.sh but for its settings of Jupyter."""
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    began, before = time.perf_counter(), used()
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(command, cwd=folder, env=os.environ | one_thread, **quiet)
    return time.perf_counter() - began, used() - before


def python(folder, *arguments):
    return timed(folder, sys.executable, *arguments)


def imports(script):
    nodes = ast.walk(ast.parse(script.read_text("utf-8")))
    return "\n".join(ast.unparse(n) for n in nodes if isinstance(n, ast.Import | ast.ImportFrom))


def plus(*pairs):
    return tuple(map(sum, zip(*pairs, strict=True)))


def times(pair, factor):
    return tuple(seconds * factor for seconds in pair)


def minus(one, other):
    return plus(one, times(other, -1))


def measure(copy):
    scripts = sorted((copy / "notebooks").glob("[0-9][0-9]_*.py"))
    plain = copy / "notebooks/plain.py"
    plain.write_text(PLAIN)
    start = python(copy, "-c", "")
    imported = plus(*(minus(python(copy, "-c", imports(s)), start) for s in scripts))
    kernels = times(minus(python(copy, "-c", KERNEL), start), len(scripts))
    whole = timed(ROOT, "./run_all.sh")
    overhead = plus(times(start, len(scripts)), imported, kernels)
    return {
        f"start of the interpreter, {len(scripts)} times": times(start, len(scripts)),
        "start and end of a kernel, as often": kernels,
        "imports of each notebook": imported,
        "the rest: computing and drawing": (None, whole[1] - overhead[1]),
        "`./run_all.sh` in all, notebooks side by side": whole,
        "the same cells in one plain process": python(plain.parent, plain.name, *map(str, scripts)),
    }


def shown(seconds):
    return "" if seconds is None else f"{seconds:.1f}"


def page(rows):
    *_, whole, plain = rows.values()
    lines = ["## The chain", "", "(g) `python benchmarks/chain_time.py benchmarks/results.md`, on the same machine,"]
    lines += ["quiet but for this; elapsed seconds of parts that run side by side add up to more than the whole.", ""]
    lines += ["| part | elapsed (s) | CPU (s) |", "|---|---|---|"]
    lines += [f"| {name} | {shown(elapsed)} | {shown(cpu)} |" for name, (elapsed, cpu) in rows.items()]
    ratios = whole[0] / plain[0], whole[1] / plain[1]
    return [
        *lines,
        "",
        f"The chain takes {ratios[0]:.2f} times as long as the plain process (aim: 1.5) and {ratios[1]:.2f} times its "
        "CPU time.",
    ]


def main(results):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        left_out = shutil.ignore_patterns(".git", ".venv", ".chain", "report", "*.ipynb")
        shutil.copytree(ROOT, copy, ignore=left_out)
        lines = page(measure(copy))
    before = results.read_text().partition("## The chain")[0].rstrip() if results.exists() else ""
    results.write_text(before + "\n\n" + "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
