"""Each route to an effect against metafor's escalc, published examples and sums done by hand; and the whole table."""

from functools import cache
from math import exp, log, pi, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sheets import BOOK

from peersupport.effects import formulas, routes
from peersupport.intake import clean
from peersupport.store.codebook import codebook
from peersupport.store.sheets import read_raw

REFERENCE = Path(__file__).parent / "reference/escalc.csv"
FIGURES = (
    "mean_arm1 sd_arm1 n_arm1 mean_arm2 sd_arm2 n_arm2 event_arm1 totaln_arm1 event_arm2 totaln_arm2 effect ci_low "
    "ci_high se p_value"
).split()
NAMED = dict(m1i="mean_arm1", sd1i="sd_arm1", m2i="mean_arm2", sd2i="sd_arm2", ai="event_arm1", ci="event_arm2")


def escalc(name) -> pd.DataFrame:
    """The stored set, its figures under the names of the outcomes sheet; events carry their totals."""
    table = pd.read_csv(REFERENCE).query("set == @name").rename(columns=NAMED)
    arms = "totaln_arm" if name in ("rr", "or", "or2dl") else "n_arm"
    return table.rename(columns={"n1i": f"{arms}1", "n2i": f"{arms}2"}).reset_index(drop=True)


def rows(*cells, **same) -> pd.DataFrame:
    """Outcome rows as effect_sizes takes them: between arms, end of intervention, figures blank unless given."""
    text = dict(
        study="Able 2021",
        outcome_domain="depression",
        instrument="x",
        time_point="post",
        higher_is_better="yes",
        outcome_type="precalc",
        contrast="between",
        measure="",
        p_operator="",
        positive_favours="arm1",
        favours="",
        source="coder",
        trial="Able 2021",
        source_url="",
        locator="",
    )
    made = [text | dict.fromkeys(FIGURES) | same | cell for cell in cells or [{}]]
    table = pd.DataFrame(made).astype(dict.fromkeys(FIGURES, float))
    return table.assign(row_id=[f"O{i:04d}" for i in range(1, len(table) + 1)])


RCT = dict(design=["rct"], design_family=["randomised"], n_randomised=[np.nan])
CLUSTERS = RCT | dict(design=["cluster_rct"])
NO_ARMS = dict(
    study=["Able 2021"],
    n_arm1=[np.nan],
    n_arm2=[np.nan],
    design=["rct"],
    design_family=["randomised"],
    n_randomised=[np.nan],
)
NO_CLUSTERS = dict(study=[], clusters=[], icc=[])


def sizes(outcomes, studies=NO_ARMS, clusters=NO_CLUSTERS, icc=0.05):
    return routes.effect_sizes(outcomes, pd.DataFrame(studies), pd.DataFrame(clusters), icc, BOOK)


def one(**cells) -> pd.Series:
    found, _ = sizes(rows(cells))
    assert found.row_id.tolist() == ["O0001"]
    return found.iloc[0]


# ---------------------------------------------------------------- metafor


@pytest.mark.parametrize(
    ("route", "name"), [("means", "means"), ("change", "means"), ("events_rr", "rr"), ("events_or", "or2dl")]
)
def test_route_gives_what_escalc_gives(route, name):
    stored = escalc(name)
    effect, variance = routes.ROUTES[route].compute(stored)
    assert np.asarray(effect) == pytest.approx(stored.yi.to_numpy(), abs=1e-6)
    assert np.asarray(variance) == pytest.approx(stored.vi.to_numpy(), abs=1e-6)


def test_log_odds_ratio_gives_what_escalc_gives():
    stored = escalc("or")
    counts = stored[["event_arm1", "totaln_arm1", "event_arm2", "totaln_arm2"]]
    effect, variance = formulas.log_odds_ratio(*(counts[c] for c in counts))
    assert effect == pytest.approx(stored.yi.to_numpy(), abs=1e-6)
    assert variance == pytest.approx(stored.vi.to_numpy(), abs=1e-6)


def test_stored_events_hold_empty_and_full_arms():
    stored = escalc("rr")
    assert stored.event_arm1.eq(0).any() and stored.event_arm1.eq(stored.totaln_arm1).any()


