"""run_all.sh from odd places and in odd hands.

What needs another user or a mount is skipped in a word where that is not allowed.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def elsewhere(tmp_path):
    """run_all.sh alone, in a folder with blanks and other letters in its name."""
    folder = tmp_path / "a folder/ğ's"
    folder.mkdir(parents=True)
    shutil.copy2(ROOT / "run_all.sh", folder)
    return folder


def told(command, **options):
    ended = subprocess.run(command, capture_output=True, text=True, **options)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("shell", ["bash", "dash", "sh"])
def test_any_shell_any_folder_and_a_plain_locale(elsewhere, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not on this machine")
    bare = {"PATH": os.environ["PATH"], "LANG": "C", "LC_ALL": "C"}
    code, out, err = told([shell, str(elsewhere / "run_all.sh"), "--help"], cwd="/", env=bare)
    assert (code, err) == (0, "") and out.startswith("Usage")


def test_through_a_link(elsewhere, tmp_path):
    (tmp_path / "link").symlink_to(elsewhere)
    assert told([tmp_path / "link/run_all.sh", "--help"])[0] == 0


def test_another_user_without_a_home(elsewhere):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root may become another user")
    for folder in (elsewhere, *elsewhere.parents):
        if folder != Path("/tmp") and "pytest" in str(folder):
            folder.chmod(0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    bare = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    assert told([*nobody, elsewhere / "run_all.sh", "--help"], env=bare, cwd="/")[0] == 0


def test_the_settings_that_make_results_alike_reach_python(elsewhere):
    """A stand-in for the environment prints what the notebooks would run with, whatever the caller's settings."""
    bin_folder = elsewhere / ".venv/bin"
    bin_folder.mkdir(parents=True)
    python = bin_folder / "python"
    python.write_text('#!/bin/sh\necho "args $*"; env\n')
    python.chmod(0o755)
    for name in ("requirements.lock", "pyproject.toml"):
        (elsewhere / name).write_text("")
    stamp = f"{{ echo {shlex.quote(str(elsewhere))}; cat requirements.lock pyproject.toml; }} | cksum >.venv/stamp"
    subprocess.run(["bash", "-c", stamp], cwd=elsewhere, check=True)
    odd = os.environ | {
        "PYTHONHASHSEED": "9",
        "TZ": "Asia/Tokyo",
        "PYTHONPATH": "/x",
        "VIRTUAL_ENV": "/y",
        "OMP_NUM_THREADS": "7",
    }
    odd.pop("CONDA_PREFIX", None)
    code, out, err = told([elsewhere / "run_all.sh", "--verify"], cwd="/", env=odd)
    assert code == 0, err
    lines = out.splitlines()
    assert "reusing .venv" in lines and "args -m peersupport.chain verify" in lines
    assert {"PYTHONHASHSEED=0", "TZ=UTC", "OMP_NUM_THREADS=1", "LC_ALL=C.UTF-8"} <= set(lines)
    assert not [line for line in lines if line.startswith(("PYTHONPATH=", "MPLBACKEND="))]
    if os.uname().machine == "x86_64":
        assert "OPENBLAS_CORETYPE=Nehalem" in lines
