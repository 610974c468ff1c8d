"""data/raw/VERSION: counts that the sheets bear out, and the places that carry it."""

import json

import pytest

from peersupport.store import version
from peersupport.store.project import processed, project_root
from peersupport.store.sheets import read_raw
from peersupport.store.tables import read_table


def test_version_counts_what_the_sheets_hold():
    raw, _ = read_raw()
    counts = {"records": len(raw["records"]), "outcome_rows": len(read_table("outcomes.csv"))}
    counts["studies"] = len(read_table("studies.csv"))
    assert version.miscounts(version.data_version(), counts) == []


def test_readme_changelog_and_results_carry_the_version():
    words = version.version_words()
    assert words in (project_root() / "README.md").read_text("utf-8").replace("\n", " ")
    assert f"## {version.data_version().version}:" in (project_root() / "data/raw/CHANGELOG.md").read_text("utf-8")
    assert words in processed("results_paragraph.md").read_text("utf-8")
    numbers = json.loads(processed("manuscript_numbers.json").read_text("utf-8"))
    assert numbers["data"] == version.version_facts()


def written(folder, text):
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/raw/VERSION").write_text(text)
    return folder


WHOLE = "version: 1.2.0\nwave: 1\nlast_search: 2026-01-31\nstudies: 12\noutcome_rows: 1345\nrecords: 50\n"


def test_words_and_facts(tmp_path):
    found = version.data_version(written(tmp_path, WHOLE))
    assert found.words() == "Data 1.2.0 (wave 1, last search 2026-01-31; 12 studies, 1,345 outcome rows)"
    assert version.version_facts(tmp_path)["last_search"] == "2026-01-31"
    assert version.miscounts(found, {"studies": 12, "records": 51}) == [
        "data/raw/VERSION says records 50, the sheets hold 51: put the count right, and add to CHANGELOG.md"
    ]


def test_a_review_without_a_version(tmp_path):
    assert version.version_words(tmp_path) == "Data without a version" and version.version_facts(tmp_path) == {}
    assert version.miscounts(None, {"studies": 1}) == []


@pytest.mark.parametrize(
    "text", ["", "version: 1", WHOLE.replace("12", "twelve"), WHOLE.replace("-31", "-41"), "a: [", "\x00"]
)
def test_a_spoiled_version_is_one_sentence(tmp_path, text):
    with pytest.raises(ValueError, match="data/raw/VERSION must say version") as told:
        version.data_version(written(tmp_path, text))
    assert "last_search" in str(told.value)