def test_g_from_t_and_from_d_give_what_escalc_gives():
    for name in ("t", "d"):
        stored = escalc(name)
        n = stored.n_arm1, stored.n_arm2
        d = formulas.d_from_t(stored.ti, *n) if name == "t" else stored.di
        effect, variance = formulas.hedges_g(d, *n)
        assert effect == pytest.approx(stored.yi.to_numpy(), abs=1e-6)
        assert np.asarray(variance) == pytest.approx(stored.vi.to_numpy(), abs=1e-6)


def test_printed_d_without_interval_gives_what_escalc_gives():
    stored = escalc("d")
    for row in stored.itertuples():
        found = one(measure="d", effect=row.di, n_arm1=row.n_arm1, n_arm2=row.n_arm2)
        assert (found.effect, found.variance) == pytest.approx((row.yi, row.vi), abs=1e-6)


def test_whole_table_gives_what_escalc_gives():
    """effect_sizes on the figures of escalc, all routes in one table: each row keeps its own effect."""
    means, events = escalc("means"), escalc("rr")
    outcomes = rows(
        *({"outcome_type": "msd"} | row for row in means[FIGURES[:6]].to_dict("records")),
        *(
            {"outcome_type": "dichotomous", "outcome_domain": "engagement"} | row
            for row in events[FIGURES[6:10]].to_dict("records")
        ),
    )
    found, _ = sizes(outcomes.sample(frac=1, random_state=1))
    stored = pd.concat([means, events])
    assert found.row_id.tolist() == outcomes.row_id.tolist()
    assert found.effect.to_numpy() == pytest.approx(stored.yi.to_numpy(), abs=1e-6)
    assert found.variance.to_numpy() == pytest.approx(stored.vi.to_numpy(), abs=1e-6)


# ---------------------------------------------------------------- published examples and sums by hand


@pytest.mark.parametrize(
    ("df", "by_hand"), [(2, 1 / sqrt(pi)), (3, sqrt(pi) / 2 / sqrt(1.5)), (4, 1 / (sqrt(2) * sqrt(pi) / 2))]
)
def test_small_sample_correction_in_closed_form(df, by_hand):
    """J(m) = Γ(m/2) / (sqrt(m/2) Γ((m-1)/2)); Γ(1/2) = sqrt(π), Γ(1) = Γ(2) = 1, Γ(3/2) = sqrt(π)/2."""
    assert float(formulas.small_sample_correction(df)) == pytest.approx(by_hand, rel=1e-12)


def test_small_sample_correction_is_exact_not_the_usual_approximation():
    ours, usual = float(formulas.small_sample_correction(4)), 1 - 3 / (4 * 4 - 1)
    assert abs(ours - usual) > 1e-3
    assert float(formulas.small_sample_correction(400)) == pytest.approx(1 - 3 / (4 * 400 - 1), abs=1e-6)


def implied_sd(found, df, md):
    return md / (found.effect / float(formulas.small_sample_correction(df)))


@pytest.mark.parametrize(
    "figures",
    [dict(p_value=0.008, p_operator="="), dict(se=1.37), dict(ci_low=3.8 - 2.0141 * 1.37, ci_high=3.8 + 2.0141 * 1.37)],
    ids=["p", "se", "ci"],
)
def test_mean_difference_as_in_the_cochrane_handbook(figures):
    """Cochrane Handbook 6.5.2.3: MD 3.8, p 0.008, 25 and 22 people: t 2.78, SE 1.37, so SD 4.69."""
    found = one(measure="MD", effect=3.8, n_arm1=25, n_arm2=22, **figures)
    assert found.method == "mean_difference"
    assert implied_sd(found, 45, 3.8) == pytest.approx(4.69, abs=0.015)
    assert found.variance == pytest.approx(1 / 25 + 1 / 22 + found.effect**2 / 94)


def test_p_value_alone_gives_the_handbooks_t():
    found = one(
        outcome_type="msd",
        mean_arm1=9,
        mean_arm2=5.2,
        n_arm1=25,
        n_arm2=22,
        p_value=0.008,
        p_operator="=",
        favours="arm1",
    )
    assert found.method == "p_value"
    d = found.effect / float(formulas.small_sample_correction(45))
    assert d / sqrt(1 / 25 + 1 / 22) == pytest.approx(2.78, abs=0.005)


def test_design_effect_as_in_the_cochrane_handbook():
    """Cochrane Handbook 23.1.4: 295 + 330 children in 10 + 11 classrooms, ICC 0.02: 1.576 (clusters of 29.8)."""
    assert float(formulas.design_effect(295 + 330, 21, 0.02)) == pytest.approx(1.576, abs=0.001)


