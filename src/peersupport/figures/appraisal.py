"""Figures of the critical appraisal: traffic lights and bars by domain, after robvis (McGuinness
2021)."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from peersupport.figures import style

ROW_MM = 4.35


def judgement_legend(figure_or_ax, labels: Mapping[str, str], **where):
    """One key for all figures of judgements."""
    patches = [
        Patch(facecolor=style.JUDGEMENT[code], hatch=style.JUDGEMENT_HATCH[code], ec="black", lw=0.4) for code in labels
    ]
    names = [f"{style.JUDGEMENT_SYMBOL[code]}  {label}" for code, label in labels.items()]
    return figure_or_ax.legend(patches, names, **where)


def traffic_lights(
    table: pd.DataFrame,
    domains: Mapping[str, str],
    labels: Mapping[str, str],
    bold: Collection[str] = (),
    blocks: int = 3,
):
    """One circle with its symbol per study and domain, the studies in `blocks` columns. Returns the
    figure.

    `table` has study, domain and judgement; `domains` gives the columns' order and names, with
    `overall` last if there is one; the names of the studies in `bold` are set so.
    """
    studies = sorted(table["study"].unique(), key=str.lower)
    height = -(-len(studies) // blocks)
    size = (style.PAGE, height * ROW_MM + 24)
    figure, axes = style.new_figure(*size, 1, blocks)
    heads = ["All" if code == "overall" else str(i) for i, code in enumerate(domains, start=1)]
    for block, ax in enumerate(axes):
        part = studies[block * height : (block + 1) * height]
        _lights(ax, table[table["study"].isin(part)], part, list(domains))
        ax.set_xticks(range(len(domains)), heads, fontsize=6.5)
        ax.set_ylim(height - 0.5, -0.7)
        for text in ax.get_yticklabels():
            text.set_fontweight("bold" if text.get_text() in bold else "normal")
    key = [f"{head} {name}" for head, name in zip(heads, domains.values(), strict=True)]
    key = "\n".join("   ".join(key[start : start + 6]) for start in range(0, len(key), 6))
    key += "\nBold: in a pooled outcome" if bold else ""
    judgement_legend(figure, labels, loc="outside lower center", ncols=4, title=key)
    return figure


def _lights(ax, table: pd.DataFrame, studies: Sequence[str], domains: Sequence[str]) -> None:
    x = table["domain"].map({domain: i for i, domain in enumerate(domains)})
    y = table["study"].map({study: i for i, study in enumerate(studies)})
    colours = table["judgement"].map(style.JUDGEMENT)
    diameter = 7.9 if len(domains) < 8 else 6.8  # points
    ax.scatter(x, y, s=diameter**2, c=list(colours), edgecolor="black", lw=0.3)
    for judgement, symbol in style.JUDGEMENT_SYMBOL.items():
        these = table["judgement"] == judgement
        ink = "white" if judgement == "high" else "black"
        ax.scatter(x[these], y[these], s=15, marker=f"${symbol}$", color=ink, lw=0.2, zorder=3)
    style.leave_out_of_layout(ax.collections)
    ax.set_yticks(range(len(studies)), studies, fontsize=6.5)
    if domains[-1] == "overall":
        x = len(domains) - 1.5
        ax.plot([x, x], [-0.7, len(studies) - 0.5], color=style.GREY, lw=0.4)
    ax.set_xlim(-0.6, len(domains) - 0.4)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, pad=2)
    ax.spines[:].set_visible(False)


def judgement_bars(
    ax, shares: pd.DataFrame, names: Mapping[str, str], notes: Mapping[str, str] | None = None, smallest: float = 0.07
):
    """Bars to 100% by judgement, one per row of `names`; `shares` from judgement_shares. `notes`
    stand at the right; a share below `smallest` has no room for its number."""
    rows = shares.columns[0]
    left = pd.Series(0.0, index=list(names))
    for judgement, colour in style.JUDGEMENT.items():
        part = shares[shares["judgement"] == judgement].set_index(rows)["share"].reindex(left.index)
        ax.barh(
            range(len(left)),
            part,
            left=left,
            color=colour,
            edgecolor="black",
            lw=0.4,
            height=0.72,
            hatch=style.JUDGEMENT_HATCH[judgement],
        )
        for place, (start, share) in enumerate(zip(left, part, strict=True)):
            if share >= smallest:
                ax.text(
                    start + share / 2,
                    place,
                    f"{share:.0%}",
                    ha="center",
                    va="center",
                    fontsize=6.5,
                    color="white" if judgement == "high" else "black",
                    bbox={"boxstyle": "round,pad=0.12", "fc": colour, "ec": "none"},
                )
        left += part
    for place, row in enumerate(names):
        if notes is not None and row in notes:
            ax.text(1.015, place, notes[row], va="center", fontsize=6.5)
    ax.set_yticks(range(len(left)), list(names.values()))
    ax.set_ylim(len(left) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return ax


def summary_bars(panels, labels: Mapping[str, str], height_mm: float):
    """Panels of judgement_bars below one another with one key. Returns the figure.

    `panels`: one (title, x label, shares, names, notes) each.
    """
    heights = [len(names) + 1.5 for _, _, _, names, _ in panels]
    size = (style.PAGE / style.MM_PER_INCH, height_mm / style.MM_PER_INCH)
    figure, axes = plt.subplots(len(panels), 1, figsize=size, height_ratios=heights, squeeze=False)
    for ax, (title, x_label, shares, names, notes) in zip(axes[:, 0], panels, strict=True):
        judgement_bars(ax, shares, names, notes)
        ax.set_title(title)
        ax.set_xlabel(x_label)
    judgement_legend(figure, labels, loc="outside lower center", ncols=4)
    return figure


FAMILY = {"smd": "", "log_rr": " (events)"}


def pool_names(trials: pd.Series, labels: Mapping[str, str]) -> dict[str, str]:
    """The pooled outcomes ("hope|smd") by number of trials, largest first, with the names to
    print."""
    order = trials.sort_values(ascending=False, kind="stable").index
    split = [outcome.split("|") for outcome in order]
    return {f"{domain}|{family}": labels[domain] + FAMILY[family] for domain, family in split}


def bars_by_outcome(
    summary: pd.DataFrame,
    outcomes: Mapping[str, str],
    trials: pd.Series,
    domains: Mapping[str, str],
    labels: Mapping[str, str],
):
    """A panel of bars by domain for each pooled outcome; `summary` from pooled_summary, `trials`
    their number by outcome.

    Weighted as in the main model; a panel shows the trials whose tool has that domain. Returns the figure.
    """
    columns = 3
    rows = -(-len(outcomes) // columns)
    size = (style.PAGE, rows * 42 + 12)
    figure, axes = style.new_figure(*size, rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, (outcome, name) in zip(axes.flat, outcomes.items(), strict=False):
        part = summary[summary["scope"].eq(outcome) & summary["weighting"].eq("main_model")]
        judgement_bars(ax, part[["domain", "judgement", "share"]], domains, smallest=0.17)
        ax.set_title(f"{name} (k = {trials[outcome]})", fontsize=7)
    for ax in list(axes.flat)[len(outcomes) :]:
        ax.set_visible(False)
    axes[-1, columns // 2].set_xlabel("Share of the weight in the meta-analysis")
    judgement_legend(figure, labels, loc="outside lower center", ncols=4)
    return figure
