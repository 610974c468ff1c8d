"""Agreement against published and hand-made examples; whose value stands; corrections; what the database fills in."""

import numpy as np
import pandas as pd
import pytest
from small_sheets import as_csv, grids

from peersupport.describe import agreement
from peersupport.intake import clean, reconcile
from peersupport.store import sheets
from peersupport.store.codebook import codebook
from peersupport.store.sheets import read_raw


def small() -> dict[str, pd.DataFrame]:
    return {name: sheets.parse(name, as_csv(grid))[0] for name, grid in grids().items()}


def sheet(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype="str")


def pairs(a, b, column="design") -> pd.DataFrame:
    keys = [str(i) for i in range(len(a))]
    cells = pd.DataFrame({"key": keys, "column": column, "a": a, "b": b}, dtype="str")
    return cells.assign(agree=reconcile.same(cells.a, cells.b))


# ---------------------------------------------------------------- agreement

THIRTY = list("xxxyyzxxyz") * 3, list("xxxyyzxyyx") * 3


def test_kappa_of_thirty_ratings():
    """statsmodels and irr (R): 0.6721 (0.4415, 0.9028)."""
    assert agreement.cohen_kappa(*THIRTY) == pytest.approx((0.6721, 0.4415, 0.9028), abs=1e-4)


def test_ac1_of_thirty_ratings():
    """irrCAC 0.4.4: AC1 0.71326, standard error 0.10757."""
    ac1, low, high = agreement.gwet_ac1(*THIRTY)
    assert ac1 == pytest.approx(0.71326, abs=1e-5)
    assert (ac1 - low) / 1.959964 == pytest.approx(0.10757, abs=1e-5)
    assert (high - ac1) / 1.959964 == pytest.approx(0.10757, abs=1e-5)


def two_by_two(both, first, second, neither):
    a = ["1"] * (both + first) + ["0"] * (second + neither)
    return a, ["1"] * both + ["0"] * first + ["1"] * second + ["0"] * neither


def test_kappa_by_hand():
    """20, 5, 10, 15: agreement 0.7, by chance 0.5, so 0.4."""
    assert agreement.cohen_kappa(*two_by_two(20, 5, 10, 15))[0] == pytest.approx(0.4)


def test_ac1_stays_high_where_skewed_margins_pull_kappa_to_nothing():
    """118, 5, 2, 0: both say yes nearly always; pi = 0.972, chance 2 pi (1 - pi) = 0.054432."""
    ratings = two_by_two(118, 5, 2, 0)
    assert agreement.cohen_kappa(*ratings)[0] == pytest.approx((0.944 - 0.94528) / (1 - 0.94528))
    assert agreement.gwet_ac1(*ratings)[0] == pytest.approx((0.944 - 0.054432) / (1 - 0.054432))


def test_agreement_does_not_depend_on_who_is_first():
    a, b = THIRTY
    assert agreement.cohen_kappa(a, b) == pytest.approx(agreement.cohen_kappa(b, a))
    assert agreement.gwet_ac1(a, b) == pytest.approx(agreement.gwet_ac1(b, a))


def test_one_code_only_has_no_chance_corrected_agreement():
    assert np.isnan(agreement.cohen_kappa(["x"] * 5, ["x"] * 5)).all()
    assert np.isnan(agreement.gwet_ac1(["x"] * 5, ["x"] * 5)).all()


def test_agreement_table_has_codes_figures_and_themes():
    cells = {
        "studies": pairs(*THIRTY),
        "outcomes": pairs(["1.70", "2", ""], ["1.7", "3", ""], "effect"),
        "themes": pairs(*two_by_two(2, 1, 0, 1)).assign(
            key=["A|benefit|hope", "B|benefit|hope", "A|barrier|tokenism", "B|barrier|tokenism"]
        ),
    }
    table = agreement.agreement(cells).set_index(["sheet", "column"])
    assert table.loc[("studies", "design"), ["n", "agree", "kappa"]].tolist() == pytest.approx(
        [30, 0.8, 0.6721], abs=1e-4
    )
    assert table.loc[("outcomes", "effect"), "agree"] == 1 / 2  # the two blanks do not count
    assert table.loc[("outcomes", "effect"), ["kappa", "ac1"]].isna().all()
    assert table.loc[("themes", "hope"), "agree"] == 1
    assert table.loc[("themes", "tokenism"), "agree"] == 0.5
    assert table.loc[("themes", "all themes"), "n"] == 4


