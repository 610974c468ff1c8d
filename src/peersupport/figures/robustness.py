"""Figures of notebook 06: specification curves, what moves the answer, all subsets, other reviews.

Each takes tables or arrays that multiverse.py and gosh.py made, and computes nothing that they do not hold.
"""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.lines import Line2D
from scipy.ndimage import gaussian_filter

from peersupport.figures.forest import set_ratio_ticks
from peersupport.figures.style import BLACK, BLUE, COMPARATOR, GREY, PAGE, PALE, VERMILION, new_figure
from peersupport.multiverse.subsets import Cloud
from peersupport.text.numbers import shown

CHOICE = {
    "window": "Years of publication",
    "helpers": "Helpers share",
    "comparator": "Comparator",
    "transcribed": "Source of figures",
    "risk_of_bias": "Risk of bias",
    "time_point": "Time point",
    "figures": "Figures used",
    "several": "Several per trial",
    "rho": "Correlation in trial",
    "outliers": "Outliers",
    "small_study": "Small studies",
    "estimator": "Estimator",
    "interval": "Interval",
}
LEVEL = {
    "hartung_knapp": "Hartung-Knapp",
    "wald": "Wald",
    "hartung_knapp_conservative": "Hartung-Knapp, conservative",
    "trim_and_fill": "trim and fill",
    "pet_peese": "PET-PEESE",
    "none": "no correction",
    "fixed": "fixed effect",
}
SCALE = {
    "": "Pooled effect (Hedges g); positive favours {arm1}",
    "avoid": "Pooled risk ratio (log scale); below 1 favours {arm1}",
    "wanted": "Pooled risk ratio (log scale); above 1 favours {arm1}",
}
GOSH_SCALE = "Pooled effect of the subset (Hedges g, positive favours {arm1}; risk ratios as named, log scale)"
CURVE_SCALE = (
    "Different results, ordered by effect (%); the darker a strip, the more of them hold the level;\n"
    "the furthest 1% of interval ends are beyond the frame"
)
INK = LinearSegmentedColormap.from_list("ink", ["#FFFFFF", "#9FB8CC", "#22435E"])
ABOVE, HOLDS = "#5AA3CF", "#C9C9C9"
FLAT = {"rasterized": True}


def choice_name(choice: str) -> str:
    """What a figure calls a choice of parameters.yml; one that this module does not know by its own name."""
    return CHOICE.get(choice, choice.replace("_", " ").capitalize())


def specification_curve(
    table: pd.DataFrame, panel: dict, levels: pd.DataFrame, main: float, event: str, title: str, arm1: str
):
    """The curve above, the choices below, on one axis: the share of the different results.

    table: curve.table, sorted by effect; panel: curve.panel; levels: curve.levels_table;
    main: the main analysis's effect; event: avoid or wanted where it is a ratio of events, else ""; arm1: its name.
    """
    strips = 2.9 * (len(panel) + 0.45 * levels["choice"].nunique())
    height = 14 + 50 + 9 + strips + 13
    figure, (top, below) = new_figure(PAGE, height, 2, 1, sharex=True, layout="none")
    top.set_position([60 / PAGE, (22 + strips) / height, 106 / PAGE, 50 / height])
    below.set_position([60 / PAGE, 13 / height, 106 / PAGE, strips / height])
    figure.text(2 / PAGE, 1 - 4 / height, title, fontsize=9, fontweight="bold", va="center")
    _curve(top, table, main, event, arm1)
    _choices(below, panel, levels)
    return figure


def _curve(axes, table, main, event, arm1):
    edge = np.linspace(0, 100, len(table) + 1)  # each different result counts once
    low, high, effect = (table[name].to_numpy() for name in ("ci_low", "ci_high", "effect"))
    corners = [
        np.column_stack(pair) for pair in ((edge[:-1], low), (edge[:-1], high), (edge[1:], high), (edge[1:], low))
    ]
    colour = np.where(low > 0, ABOVE, np.where(high < 0, COMPARATOR, HOLDS))
    axes.add_collection(PolyCollection(np.stack(corners, axis=1), facecolors=colour, **FLAT))
    axes.step(edge, np.append(effect, effect[-1]), where="post", color=BLACK, lw=1.2)
    axes.axhline(0, color=BLACK, lw=0.6, ls=(0, (4, 3)))
    place = edge[min(np.searchsorted(effect, main), len(effect))]
    axes.plot(place, main, marker="D", ms=5.5, mfc="white", mec=BLACK, mew=1.2, zorder=5)
    limits = min(np.percentile(low, 1), 0) - 0.05, max(np.percentile(high, 99), 0) + 0.05
    axes.set(ylim=limits[::-1] if event == "avoid" else limits, ylabel=_scale(event, arm1).replace("; ", ";\n"))
    if event:
        set_ratio_ticks(axes.yaxis, event, limits)
    handles = [
        Line2D([], [], color=BLACK, lw=1.2, label="effect"),
        Line2D([], [], color=ABOVE, lw=4, label=f"95% interval favours {arm1}"),
        Line2D([], [], color=HOLDS, lw=4, label="includes no effect"),
        Line2D([], [], color=COMPARATOR, lw=4, label="favours the other arm"),
        Line2D([], [], color=BLACK, marker="D", mfc="white", ls="", ms=5, label="main analysis"),
    ]
    style = {"ncols": 5, "handlelength": 1.2, "columnspacing": 1.4}
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.4, 1.0), **style)


