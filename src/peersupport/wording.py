"""Sentences about a pooled result, every number taken from the fit; no verdict by p-value."""

import numpy as np

from peersupport.figures.forest import shown
from peersupport.pooling import Fit

FEW_TRIALS = 5


def model_line(fit: Fit) -> str:
    """What the diamond and the prediction interval of a forest plot are."""
    return (
        f"Random-effects model (REML); 95% CI by Hartung-Knapp, t({fit.df:.0f}); "
        f"prediction interval by Partlett and Riley, t({fit.k - 2})"
    )


def effect_text(fit: Fit) -> str:
    """g = 0.21 (95% CI 0.09 to 0.33), or RR for log risk ratios."""
    name = "g" if fit.family == "smd" else "RR"
    return f"{name} = {shown(fit.effect, fit.family)} (95% CI {_to(fit, 'ci')})"


def prediction_text(fit: Fit) -> str:
    if np.isnan(fit.pi_low):
        return "the prediction interval cannot be estimated"
    share = "" if np.isnan(fit.share_favouring) else f"; {fit.share_favouring:.0%} of it favours"
    share = f"{share} peer support" if share else ""
    return f"95% prediction interval {_to(fit, 'pi')}{share}"


def alt_text(fit: Fit, label: str) -> str:
    """What the forest plot shows, for a reader who cannot see it."""
    positive = int((fit.effects["effect"] > 0).sum())
    return (
        f"Forest plot, {label}: {fit.k} trials, {positive} of them with an effect that favours peer "
        f"support. Pooled {effect_text(fit)}; {prediction_text(fit)}; I² = {fit.i2:.0f}%."
    )


def finding(fit: Fit, label: str) -> str:
    """What is known about a domain and how sure, in two or three plain sentences."""
    first = (
        f"{label}: {fit.trials} trials with {fit.n:,.0f} people, pooled {effect_text(fit)}, "
        f"I² = {fit.i2:.0f}%."
    )
    return " ".join([first, _precision(fit), _settings(fit)]).strip()


def _precision(fit: Fit) -> str:
    low, high = shown(fit.ci_low, fit.family), shown(fit.ci_high, fit.family)
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
    where = (
        "on one side of no difference"
        if fit.pi_low > 0 or fit.pi_high < 0
        else "on either side of no difference"
    )
    return (
        f"In a new setting the true effect may lie between {shown(fit.pi_low, fit.family)} and "
        f"{shown(fit.pi_high, fit.family)}, {where}; it is expected to favour peer support in "
        f"{fit.share_favouring:.0%} of settings."
    )


def _to(fit: Fit, which: str) -> str:
    low, high = getattr(fit, f"{which}_low"), getattr(fit, f"{which}_high")
    return f"{shown(low, fit.family)} to {shown(high, fit.family)}"