def test_two_blanks_are_no_agreement():
    cells = {"outcomes": pairs([*"<<=", "", "", ""], [*"<==", "", "", ""], "p_operator")}
    row = agreement.agreement(cells).iloc[0]
    assert row.n == 3 and row.agree == pytest.approx(2 / 3)
    assert row.kappa == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9))  # by chance 2/3 x 1/3 + 1/3 x 2/3 = 4/9


def test_intervals_of_clustered_cells_are_the_jackknifes_over_studies():
    """Cells copied within a study say nothing new: four copies give the interval of one, not half of it."""
    a, b = (np.array(list(codes)) for codes in ("xxxxxyyyyyxy", "xxxxyyyyyxxy"))
    studies = np.arange(len(a))
    alone = [agreement.cohen_kappa(np.delete(a, i), np.delete(b, i))[0] for i in studies]
    error = np.sqrt(11 / 12 * ((alone - np.mean(alone)) ** 2).sum())
    copied = agreement.clustered(*(np.tile(x, 4) for x in (a, b, studies)), agreement.cohen_kappa)
    assert copied[0] == pytest.approx(agreement.cohen_kappa(a, b)[0])
    assert copied[0] - copied[1] == pytest.approx(2.200985 * error)  # t, 11 degrees of freedom
    naive = agreement.cohen_kappa(np.tile(a, 4), np.tile(b, 4))
    assert copied[0] - copied[1] > 1.8 * (naive[0] - naive[1])


def test_near_full_agreement_in_few_cells_says_that_its_interval_is_too_narrow():
    few, many = (agreement.agreement({"studies": pairs(["x"] * n + ["y"], ["x"] * n + ["y"])}) for n in (20, 60))
    assert few.note.tolist() == [agreement.TOO_NARROW] and many.note.tolist() == [""]


def test_icc_of_figures_by_hand():
    """MSR 6.1, MSC 3.6, MSE 0.1, n 5, k 2: ICC(2,1) = (6.1 - 0.1) / (6.1 + 0.1 + 2 / 5 * (3.6 - 0.1))."""
    cells = pairs(list("12345") + [""], list("23457") + ["8"], "effect")
    row = agreement.figure_agreement(cells).iloc[0]
    assert (row.n, row.identical) == (5, 0)
    assert row.icc == pytest.approx(6 / 7.6, abs=1e-6)
    assert row.icc_low < row.icc < row.icc_high


# ---------------------------------------------------------------- whose value stands


def test_same_figure_written_in_two_ways_agrees():
    a, b = pd.Series(["1.70", "1e2", "", "rct", "0"]), pd.Series(["1.7", "100", "0", "RCT", "-0"])
    assert reconcile.same(a, b).tolist() == [True, True, False, False, True]


def test_double_coded_leaves_out_keys_form_and_what_one_coder_has():
    raw = small()
    cells = reconcile.double_coded("outcomes", raw["coder_a/outcomes"], raw["coder_b/outcomes"])
    assert "O0006" not in set(cells.key)  # a direction only, not on the second coder's form
    assert set(cells.column).isdisjoint({"row_id", "locator", "note", "is_primary"})
    assert {"mean_arm1", "favours"} <= set(cells.column)


