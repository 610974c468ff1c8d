"""Figures of notebook 09: what each concept of the strategy brings and costs, its recall, the order of screening."""

import numpy as np
import pandas as pd

from peersupport.figures.style import BLUE, COLUMN, GREY, PAGE, PALE, VERMILION, new_figure


def draw_concepts(costs: pd.DataFrame):
    """What each concept brings (titles of included studies) and costs (of excluded records); costs: `concept_costs`.

    Dark: found through this concept alone, so lost without it; pale: found through others too.
    """
    rows = costs.sort_values("studies_lost").reset_index(drop=True)
    figure, (left, right) = new_figure(PAGE, 20 + 6.5 * len(rows), 1, 2, sharey=True)
    height = np.arange(len(rows))
    parts = ((left, "studies", "studies_lost", BLUE), (right, "excluded", "excluded_saved", VERMILION))
    for axes, held, alone, color in parts:
        axes.barh(height, rows[held], color=PALE, height=0.62, label="through other concepts too")
        axes.barh(height, rows[alone], color=color, height=0.62, label="through this concept alone")
        for y, n, total in zip(height, rows[alone], rows[held], strict=True):
            axes.text(total, y, f" {n} of {total}", va="center", fontsize=6.4)
        axes.set_xlim(0, max(1, rows[held].max()) * 1.28)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    left.set_yticks(height, [f"{label} ({n} terms)" for label, n in zip(rows.label, rows.terms, strict=True)])
    left.set(title="Brings", xlabel="Included titles found")
    right.set(title="Costs", xlabel="Excluded titles found")
    for axes in (left, right):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), handlelength=1)
    return figure


def draw_recall(recall: pd.DataFrame, precision: pd.Series, names: dict[str, str]):
    """Share of included titles found, with its exact 95% interval, for all years, the window and each population; and
    the precision on decided records. recall: rows of one interface; names: labels of populations."""
    rows = recall[recall.n > 0].iloc[::-1].reset_index(drop=True)
    figure, axes = new_figure(COLUMN, 22 + 5.4 * (len(rows) + 1))
    height = np.arange(len(rows)) + 1
    axes.hlines(height, rows.ci_low, rows.ci_high, color=BLUE, lw=1.2)
    axes.plot(rows.recall, height, "o", color=BLUE, ms=3.8, label="recall on included titles")
    axes.hlines([0], precision.ci_low, precision.ci_high, color=VERMILION, lw=1.2)
    axes.plot([precision.precision], [0], "D", color=VERMILION, ms=3.8, label="precision on decided records")
    counted = zip(rows.group, rows.found, rows.n, strict=True)
    labels = [f"{names.get(group, group)} ({k} of {n})" for group, k, n in counted]
    axes.set_yticks([0, *height], [f"Records caught ({precision.included:.0f} of {precision.caught:.0f})", *labels])
    axes.set(xlim=(0, 1.02), ylim=(-0.6, len(rows) + 0.6), xlabel="Share (exact 95% interval)")
    axes.grid(axis="x", color=PALE, lw=0.5)
    axes.set_axisbelow(True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=1, handletextpad=0.2)
    return figure


def draw_work(curves: pd.DataFrame, saved: pd.DataFrame, wanted: float):
    """Recall against the share screened, in the model's order (each repeat of the cross-validation a line) and by
    chance; curves, saved: of `screening.simulated` and `screening.work_saved`."""
    figure, axes = new_figure(COLUMN, 74)
    for _, part in curves.groupby("repeat"):
        axes.plot(part.screened, part.recall, color=BLUE, lw=0.8, label="by the model" if not _ else None)
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--", label="in an order by chance")
    at = saved.screened.mean()
    axes.hlines([wanted], at, wanted, color=VERMILION, lw=2.2, label=f"work saved: {saved.work_saved.mean():.0%}")
    axes.plot([at], [wanted], "o", color=VERMILION, ms=4)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Share of records screened", ylabel="Share of included records found")
    axes.grid(color=PALE, lw=0.5)
    axes.set_axisbelow(True)
    axes.legend(loc="lower right")
    return figure
