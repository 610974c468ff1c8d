"""Pooled results as they would have stood at the end of each year, a small panel for each."""

import numpy as np
import pandas as pd

from peersupport.figures.style import BLACK, BLUE, GREY, PAGE, VERMILION, leave_out_of_layout, new_figure
from peersupport.text.numbers import effect_name

COLUMNS = 4
HEIGHT = 36.0  # mm of a panel
FILL = {"above": BLUE, "below": VERMILION, "open": "white"}
WORDS = {"above": "interval on the better side", "below": "interval on the worse side", "open": "no difference inside"}
LIMITS = {"smd": (-0.6, 1.2), "log_rr": (np.log(0.25), np.log(4))}


def through_the_years(table: pd.DataFrame, labels: dict[str, str]):
    """`table`: cumulative.by_year; ratios are those of the event as named.

    Dots with 95% intervals, filled where no difference is outside; behind them in grey the interval that repeated looks
    allow. What leaves a panel ends at its edge.
    """
    pools = list(table.groupby(["outcome_domain", "family"], sort=False))
    rows = -(-len(pools) // COLUMNS)
    figure, axes = new_figure(PAGE, HEIGHT * rows + 12, rows, COLUMNS, squeeze=False, sharex=True)
    figure.get_layout_engine().set(rect=(0, 0, 0.97, 1))  # the words above a panel are wider than it
    for axis, ((name, family), part) in zip(axes.flat, pools, strict=False):
        _panel(axis, part, family, labels.get(name, name))
    for axis in axes.flat[len(pools) :]:
        axis.axis("off")
    handles = [
        axes.flat[0].plot([], [], "o", color=BLACK, markerfacecolor=FILL[key], markersize=3.5, label=WORDS[key])[0]
        for key in WORDS
    ]
    handles.append(
        axes.flat[0].plot([], [], color=GREY, linewidth=3, alpha=0.45, label="interval with repeated looks")[0]
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=6.5)
    return figure


def as_named(part: pd.DataFrame) -> pd.DataFrame:
    """Log ratios of the event itself: an event to be avoided is stored turned."""
    sides = {"effect": "effect", "ci_low": "ci_high", "ci_high": "ci_low"}
    sides |= {"monitored_low": "monitored_high", "monitored_high": "monitored_low"}
    return part.assign(**{name: -part[other] for name, other in sides.items()})


def _panel(axis, part, family, label):
    low, high = LIMITS[family]
    if part["event"].eq("avoid").all():
        part = as_named(part)
    there = part[part["effect"].notna()]
    allowed = there[there["monitored_low"].notna()]
    axis.vlines(
        allowed["year"],
        allowed["monitored_low"].clip(low, high),
        allowed["monitored_high"].clip(low, high),
        color=GREY,
        linewidth=3,
        alpha=0.45,
    )
    axis.vlines(
        there["year"], there["ci_low"].clip(low, high), there["ci_high"].clip(low, high), color=BLACK, linewidth=0.8
    )
    for verdict, rows in there.groupby("verdict"):
        axis.plot(
            rows["year"], rows["effect"], "o", color=BLACK, markerfacecolor=FILL[verdict], markersize=3.2, mew=0.6
        )
    axis.axhline(0, color=BLACK, linewidth=0.5, zorder=0)
    last = part.iloc[-1]
    share = f", info {last.share:.0%}" if not np.isnan(last.share) else ""
    leave_out_of_layout([axis.set_title(label, fontsize=6.5, loc="left", pad=11)])
    about = f"k {last.k:.0f}, since {last.since:.0f}{share}"
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 6}
    leave_out_of_layout([axis.annotate(about, (0, 1), (0, 4), **place)])
    axis.set_ylim(low, high)
    axis.set_xlim(part["year"].min() - 0.7, part["year"].max() + 0.7)
    axis.tick_params(labelsize=6)
    if family == "log_rr":
        ticks = np.log([0.25, 0.5, 1, 2, 4])
        axis.set_yticks(ticks, [f"{np.exp(tick):g}" for tick in ticks])
    axis.set_ylabel(effect_name(family), fontsize=6)
