"""What moved between two states, by hand; and --changes on two tiny folders."""

import shutil

import numpy as np
import pandas as pd
import pytest

from peersupport.chain import changes as running
from peersupport.chain.outputs import CHANGES, output_stamps
from peersupport.chain.pairs import Problem
from peersupport.conclude.changes import BOTH, CODE, DATA, UNKNOWN, State, Words, changes, page
from peersupport.store.codebook import FILE

WORDS = Words({"hope": "Hope", "cost": "Cost"}, {"tokenism": "Tokenism"}, arm1="peer support")
OLD_DATA, NEW_DATA = {"outcomes": ("a", 3)}, {"outcomes": ("b", 5)}
OLD_CODE, NEW_CODE = {"src/x.py": "a"}, {"src/x.py": "b"}


def pooled(**effects):
    """domain=(effect, low, high, k)"""
    rows = [
        dict(
            outcome_domain=name, family="smd", model="random_reml_hk", effect=e, ci_low=low, ci_high=high, k=k, n=10 * k
        )
        for name, (e, low, high, k) in effects.items()
    ]
    return pd.DataFrame(rows)


def members(**trials):
    rows = [dict(outcome_domain=name, family="smd", trial=t) for name, them in trials.items() for t in them]
    return pd.DataFrame(rows)


def effects(**trials):
    rows = [
        dict(outcome_domain="hope", recovery_type="", family="smd", trial=t, effect=e, selected=True)
        for t, e in trials.items()
    ]
    return pd.DataFrame(rows)


def claims(verdict, reason, estimate=0.2, k=3):
    return pd.DataFrame(
        [dict(claim_id="C02", claim="Hope improves.", verdict=verdict, reason=reason, estimate=estimate, k=k)]
    )


def state(name="then", sheets=OLD_DATA, code=OLD_CODE, settings=None, **tables):
    return State(name, tables, settings or {}, sheets, code)


def found(table, kind):
    return table[table["kind"].eq(kind)].iloc[0]


BEFORE = dict(
    pooled=pooled(hope=(0.2, 0.1, 0.3, 3)),
    members=members(hope=["A", "B", "C"]),
    effects=effects(A=0.1, B=0.2, C=0.3),
    claims=claims("supported", "g 0.20 in 3 trials"),
)
NOW = dict(
    pooled=pooled(hope=(0.1, -0.1, 0.3, 4), cost=(0.5, 0.1, 0.9, 3)),
    members=members(hope=["A", "B", "D", "E"], cost=["A", "B", "D"]),
    effects=effects(A=0.1, B=0.9, D=0.3, E=0.0),
    claims=claims("not_supported", "g 0.10 in 4 trials", 0.1, 4),
)


def test_what_matters_most_comes_first_and_says_what_moved_it():
    table = changes(state(**BEFORE), state("now", NEW_DATA, **NOW), WORDS)
    assert table["kind"].tolist() == ["verdict", "pooled_result", "pooled_result", "sheet"]
    assert table["item"].tolist() == ["C02", "Hope", "Cost", "outcomes"]
    verdict = found(table, "verdict").sentence
    assert "from supported to not supported, by the data." in verdict
    assert "Before: g 0.20 in 3 trials. Now: g 0.10 in 4 trials." in verdict
    hope = found(table, "pooled_result")
    assert (hope.trials_new, hope.trials_gone, hope.trials_changed) == ("D; E", "C", "B")
    assert (hope.effect_before, hope.effect_now, hope.k_before, hope.k_now) == (0.2, 0.1, 3, 4)
    assert "whose interval takes in no effect now" in hope.sentence and hope.importance >= 3
    cost = table[table["item"].eq("Cost")].iloc[0]
    assert np.isnan(cost.effect_before) and "pooled now" in cost.sentence