def _scale(event: str, arm1: str) -> str:
    return SCALE[event].format(arm1=arm1)


def _choices(axes, panel, levels):
    """A strip per level: the darker, the larger its share of that part of the curve."""
    share = levels.set_index(["choice", "level"])["share_ci_above_0"]
    names, height = list(panel), len(panel) + 0.45 * levels["choice"].nunique()
    steps = [1.45 if i and name[0] != names[i - 1][0] else 1.0 for i, name in enumerate(names)]
    places = np.cumsum(steps) - 0.5
    strips = np.array([x for strip in panel.values() for x in (strip, strip * np.nan)])
    edges = np.repeat(places, 2) + np.tile([-0.44, 0.44], len(places))
    across = np.linspace(0, 100, strips.shape[1] + 1)
    axes.pcolormesh(across, edges, strips[:-1], cmap=INK, vmin=0, vmax=1, **FLAT)
    for i, (choice, level) in enumerate(names):
        y, first = places[i], i == 0 or names[i - 1][0] != choice
        if first:
            line = axes.get_yaxis_transform()
            axes.text(-0.555, y, choice_name(choice), transform=line, fontweight="bold", va="center")
        found = share[choice, level]
        axes.text(101, y, "–" if np.isnan(found) else f"{found:.0%}", va="center")
    shown = [LEVEL.get(level, level.replace("_", " ")) for _, level in names]
    firsts = [i == 0 or names[i - 1][0] != choice for i, (choice, _) in enumerate(names)]
    ticks = [f"{name} ◆" if first else name for name, first in zip(shown, firsts, strict=True)]
    axes.text(101, -0.35, "interval\nabove 0", va="bottom")
    axes.text(-1, -0.35, "◆ in the main analysis", va="bottom", ha="right")
    axes.set(xlim=(0, 100), ylim=(height, 0), xlabel=CURVE_SCALE)
    axes.set_yticks(places, ticks)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def moving_choices(shares: pd.DataFrame, labels: dict[tuple, str], value: str = "share_total"):
    """Choices by families: each cell the share of the variance, in percent."""
    wide = shares.pivot(index="choice", columns="key", values=value)
    wide = wide.loc[[c for c in CHOICE if c in wide.index], list(labels)]
    wide = wide.loc[wide.max(axis=1).sort_values(ascending=False, kind="stable").index]
    figure, axes = new_figure(PAGE, 22 + 6.5 * len(wide) + 16)
    axes.imshow(wide, cmap=INK, vmin=0, vmax=1, aspect="auto", **FLAT)
    for (row, column), found in np.ndenumerate(wide.to_numpy()):
        text = "–" if np.isnan(found) else f"{100 * found:.0f}"
        axes.text(column, row, text, ha="center", va="center", color="white" if found > 0.55 else BLACK)
    texts = [textwrap.fill(label, 17) for label in labels.values()]
    axes.set_xticks(range(len(labels)), texts, rotation=60, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(wide)), [choice_name(c) for c in wide.index])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Share of the variance of all specifications that is left when every other choice is fixed (%)")
    return figure


