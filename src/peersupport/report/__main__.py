"""The report: executed notebooks and tidy tables as a site that opens from disk; nothing is run again.

Run from the project's folder: python -m peersupport.report
"""

import os
import shutil
import sys
from pathlib import Path

from peersupport.chain import pairs, run
from peersupport.chain.__main__ import in_words, only_run
from peersupport.chain.manifest import manifest_problems, read_manifest
from peersupport.report.site import build


def main():
    root = Path.cwd()
    try:
        with only_run(root):
            make(root)
        return 0
    except pairs.Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The report was not made: {in_words(error)}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. An older report is as it was.", file=sys.stderr)
        return 130


def make(root):
    scratch = root / ".chain/report"
    refuse_what_is_stale(root)
    shutil.rmtree(scratch, ignore_errors=True)
    site, warnings = build(root, scratch)
    print(warnings, end="", file=sys.stderr)
    put_in_place(site, root / "report")
    shutil.rmtree(scratch)
    print("report/index.html is the report: open it in a browser.")


def refuse_what_is_stale(root):
    """A report shows what the chain gives today, or is not made."""
    problems = manifest_problems(root, run.expected_origins(root))
    if not read_manifest(root):
        problems = ["No notebook has been run yet."]
    if problems:
        first = problems[0]
        remedy = "" if "./run_all.sh" in first else "; ./run_all.sh writes it"
        raise pairs.Problem(f"The report was not made: {first.rstrip('.')}{remedy}")


def put_in_place(site, target):
    """An older report stays until the new one is whole."""
    old = site.with_name("old")
    if target.exists():
        os.rename(target, old)
    os.rename(site, target)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