def test_theme_that_one_coder_lists_is_a_difference():
    raw = small()
    cells = reconcile.double_coded("themes", raw["coder_a/themes"], raw["coder_b/themes"])
    differ = cells[cells.a != cells.b]
    assert differ[["key", "a", "b"]].to_numpy().tolist() == [["Dunn 2024|barrier|tokenism", "1", "0"]]
    assert len(cells) == 3 * 2  # every study of either coder, every theme of either


A = sheet(study=["S 1", "S 2", "S 3"], design=["rct", "rct", "cohort"], note=["x", "y", "z"])
B = sheet(study=["S 3", "S 1", "S 2"], design=["pre_post", "rct", "cohort"])
RULING = sheet(
    sheet=["studies"] * 2,
    key=["S 2", "S 3"],
    column=["design"] * 2,
    a=["rct", "cohort"],
    b=["cohort", "pre_post"],
    value=["cohort", "mixed_methods"],
    reason=["p. 3", "p. 4"],
)


def decided(consensus=RULING, a=A, b=B):
    return reconcile.decide("studies", reconcile.double_coded("studies", a, b), consensus)


def test_value_is_what_both_say_else_the_consensus_even_where_it_is_neither():
    cells = decided().set_index("key")
    assert cells.value.to_dict() == {"S 1": "rct", "S 2": "cohort", "S 3": "mixed_methods"}
    assert cells.decided_by.to_dict() == {"S 1": "both", "S 2": "consensus", "S 3": "consensus"}
    assert cells.reason["S 3"] == "p. 4"
    table = reconcile.reconcile("studies", A, decided())
    assert table.design.tolist() == ["rct", "cohort", "mixed_methods"]
    assert table.note.tolist() == ["x", "y", "z"]


def test_undecided_cell_stops_and_is_named():
    cells = decided(RULING.iloc[:1])
    assert cells.set_index("key").value["S 3"] == ""
    with pytest.raises(ValueError, match=r"S 3, design: 'cohort' or 'pre_post'") as stopped:
        reconcile.reconcile("studies", A, cells)
    assert "S 2" not in str(stopped.value)


def test_no_coder_has_precedence():
    """Changing the coders' places changes nothing in what was decided."""
    other = decided(a=B.merge(A[["study", "note"]]), b=A[["study", "design"]])
    assert other.set_index("key").value.sort_index().equals(decided().set_index("key").value.sort_index())


def test_ruling_of_another_sheet_decides_nothing():
    cells = decided(RULING.assign(sheet="appraisal"))
    assert cells.decided_by.tolist().count("") == 2


def test_themes_that_stand():
    raw = small()
    cells = clean.decisions(raw)["themes"]
    assert len(reconcile.reconcile("themes", raw["coder_a/themes"], cells)) == 4
    raw["consensus"].loc[raw["consensus"].sheet.eq("themes"), "value"] = "0"
    themes = reconcile.reconcile("themes", raw["coder_a/themes"], clean.decisions(raw)["themes"])
    assert "tokenism" not in set(themes.theme) and len(themes) == 3


def test_theme_of_the_second_coder_alone_can_stand():
    raw = small()
    raw["coder_a/themes"], raw["coder_b/themes"] = raw["coder_b/themes"], raw["coder_a/themes"]
    listed = raw["coder_a/themes"].assign(paraphrase="mine", source_url="")
    themes = reconcile.reconcile("themes", listed, clean.decisions(raw)["themes"])
    assert themes.set_index("theme").paraphrase["tokenism"] == ""


# ---------------------------------------------------------------- corrections

CORRECTION = dict(sheet=["studies"], key=["S 2"], column=["design"], printed=["rct"], value=["cohort"], reason=["p. 9"])


def test_correction_changes_its_cell_and_no_other():
    table = reconcile.correct("studies", "studies", A, sheet(**CORRECTION))
    assert table.design.tolist() == ["rct", "cohort", "cohort"]
    assert A.design.tolist() == ["rct", "rct", "cohort"]


