"""What to study next: chances of one more trial, extended funnels, sturdiness, instruments and gaps."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from peersupport.figures.style import BLACK, BLUE, GREY, PAGE, PALE, SKY, VERMILION, new_figure
from peersupport.plan.next_trial import ABOVE, BELOW

THRESHOLD_LINE = ("-", (0, (4, 2)))


def _panels(count: int, columns: int, tall: float):
    rows = -(-count // columns)
    figure, grid = new_figure(PAGE, 14 + tall * rows, rows, columns, squeeze=False)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return figure, list(grid.flat[:count])


def assurance_curves(curves: dict[str, pd.DataFrame], thresholds: dict[float, str], wanted: float, columns: int = 4):
    """Chance that the updated interval lies above each threshold, by the size of one more trial.

    curves: title to next_trial.assurance; thresholds: value to its words; wanted: the chance to be reached.
    """
    figure, panels = _panels(len(curves), columns, 33)
    for axes, (title, curve) in zip(panels, curves.items(), strict=True):
        for (value, _), line in zip(thresholds.items(), THRESHOLD_LINE, strict=False):
            own = curve[curve["threshold"].eq(value)]
            axes.plot(own["n_per_arm"], 100 * own["above"], color=BLUE, ls=line)
        axes.axhline(100 * wanted, color=GREY, lw=0.6, ls=":")
        axes.set(xscale="log", ylim=(-3, 103), yticks=[0, 50, 100], xlim=(45, 2200))
        axes.set_xticks([50, 200, 1000], ["50", "200", "1000"])
        axes.minorticks_off()
        axes.set_title(textwrap.fill(title, 26), fontsize=7)
    figure.supxlabel("People per arm of one more trial", fontsize=7)
    figure.supylabel("Chance that the pooled interval lies beyond (%)", fontsize=7)
    handles = [
        Line2D([], [], color=BLUE, ls=line, label=f"beyond {words}")
        for words, line in zip(thresholds.values(), THRESHOLD_LINE, strict=False)
    ]
    handles.append(Line2D([], [], color=GREY, lw=0.6, ls=":", label=f"{wanted:.0%}"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def extended_funnels(panels: list[dict], xlabel: str, arm1: str, arm2: str, columns: int = 4):
    """What one more trial would make of the pooled interval, by its effect and standard error (Langan 2012).

    panels: title, effects, errors, where (next_trial.extended_funnel), y, v (the trials that are there), centre.
    """
    figure, grid = _panels(len(panels), columns, 38)
    colours = ListedColormap([VERMILION, PALE, SKY])
    for axes, panel in zip(grid, panels, strict=True):
        axes.pcolormesh(
            panel["effects"], panel["errors"], panel["where"], cmap=colours, vmin=BELOW, vmax=ABOVE, rasterized=True
        )
        axes.plot(panel["y"], np.sqrt(panel["v"]), ls="", marker="o", ms=2, mfc="white", mec=BLACK, mew=0.5)
        axes.axvline(0, color=BLACK, lw=0.6, ls=(0, (4, 3)))
        axes.axvline(panel["centre"], color=BLACK, lw=0.8)
        axes.set(xlim=(panel["effects"][0], panel["effects"][-1]), ylim=(panel["errors"][-1], 0))
        axes.set_title(textwrap.fill(panel["title"], 26), fontsize=7)
    figure.supxlabel(xlabel, fontsize=7)
    figure.supylabel("Standard error", fontsize=7)
    handles = [
        Patch(fc=SKY, label=f"interval favours {arm1}"),
        Patch(fc=PALE, label="interval includes no effect"),
        Patch(fc=VERMILION, label=f"interval favours {arm2}"),
        Line2D([], [], color=BLACK, lw=0.8, label="pooled effect now"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def sturdiness(table: pd.DataFrame):
    """One line per verdict: the fewest trials or studies whose removal changes it, and the grade in words.

    table: fragility.csv's rows with label, verdict_words, removed (0: nothing tried changes it), exact, of, grade.
    """
    figure, axes = new_figure(PAGE, 18 + 5.2 * len(table))
    ends = table["removed"].where(table["removed"].gt(0), table["of"])
    top = max(float(ends.max()), 4) * 1.05
    for y, (row, end) in enumerate(zip(table.itertuples(), ends, strict=True)):
        axes.plot([0, end], [y, y], color=BLUE if row.removed else PALE, lw=1.2)
        mark = (
            {"marker": ">", "mfc": "white"}
            if not row.removed
            else {"marker": "o", "mfc": BLUE if row.exact else "white"}
        )
        axes.plot(end, y, ls="", ms=4, mec=BLUE, **mark)
        axes.text(top * 1.02, y, row.grade, va="center")
    axes.set(ylim=(len(table) - 0.4, -0.6), xlim=(0, top))
    axes.set_yticks(range(len(table)), [f"{row.label}: {row.verdict_words}" for row in table.itertuples()])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=PALE, lw=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("Fewest trials or studies whose removal changes the verdict")
    handles = [
        Line2D([], [], ls="", marker="o", mec=BLUE, mfc=BLUE, ms=4, label="every smaller set was tried"),
        Line2D([], [], ls="", marker="o", mec=BLUE, mfc="white", ms=4, label="found step by step; fewer may do"),
        Line2D([], [], ls="", marker=">", mec=BLUE, mfc="white", ms=4, label="nothing that was tried changes it"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def instruments_used(table: pd.DataFrame, labels: dict[str, str]):
    """Per outcome domain: instruments in use, their effective number, and the commonest one's share of the trials.

    table: instruments.diversity, the rows of all years.
    """
    table = table.sort_values(["instruments", "trials"], ascending=False, ignore_index=True)
    figure, (left, right) = new_figure(PAGE, 20 + 5 * len(table), 1, 2, width_ratios=[3, 2], sharey=True)
    y = np.arange(len(table))
    left.barh(y, table["instruments"], color=PALE, height=0.7, label="instruments")
    left.plot(
        table["effective_number"], y, ls="", marker="D", ms=4, color=BLUE, label="effective number (inverse Simpson)"
    )
    left.plot(table["trials"], y, ls="", marker="|", ms=7, mew=1.2, color=BLACK, label="trials")
    left.set_yticks(y, [labels.get(code, code) for code in table["outcome_domain"]])
    left.set(ylim=(len(table) - 0.4, -0.6), xlabel="Instruments, trials")
    right.barh(y, 100 * table["commonest_share"], color=BLUE, height=0.5)
    for at, row in enumerate(table.itertuples()):
        right.text(102, at, textwrap.shorten(row.commonest, 30, placeholder="…"), va="center", fontsize=6)
    right.set(xlim=(0, 100), xlabel="Trials that use the commonest (%)")
    right.axvline(50, color=GREY, lw=0.6, ls=":")
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def gap_ranks(table: pd.DataFrame, labels: dict[str, str], first: int = 10):
    """People studied in each cell of population and outcome, a panel per delivery; the first gaps carry their rank.

    table: gaps.ranked of cells of population, outcome and delivery.
    """
    deliveries = list(dict.fromkeys(table["delivery"]))
    populations, outcomes = (list(dict.fromkeys(table.sort_values(c)[c])) for c in ("population", "outcome"))
    figure, grid = new_figure(PAGE, 30 + 5.6 * len(populations), 1, len(deliveries), sharey=True, squeeze=False)
    for axes, delivery in zip(grid.flat, deliveries, strict=True):
        own = table[table["delivery"].eq(delivery)]
        x, y = own["outcome"].map(outcomes.index), own["population"].map(populations.index)
        axes.scatter(x, y, s=np.sqrt(own["people"]) * 3, color=SKY, ec=BLUE, lw=0.5)
        empty = own["trials"].eq(0)
        axes.plot(x[empty], y[empty], ls="", marker="x", ms=3, color=GREY, mew=0.6)
        for row, at, up in zip(own.itertuples(), x, y, strict=True):
            if row.rank <= first:
                axes.text(at + 0.12, up - 0.08, str(row.rank), weight="bold", color=VERMILION, va="bottom")
        axes.set_xticks(
            range(len(outcomes)), [textwrap.fill(labels.get(o, o), 16) for o in outcomes], rotation=60, ha="right"
        )
        axes.set_yticks(range(len(populations)), [labels.get(p, p) for p in populations])
        axes.set(xlim=(-0.6, len(outcomes) - 0.2), ylim=(len(populations) - 0.4, -0.7))
        axes.set_title(labels.get(delivery, delivery), fontsize=7)
        axes.grid(color=PALE, lw=0.3)
        axes.set_axisbelow(True)
    handles = [
        Line2D([], [], ls="", marker="o", mfc=SKY, mec=BLUE, ms=5, label="people in trials (area by square root)"),
        Line2D([], [], ls="", marker="x", color=GREY, ms=3, label="no trial"),
        Line2D([], [], ls="", marker="$1$", color=VERMILION, ms=4, label=f"rank among the first {first} gaps"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure
