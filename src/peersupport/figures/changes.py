"""Each pooled result before and now, one under the other."""

import numpy as np
import pandas as pd

from peersupport.conclude.changes import Words, turned
from peersupport.figures.style import BLACK, BLUE, GREY, PAGE, new_figure
from peersupport.text.numbers import effect_name, shown

ROW = 7.0  # mm per pool
STATES = {"before": (-0.16, GREY, "white"), "now": (0.16, BLUE, BLUE)}


def before_and_now(table: pd.DataFrame, words: Words):
    """Effects with 95% intervals before (grey, hollow) and now (blue, filled); a panel for g and one for risk ratios.

    table: rows outcome_domain, family, {k, effect, ci_low, ci_high}_{before, now}; words: labels. Pools come in
    the order of the table; one that was not, or is no more, pooled has one of the two.
    """
    families = [family for family in ("smd", "log_rr") if table["family"].eq(family).any()] or ["smd"]
    counts = [max(int(table["family"].eq(family).sum()), 1) for family in families]
    figure, axes = new_figure(
        PAGE, 24 + ROW * sum(counts) + 12 * len(families), len(families), 1, squeeze=False, height_ratios=counts
    )
    for panel, family in zip(axes[:, 0], families, strict=True):
        _panel(panel, table[table["family"].eq(family)].reset_index(drop=True), family, words)
    handles = [
        axes[0, 0].plot([], [], marker="o", color=edge, markerfacecolor=face, linewidth=1, label=state)[0]
        for state, (_, edge, face) in STATES.items()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False)
    return figure


def _panel(axes, rows, family, words):
    for place, row in rows.iterrows():
        sign = words.turn((row["outcome_domain"], family))
        for state, (shift, edge, face) in STATES.items():
            effect, low, high = turned(row, sign, f"_{state}")
            if not np.isnan(effect):
                axes.plot([low, high], [place + shift] * 2, color=edge, linewidth=1.1)
                axes.plot(effect, place + shift, marker="o", color=edge, markerfacecolor=face, markersize=4)
        text = _numbers(row, sign, family)
        axes.text(1.01, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=6.5)
    axes.axvline(0, color=BLACK, linewidth=0.6, zorder=0)
    labels = [words.outcome((name, family)).replace(" (risk ratio; ", "\n(") for name in rows["outcome_domain"]]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    better = f"; positive favours {words.arm1}" if family == "smd" else ""
    axes.set_xlabel(f"{effect_name(family)} with 95% confidence interval; the line is no difference{better}")
    if family == "log_rr":
        ticks = np.log([0.125, 0.25, 0.5, 1, 2, 4, 8])
        low, high = axes.get_xlim()
        ticks = [tick for tick in ticks if low <= tick <= high]
        axes.set_xticks(ticks, [f"{np.exp(tick):g}" for tick in ticks])


def _numbers(row, sign, family):
    """0.20 (k 12) to 0.26 (k 16)."""
    was, is_ = (
        "not pooled"
        if np.isnan(row[f"effect_{state}"])
        else f"{shown(sign * row[f'effect_{state}'], family)} (k {row[f'k_{state}']:.0f})"
        for state in STATES
    )
    return f"{was} \N{RIGHTWARDS ARROW} {is_}"
