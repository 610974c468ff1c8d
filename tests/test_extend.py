"""docs/extend.md does what it says: every step of it is done in a copy of the project."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/extend.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.M | re.S))
IN_SHEETS = """
import json
from peersupport.effects.routes import effect_sizes
from peersupport.intake import clean, validation
from peersupport.store.codebook import codebook, labels
from peersupport.store.sheets import read_raw
book, (raw, odd) = codebook(), read_raw()
problems = validation.validate(raw, odd, book)
validation.stop_on_errors(problems)
tables = clean.tidy(raw, clean.decisions(raw), book)
converted, _ = effect_sizes(
    tables["outcomes"],
    tables["studies"],
    clean.as_numbers(raw["clusters"], book["sheets"]["clusters"]),
    0.05,
    book,
)
by_id = {
    "effects": converted[converted["row_id"].str.startswith("O9")], "outcomes": tables["outcomes"]
}
found = {name: json.loads(t.set_index("row_id").to_json(orient="index")) for name, t in by_id.items()}
print(json.dumps(found | {"labels": labels("outcome_domain")}))
"""
IN_BATTERY = """
from peersupport.pool import models as battery
from peersupport.store.codebook import codebook, labels
from peersupport.store.tables import read_table
effects = battery.with_study_facts(
    read_table("effects.csv"), read_table("studies.csv"), read_table("tables/risk_of_bias.csv")
)
"""
IN_MODERATORS = """
from peersupport.moderate import regression, subgroups, trials as mod
from peersupport.store.codebook import codebook, labels
from peersupport.store.tables import read_reference, read_table
facts = mod.study_facts(
    read_table("studies.csv"),
    read_table("tables/risk_of_bias.csv"),
    read_reference("countries.csv"),
    (moderators := codebook()["moderators"]),
    codebook()["fidelity_items"],
)
effects = read_table("effects.csv")
trials = mod.trial_table(mod.outcome_rows(effects[effects["selected"]], mod.ALL_RECOVERY), facts, 0.6, moderators)
"""


def blocks(recipe, language):
    return re.findall(rf"^```{language}\n(.*?)^```", RECIPES[recipe], re.M | re.S)


def rows(recipe):
    return yaml.safe_load(blocks(recipe, "yaml")[0])


def edits(recipe):
    """(file, text before, text after) of each edit of a diff: lines begin with a space, - or +."""
    for block in blocks(recipe, "diff"):
        for name, lines in re.findall(r"^(\w\S*)\n((?:[ +-].*\n)+)", block, re.M):
            yield name, lines_with(" -", lines), lines_with(" +", lines)


def lines_with(signs, lines):
    return "\n".join(line[1:] for line in lines.splitlines() if line[0] in signs)


def columns(path):
    with path.open(encoding="utf-8", newline="") as sheet:
        return next(csv.reader(sheet))


def add_row(path, row):
    with path.open("a", encoding="utf-8", newline="") as sheet:
        writer = csv.DictWriter(sheet, columns(path), restval="", lineterminator="\n")
        writer.writerow(row)


def edit(root, recipe):
    for name, before, after in edits(recipe):
        text = (root / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{name} holds {before!r} {text.count(before)} times"
        (root / name).write_text(text.replace(before, after), encoding="utf-8")


def ask(root, code):
    """What the code prints, run on the copy's package and tables."""
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def copy_of_project(folder):
    root = folder / "a copy"
    skip = shutil.ignore_patterns("*.ipynb", "__pycache__", ".*")
    for folder in ("data", "src", "notebooks"):
        shutil.copytree(ROOT / folder, root / folder, ignore=skip)
    shutil.copy(ROOT / "parameters.yml", root)
    return root


@pytest.fixture
def copy(tmp_path):
    return copy_of_project(tmp_path)


