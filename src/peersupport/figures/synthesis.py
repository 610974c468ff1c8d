"""The claims on one page, and our pooled effects among those of published reviews."""

from textwrap import shorten, wrap

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from peersupport.figures.style import BLACK, BLUE, GREY, PAGE, PALE, new_figure
from peersupport.text.numbers import interval

VERDICT = {
    "supported": ("\N{BLACK CIRCLE}", BLUE, "Supported"),
    "partly_supported": ("\N{CIRCLE WITH LEFT HALF BLACK}", "#2E86C1", "Partly\nsupported"),
    "not_supported": ("\N{MULTIPLICATION SIGN}", "#B34700", "Not\nsupported"),
    "not_testable": ("\N{WHITE CIRCLE}", "#555555", "Not testable"),
}
MEANING = (
    "\N{BLACK CIRCLE} the rule for support, fixed beforehand, is met     \N{CIRCLE WITH LEFT HALF BLACK} a weaker rule "
    "is met     "
    "\N{MULTIPLICATION SIGN} enough data, and neither is met     \N{WHITE CIRCLE} too few data to tell"
)
OTHERWISE = (
    "In brackets: the verdict if trials of which the source says only that the arms did not differ were left out of "
    "the shares."
)
CLAIM, MARK, WORD, YEARS, PLOT, REASON = 8.0, 57.5, 60.5, 83.5, (91.0, 106.0), 109.0  # mm
TEXT_LINE, GAP, TOP, BOTTOM = 2.85, 2.0, 15.0, 20.5
AXIS = (-0.5, 1.0)


def claims_page(table: pd.DataFrame, window: str = ""):
    """Each claim, its verdict, its effect where it is a Hedges g, and why; one page of PAGE width.

    table: claims.evaluate; window: what the years of its `verdict_window` are called, blank for none.
    The height follows the text.
    """
    cells = [(row, wrap(row.claim, 35), wrap(row.reason, 56, break_long_words=False)) for row in table.itertuples()]
    heights = [
        GAP + TEXT_LINE * max(len(claim), len(reason), _verdict(row).count("\n") + 1) for row, claim, reason in cells
    ]
    height = TOP + sum(heights) + BOTTOM
    figure, _ = new_figure(PAGE, height)
    figure.clear()
    figure.set_layout_engine("none")

    def words(x, from_top, text, **style):
        style = {"va": "top", "fontsize": 6.5, "linespacing": 1.15} | style
        figure.text(x / PAGE, 1 - from_top / height, text, **style)

    words(2, 2.2, "What the article claims, and what the data carry", fontsize=9, weight="bold")
    for x, text in ((2, "Claim"), (MARK - 1.5, "Verdict"), (REASON, "The numbers, all years")):
        words(x, TOP - 5.2, text, fontsize=7, weight="bold")
    words(YEARS, TOP - 7.8, window.replace(" to ", "\nto "), fontsize=7, weight="bold", ha="center")
    words(sum(PLOT) / 2, TOP - 5.2, "Hedges g", fontsize=7, weight="bold", ha="center")
    left, right = PLOT
    place = (left / PAGE, BOTTOM / height, (right - left) / PAGE, sum(heights) / height)
    axes = figure.add_axes(place, xlim=AXIS, ylim=(sum(heights), 0))
    axes.spines["left"].set_visible(False)
    axes.yaxis.set_visible(False)
    axes.set_xticks([-0.5, 0, 0.5, 1], ["−0.5", "0", "0.5", "1"], fontsize=6.5)
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.set_xlabel("above 0 favours\npeer support", fontsize=6.5, labelpad=1)
    y = 0.0
    for (row, claim, reason), tall in zip(cells, heights, strict=True):
        top = TOP + y
        figure.add_artist(_rule(figure, 1 - (top - 0.4) / height))
        symbol, color, _ = VERDICT[row.verdict]
        words(2, top + 0.7, row.claim_id, fontsize=6.5, color="#555555")
        words(CLAIM + 1, top + 0.7, "\n".join(claim))
        words(MARK, top + 0.2, symbol, fontsize=10, color=color, ha="center")
        verdict, *other = _verdict(row).split("\n(")
        words(WORD, top + 0.7, verdict, weight="bold")
        for more in other:
            words(WORD, top + 0.7 + TEXT_LINE * (verdict.count("\n") + 1), f"({more}")
        if window:
            sign, ink, _ = VERDICT[row.verdict_window]
            words(YEARS, top + 0.2, sign, fontsize=10, color=ink, ha="center")
        words(REASON, top + 0.7, "\n".join(reason))
        if row.quantity == "Hedges g":
            _whisker(axes, y + tall / 2 - 0.4, row)
        y += tall
    words(2, height - 8.2, MEANING)
    words(2, height - 4.6, OTHERWISE)
    return figure


