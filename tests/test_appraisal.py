"""Overall judgements against the rules of RoB 2 and ROBINS-I; shares worked out by hand."""

import pandas as pd
import pytest

from peersupport.describe import appraisal as apr

LOW, SOME, HIGH, UNKNOWN = apr.JUDGEMENTS


@pytest.mark.parametrize(
    ("domains", "overall"),
    [
        ([LOW] * 5, LOW),
        ([LOW, LOW, LOW, LOW, SOME], SOME),
        ([LOW, LOW, LOW, SOME, SOME], HIGH),  # several domains with some concerns
        ([LOW, LOW, LOW, LOW, HIGH], HIGH),
        ([UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, HIGH], HIGH),  # what is unknown cannot make it better
        ([LOW, LOW, LOW, LOW, UNKNOWN], UNKNOWN),  # never low
        ([LOW, LOW, LOW, SOME, UNKNOWN], UNKNOWN),  # the unknown domain may still make it high
        ([UNKNOWN, UNKNOWN, UNKNOWN, SOME, SOME], HIGH),
        ([UNKNOWN] * 5, UNKNOWN),
    ],
)
def test_overall_judgement_of_rob2(domains, overall):
    assert apr.overall_judgement(domains, several=2) == overall


def test_several_is_a_setting():
    assert apr.overall_judgement([LOW, LOW, LOW, SOME, SOME], several=3) == SOME


def test_robins_i_takes_the_worst_domain():
    assert apr.overall_judgement([SOME] * 7, several=None) == SOME


def test_an_unknown_judgement_is_an_error():
    with pytest.raises(ValueError, match="moderate"):
        apr.overall_judgement([LOW, "moderate"])


def rows(study, judgements, source="coder", tool="rob2"):
    return [
        {"study": study, "tool": tool, "domain": domain, "judgement": judgement, "source": source}
        for domain, judgement in zip(apr.DOMAINS[tool], judgements, strict=True)
    ]


@pytest.fixture
def appraisal():
    return pd.DataFrame(
        [
            *rows("A", [LOW, LOW, LOW, LOW, LOW]),
            *rows("B", [LOW, SOME, UNKNOWN, LOW, LOW]),
            *rows("B", [LOW, LOW, HIGH, LOW, LOW], source="open_database"),
            *rows("C", [SOME, SOME, LOW, LOW, LOW, LOW, LOW], tool="robins_i"),
            *rows("Q", [LOW] * 10, tool="casp_qual"),
        ]
    )


def test_risk_of_bias_holds_one_judgement_per_study_and_domain(appraisal):
    table = apr.risk_of_bias(appraisal)
    assert not table.duplicated(["study", "domain"]).any()
    assert set(table["study"]) == {"A", "B", "C"}
    overall = table[table["domain"] == "overall"].set_index("study")["judgement"]
    assert overall.to_dict() == {"A": LOW, "B": HIGH, "C": SOME}


def test_the_database_stands_where_both_appraised(appraisal):
    table = apr.risk_of_bias(appraisal)
    assert set(table.loc[table["study"] == "B", "source"]) == {"open_database"}


def test_a_missing_domain_is_an_error(appraisal):
    with pytest.raises(ValueError, match="A: the domains of rob2"):
        apr.risk_of_bias(appraisal.iloc[1:])


def test_shares_by_studies_and_by_weight():
    table = pd.DataFrame(
        {"study": ["A", "B", "C"], "domain": "overall", "judgement": [LOW, HIGH, HIGH], "people": [300, 100, None]}
    )
    plain = apr.judgement_shares(table).set_index("judgement")
    assert plain["studies"].to_dict() == {LOW: 1, SOME: 0, HIGH: 2, UNKNOWN: 0}
    assert plain["share"].sum() == pytest.approx(1)
    weighted = apr.judgement_shares(table, weight="people").set_index("judgement")
    assert weighted["share"].to_dict() == {LOW: 0.75, SOME: 0, HIGH: 0.25, UNKNOWN: 0}
    assert weighted["studies"].sum() == 2


def test_only_pooled_outcomes_are_summarised_and_unappraised_trials_have_no_information(appraisal):
    effects = pd.DataFrame(
        {
            "outcome_domain": ["hope", "hope", "hope", "cost"],
            "family": "smd",
            "trial": ["A", "B", "Z", "A"],
            "study": ["A", "B", "Z", "A"],
            "variance": [0.5, 0.25, 0.1, 0.1],
            "selected": [True, True, True, True],
        }
    )
    table = apr.in_pooled_outcomes(effects, apr.risk_of_bias(appraisal), minimum_trials=3)
    assert set(table["outcome_domain"]) == {"hope"}
    overall = table[table["domain"] == "overall"].set_index("study")
    assert overall["judgement"].to_dict() == {"A": LOW, "B": HIGH, "Z": UNKNOWN}
    assert overall["weight"].to_dict() == {"A": 2, "B": 4, "Z": 10}
    effects["selected"] = [True, True, False, True]
    assert apr.in_pooled_outcomes(effects, apr.risk_of_bias(appraisal), 3).empty


def test_agreement_with_the_database_counts_domains(appraisal):
    table = apr.agreement_with_database(appraisal).set_index("domain")
    assert table["n"].sum() == 5
    assert table["same"].sum() == 3
    assert table["both_informed"].sum() == 4
    assert table["same_informed"].sum() == 3
