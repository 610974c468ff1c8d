"""The plots hold what they are given, and every word lies on the page."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from metafor_reference import as_effects
from small_sheets import BOOK

from peersupport.effects.pools import Domain
from peersupport.figures.diagnostic import baujat_plot, domain_page
from peersupport.figures.forest import forest, summary_forest
from peersupport.figures.style import use_style
from peersupport.pool import influence, small_study
from peersupport.pool.fit import univariate
from peersupport.pool.models import MAIN, Settings, fit_battery, fit_model, model_labels
from peersupport.text import sentences
from peersupport.text.numbers import interval, shown

ARMS = BOOK["arms"]


def domain(trials: int, family: str = "smd") -> Domain:
    place = np.arange(trials)
    rows = as_effects(0.25 + 0.4 * np.sin(place), 0.02 + 0.01 * (place % 7))
    names = [f"van Gestel-Timmermans {2000 + i % 26}" for i in place]
    return Domain(
        "hope",
        family,
        rows.assign(
            study=[f"{name}{i}" for i, name in enumerate(names)],
            year=2000 + place % 26,
            event="avoid" if family == "log_rr" else "",
            method="means",
            design_family="randomised",
            design="rct",
            helper_experience="distress",
            risk_of_bias="high",
        ),
    )


@pytest.fixture(autouse=True)
def style():
    use_style()
    yield
    plt.close("all")


def ticks_in_view(axes) -> list:
    """Tick labels inside the limits; matplotlib keeps some beyond them and does not draw them."""
    return [
        label
        for axis, which in ((axes.xaxis, 0), (axes.yaxis, 1))
        for label in axis.get_ticklabels()
        if min(axis.get_view_interval()) <= label.get_position()[which] <= max(axis.get_view_interval())
    ]


def outside(figure) -> list[str]:
    """Words that are cut off by the page."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    page = figure.bbox
    texts = [*figure.texts, *(t for axes in figure.axes for t in axes.texts)]
    labels = [t for axes in figure.axes for t in ticks_in_view(axes)]
    found = []
    for text in (*texts, *labels):
        box = text.get_window_extent(renderer)
        cut = box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1
        if text.get_text() and text.get_visible() and cut:
            found.append(text.get_text())
    return found


@pytest.mark.parametrize("trials", [3, 12, 38])
@pytest.mark.parametrize("family", ["smd", "log_rr"])
def test_forest_shows_every_trial_and_stays_on_the_page(trials, family):
    given = domain(trials, family)
    fit = fit_model(given, MAIN, Settings())
    risk = pd.DataFrame({"study": fit.effects["study"], "domain": "overall", "judgement": "high"})
    figure = forest(fit, title="Hope", model_line=sentences.model_line(fit), arms=ARMS, risk=risk)
    words = [t.get_text() for axes in figure.axes for t in axes.texts]
    assert set(fit.effects["study"]) <= set(words)
    assert interval(fit.effect, fit.ci_low, fit.ci_high, family, fit.event) in words
    assert outside(figure) == []


def test_forest_leaves_out_dots_that_the_tool_does_not_have():
    rows = as_effects([0.2, 0.3, 0.25], [0.01, 0.02, 0.02], trial=["A", "B", "C"])
    risk = pd.DataFrame({"study": ["A", "A"], "domain": ["deviations", "overall"], "judgement": ["low", "high"]})
    figure = forest(univariate(rows.assign(year=2020)), title="x", model_line="m", arms=ARMS, risk=risk)
    signs = [t.get_text() for t in figure.axes[0].texts if t.get_text() in "+×?"]
    assert (signs.count("+"), signs.count("×"), signs.count("?")) == (1, 1, 12)


def test_forest_with_an_extreme_interval_ends_in_an_arrow():
    rows = as_effects([0.2, 0.3, 0.25], [0.01, 0.02, 9.0], trial=["A", "B", "C"])
    figure = forest(univariate(rows.assign(year=2020)), title="x", model_line="m", arms=ARMS)
    marks = [line.get_marker() for line in figure.axes[0].lines]
    assert "<" in marks and ">" in marks


def test_forest_groups_have_their_own_diamonds():
    given = domain(12)
    fit = fit_model(given, MAIN, Settings())
    halves = {"One": given.rows.iloc[:6], "Two": given.rows.iloc[6:]}
    groups = {name: fit_model(Domain("hope", "smd", rows), MAIN, Settings()) for name, rows in halves.items()}
    figure = forest(fit, title="Hope", model_line="m", arms=ARMS, groups=groups)
    words = [t.get_text() for t in figure.axes[0].texts]
    assert len(figure.axes[0].patches) == 3
    assert words.count("Subtotal, 6 trials") == 2


@pytest.mark.parametrize("trials", [3, 20])
@pytest.mark.parametrize("family", ["smd", "log_rr"])
def test_page_of_pictures_stays_on_the_page(trials, family):
    models = fit_battery(domain(trials, family), Settings())
    fit = models[MAIN]
    labels = model_labels(Settings())
    figure = domain_page(
        models,
        labels,
        main=MAIN,
        title="Hope",
        filled=small_study.filled_points(fit.effects),
        **influence.page_tables(fit),
    )
    assert len(figure.axes) == 10
    assert outside(figure) == []


def test_names_beside_crowded_points_cover_no_point_and_no_name():
    x = np.array([4.8, 4.7, 4.6, 4.6, 3.8, 3.7, 0.1])
    table = pd.DataFrame({"study": [f"Mulfinger {2000 + i}" for i in range(7)], "x": x})
    table["y"] = [0.129, 0.133, 0.131, 0.128, 0.131, 0.128, 0.01]
    _, axes = plt.subplots(figsize=(2.2, 2.3), layout="none")
    baujat_plot(axes, table)
    names = [t.get_window_extent() for t in axes.texts if t.get_text() in set(table["study"])]
    points = axes.transData.transform(table[["x", "y"]])
    assert 2 <= len(names) < 6
    assert [box.count_contains(points) for box in names] == [0] * len(names)
    assert [box.count_overlaps(names) for box in names] == [1] * len(names)  # with itself


def test_summary_forest_gives_each_family_its_axis():
    smd, ratio = (fit_model(domain(8, family), MAIN, Settings()) for family in ("smd", "log_rr"))
    figure = summary_forest({"g": [smd], "RR": [ratio]}, {"hope": "Hope"}, ARMS, title="All")
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "linear"]
    ticks = [t.get_text() for t in figure.axes[1].get_xticklabels()]
    assert "1" in ticks and outside(figure) == []


@pytest.mark.parametrize(
    ("value", "family", "words"),
    [
        (-0.001, "smd", "0.00"),
        (-0.25, "smd", "−0.25"),
        (np.log(2), "log_rr", "0.50"),
        (20.0, "log_rr", "<0.01"),
        (-900.0, "log_rr", "99+"),
    ],
)
def test_numbers_as_a_reader_sees_them(value, family, words):
    assert shown(value, family, "avoid") == words
