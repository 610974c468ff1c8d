"""Subgroups, bubbles, correlations among moderators, and digital peer support over time."""

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator

from peersupport.figures.style import BLACK, BLUE, GREY, PAGE, PALE, VERMILION, new_figure
from peersupport.text.numbers import interval, p_text

LINE, TOP, BOTTOM = 3.7, 13.0, 17.0  # mm per line, above the first and below the last
LEFT, TRIALS, PEOPLE, PLOT, NUMBERS = 2.0, 67.0, 80.0, (84.0, 142.0), 178.0
LIMITS = (-1.0, 1.4)


def subgroup_forest(blocks: list[dict], title: str, note: str):
    """Pooled effects by level, moderator after moderator, on one page of PAGE width.

    blocks: dicts with `heading`, `test` (a phrase at its right), and `rows`, a table with label, k, n, effect, ci_low,
    ci_high and warning. A level with a warning is drawn hollow and its text in italics. note: one or two lines below.
    """
    lines = sum(len(block["rows"]) + 1.5 for block in blocks)
    height = TOP + LINE * lines + BOTTOM
    figure, _ = new_figure(PAGE, height)
    figure.clear()
    figure.set_layout_engine("none")
    place = (PLOT[0] / PAGE, BOTTOM / height, (PLOT[1] - PLOT[0]) / PAGE, LINE * lines / height)
    axes = figure.add_axes(place, xlim=LIMITS, ylim=(lines, 0))
    axes.spines["left"].set_visible(False)
    axes.yaxis.set_visible(False)
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.xaxis.set_major_locator(FixedLocator(np.arange(-1, 1.5, 0.5)))
    axes.set_xlabel("Hedges g; above 0 favours peer support", labelpad=2)

    def words(x, y, text, **style):
        style = {"va": "center", "fontsize": 7} | style
        figure.text(x / PAGE, 1 - (TOP + LINE * y) / height, text, **style)

    words(LEFT, -2.6, title, fontsize=9, weight="bold")
    for x, text, side in ((TRIALS, "Trials", "right"), (PEOPLE, "People", "right"), (NUMBERS, "g [95% CI]", "right")):
        words(x, -0.6, text, ha=side, weight="bold")
    y = 0.5
    for block in blocks:
        words(LEFT, y, block["heading"], weight="bold")
        words(NUMBERS, y, block["test"], ha="right", fontsize=6.5)
        for row in block["rows"].itertuples():
            y += 1
            few = bool(row.warning)
            style = "italic" if few else "normal"
            words(LEFT + 3, y, row.label, style=style)
            words(TRIALS, y, f"{row.k}", ha="right", style=style)
            words(PEOPLE, y, f"{row.n:,.0f}", ha="right", style=style)
            text = interval(row.effect, row.ci_low, row.ci_high, "smd")
            words(NUMBERS, y, text, ha="right", style=style)
            _interval(axes, y, row, few)
        y += 1.5
    for place, line in enumerate(note.split("\n")):
        figure.text(LEFT / PAGE, (5.2 - 3.4 * place) / height, line, fontsize=6.5, va="center")
    return figure


def _interval(axes, y, row, few: bool) -> None:
    start, end = np.clip([row.ci_low, row.ci_high], *LIMITS)
    color = GREY if few else BLACK
    axes.plot([start, end], [y, y], color=color, linewidth=0.9, solid_capstyle="butt")
    for edge, cut, mark in ((LIMITS[0], row.ci_low < LIMITS[0], "<"), (LIMITS[1], row.ci_high > LIMITS[1], ">")):
        if cut:
            axes.plot([edge], [y], mark, color=color, markersize=3.5, clip_on=False)
    if LIMITS[0] < row.effect < LIMITS[1]:
        face, edge = ("white", GREY) if few else (BLUE, BLUE)
        axes.plot([row.effect], [y], "s", markersize=4, markerfacecolor=face, markeredgecolor=edge)