def test_code_and_data_are_told_apart_by_the_old_data_under_the_new_code():
    before, now = state(**BEFORE), state("now", NEW_DATA, NEW_CODE, **NOW)
    assert found(changes(before, now, WORDS), "pooled_result").cause == UNKNOWN
    same = state("between", OLD_DATA, NEW_CODE, **BEFORE)
    assert found(changes(before, now, WORDS, same), "pooled_result").cause == DATA
    whole = state("between", OLD_DATA, NEW_CODE, **NOW)
    assert found(changes(before, now, WORDS, whole), "pooled_result").cause == CODE
    assert found(changes(before, now, WORDS, whole), "verdict").cause == CODE
    part = state("between", OLD_DATA, NEW_CODE, **(BEFORE | {"pooled": pooled(hope=(0.15, 0.05, 0.25, 3))}))
    row = found(changes(before, now, WORDS, part), "pooled_result")
    assert row.cause == BOTH and row.effect_between == 0.15
    assert "The old data under the new code give g 0.15 (95% CI 0.05 to 0.25" in row.sentence
    assert found(changes(before, now, WORDS, part), "verdict").cause == DATA


def test_only_the_code_or_a_setting_changed():
    now = state("now", OLD_DATA, OLD_CODE, {"rho": 0.6, "choices": {"new": {}}}, **NOW)
    table = changes(state(settings={"rho": 0.5, "choices": {}}, **BEFORE), now, WORDS)
    assert set(table["cause"]) == {CODE}
    assert table[table["kind"].eq("setting")]["item"].tolist() == ["choices, new", "rho"]


def test_a_verdict_that_stands_on_other_numbers_is_told():
    now = BEFORE | {"claims": claims("supported", "g 0.25 in 6 trials", 0.25, 6)}
    table = changes(state(**BEFORE), state("now", NEW_DATA, **now), WORDS)
    assert "still supported. Before: g 0.20 in 3 trials. Now: g 0.25 in 6 trials." in found(table, "ground").sentence


def test_nothing_differs():
    table = changes(state(**BEFORE), state("now", **BEFORE), WORDS)
    assert table.empty and "Nothing differs." in page(table, state(), state("now"))


# ---------------------------------------------------------------- on two folders


def lay(folder, tables, rows, book):
    (folder / "data/processed/tables").mkdir(parents=True)
    (folder / "data/raw/coder_a").mkdir(parents=True)
    (folder / "data/raw/codebook.yml").write_bytes(book)
    (folder / "data/raw/coder_a/outcomes.csv").write_text("row_id\n" + "".join(f"O{i:04}\n" for i in range(rows)))
    (folder / "parameters.yml").write_text("rho: 0.6\n")
    (folder / "pyproject.toml").write_text("")
    (folder / "notebooks").mkdir()
    (folder / "notebooks/01_a.py").write_text("# %%\n1\n")
    for name, table in tables.items():
        table.to_csv(folder / "data/processed" / running.STORED[name], index=False)


@pytest.fixture
def two(tmp_path, monkeypatch, request):
    book = (request.config.rootpath / FILE).read_bytes()
    for name, tables, rows in (("then", BEFORE, 3), ("now", NOW, 5)):
        lay(tmp_path / name, tables, rows, book)
    monkeypatch.setattr(running, "refuse_stale", lambda root: None)
    monkeypatch.chdir(tmp_path / "now")
    return tmp_path


def test_changes_from_a_folder_without_git(two, capsys):
    root = two / "now"
    before = output_stamps(root)
    running.compare_with(root, str(two / "then"))
    told = capsys.readouterr().out
    assert "the folder then" in told and "from supported to not supported, by the data" in told
    assert all((root / path).is_file() for path in CHANGES)
    assert (root / CHANGES[0]).read_text() == running.changes_page(root) and running.changes_page(root) in told
    table = pd.read_csv(root / CHANGES[1])
    assert table["importance"].is_monotonic_decreasing and len(table) == 4
    assert output_stamps(root) == before, "no output of a notebook"
    assert not list((root / ".chain").glob("changes*"))
    assert output_stamps(two / "then") and not (two / "then/data/processed/changes.md").exists()