def _verdict(row) -> str:
    word, other = (VERDICT[verdict][2] for verdict in (row.verdict, row.verdict_left_out))
    return word if word == other else f"{word}\n({other.lower()})"


def _rule(figure, y):
    return Line2D([2 / PAGE, 1 - 2 / PAGE], [y, y], color=PALE, linewidth=0.5, transform=figure.transFigure)


def _whisker(axes, y, row) -> None:
    start, end = np.clip([row.ci_low, row.ci_high], *AXIS)
    axes.plot([start, end], [y, y], color=BLACK, linewidth=1)
    for edge, cut, mark in ((AXIS[0], row.ci_low < AXIS[0], "<"), (AXIS[1], row.ci_high > AXIS[1], ">")):
        if cut:
            axes.plot([edge], [y], mark, color=BLACK, markersize=3.5, clip_on=False)
    axes.plot([row.estimate], [y], "s", color=VERDICT[row.verdict][1], markersize=4)


def published_forest(table: pd.DataFrame, labels: dict[str, str]):
    """Standardised results of reviews beside ours, outcome by outcome.

    table: comparable rows of published.published_reviews with family smd. Ours: blue square. Published: black circle;
    hollow for a single trial, grey for a subgroup of a review that is listed too.
    """
    blocks = [(name, rows) for name, rows in table.groupby("outcome_domain", sort=False)]
    lines = sum(len(rows) + 1.5 for _, rows in blocks)
    line, top, bottom = 3.1, 13.0, 17.5
    height = top + line * lines + bottom
    figure, _ = new_figure(PAGE, height)
    figure.clear()
    figure.set_layout_engine("none")
    left, right, limits = 99.0, 146.0, (-0.6, 1.2)
    axes = figure.add_axes(
        (left / PAGE, bottom / height, (right - left) / PAGE, line * lines / height), xlim=limits, ylim=(lines, 0)
    )
    axes.spines["left"].set_visible(False)
    axes.yaxis.set_visible(False)
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.set_xlabel("Standardised effect; above 0 favours peer support", labelpad=2)

    def words(x, y, text, **style):
        style = {"va": "center", "fontsize": 6.5} | style
        figure.text(x / PAGE, 1 - (top + line * y) / height, text, **style)

    words(2, -2.9, "This review among published ones", fontsize=9, weight="bold")
    for x, text, side in (
        (2, "Review: comparison", "left"),
        (83, "Trials", "right"),
        (96, "People", "right"),
        (178, "Effect [95% CI]", "right"),
    ):
        words(x, -0.7, text, ha=side, weight="bold", fontsize=7)
    y = 0.5
    for name, rows in blocks:
        words(2, y, labels[name], weight="bold", fontsize=7)
        for row in rows.itertuples():
            y += 1
            ours = row.source == "ours"
            subgroup = "subgroup" in row.marks
            words(5, y, row.review if ours else _entry(row), weight="bold" if ours else "normal")
            words(83, y, _count(row.k), ha="right")
            words(96, y, _count(row.n), ha="right")
            words(178, y, interval(row.effect, row.ci_low, row.ci_high, "smd"), ha="right")
            color = BLUE if ours else GREY if subgroup else BLACK
            start, end = np.clip([row.ci_low, row.ci_high], *limits)
            axes.plot([start, end], [y, y], color=color, linewidth=1.6 if ours else 0.9)
            for edge, cut, mark in (
                (limits[0], row.ci_low < limits[0], "<"),
                (limits[1], row.ci_high > limits[1], ">"),
            ):
                if cut:
                    axes.plot([edge], [y], mark, color=color, markersize=3.5, clip_on=False)
            if limits[0] < row.effect < limits[1]:
                face = "white" if "one_trial" in row.marks else color
                axes.plot(
                    [row.effect],
                    [y],
                    "s" if ours else "o",
                    color=color,
                    markerfacecolor=face,
                    markersize=4.5 if ours else 3.5,
                )
        y += 1.5
    words(
        2,
        lines + 3.6,
        "Blue square: this review. Hollow: one trial. Grey: subgroup of a review. \N{EN DASH}: not stated. The reviews "
        "share primary studies with",
    )
    words(
        2,
        lines + 4.5,
        "each other and with this one, to an unknown extent: they do not confirm one another independently.",
    )
    return figure


def _entry(row) -> str:
    """The review and what it compared, cut to what fits before the numbers."""
    what = str(row.comparison).replace(" versus ", " v ").replace(" vs ", " v ")
    what = what.replace("peer support v control, subgroup", "subgroup").replace(" services", "")
    later = " (follow-up)" if row.time_point == "follow_up" else ""
    return f"{shorten(f'{row.review}: {what}', 56 - len(later), placeholder=' …')}{later}"


def _count(value: float) -> str:
    return "\N{EN DASH}" if pd.isna(value) else f"{value:,.0f}"
