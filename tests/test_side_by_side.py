"""Notebooks that do not wait for one another run at the same time; none runs before what it reads is there."""

import os
import signal
import time
from pathlib import PurePath

import pytest
from conftest import ROOT

from peersupport.chain import manifest
from peersupport.chain.pairs import numbered_notebooks
from peersupport.chain.side_by_side import TOGETHER, Ended, file_names, forerunners, run_in_order

WAITS = {"01": set(), "02": {"01"}, "05": {"01"}, "06": {"02", "05"}}


def all_before(name, waits):
    return waits[name].union(*(all_before(other, waits) for other in waits[name]))


def test_each_notebook_waits_for_all_that_wrote_what_it_reads():
    scripts = numbered_notebooks(ROOT)
    waits = forerunners(scripts)
    writers = {}
    for path, row in manifest.read_manifest(ROOT).items():
        writers.setdefault(PurePath(path).name, set()).add(row["notebook"])
    for script in scripts:
        read = {name for name in file_names(script)[0] if name in writers}
        needed = set().union(*(writers[name] for name in read)) - {script.stem}
        earlier = {name for name in needed if name < script.stem}
        assert earlier <= all_before(script.stem, waits)


def test_not_every_notebook_waits_for_the_one_before():
    waits = forerunners(numbered_notebooks(ROOT))
    assert waits["05_thematic_frequency"] == {"01_clean_extraction"}
    assert "03_outcome_meta_analysis" not in all_before("04_moderators", waits)


@pytest.mark.parametrize(
    ("writing", "waits"),
    [
        ('write_table(found, "tables/found.csv")', True),
        ('found.to_csv("../data/processed/tables/found.csv")', True),
        ('Path("found.csv").write_text("1")', True),
        ('read_table("tables/found.csv")', False),
        ('write_table(found, "tables/other.csv")', False),
    ],
)
def test_who_names_a_file_waits_for_who_writes_it(tmp_path, writing, waits):
    texts = {"01_first": "", "02_maker": writing, "03_user": 'read_table("tables/found.csv")'}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    found = forerunners([tmp_path / f"{name}.py" for name in texts])
    assert found["03_user"] == ({"01_first", "02_maker"} if waits else {"01_first"})


def test_order_is_kept_and_answers_come_back():
    ended = list(run_in_order(WAITS, str.lower, at_once=2))
    names = [name for name, _ in ended]
    assert names[0] == "01" and names[-1] == "06" and set(names) == WAITS.keys()
    assert all(name == answer for name, answer in ended)


def test_those_that_need_not_wait_are_at_work_at_the_same_time():
    meeting = TOGETHER.Barrier(2)

    def work(name):
        if name in ("02", "05"):
            meeting.wait(timeout=60)  # breaks, if they come one after the other

    assert len(list(run_in_order(WAITS, work, at_once=2))) == 4


def test_one_at_a_time_where_there_is_one_processor():
    at_work = TOGETHER.Semaphore(1)

    def work(name):
        assert at_work.acquire(block=False)
        time.sleep(0.05)
        at_work.release()

    assert len(list(run_in_order(WAITS, work, at_once=1))) == 4


def test_a_failure_is_raised_and_what_waits_for_it_does_not_start(tmp_path):
    def work(name):
        (tmp_path / name).touch()
        if name == "02":
            raise ValueError("in the second")

    with pytest.raises(ValueError, match="in the second"):
        list(run_in_order(WAITS, work, at_once=1))
    assert not (tmp_path / "06").exists()


def test_a_process_that_the_system_stops_is_named():
    def work(name):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(Ended, match="01 was stopped from outside"):
        list(run_in_order(WAITS, work, at_once=2))