def test_both_changed_and_the_old_data_run_under_the_new_code(two, monkeypatch, capsys):
    root = two / "now"
    (root / "parameters.yml").write_text("rho: 0.5\n")
    seen = {}

    def run(scratch, root):
        seen["sheet"] = (scratch / "data/raw/coder_a/outcomes.csv").read_text()
        seen["settings"] = (scratch / "parameters.yml").read_text()
        return state("run", OLD_DATA, NEW_CODE, **BEFORE)

    monkeypatch.setattr(running, "run_what_is_compared", run)
    running.compare_with(root, str(two / "then"))
    assert seen == {"sheet": (two / "then/data/raw/coder_a/outcomes.csv").read_text(), "settings": "rho: 0.5\n"}
    assert "Data and code changed both. The old data were computed" in capsys.readouterr().out

    def fails(scratch, root):
        raise Problem("notebook: 01 cannot read it")

    monkeypatch.setattr(running, "run_what_is_compared", fails)
    running.compare_with(root, str(two / "then"))
    assert "their parts could not be told apart" in capsys.readouterr().out


def test_a_sheet_that_did_not_exist_then_has_its_header_alone(two):
    old, new = two / "then/data/raw", two / "now/data/raw"
    (new / "doubts.csv").write_text("study,reason\nA,why\n")
    running.lay_old_sheets(new, old)
    assert (new / "doubts.csv").read_text() == "study,reason\n"
    assert (new / "coder_a/outcomes.csv").read_bytes() == (old / "coder_a/outcomes.csv").read_bytes()


@pytest.mark.parametrize("wanted", ["v9.9", None])
def test_what_cannot_be_compared_with_is_one_sentence(two, wanted):
    with pytest.raises(Problem) as told:
        running.compare_with(two / "now", wanted)
    assert len(str(told.value).splitlines()) == 1 and "--changes" in str(told.value)
    assert not any((two / "now" / path).exists() for path in CHANGES)


def test_a_folder_without_results_is_one_sentence(two):
    shutil.rmtree(two / "then/data/processed")
    with pytest.raises(Problem, match="holds no results to compare with"):
        running.compare_with(two / "now", str(two / "then"))


def test_the_default_is_the_newest_tag_with_other_data(two):
    root = two / "now"

    def git(*words):
        assert running.git(root, "-c", "user.name=a", "-c", "user.email=a@b", *words) is not None

    git("init", "-q")
    shutil.copy(two / "then/data/raw/coder_a/outcomes.csv", root / "data/raw/coder_a/outcomes.csv")
    git("add", "-A")
    git("commit", "-qm", "first")
    git("tag", "data-1.0.0")
    (root / "data/raw/coder_a/outcomes.csv").write_text("row_id\nO0001\n")
    git("commit", "-qam", "second")
    git("tag", "data-2.0.0")
    assert running.last_other_version(root) == "data-1.0.0"
    folder, name = running.earlier_project(root, None, two / "laid")
    assert name == "data-1.0.0" and running.read_state(folder, name).sheets["coder_a/outcomes"][1] == 3
    git("tag", "-d", "data-1.0.0", "data-2.0.0")
    with pytest.raises(Problem, match="No tag and no commit"):
        running.last_other_version(root)
    (root / "data/raw/VERSION").write_text("version: 3\n")
    git("add", "-A")
    git("commit", "-qm", "a version")
    assert running.last_other_version(root) == running.git(root, "rev-parse", "HEAD^").decode()[:12]


def test_the_report_has_the_page_where_it_was_written(two):
    from peersupport.report.site import page_of_changes

    root, source = two / "now", two / "source"
    (source / "extra").mkdir(parents=True)
    assert page_of_changes(root, source) == {}
    running.compare_with(root, str(two / "then"))
    text = page_of_changes(root, source)["changes.md"]
    assert "# What changed" in text and "from supported to not supported" in text
    assert (source / "extra/changes.png").is_file() and "(extra/changes.png)" in text