def test_correction_of_another_sheet_is_left_alone():
    assert reconcile.correct("database/studies", "studies", A, sheet(**CORRECTION)).equals(A)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (dict(printed=["pilot_rct"]), "S 2, design: holds 'rct', not 'pilot_rct'"),
        (dict(key=["S 9"]), "S 9, design: no such cell"),
        (dict(column=["desing"]), "S 2, desing: no such cell"),
    ],
)
def test_correction_that_does_not_fit_stops_and_is_named(cell, said):
    with pytest.raises(ValueError, match=said):
        reconcile.correct("studies", "studies", A, sheet(**CORRECTION | cell))


def test_corrected_key_takes_its_other_corrections_along():
    rows = sheet(
        sheet=["studies"] * 2,
        key=["S 2"] * 2,
        column=["study", "design"],
        printed=["S 2", "rct"],
        value=["S 2a", "cohort"],
        reason=["two reports", "p. 9"],
    )
    table = reconcile.correct("studies", "studies", A, rows)
    assert table.loc[1, ["study", "design"]].tolist() == ["S 2a", "cohort"]


# ---------------------------------------------------------------- the database


def test_database_fills_only_what_the_coders_leave_silent():
    coded = sheet(
        study=["S 1", "S 2", "S 3"],
        design=["rct", "", "rct"],
        supervision=["nr", "yes", "no"],
        helper_experience=["unclear", "distress", "mixed"],
    )
    known = sheet(
        study=["S 2", "S 1", "S 9"],
        design=["cohort", "pre_post", "rct"],
        supervision=["no", "yes", "nr"],
        helper_experience=["mixed", "distress", "distress"],
    )
    table = reconcile.add_database_studies(coded, known).set_index("study")
    assert table.source.to_dict() == {"S 1": "both", "S 2": "both", "S 3": "coder", "S 9": "open_database"}
    assert table.loc["S 1"].tolist()[:3] == ["rct", "yes", "distress"]
    assert table.loc["S 2"].tolist()[:3] == ["cohort", "yes", "distress"]
    assert table.loc["S 3"].tolist()[:3] == ["rct", "no", "mixed"]


def test_silence_of_the_database_hides_nothing():
    coded, known = (sheet(study=["S 1"], supervision=["unclear"]), sheet(study=["S 1"], supervision=["nr"]))
    assert reconcile.add_database_studies(coded, known).supervision.tolist() == ["unclear"]


# ---------------------------------------------------------------- the real sheets


def test_every_real_cell_is_decided_and_the_decision_stands():
    raw, _ = read_raw()
    cells = clean.decisions(raw)
    for name, part in cells.items():
        assert set(part.decided_by) <= {"both", "consensus"}
        assert part.decided_by.eq("consensus").sum() == raw["consensus"].sheet.eq(name).sum()
    table = agreement.agreement(cells)
    coded = table[table.kappa.notna()]
    assert table.agree.between(0, 1).all() and len(table) >= 40
    assert (coded.kappa_low.le(coded.kappa) & coded.kappa.le(coded.kappa_high)).all()
    assert (coded.ac1_low.le(coded.ac1) & coded.ac1.le(coded.ac1_high)).all()


def test_tidy_tables_of_the_small_sheets():
    raw = small()
    tables = clean.tidy(raw, clean.decisions(raw), codebook())
    studies, outcomes = tables["studies"].set_index("study"), tables["outcomes"].set_index("row_id")
    assert studies.modality["Clark 2023"] == "digital"
    assert studies.followup_weeks["Able 2021"] == 52  # from the database
    assert studies.trial["Clark 2023"] == outcomes.trial["O0005"] == "Able 2021"
    assert outcomes.mean_arm1["O0003"] == 8.1 and outcomes.sd_arm1["D0001"] == 5.8
    assert outcomes.recovery_type[["O0001", "O0002", "O0004"]].tolist() == ["clinical", "personal", ""]
    assert tables["themes"].set_index("study").kind.to_dict() == {
        "Able 2021": "primary",
        "Dunn 2024": "primary",
        "Frost 2020": "review",
    }
