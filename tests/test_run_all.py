import shutil
import subprocess
from pathlib import Path

import pytest

from peersupport.chain.__main__ import main as chain_main

ROOT = Path(__file__).parents[1]
SCRIPTS = ["run_all.sh", ".ci/run"]


def run_all(*options, cwd=ROOT):
    command = ["bash", str(ROOT / "run_all.sh"), *options]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_help_fits_a_screen_and_names_every_option(tmp_path):
    shown = run_all("--help", cwd=tmp_path)
    lines = shown.stdout.splitlines()
    assert shown.returncode == 0 and not shown.stderr
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    for option in (
        "--from",
        "--verify",
        "--check",
        "--check-all",
        "--lab",
        "--report",
        "--explore",
        "--sync",
        "--clean",
        "--help",
    ):
        assert option in shown.stdout


@pytest.mark.parametrize("options", [["--nonsense"], ["03"], ["--from"], ["--sync"]])
def test_a_wrong_option_is_refused_in_one_sentence(options):
    refused = run_all(*options)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_parse_and_may_be_executed(script):
    assert subprocess.run(["bash", "-n", ROOT / script]).returncode == 0
    assert (ROOT / script).stat().st_mode & 0o100


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_shellcheck_clean(script):
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed on this machine")
    found = subprocess.run(["shellcheck", ROOT / script], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_clean_takes_scratch_copies_and_leaves_the_rest(tmp_path, monkeypatch):
    for name in ("check/data", "verify", "matplotlib"):
        (tmp_path / ".chain" / name).mkdir(parents=True)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    assert chain_main(["clean"]) == 0
    assert {path.name for path in (tmp_path / ".chain").iterdir()} == {"matplotlib", "lock"}
    assert (tmp_path / "data").is_dir()
