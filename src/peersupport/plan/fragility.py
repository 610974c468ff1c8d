"""How sturdy a verdict is: the fewest trials whose removal changes it, and the smallest change that does.

A judge answers for many changed evidences at once: given sets of units that are left out (trials or studies), it
returns a Finding for each (conclude.claims: `verdict` and `estimate` are read). Nothing here knows a rule.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Protocol

import numpy as np

EXACT_UP_TO = 3
AT_ONCE = 4096


class Judged(Protocol):
    verdict: str
    estimate: float


Unit = Hashable
Judge = Callable[[Sequence[frozenset]], Sequence[Judged]]


@dataclass(frozen=True)
class Removal:
    """`size` units change the verdict to `verdict`; `units` are one such set, of `sets` there are of that size.

    exact: no smaller set does; otherwise the size is that of a greedy search and the true one may be smaller.
    size 0: nothing that was tried changes it.
    """

    size: int
    units: tuple[Unit, ...] = ()
    verdict: str = ""
    sets: int = 0
    exact: bool = True


def smallest_removal(units: Sequence[Unit], judge: Judge, exact_up_to: int = EXACT_UP_TO) -> Removal:
    """Every set of up to `exact_up_to` units is tried; beyond, units are removed greedily, once so that the estimate
    falls most at each step and once so that it rises most, and the shorter way counts."""
    now = judge([frozenset()])[0].verdict
    for size in range(1, min(exact_up_to, len(units)) + 1):
        turned = [
            (chosen, found.verdict)
            for some in _batches(combinations(units, size), AT_ONCE)
            for chosen, found in zip(some, judge([frozenset(one) for one in some]), strict=True)
            if found.verdict != now
        ]
        if turned:
            return Removal(size, turned[0][0], turned[0][1], len(turned))
    ways = [_greedy(units, judge, now, sign) for sign in (1, -1)]
    return min((way for way in ways if way.size), key=lambda way: way.size, default=Removal(0, exact=False))


def _greedy(units, judge, now, sign):
    gone: list[Unit] = []
    while len(gone) < len(units) - 1:
        left = [unit for unit in units if unit not in gone]
        found = judge([frozenset([*gone, unit]) for unit in left])
        estimates = np.array([sign * one.estimate for one in found], float)
        if np.isnan(estimates).all():
            break
        at = int(np.nanargmin(estimates))
        gone.append(left[at])
        if found[at].verdict != now:
            return Removal(len(gone), tuple(gone), found[at].verdict, 1, exact=False)
    return Removal(0, exact=False)


def _batches(items, size):
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def first_turn(verdict_at: Callable[[float], str], end: float, steps: int = 40) -> float:
    """The smallest change between 0 and `end` (either sign) whose verdict is not that at 0; NaN if that at `end` is.

    A verdict that turns and turns back between is met at one of its turns.
    """
    now = verdict_at(0.0)
    if verdict_at(end) == now:
        return float("nan")
    same, other = 0.0, end
    for _ in range(steps):
        middle = (same + other) / 2
        same, other = (middle, other) if verdict_at(middle) == now else (same, middle)
    return other


def fewest_added(verdict_with: Callable[[int], str], most: int) -> int | None:
    """The fewest added units, up to `most`, with which the verdict is another; None if `most` leave it as it is."""
    now = verdict_with(0)
    if verdict_with(most) == now:
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if verdict_with(middle) == now else (low, middle)
    return high


def in_words(removal: Removal, trials: int) -> str:
    """A grade of sturdiness: `trials` is how many carry the verdict.

    fragile: one unit changes it; delicate: two or three; firm: more than three but under a quarter; sturdy: a quarter
    or more, or nothing that was tried.
    """
    if removal.size == 1:
        return "fragile"
    if 0 < removal.size <= EXACT_UP_TO:
        return "delicate"
    return "firm" if 0 < removal.size < trials / 4 else "sturdy"


COUNTED = {"share", "difference in share"}  # quantities of rules that count studies, and ranks


def counts_studies(finding) -> bool:
    """Whether the finding rests on a count of studies and not on trials' effects or votes."""
    return finding.quantity in COUNTED or finding.quantity.startswith("of ")


def fewest_studies(units: Sequence[Unit], judge: Callable[[frozenset], Judged]) -> Removal:
    """For verdicts that count studies: those whose removal lowers the number, and those whose removal raises it, are
    taken out as they come until the verdict changes; the shorter way counts. Studies alike in what is counted are
    exchangeable, so for a share this is the true minimum.
    """
    now = judge(frozenset())
    lower, higher = [], []
    for unit in units:
        moved = judge(frozenset([unit])).estimate - now.estimate
        if moved < 0:
            lower.append(unit)
        elif moved > 0:
            higher.append(unit)
    ways = []
    for side in (lower, higher):
        size = fewest_added(lambda m, side=side: judge(frozenset(side[:m])).verdict, len(side))
        if size:
            ways.append(Removal(size, tuple(side[:size]), judge(frozenset(side[:size])).verdict, 1, exact=True))
    return min(ways, key=lambda way: way.size, default=Removal(0))
