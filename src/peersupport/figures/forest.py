"""Forest plots: one domain study by study, one trial set group by group, and all domains on one page."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from peersupport.figures.style import BLACK, BLUE, GREY, JUDGEMENT, JUDGEMENT_SYMBOL, MM_PER_INCH, PAGE, new_figure
from peersupport.pool.fit import Fit
from peersupport.text.numbers import better, effect_name, ends, interval, p_text

ROW = 4.3  # mm from line to line
HEAD, FOOT, AXIS = 14.0, 32.0, 15.0  # mm above the first line, below the last, for axis and arrows
STUDY, ARM1, ARM2, DOTS, TEXT, WEIGHT = 2.0, 52.0, 62.0, 65.0, 166.5, 178.0
PLOT, SUMMARY_PLOT = (86.5, 136.0), (80.0, 134.0)
DOT = 3.1  # mm from one risk-of-bias dot to the next
RISK_COLUMNS = {
    "randomisation": "R",
    "deviations": "D",
    "missing_data": "M",
    "measurement": "O",
    "selective_reporting": "S",
    "overall": "All",
}
RISK_LEGEND = (
    "Risk of bias: R randomisation, D deviations from the intervention, M missing data, O outcome "
    "measurement, S selective reporting,",
    "All overall; + low, \N{MINUS SIGN} some concerns, × high, ? no information; no dot: the "
    "tool for non-randomised studies has no such domain.",
)
RATIO_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 0.8, 1.25, 2, 4, 5, 10, 20, 50, 100)


def forest(
    fit: Fit,
    *,
    title: str,
    model_line: str,
    arms: Mapping[str, Mapping[str, str]],
    risk: pd.DataFrame | None = None,
    order: str = "year",
    groups: dict[str, Fit] | None = None,
):
    """Study, arms, risk of bias, effect and weight; the diamond, the prediction interval, the model.

    fit: the pooled result; its `effects` are the rows, drawn in `order` ("year" or "precision").
    arms: what arm 1 and arm 2 are called (the codebook's `arms`).
    risk: `study, domain, judgement` for the dots. groups: label -> Fit of that group, drawn under its
    own heading with its own diamond; without it one list. Intervals longer than the axis end in an
    arrowhead. Returns the figure, PAGE wide and as high as its lines need.
    """
    blocks = _blocks(fit, order, groups)
    lines = sum(len(rows) + (2 if group else 0) for _, rows, group in blocks)
    height = HEAD + FOOT + ROW * (lines + 2.5)
    canvas = _Canvas(blank_page(height), height, PLOT, _limits(fit), FOOT, lines + 2.5, arms=arms, event=fit.event)
    canvas.heaviest = fit.effects["weight"].max()
    canvas.header(title, fit.family, with_risk=risk is not None)
    judgements = None if risk is None else risk.set_index(["study", "domain"])["judgement"]
    y = 0.5
    for label, rows, group in blocks:
        if group:
            canvas.text(STUDY, y, label, weight="bold")
            y += 1
        for row in rows.itertuples():
            canvas.study(y, row, fit.family, judgements)
            y += 1
        if group:
            canvas.subtotal(y, group, rows["weight"].sum())
            y += 1
    canvas.rule(y - 0.4)
    canvas.axes.axvline(fit.effect, color=BLUE, linewidth=0.5, linestyle=(0, (2, 2)), zorder=0)
    canvas.diamond(y + 0.3, fit, f"Pooled, {fit.trials} trials", "100%", face=BLUE)
    canvas.prediction(y + 1.3, fit)
    canvas.axis_and_arrows(fit.family)
    canvas.footer(model_line, heterogeneity_line(fit), *(RISK_LEGEND if risk is not None else ()))
    return canvas.figure


def summary_forest(
    sections: dict[str, list[Fit]], labels: dict[str, str], arms: Mapping[str, Mapping[str, str]], *, title: str
):
    """All domains on one page: interval, prediction interval, trials and people, a line each.

    sections: heading -> fits of one family and direction of events, with an axis of its own. labels: domain -> name.
    """
    step = 1.2  # lines per domain
    heights = [ROW * step * (len(fits) + 1) + AXIS for fits in sections.values()]
    height = HEAD + 9 + sum(heights)
    figure, bottom = blank_page(height), height - HEAD
    limits = {
        family: _summary_limits([f for fits in sections.values() for f in fits if f.family == family])
        for family in {fits[0].family for fits in sections.values()}
    }
    for (heading, fits), section in zip(sections.items(), heights, strict=True):
        bottom -= section
        lines = step * (len(fits) + 1)
        axis = limits[fits[0].family]
        event = fits[0].event
        canvas = _Canvas(figure, height, SUMMARY_PLOT, axis, bottom + AXIS, lines, arms=arms, event=event)
        canvas.text(STUDY, 0.6, heading, weight="bold")
        for place, fit in enumerate(fits, start=1):
            canvas.summary_row(step * place + 0.6, fit, labels[fit.outcome_domain])
        canvas.axis_and_arrows(fits[0].family)
    canvas.summary_header(title)
    legend = (
        "Bar: 95% CI (REML, Hartung-Knapp); black mark: pooled effect; thin line: 95% prediction interval,",
        "the range in which the true effect of a new setting is expected; arrowhead: it goes on.",
    )
    for line, words in enumerate(legend):
        canvas.page_text(STUDY, 6 - 3.4 * line, words, fontsize=6.5)
    return figure


def draw_interval(axes, y, low, high, limits, **style):
    """A horizontal line from low to high; where it leaves the limits it ends in an arrowhead.

    Axes that run from right to left (label_effect_axis) are labelled first.
    """
    style = {"color": BLACK, "linewidth": 0.9, "solid_capstyle": "butt", "zorder": 2} | style
    axes.plot(np.clip([low, high], *limits), [y, y], **style)
    before, beyond = ("<", ">") if not axes.xaxis_inverted() else (">", "<")
    for place, cut, mark in ((limits[0], low < limits[0], before), (limits[1], high > limits[1], beyond)):
        if cut:
            axes.plot(
                [place],
                [y],
                mark,
                color=style["color"],
                markersize=3 + 0.6 * style["linewidth"],
                clip_on=False,
                zorder=style["zorder"],
            )


def label_effect_axis(axes, family: str, event: str, limits: tuple[float, float], short=False) -> None:
    """Limits, ticks and label of an axis of effects: g, or ratios of the event as named at their logarithms.

    A ratio of events to be avoided is below 1 where an effect is positive, so that axis runs from right to left.
    """
    axes.set_xlim(limits[::-1] if event == "avoid" else limits)
    if family == "log_rr":
        set_ratio_ticks(axes.xaxis, event, limits)
        axes.set_xlabel("Risk ratio (log scale)" + ("" if short else f", {better(family, event)} is better"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.set_xlabel("Hedges g")


class _Canvas:
    def __init__(self, figure, height, span, limits, bottom, lines, *, arms, event=""):
        self.figure, self.height, self.limits = figure, height, limits
        self.arms, self.event = arms, event
        self.span, self.bottom, self.heaviest = span, bottom, 100.0
        left, right = span
        place = (left / PAGE, bottom / height, (right - left) / PAGE, ROW * lines / height)
        self.axes = figure.add_axes(place)
        self.axes.set(xlim=limits[::-1] if event == "avoid" else limits, ylim=(lines, 0))
        self.axes.spines["left"].set_visible(False)
        self.axes.yaxis.set_visible(False)
        self.axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
        self._mm = blended_transform_factory(figure.dpi_scale_trans, self.axes.transData)

    def text(self, x, y, words, **kwargs):
        kwargs = {"ha": "left", "va": "center", "fontsize": 7} | kwargs
        self.axes.text(x / MM_PER_INCH, y, words, transform=self._mm, clip_on=False, **kwargs)

    def page_text(self, x, from_bottom, words, **kwargs):
        kwargs = {"ha": "left", "va": "center", "fontsize": 7} | kwargs
        self.figure.text(x / PAGE, from_bottom / self.height, words, **kwargs)

    def header(self, title, family, with_risk):
        self.page_text(STUDY, self.height - 3.5, title, fontsize=9, weight="bold")
        y = self.height - HEAD + 1.5
        bold = {"weight": "bold", "va": "bottom"}
        self.page_text(STUDY, y, "Study", **bold)
        self.page_text(ARM1, y, f"n\n{self.arms['arm1']['short']}", ha="right", **bold)
        self.page_text(ARM2, y, f"n\n{self.arms['arm2']['short']}", ha="right", **bold)
        if with_risk:
            for place, mark in enumerate(RISK_COLUMNS.values()):
                x = DOTS + DOT * (place + 0.5) + (0.8 if mark == "All" else 0)
                self.page_text(x, y, mark, ha="center", **bold)
        self.page_text(TEXT, y, f"{effect_name(family)} [95% CI]", ha="right", **bold)
        self.page_text(WEIGHT, y, "Weight", ha="right", **bold)

    def rule(self, y):
        self.axes.plot(
            [STUDY / MM_PER_INCH, WEIGHT / MM_PER_INCH],
            [y, y],
            color=BLACK,
            linewidth=0.5,
            transform=self._mm,
            clip_on=False,
        )

    def study(self, y, row, family, judgements):
        half = 1.959964 * np.sqrt(row.variance)
        low, high = row.effect - half, row.effect + half
        self.text(STUDY, y, row.study)
        self.text(ARM1, y, _people(row.n_arm1), ha="right")
        self.text(ARM2, y, _people(row.n_arm2), ha="right")
        if judgements is not None:
            self.dots(y, row.study, judgements)
        self.whisker(y, low, high)
        self.square(y, row.effect, row.weight / self.heaviest)
        self.text(TEXT, y, interval(row.effect, low, high, family, self.event), ha="right")
        self.text(WEIGHT, y, f"{row.weight:.1f}%", ha="right")

    def dots(self, y, study, judgements):
        for place, domain in enumerate(RISK_COLUMNS):
            judgement = judgements.get((study, domain))
            if judgement is None and (study, "overall") in judgements.index:
                continue  # not a domain of the tool by which this study was judged
            judgement = judgement or "no_information"
            x = DOTS + DOT * (place + 0.5)
            dot = Line2D(
                [x / MM_PER_INCH],
                [y],
                linestyle="none",
                marker="o",
                markersize=7,
                color=JUDGEMENT[judgement],
                markeredgecolor=BLACK,
                markeredgewidth=0.3,
                transform=self._mm,
                clip_on=False,
            )
            self.axes.add_artist(dot)  # plot() would ask each of them for new limits of the axes
            self.text(x, y, JUDGEMENT_SYMBOL[judgement], ha="center", fontsize=6)

    def whisker(self, y, low, high, **style):
        draw_interval(self.axes, y, low, high, self.limits, **style)

    def square(self, y, effect, share):
        side = 3.2 * np.sqrt(max(share, 0.06))  # mm; area in proportion to the weight
        self.axes.plot([effect], [y], "s", color=BLUE, markersize=side * 72 / MM_PER_INCH, markeredgewidth=0, zorder=3)

    def subtotal(self, y, fit, weight):
        label = f"Subtotal, {fit.k} trials"
        if np.isnan(fit.effect):
            self.text(STUDY, y, f"{label}: too few to pool apart", style="italic")
            return
        self.diamond(y, fit, label, f"{weight:.0f}%", face="white")

    def diamond(self, y, fit, label, weight, face):
        points = [(fit.ci_low, y), (fit.effect, y - 0.32), (fit.ci_high, y), (fit.effect, y + 0.32)]
        points = [(float(np.clip(x, *self.limits)), height) for x, height in points]
        self.axes.add_patch(Polygon(points, closed=True, facecolor=face, edgecolor=BLACK, linewidth=0.7, zorder=4))
        self.text(STUDY, y, label, weight="bold")
        words = interval(fit.effect, fit.ci_low, fit.ci_high, fit.family, fit.event)
        self.text(TEXT, y, words, ha="right", weight="bold")
        self.text(WEIGHT, y, weight, ha="right", weight="bold")

    def prediction(self, y, fit):
        self.text(STUDY, y, "95% prediction interval")
        if np.isnan(fit.pi_low):
            self.text(TEXT, y, "not estimable", ha="right")
            return
        self.whisker(y, fit.pi_low, fit.pi_high, color=BLUE, linewidth=2.2)
        words = f"[{', '.join(ends(fit.pi_low, fit.pi_high, fit.family, fit.event))}]"
        self.text(TEXT, y, words, ha="right")

    def axis_and_arrows(self, family):
        left, right = self.span
        ends = self.axes.get_xlim()
        middle = left + (right - left) * (0 - ends[0]) / (ends[1] - ends[0])
        if family == "log_rr":
            set_ratio_ticks(self.axes.xaxis, self.event, self.limits)
            self.axes.tick_params(axis="x", which="minor", bottom=False)
        else:
            self.axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        first, second = ("arm1", "arm2") if self.event == "avoid" else ("arm2", "arm1")
        names = [f"favours {self.arms[arm]['name']}" for arm in (first, second)]
        top = self.bottom - 7.3
        self.page_text(middle - 1.5, top, f"\N{LEFTWARDS ARROW} {names[0]}", ha="right", fontsize=6.5)
        self.page_text(middle + 1.5, top, f"{names[1]} \N{RIGHTWARDS ARROW}", fontsize=6.5)
        unit = "Hedges g" if family == "smd" else "Risk ratio of the event as named (log scale)"
        self.page_text((left + right) / 2, top - 3.2, unit, ha="center")

    def footer(self, *lines):
        for place, words in enumerate(lines):
            self.page_text(STUDY, 14.0 - 3.6 * place, words, fontsize=6.5)

    def summary_header(self, title):
        self.page_text(STUDY, self.height - 3.5, title, fontsize=9, weight="bold")
        y = self.height - HEAD + 1.5
        bold = {"weight": "bold", "va": "bottom"}
        for x, words, side in (
            (STUDY, "Outcome", "left"),
            (60, "Trials", "right"),
            (73, "People", "right"),
            (TEXT, "Effect [95% CI]", "right"),
            (WEIGHT, "I²", "right"),
        ):
            self.page_text(x, y, words, ha=side, **bold)

    def summary_row(self, y, fit, label):
        self.text(STUDY, y, label)
        self.text(60, y, f"{fit.trials}", ha="right")
        self.text(73, y, _people(fit.n), ha="right")
        if not np.isnan(fit.pi_low):
            self.whisker(y, fit.pi_low, fit.pi_high, color=GREY, linewidth=0.8)
        self.whisker(y, fit.ci_low, fit.ci_high, color=BLUE, linewidth=5, zorder=3)
        self.axes.plot([fit.effect, fit.effect], [y - 0.36, y + 0.36], color=BLACK, zorder=4)
        words = interval(fit.effect, fit.ci_low, fit.ci_high, fit.family, fit.event)
        self.text(TEXT, y, words, ha="right")
        self.text(WEIGHT, y, "" if np.isnan(fit.i2) else f"{fit.i2:.0f}%", ha="right")


def heterogeneity_line(fit: Fit) -> str:
    """tau2 and I2 with their Q-profile intervals, Q with df and p; what the model lacks is left out."""
    tau2 = _bracketed(fit.tau2_ci_low, fit.tau2_ci_high, 3)
    i2 = _bracketed(fit.i2_ci_low, fit.i2_ci_high, 0)
    parts = {
        f"τ² = {fit.tau2:.3f}{tau2}": fit.tau2,
        f"I² = {fit.i2:.0f}%{i2}": fit.i2,
        f"Q = {fit.q:.1f}, df = {fit.k - 1}, {p_text(fit.q_p)}": fit.q,
    }
    given = [words for words, value in parts.items() if not np.isnan(value)]
    return f"Heterogeneity: {', '.join(given) or 'not part of this model'}"


def _bracketed(low: float, high: float, digits: int) -> str:
    return "" if np.isnan(low) else f" [{low:.{digits}f}, {high:.{digits}f}]"


def _blocks(fit, order, groups):
    keys = ["year", "study"] if order == "year" else ["variance", "study"]
    ordered = fit.effects.sort_values(keys, kind="stable")
    if not groups:
        return [("", ordered, None)]
    return [(label, ordered[ordered["trial"].isin(group.effects["trial"])], group) for label, group in groups.items()]


def blank_page(height: float):
    """A figure PAGE wide and `height` mm high, on which axes are placed by hand.

    The layout engine is switched off after the figure is made: a figure made without one gets the
    style's constrained layout back when it is saved.
    """
    figure, _ = new_figure(PAGE, height)
    figure.clear()
    figure.set_layout_engine("none")
    return figure


def set_ratio_ticks(axis, event: str, limits: tuple[float, float]) -> None:
    """Ticks at the logarithms of round ratios, turned where the event is to be avoided."""
    turn = -1 if event == "avoid" else 1
    ticks = _ratio_ticks(tuple(sorted(turn * limit for limit in limits)))
    axis.set_ticks(turn * np.log(ticks), [f"{tick:g}" for tick in ticks])


def _ratio_ticks(limits: tuple[float, float]) -> list[float]:
    """Round ratios inside the axis, not nearer than an eighth of it; 1 always among them."""
    apart, ticks = (limits[1] - limits[0]) / 8, [1.0]
    for tick in RATIO_TICKS:
        inside = limits[0] <= np.log(tick) <= limits[1]
        if inside and all(abs(np.log(tick / other)) >= apart for other in ticks):
            ticks.append(tick)
    return sorted(ticks)


def _people(n: float) -> str:
    return "\N{EN DASH}" if np.isnan(n) else f"{n:,.0f}"


def _limits(fit: Fit) -> tuple[float, float]:
    """All point estimates, the diamond, and as much of the intervals as stays readable."""
    half = 1.959964 * np.sqrt(fit.effects["variance"])
    lows, highs = fit.effects["effect"] - half, fit.effects["effect"] + half
    inner, outer = (1.5, 4.0) if fit.family == "smd" else (np.log(8), np.log(100))
    points = [*fit.effects["effect"], fit.ci_low, fit.ci_high, 0.0]
    low = max(min(*points, max(np.nanmin([lows.min(), fit.pi_low]), -inner)), -outer)
    high = min(max(*points, min(np.nanmax([highs.max(), fit.pi_high]), inner)), outer)
    pad = 0.05 * (high - low)
    return low - pad, high + pad


def _summary_limits(fits: list[Fit]) -> tuple[float, float]:
    lows = pd.Series([np.nanmin([fit.ci_low, fit.pi_low]) for fit in fits])
    highs = pd.Series([np.nanmax([fit.ci_high, fit.pi_high]) for fit in fits])
    cap = 1.0 if fits[0].family == "smd" else np.log(6)
    low = min(max(lows.min(), -cap), min(fit.effect for fit in fits), 0)
    high = max(min(highs.max(), cap), max(fit.effect for fit in fits), 0)
    pad = 0.06 * (high - low)
    return low - pad, high + pad
