"""The page of pictures beside each forest plot: is the answer one trial's, one model's, or biased?"""

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.transforms import Bbox
from scipy import stats

from peersupport.figures.forest import blank_page, draw_interval, label_effect_axis
from peersupport.figures.style import BLACK, BLUE, GREY, MM_PER_INCH, PAGE, PALE, VERMILION
from peersupport.pool.fit import Fit
from peersupport.pool.influence import p_value_curve

LINE = 2.7  # mm per trial in leave-one-out and cumulative plots
CAP = {"smd": 1.5, "log_rr": float(np.log(8))}


def domain_page(
    fits: dict[str, Fit],
    model_labels: dict[str, str],
    *,
    main: str,
    title: str,
    left_out: pd.DataFrame,
    cumulated: pd.DataFrame,
    influences: pd.DataFrame,
    baujat: pd.DataFrame,
    filled: tuple[np.ndarray, np.ndarray],
):
    """Funnel, p-value function, models, Baujat, leave-one-out, cumulative and influence of one domain.

    fits: every model's; the tables are those of the diagnostics module for fits[main]; filled: effects
    and variances that trim and fill adds, possibly none. Returns the figure, PAGE wide.
    """
    fit = fits[main]
    figure, axes = _page(fit.k, title)
    numbers = {study: place for place, study in enumerate(influences["study"], start=1)}
    left_out = left_out.assign(label=[f"{numbers[s]}  {s}" for s in left_out["study"]])
    cumulated = cumulated.assign(label=cumulated["study"])
    leave, added = "Leave one out: the average without each trial", "Cumulative: the average as trials were added"
    four = [axes[name] for name in ("rstudent", "cook", "tau2", "weight")]
    _panel([axes["funnel"]], lambda: funnel(axes["funnel"], fit, filled))
    _panel([axes["curve"]], lambda: p_value_functions(axes["curve"], fit))
    _panel([axes["models"]], lambda: models(axes["models"], fits, model_labels, main))
    _panel([axes["baujat"]], lambda: baujat_plot(axes["baujat"], baujat))
    _panel([axes["leave"]], lambda: sequence(axes["leave"], left_out, fit, leave))
    _panel([axes["cumulative"]], lambda: sequence(axes["cumulative"], cumulated, fit, added))
    _panel(four, lambda: influence_panels(four, influences, fit))
    return figure


def _panel(axes: list, draw) -> None:
    """A panel that the data do not carry (effects all alike, two trials) is left out in a word."""
    try:
        draw()
    except (ValueError, ArithmeticError, KeyError, IndexError, np.linalg.LinAlgError):
        for one in axes:
            one.clear()
            one.set_axis_off()
        axes[0].text(0, 0.5, "too few or too equal effects for this panel", transform=axes[0].transAxes, color=GREY)


def _page(trials: int, title: str):
    """Axes by name, placed in mm: four rows, the third as high as the trials need."""
    rows = [
        (46, {"funnel": (14, 86), "curve": (104, 177)}),
        (58, {"models": (49, 104), "baujat": (121, 177)}),
        (LINE * max(trials, 4), {"leave": (44, 88), "cumulative": (133, 177)}),
        (23, {"rstudent": (11, 45), "cook": (56, 89), "tau2": (101, 133), "weight": (144, 177)}),
    ]
    above, below = 7.0, 12.0  # mm for a panel's title, and for its axis
    height = 8 + sum(row + above + below for row, _ in rows)
    figure = blank_page(height)
    figure.text(2 / PAGE, 1 - 4 / height, title, fontsize=9, weight="bold", va="center")
    axes, bottom = {}, height - 8
    for row, places in rows:
        bottom -= above + row
        for name, (left, right) in places.items():
            box = (left / PAGE, bottom / height, (right - left) / PAGE, row / height)
            axes[name] = figure.add_axes(box)
        bottom -= below
    return figure, axes


