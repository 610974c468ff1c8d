"""The sweep of spoiled sheets on a few copies: what is sorted where, and that the same copies are made each time."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from peersupport.effects import select
from peersupport.intake import reconcile, rules, validation

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "sweeps"))

import mutations  # noqa: E402


@pytest.fixture(scope="module")
def chain():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for place, name in (
            (validation, "CROSS_RULES"),
            (validation, "implausible"),
            (validation, "decided_values"),
            (validation, "check_schema"),
            (rules, "_figures"),
            (reconcile, "double_coded"),
            (select, "_choose"),
            (mutations.models, "fit_model"),
        ):
            patch.setattr(place, name, getattr(place, name))  # put back at the end
        mutations.codebook.cache_clear()
        yield mutations.Chain()


def cell(chain, name, row, column, value):
    return {name: mutations.with_cells(chain.raw[name], {(row, column): value})}


def test_copies_are_sorted_by_what_happens(chain):
    database = chain.raw["database/outcomes"]
    row = database.index[database.outcome_type.eq("msd")][5]
    assert chain.happens({}) == (mutations.HARMLESS, set())
    happened, rules = chain.happens(cell(chain, "database/outcomes", row, "sd_arm1", "-1"))
    assert happened == mutations.CAUGHT and "out_of_range" in rules
    moved = mutations.by_ten(mutations.np.random.default_rng(0), database.at[row, "sd_arm1"])
    happened, rules = chain.happens(cell(chain, "database/outcomes", row, "sd_arm1", moved))
    assert happened == mutations.FLAGGED and "printed_effect_differs" in rules
    assert chain.happens(cell(chain, "database/outcomes", row, "note", "x"))[0] == mutations.HARMLESS
    printed = database.index[database.outcome_type.eq("precalc") & database.effect.str.startswith("-")]
    happened, _ = chain.happens(cell(chain, "database/outcomes", printed[0], "effect", "-0.0791"))
    assert happened in (mutations.SILENT, mutations.HARMLESS)  # nothing else says what it was


def test_every_kind_spoils_something_new_and_the_same_each_time(chain):
    for kind in mutations.KINDS:
        twice = [list(mutations.spoiled_copies(chain.raw, kind, 2)) for _ in range(2)]
        digests = [[mutations.digest(chain.raw, spoiled) for spoiled in copies] for copies in twice]
        assert digests[0] == digests[1] and len(set(digests[0])) == 2, kind


def test_report_counts_every_copy(chain):
    found = [("minus sign lost", "silent", set()), ("minus sign lost", "caught", {"undecided"})]
    text, total = mutations.report(found)
    assert "| minus sign lost | 2 | 1 | 0 | 0 | 1 | 0 | 50% |" in text
    assert total == Counter(silent=1, caught=1)
