"""Independent pieces of work on this machine's cores, or on a Dask cluster: the same numbers either way.

A piece is a function of its arguments alone; what it is and in which order results come back does
not depend on how many workers there are, so neither do the results. A worker that is lost has its
pieces done again by another.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager

from joblib import Parallel, delayed, parallel_config
from tqdm import tqdm

ADDRESS = "DASK_SCHEDULER_ADDRESS"


def run(work: Callable, pieces: Sequence[tuple], label: str, address: str | None = None, jobs: int = -1) -> list:
    """[work(*piece) for piece in pieces], in order.

    address: a Dask scheduler's, such as "tcp://10.0.0.1:8786"; without it the environment's
    DASK_SCHEDULER_ADDRESS; without that, `jobs` local processes (-1: one per core; 1: none).
    """
    with _backend(address or os.environ.get(ADDRESS)):
        results = Parallel(n_jobs=jobs, return_as="generator")(delayed(work)(*p) for p in pieces)
        return list(tqdm(results, desc=label, total=len(pieces), disable=not _watched(), leave=False))


@contextmanager
def _backend(address):
    if not address:
        yield
        return
    from dask.distributed import Client  # a second to import, and seldom needed

    with Client(address, set_as_default=False) as client:
        with parallel_config(backend="dask", client=client, wait_for_workers_timeout=60):
            yield


def _watched() -> bool:
    """Somebody sees the bar: a terminal, or a notebook open in Jupyter (not one that a chain runs)."""
    return sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ
