"""Figures of notebook 05: what helps and what hinders. Each takes a tidy table and computes no statistics."""

from collections.abc import Mapping

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from peersupport.figures import style


def ranked_dots(ax, table: pd.DataFrame, labels: Mapping[str, str], colour: str):
    """Shares with 95% intervals, the largest on top; the count stands beside each. `table` is one group of
    theme_frequency."""
    table = table.sort_values("share", kind="stable", ascending=False, ignore_index=True)
    y = range(len(table))
    ax.hlines(y, table["ci_low"], table["ci_high"], color=colour, lw=1.2)
    ax.scatter(table["share"], y, s=16, color=colour, edgecolor="black", lw=0.4, zorder=3)
    for place, row in enumerate(table.itertuples()):
        ax.text(row.ci_high + 0.006, place, str(row.studies), va="center", fontsize=6.5)
    ax.set_yticks(y, table["theme"].map(labels))
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="x", lw=0.3, color=style.PALE)
    ax.set_axisbelow(True)
    return ax


COLUMNS = (("benefit", "mechanism", "recommendation"), ("barrier", "facilitator"))


def frequency_panels(table: pd.DataFrame, labels: Mapping[str, str], groups: Mapping[str, str]):
    """One panel of ranked dots per theme group on a full page; `table` from theme_frequency. Returns the figure."""
    size = (style.PAGE / style.MM_PER_INCH, 150 / style.MM_PER_INCH)
    figure = plt.figure(figsize=size)
    letters = iter("ABCDE")
    for half, column in zip(figure.subfigures(1, 2), COLUMNS, strict=True):
        heights = [table["theme_group"].eq(group).sum() + 1.2 for group in column]
        axes = half.subplots(len(column), 1, sharex=True, height_ratios=heights)
        for ax, group in zip(axes, column, strict=True):
            part = table[table["theme_group"] == group]
            ranked_dots(ax, part, labels, style.THEME_GROUP[group])
            ax.set_title(f"{next(letters)}  {groups[group]}")
        axes[-1].set_xlim(0, table["ci_high"].max() * 1.12)
        axes[-1].set_xlabel("Share of the studies read (95% interval)")
    return figure
