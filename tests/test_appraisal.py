"""Overall judgements against the rules of RoB 2 and ROBINS-I; shares worked out by hand."""

import pandas as pd
import pytest

from peersupport.describe import appraisal as apr
from peersupport.effects.pools import Domain
from peersupport.pool import models

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


def weights(**of):
    rows = [("hope", "smd", trial, study, weight) for study, (trial, weight) in of.items()]
    return pd.DataFrame(rows, columns=["outcome_domain", "family", "trial", "study", "weight"])


def test_a_trial_in_a_pool_has_one_row_a_domain_with_its_weight_in_the_main_model(appraisal):
    table = apr.in_pooled_outcomes(weights(A=("A", 20), B=("B", 30), Z=("Z", 50)), apr.risk_of_bias(appraisal))
    assert not table.duplicated(["trial", "domain"]).any()
    overall = table[table["domain"] == "overall"].set_index("trial")
    assert overall["judgement"].to_dict() == {"A": LOW, "B": HIGH, "Z": UNKNOWN}  # Z was not appraised
    assert overall["weight"].to_dict() == {"A": 20, "B": 30, "Z": 50}
    shares = apr.judgement_shares(overall, by="outcome_domain", weight="weight").set_index("judgement")["share"]
    assert shares[[LOW, HIGH, UNKNOWN]].tolist() == pytest.approx([0.2, 0.3, 0.5])


def test_another_tools_judgement_is_not_no_information_and_reports_of_a_trial_count_once():
    def judged(study, tool, judgement):
        domains = [*apr.DOMAINS[tool], "overall"]
        return pd.DataFrame({"study": study, "domain": domains, "judgement": judgement, "tool": tool})

    risk = pd.concat([judged("C", "robins_i", HIGH), judged("D", "rob2", LOW), judged("E", "rob2", SOME)])
    table = apr.in_pooled_outcomes(weights(C=("C", 40), D=("D", 60), E=("D", 60)), risk)
    overall = table[table["domain"] == "overall"]
    assert dict(zip(overall["trial"], overall["judgement"], strict=True)) == {"C": HIGH, "D": SOME}
    own = table[table["trial"] == "C"]["domain"].tolist()
    assert own == ["deviations", "missing_data", "measurement", "selective_reporting", "overall"]
    assert len(table[table["trial"] == "D"]) == 6


def test_weights_are_those_of_the_main_model_with_tau2():
    # v 0.1, 0.2, 0.3 and effects 0, 1, 2; the trial with two equal effects (r = 0.6) counts once.
    rows = pd.DataFrame({"trial": list("aabc"), "study": ["a", "a2", "b", "c"], "effect": [0, 0, 1, 2.0]})
    rows = rows.assign(variance=[0.125, 0.125, 0.2, 0.3], n_arm1=10, n_arm2=10, year=2020)
    settings = models.Settings(minimum_trials=3)
    domain = Domain("hope", "smd", rows)
    table = models.trial_weights([domain], settings)
    tau2 = models.fit_model(domain, models.MAIN, settings).tau2
    assert tau2 > 0.5 and table["study"].tolist() == ["a", "a2", "b", "c"]
    expected = 1 / (pd.Series({"a": 0.1, "b": 0.2, "c": 0.3}) + tau2)
    found = table.drop_duplicates("trial").set_index("trial")["weight"]
    assert found.to_numpy() == pytest.approx((100 * expected / expected.sum()).to_numpy())


def test_agreement_with_the_database_counts_domains(appraisal):
    table = apr.agreement_with_database(appraisal).set_index("domain")
    assert table["n"].sum() == 5
    assert table["same"].sum() == 3
    assert table["both_informed"].sum() == 4
    assert table["same_informed"].sum() == 3
