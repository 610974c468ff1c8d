"""The evidence as it would be: without some trials, with one effect shifted, with trials of no effect added.

Each class answers what conclude.evidence.Evidence answers, so that the rules of the claims judge it unchanged. Pools of
many futures are fitted in one call of the engine; what no future changes is asked of the evidence as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

from peersupport.conclude.evidence import Evidence, Share, paired, share_of
from peersupport.pool import engine

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

    shifts: trial to what is added to its effects, added: how many trials of no effect and of the pool's median variance
    come in; both one entry per future. They change pools and subgroups, not votes.
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

    def _pool_trials(self, outcome):
        return self.rows.pooled.loc[self.rows.pooled["outcome_domain"].eq(outcome), "trial"].tolist()

    def _group_trials(self, outcome, moderator, level):
        table = self.rows.grouped[outcome]
        return table.loc[table[moderator].eq(level), "trial"].tolist()

    def _slope_trials(self, outcome, term):
        return self.rows.grouped[outcome].dropna(subset=[term])["trial"].tolist()

    def once(self, key: tuple, make: Callable):
        if key not in self._tables:
            self._tables[key] = make()
        return self._tables[key]

    def shift_of(self, trial: str, at: int) -> float:
        return float(self.shifts[trial][at]) if trial in self.shifts else 0.0

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
            v = np.vstack([v, np.where(there, table["variance"].median(), np.inf)])
            y = np.vstack([y, np.zeros(there.shape)])
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
    reach = np.where(k > 2, reach, np.nan)
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

    def pool(self, outcome: str):
        now = self._all.evidence.pool(outcome)
        if now is None:
            return None
        table = self._of(outcome, now.family)
        found = self._all.once(("pool", outcome), lambda: self._all.pooled(table))
        row = self._row(found, outcome_domain=outcome, family=now.family)
        return row if row.k >= self._all.rows.minimum_trials else None

    def _of(self, outcome, family):
        table = self._all.rows.pooled
        return table[table["outcome_domain"].eq(outcome) & table["family"].eq(family)]

    def effects(self, outcome: str, family: str) -> np.ndarray:
        table = self._of(outcome, family)
        mask = self._all.once(("mask", outcome, family), lambda: self._all.kept(table["trial"].tolist()))
        moved = [self._all.shift_of(trial, self._at) for trial in table["trial"]]
        return (table["effect"].to_numpy(float) + moved)[mask[:, self._at]]

    def subgroup(self, outcome: str, moderator: str, level: str):
        table = self._all.rows.grouped.get(outcome)
        if table is None or self._all.evidence.subgroup(outcome, moderator, level) is None:
            return None
        own = table[table[moderator].eq(level)]
        found = self._all.once(("subgroup", outcome, moderator, level), lambda: self._all.pooled(own))
        row = self._row(found, family="smd")
        return row if row.k else None

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
        now = self._all.evidence.slope(outcome, term)
        if now is None or not np.isfinite(now.estimate):
            return now
        table = self._all.rows.grouped[outcome].dropna(subset=[term])
        found = self._all.once(("slope", outcome, term), lambda: self._slopes(table, term))
        return self._row(found, note="not estimated: too few trials are left")

    def _slopes(self, table, term):
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

    income, barriers: the tables of the ledger made of the studies that are left.
    """

    evidence: Evidence
    income: Callable[[pd.DataFrame], pd.DataFrame]
    barriers: Callable[[pd.DataFrame], pd.DataFrame]

    def without(self, gone: frozenset) -> Evidence:
        studies = self.evidence.studies[~self.evidence.studies["trial"].isin(gone)]
        outcomes = self.evidence.outcomes[~self.evidence.outcomes["trial"].isin(gone)]
        return replace(
            self.evidence,
            studies=studies,
            outcomes=outcomes,
            income=self.income(studies),
            barriers=self.barriers(studies),
        )


def grouped_rows(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Trial tables of moderate.trials with `people`, by outcome."""
    return {
        outcome: table.assign(people=table[["n_arm1", "n_arm2"]].sum(axis=1, min_count=1))
        for outcome, table in tables.items()
    }
