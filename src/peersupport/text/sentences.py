"""Sentences about a pooled result, every number taken from the fit; no verdict by p-value."""

from collections.abc import Mapping

import numpy as np

from peersupport.pool.fit import Fit
from peersupport.pool.models import NARROWER
from peersupport.text.numbers import better, ends, people, shown, span

FEW_TRIALS = 5
NARROW = "The trials are more alike than chance would have them, so the interval may be too narrow."


def model_line(fit: Fit) -> str:
    """What the diamond and the prediction interval of a forest plot are."""
    return (
        f"Random-effects model (REML); 95% CI by Hartung-Knapp, t({fit.df:.0f}); "
        f"prediction interval by Partlett and Riley, t({fit.k - 2})"
    )


def effect_text(fit: Fit) -> str:
    """g = 0.21 (95% CI 0.09 to 0.33); of a risk ratio, on which side of 1 peer support does better."""
    name, side = "g", ""
    if fit.family != "smd":
        name, side = "RR", f"; {better(fit.family, fit.event)} favours peer support"
    return f"{name} = {shown(fit.effect, fit.family, fit.event)} (95% CI {_to(fit, 'ci')}{side})"


def prediction_text(fit: Fit) -> str:
    if np.isnan(fit.pi_low):
        return "the prediction interval cannot be estimated"
    return f"95% prediction interval {_to(fit, 'pi')}"


def alt_text(fit: Fit, label: str) -> str:
    """What the forest plot shows, for a reader who cannot see it."""
    positive = int((fit.effects["effect"] > 0).sum())
    return (
        f"Forest plot, {label}: {fit.k} trials, {positive} of them with an effect that favours peer "
        f"support. Pooled {effect_text(fit)}; {prediction_text(fit)}; I² = {fit.i2:.0f}%."
    )


def finding(models: dict[str, Fit], main: str, label: str, names: dict[str, str]) -> str:
    """What is known about a domain and how sure: size, precision, settings, models, risk of bias.

    names: what each model is called (pool.models.model_labels).
    """
    fit = models[main]
    first = (
        f"**{label}**: {fit.trials} trials with {people(fit.n)} people, pooled {effect_text(fit)}, I² = {fit.i2:.0f}%."
    )
    narrow = NARROW if fit.note == NARROWER else ""
    parts = (first, _precision(fit), narrow, _settings(fit), _dependence(models, main, names), _bias(fit))
    return " ".join(part for part in parts if part)


def nnt_text(row: dict, kind: str) -> str:
    """NNT with its interval; through infinity where the interval includes no effect (Altman 1998)."""
    value, low, high = (row[f"{kind}{end}"] for end in ("", "_low", "_high"))
    if low > 0 and high > 0:
        return f"{value:.0f} ({high:.0f} to {low:.0f})"
    if low < 0 and high < 0:
        return f"{-value:.0f} to harm ({-low:.0f} to {-high:.0f})"
    side = "to benefit" if value > 0 else "to harm"
    return f"{abs(value):.0f} {side} ({high:.0f} to benefit, through infinity, to {-low:.0f} to harm)"


def absolute_text(row: dict, labels: dict[str, str]) -> str:
    """One domain's line in absolute terms; g is re-expressed where a scale's SD is known."""
    label = labels[row["outcome_domain"]]
    if row["family"] == "log_rr":
        return f"{label}: number needed to treat {nnt_text(row, 'nnt_risk_ratio')}."
    line = (
        f"{label}: number needed to treat {nnt_text(row, 'nnt_kraemer_kupfer')} by Kraemer and "
        f"Kupfer, {nnt_text(row, 'nnt_furukawa')} by Furukawa"
    )
    if not isinstance(row.get("instrument"), str):
        return f"{line}; no common scale with its SD."
    points = (shown(row[f"points{end}"], "smd") for end in ("", "_low", "_high"))
    value, low, high = points
    return (
        f"{line}; on the {row['instrument']} (SD {row['scale_sd']:.2g}, {row['scale_trials']:.0f} "
        f"trial{'s' if row['scale_trials'] > 1 else ''}) {value} points ({low} to {high})."
    )


