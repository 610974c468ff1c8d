"""Serves notebooks/explore.ipynb as a page on this machine: python -m peersupport.explorer.page [--port N]"""

import argparse
import os
import socket
import sys
from pathlib import Path

from tornado.ioloop import IOLoop
from voila.app import Voila

from peersupport.chain import run
from peersupport.chain.manifest import manifest_problems, read_manifest
from peersupport.chain.outputs import MANIFEST
from peersupport.chain.pairs import Problem
from peersupport.explorer import views

HOST, PORT = "127.0.0.1", 8866
NOTEBOOK = "notebooks/explore.ipynb"
TEMPLATES = "docs/explore"


def missing_tables(root):
    paths = [f"data/processed/{name}" for name in views.TABLES]
    return [path for path in paths if not (root / path).is_file()]


def doubts(root):
    """What the manifest has against the tables that the explorer reads, a sentence each."""
    paths = [f"data/processed/{name}" for name in views.TABLES]
    rows = read_manifest(root)
    notebooks = {rows[path]["notebook"] for path in paths if path in rows}
    concerned = [*paths, *(f"The outputs of {name} " for name in notebooks), f"{MANIFEST} is missing"]
    problems = manifest_problems(root, run.expected_origins(root))
    return [problem for problem in problems if problem.startswith(tuple(concerned))]


def free_port(wanted):
    """The wanted port, or the next that is free; what is in use is said."""
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                print(f"Port {port} is in use; trying {port + 1}.")
            else:
                return port
    raise Problem(f"No port from {wanted} to {wanted + 99} is free.")


class Page(Voila):
    """Voilà that says where it is once it can be reached."""

    def listen(self):
        def say():
            print(f"The explorer is at http://{HOST}:{self.port}/ until Ctrl+C is pressed.", flush=True)

        IOLoop.current().add_callback(say)
        super().listen()


def serve(root, port):
    if missing := missing_tables(root):
        raise Problem(f"{' and '.join(missing)} not there yet: ./run_all.sh writes it.")
    for doubt in doubts(root):
        print(doubt, file=sys.stderr)
    os.environ["JUPYTER_PATH"] = str(root / TEMPLATES)
    Page.launch_instance(
        [
            str(root / NOTEBOOK),
            f"--port={free_port(port)}",
            "--no-browser",
            "--template=explore",
            f"--Voila.ip={HOST}",
            "--VoilaConfiguration.extension_denylist=jupyterlab-jupytext",
            "--Voila.log_level=ERROR",
        ]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="peersupport.explorer.page", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    try:
        serve(Path.cwd(), parser.parse_args(arguments).port)
    except Problem as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