def _title(axes, words: str, left_mm: float = 0.0):
    """A panel's title, starting left of its axis by so many mm."""
    axes.annotate(
        words,
        (0, 1),
        xytext=(-left_mm * 72 / MM_PER_INCH, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7.5,
        weight="bold",
    )


def funnel(axes, fit: Fit, filled: tuple[np.ndarray, np.ndarray]):
    """Contour-enhanced funnel (Peters et al. 2008): shades are the p-values of a single trial."""
    error = np.sqrt(fit.effects["variance"])
    everything = np.concatenate([fit.effects["effect"], filled[0], [0.0]])
    deepest = 1.08 * max(float(error.max()), float(np.sqrt(filled[1]).max(initial=0)))
    reach = max(np.abs(everything).max() * 1.15, 1.3 * deepest)
    at = np.array([0, deepest])
    for level, shade in ((0.01, "#E8E8E8"), (0.05, "#C4C4C4"), (0.10, "w")):
        wide = stats.norm.isf(level / 2) * at
        axes.fill_betweenx(at, -wide, wide, color=shade, linewidth=0, zorder=0)
        axes.plot(np.append(-wide[::-1], wide), np.append(at[::-1], at), color=GREY, linewidth=0.4)
    for place, (shade, words) in enumerate(
        (("#C4C4C4", "p 0.05\N{EN DASH}0.10"), ("#E8E8E8", "p 0.01\N{EN DASH}0.05"))
    ):
        axes.plot([0.03], [0.95 - 0.08 * place], "s", color=shade, transform=axes.transAxes)
        axes.text(0.06, 0.95 - 0.08 * place, words, fontsize=6.5, va="center", transform=axes.transAxes)
    axes.axvline(fit.effect, color=BLUE, linewidth=0.8, linestyle=(0, (3, 2)))
    axes.plot(fit.effects["effect"], error, "o", color=BLUE, markersize=3.2, zorder=3)
    if len(filled[0]):
        axes.plot(
            filled[0], np.sqrt(filled[1]), "o", markerfacecolor="w", markeredgecolor=VERMILION, markersize=3.2, zorder=3
        )
    axes.set_ylim(deepest, 0)
    axes.set_ylabel("Standard error")
    label_effect_axis(axes, fit.family, fit.event, (-reach, reach))
    extra = f"; open: {len(filled[0])} filled in" if len(filled[0]) else ""
    _title(axes, f"Funnel{extra}", 12)


def p_value_functions(axes, fit: Fit):
    """p of every possible true effect: each trial thin, the average thick, a new setting dashed."""
    low, high = _limits(fit, [1.3 * fit.pi_low, 1.3 * fit.pi_high])
    at = np.linspace(low, high, 400)
    for row in fit.effects.itertuples():
        curve = p_value_curve(row.effect, np.sqrt(row.variance), np.nan, at)
        axes.plot(at, curve, color=GREY, linewidth=0.35, alpha=0.7)
    axes.plot(at, p_value_curve(fit.effect, fit.standard_error, fit.df, at), color=BLUE, linewidth=1.6)
    if not np.isnan(fit.pi_low) and fit.k > 2:
        spread = np.sqrt(fit.tau2 + fit.standard_error**2)
        curve = p_value_curve(fit.effect, spread, fit.k - 2, at)
        axes.plot(at, curve, color=VERMILION, linewidth=1.1, linestyle=(0, (4, 2)))
    axes.axhline(0.05, color=BLACK, linewidth=0.5, linestyle=":")
    axes.axvline(0, color=GREY, linewidth=0.5)
    axes.set_ylim(0, 1)
    axes.set_yticks([0.05, 0.25, 0.5, 0.75, 1])
    axes.set_ylabel("p-value")
    label_effect_axis(axes, fit.family, fit.event, (low, high))
    _title(axes, "p-value functions: average thick, new setting dashed", 10)


def models(axes, fits: dict[str, Fit], labels: dict[str, str], main: str):
    """Every model's estimate with its interval; the main model's interval as a band."""
    reference = fits[main]
    ends = [x for fit in fits.values() for x in (fit.ci_low, fit.ci_high)]
    limits = _limits(reference, ends)
    label_effect_axis(axes, reference.family, reference.event, limits)
    axes.axvspan(*np.clip([reference.ci_low, reference.ci_high], *limits), color=PALE, zorder=0, linewidth=0)
    axes.axvline(0, color=GREY, linewidth=0.5)
    for place, fit in enumerate(fits.values()):
        if np.isnan(fit.effect):
            words = fit.note.removeprefix("not estimated: ")
            words = words if len(words) <= 44 else "too few trials left"
            axes.annotate(
                words,
                (limits[0], place),
                xytext=(4, 0),
                textcoords="offset points",
                fontsize=6.5,
                va="center",
                style="italic",
                color="#595959",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )
            continue
        colour = BLUE if fit.model == main else BLACK
        draw_interval(axes, place, fit.ci_low, fit.ci_high, limits, color=colour)
        if limits[0] <= fit.effect <= limits[1]:
            axes.plot([fit.effect], [place], "s", color=colour, markersize=3)
    axes.set_yticks(range(len(fits)), [labels[name] for name in fits], fontsize=6.5)
    axes.set_ylim(len(fits) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    _title(axes, "Does the answer depend on the model? Band: main model", 47)


def baujat_plot(axes, table: pd.DataFrame):
    """Trials far right add to heterogeneity, trials far up move the average; the first named."""
    axes.plot(table["x"], table["y"], "o", color=BLUE, markersize=3.2)
    across, up = table["x"] / table["x"].max(), table["y"] / table["y"].max()
    axes.set_xlim(-0.03 * table["x"].max(), 1.05 * table["x"].max())
    axes.set_ylim(-0.04 * table["y"].max(), 1.12 * table["y"].max())
    taken = [_around(point) for point in axes.transData.transform(table[["x", "y"]])]
    first = (across + up).sort_values(ascending=False, kind="stable")
    for place in first[first >= 0.5].index[:6]:
        _name_beside(axes, *table.loc[place, ["study", "x", "y"]], taken)
    axes.set_xlabel("Contribution to heterogeneity")
    axes.set_ylabel("Influence on the average")
    _title(axes, "Baujat: which trials matter most", 11)


def _around(point, pixels: float = 2.0) -> Bbox:
    return Bbox([point - pixels, point + pixels])


def _name_beside(axes, name: str, x: float, y: float, taken: list[Bbox]):
    """Writes the name at the first of four corners where it covers nothing that is taken, or nowhere."""
    for across, up in product((1, -1), (1, -1)):
        note = axes.annotate(
            name,
            (x, y),
            xytext=(4 * across, 1 * up),
            textcoords="offset points",
            fontsize=6.5,
            ha="left" if across > 0 else "right",
            va="bottom" if up > 0 else "top",
        )
        box = note.get_window_extent().padded(3)
        inside = axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1
        if inside and not box.count_overlaps(taken):
            taken.append(box)
            return
        note.remove()


def sequence(axes, table: pd.DataFrame, fit: Fit, title: str):
    """One pooled effect with interval per line; dashed: all trials together."""
    limits = _limits(fit, [*table["ci_low"], *table["ci_high"]])
    label_effect_axis(axes, fit.family, fit.event, limits, short=True)
    axes.axvline(0, color=GREY, linewidth=0.5)
    axes.axvline(fit.effect, color=BLUE, linewidth=0.7, linestyle=(0, (3, 2)))
    for place, row in enumerate(table.itertuples()):
        draw_interval(axes, place, row.ci_low, row.ci_high, limits, linewidth=0.8)
        if limits[0] <= row.effect <= limits[1]:
            axes.plot([row.effect], [place], "s", color=BLUE, markersize=2.6, zorder=3)
    axes.set_yticks(range(len(table)), table["label"], fontsize=6.5)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    _title(axes, title, 41)


def influence_panels(axes, table: pd.DataFrame, fit: Fit):
    """Four of Viechtbauer and Cheung's diagnostics by trial number; influential trials in vermilion."""
    number = np.arange(1, len(table) + 1)
    columns = (
        ("rstudent", "Residual (studentised)", (-1.96, 1.96)),
        ("cook", "Cook's distance", ()),
        ("tau2_deleted", "τ² without the trial", (fit.tau2,)),
        ("hat", "Weight (share)", (1 / len(table),)),
    )
    for panel, (column, title, lines) in zip(axes, columns, strict=True):
        for value in lines:
            panel.axhline(value, color=GREY, linewidth=0.6, linestyle=":")
        panel.plot(number, table[column], color=GREY, linewidth=0.5)
        for flag, colour, mark in ((False, BLUE, "o"), (True, VERMILION, "D")):
            chosen = table["influential"].to_numpy() == flag
            panel.plot(number[chosen], table[column][chosen], mark, color=colour, markersize=2.8)
        _title(panel, title, 9)
        if column != "rstudent":  # the others cannot be negative
            highest = float(table[column].max())
            panel.set_ylim(-0.05 * (highest or 0.1), 1.08 * (highest or 0.1))
        panel.set_xlabel("Trial number")
        panel.set_xlim(0.3, len(table) + 0.7)
        panel.xaxis.get_major_locator().set_params(integer=True)


def _limits(fit: Fit, values) -> tuple[float, float]:
    """From the lowest to the highest value and zero, but not beyond a readable cap."""
    values = np.array([0.0, fit.ci_low, fit.ci_high, *values], dtype=float)
    values = values[np.isfinite(values)]
    cap = max(CAP[fit.family], abs(fit.effect) * 1.2)
    low, high = max(values.min(), -cap), min(values.max(), cap)
    pad = 0.06 * (high - low)
    return low - pad, high + pad
