"""Tables of the notebooks: names and codes in words, every effect with its unit, markup shown and not obeyed."""

import re

import pandas as pd
import pytest

from peersupport.text.screen import EFFECTS, HEADS, head, in_words, number, readable

POOLED = pd.DataFrame(
    {
        "outcome_domain": ["depression", "acute_care"],
        "family": ["smd", "log_rr"],
        "event": [None, "avoid"],
        "k": [20, 4],
        "effect": [-0.004, 0.3],
        "ci_low": [-0.2, 0.1],
        "ci_high": [0.2, 0.5],
        "pi_low": [float("nan"), -0.1],
        "pi_high": [float("nan"), 0.7],
    }
)


def test_an_effect_says_its_unit_and_a_log_ratio_is_shown_as_the_ratio_of_the_event():
    words = in_words(POOLED)
    assert list(words["Effect (95% CI)"]) == ["g 0.00 (−0.20 to 0.20)", "RR 0.74 (0.61 to 0.90)"]
    assert list(words["Expected in a new setting"]) == ["", "RR 0.50 to 1.11"]
    assert list(words["Outcome"]) == ["Depression", "Acute care (hospital, emergency)"]
    assert list(words.columns)[:2] == ["Outcome", "The event is"] and "Measure" not in words


def test_a_table_without_effects_says_what_it_measures():
    words = in_words(pd.DataFrame({"family": ["smd", "log_rr"], "rows": [1, 2]}))
    assert list(words["Measure"]) == ["Hedges g", "risk ratio"]


def test_no_raw_name_is_left_in_heads_or_cells():
    html = readable(POOLED.assign(warning="too_few_trials")).data
    shown = re.sub(r"<style.*?</style>|<[^>]*>", " ", html, flags=re.S)
    assert "_" not in shown and "-0" not in shown and "too few trials" in shown
    assert not [name for name in [*HEADS.values(), *EFFECTS] if "_" in name]
    assert head("barely_known_column") == "Barely known column"


def test_what_a_reader_must_find_in_a_sheet_stays_as_it_is_there():
    words = in_words(pd.DataFrame({"sheet": ["coder_a/outcomes"], "column": ["n_arm1"], "value": ["care_as_usual"]}))
    assert words.iloc[0].tolist() == ["coder_a/outcomes", "n_arm1", "care_as_usual"]


@pytest.mark.parametrize(
    ("value", "digits", "expected"), [(-0.5, 2, "−0.50"), (1234, 2, "1,234"), (1234.5, 1, "1,234.5"), (True, 2, "True")]
)
def test_numbers_have_a_true_minus_and_thousands(value, digits, expected):
    assert number(value, digits) == expected


def test_markup_in_a_cell_is_shown():
    html = readable(pd.DataFrame({"<b>": ["<script>"], "n": [1]})).data
    assert "<script>" not in html and "&lt;script&gt;" in html and "<b>" not in html


def test_a_p_value_is_never_zero_and_a_count_has_no_decimals():
    table = pd.DataFrame({"p_value": [0.00001, 0.5], "n": [1234.0, float("nan")], "tau2": [0.0, 0.125]})
    html = readable(table).data
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html)
    assert cells == ["&lt; 0.001", "1,234", "0.00", "0.500", "", "0.12"]
