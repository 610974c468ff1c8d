"""Risk ratios as a reader sees them: of the event as named, arm 1 over arm 2, never turned."""

import numpy as np
import pandas as pd
import pytest
from small_sheets import BOOK

from peersupport.effects.formulas import log_risk_ratio
from peersupport.figures.forest import forest
from peersupport.pool import models
from peersupport.pool.fit import univariate
from peersupport.text import numbers, sentences

LOG, VARIANCE = log_risk_ratio(64, 218, 83, 216)  # Johnson 2018: readmission, an event to be avoided


def test_johnson_2018_reads_076():
    """64/218 against 83/216: RR 0.764, 95% CI 0.585 to 0.997 (metafor::escalc, measure "RR")."""
    half = 1.959964 * np.sqrt(VARIANCE)
    inside = -LOG, -LOG - half, -LOG + half  # positive favours arm 1
    assert numbers.interval(*inside, "log_rr", "avoid") == "0.76 [0.59, 1.00]"
    assert numbers.interval(LOG, LOG - half, LOG + half, "log_rr", "wanted") == "0.76 [0.59, 1.00]"


def test_a_ratio_without_its_direction_is_not_printed():
    for event in ("", None, np.nan):
        with pytest.raises(ValueError, match="avoid or wanted"):
            numbers.shown(0.1, "log_rr", event)


@pytest.mark.parametrize(("event", "side", "printed"), [("avoid", "below 1", "0.74"), ("wanted", "above 1", "1.35")])
def test_table_sentence_and_figure_tell_one_ratio(event, side, printed):
    rows = pd.DataFrame(
        {
            "study": ["A", "B", "C"],
            "trial": ["A", "B", "C"],
            "year": 2020,
            "effect": [0.3, 0.28, 0.32],
            "variance": [0.02, 0.03, 0.02],
            "n_arm1": [100, np.nan, 80],
            "n_arm2": [100, np.nan, 80],
            "people": [200, 300, 160],
            "event": event,
        }
    )
    fit = models.replace(univariate(rows), family="log_rr", outcome_domain="hospitalisation")
    row = models.pooled_table([fit]).iloc[0]
    assert f"{row.ratio:.2f}" == printed and row.ratio_low < row.ratio < row.ratio_high and row.effect > 0
    assert f"RR = {printed}" in sentences.effect_text(fit) and f"{side} favours peer support" in sentences.effect_text(
        fit
    )
    assert fit.n == 660
    figure = forest(fit, title="", model_line="", arms=BOOK["arms"])
    words = [text.get_text() for place in (figure, *figure.axes) for text in place.texts]
    assert any(word.startswith(f"{printed} [") for word in words)
    left, right = (
        next(word for word in words if mark in word) for mark in ("\N{LEFTWARDS ARROW}", "\N{RIGHTWARDS ARROW}")
    )
    assert ("peer support" in left) == (event == "avoid") and ("peer support" in right) == (event == "wanted")
    axes = figure.axes[0]
    ticks = [float(label.get_text()) for label in axes.get_xticklabels()]
    places = axes.transData.transform([(place, 0) for place in axes.get_xticks()])[:, 0]
    assert list(np.argsort(places)) == list(np.argsort(ticks)) and 1.0 in ticks


def test_people_who_are_not_stated_are_not_zero():
    rows = pd.DataFrame(
        {"trial": ["A", "B"], "effect": [0.1, 0.2], "variance": 0.1, "n_arm1": np.nan, "n_arm2": np.nan}
    )
    assert np.isnan(univariate(rows).n) and numbers.people(univariate(rows).n) == "not stated"