def test_standard_error_from_interval():
    """Cochrane Handbook 6.3.1: SE = (upper - lower) / 3.92."""
    assert sqrt(formulas.variance_from_interval(-0.1, 0.684)) == pytest.approx(0.2, abs=1e-5)


def test_odds_ratio_to_risk_ratio_by_the_square_root():
    """VanderWeele 2020; EValue (R) prints RR 1.732051 for OR 3 of a common outcome."""
    found = one(outcome_domain="engagement", measure="OR", effect=3, ci_low=1.5, ci_high=6)
    assert exp(found.effect) == pytest.approx(1.732051, abs=1e-6)
    assert sqrt(found.variance) == pytest.approx(log(6 / 1.5) / 3.919928 / 2, abs=1e-6)


def test_hazard_ratio_to_risk_ratio():
    """VanderWeele 2020: HR 4 gives (1 - 0.5^2) / (1 - 0.5^0.5); HR and 1/HR mirror each other; delta method."""
    effect, variance = formulas.log_rr_from_hazard_ratio(log(4), 0.09)
    assert exp(effect) == pytest.approx(0.75 / (1 - sqrt(0.5)), rel=1e-12)
    assert formulas.log_rr_from_hazard_ratio(-log(4), 0.09)[0] == pytest.approx(-effect)
    step = 1e-5
    ends = [formulas.log_rr_from_hazard_ratio(log(4) + s, 0.09)[0] for s in (-step, step)]
    assert variance == pytest.approx(0.09 * ((ends[1] - ends[0]) / (2 * step)) ** 2, rel=1e-6)


def test_printed_odds_ratio_to_g():
    """Chinn 2000: ln(OR) / 1.81; here with sqrt(3)/π."""
    found = one(measure="OR", effect=2.5, ci_low=1.2, ci_high=5.2)
    assert found.effect == pytest.approx(log(2.5) / 1.8138, abs=1e-4)
    assert found.variance == pytest.approx((log(5.2 / 1.2) / 3.919928) ** 2 * 3 / pi**2, rel=1e-5)


def test_printed_smd_with_interval_keeps_both():
    found = one(measure="SMD", effect=0.3, ci_low=0.05, ci_high=0.55)
    assert (found.effect, found.ci_low, found.ci_high) == pytest.approx((0.3, 0.05, 0.55))


def test_printed_d_is_corrected_with_its_standard_error():
    found = one(measure="d", effect=0.5, se=0.4, n_arm1=2, n_arm2=3)
    j = sqrt(pi) / 2 / sqrt(1.5)
    assert (found.effect, found.variance) == pytest.approx((0.5 * j, 0.16 * j**2))


def test_printed_g_with_standard_error_is_taken_as_it_is():
    found = one(measure="g", effect=0.5, se=0.4, n_arm1=2, n_arm2=3)
    assert (found.effect, found.variance) == pytest.approx((0.5, 0.16))


def test_printed_risk_ratio_is_logged():
    found = one(outcome_domain="service_use", measure="RR", effect=0.5, ci_low=0.25, ci_high=1)
    assert (found.method, found.family) == ("risk_ratio", "log_rr")
    assert (found.effect, found.ci_low, found.ci_high) == pytest.approx((log(0.5), log(0.25), 0))


# ---------------------------------------------------------------- direction

MSD = dict(outcome_type="msd", mean_arm1=10, sd_arm1=5, n_arm1=50, mean_arm2=8, sd_arm2=5, n_arm2=50)
EVENTS = dict(
    outcome_type="dichotomous",
    outcome_domain="hospitalisation",
    event_arm1=5,
    totaln_arm1=50,
    event_arm2=10,
    totaln_arm2=50,
)