def add_study(root):
    """The study of the page, with its rows of the second coder; its outcome once more, as a measure of sleep."""
    sheets = [(name, row) for name, row in rows("A study").items()]
    [outcome] = (row for name, row in sheets if name == "coder_a/outcomes.csv")
    sleep = outcome | {"row_id": "O9002", "outcome_domain": "sleep", "instrument": "ISI"}
    for name, row in [*sheets, ("coder_a/outcomes.csv", sleep)]:
        path = root / "data/raw" / name
        assert set(row) <= set(columns(path)), f"{name} has no such column"
        add_row(path, row)
        if name.startswith("coder_a/"):
            second = root / "data/raw" / name.replace("coder_a", "coder_b")
            add_row(second, {column: row.get(column, "") for column in columns(second)})


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory):
    """Effects, outcomes and labels of a copy with the page's study, correction and outcome, by row_id."""
    root = copy_of_project(tmp_path_factory.mktemp("sheets"))
    add_study(root)
    [correction] = rows("A corrected figure").values()
    add_row(root / "data/raw/corrections.csv", correction)
    edit(root, "An outcome")
    return json.loads(ask(root, IN_SHEETS))


def test_a_study_gives_an_effect(cleaned):
    g = (11.2 - 9.1) / 5.1 * (1 - 3 / (4 * 107 - 1))  # a lower PHQ-9 is better
    assert cleaned["effects"]["O9001"]["effect"] == pytest.approx(g, abs=0.001)


def test_a_corrected_figure_replaces_the_printed_one(cleaned):
    [row] = rows("A corrected figure").values()
    assert cleaned["outcomes"][row["key"]][row["column"]] == row["value"] != row["printed"]


def test_an_outcome_is_coded_labelled_and_grouped(cleaned):
    found = cleaned["effects"]["O9002"]
    assert (found["outcome_domain"], found["recovery_type"]) == ("sleep", "clinical")
    assert cleaned["labels"]["sleep"] == "Sleep"


def test_a_moderator_has_subgroups_or_a_slope_and_a_panel(copy):
    edit(copy, "A moderator")
    code = """
levels = [*labels("age_group"), *mod.EXTRA_LEVELS]
groups = subgroups.subgroups(trials, mod.ALL_RECOVERY, "age_group", levels)
slope = regression.meta_regression(trials, mod.ALL_RECOVERY, ["follow_up"], "single", permutations=10, seed=1)
from peersupport.figures import moderators as draw
line = regression.regression_line(trials, "follow_up")
slope_of = moderators["slopes"]["follow_up"]
figure = draw.bubbles([{"term": "follow_up", "slope": slope_of, "trials": trials, "line": line, "text": ""}], "")
print("adult" in set(groups["level"]), slope["estimate"].notna().all(), figure.axes[0].get_xlabel())
"""
    assert ask(copy, IN_MODERATORS + code) == "True True Length of follow-up (weeks)"


def test_a_model_is_fitted_beside_the_others(copy):
    edit(copy, "A model")
    code = """
settings = battery.Settings()
[depression] = [d for d in battery.domains(effects, 3, codebook()) if d.name == "depression"]
main, *new = [battery.fit_model(depression, name, settings) for name in (battery.MAIN, "pm_hk", "full_trials")]
print([(fit.trials <= main.trials, 0 < fit.effect < 1, fit.note) for fit in new])
"""
    assert ask(copy, IN_BATTERY + code) == str([(True, True, "")] * 2)


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_recipe_writes_ten_lines(recipe):
    new_rows = "".join(blocks(recipe, "yaml")).splitlines()
    new_lines = re.findall(r"^\+.+", "".join(blocks(recipe, "diff")), re.M)
    assert 0 < len(new_rows + new_lines) < 10


def test_the_files_and_settings_that_the_page_names_exist():
    for name in re.findall(r"`([\w/.*-]+\.(?:csv|yml|md|py|png))`", DOCUMENT):
        places = (ROOT, ROOT / "data/raw")
        assert any(next(place.glob(name), None) for place in places), f"{name} is not there"
    parameters = yaml.safe_load((ROOT / "parameters.yml").read_text("utf-8"))
    assert "minimum_trials" in DOCUMENT and "minimum_trials" in parameters
    assert "events:" in (ROOT / "data/raw/codebook.yml").read_text("utf-8")
    assert "MODELS:" in (ROOT / "src/peersupport/pool/models.py").read_text("utf-8")
