"""How a number is written for a person: effects on their scale, intervals, people and p values.

Inside the code a positive effect favours arm 1. A reader sees the ratio of the event as it is named, arm 1 over arm 2:
of events to be avoided the ratio is below 1 where arm 1 does better. `event` says which of the two they are.
"""

import numpy as np

EVENTS = ("avoid", "wanted")


def effect_name(family: str) -> str:
    return "Hedges g" if family == "smd" else "Risk ratio"


def as_named(log_ratio: float, event: str) -> float:
    """The ratio of the event as it is named, of a log ratio that is positive where arm 1 does better."""
    if event not in EVENTS:
        raise ValueError(f"a risk ratio of events that are {event!r}: say avoid or wanted.")
    return float(np.exp(np.clip(-log_ratio if event == "avoid" else log_ratio, -700.0, 700.0)))


def shown(value: float, family: str, event: str = "") -> str:
    """A number as a reader sees it: g with a true minus sign, a log ratio as the ratio of the event as named."""
    if family == "smd":
        return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")
    ratio = as_named(value, event)
    if ratio < 0.01:
        return "<0.01"
    return f"{ratio:.2f}" if ratio < 100 else "99+"


def ends(low: float, high: float, family: str, event: str = "") -> tuple[str, str]:
    """Both ends as a reader sees them, the smaller number first."""
    first, second = (shown(value, family, event) for value in (low, high))
    return (second, first) if family != "smd" and event == "avoid" else (first, second)


def span(low: float, high: float, family: str, event: str = "") -> str:
    """0.09 to 0.33."""
    return " to ".join(ends(low, high, family, event))


def interval(effect: float, low: float, high: float, family: str, event: str = "") -> str:
    return f"{shown(effect, family, event)} [{', '.join(ends(low, high, family, event))}]"


def better(family: str, event: str) -> str:
    """On which side of no effect arm 1 does better: above 0, below 1 or above 1."""
    return "above 0" if family == "smd" else "below 1" if event == "avoid" else "above 1"


def people(n: float) -> str:
    """1,234; not stated where no source says how many."""
    return "not stated" if np.isnan(n) else f"{n:,.0f}"


def p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
