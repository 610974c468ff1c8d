"""Published results in one direction, the generated text, and the links of the PRISMA checklist."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from peersupport.conclude import manuscript, reviews

ROOT = Path(__file__).parents[1]
REVIEW = dict(
    review="Able 2020",
    year=2020,
    population="smi",
    outcome_domain="depression",
    comparison="peer support vs control",
    time_point="post",
    k=5,
    n=500,
    measure="SMD",
    effect=-0.3,
    ci_low=-0.5,
    ci_high=-0.1,
    higher_is_better="no",
    note=None,
)
OURS = pd.DataFrame(
    [{"outcome_domain": "depression", "family": "smd", "k": 9, "n": 900, "effect": 0.2, "ci_low": 0.1, "ci_high": 0.3}]
)


def turned(**changes):
    table = reviews.published_reviews(pd.DataFrame([REVIEW | changes]), OURS)
    return table[table["source"].eq("published")].iloc[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (0.3, 0.1, 0.5)),
        ({"higher_is_better": "yes"}, (-0.3, -0.5, -0.1)),
        ({"measure": "RR", "effect": 0.5, "ci_low": 0.25, "ci_high": 1.0}, (np.log(2), 0.0, np.log(4))),
        (
            {"measure": "OR", "effect": 2.0, "ci_low": 1.0, "ci_high": 4.0, "higher_is_better": "yes"},
            (np.log(2), 0.0, np.log(4)),
        ),
    ],
)
def test_every_result_is_turned_to_favour_peer_support_above_zero(changes, expected):
    row = turned(**changes)
    assert (row["effect"], row["ci_low"], row["ci_high"]) == pytest.approx(expected)
    assert row["printed"] == (REVIEW | changes)["effect"] and row["comparable"]
    assert row["overlap"].startswith("unknown")


@pytest.mark.parametrize(
    ("changes", "mark", "comparable"),
    [
        ({"k": 1}, "one_trial", True),
        ({"comparison": "subgroup: groups"}, "subgroup", True),
        ({"comparison": "pre vs post (no control)"}, "no_control", False),
        ({"ci_low": np.nan, "ci_high": np.nan}, "no_interval", False),
        ({"higher_is_better": None}, "direction_unclear", False),
        ({"measure": "MD"}, "other_unit", False),
    ],
)
def test_what_cannot_be_laid_beside_is_marked(changes, mark, comparable):
    row = turned(**changes)
    assert mark in row["marks"].split(";") and row["comparable"] == comparable


def test_the_same_figures_entered_twice_count_once_even_with_the_sign_turned():
    twice = pd.DataFrame([REVIEW, REVIEW | {"effect": 0.3, "ci_low": 0.1, "ci_high": 0.5, "higher_is_better": "yes"}])
    table = reviews.published_reviews(twice, OURS)
    assert table["source"].tolist() == ["ours", "published", "published"]
    assert table["comparable"].tolist() == [True, True, False]


def numbers():
    flow = pd.DataFrame({"detail": ["records"], "n": [10]})
    families = ["randomised", "randomised", "qualitative"]
    studies = pd.DataFrame({"design_family": families, "trial": ["A", "A", "B"]})
    main = pd.DataFrame(
        [
            {
                "outcome_domain": "hospitalisation",
                "family": "log_rr",
                "event": "avoid",
                "k": 3,
                "n": 1120,
                "effect": np.log(1.35),
                "ci_low": np.log(1.11),
                "ci_high": np.log(1.65),
                "pi_low": np.nan,
                "pi_high": np.nan,
                "i2": 0.0,
                "p_value": 0.02,
            }
        ]
    )
    findings = main.assign(certainty="low")
    claims = pd.DataFrame(
        {"claim_id": ["C1"], "claim": ["It works."], "verdict": ["not_testable"], "reason": ["Too few."]}
    )
    ranked = pd.DataFrame({"theme": ["pay"], "studies": [7], "of": [70], "rank": [1.0]})
    digital = {"stated": 22, "long": 11}
    labels = {"hospitalisation": "Hospitalisation", "pay": "Low pay"}
    found = manuscript.numbers(flow, studies, 321.0, findings, main, claims, ranked, digital, 26, labels)
    return found, claims


def test_ratios_are_written_as_ratios_and_trials_counted_once():
    found, _ = numbers()
    assert found["randomised_trials"] == 1
    row = found["outcomes"]["hospitalisation|log_rr"]
    assert row["effect"] == pytest.approx(1 / 1.35) and row["pi_low"] is None


def test_the_paragraph_holds_what_the_numbers_hold():
    found, claims = numbers()
    text = manuscript.results_paragraph(found, claims)
    ratio = "hospitalisation (RR 0.74; below 1 is better, 95% CI 0.61 to"
    assert f"excludes no effect for {ratio} 0.90; 3 trials, 1,120 people" in text
    assert "It works. **Not testable.** Too few." in text
    found["outcomes"]["hospitalisation|log_rr"]["ci_high"] = 1.1
    assert f"includes no effect for {ratio} 1.10" in manuscript.results_paragraph(found, claims)


def test_the_checklist_has_the_items_of_prisma_and_links_to_files_that_are_there_or_written():
    checklist = pd.read_csv(ROOT / "data/reference/prisma_2020.csv", dtype={"item": str})
    numbered = [int(re.match(r"\d+", item).group()) for item in checklist["item"]]
    assert sorted(set(numbered)) == list(range(1, 28)) and len(checklist) == 42
    texts = "".join(path.read_text("utf-8") for path in (ROOT / "notebooks").glob("*.py"))
    for place in checklist["where"].dropna().str.split(";").explode():
        name = Path(place).stem if place.startswith("figures/") else place.removeprefix("data/processed/")
        written = place.startswith(("figures/", "data/processed/")) and name in texts
        assert (ROOT / place).is_file() or written, place


def test_the_checklist_page_links_from_the_folder_of_the_tables():
    page = manuscript.checklist_page(
        pd.DataFrame(
            {
                "section": ["Methods"],
                "item": ["5"],
                "asked": ["Criteria"],
                "where": ["data/raw/README.md"],
                "note": [None],
            }
        )
    )
    assert "| 5 | Criteria | [data/raw/README.md](../../data/raw/README.md) |" in page
