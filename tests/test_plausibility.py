"""Slips that leave every cell valid: each is warned of, and the small sheets, mended where they are odd, are not."""

import numpy as np
import pytest
from small_sheets import BOOK, as_csv, grids
from test_faults import add_row, both, drop_row, put

from peersupport.intake import plausible, validation
from peersupport.store.sheets import parse

A, B, DB = "coder_a/outcomes", "coder_b/outcomes", "database/outcomes"


def quiet():
    """The small sheets, their oddities taken out."""
    files = grids()
    put("consensus", 2, "value", "in_person")(files)
    put(DB, 5, "instrument", "attended sessions")(files)
    for row in range(2, 6):
        put("coder_a/studies", row, "source_url", f"https://example.org/{row}")(files)
    return files


def found(spoil):
    files = quiet()
    spoil(files)
    tables = {name: parse(name, as_csv(grid))[0] for name, grid in files.items()}
    return [(p["rule"], p["sheet"], p["row"]) for p in plausible.implausible(tables, BOOK)]


def in_both(row, column, value):
    """The same slip by both coders, which no comparison of the two finds."""
    other = {5: 5, 6: 6, 2: 2, 3: 3, 8: 7}[row]
    return both(put(A, row, column, value), put(B, other, column, value))


def printed(effect, se):
    """What the database prints beside the means of its second row."""
    return both(
        *(put(DB, 3, c, v) for c, v in (("measure", "g"), ("effect", effect), ("se", se), ("positive_favours", "arm1")))
    )


def many(sheet, like, letter, n, **cells):
    """n more rows like this one, numbered apart from the others, no two with the same figures."""
    new = [dict(row_id=f"{letter}{8001 + i}", mean_arm1=f"10.{i + 30}") | cells for i in range(n)]
    return both(*(add_row(sheet, like, **row) for row in new))


def direction_rows(n):
    """Rows of one coder that favour arm 1 and say no figure."""
    return many(A, 7, "O", n, favours="arm1", mean_arm1="")


def one_way_round(n):
    """Effects of one source, positive where arm 1 did better."""
    return many(DB, 6, "D", n, mean_arm1="", instrument="")


def test_what_is_not_odd_is_not_named():
    assert found(lambda files: None) == []
    assert found(printed("0.1531", "0.1608")) == []
    assert found(printed("0.1531", "0.1600")) == []  # the standard error of g by the other formula
    assert found(add_row(DB, 6, row_id="D9001", instrument="", effect="0.31")) == []  # a new series
    assert found(printed("0.1531", "0.161")) == []  # rounded
    assert found(add_row(DB, 6, row_id="D0006", instrument="GAF, disability", effect="0.28")) == []
    assert found(put(DB, 4, "study", "Able 2021")) == []  # no conclusion of the coders to compare
    assert found(put(DB, 3, "study", "Able 2021")) == []
    assert found(put(A, 7, "favours", "arm2")) == []
    assert found(direction_rows(30)) == []
    assert found(many(DB, 3, "D", 12)) == []
    assert {rule for rule, *_ in found(one_way_round(12))} == {"figures_twice"}


