"""Figures of notebook 01: the PRISMA flow and the agreement of the two coders."""

import re
import textwrap

import numpy as np
import pandas as pd
from matplotlib.patches import FancyArrowPatch, Rectangle

from peersupport.figures.style import BLUE, COLUMN, GREY, PAGE, PALE, VERMILION, new_figure

LINE = 3.4  # height of a line of text, mm


def draw_prisma(boxes: pd.DataFrame, reasons: dict[str, str]):
    """PRISMA 2020 diagram for databases and other methods; boxes: `column, box, detail, n`; reasons: code to label.

    Coordinates are millimetres, so that boxes can be sized by their lines of text.
    """
    figure, axes = new_figure(PAGE, 131, layout="none")
    axes.set_position([0, 0, 1, 1])
    axes.set(xlim=(0, PAGE), ylim=(131, 0))
    axes.axis("off")
    counts = {key: dict(zip(part.detail, part.n, strict=True)) for key, part in boxes.groupby(["column", "box"])}
    total = {key: int(np.nansum(list(part.values()))) for key, part in counts.items()}
    _band(axes, 10, 3, 50, "Identification of studies\nvia databases and registers")
    _band(axes, 66, 3, 110, "Identification of studies via other methods")
    for top, bottom, name in ((14, 45, "Identification"), (49, 103, "Screening"), (107, 128, "Included")):
        axes.add_patch(Rectangle((2, top), 5, bottom - top, facecolor=PALE, edgecolor=GREY, lw=0.5))
        axes.text(4.5, (top + bottom) / 2, name, rotation=90, ha="center", va="center", weight="bold")
    _draw_databases(axes, counts, total)
    _draw_other(axes, counts, total, reasons)
    return figure


def _draw_databases(axes, counts, total):
    identified = counts["databases", "identified"]
    if ("databases", "screened") not in total:
        _box(
            axes,
            10,
            14,
            50,
            ["No database export was supplied:", "records were found by other methods only."],
            color=GREY,
        )
        return
    found = [f"Records identified (n = {total['databases', 'identified']:,}):", *_lines(identified)]
    top = _box(axes, 10, 14, 50, found)
    second = _box(axes, 10, 36, 50, [f"Duplicates removed (n = {total['databases', 'duplicates_removed']:,})"])
    third = _box(axes, 10, 52, 50, [f"Records screened (n = {total['databases', 'screened']:,})"])
    _box(
        axes,
        10,
        68,
        50,
        [
            f"Records of included studies (n = {total['databases', 'matched']:,})",
            f"Not among them (n = {total['databases', 'not_matched']:,})",
        ],
    )
    for start, end in ((top, 36), (second, 52), (third, 68)):
        _arrow(axes, (35, start), (35, end))


def _draw_other(axes, counts, total, reasons):
    left, right, width = 66, 124, 52
    identified = [f"Records identified (n = {total['other', 'identified']:,}):", *_lines(counts["other", "identified"])]
    removed = [
        f"Records removed before screening (n = {total['other', 'duplicates_removed']:,}):",
        *_lines(counts["other", "duplicates_removed"]),
    ]
    excluded = counts["other", "excluded"]
    listed = sorted(excluded, key=excluded.get, reverse=True)
    why = [
        f"Reports excluded (n = {total['other', 'excluded']:,}):",
        *(f"{reasons[code]} (n = {int(excluded[code]):,})" for code in listed),
    ]
    included = _lines(counts["included", "studies"] | counts["included", "reports"])
    first = _box(axes, left, 14, width, identified)
    _box(axes, right, 14, width, removed)
    sought = _box(axes, left, 52, width, [f"Reports sought for retrieval (n = {total['other', 'sought']:,})"])
    _box(axes, right, 52, width, [f"Reports not retrieved (n = {total['other', 'not_retrieved']:,})"])
    assessed = _box(axes, left, 74, width, [f"Reports assessed for eligibility (n = {total['other', 'assessed']:,})"])
    _box(axes, right, 70, width, why)
    _box(axes, left, 107, 110, included)
    for start, end in ((first, 52), (sought, 74), (assessed, 107)):
        _arrow(axes, (left + width / 2, start), (left + width / 2, end))
    for height in (18, 55, 77):
        _arrow(axes, (left + width, height), (right, height))


def _lines(counts):
    return [f"{detail[0].upper()}{detail[1:]} (n = {int(n):,})" for detail, n in counts.items()]


def _band(axes, x, y, width, text):
    axes.add_patch(Rectangle((x, y), width, 8.5, facecolor=PALE, edgecolor=GREY, lw=0.5))
    axes.text(x + width / 2, y + 4.25, text, ha="center", va="center", weight="bold", fontsize=6.6)


def _box(axes, x, y, width, lines, color="black"):
    """A box as high as its wrapped lines; returns its lower edge."""
    whole = [re.sub(r" (?==|\d+\))", "\N{NO-BREAK SPACE}", line) for line in lines]
    wrapped = [part for line in whole for part in textwrap.wrap(line, int(width * 0.78), subsequent_indent="   ")]
    height = LINE * len(wrapped) + 2.6
    axes.add_patch(Rectangle((x, y), width, height, facecolor="white", edgecolor=color, lw=0.7))
    for i, line in enumerate(wrapped):
        axes.text(x + 1.6, y + 1.3 + LINE * (i + 0.5), line, va="center", color=color, fontsize=6.6)
    return y + height


def _arrow(axes, start, end):
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=6, lw=0.7, color="black", shrinkA=0, shrinkB=0)
    )


def draw_agreement(agreement: pd.DataFrame, names: dict[str, str]):
    """Gwet's AC1 and Cohen's kappa with 95% intervals per coded column; agreement: rows with both; names: labels."""
    rows = agreement.sort_values("ac1").reset_index(drop=True)
    figure, axes = new_figure(COLUMN, 18 + 5.2 * len(rows))
    height = np.arange(len(rows))
    for offset, name, color, marker in ((0.16, "ac1", BLUE, "o"), (-0.16, "kappa", VERMILION, "D")):
        low, high = rows[f"{name}_low"].clip(lower=0), rows[f"{name}_high"].clip(upper=1)
        axes.hlines(height + offset, low, high, color=color, lw=1)
        axes.plot(
            rows[name],
            height + offset,
            marker,
            color=color,
            ms=3.4,
            label={"ac1": "Gwet's AC1", "kappa": "Cohen's kappa"}[name],
        )
    axes.set_yticks(height, [f"{names.get(c, c)} ({n:,})" for c, n in zip(rows.column, rows.n, strict=True)])
    axes.set(xlim=(0, 1.02), xlabel="Agreement beyond chance (95% interval)", ylim=(-0.6, len(rows) - 0.4))
    axes.grid(axis="x", color=PALE, lw=0.5)
    axes.set_axisbelow(True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.35, 1.0), ncols=2, handletextpad=0.2)
    return figure