@pytest.mark.parametrize(
    ("cells", "favours_peers"),
    [
        (MSD | dict(higher_is_better="yes"), True),
        (MSD | dict(higher_is_better="no"), False),
        (MSD | dict(higher_is_better="no", mean_arm1=6), True),
        (MSD | dict(higher_is_better="yes", positive_favours="arm2", favours="arm2"), True),
        (EVENTS | dict(higher_is_better="no"), True),
        (EVENTS | dict(higher_is_better="yes"), False),
        (dict(measure="SMD", effect=-0.3, se=0.1, positive_favours="arm2", higher_is_better="no"), True),
        (dict(measure="SMD", effect=0.3, se=0.1, positive_favours="arm1", higher_is_better="no"), True),
        (dict(measure="SMD", effect=-0.3, se=0.1, positive_favours="arm1", higher_is_better="no"), False),
        (dict(measure="OR", effect=0.5, ci_low=0.3, ci_high=0.8, positive_favours="arm2"), True),
        (dict(measure="OR", effect=0.5, ci_low=0.3, ci_high=0.8, positive_favours="arm1"), False),
        (MSD | dict(sd_arm1=None, p_value=0.02, p_operator="=", favours="arm1", higher_is_better="no"), True),
        (MSD | dict(sd_arm1=None, p_value=0.02, p_operator="=", favours="arm2"), False),
    ],
)
def test_positive_effect_favours_peer_support(cells, favours_peers):
    found = one(**cells)
    assert (found.effect > 0) == favours_peers
    assert found.ci_low < found.effect < found.ci_high


def test_sign_against_the_conclusion_is_flagged_and_kept():
    against = one(**MSD, favours="arm2")
    assert "conclusion_conflict" in against["flags"] and against.effect > 0
    assert one(**MSD, favours="neither")["flags"] == ""
    assert one(**MSD, favours="arm1")["flags"] == ""


def test_database_figures_that_contradict_its_means_are_flagged():
    assert one(**MSD, source="open_database", effect=-0.4)["flags"] == "database_sign_conflict; database_size_differs"
    assert one(**MSD, source="open_database", effect=0.3969)["flags"] == ""


def test_implausibly_large_effect_is_flagged():
    assert one(**MSD | dict(mean_arm1=30))["flags"] == "implausibly_large"


# ---------------------------------------------------------------- arms, clusters, assumptions


def test_effect_without_arms_takes_those_of_the_study():
    studies = dict(
        study=["Able 2021"],
        n_arm1=[60.0],
        n_arm2=[40.0],
        design=["rct"],
        design_family=["randomised"],
        n_randomised=[np.nan],
    )
    found, _ = sizes(rows(dict(measure="SMD", effect=0.0)), studies)
    assert found.variance[0] == pytest.approx(1 / 60 + 1 / 40)
    assert "arms' n as in the study sheet" in found.assumptions[0]


@pytest.mark.parametrize(("icc", "deff"), [(0.03, 1 + 4 * 0.03), (np.nan, 1 + 4 * 0.05)])
def test_cluster_trial_is_weighted_down(icc, deff):
    studies = dict(
        study=["Able 2021"],
        n_arm1=[50],
        n_arm2=[50],
        design=["cluster_rct"],
        design_family=["randomised"],
        n_randomised=[np.nan],
    )
    plain = one(**MSD)
    found, _ = sizes(rows(MSD), studies, dict(study=["Able 2021"], clusters=[20], icc=[icc]))
    assert found.variance[0] == pytest.approx(plain.variance * deff)
    assert found.effect[0] == plain.effect
    assert "design effect" in found.assumptions[0] and found["flags"][0] == ""


def test_cluster_trial_without_clusters_is_flagged_and_printed_effects_are_left_alone():
    studies = dict(
        study=["Able 2021"],
        n_arm1=[50],
        n_arm2=[50],
        design=["cluster_rct"],
        design_family=["randomised"],
        n_randomised=[np.nan],
    )
    printed = dict(measure="SMD", effect=0.3, se=0.1)
    found, _ = sizes(rows(MSD, printed), studies)
    assert found["flags"].tolist() == ["cluster_unadjusted", ""]
    found, _ = sizes(rows(printed), studies, dict(study=["Able 2021"], clusters=[20], icc=[0.1]))
    assert found.variance[0] == pytest.approx(0.01)


def test_p_below_a_bound_is_taken_at_the_bound_and_says_so():
    figures = dict(measure="MD", effect=2, n_arm1=30, n_arm2=30, p_value=0.01)
    below, equal = one(**figures, p_operator="<"), one(**figures, p_operator="=")
    assert below.effect == equal.effect
    assert "p taken at its bound" in below.assumptions and "two-sided p" in equal.assumptions


# ---------------------------------------------------------------- exclusions

