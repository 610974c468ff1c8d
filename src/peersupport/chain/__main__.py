"""Runs the numbered notebooks in order, and checks that what is stored is what they give today.

Run from the project's folder: python -m peersupport.chain run [--from NN] | verify | check [--all] | changes [REF] |
preview FOLDER
"""

import argparse
import fcntl
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from peersupport.chain.check import check
from peersupport.chain.pairs import Problem
from peersupport.chain.run import KEPT, run
from peersupport.chain.side_by_side import Ended
from peersupport.chain.verify import verify

CACHES = {"ipython", "jupyter", "matplotlib"}


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


def clean(root: Path) -> int:
    """What earlier runs left in .chain/ goes; the caches that make the next start quick stay."""
    for path in (root / ".chain").iterdir():
        if path.is_dir() and path.name not in CACHES:
            shutil.rmtree(path)
    return 0


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="peersupport.chain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run").add_argument("--from", dest="start", metavar="NN")
    commands.add_parser("verify")
    commands.add_parser("clean")
    commands.add_parser("changes").add_argument("wanted", nargs="?", metavar="REF")
    commands.add_parser("preview").add_argument("folder", metavar="FOLDER")
    commands.add_parser("check").add_argument("--all", dest="everything", action="store_true")
    options = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        with only_run(root):
            if options.command == "verify":
                return 0 if verify(root) else 1
            if options.command == "check":
                return 0 if check(root, options.everything) else 1
            if options.command == "changes":
                from peersupport.chain.changes import compare_with  # they bring the libraries of the analysis

                compare_with(root, options.wanted)
                return 0
            if options.command == "preview":
                from peersupport.chain.preview import preview

                return 0 if preview(root, Path(options.folder)) else 1
            if options.command == "clean":
                return clean(root)
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
