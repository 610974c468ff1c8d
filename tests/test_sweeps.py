"""The short version of the long sweeps: one copy of some kinds, two kills, one full and one read-only disk."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "sweeps"))

import kills  # noqa: E402


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return kills.Small(tmp_path_factory.mktemp("small"))


@pytest.fixture
def root(small, tmp_path):
    return kills.copy(small.after, tmp_path / "killed")


def test_killed_runs_leave_old_or_new_outputs_and_the_next_run_ends_well(small, root):
    assert sum(kills.kill_at_random(small, root, 3).values()) == 3
    kills.runs_again(small, root)


def test_a_second_run_is_refused(small, root):
    assert kills.refused(root).startswith("Another run is at work")


def test_a_half_written_or_unnamed_state_is_found(small, root):
    small.renew(root)
    assert small.state(root) == kills.OLD
    (root / "figures/drawing.svg").write_bytes(small.new["figures/drawing.svg"])
    assert small.state(root) == kills.MIXED
    (root / "figures/drawing.svg").write_bytes(small.new["figures/drawing.svg"][:-3])
    with pytest.raises(kills.Mixture, match="neither the old one nor the new one"):
        small.state(root)


def test_a_full_disk_is_told_and_changes_nothing(small, tmp_path):
    found = kills.on_a_full_disk(small, tmp_path / "disk", 8)
    if found is None:
        pytest.skip("this user may not mount a small disk here")
    assert found[0] == kills.OLD and "No space left" in found[1]


def test_a_read_only_disk_is_told_and_changes_nothing(small, tmp_path):
    found = kills.on_a_read_only_disk(small, tmp_path / "disk")
    if found is None:
        pytest.skip("this user may not mount a small disk here")
    assert found[0] == kills.OLD and "Read-only" in found[1]
