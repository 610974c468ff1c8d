"""Figures of notebook 02: who was studied, where and when. Each takes a tidy table and computes no statistics."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.ticker import MaxNLocator

from peersupport.descriptives import NO_DATE
from peersupport.figures import style


def stacked_years(
    ax, table: pd.DataFrame, labels: Mapping[str, str], colours: Mapping[str, str], shaded=None
):
    """Bars of studies per year, stacked by level; `table` from by_year. `shaded`: (first, last, label) of a span."""
    years = list(dict.fromkeys(table["year"]))
    place = {year: float(i) for i, year in enumerate(years)}
    if NO_DATE in place:
        place[NO_DATE] += 0.6
    bottom = pd.Series(0.0, index=years)
    if shaded is not None:
        first, last, label = shaded
        ax.axvspan(place[str(first)] - 0.5, place[str(last)] + 0.5, color="#F2F2F2", zorder=0)
        ax.text(
            (place[str(first)] + place[str(last)]) / 2, 0.985, label,
            transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize=6.5,
        )  # fmt: skip
    for level, label in labels.items():
        heights = table[table["level"] == level].set_index("year")["studies"].reindex(years)
        if not heights.sum():
            continue
        ax.bar(
            [place[year] for year in years], heights, bottom=bottom, width=0.8, label=label,
            color=colours[level], edgecolor="black", linewidth=0.4,
        )  # fmt: skip
        bottom += heights
    ax.set_xticks([place[year] for year in years], years, rotation=90)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_ylim(0, bottom.max() * 1.12)
    ax.set(xlabel="Year of publication", ylabel="Studies")
    handles, names = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], names[::-1], loc="upper left", borderaxespad=0.2)
    return ax


def count_grid(ax, table: pd.DataFrame, rows: Mapping[str, str], columns: Mapping[str, str]):
    """A table of counts as circles with the count beside each; `table` from cross_count (first two columns, studies).

    The circle's area is the count. An empty cell shows a small dot, so that a gap is seen as a gap.
    """
    row_name, column_name = table.columns[:2]
    y = table[row_name].map({code: i for i, code in enumerate(rows)})
    x = table[column_name].map({code: i for i, code in enumerate(columns)})
    filled = table["studies"] > 0
    ax.scatter(x[~filled], y[~filled], s=2, color=style.GREY)
    area = table["studies"] / table["studies"].max() * 330
    ax.scatter(x[filled], y[filled], s=area[filled], color=style.SKY, edgecolor="black", lw=0.4)
    for across, down, size, count in zip(
        x[filled], y[filled], area[filled], table["studies"][filled], strict=True
    ):
        beside = (size**0.5 / 2 + 2.5, 0)  # points from the centre: the circle's radius and a gap
        ax.annotate(
            str(count),
            (across, down),
            beside,
            textcoords="offset points",
            va="center",
            fontsize=6.5,
        )
    ax.set_xticks(range(len(columns)), list(columns.values()))
    ax.set_yticks(range(len(rows)), list(rows.values()))
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.4, -0.6))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def income_bars(ax, table: pd.DataFrame):
    """Trials by income group with the share of the trials whose country is stated; `table` from by_income."""
    table = table[table["trials"] > 0].reset_index(drop=True)
    y = range(len(table))
    hatches = ["" if share == share else "////" for share in table["share"]]
    ax.barh(
        y, table["trials"], color=style.SKY, edgecolor="black", lw=0.4, height=0.7, hatch=hatches
    )
    for place, row in enumerate(table.itertuples()):
        share = (
            f" ({row.share:.0%}; 95% CI {row.ci_low:.0%} to {row.ci_high:.0%})" if row.of else ""
        )
        ax.text(row.trials + 1, place, f"{row.trials}{share}", va="center", fontsize=6.5)
    ax.set_yticks(y, table["label"])
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlim(0, table["trials"].max() * 1.35)
    ax.set_xlabel("Randomised trials")
    return ax