PRINTED = dict(measure="SMD", effect=0.3, se=0.1)
EXCLUDED = {
    "direction_only": dict(outcome_type="direction_only", contrast="", favours="arm1"),
    "not_between_arms": PRINTED | dict(contrast="within"),
    "regression_coefficient": dict(measure="beta", effect=0.3, se=0.1),
    "risk_difference": dict(measure="RD", effect=0.1, se=0.05),
    "direction_unclear": PRINTED | dict(positive_favours="unclear"),
    "no_arm_sizes": dict(measure="MD", effect=2, se=0.5),
    "no_standard_deviation": MSD | dict(sd_arm2=None),
    "no_variance": dict(measure="SMD", effect=0.3),
    "ratio_for_continuous": dict(measure="RR", effect=1.3, ci_low=1.1, ci_high=1.5),
    "no_events": EVENTS | dict(event_arm1=0, event_arm2=0),
    "rate_ratio": dict(outcome_domain="hospitalisation", measure="IRR", effect=1.3, ci_low=1.1, ci_high=1.5),
    "p_printed_as_zero": MSD | dict(sd_arm2=None, p_value=0.0, p_operator="=", favours="arm1"),
    "figures_missing": EVENTS | dict(event_arm1=None),
}


def test_every_reason_is_tried_here():
    assert EXCLUDED.keys() == routes.REASONS.keys()


@pytest.mark.parametrize("reason", EXCLUDED)
def test_row_without_a_route_says_why(reason):
    outcomes = rows(EXCLUDED[reason], PRINTED)
    found, left_out = sizes(outcomes)
    assert found.row_id.tolist() == ["O0002"]
    assert left_out[["row_id", "reason"]].to_numpy().tolist() == [["O0001", reason]]
    assert len(left_out.detail[0]) > 15


def test_excluded_contrast_is_named():
    _, left_out = sizes(rows(PRINTED, PRINTED | dict(contrast="both_peer")))
    assert left_out.detail[0].endswith("(contrast: both_peer)")


def test_table_without_exclusions():
    found, left_out = sizes(rows(PRINTED, MSD))
    assert len(found) == 2
    assert left_out.columns.tolist() == ["row_id", "study", "outcome_domain", "reason", "detail"]
    assert left_out.empty


def test_table_without_effects():
    found, left_out = sizes(rows(EXCLUDED["risk_difference"]))
    assert found.empty and len(left_out) == 1


def test_mean_difference_of_zero_known_by_its_p_alone_gives_no_effect_that_is_not_a_number():
    """MD / t has no SE to give here: 0 / 0."""
    found, left_out = sizes(
        rows(PRINTED, dict(measure="MD", effect=0, n_arm1=30, n_arm2=30, p_value=0.9, p_operator="="))
    )
    assert found.effect.notna().all() and len(found) + len(left_out) == 2


# ---------------------------------------------------------------- the real sheets


@cache
def real():
    raw, _ = read_raw()
    book = codebook()
    tables = clean.tidy(raw, clean.decisions(raw), book)
    clusters = clean.as_numbers(raw["clusters"], book["sheets"]["clusters"])
    return raw, *routes.effect_sizes(tables["outcomes"], tables["studies"], clusters, 0.05, book)


def test_every_raw_outcome_row_is_in_exactly_one_of_effects_and_exclusions():
    raw, found, left_out = real()
    everything = pd.concat([raw["coder_a/outcomes"], raw["database/outcomes"]]).row_id
    ours = pd.concat([found.row_id, left_out.row_id])
    assert len(everything) > 600 and sorted(ours) == sorted(everything)


def test_real_effects_are_numbers_with_variances():
    _, found, left_out = real()
    assert np.isfinite(found.effect).all()
    assert (np.isfinite(found.variance) & (found.variance > 0)).all()
    assert set(found.method) <= set(routes.ROUTES) and set(left_out.reason) <= set(routes.REASONS)
    assert (found[["conversion", "direction_source", "source_url", "locator"]] != "").all(axis=None)


def test_database_rows_with_the_wrong_sign_carry_the_flag():
    _, found, _ = real()
    wrong = found.row_id[found["flags"].str.contains("database_sign_conflict")]
    assert wrong.tolist() == ["D0016", "D0017"]


# ---------------------------------------------------------------- ratios, baselines and scales


