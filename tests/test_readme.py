"""The README's numbers are those of the tables, and its links lead somewhere."""

import re
from pathlib import Path

import pandas as pd
import pytest

from peersupport.chain.pairs import Problem
from peersupport.chain.readme import BEGIN, END, MADE, renew, with_block
from peersupport.pool.models import MAIN

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_block_of_the_readme_is_what_the_chain_makes_today():
    stored = (ROOT / MADE).read_text("utf-8")
    assert with_block(README, stored) == README, "README.md is behind: ./run_all.sh --from 07 renews its table"
    assert BEGIN in README and END in README


def test_a_row_of_the_answer_is_the_pooled_result():
    table = pd.read_csv(ROOT / "data/processed/tables/pooled_outcomes.csv")
    row = table[table.model.eq(MAIN) & table.outcome_domain.eq("depression") & table.family.eq("smd")].iloc[0]
    certainty = pd.read_csv(ROOT / "data/processed/tables/summary_of_findings.csv").set_index("outcome_domain")
    cells = next(line for line in README.splitlines() if line.startswith("| Depression ")).split(" | ")
    assert int(cells[1]) == row.trials
    assert cells[2] == f"g {row.effect:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})".replace("-", "\u2212")
    assert cells[4] == f"{row.pi_low:.2f} to {row.pi_high:.2f}".replace("-", "\u2212")
    assert cells[5].removesuffix(" |") == certainty.loc["depression", "certainty"].replace("_", " ")


def test_a_block_is_renewed_between_its_marks_and_nowhere_else(tmp_path):
    (tmp_path / "README.md").write_text(f"a\n{BEGIN}\nold\n{END}\nb\n")
    renew(tmp_path)  # nothing made yet
    assert "old" in (tmp_path / "README.md").read_text()
    (tmp_path / MADE).parent.mkdir(parents=True)
    (tmp_path / MADE).write_text("new \\1\n")
    renew(tmp_path)
    assert (tmp_path / "README.md").read_text() == f"a\n{BEGIN}\nnew \\1\n{END}\nb\n"
    (tmp_path / "README.md").write_text("another review\n")
    renew(tmp_path)
    assert (tmp_path / "README.md").read_text() == "another review\n"
    with pytest.raises(Problem, match="README.md: .* add that line"):
        with_block(f"{BEGIN}\nlost", "new")


def test_every_local_link_leads_to_a_file():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links and not [link for link in links if not (ROOT / link).exists()]
