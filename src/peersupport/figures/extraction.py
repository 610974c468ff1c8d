"""Figures of notebook 01: the agreement of the two coders."""

import numpy as np
import pandas as pd

from peersupport.figures.style import BLUE, COLUMN, PALE, VERMILION, new_figure


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
