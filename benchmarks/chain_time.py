"""Where run_all.sh spends its time: python benchmarks/chain_time.py RESULTS.md [NN ...]

Interpreter start, imports, kernel start, each notebook as the chain runs it, and the same code cells in
one plain Python process, in elapsed and CPU seconds (children included). Works in a copy of the
project, whose tables must be there (./run_all.sh); NN are the notebooks to measure, all by default.
"""

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
IMPORTS = "import pandas, scipy.stats, matplotlib.pyplot, peersupport.battery"
EXECUTE = "import sys; from pathlib import Path; from peersupport import chain; chain.execute(Path(sys.argv[1]))"


def used():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def timed(folder, *command):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OPENBLAS_NUM_THREADS": "1"}
    began, before = time.perf_counter(), used()
    subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began, used() - before


def main(results, numbers):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".chain", "*.ipynb")
        )
        scripts = sorted((copy / "notebooks").glob("[0-9][0-9]_*.py"))
        scripts = [s for s in scripts if not numbers or s.stem[:2] in numbers]
        rows = [
            ("interpreter start", timed(copy, "-c", "")),
            ("interpreter and imports", timed(copy, "-c", IMPORTS)),
            ("one kernel, started and stopped", timed(copy, "-c", KERNEL)),
        ]
        rows += [(f"{s.stem}, by the chain", timed(copy, "-c", EXECUTE, str(s))) for s in scripts]
        whole = [sum(x) for x in zip(*(seconds for _, seconds in rows[3:]), strict=True)]
        plain = copy / "notebooks/plain.py"
        plain.write_text(PLAIN)
        rows += [
            ("these notebooks by the chain", whole),
            (
                "their cells in one plain process",
                timed(plain.parent, plain.name, *map(str, scripts)),
            ),
        ]
    ratio = rows[-2][1][0] / rows[-1][1][0], rows[-2][1][1] / rows[-1][1][1]
    lines = [
        "## The chain",
        "",
        f"(g) `python benchmarks/chain_time.py {' '.join(sys.argv[1:])}`, on the same machine:",
        "",
    ]
    lines += ["| part | elapsed (s) | CPU (s) |", "|---|---|---|"]
    lines += [f"| {name} | {elapsed:.2f} | {cpu:.2f} |" for name, (elapsed, cpu) in rows]
    lines += [
        "",
        f"The chain takes {ratio[0]:.2f} times the plain process (elapsed), {ratio[1]:.2f} times its CPU time.",
    ]
    before = results.read_text().partition("## The chain")[0].rstrip() if results.exists() else ""
    results.write_text(before + "\n\n" + "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
