"""The blocks on a Dask cluster: the same bytes as here, with one of two workers killed on the way."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from distributed import Client

from peersupport.multiverse.workers import ADDRESS, run
from peersupport.pool import engine

PATIENCE = 120  # seconds for anything that waits for a process
SRC = Path(__file__).parents[1] / "src"


def fit(number, folder=None):
    """A block of a few hundred fits, seeded by its number; leaves a file that says which process did it."""
    rng = np.random.default_rng(number)
    v = rng.uniform(0.01, 0.2, (12, 300))
    pooled = engine.pool(rng.normal(0.2, 0.4, v.shape), v, "REML")
    if folder:
        (Path(folder) / f"{os.getpid()}-{number}-{time.monotonic_ns()}").touch()
        time.sleep(0.25)
    return pooled.effect, pooled.tau2


def as_bytes(results):
    return [array.tobytes() for result in results for array in result]


@pytest.fixture
def cluster(tmp_path):
    """(address, workers): a scheduler and two workers on loopback, each a process of its own."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(SRC), str(Path(__file__).parent)]),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "5",
        "DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "0",
    }
    file, log = tmp_path / "scheduler.json", (tmp_path / "log").open("w")

    def start(role, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{role}", *options, "--no-dashboard"]
        place = {"cwd": tmp_path, "env": environment, "stdout": log, "stderr": log}
        return subprocess.Popen([*command, "--scheduler-file", str(file)], **place)

    processes = [start("scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        options = ("--host", "127.0.0.1", "--nthreads", "1", "--no-nanny")
        processes += [start("worker", *options) for _ in range(2)]
        with Client(scheduler_file=str(file), timeout=PATIENCE, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
            address = client.scheduler.address
        yield address, processes[1:]
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait(PATIENCE)
        log.close()


def kill_after_first_block(workers, folder):
    """Kill the worker that is seen to have begun a block, once another block is done elsewhere or here."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        begun = {int(path.name.split("-")[0]) for path in folder.iterdir()}
        for worker in workers:
            if worker.pid in begun and len(list(folder.iterdir())) > 3:
                os.kill(worker.pid, signal.SIGKILL)
                return
        time.sleep(0.01)


def test_same_bytes_on_dask_with_a_worker_killed(cluster, tmp_path, monkeypatch):
    address, workers = cluster
    done = tmp_path / "done"
    done.mkdir()
    here = run(fit, [(number,) for number in range(24)], "here", jobs=1)
    monkeypatch.setenv(ADDRESS, address)
    killer = threading.Thread(target=kill_after_first_block, args=(workers, done), daemon=True)
    killer.start()
    there = run(fit, [(number, str(done)) for number in range(24)], "there")
    killer.join(PATIENCE)
    assert sorted(worker.poll() is None for worker in workers) == [False, True]
    by_process = {int(path.name.split("-")[0]) for path in done.iterdir()}
    assert by_process == {worker.pid for worker in workers}  # both took part, and nobody else
    survivor = next(worker.pid for worker in workers if worker.poll() is None)
    last = max(done.iterdir(), key=lambda path: int(path.name.split("-")[2]))
    assert last.name.startswith(f"{survivor}-")
    assert as_bytes(there) == as_bytes(here)


def test_processes_give_the_same_bytes_in_order(monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    pieces = [(number,) for number in range(5)]
    one, two = (run(fit, pieces, "here", jobs=jobs) for jobs in (1, 2))
    assert as_bytes(one) == as_bytes(two)
    assert as_bytes(one) != as_bytes(one[::-1])


def test_an_error_in_a_block_is_raised():
    with pytest.raises(ValueError, match="expected non-negative"):
        run(fit, [(1,), (-1,)], "wrong", jobs=1)