SLIPS = {
    "a digit of a mean": (
        both(printed("0.1531", "0.1608"), put(DB, 3, "mean_arm1", "10.5")),
        "printed_effect_differs",
        DB,
        3,
    ),
    "the wrong scale direction": (
        both(printed("0.1531", "0.1608"), put(DB, 3, "higher_is_better", "yes")),
        "printed_effect_differs",
        DB,
        3,
    ),
    "a digit of an n": (both(printed("0.1531", "0.1608"), put(DB, 3, "n_arm1", "60")), "printed_se_differs", DB, 3),
    "an effect moved in its interval": (in_both(3, "effect", "0.45"), "not_centred", A, 3),
    "a ratio moved in its interval": (put(DB, 5, "effect", "2.7"), "not_centred", DB, 5),
    "a conclusion against the interval": (in_both(3, "favours", "neither"), "conclusion_differs", A, 3),
    "a conclusion against p": (
        both(put(A, 7, "p_value", "0.4"), put(A, 7, "p_operator", "="), put(A, 7, "favours", "arm1")),
        "conclusion_differs",
        A,
        7,
    ),
    "a conclusion against the note": (
        both(put(A, 7, "note", "No significant difference"), put(A, 7, "favours", "arm2")),
        "note_differs",
        A,
        7,
    ),
    "arms exchanged by both": (in_both(2, "favours", "arm2"), "direction_differs", A, 2),
    "a sign turned by both": (in_both(8, "positive_favours", "arm2"), "direction_differs", A, 8),
    "one SD ten times the other": (put(DB, 3, "sd_arm2", "54"), "arms_unlike", DB, 3),
    "one arm ten times the other": (put(DB, 3, "n_arm2", "750"), "arms_unlike", DB, 3),
    "means far apart": (put(DB, 3, "mean_arm1", "102"), "arms_unlike", DB, 3),
    "a scale turned round": (put(DB, 3, "higher_is_better", "yes"), "scale_elsewhere", DB, 3),
    "a scale under another domain": (put(DB, 3, "outcome_domain", "functioning"), "scale_elsewhere", DB, 3),
    "a domain that is not in the name": (put(DB, 2, "outcome_domain", "functioning"), "scale_elsewhere", DB, 2),
    "an arm of another size than elsewhere": (
        both(put(DB, 2, "n_arm2", "40"), add_row(DB, 3, row_id="D0009", instrument="CES-D", mean_arm1="3.3")),
        "study_elsewhere",
        DB,
        2,
    ),
    "a week under two time points": (put(DB, 3, "time_point", "follow_up"), "study_elsewhere", DB, 3),
    "a row left out": (put(DB, 6, "row_id", "D0007"), "row_ids_run_on", DB, 6),
    "a type below the figures": (put(DB, 3, "outcome_type", "precalc"), "type_differs", DB, 3),
    "events under a printed effect": (put(DB, 4, "outcome_type", "precalc"), "type_differs", DB, 4),
    "a domain that is better the other way": (
        both(many(DB, 3, "D", 12), put(DB, 3, "higher_is_better", "yes"), put(DB, 3, "instrument", "")),
        "scale_elsewhere",
        DB,
        3,
    ),
    "a conclusion that one coder alone draws": (
        both(direction_rows(30), put(A, 7, "favours", "arm2")),
        "conclusion_alone",
        A,
        7,
    ),
    "a database against the conclusion": (
        both(put(DB, 3, "study", "Able 2021"), put(DB, 3, "mean_arm1", "12")),
        "sources_differ",
        DB,
        3,
    ),
    "an effect of a source turned round": (
        both(one_way_round(12), put(DB, 6, "positive_favours", "arm2")),
        "signs_elsewhere",
        DB,
        6,
    ),
    "a lost sign beside its sister": (
        add_row(DB, 6, row_id="D0006", instrument="GAF, disability", effect="-0.28", ci_low="-0.53", ci_high="-0.03"),
        "signs_elsewhere",
        DB,
        6,
    ),
    "a few people more": (both(printed("0.1531", "0.1608"), put(DB, 3, "n_arm1", "82")), "printed_se_differs", DB, 3),
    "an arm's n against a printed effect": (
        both(
            put(DB, 6, "measure", "g"),
            put(DB, 6, "se", "0.1600"),
            put(DB, 6, "n_arm1", "80"),
            put(DB, 6, "n_arm2", "57"),
        ),
        "printed_se_differs",
        DB,
        6,
    ),
    "a row twice": (add_row(DB, 3, row_id="D0009"), "figures_twice", DB, 7),
    "a trial twice": (add_row(DB, 3, row_id="D0009", study="Able 2021"), "figures_twice", DB, 7),
    "a registration twice": (
        both(
            put("coder_a/studies", 2, "registration", "NCT01234567"),
            put("coder_a/studies", 3, "registration", "nct01234567 "),
        ),
        "registration_twice",
        "coder_a/studies",
        3,
    ),
    "a page read twice": (
        both(
            put("coder_a/studies", 2, "source_url", "https://a.org/1"),
            put("coder_a/studies", 3, "source_url", "https://a.org/1"),
        ),
        "source_twice",
        "coder_a/studies",
        3,
    ),
    "a study in another's note": (
        put("coder_a/studies", 3, "note", "the women of Able 2021"),
        "study_in_note",
        "coder_a/studies",
        3,
    ),
    "a decision that nobody proposed": (put("consensus", 3, "value", "8.4"), "third_value", "consensus", 3),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_slip_is_warned_of(slip):
    spoil, *expected = SLIPS[slip]
    assert tuple(expected) in found(spoil)


def test_companion_reports_are_no_second_trial():
    spoil = put("coder_a/studies", 4, "note", "the people of Able 2021")  # trials.csv joins the two
    assert found(spoil) == []


def test_a_lost_row_leaves_a_gap_in_the_numbers():
    assert ("row_ids_run_on", DB, 4) in found(drop_row(DB, 4))
    assert found(drop_row(DB, 6)) == []  # nothing says that there was one


def test_words_of_two_domains_allow_both():
    assert plausible.domains_by_name("anxiety and depression", BOOK["domain_words"]) == [
        "anxiety",
        "depression",
        "overall_symptoms",
        "service_use",
    ]
    assert plausible.domains_by_name("not named in the abstract", BOOK["domain_words"]) == []


def test_a_correction_silences_what_it_mends():
    spoil = both(
        put(DB, 2, "measure", "g"),
        put(DB, 2, "effect", "0.4189"),
        put(DB, 2, "se", "0.1630"),
        put(DB, 2, "positive_favours", "arm1"),
    )
    assert not [rule for rule, _, row in found(spoil) if row == 2 and rule == "arms_unlike"]


def test_warnings_are_sentences_of_the_validation_table():
    files = quiet()
    put(DB, 3, "sd_arm2", "54")(files)
    tables = {name: parse(name, as_csv(grid))[0] for name, grid in files.items()}
    problems = validation.validate(tables, [], BOOK)
    row = problems[problems.rule.eq("arms_unlike")].iloc[0]
    assert row.severity == "warning" and "check both at the source" in validation.describe(row)


def test_rubbish_in_a_figure_never_breaks_a_rule():
    rng = np.random.default_rng(1)
    rubbish = ["nan", "inf", "1e999", "-1", "0", "1e-320", "x", "=1", "٣٣", "9" * 400]
    for _ in range(60):
        files = quiet()
        name = [A, B, DB, "consensus", "corrections"][rng.integers(5)]
        grid = files[name]
        grid[rng.integers(1, len(grid))][rng.integers(len(grid[0]))] = rubbish[rng.integers(len(rubbish))]
        tables = {n: parse(n, as_csv(g))[0] for n, g in files.items()}
        assert all(problem["remedy"] for problem in plausible.implausible(tables, BOOK))
