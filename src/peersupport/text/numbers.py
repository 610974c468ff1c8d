"""How a number is written for a person: effects on their scale, intervals and p values."""

import numpy as np


def effect_name(family: str) -> str:
    return "Hedges g" if family == "smd" else "Risk ratio"


def shown(value: float, family: str) -> str:
    """A number as a reader sees it: g as it is, log risk ratios as risk ratios; a true minus sign."""
    if family == "smd":
        return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")
    ratio = np.exp(min(value, 700.0))
    if ratio < 0.01:
        return "<0.01"
    return f"{ratio:.2f}" if ratio < 100 else "99+"


def interval(effect: float, low: float, high: float, family: str) -> str:
    return f"{shown(effect, family)} [{shown(low, family)}, {shown(high, family)}]"


def p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