def test_a_trial_without_events_or_with_events_only_tells_nothing_on_a_ratio():
    none, everybody = dict(event_arm1=0, event_arm2=0), dict(event_arm1=50, event_arm2=60)
    totals = dict(outcome_type="dichotomous", totaln_arm1=50, totaln_arm2=60, outcome_domain="hospitalisation")
    found, left_out = sizes(rows(totals | none, totals | everybody, totals | dict(event_arm1=0, event_arm2=3)))
    assert left_out.reason.tolist() == ["no_events", "no_events"] and found.row_id.tolist() == ["O0003"]
    assert "0.5 added to each cell" in found.assumptions[0]
    full, _ = sizes(rows(totals | dict(event_arm1=2, event_arm2=3)))
    assert full.assumptions[0] == ""


@pytest.mark.parametrize(("favours", "better", "event"), [("arm2", "no", "avoid"), ("arm1", "yes", "wanted")])
def test_odds_ratio_is_converted_at_the_comparators_risk_where_it_is_rare(favours, better, event):
    """By hand, p 0.1, OR 0.5: RR = 0.5 / (1 - 0.1 + 0.1 * 0.5) = 0.526316; slope (1 - 0.1) / 0.95."""
    odds = dict(measure="OR", effect=0.5, ci_low=0.25, ci_high=1.0, positive_favours=favours, higher_is_better=better)
    counts = dict(outcome_type="dichotomous", event_arm1=8, totaln_arm1=80, event_arm2=10, totaln_arm2=100)
    counts |= dict(higher_is_better=better, trial="Baker 2020", study="Baker 2020")
    found, _ = sizes(rows(odds, counts, outcome_domain="engagement"))
    row = found.set_index("row_id").loc["O0001"]
    assert (row.method, row.event) == ("odds_ratio_rr_at_baseline", event)
    named = -row.effect if event == "avoid" else row.effect
    assert exp(named) == pytest.approx(0.5 / 0.95)
    spread = (log(1.0) - log(0.25)) / (2 * 1.959963984540054)
    assert sqrt(row.variance) == pytest.approx(spread * 0.9 / 0.95)
    assert "risk 0.10, of the domain's comparators" in row.assumptions


def test_the_square_root_where_the_risk_allows_it_and_where_none_is_known():
    odds = dict(measure="OR", effect=0.5, ci_low=0.25, ci_high=1.0, positive_favours="arm2", higher_is_better="no")
    counts = dict(outcome_type="dichotomous", event_arm1=30, totaln_arm1=80, event_arm2=40, totaln_arm2=100)
    counts |= dict(higher_is_better="no", trial="Baker 2020", study="Baker 2020")
    for cells, words in (([odds, counts], "risk 0.40"), ([odds], "which no trial states")):
        row = sizes(rows(*cells, outcome_domain="hospitalisation"))[0].set_index("row_id").loc["O0001"]
        assert row.method == "odds_ratio_rr" and row.effect == pytest.approx(-log(0.5) / 2)
        assert words in row.assumptions


def test_a_difference_is_standardised_by_the_instruments_sd_in_other_trials():
    """By hand: SD 6 in the other trial, MD -3 (SE 1) with 50 and 50: g = J 3/6, J(98) = 0.992324, SE J/6."""
    difference = dict(
        measure="MD", effect=-3, se=1.0, n_arm1=50, n_arm2=50, instrument="PHQ-9", positive_favours="arm2"
    )
    other = MSD | dict(instrument="PHQ-9", sd_arm1=6, sd_arm2=6, trial="Baker 2020", study="Baker 2020")
    row = sizes(rows(difference, other))[0].set_index("row_id").loc["O0001"]
    assert row.method == "mean_difference_scale" and "SD 6, of the instrument in 1 other trial" in row.assumptions
    assert row.effect == pytest.approx(0.5 * 0.99232409) and sqrt(row.variance) == pytest.approx(0.99232409 / 6)
    assert "residual_sd" not in row["flags"]
    alone = sizes(rows(difference, other | dict(sd_arm1=60, sd_arm2=60)))[0].set_index("row_id").loc["O0001"]
    assert alone.method == "mean_difference" and "residual_sd" in alone["flags"]


def test_people_are_the_arms_else_those_randomised_else_not_stated():
    studies = dict(study=["Able 2021"], n_arm1=[np.nan], n_arm2=[np.nan]) | RCT | dict(n_randomised=[300.0])
    bare = dict(measure="SMD", effect=0.3, se=0.1)
    found, _ = sizes(rows(bare, bare | dict(n_arm1=40, n_arm2=50)), studies)
    assert found.people.tolist() == [300, 90] and found.randomised.all()
    unknown, _ = sizes(rows(bare))
    assert np.isnan(unknown.people[0])