def page_alt_text(models: dict[str, Fit], main: str, tables: dict, label: str) -> str:
    """What the page of pictures shows, for a reader who cannot see it."""
    fit, left = models[main], tables["left_out"]
    fitted = [f.effect for f in models.values() if not np.isnan(f.effect)]
    flagged = list(tables["influences"].query("influential")["study"])
    return (
        f"{label}, {fit.k} trials. Models: {len(fitted)} estimates from "
        f"{span(min(fitted), max(fitted), fit.family, fit.event)}. Leave-one-out: the average runs from "
        f"{span(left['effect'].min(), left['effect'].max(), fit.family, fit.event)}. "
        f"Influential: {', '.join(flagged) or 'none'}. "
        "Also a contour-enhanced funnel, p-value functions, a Baujat plot and the cumulative average."
    )


def _share(share: float) -> str:
    return "more than 99%" if share > 0.99 else "fewer than 1%" if share < 0.01 else f"{share:.0%}"


def _dependence(models: dict[str, Fit], main: str, names: dict[str, str]) -> str:
    others = {n: f for n, f in models.items() if n != main and not np.isnan(f.effect)}
    if not others:
        return ""
    fit = models[main]
    lowest, highest = (pick(others.values(), key=lambda f: f.effect) for pick in (min, max))
    agree = sum(_side(other) == _side(fit) for other in others.values())
    where = {1: "above no difference", -1: "below no difference", 0: "with no difference inside"}
    return (
        f"Of {len(others)} other models that could be fitted, {agree} also give an interval "
        f"{where[_side(fit)]}; their estimates run from {shown(lowest.effect, fit.family, fit.event)} "
        f"({names[lowest.model]}) to {shown(highest.effect, fit.family, fit.event)} ({names[highest.model]})."
    )


def _bias(fit: Fit) -> str:
    if "risk_of_bias" not in fit.effects:
        return ""
    judged = fit.effects["risk_of_bias"].value_counts()
    return (
        f"Overall risk of bias is low in {judged.get('low', 0)} of the {fit.k} trials and high in "
        f"{judged.get('high', 0)}."
    )


def _side(fit: Fit) -> int:
    return 1 if fit.ci_low > 0 else -1 if fit.ci_high < 0 else 0


def _precision(fit: Fit) -> str:
    low, high = ends(fit.ci_low, fit.ci_high, fit.family, fit.event)
    if fit.ci_low > 0:
        return f"The average effect favours peer support; its size may be as small as {low} or as large as {high}."
    if fit.ci_high < 0:
        return f"The average effect favours the comparator, by an amount between {low} and {high}."
    return f"The data are compatible with an average effect from {low} to {high}, both directions included."


def _settings(fit: Fit) -> str:
    if fit.k < FEW_TRIALS:
        return f"With {fit.k} trials, how far settings differ can hardly be told."
    if np.isnan(fit.pi_low):
        return ""
    where = "on one side of no difference" if fit.pi_low > 0 or fit.pi_high < 0 else "on either side of no difference"
    low, high = ends(fit.pi_low, fit.pi_high, fit.family, fit.event)
    sentence = (
        f"In a new setting the true effect may lie between {low} and {high}, "
        f"{where}; it is expected to favour peer support in "
        f"{_share(fit.share_favouring)} of settings."
    )
    if fit.tau2 > 0:
        return sentence
    return (
        f"{sentence} That range rests on a spread between trials estimated as nil, while a standard "
        f"deviation of up to {np.sqrt(fit.tau2_ci_high):.2f} fits them as well."
    )


def _to(fit: Fit, which: str) -> str:
    return span(getattr(fit, f"{which}_low"), getattr(fit, f"{which}_high"), fit.family, fit.event)


def curve_text(row: Mapping) -> str:
    """All specifications of one pool: from, to, median and the main analysis; row: one of multiverse_summary.csv."""
    low, high = ends(row["lowest"], row["highest"], row["family"], row["event"])
    median, main = (shown(row[name], row["family"], row["event"]) for name in ("median", "main_effect"))
    return f"from {low} to {high}, median {median}, main analysis {main}"
