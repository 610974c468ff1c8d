"""Runs the whole chain as three other people would, and compares the bytes: python sweeps/environments.py.

In folders of other names, with another hash seed, time zone, language, user name, home and number of threads; once from
an old terminal with nothing set; and once on another minor version of Python, where there is one with the libraries in
the folder that PEERSUPPORT_OTHER_PYTHON names (numbers there to 1e-9, because libraries for it may be built otherwise).
"""

import csv
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from peersupport.chain import comparison, verify  # noqa: E402
from peersupport.chain.outputs import MANIFEST  # noqa: E402

REPORT = ROOT / "docs/sweeps/environments.md"
INPUTS = ("data", "notebooks", "src", "figures", "parameters.yml", "pyproject.toml", "requirements.lock")
TURKISH = dict(
    PYTHONHASHSEED="4711",
    TZ="Asia/Kathmandu",
    LANG="tr_TR.UTF-8",
    LC_ALL="tr_TR.UTF-8",
    USER="ayşe",
    LOGNAME="ayşe",
    OMP_NUM_THREADS="2",
    OPENBLAS_NUM_THREADS="2",
    COLUMNS="200",
    HOSTNAME="elsewhere",
)
BARE = dict(
    PYTHONHASHSEED="0", TZ="UTC", LC_ALL="C", LANG="C", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TERM="dumb"
)
ENVIRONMENTS = {"a b/ğ": TURKISH, "c": BARE}
TOLERANCE = 1e-9


def run(folder, environment, python=sys.executable):
    """The chain in a copy of the project; only what is named here is set, with the path and the processor."""
    for name in INPUTS:
        source = ROOT / name
        skip = shutil.ignore_patterns(".*", "__pycache__")
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=skip)
        elif source.is_file():
            shutil.copy2(source, folder / name)
    processor = ("NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "GLIBC_TUNABLES")
    kept = {name: os.environ[name] for name in ("PATH", *processor) if name in os.environ}
    home = folder / ".chain/home"
    home.mkdir(parents=True)
    own = {"HOME": str(home), "PYTHONPATH": str(folder / "src"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    command = [python, "-m", "peersupport.chain", "run"]
    subprocess.run(command, cwd=folder, env=kept | own | environment, check=True, stdout=subprocess.DEVNULL)


def differences(folder, first):
    paths = verify.everything_written(folder) | verify.everything_written(first)
    results = comparison.compare(folder, first, paths)
    return comparison.summary(results), [r for r in results if r[0] != comparison.REPRODUCED]


def numbers_apart(folder, first):
    """Tables that differ by more than the tolerance in a number, or at all in anything else."""
    for path in sorted((first / "data/processed").rglob("*.csv")):
        name = path.relative_to(first)
        if name.as_posix() != MANIFEST and not alike(path, folder / name):
            yield f"{name}: {comparison.difference(path, folder / name)}"


def alike(one, other):
    if not other.is_file():
        return False
    rows, others = (list(csv.reader(path.open(encoding="utf-8", newline=""))) for path in (one, other))
    same_shape = [len(row) for row in rows] == [len(row) for row in others]
    pairs = ((a, b) for row, second in zip(rows, others, strict=False) for a, b in zip(row, second, strict=False))
    return same_shape and all(a == b or close(a, b) for a, b in pairs)


def close(one, other):
    try:
        return math.isclose(float(one), float(other), rel_tol=TOLERANCE, abs_tol=1e-12)
    except ValueError:
        return False


def main():
    lines, good = [], True
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / name for name in ENVIRONMENTS]
        for folder, environment in zip(folders, ENVIRONMENTS.values(), strict=True):
            folder.mkdir(parents=True)
            run(folder, environment)
        said, apart = differences(folders[1], folders[0])
        lines += [f"- two runs in different environments: {said}", *(f"  - {p}: {d}" for _, p, d in apart)]
        said, apart_stored = differences(folders[1], ROOT)
        lines += [f"- these against the stored outputs: {said}", *(f"  - {p}: {d}" for _, p, d in apart_stored)]
        good = not apart and not apart_stored
        if python := os.environ.get("PEERSUPPORT_OTHER_PYTHON"):
            other = Path(temporary) / "other"
            other.mkdir()
            run(other, BARE, python)
            version = subprocess.run([python, "-V"], capture_output=True, text=True).stdout.strip()
            said, _ = differences(other, folders[0])
            far = list(numbers_apart(other, folders[0]))
            lines += [
                f"- {version}: {said}; {len(far)} tables differ by more than {TOLERANCE:g}",
                *(f"  - {x}" for x in far),
            ]
            good = good and not far
        else:
            lines += ["- another minor version of Python: not tried (PEERSUPPORT_OTHER_PYTHON is not set)"]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(TEXT + "\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return good


TEXT = """# The same chain in other environments

`python sweeps/environments.py` (in `./run_all.sh --check-all`) runs every notebook in two copies of the project that
differ in hash seed, time zone, language, user name, home, folder (blanks and other letters in its name) and number of
threads. Where PEERSUPPORT_OTHER_PYTHON names another minor version of Python with the libraries of the lock, a third
copy runs there; it is
asked for the same numbers to 1e-9, not for the same bytes.

"""

if __name__ == "__main__":
    sys.exit(0 if main() else 1)
