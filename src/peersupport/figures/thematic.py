"""Figures of notebook 05: what helps and what hinders. Each takes a tidy table and computes no
statistics."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from peersupport.figures import style

KIND_MARKER = {"qualitative": "D", "quantitative": "s"}
ROW_MM = 4.05


def ranked_dots(ax, table: pd.DataFrame, labels: Mapping[str, str], colour: str):
    """Shares with 95% intervals, the largest on top. `table` is one group of theme_frequency,
    commonest first."""
    y = range(len(table))
    ax.hlines(y, table["ci_low"], table["ci_high"], color=colour, lw=1.4)
    ax.scatter(table["share"], y, s=20, color=colour, edgecolor="black", lw=0.4, zorder=3)
    ax.set_yticks(y, table["theme"].map(labels))
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="x", lw=0.3, color=style.PALE)
    ax.set_axisbelow(True)
    return ax


def frequency_page(
    table: pd.DataFrame,
    by_kind: pd.DataFrame,
    kappa: Mapping[str, float],
    labels: Mapping[str, str],
    groups: Mapping[str, str],
    kinds: Mapping[str, str],
    soft_below: float,
):
    """A page: ranked dots per theme group, and beside each theme its counts by kind of source and
    the coders' kappa.

    `table` from theme_frequency, `by_kind` from frequency_by with the level review among them;
    kappa by theme (blank where it cannot be computed), set in italics with an asterisk where it is
    below `soft_below`. Returns the figure.
    """
    heights = [table["theme_group"].eq(group).sum() + 1.1 for group in groups]
    size = (style.PAGE, sum(heights) * ROW_MM + 22)
    figure, axes = style.new_figure(*size, len(groups), 2, sharex="col", height_ratios=heights, width_ratios=[1, 0.55])
    counts = by_kind.pivot(index="theme", columns="level", values="studies")
    shares = by_kind.pivot(index="theme", columns="level", values="share")
    for letter, (ax, beside), group in zip("ABCDE", axes, groups, strict=True):
        part = table[table["theme_group"] == group].reset_index(drop=True)
        ranked_dots(ax, part, labels, style.THEME_GROUP[group])
        for kind, marker in KIND_MARKER.items():
            ax.scatter(
                shares.loc[part["theme"], kind],
                range(len(part)),
                s=13,
                marker=marker,
                facecolor="none",
                edgecolor="black",
                lw=0.6,
                zorder=4,
                clip_on=False,
            )
        ax.set_title(f"{letter}  {groups[group]}")
        beside.set(xlim=(0, 1), ylim=ax.get_ylim())
        beside.axis("off")
        for place, row in enumerate(part.itertuples()):
            cells = [row.studies, *(counts.loc[row.theme, kind] for kind in kinds)]
            coded = _kappa(kappa.get(row.theme, np.nan), soft_below)
            _cells(beside, place, [*map(str, cells), coded])
        style.leave_out_of_layout([*beside.texts, *ax.collections])
    _cells(axes[0, 1], -1.35, ["All", "Quali-\ntative", "Mixed", "Quanti-\ntative", "Reviews", "κ"])
    axes[-1, 0].set_xlim(0, max(table["ci_high"].max(), shares[list(KIND_MARKER)].max().max()) * 1.03)
    axes[-1, 0].set_xlabel("Share of the studies read (dot, 95% Wilson interval)")
    keys = [
        Line2D([], [], ls="", marker=marker, mfc="none", mec="black", mew=0.6, ms=3.6)
        for marker in KIND_MARKER.values()
    ]
    keys.append(Line2D([], [], ls=""))
    names = [f"Share of the {kinds[kind].lower()}" for kind in KIND_MARKER]
    names.append(f"* agreement of the coders: κ below {soft_below}")
    figure.legend(keys, names, loc="outside lower center", ncols=3)
    return figure


COLUMN_PLACES = (0.06, 0.23, 0.40, 0.57, 0.77, 0.94)


def _cells(ax, y: float, texts: Sequence[str]) -> None:
    for x, text in zip(COLUMN_PLACES, texts, strict=True):
        ax.text(x, y, text, ha="center", va="center", fontsize=6.5)


def _kappa(value: float, soft_below: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.2f}" + ("*" if value < soft_below else "")


def share_heatmap(
    tables: Sequence[pd.DataFrame],
    level_names: Sequence[Mapping[str, str]],
    labels: Mapping[str, str],
    groups: Mapping[str, str],
    titles: Sequence[str],
):
    """Share of the studies of each level that report a theme, as shade, with the count printed;
    returns the figure.

    `tables` from frequency_by, one block of columns each, whose `level_names` are printed with
    their number of studies. The shade is by share, so that small groups compare with large ones;
    their counts warn.
    """
    themes = tables[0][["theme_group", "theme"]].drop_duplicates()
    widths = [len(names) for names in level_names]
    size = (style.PAGE / style.MM_PER_INCH, (len(themes) * 4.3 + 42) / style.MM_PER_INCH)
    figure, axes = plt.subplots(1, len(tables), figsize=size, sharey=True, width_ratios=widths, squeeze=False)
    top = max(table["share"].max() for table in tables)
    for ax, table, names, title in zip(axes[0], tables, level_names, titles, strict=True):
        order = themes["theme"].to_list()
        shares = table.pivot(index="theme", columns="level", values="share").loc[order, list(names)]
        counts = table.pivot(index="theme", columns="level", values="studies")
        counts = counts.loc[order, list(names)].astype(str).replace("0", "")
        sns.heatmap(
            shares,
            ax=ax,
            annot=counts,
            fmt="",
            cmap="Blues",
            vmin=0,
            vmax=top,
            cbar=False,
            linewidths=0.3,
            linecolor="white",
            annot_kws={"fontsize": 6.5},
        )
        style.leave_out_of_layout(ax.texts)
        sizes = table.drop_duplicates("level").set_index("level")["of"]
        heads = [fill(f"{text} (n\u00a0=\u00a0{sizes[code]})", 20) for code, text in names.items()]
        ax.set_xticks(np.arange(len(names)) + 0.5, heads, rotation=90, fontsize=6.5)
        ax.xaxis.tick_top()
        ax.set(xlabel="", ylabel="")
        ax.tick_params(length=0)
        ax.set_title(title, y=1.15)
        for edge in np.flatnonzero(themes["theme_group"].ne(themes["theme_group"].shift())):
            ax.axhline(edge, color="black", lw=0.8)
    axes[0, 0].set_yticks(np.arange(len(themes)) + 0.5, themes["theme"].map(labels), rotation=0)
    place = pd.Series(np.arange(len(themes)) + 0.5).groupby(themes["theme_group"].to_numpy()).mean()
    for group, title in groups.items():
        axes[0, -1].text(
            1.015, place[group], title, transform=axes[0, -1].get_yaxis_transform(), rotation=270, va="center"
        )
    shade = plt.cm.ScalarMappable(plt.Normalize(0, top), "Blues")
    bar = figure.colorbar(
        shade, ax=list(axes[0]), orientation="horizontal", fraction=0.015, pad=0.01, aspect=50, shrink=0.6
    )
    bar.ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    bar.set_label("Share of the group's studies that report the theme (number: studies)")
    return figure


def pair_heatmap(table: pd.DataFrame, order: tuple[Sequence[str], Sequence[str]], labels: Mapping[str, str]):
    """Barriers by facilitators: shade by Jaccard index, number of studies that report both; returns
    the figure."""
    rows, columns = order
    figure, ax = style.new_figure(style.PAGE, 118)
    shade = table.pivot(index="theme_a", columns="theme_b", values="jaccard").loc[rows, columns]
    counts = table.pivot(index="theme_a", columns="theme_b", values="both").loc[rows, columns]
    single = table.drop_duplicates("theme_a").set_index("theme_a")["a"]
    other = table.drop_duplicates("theme_b").set_index("theme_b")["b"]
    sns.heatmap(
        shade,
        ax=ax,
        annot=counts.astype(str).replace("0", ""),
        fmt="",
        cmap="Blues",
        vmin=0,
        linewidths=0.3,
        linecolor="white",
        annot_kws={"fontsize": 6.5},
        cbar_kws={"label": "Jaccard index (number: studies that report both)", "shrink": 0.7},
    )
    style.leave_out_of_layout(ax.texts)
    ax.set_yticks(np.arange(len(rows)) + 0.5, [f"{labels[t]} ({single[t]})" for t in rows], rotation=0)
    heads = [fill(f"{labels[t]} ({other[t]})", 17) for t in columns]
    ax.set_xticks(np.arange(len(columns)) + 0.5, heads, rotation=90)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set(xlabel="", ylabel="")
    return figure


def upset(counts: pd.Series, labels: Mapping[str, str], smallest: int):
    """The combinations reported by `smallest` studies or more (UpSet, Lex 2014); returns the figure.

    `counts` from themes.combinations. Ties keep the order of the themes in `counts`; the bars at the left count all
    studies of a theme, those of rarer combinations too.
    """
    member = counts.index.to_frame().to_numpy(dtype=bool)
    totals = pd.Series(counts.to_numpy() @ member, counts.index.names).sort_values(ascending=False, kind="stable")
    shown = counts.reorder_levels(totals.index).sort_index(ascending=False)
    shown = shown[shown >= smallest].sort_values(ascending=False, kind="stable")
    figure, axes = style.new_figure(style.PAGE, 95, 2, 2, width_ratios=[1, 4], height_ratios=[1.1, 1], sharey="row")
    (corner, bars), (left, matrix) = axes
    corner.remove()
    matrix.sharex(bars)
    x = np.arange(len(shown))
    bars.bar_label(bars.bar(x, shown, width=0.6, color=style.BLUE), padding=1.5)
    bars.set_ylabel("Studies with exactly\nthis combination")
    bars.tick_params(labelleft=True, bottom=False, labelbottom=False)
    left.set_xlim(totals.max() * 1.2, 0)
    left.bar_label(left.barh(range(len(totals)), totals, height=0.6, color=style.BLUE), padding=1.5)
    left.set_xlabel("Studies")
    left.tick_params(left=False, labelleft=False)
    left.spines["left"].set_visible(False)
    for axis in (left.xaxis, bars.yaxis):
        axis.set_major_locator(MaxNLocator(3, integer=True))
    _membership(matrix, shown.index.to_frame().to_numpy(dtype=bool))
    matrix.set_yticks(range(len(totals)), [labels[theme] for theme in totals.index])
    matrix.set(ylim=(len(totals) - 0.5, -0.5), xlim=(-0.6, len(shown) - 0.4))
    return figure


def _membership(ax, member: np.ndarray) -> None:
    """A column of dots per combination, those of its themes filled and joined."""
    for filled, colour in ((~member, style.PALE), (member, style.BLUE)):
        ax.scatter(*np.nonzero(filled), s=18, color=colour, zorder=3)
    for place, row in enumerate(member):
        inside = np.flatnonzero(row)
        ax.vlines(place, inside.min(), inside.max(), lw=1.2, color=style.BLUE, zorder=2)
    ax.tick_params(length=0, labelbottom=False, labelleft=True)
    ax.set_frame_on(False)


def rank_dots(ax, table: pd.DataFrame, labels: Mapping[str, str], claimed: Sequence[str], top: int):
    """Ranks with bootstrap intervals, first on top; the themes in `claimed` are filled. `table`
    from themes.ranks."""
    colour = style.THEME_GROUP["barrier"]
    y = np.arange(len(table))
    ax.axvspan(0.4, top + 0.5, color="#F2F2F2", zorder=0)
    ax.hlines(y, table["rank_low"], table["rank_high"], color=colour, lw=1.4)
    fills = [colour if theme in claimed else "white" for theme in table["theme"]]
    ax.scatter(table["rank"], y, s=22, c=fills, edgecolor="black", lw=0.6, zorder=3)
    for place, row in zip(y, table.itertuples(), strict=True):
        _rank_cells(ax, len(table), place, str(row.studies), f"{row.in_top:.0%}")
    _rank_cells(ax, len(table), -1.0, "studies", f"in top {top}")
    ax.set_yticks(y, table["theme"].map(labels))
    for text, theme in zip(ax.get_yticklabels(), table["theme"], strict=True):
        text.set_fontweight("bold" if theme in claimed else "normal")
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlim(0.4, len(table) + 0.6)
    ax.set_xticks(range(1, len(table) + 1))
    ax.set_xlabel("Rank by number of studies (95% bootstrap interval)")
    return ax


def _rank_cells(ax, last: int, y: float, *texts: str) -> None:
    for x, text in zip((last + 1.2, last + 2.7), texts, strict=True):
        ax.text(x, y, text, ha="center", va="center", fontsize=6.5)


DIRECTION_MARKER = {"arm1": "^", "neither": "o", "arm2": "v"}
DIRECTION_COLOUR = {"arm1": style.PEER_SUPPORT, "neither": style.PALE, "arm2": style.COMPARATOR}
SIZES = ((0, 14, "under 50 participants"), (50, 26, "50 to 199"), (200, 44, "200 or more"))


def direction_plot(votes: pd.DataFrame, counts: pd.DataFrame, labels: Mapping[str, str], names: Mapping[str, str]):
    """Effect-direction plot: a mark per trial and outcome domain, and the share that favours peer
    support.

    `votes` has trial, outcome_domain, direction, told_by and participants: a mark is filled where the sign of an effect
    tells the direction, hollow where the source's conclusion does. `counts` from count_votes: the bar runs from one
    bound of the share to the other, the line over both intervals. Returns the figure.
    """
    counts = counts.sort_values(["trials", "share"], ascending=False, ignore_index=True)
    size = (style.PAGE, len(counts) * 6.2 + 30)
    figure, (left, right) = style.new_figure(*size, 1, 2, sharey=True, width_ratios=[2.1, 1])
    for place, domain in enumerate(counts["outcome_domain"]):
        rows = votes[votes["outcome_domain"] == domain]
        order = rows["direction"].map({code: i for i, code in enumerate(DIRECTION_MARKER)})
        rows = rows.assign(order=order).sort_values(["order", "participants"], ascending=[True, False])
        for across, row in enumerate(rows.itertuples()):
            left.scatter(
                across,
                place,
                s=_mark_size(row.participants),
                marker=DIRECTION_MARKER[row.direction],
                **_mark(row.direction, row.told_by == "effect"),
            )
    style.leave_out_of_layout(left.collections)
    y = np.arange(len(counts))
    right.axvline(0.5, color=style.GREY, lw=0.6, ls="--")
    right.hlines(y, counts["ci_low"], counts["ci_high_upper"], color=style.PEER_SUPPORT, lw=1.0)
    right.barh(
        y,
        counts["share_upper"] - counts["share"] + 0.006,  # one bound only still shows
        left=counts["share"] - 0.003,
        height=0.42,
        color=style.PEER_SUPPORT,
        edgecolor="black",
        lw=0.4,
        zorder=3,
    )
    for place, row in enumerate(counts.itertuples()):
        right.text(1.03, place, f"{row.favours_arm1}/{row.trials}", va="center", fontsize=6.5)
    left.set_yticks(y, counts["outcome_domain"].map(labels))
    left.set_ylim(len(counts) - 0.4, -0.6)
    left.set_xticks([])
    left.spines["bottom"].set_visible(False)
    left.set_title("A  Direction in each trial")
    right.set_title("B  Favours peer support")
    right.set_xlim(0, 1)
    right.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_xlabel("Share of the trials: bounds, exact 95% intervals")
    right.tick_params(axis="y", length=0)
    _direction_keys(figure, names)
    return figure


def _mark(direction: str, signed: bool) -> dict:
    colour = DIRECTION_COLOUR[direction]
    if signed:
        return {"facecolor": colour, "edgecolor": "black", "lw": 0.4}
    return {"facecolor": "white", "edgecolor": "black" if direction == "neither" else colour, "lw": 0.9}


def _mark_size(participants: float) -> float:
    return (
        [size for low, size, _ in SIZES if not participants < low][-1] if participants == participants else SIZES[0][1]
    )


def _direction_keys(figure, names: Mapping[str, str]) -> None:
    marks = [
        Line2D([], [], ls="", marker=marker, mfc=DIRECTION_COLOUR[code], mec="black", mew=0.4, ms=5)
        for code, marker in DIRECTION_MARKER.items()
    ]
    marks.append(Line2D([], [], ls="", marker="^", mfc="white", mec=style.PEER_SUPPORT, mew=0.9, ms=5))
    sizes = [Line2D([], [], ls="", marker="^", mfc="white", mec="black", mew=0.4, ms=size**0.5) for _, size, _ in SIZES]
    figure.legend(
        marks + sizes,
        [*names.values(), "Hollow: a conclusion, no effect size", *(text for _, _, text in SIZES)],
        loc="outside lower center",
        ncols=4,
        columnspacing=1.0,
        handletextpad=0.3,
    )
