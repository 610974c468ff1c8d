"""Databases in the Metapsy standard: one that is real, and small ones for each way in which they are written."""

from pathlib import Path

import pandas as pd
import pytest

from peersupport.effects.formulas import log_risk_ratio
from peersupport.intake import metapsy
from peersupport.pool.fit import composites, univariate

FILE = Path(__file__).parent / "other_review/metapsy_suicide.csv"
RAW = "study,outcome_type,mean_arm1,sd_arm1,n_arm1,mean_arm2,sd_arm2,n_arm2\nAble 2020,msd,10,2,30,12,2.5,31\n"


def database(text, mapping=None):
    return metapsy.imported(metapsy.read(text.encode()), mapping or {})


@pytest.fixture(scope="module")
def suicide():
    return metapsy.imported(metapsy.read(FILE.read_bytes()), {})


def test_every_row_of_the_real_database_is_placed(suicide):
    assert len(suicide.sheets["database/outcomes"]) == 190 and suicide.unplaced.empty
    assert len(suicide.sheets["database/studies"]) == 145
    assert suicide.codebook["outcome_domain"] == {"ideation": "Ideation", "attempts": "Attempts"}
    assert suicide.codebook["events"] == {"attempts": "as_printed"}


def test_its_pooled_effects_are_those_of_metafor(suicide):
    """rma(yi, vi, test = "knha") after aggregate(struct = "CS", rho = 0.6), on the database's own sign."""
    rows = suicide.sheets["database/outcomes"]
    ideation = rows[rows["outcome_domain"].eq("ideation")]
    effects = pd.DataFrame({"trial": ideation["study"], "effect": ideation["effect"].astype(float)})
    effects = effects.assign(variance=ideation["se"].astype(float) ** 2, n_arm1=1.0, n_arm2=1.0)
    fit = univariate(composites(effects, 0.6))
    assert fit.k == 96
    assert (fit.effect, fit.ci_low, fit.ci_high) == pytest.approx((-0.319, -0.435, -0.202), abs=6e-4)


def test_a_multi_arm_trial_keeps_its_arms(suicide):
    rows = suicide.sheets["database/outcomes"]
    assert rows.loc[rows["study"].eq("Andreoli 2016"), "multi_arm1"].tolist() == ["psychotherapists", "nurses"]


def test_events_are_the_printed_counts(suicide):
    row = suicide.sheets["database/outcomes"].set_index("study").loc["Amianto 2011"]
    counts = [int(row[c]) for c in ("event_arm1", "totaln_arm1", "event_arm2", "totaln_arm2")]
    assert counts == [6, 18, 7, 17] and log_risk_ratio(*counts)[0] == pytest.approx(-0.2113, abs=1e-4)


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), (";", "."), ("\t", ",")])
def test_separators_and_decimals(separator, decimal):
    text = "study;.g;.g_se\nAble 2020;-0.25;0.1\n".replace(".25", f"{decimal}25").replace("0.1", f"0{decimal}1")
    row = database(text.replace(";", separator)).sheets["database/outcomes"].iloc[0]
    assert (row["effect"], row["se"], row["measure"]) == ("-0.25", "0.1", "g")


def test_raw_figures_come_before_computed_ones_and_changes_are_changes():
    row = database(RAW.replace("n_arm2\n", "n_arm2,.g,.g_se\n").replace(",31\n", ",31,9,1\n")).sheets[
        "database/outcomes"
    ]
    assert row.loc[0, ["outcome_type", "mean_arm1", "sd_arm2"]].tolist() == ["msd", "10", "2.5"]
    change = RAW.replace("mean_", "mean_change_").replace("sd_", "sd_change_").replace(",n_", ",n_change_")
    row = database(change).sheets["database/outcomes"].iloc[0]
    assert (row["outcome_type"], row["mean_arm1"]) == ("change", "10")


def test_a_log_risk_ratio_becomes_a_ratio_with_its_interval():
    row = database("study,.log_rr,.log_rr_se\nAble 2020,-0.6931471805599453,0.2\n").sheets["database/outcomes"].iloc[0]
    assert float(row["effect"]) == pytest.approx(0.5) and float(row["ci_high"]) == pytest.approx(0.7400, abs=1e-4)


def test_what_cannot_be_placed_is_named_with_its_row_and_reason():
    text = "study,.g,.g_se\nAble 2020,NA,NA\n,0.1,0.1\nBaker 2021,0.1,0\nClark 2022,0.1,NA\nDunn 2023,0.2,0.1\n"
    found = database(text)
    assert len(found.sheets["database/outcomes"]) == 1
    assert found.unplaced["row"].tolist() == [2, 3, 4, 5]
    assert found.unplaced["reason"].tolist() == [
        "no figures",
        "no study is named",
        ".g 0.1 with .g_se 0: an effect needs a number and a standard error above 0",
        ".g stands without what belongs to it",
    ]


def test_a_direction_is_only_what_the_mapping_says():
    told = {"outcomes": {"outcome": {"label": "Depression", "better": "lower"}}}
    unknown, known = (database(RAW, mapping).sheets["database/outcomes"].iloc[0] for mapping in ({}, told))
    assert (unknown["higher_is_better"], unknown["positive_favours"]) == ("", "")
    assert (known["higher_is_better"], known["positive_favours"]) == ("no", "arm2")
    assert database(RAW, told).codebook["outcome_domain"] == {"outcome": "Depression"}


def test_time_points_and_judgements_are_read_and_scores_are_left_out():
    text = "study,.g,.g_se,time,rob\nAble 2020,0.1,0.1,FU,low risk\nBaker 2021,0.1,0.1,post,Some concerns\n"
    text += "Clark 2022,0.1,0.1,post,3\n"
    found = database(text)
    assert found.sheets["database/outcomes"]["time_point"].tolist() == ["follow_up", "post", "post"]
    assert found.sheets["database/appraisal"][["study", "judgement"]].values.tolist() == [
        ["Able 2020", "low"],
        ["Baker 2021", "some_concerns"],
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("study,.g\n", "no row below its header"),
        ("trial,.g,.g_se\nAble,0.1,0.1\n", "no column `study`"),
        ("study,country\nAble,NL\n", "none with figures"),
        ("study,.g,.g_se\nAble 2020,0.1\n", "Row 2 has 2 cells, the header 3"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_a_sentence(text, words):
    with pytest.raises(metapsy.NoDatabase, match=words):
        metapsy.read(text.encode())