def between_levels(rows: pd.DataFrame) -> str:
    """Between levels: Q(df) and p with separate and with common tau2, or why there is no test."""
    own, shared = (rows[rows["tau2_model"].eq(model)].dropna(subset=["p_between"]) for model in ("separate", "common"))
    if own.empty:
        return "no test: fewer than two levels to compare"
    first = own.iloc[0]
    text = f"Q({first.df_between:.0f}) = {first.q_between:.1f}, {p_text(first.p_between)}"
    return text if shared.empty else f"{text}; common τ²: {p_text(shared.iloc[0].p_between)}"


def bubbles(panels: list[dict], title: str):
    """Small multiples of effect against a moderator; the area of a bubble grows with the trial's precision.

    panels: dicts with `term`, `slope` (its entry in the codebook), `trials` (the term's column, effect, variance),
    `line` (regression.regression_line) and `text` (what the regression says). A band that goes beyond the panel ends in
    a triangle. Three columns, PAGE wide.
    """
    rows = -(-len(panels) // 3)
    figure, grid = new_figure(PAGE, 10 + 55 * rows, rows, 3, sharey=True, squeeze=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9, weight="bold")
    limits = _heights(panels)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _bubble(axes, panel, limits)
        axes.set_ylim(limits)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes in grid[:, 0]:
        axes.set_ylabel("Hedges g\n(above 0 favours peer support)")
    return figure


def _heights(panels: list[dict]) -> tuple[float, float]:
    """All effects, and the bands as far as half the span of the effects beyond them."""
    effects = pd.concat([panel["trials"]["effect"] for panel in panels])
    bands = pd.concat([panel["line"] for panel in panels])
    low, high = min(effects.min(), -0.2) - 0.15, max(effects.max(), 0.2) + 0.15
    beyond = (high - low) / 2
    lowest, highest = bands["ci_low"].min() - 0.05, bands["ci_high"].max() + 0.05
    return max(min(low, lowest), low - beyond), min(max(high, highest), high + beyond)


def _bubble(axes, panel: dict, limits: tuple[float, float]) -> None:
    term, line, slope = panel["term"], panel["line"], panel["slope"]
    factor = slope.get("per", 1)
    trials = panel["trials"].dropna(subset=[term])
    weight = 1 / trials["variance"]
    axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.fill_between(line["x"] * factor, line["ci_low"], line["ci_high"], color=PALE, linewidth=0, zorder=0)
    for edge, cut, mark in (
        (limits[0], line["ci_low"] < limits[0], "v"),
        (limits[1], line["ci_high"] > limits[1], "^"),
    ):
        if cut.any():  # the band goes on
            middle = line.loc[cut, "x"].mean() * factor
            axes.plot([middle], [edge], mark, color=GREY, markersize=5, clip_on=False, zorder=4)
    axes.plot(line["x"] * factor, line["effect"], color=BLACK, linewidth=1.2, zorder=3)
    axes.scatter(
        trials[term] * factor,
        trials["effect"],
        s=4 + 70 * weight / weight.max(),
        facecolor=BLUE,
        edgecolor="white",
        linewidth=0.4,
        alpha=0.7,
        zorder=2,
    )
    axes.set_xlabel(slope["axis"])
    axes.set_title(panel["text"], fontsize=6.5, weight="normal", color=BLACK)
    if "ones" in slope:
        axes.set_xticks([0, 1], [slope["zeros"]["label"], slope["ones"]["label"]])
        axes.set_xlim(-0.5, 1.5)
    elif slope.get("transformation") == "log2":
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(lambda power, _: f"{2**power:,.0f}")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def correlation_matrix(pairs: pd.DataFrame, labels: dict[str, str], strong: float = 0.5):
    """Spearman's rho of each pair of moderators, lower triangle, with the number of trials below it.

    pairs: moderators.correlations. Pairs with |rho| of `strong` or more have a thick frame. A pair that cannot be had
    is a dash.
    """
    terms = list(labels)
    figure, axes = new_figure(PAGE, 105)
    axes.set(xlim=(-0.5, len(terms) - 1.5), ylim=(len(terms) - 0.5, 0.5))
    known = pairs.set_index(["term_a", "term_b"])
    for row, second in enumerate(terms):
        for column, first in enumerate(terms[:row]):
            rho, k = known.loc[(first, second), ["rho", "k"]]
            shade = 0 if np.isnan(rho) else min(abs(rho), 1)
            color = "white" if np.isnan(rho) else _mix(BLUE if rho > 0 else VERMILION, 0.75 * shade)
            frame = not np.isnan(rho) and abs(rho) >= strong
            axes.add_patch(_box(column, row, color, 1.6 if frame else 0.4, BLACK if frame else GREY))
            text = "\N{EN DASH}" if np.isnan(rho) else f"{rho:+.2f}".replace("-", "\N{MINUS SIGN}")
            axes.text(column, row - 0.13, text, ha="center", va="center")
            axes.text(column, row + 0.24, f"k = {k:.0f}", ha="center", va="center", fontsize=6.5)
    axes.set_yticks(range(1, len(terms)), [labels[term] for term in terms[1:]])
    axes.set_xticks(range(len(terms) - 1), [labels[term] for term in terms[:-1]], rotation=30, ha="right")
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    return figure


def _mix(color: str, share: float) -> tuple:
    full = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return tuple(1 - share * (1 - full))


def _box(column: int, row: int, face, width: float, edge: str):
    return Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, facecolor=face, edgecolor=edge, linewidth=width)


