"""Kills, fills and forbids runs of a small project: python sweeps/kills.py [number of kills].

After each, every output must be the old or the new one; where not all are new, the check of the manifest must say so.
"""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from conftest import write_project  # noqa: E402

from peersupport.chain import manifest, run  # noqa: E402
from peersupport.chain.outputs import MANIFEST  # noqa: E402

KILLS = 24
SEED = 20261122
REPORT = ROOT / "docs/sweeps/kills.md"
RUN = [sys.executable, "-m", "peersupport.chain", "run"]
OLD, NEW, MIXED = "all old", "all new", "some new"


class Mixture(AssertionError):
    """A half-written or unnamed state; the message says which."""


class Small:
    """A small project with its outputs before and after a change of parameters.yml; copies of the first to spoil."""

    def __init__(self, folder):
        self.before = write_project(folder / "before")
        start(self.before).wait()
        self.after = copy(self.before, folder / "after")
        change(self.after)
        began = time.monotonic()
        start(self.after).wait()
        self.seconds = time.monotonic() - began
        self.old, self.new = contents(self.before), contents(self.after)
        if not (self.old.keys() == self.new.keys() and self.old != self.new):
            raise Mixture("the two runs that everything is compared with did not end")

    def state(self, root):
        """OLD, NEW or MIXED; raises Mixture on anything else, or where the manifest does not tell."""
        now = contents(root)
        for path in (now.keys() | self.old.keys()) - {MANIFEST}:
            if now.get(path) not in (self.old.get(path), self.new.get(path)):
                raise Mixture(f"{path} is neither the old one nor the new one")
        if len(manifest.read_manifest(root)) != len(self.new) - 1:
            raise Mixture("the manifest does not list every output")
        if now == self.new:
            return NEW
        if not manifest.manifest_problems(root, run.expected_origins(root)):
            raise Mixture("some outputs are old, and the manifest does not say so")
        return OLD if now == self.old else MIXED

    def renew(self, root):
        """The old outputs again; what earlier runs left in .chain/ stays."""
        for path in contents(root).keys() | self.old.keys():
            (root / path).unlink(missing_ok=True)
        for path, content in self.old.items():
            (root / path).write_bytes(content)


def copy(source, target):
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".chain"))
    return target


def change(root):
    settings = root / "parameters.yml"
    settings.write_text(settings.read_text().replace("size: 3", "size: 5"))


def start(root, **options):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    home = {"PYTHONPATH": str(ROOT / "src"), "IPYTHONDIR": str(root / ".chain/ipython")}
    return subprocess.Popen(RUN, cwd=root, env=os.environ | home, start_new_session=True, **quiet | options)


def contents(root):
    """Every file a run publishes, a forgotten half of one among them."""
    folders = ("data/processed", "figures", "notebooks")
    files = [p for folder in folders for p in (root / folder).rglob("*") if p.is_file() and p.suffix != ".py"]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files}


def kill_at_random(small, root, number):
    """Kills runs at random moments, a third just as outputs are published, half with their kernels; states counted."""
    dice, states = random.Random(SEED), Counter()
    while sum(states.values()) < number:
        turn = sum(states.values())
        small.renew(root)
        running = start(root)
        if turn % 3:
            await_end(running, small.seconds * dice.random())
        else:
            await_first_output(running, small, root)
            await_end(running, 0.03 * dice.random())
        too_late = running.poll() is not None
        if turn % 2 and not too_late:
            os.killpg(running.pid, signal.SIGKILL)
        elif not too_late:
            os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        state = small.state(root)
        states[state] += not too_late
    return states


def await_end(running, seconds):
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(seconds)


def await_first_output(running, small, root):
    place = root / "data/processed/numbers.csv"
    while running.poll() is None and place.read_bytes() == small.old["data/processed/numbers.csv"]:
        time.sleep(0.001)


def runs_again(small, root):
    """A run after all those kills ends well and leaves nothing behind."""
    ended = start(root)
    _, told = ended.communicate()
    if ended.returncode or small.state(root) != NEW or list((root / ".chain").glob("run*")):
        raise Mixture(f"the run after the kills did not end well: {told}")


def refused(root):
    """What a run says while another one is at work, whose lock is held here."""
    (root / ".chain").mkdir(exist_ok=True)
    with open(root / ".chain/lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        second = start(root)
        _, told = second.communicate()
    if second.returncode != 1 or "Another run is at work" not in told:
        raise Mixture(f"a second run was not refused: {told}")
    return told.strip()


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """A file system of its own, or None where this machine does not allow one."""
    folder.mkdir(exist_ok=True)
    made = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    allowed = os.geteuid() == 0 and subprocess.run(made, capture_output=True).returncode == 0
    try:
        yield folder if allowed else None
    finally:
        if allowed:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def on_a_full_disk(small, folder, spare_kilobytes):
    """(state, what was said) of a run with that much room left; None where disks cannot be made."""
    with small_disk(folder, 4000) as disk:
        if disk is None:
            return None
        root = copy(small.before, disk / "project")
        change(root)
        status = os.statvfs(disk)
        ballast = status.f_bavail * status.f_frsize - spare_kilobytes * 1024
        (disk / "ballast").write_bytes(b"x" * ballast)
        return one_run(small, root)


def on_a_read_only_disk(small, folder):
    with small_disk(folder, 4000) as disk:
        if disk is None:
            return None
        root = copy(small.before, disk / "project")
        change(root)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        return one_run(small, root)


def one_run(small, root):
    running = start(root)
    _, told = running.communicate()
    state = small.state(root)
    if (running.returncode == 0) != (state == NEW):
        raise Mixture(f"exit code {running.returncode}, but {state}: {told}")
    if "Traceback" in told:
        raise Mixture(f"a fault was not put in words: {told}")
    return state, told.strip()


def main(kills=KILLS):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        small = Small(folder)
        root = copy(small.after, folder / "killed")
        states = kill_at_random(small, root, kills)
        runs_again(small, root)
        lines = [
            f"- {sum(states.values())} runs killed with SIGKILL at random moments: "
            + ", ".join(f"{n} left {state}" for state, n in sorted(states.items()))
            + "; the next run ended well"
        ]
        lines += [f"- a second run at the same time: “{refused(root)}”"]
        for spare in (0, 8, 40, 120, 400, 1500):
            found = on_a_full_disk(small, folder / "disk", spare)
            lines += [f"- a disk with {spare} kB left: {told(found)}"]
        lines += [f"- a disk that cannot be written to: {told(on_a_read_only_disk(small, folder / 'disk'))}"]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(TEXT + "\n".join(lines).replace(str(folder), "…") + "\n", encoding="utf-8")
    print("\n".join(lines))


def told(found):
    if found is None:
        return "not tried: this machine does not let this user make a disk"
    state, words = found
    last = words.splitlines()[-1] if words else ""
    return f"{state}" + (f", “{last}”" if last else "")


TEXT = """# Runs that were killed, and disks that were full

`python sweeps/kills.py` (in `./run_all.sh --check-all`) runs a project of two small notebooks whose outputs are known
before and after a change. After every fault each output file was the old one or the new one, byte for byte, and
wherever not all
were new the check of the manifest said so; otherwise this page would not have been written.

"""


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
