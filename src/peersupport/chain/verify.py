"""Runs everything beside the project and says of each stored output whether it was reproduced."""

import shutil
import sys

from peersupport.chain import comparison
from peersupport.chain.manifest import write_manifest
from peersupport.chain.outputs import MANIFEST, output_stamps
from peersupport.chain.pairs import Problem, executed_notebooks
from peersupport.chain.run import expected_origins, fresh_copy, run_notebooks
from peersupport.chain.side_by_side import Ended


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
