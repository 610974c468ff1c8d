"""The README's numbers are those of the tables, and its links lead somewhere."""

import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z][\w ]+) \| (\d+) \| (.+?) \| (.+?) \|$", README, re.M)


@pytest.fixture(scope="module")
def pooled():
    table = pd.read_csv(ROOT / "data/processed/tables/pooled_outcomes.csv")
    return table[table.model.eq("random_reml_hk") & table.family.eq("smd")].set_index("outcome_domain")


def test_the_readme_has_its_table():
    assert len(ROWS) == 5


@pytest.mark.parametrize("name, trials, effect, prediction", ROWS)
def test_a_row_of_the_answer_is_the_pooled_result(name, trials, effect, prediction, pooled):
    row = pooled.loc[name.lower().replace(" ", "_")]
    assert int(trials) == row.k
    assert effect == f"{row.effect:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})"
    assert prediction == f"{row.pi_low:.2f} to {row.pi_high:.2f}"


def test_every_local_link_leads_to_a_file():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links and not [link for link in links if not (ROOT / link).exists()]