def subset_clouds(clouds: list[tuple[str, str, Cloud]], arm1: str, columns: int = 3):
    """A panel per family: density of all subsets over effect and I2, and the two clouds of one trial.

    clouds: (title, event, subsets.Cloud) of each family; arm1: what arm 1 is called.
    """
    rows = -(-len(clouds) // columns)
    figure, grid = new_figure(PAGE, 12 + 47 * rows, rows, columns, squeeze=False)
    for axes, (title, event, cloud) in zip(grid.flat, clouds, strict=False):
        _cloud(axes, title, cloud)
        if event:
            limits = axes.get_xlim()
            set_ratio_ticks(axes.xaxis, event, limits)
            axes.set_xlim(limits[::-1] if event == "avoid" else limits)
    for axes in grid.flat[len(clouds) :]:
        axes.set_visible(False)
    figure.supxlabel(GOSH_SCALE.format(arm1=arm1), fontsize=7)
    figure.supylabel("I² of the subset (%)", fontsize=7)
    handles = [
        Line2D([], [], color=BLUE, lw=1.3, label="subsets with the named trial (line: half of them)"),
        Line2D([], [], color=VERMILION, lw=1.3, ls=(0, (3, 1.5)), label="subsets without it"),
        Line2D([], [], color=GREY, lw=5, label="all subsets but the outermost"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def _cloud(axes, title, cloud):
    if cloud.points is not None:
        _points(axes, *cloud.points)
    else:
        _density(axes, cloud)
    axes.axvline(0, color=BLACK, lw=0.6, ls=(0, (4, 3)))
    axes.set_title(textwrap.fill(title, 34), fontsize=7)
    axes.set(ylim=(-3, 110), yticks=range(0, 101, 20))
    axes.text(0.98, 0.99, cloud.splits["trial"].iloc[0], transform=axes.transAxes, ha="right", va="top")


def _points(axes, effect, i2, held):
    axes.plot(effect[~held], i2[~held], ls="", marker="o", ms=3, mfc="none", mec=VERMILION, mew=0.7)
    axes.plot(effect[held], i2[held], ls="", marker="o", ms=2.4, mfc=BLUE, mec="none", alpha=0.8)


def _density(axes, cloud):
    """Without the outermost cells, in which the extremes are gathered."""
    counts, held = cloud.counts[1:-1], cloud.held[1:-1]
    edges = cloud.edges[0][1:-1], cloud.edges[1]
    colours = LogNorm(vmin=0.3, vmax=counts.max() * 3)
    shown = np.ma.masked_equal(counts.T, 0)
    axes.pcolormesh(*edges, shown, cmap="Greys", norm=colours, **FLAT)
    middle = [(e[1:] + e[:-1]) / 2 for e in edges]
    for part, colour, line in ((held, BLUE, "-"), (counts - held, VERMILION, (0, (3, 1.5)))):
        smooth = gaussian_filter(part.astype(float), 1.5)
        level = [_level_holding(smooth, 0.5)]
        style = {"colors": colour, "linewidths": 1.2, "linestyles": [line]}
        axes.contour(*middle, smooth.T, levels=level, **style)


def _level_holding(counts, share):
    """The height above which the cells hold `share` of the subsets."""
    ordered = np.sort(counts.ravel())[::-1]
    reached = np.searchsorted(np.cumsum(ordered), share * ordered.sum())
    return max(ordered[min(reached, len(ordered) - 1)], 0.5)


def overview(summary: pd.DataFrame, published: pd.DataFrame, labels: dict[tuple, str], arm1: str):
    """Per pool, a panel per scale: range, middle 90% and median of the multiverse, the main analysis, other reviews."""
    events = summary["event"].fillna("")
    kinds = [event for event in SCALE if events.eq(event).any()]
    sizes = [int(events.eq(event).sum()) for event in kinds]
    figure, grid = new_figure(
        PAGE,
        30 + 8.5 * sum(sizes),
        len(kinds),
        1,
        squeeze=False,
        gridspec_kw={"height_ratios": [n + 0.8 for n in sizes]},
    )
    for axes, event in zip(grid.flat, kinds, strict=True):
        rows = summary[events.eq(event)]
        room = 0.15 * (rows["highest"].max() - min(rows["lowest"].min(), 0))
        limits = min(rows["lowest"].min(), 0) - room, rows["highest"].max() + room
        for y, row in enumerate(rows.itertuples()):
            axes.plot([row.lowest, row.highest], [y, y], color=GREY, lw=1)
            axes.plot([row.percentile_5, row.percentile_95], [y, y], color=BLUE, lw=4, solid_capstyle="butt")
            axes.plot(row.median, y, marker="|", ms=9, mew=1.6, color=BLACK)
            axes.plot(row.main_effect, y, marker="D", ms=4.5, mfc="white", mec=BLACK, mew=1.1)
            own = published["outcome_domain"].eq(row.outcome_domain) & published["family"].eq(row.family)
            _beside(axes, published.loc[own, "effect"].to_numpy(), y + 0.36, limits, row.family, event)
        axes.axvline(0, color=BLACK, lw=0.6, ls=(0, (4, 3)))
        axes.set(ylim=(len(rows) - 0.3, -0.6), xlabel=_scale(event, arm1))
        axes.set_xlim(limits[::-1] if event == "avoid" else limits)
        if event:
            set_ratio_ticks(axes.xaxis, event, limits)
        axes.set_yticks(range(len(rows)), [labels[r.outcome_domain, r.family] for r in rows.itertuples()])
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=PALE, lw=0.4)
        axes.set_axisbelow(True)
    handles = [
        Line2D([], [], color=GREY, lw=1, label="all specifications"),
        Line2D([], [], color=BLUE, lw=4, label="middle 90%"),
        Line2D([], [], color=BLACK, marker="|", ms=9, mew=1.6, ls="", label="median"),
        Line2D([], [], color=BLACK, marker="D", mfc="white", ls="", ms=4.5, label="main analysis"),
        Line2D([], [], color=VERMILION, marker="o", mfc="none", ls="", ms=3.2, label="pooled by another review"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=5)
    return figure


def _beside(axes, effects, y, limits, family, event):
    """Circles; an effect beyond the axis is an arrow at its end with its value."""
    inside = (effects > limits[0]) & (effects < limits[1])
    style = {"ls": "", "ms": 3.2, "mfc": "none", "mec": VERMILION, "mew": 0.8}
    axes.plot(effects[inside], np.full(inside.sum(), y), marker="o", **style)
    for effect in effects[~inside]:
        end = limits[1] if effect > 0 else limits[0]
        right = (effect > 0) != (event == "avoid")
        axes.plot(end, y, marker=">" if right else "<", clip_on=False, **style)
        side = {"ha": "right" if right else "left", "va": "center"}
        axes.text(end, y, f"{shown(effect, family, event)}  " if right else f"  {shown(effect, family, event)}", **side)
