"""Figures of notebook 02: who was studied, where and when. Each takes a tidy table and computes no
statistics."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from peersupport.describe.studies import NO_DATE
from peersupport.figures import style
from peersupport.figures.appraisal import judgement_legend


def stacked_years(
    ax,
    table: pd.DataFrame,
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    hatches: Mapping[str, str],
    shaded: tuple[int, int, str] | None = None,
):
    """Bars of studies per year, stacked by level; `table` from by_year. `shaded`: (first, last,
    label) of a span."""
    years = list(dict.fromkeys(table["year"]))
    place = {year: float(i) for i, year in enumerate(years)}
    if NO_DATE in place:
        place[NO_DATE] += 0.6
    bottom = pd.Series(0.0, index=years)
    if shaded is not None:
        first, last, label = shaded
        ax.axvspan(place[str(first)] - 0.5, place[str(last)] + 0.5, color="#F2F2F2", zorder=0)
        ax.text(
            (place[str(first)] + place[str(last)]) / 2,
            0.985,
            label,
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="top",
            fontsize=6.5,
        )
    for level, label in labels.items():
        heights = table[table["level"] == level].set_index("year")["studies"].reindex(years)
        if not heights.sum():
            continue
        ax.bar(
            [place[year] for year in years],
            heights,
            bottom=bottom,
            width=0.8,
            label=label,
            color=colours[level],
            hatch=hatches.get(level),
            edgecolor="black",
            linewidth=0.4,
        )
        bottom += heights
    ax.set_xticks([place[year] for year in years], years, rotation=90)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_ylim(0, bottom.max() * 1.12)
    ax.set(xlabel="Year of publication", ylabel="Studies")
    handles, names = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], names[::-1], loc="upper left", borderaxespad=0.2)
    return ax


def count_grid(ax, table: pd.DataFrame, rows: Mapping[str, str], columns: Mapping[str, str]):
    """A table of counts as circles with the count beside each; `table` from cross_count (first two
    columns, studies).

    The circle's area is the count. An empty cell shows a small dot, so that a gap is seen as a gap.
    """
    row_name, column_name = table.columns[:2]
    y = table[row_name].map({code: i for i, code in enumerate(rows)})
    x = table[column_name].map({code: i for i, code in enumerate(columns)})
    filled = table["studies"] > 0
    ax.scatter(x[~filled], y[~filled], s=2, color=style.GREY)
    area = table["studies"] / table["studies"].max() * 330
    ax.scatter(x[filled], y[filled], s=area[filled], color=style.SKY, edgecolor="black", lw=0.4)
    for across, down, size, count in zip(x[filled], y[filled], area[filled], table["studies"][filled], strict=True):
        beside = (size**0.5 / 2 + 2.5, 0)  # points from the centre: the circle's radius and a gap
        ax.annotate(str(count), (across, down), beside, textcoords="offset points", va="center", fontsize=6.5)
    ax.set_xticks(range(len(columns)), list(columns.values()))
    ax.set_yticks(range(len(rows)), list(rows.values()))
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.4, -0.6))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def income_bars(ax, table: pd.DataFrame):
    """Trials by income group with the share of the trials whose country is stated; `table` from
    by_income."""
    table = table[table["trials"] > 0].reset_index(drop=True)
    y = range(len(table))
    hatches = ["" if share == share else "////" for share in table["share"]]
    ax.barh(y, table["trials"], color=style.SKY, edgecolor="black", lw=0.4, height=0.7, hatch=hatches)
    for place, row in enumerate(table.itertuples()):
        share = f" ({row.share:.0%}; 95% CI {row.ci_low:.0%} to {row.ci_high:.0%})" if row.of else ""
        ax.text(row.trials + 1, place, f"{row.trials}{share}", va="center", fontsize=6.5)
    ax.set_yticks(y, table["label"])
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlim(0, table["trials"].max() * 1.35)
    ax.set_xlabel("Randomised trials")
    return ax


GAP_AREA = 0.055  # square points of a circle per participant
SMALLEST = 9  # square points: a circle that is still seen


def gap_map(
    table: pd.DataFrame,
    rows: Mapping[str, str],
    columns: Mapping[str, str],
    judgements: Mapping[str, str],
    height_mm: float,
):
    """Circles by outcome domain and level, area by participants, sectors by risk of bias; a cross
    where nothing is known.

    `table` from evidence_gap_map. The number beside a circle is that of the trials. Returns the
    figure.
    """
    figure, ax = style.new_figure(style.PAGE, height_mm)
    x = table["level"].map({code: i for i, code in enumerate(columns)})
    y = table["outcome_domain"].map({code: i for i, code in enumerate(rows)})
    empty = table["trials"] == 0
    ax.scatter(x[empty], y[empty], marker="x", s=7, lw=0.5, color="#B0B0B0")
    for across, down, cell in zip(x[~empty], y[~empty], table[~empty].itertuples(), strict=True):
        area = max(cell.participants * GAP_AREA, SMALLEST)
        _sectors(ax, across - 0.14, down, area, [getattr(cell, code) for code in judgements])
        beside = ((area**0.5) / 2 + 1.5, 0)
        ax.annotate(
            str(cell.trials), (across - 0.14, down), beside, textcoords="offset points", va="center", fontsize=6.5
        )
    style.leave_out_of_layout([*ax.collections, *ax.texts])
    ax.set_xticks(range(len(columns)), [fill(name, 11) for name in columns.values()])
    ax.set_yticks(range(len(rows)), list(rows.values()))
    ax.set(xlim=(-0.5, len(columns) - 0.45), ylim=(len(rows) - 0.5, -0.5))
    ax.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    ax.grid(which="minor", lw=0.3, color=style.PALE)
    ax.xaxis.tick_top()
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    _gap_keys(figure, judgements)
    return figure


def _sectors(ax, x: float, y: float, area: float, counts) -> None:
    """A pie drawn with markers, which stay round whatever the axes: sectors clockwise from the
    top."""
    edges = np.concatenate([[0], np.cumsum(counts) / sum(counts)])
    for start, stop, judgement in zip(edges[:-1], edges[1:], style.JUDGEMENT, strict=True):
        if stop > start:
            turn = np.linspace(2 * np.pi * start, 2 * np.pi * stop, 40)
            outline = np.column_stack([np.sin(turn), np.cos(turn)])
            whole = stop - start == 1
            outline = outline if whole else np.vstack([[0, 0], outline])
            reach = np.abs(outline).max()  # a marker is scaled to its farthest point: undo that
            ax.scatter(
                x,
                y,
                s=area * reach**2,
                marker=outline,
                facecolor=style.JUDGEMENT[judgement],
                edgecolor="black",
                lw=0.3,
                zorder=2,
            )


def _gap_keys(figure, judgements: Mapping[str, str]) -> None:
    sizes = (100, 500, 2000)
    circles = [
        Line2D([], [], ls="", marker="o", mfc="white", mec="black", mew=0.4, ms=(n * GAP_AREA) ** 0.5) for n in sizes
    ]
    crosses = [Line2D([], [], ls="", marker="x", ms=2.6, mew=0.5, color="#B0B0B0")]
    names = [f"{n:,} participants" for n in sizes] + ["no trial"]
    figure.legend(circles + crosses, names, loc="outside lower left", ncols=4, columnspacing=1.2)
    key = judgement_legend(figure, judgements, loc="outside lower right", ncols=2)
    for patch in key.get_patches():
        patch.set_hatch(None)  # sectors are too small for hatching


def reporting_dots(ax, table: pd.DataFrame, items: Mapping[str, str], families: Mapping[str, str]):
    """Share of studies that report each item, with 95% intervals, one row per item and one mark per
    design family."""
    markers = dict(zip(families, "oDsv^", strict=False))
    colours = {"all": style.BLACK, **style.DESIGN_FAMILY}
    step = 0.8 / len(families)
    for place, (family, label) in enumerate(families.items()):
        part = table[table["design_family"] == family].set_index("item").loc[list(items)]
        y = np.arange(len(items)) + (place - (len(families) - 1) / 2) * step
        ax.hlines(y, part["ci_low"], part["ci_high"], color="#404040", lw=0.9)
        ax.scatter(
            part["share"],
            y,
            s=17,
            marker=markers[family],
            color=colours[family],
            edgecolor="black",
            lw=0.4,
            zorder=3,
            label=f"{label} (n = {part['of'].iloc[0]})",
        )
        for down, row in zip(y, part.itertuples(), strict=True):
            ax.text(row.ci_high + 0.008, down, str(row.yes), va="center", fontsize=6.5)
    ax.set_yticks(range(len(items)), list(items.values()))
    ax.set_ylim(len(items) - 0.45, -0.55)
    ax.set_xlim(0, table.loc[table["design_family"].isin(list(families)), "ci_high"].max() * 1.08)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_xlabel("Share of studies that report it (95% interval)")
    ax.grid(axis="x", lw=0.3, color=style.PALE)
    ax.set_axisbelow(True)
    return ax


def map_and_income(places, countries, income, draw_map):
    """The world map over the bars of income groups; returns the figure. `draw_map` is
    world.world_map."""
    size = (style.PAGE / style.MM_PER_INCH, 128 / style.MM_PER_INCH)
    figure = plt.figure(figsize=size)
    upper, lower = figure.subfigures(2, 1, height_ratios=[2.6, 1])
    top, bottom = upper.subplots(), lower.subplots()
    draw_map(top, places.dropna(subset=["country"]), countries)
    income_bars(bottom, income)
    top.set_title("A  Randomised trials and their participants")
    bottom.set_title("B  Income group of the country")
    return figure
