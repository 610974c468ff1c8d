"""Every rule of claims.csv on made-up tables that lead to each verdict, and one figure that flips a claim."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from peersupport.conclude import claims, grade, manuscript
from peersupport.conclude.evidence import Evidence, paired, votes_for_claims
from peersupport.describe.votes import row_directions, trial_directions
from peersupport.effects import routes, select
from peersupport.intake import clean
from peersupport.pool import models
from peersupport.store.codebook import codebook
from peersupport.store.sheets import read_raw

ROOT = Path(__file__).parents[1]
with open(ROOT / "data/raw/claims.csv", encoding="utf-8") as _sheet:
    SHEET = {row["claim_id"]: row for row in csv.DictReader(_sheet)}
NAN = float("nan")


def verdict(claim_id: str, **tables) -> str:
    [claim] = claims.read(pd.DataFrame([SHEET[claim_id]]))
    return claim.judge(Evidence(randomised=("rct",), remote=("digital", "telephone", "hybrid"), **tables)).verdict


def pool(outcome, family="smd", **changes):
    row = dict(
        outcome_domain=outcome,
        family=family,
        event="wanted" if outcome == "engagement" else "avoid",
        k=8,
        n=900,
        effect=0.3,
        ci_low=0.1,
        ci_high=0.5,
        pi_low=0.05,
        pi_high=0.55,
        i2=10.0,
    )
    return pd.DataFrame([row | changes])


def effects_of(outcome, values, family="smd"):
    return pd.DataFrame({"outcome_domain": outcome, "family": family, "effect": values})


def votes_of(outcome, arm1=0, neither=0, arm2=0, **labels):
    directions = ["arm1"] * arm1 + ["neither"] * neither + ["arm2"] * arm2
    columns = ["trial", "outcome_domain", "direction", "population", "modality"]
    table = pd.DataFrame({"direction": directions}).assign(outcome_domain=outcome, **labels)
    return table.assign(trial=range(len(table))).reindex(columns=columns)


NO_POOL = pool("x").head(0)


# ---- the sheet ------------------------------------------------------------------------------------
def test_every_rule_of_the_sheet_is_known_and_its_words_hold_its_thresholds():
    words = {claim.claim_id: claim.words for claim in claims.read(pd.DataFrame(SHEET.values()), "peer support")}
    assert set(words) == set(SHEET)
    assert "at least 75% of the trials favour peer support" in words["C01"] and "above -0.1;" in words["C01"]
    assert words["C03"].startswith("empowerment: supported if CI above 0 with 3 trials or more")
    assert "role ambiguity, worker wellbeing, staff stigma and cost evidence gap are among the 5" in words["C15"]
    assert words["C20"].startswith("supported if fewer than 10% of the randomised trials randomised 500 people or more")


def mistaken(**changes):
    return pd.DataFrame([SHEET["C02"] | changes, SHEET["C20"]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rule_name": "improvment"}, "C02, rule_name: there is no rule 'improvment'; there are consistent"),
        ({"trials_least": ""}, "C02, trials_least: the rule improvement asks for it"),
        ({"weeks": "26"}, "C02, weeks: the rule improvement has no use for it"),
        ({"share_percent": "half"}, "C02: share_percent: 'half' is no number"),
    ],
)
def test_a_mistake_in_the_sheet_is_one_sentence(changes, words):
    with pytest.raises(claims.ClaimsError, match=re.escape(words)):
        claims.evaluate(mistaken(**changes), Evidence())


def test_the_ledger_says_which_rule_was_written_after_its_numbers_were_known():
    table = claims.read(pd.DataFrame(SHEET.values()))
    assert [claim.claim_id for claim in table if claim.known] == ["C19"]


# ---- C01 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "positive", "expected"),
    [
        ({}, 8, "supported"),
        ({}, 6, "supported"),  # 75 %
        ({}, 5, "partly_supported"),
        ({"pi_low": -0.10}, 8, "partly_supported"),
        ({"pi_low": -0.09}, 8, "supported"),
        ({"ci_low": 0.0}, 8, "not_supported"),
        ({"ci_low": -0.1, "k": 4}, 8, "not_testable"),
        ({"effect": -0.3, "ci_low": -0.5, "ci_high": -0.1, "k": 4}, 0, "not_supported"),
    ],
)
def test_consistent_improvement(changes, positive, expected):
    trials = effects_of("personal", [0.2] * positive + [-0.1] * (8 - positive))
    assert verdict("C01", pooled=pool("personal", **changes), trials=trials) == expected


def test_consistent_improvement_without_a_pool_is_not_testable():
    assert verdict("C01", pooled=NO_POOL) == "not_testable"


# ---- C02 to C04 -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "votes", "expected"),
    [
        ({}, {"arm1": 1}, "supported"),
        ({"k": 3}, {}, "supported"),
        ({"k": 2}, {"arm1": 6}, "partly_supported"),  # 6 of 6: exact interval from 54 %
        ({"ci_low": -0.1}, {"arm1": 5}, "not_supported"),  # 5 of 5: from 48 %
        ({"ci_low": -0.1, "k": 4}, {"arm1": 4}, "not_testable"),
        (None, {"arm1": 6, "neither": 6}, "not_supported"),
        (None, {"arm1": 9, "neither": 1}, "partly_supported"),
        (None, {"arm1": 4, "arm2": 1}, "not_supported"),
        (None, {"arm1": 3, "neither": 1}, "not_testable"),
    ],
)
def test_improvement(changes, votes, expected):
    pooled = NO_POOL if changes is None else pool("hope", **changes)
    assert verdict("C02", pooled=pooled, votes=votes_of("hope", **votes)) == expected


def test_trials_that_found_no_difference_stay_in_the_share_and_the_other_reading_is_beside():
    sheet = pd.DataFrame([SHEET["C02"]])
    evidence = Evidence(pooled=NO_POOL, votes=votes_of("hope", arm1=8, neither=8))
    row = claims.evaluate(sheet, evidence).iloc[0]
    assert (row["verdict"], row["verdict_left_out"]) == ("not_supported", "partly_supported")
    assert row["estimate"] == 0.5 and row["k"] == 16 and "8 found no difference" in row["reason"]


# ---- C05 and C06 ----------------------------------------------------------------------------------
CONSISTENT = {"i2": 10.0, "pi_low": 0.05}


@pytest.mark.parametrize(
    ("clinical", "depression", "positive", "expected"),
    [
        ({"i2": 50.0}, {"i2": 70.0}, 8, "supported"),
        ({"pi_low": -0.1}, {"pi_low": -0.1}, 5, "supported"),
        ({"pi_low": -0.1}, {"pi_low": -0.1}, 6, "partly_supported"),
        (CONSISTENT, CONSISTENT, 8, "not_supported"),
        ({"i2": 50.0}, CONSISTENT, 8, "partly_supported"),
    ],
)
def test_inconsistency(clinical, depression, positive, expected):
    pooled = pd.concat([pool("clinical", **clinical), pool("depression", **depression)])
    signs = [0.2] * positive + [-0.1] * (8 - positive)
    trials = pd.concat([effects_of("clinical", signs), effects_of("depression", signs)])
    assert verdict("C05", pooled=pooled, trials=trials) == expected


@pytest.mark.parametrize(
    ("trials", "votes", "expected"),
    [
        (2, {"arm1": 4}, "not_testable"),
        (2, {"arm1": 3, "arm2": 2}, "supported"),
        (2, {"arm1": 5}, "partly_supported"),
        (3, {"arm1": 1}, "not_supported"),
    ],
)
def test_service_use_falls_back_on_directions(trials, votes, expected):
    names = ("hospitalisation", "service_use")
    pooled = pd.concat([pool(name, "log_rr", k=trials) for name in names])
    effects_there = pd.concat([effects_of(name, [0.1] * trials, "log_rr") for name in names])
    both = pd.concat([votes_of(name, **votes) for name in names])
    assert verdict("C06", pooled=pooled, trials=effects_there, votes=both) == expected


# ---- C07 ------------------------------------------------------------------------------------------
def slopes(missing=None, absent=None):
    rows = []
    for term, span in (("fidelity_index", missing), ("fidelity_index_absent", absent)):
        low, high = span or (NAN, NAN)
        row = {"outcome": "all_recovery", "model": "single", "term": term, "k": 12, "note": "none"}
        rows.append(row | {"estimate": (low + high) / 2, "ci_low": low, "ci_high": high})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("missing", "absent", "expected"),
    [
        ((0.01, 0.3), None, "supported"),
        ((-0.1, 0.3), (0.01, 0.2), "partly_supported"),
        ((-0.1, 0.09), (-0.1, 0.2), "not_supported"),
        ((-0.1, 0.11), (-0.1, 0.02), "not_testable"),
        (None, (-0.1, 0.02), "not_testable"),  # what is not reported is not "no"
        (None, None, "not_testable"),
    ],
)
def test_fidelity_slope(missing, absent, expected):
    assert verdict("C07", regressions=slopes(missing, absent)) == expected


# ---- C08 ------------------------------------------------------------------------------------------
def dated(early, during, late):
    rows = []
    for year, (remote, total) in ((2018, early), (2021, during), (2024, late)):
        rows += [(year, "digital")] * remote + [(year, "in_person")] * (total - remote)
    return pd.DataFrame(rows, columns=["year", "modality"])


@pytest.mark.parametrize(
    ("early", "during", "late", "expected"),
    [
        ((10, 50), (25, 50), (12, 50), "supported"),
        ((10, 50), (25, 50), (9, 50), "not_supported"),  # fell again
        ((10, 50), (12, 50), (12, 50), "not_supported"),  # no interval above 0
        ((0, 0), (12, 50), (12, 50), "not_supported"),
    ],
)
def test_expansion(early, during, late, expected):
    assert verdict("C08", studies=dated(early, during, late)) == expected


def test_studies_that_do_not_report_their_delivery_or_lie_outside_do_not_count():
    more = pd.DataFrame({"year": [2018] * 90 + [2026] * 90, "modality": [None] * 90 + ["in_person"] * 90})
    studies = pd.concat([dated((10, 50), (25, 50), (12, 50)), more])
    assert verdict("C08", studies=studies) == "supported"


# ---- C09 and C11 to C14 ---------------------------------------------------------------------------
def group(outcome, moderator, level, k, low, high):
    row = {"outcome": outcome, "moderator": moderator, "level": level, "k": k, "n": 100, "tau2_model": "separate"}
    return row | {"effect": (low + high) / 2, "ci_low": low, "ci_high": high}


def distance(**kinds):
    rows = [group(kind, "distance", "digital_telephone", *span) for kind, span in kinds.items()]
    columns = list(group("", "", "", 0, 0, 0))
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize(
    ("kinds", "votes", "expected"),
    [
        ({"clinical": (4, 0.1, 0.3), "personal": (3, -0.2, 0.3)}, {}, "supported"),
        ({"clinical": (3, 0.1, 0.3)}, {"arm1": 3, "arm2": 1}, "partly_supported"),
        ({"clinical": (4, 0.1, 0.3), "personal": (3, -0.3, -0.1)}, {"arm1": 3, "arm2": 2}, "partly_supported"),
        ({"clinical": (5, -0.1, 0.3), "all_recovery": (5, -0.1, 0.3)}, {"arm1": 2, "arm2": 2}, "not_supported"),
        ({"clinical": (4, -0.1, 0.3), "all_recovery": (4, -0.1, 0.3)}, {"arm1": 2, "arm2": 2}, "not_testable"),
        ({}, {"arm1": 3}, "not_testable"),
    ],
)
def test_delivery_works(kinds, votes, expected):
    directions = votes_of("all_recovery", **votes, modality="telephone")
    assert verdict("C09", subgroups=distance(**kinds), votes=directions) == expected


@pytest.mark.parametrize(
    ("span", "votes", "expected"),
    [
        ((4, 0.05, 0.5), {}, "supported"),
        ((3, 0.05, 0.5), {"arm1": 3}, "not_testable"),
        ((3, 0.05, 0.5), {"arm1": 3, "arm2": 1}, "partly_supported"),
        ((5, -0.05, 0.5), {"arm1": 2, "arm2": 2}, "not_supported"),
        (None, {"arm1": 2, "arm2": 3}, "not_supported"),
        (None, {"arm1": 2, "neither": 2}, "not_testable"),
        (None, {"arm1": 2, "neither": 3}, "not_supported"),
    ],
)
def test_promise(span, votes, expected):
    rows = [group("all_recovery", "population", "youth", *span)] if span else []
    subgroups = pd.DataFrame(rows, columns=list(group("", "", "", 0, 0, 0)))
    directions = votes_of("all_recovery", **votes, population="youth")
    assert verdict("C11", subgroups=subgroups, votes=directions) == expected


# ---- C10 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("k", "low", "expected"),
    [(0, NAN, "supported"), (2, 0.1, "supported"), (3, -0.1, "partly_supported"), (3, 0.1, "not_supported")],
)
def test_long_term_unknown(k, low, expected):
    row = {
        "split": "follow-up",
        "level": "long",
        "k": k,
        "n": 90,
        "effect": low + 0.2,
        "ci_low": low,
        "ci_high": low + 0.4,
    }
    assert verdict("C10", over_time=pd.DataFrame([row])) == expected


# ---- C15 ------------------------------------------------------------------------------------------
NAMED = ("role_ambiguity", "worker_wellbeing", "staff_stigma", "cost_evidence_gap")


def barriers(inside: int, tied: bool = False):
    """`inside` of the four named barriers above six others, the rest below."""
    counts = {theme: 40 - i if i < inside else (20 if tied else 1) for i, theme in enumerate(NAMED)}
    counts |= {f"other{i}": 20 for i in range(6)}
    table = pd.DataFrame({"theme": list(counts), "studies": list(counts.values())})
    rank = table["studies"].rank(ascending=False)
    return table.assign(rank=rank, rank_low=rank, rank_high=rank, of=100)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (barriers(4), "supported"),
        (barriers(3), "partly_supported"),
        (barriers(2), "partly_supported"),
        (barriers(1), "not_supported"),
        (barriers(3, tied=True), "supported"),
    ],
)
def test_primary_challenges(table, expected):
    assert verdict("C15", barriers=table) == expected


# ---- C16 and C17 ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("with_cost", "expected"),
    [(4, "supported"), (5, "partly_supported"), (14, "partly_supported"), (15, "not_supported")],
)
def test_cost_evidence_lacking(with_cost, expected):
    trials = [f"T{i}" for i in range(100)]
    studies = pd.DataFrame(
        {"study": trials, "trial": trials, "design": "rct", "design_family": "randomised", "condition_arm2": None}
    )
    extra = {
        "study": "T0-cost",
        "trial": "T0",
        "design": "economic_evaluation",
        "design_family": "non_randomised",
        "condition_arm2": "waitlist",
    }
    single = {
        "study": "S",
        "trial": "S",
        "design": "pre_post",
        "design_family": "non_randomised",
        "condition_arm2": "none",
    }
    outcomes = pd.DataFrame({"trial": [*trials[:with_cost], "S"], "outcome_domain": "cost"})
    tables = {"studies": pd.concat([studies, pd.DataFrame([extra, single])]), "outcomes": outcomes}
    assert verdict("C16", **tables) == expected


@pytest.mark.parametrize(("poorer", "expected"), [(24, "supported"), (25, "not_supported")])
def test_more_settings_needed(poorer, expected):
    counts = {"high": 100 - poorer, "upper_middle": 0, "lower_middle": poorer - 5, "low": 0, "several": 5}
    counts |= {"not_classified": 7, "not_stated": 40}
    income = pd.DataFrame({"income_group": list(counts), "trials": list(counts.values())})
    assert verdict("C17", income=income) == expected


def test_no_trial_with_a_country_is_not_testable():
    income = pd.DataFrame(
        {
            "income_group": ["high", "upper_middle", "lower_middle", "low", "several", "not_stated"],
            "trials": [0, 0, 0, 0, 0, 3],
        }
    )
    assert verdict("C17", income=income) == "not_testable"


# ---- C18 to C22 -----------------------------------------------------------------------------------
def both_outcomes(differences, variance=0.01):
    """Trials with a personal and a clinical effect; their correlation of 0.6 leaves 0.8 of one variance."""
    rows = [
        {"outcome_domain": name, "family": "smd", "trial": f"T{i}", "effect": effect, "variance": variance}
        for i, difference in enumerate(differences)
        for name, effect in (("personal", 0.1 + difference), ("clinical", 0.1))
    ]
    return pd.DataFrame(rows).assign(n_arm1=50.0, n_arm2=50.0)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.3, 0.35, 0.25, 0.3], "supported"),
        ([-0.3, -0.35, -0.25, -0.3], "not_supported"),
        ([0.05, -0.05, 0.04, -0.04] * 3, "not_supported"),  # within 0.20 of 0
        ([0.6, -0.5] * 5, "partly_supported"),
        ([0.6, -0.5] * 2, "not_testable"),
        ([0.3], "not_testable"),
    ],
)
def test_specific_benefit(differences, expected):
    assert verdict("C18", trials=both_outcomes(differences)) == expected


def test_the_variance_of_a_difference_within_a_trial_by_hand():
    pairs = paired(both_outcomes([0.3]), "personal", "clinical", 0.6)
    assert pairs["effect"].tolist() == pytest.approx([0.3]) and pairs["variance"].tolist() == pytest.approx([0.008])


@pytest.mark.parametrize(
    ("hospital", "engagement", "expected"),
    [
        ({}, {}, "supported"),
        ({"ci_low": -0.1}, {}, "partly_supported"),
        ({"ci_low": -0.1}, {"ci_low": -0.1}, "not_supported"),
        ({"ci_low": -0.1}, {"k": 2}, "not_testable"),
        ({}, {"k": 2}, "partly_supported"),
    ],
)
def test_clinical_care_improves_on_both_or_on_one(hospital, engagement, expected):
    pooled = pd.concat([pool("hospitalisation", "log_rr", **hospital), pool("engagement", "log_rr", **engagement)])
    assert verdict("C19", pooled=pooled) == expected


@pytest.mark.parametrize(
    ("large", "expected"), [(9, "supported"), (10, "partly_supported"), (24, "partly_supported"), (25, "not_supported")]
)
def test_large_trials_lacking_counts_a_trial_once_and_leaves_out_who_does_not_say(large, expected):
    sizes = [500] * large + [499] * (100 - large)
    trials = [f"T{i}" for i in range(100)]
    studies = pd.DataFrame({"study": trials, "trial": trials, "design": "rct", "n_randomised": sizes})
    silent = {"study": "S", "trial": "S", "design": "rct", "n_randomised": NAN}
    companion = {"study": "T0b", "trial": "T0", "design": "rct", "n_randomised": 20}
    other = {"study": "C", "trial": "C", "design": "cohort", "n_randomised": 9000}
    assert verdict("C20", studies=pd.concat([studies, pd.DataFrame([silent, companion, other])])) == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((4, 1, 1, 1, 2), "supported"),  # 4 of 9
        ((5, 1, 1, 1, 1), "partly_supported"),  # 5 of 9
        ((14, 1, 1, 1, 1), "not_supported"),
        ((2, 2, 2, 2), "not_supported"),  # four instruments
    ],
)
def test_outcomes_are_not_standardised(counts, expected):
    names = [f"scale {i}" for i, count in enumerate(counts) for _ in range(count)]
    trials = [f"T{i}" for i in range(len(names))]
    outcomes = pd.DataFrame(
        {"study": trials, "trial": trials, "instrument": names, "outcome_domain": "personal_recovery"}
    )
    studies = pd.DataFrame({"study": trials, "trial": trials, "design": "rct"})
    assert verdict("C21", outcomes=outcomes, studies=studies) == expected


@pytest.mark.parametrize(
    ("with_workers", "expected"), [(4, "supported"), (5, "partly_supported"), (15, "not_supported")]
)
def test_studies_of_the_workforce_are_lacking(with_workers, expected):
    trials = [f"T{i}" for i in range(100)]
    population = ["peer_workers"] * with_workers + ["smi"] * (100 - with_workers)
    studies = pd.DataFrame({"study": trials, "trial": trials, "design": "rct", "population": population})
    single = {
        "study": "S",
        "trial": "S",
        "design": "qualitative",
        "population": "peer_workers",
        "condition_arm2": "none",
    }
    assert verdict("C22", studies=pd.concat([studies.assign(condition_arm2=None), pd.DataFrame([single])])) == expected


# ---- one figure in the raw sheets flips a claim -----------------------------------------------------
@pytest.fixture(scope="module")
def raw_sheets():
    sheets_of_the_project, _ = read_raw()
    return sheets_of_the_project


def ledger_and_paragraph(raw):
    """The way of one claim, C03, from raw sheets to the paragraph, as notebooks 01, 03 and 07 go it."""
    book = codebook()
    tables = clean.tidy(raw, clean.decisions(raw), book)
    clusters = clean.as_numbers(raw["clusters"], book["sheets"]["clusters"])
    studies, outcomes = tables["studies"], tables["outcomes"]
    converted, _ = routes.effect_sizes(outcomes, studies, clusters, 0.05, book)
    chosen = select.select(converted, book["instruments"]).merge(studies[["study", "year"]], on="study")
    domain = next(d for d in models.domains(chosen, 3, book) if d.name == "empowerment")
    settings = models.Settings()
    main = models.pooled_table([models.fit_model(domain, models.MAIN, settings)])
    rows = row_directions(outcomes.replace("", np.nan), chosen)
    votes = trial_directions(rows, 0.7)
    votes = votes_for_claims(votes, rows, outcomes.replace("", np.nan), studies, 0.7)
    trials = models.composites(domain.rows, settings.correlation).assign(
        weight=1.0,
        risk_of_bias="low",
        helper_experience="distress",
        condition_arm2="waitlist",
        design_family="randomised",
    )
    evidence = Evidence(pooled=main, trials=trials, votes=votes)
    sheet = raw["claims"][raw["claims"]["claim_id"].eq("C03")]
    ledger = claims.evaluate(sheet, evidence)
    empty = main.head(0)
    findings = grade.summary_of_findings(
        main, trials, empty, empty, grade.NO_OVERRIDES, rules=grade.Rules(), baseline=0.2
    )
    ranked = pd.DataFrame({"theme": ["role_ambiguity"], "studies": [9], "of": [90], "rank": [1.0]})
    numbers = manuscript.numbers(
        pd.DataFrame({"detail": ["records"], "n": [9]}),
        studies,
        100,
        findings,
        main,
        ledger,
        ranked,
        {"stated": 4, "long": 2},
        26,
        book["codes"]["outcome_domain"] | book["codes"]["barrier"],
    )
    return ledger.iloc[0], manuscript.results_paragraph(numbers, ledger)


def test_one_figure_flips_a_claim_its_reason_and_the_paragraph(raw_sheets):
    before, paragraph_before = ledger_and_paragraph(raw_sheets)
    sheet = raw_sheets["database/outcomes"].copy()
    row = sheet["row_id"].eq("D0066")  # van Gestel-Timmermans 2012, empowerment
    assert sheet.loc[row, "mean_arm1"].tolist() == ["3.55"]
    sheet.loc[row, "mean_arm1"] = "3.25"
    after, paragraph_after = ledger_and_paragraph(raw_sheets | {"database/outcomes": sheet})

    assert before["verdict"] == "supported" and before["ci_low"] > 0
    assert after["verdict"] == "not_supported" and after["ci_low"] < 0
    assert before["k"] == after["k"]
    assert before["reason"] != after["reason"]
    assert "Empowerment improves. **Supported.**" in paragraph_before
    assert "Empowerment improves. **Not supported.**" in paragraph_after
    assert "excludes no effect for empowerment" in paragraph_before
    assert "includes no effect for empowerment" in paragraph_after


# ---- the article's window -------------------------------------------------------------------------
def test_the_window_is_judged_by_the_same_rule_on_its_own_evidence():
    sheet = pd.DataFrame([SHEET["C08"], SHEET["C20"]])
    studies = pd.DataFrame(
        {
            "study": [f"S{i}" for i in range(40)],
            "trial": [f"S{i}" for i in range(40)],
            "design": "rct",
            "year": [2010] * 20 + [2022] * 20,
            "n_randomised": [600] * 6 + [100] * 34,
            "modality": ["in_person"] * 20 + ["digital"] * 20,
        }
    )
    every = Evidence(studies=studies, randomised=["rct"], remote=["digital"])
    late = replace(every, studies=studies[studies["year"].ge(2020)], since=2020)
    table = claims.evaluate(sheet, every, late).set_index("claim_id")
    assert table.loc["C20", ["verdict", "verdict_window"]].tolist() == ["partly_supported", "supported"]  # 15%, 0%
    assert table.loc["C08", "verdict_window"] == "not_testable"  # nothing before it to compare with
    assert "0 of 20" in table.loc["C20", "reason_window"]
    alone = claims.evaluate(sheet, every)
    assert alone["verdict_window"].isna().all()