def digital_over_time(periods: pd.DataFrame, lengths: pd.DataFrame, shares: pd.DataFrame, long: int):
    """A by period, B by length of follow-up (pooled effects, moderators.pooled_by), C share of trials followed long.

    shares: moderators.long_follow_up with a `label`. Hollow marks: fewer trials than the warning asks for.
    """
    figure, (first, second, third) = new_figure(PAGE, 68, 1, 3, width_ratios=[1, 1, 1.05])
    for axes, table, title in (
        (first, periods, "A  By year: digital,\n     telephone"),
        (second, lengths, "B  By follow-up:\n     digital"),
    ):
        _pooled_marks(axes, table)
        axes.set_title(title)
        axes.set_xlabel("Hedges g\n(above 0 favours\npeer support)")
    y = range(len(shares))
    third.hlines(y, shares["ci_low"] * 100, shares["ci_high"] * 100, color=BLACK)
    third.plot(shares["share"] * 100, y, "o", color=BLUE, markersize=4)
    third.set_yticks(y, [f"{r.label} ({r.long} of {r.stated})" for r in shares.itertuples()])
    third.set(xlim=(0, 100), ylim=(len(shares) - 0.5, -0.5))
    third.set_xlabel(f"Followed for {long} weeks\nor more (% of the trials that\nstate a length)")
    third.set_title("C  Followed long:\n     by delivery")
    return figure


def _pooled_marks(axes, table: pd.DataFrame) -> None:
    limits = (-0.8, 1.2)
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    for y, row in enumerate(table.itertuples()):
        if row.k == 0:
            continue
        axes.plot(np.clip([row.ci_low, row.ci_high], *limits), [y, y], color=BLACK, linewidth=0.9)
        for edge, cut, mark in ((limits[0], row.ci_low < limits[0], "<"), (limits[1], row.ci_high > limits[1], ">")):
            if cut:
                axes.plot([edge], [y], mark, color=BLACK, markersize=3.5, clip_on=False)
        face = "white" if row.warning else BLUE
        axes.plot([row.effect], [y], "s", markersize=4.5, markerfacecolor=face, markeredgecolor=BLUE)
    trials = {0: "no trial", 1: "1 trial"}
    ticks = [f"{r.label}\n{trials.get(r.k, f'{r.k} trials')}" for r in table.itertuples()]
    axes.set_yticks(range(len(table)), ticks)
    axes.set(xlim=limits, ylim=(len(table) - 0.5, -0.5))
