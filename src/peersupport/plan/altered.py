"""The evidence as it would be: without some trials, with one effect shifted, with trials of no effect added.

Each class answers what conclude.evidence.Evidence answers, so that the rules of the claims judge it unchanged. Pools of
many futures are fitted in one call of the engine; what no future changes is asked of the evidence as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

from peersupport.conclude.evidence import Evidence, Share, paired, share_of
from peersupport.pool import engine
from peersupport.pool.fit import PREDICTED_FROM

exact_share = cache(share_of)
WAYS = ("arm1", "neither", "arm2")


@dataclass(frozen=True)
class Rows:
    """One effect per trial: trial, outcome, family, effect, variance, people and the moderators' levels.

    pooled: of each pooled outcome; grouped: of all recovery outcomes and each type; late: effects long after the end.
    minimum_trials: below it an outcome is not pooled.
    """

    pooled: pd.DataFrame
    grouped: Mapping[str, pd.DataFrame]
    late: pd.DataFrame
    minimum_trials: int


class Futures:
    """What the rules would read in each of several futures; `kept`: trial to a bool array, one entry per future.

    shifts: trial to what is added to its effects; added: how many trials of no true effect and of the pool's median
    variance come in, by turns one standard error to either side of none, as chance would scatter them. Both have one
    entry per future, and change pools and subgroups, not votes.
    """

    def __init__(
        self,
        evidence: Evidence,
        rows: Rows,
        gone: Sequence[frozenset],
        shifts: Mapping[str, np.ndarray] | None = None,
        added: np.ndarray | None = None,
    ):
        self.evidence, self.rows, self.gone = evidence, rows, gone
        self.shifts, self.added = shifts or {}, added
        self._tables: dict = {}

    def __iter__(self):
        return (Future(self, at) for at in range(len(self.gone)))

    def units(self) -> list[str]:
        """The trials of every table that was asked for so far, in the order in which they stand there."""
        tables = {"pool": self._pool_trials, "subgroup": self._group_trials, "slope": self._slope_trials}
        found: list[str] = []
        for kind, *about in list(self._tables):
            if kind == "late":
                found += self.rows.late["trial"].tolist()
            elif kind == "pairs":
                found += self._tables[kind, *about]["trial"].tolist()
            elif kind == "votes":
                found += [unit for unit in self._tables[kind, *about] if unit not in WAYS]
            elif kind in tables:
                found += tables[kind](*about)
        return list(dict.fromkeys(found))

    def _pool_trials(self, outcome, family):
        table = self.rows.pooled
        return table.loc[table["outcome_domain"].eq(outcome) & table["family"].eq(family), "trial"].tolist()

    def _group_trials(self, outcome, moderator, level):
        table = self.rows.grouped[outcome]
        return table.loc[table[moderator].eq(level), "trial"].tolist()

    def _slope_trials(self, outcome, term):
        return self.rows.grouped[outcome].dropna(subset=[term])["trial"].tolist()

    def once(self, key: tuple, make: Callable):
        if key not in self._tables:
            self._tables[key] = make()
        return self._tables[key]

    def kept(self, trials: Sequence[str]) -> np.ndarray:
        """trials x futures: whether the trial is still there."""
        at = {trial: place for place, trial in enumerate(trials)}
        mask = np.ones((len(trials), len(self.gone)), bool)
        for future, removed in enumerate(self.gone):
            for trial in removed:
                if trial in at:
                    mask[at[trial], future] = False
        return mask

    def pooled(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """k, n, effect, ci_low, ci_high, pi_low, pi_high, i2 of the main model, one entry per future."""
        mask = self.kept(table["trial"].tolist())
        moved = np.zeros(mask.shape)
        for place, trial in enumerate(table["trial"]):
            moved[place] = self.shifts.get(trial, 0.0)
        y = (table["effect"].to_numpy(float)[:, None] + moved) * mask
        v = np.where(mask, table["variance"].to_numpy(float)[:, None], np.inf)
        people = table["people"].fillna(0).to_numpy(float) @ mask
        if self.added is not None:
            there = np.arange(self.added.max())[:, None] < self.added
            typical = table["variance"].median()
            either_side = np.where(np.arange(self.added.max()) % 2, -1, 1) * np.sqrt(typical)
            v = np.vstack([v, np.where(there, typical, np.inf)])
            y = np.vstack([y, there * either_side[:, None]])
        return _main_model(y, v) | {"n": people}


def _main_model(y: np.ndarray, v: np.ndarray) -> dict[str, np.ndarray]:
    fit = engine.pool(y, v, "REML")
    error, df = engine.standard_error(fit, "hartung_knapp")
    k = np.isfinite(v).sum(axis=0)
    w = np.where(np.isfinite(v), 1 / v, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        typical = (k - 1) / (w.sum(axis=0) - (w**2).sum(axis=0) / w.sum(axis=0))
        half = stdtrit(np.maximum(df, 1), 0.975) * error
        reach = stdtrit(np.maximum(k - 2, 1), 0.975) * np.sqrt(fit.tau2 + error**2)
        i2 = 100 * fit.tau2 / (fit.tau2 + typical)
    alone = np.flatnonzero(k == 1)
    effect, half = fit.effect.copy(), half.copy()
    for at in alone:
        place = int(np.argmax(np.isfinite(v[:, at])))
        effect[at], half[at] = y[place, at], ndtri(0.975) * np.sqrt(v[place, at])
    reach = np.where(k >= PREDICTED_FROM, reach, np.nan)
    found = {"k": k, "effect": effect, "ci_low": effect - half, "ci_high": effect + half, "tau2": fit.tau2, "i2": i2}
    return found | {"pi_low": effect - reach, "pi_high": effect + reach}


class Future:
    """One of several futures, as a rule asks for it."""

    def __init__(self, futures: Futures, at: int):
        self._all, self._at = futures, at

    def __getattr__(self, name):
        return getattr(self._all.evidence, name)

    def _row(self, found: Mapping[str, np.ndarray], **about) -> SimpleNamespace:
        return SimpleNamespace(**{name: values[self._at].item() for name, values in found.items()}, **about)

    def pool(self, outcome: str, family: str = ""):
        now = self._all.once(("now", outcome, family), lambda: self._all.evidence.pool(outcome, family))
        if now is None:
            return None
        own = (outcome, now.family)
        found = self._all.once(("pool", *own), lambda: self._all.pooled(self._of(*own)))
        row = self._row(found, outcome_domain=outcome, family=now.family, event=getattr(now, "event", ""))
        return row if row.k >= self._all.rows.minimum_trials else None

    def _of(self, outcome, family):
        table = self._all.rows.pooled
        return table[table["outcome_domain"].eq(outcome) & table["family"].eq(family)]

    def effects(self, outcome: str, family: str) -> np.ndarray:
        effect, mask = self._all.once(("effects", outcome, family), lambda: self._shifted(outcome, family))
        return effect[mask[:, self._at], self._at]

    def _shifted(self, outcome, family):
        table = self._of(outcome, family)
        names, effect = table["trial"].tolist(), table["effect"].to_numpy(float)
        moved = np.array([np.broadcast_to(self._all.shifts.get(name, 0.0), len(self._all.gone)) for name in names])
        return effect[:, None] + moved, self._all.kept(names)

    def subgroup(self, outcome: str, moderator: str, level: str):
        about = (outcome, moderator, level)
        if not self._all.once(("there", *about), lambda: self._there(*about)):
            return None
        found = self._all.once(("subgroup", *about), lambda: self._all.pooled(self._level(*about)))
        row = self._row(found, family="smd")
        return row if row.k else None

    def _there(self, outcome, moderator, level) -> bool:
        known = self._all.evidence.subgroup(outcome, moderator, level) is not None
        return known and outcome in self._all.rows.grouped

    def _level(self, outcome, moderator, level):
        table = self._all.rows.grouped[outcome]
        return table[table[moderator].eq(level)]

    def late(self):
        found = self._all.once(("late",), lambda: self._all.pooled(self._all.rows.late))
        return self._row(found, family="smd")

    def difference(self, one: str, other: str):
        pairs = self._all.once(("pairs", one, other), lambda: self._pairs(one, other))
        if len(pairs) < 2:
            return None
        found = self._all.once(("difference", one, other), lambda: self._all.pooled(pairs))
        row = self._row(found, family="smd")
        return row if row.k > 1 else None

    def _pairs(self, one, other):
        pairs = paired(self._all.rows.pooled, one, other, self._all.evidence.correlation)
        people = pairs[["n_arm1", "n_arm2"]].sum(axis=1) if "n_arm1" in pairs else np.nan
        return pairs.assign(people=people)

    def slope(self, outcome: str, term: str):
        now = self._all.once(("term", outcome, term), lambda: self._all.evidence.slope(outcome, term))
        if now is None or not np.isfinite(now.estimate):
            return now
        found = self._all.once(("slope", outcome, term), lambda: self._slopes(outcome, term))
        return self._row(found, note="not estimated: too few trials are left")

    def _slopes(self, outcome, term):
        table = self._all.rows.grouped[outcome].dropna(subset=[term])
        mask = self._all.kept(table["trial"].tolist())
        y = table["effect"].to_numpy(float)[:, None] * mask
        v = np.where(mask, table["variance"].to_numpy(float)[:, None], np.inf)
        fit = engine.regress(y, v, np.column_stack([np.ones(len(table)), table[term].to_numpy(float)]))
        half = stdtrit(np.maximum(fit.k - 2, 1), 0.975) * np.sqrt(fit.covariance[:, 1, 1])
        estimate = fit.estimate[1]
        return {"estimate": estimate, "ci_low": estimate - half, "ci_high": estimate + half, "k": fit.k}

    def share(self, outcome: str, column: str = "", levels: Sequence[str] = ()) -> Share:
        votes = self._all.once(("votes", outcome, column, tuple(levels)), lambda: self._votes(outcome, column, levels))
        removed = [votes[trial] for trial in self._all.gone[self._at] if trial in votes]
        counts = [votes[way] - removed.count(way) for way in WAYS]
        return exact_share(*counts, self._all.evidence.neither)

    def _votes(self, outcome, column, levels) -> dict:
        votes = self._all.evidence.votes
        votes = votes[votes["outcome_domain"].eq(outcome)]
        if column:
            votes = votes[votes[column].isin(levels)]
        counts = votes["direction"].value_counts()
        ways = {way: int(counts.get(way, 0)) for way in WAYS}
        return dict(zip(votes["trial"], votes["direction"], strict=True)) | ways


@dataclass(frozen=True)
class Studies:
    """What rules that count studies read, trial by trial.

    income_of: trial to income group, of the trials that are counted; barriers_of: trial and theme, of every report.
    """

    evidence: Evidence
    income_of: pd.Series
    barriers_of: pd.DataFrame

    def without(self, gone: frozenset) -> "StudiesLeft":
        return StudiesLeft(self, gone)


class StudiesLeft:
    """The evidence without the reports of some trials; a table is made when a rule asks for it."""

    def __init__(self, whole: Studies, gone: frozenset):
        self._whole, self._gone = whole, gone

    def __getattr__(self, name):
        return getattr(self._whole.evidence, name)

    def _left(self, table):
        return table[~table["trial"].isin(self._gone)]

    @property
    def studies(self) -> pd.DataFrame:
        return self._left(self._whole.evidence.studies)

    @property
    def outcomes(self) -> pd.DataFrame:
        return self._left(self._whole.evidence.outcomes)

    @property
    def income(self) -> pd.DataFrame:
        left = self._whole.income_of[~self._whole.income_of.index.isin(self._gone)]
        table = self._whole.evidence.income
        return table.assign(trials=table["income_group"].map(left.value_counts()).fillna(0).astype(int))

    @property
    def barriers(self) -> pd.DataFrame:
        """Counted anew; the intervals of the ranks stay as they are."""
        counts = self._left(self._whole.barriers_of).drop_duplicates(["study", "theme"])["theme"].value_counts()
        table = self._whole.evidence.barriers
        table = table.assign(studies=table["theme"].map(counts).fillna(0).astype(int))
        return table.assign(rank=table["studies"].rank(method="min", ascending=False))


def grouped_rows(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Trial tables of moderate.trials with `people`, by outcome."""
    return {
        outcome: table.assign(people=table[["n_arm1", "n_arm2"]].sum(axis=1, min_count=1))
        for outcome, table in tables.items()
    }
