"""How sturdy each verdict of the ledger and each certainty is: one row each, with the fewest trials that turn it."""

from collections.abc import Callable, Sequence
from math import comb
from types import SimpleNamespace

import numpy as np
import pandas as pd

from peersupport.conclude import grade
from peersupport.conclude.claims import Claim
from peersupport.conclude.evidence import Evidence
from peersupport.plan import fragility
from peersupport.plan.altered import Futures, Rows, Studies
from peersupport.plan.fragility import Removal

MOST_NULL = 500
SHIFTS = np.linspace(-2, 2, 81)  # in units of the effect
COLUMNS = (
    "claim_id verdict unit of removed trials verdict_then sets exact shift shift_trial null_trials analyses_same grade"
).split()
COLUMNS_GRADE = "outcome_domain family certainty of removed trials certainty_then sets exact grade".split()
AS_POOLED = ("improvement",)  # rules that read one pool's interval and votes, as the multiverse can judge them


def of_claims(
    claims: Sequence[Claim],
    evidence: Evidence,
    rows: Rows,
    studies: Studies,
    multiverse: pd.DataFrame,
    watch: Callable = iter,
) -> pd.DataFrame:
    """fragility.csv: COLUMNS, a row per claim. watch: wraps the claims, as tqdm does.

    Verdicts on trials: every set of up to three trials is tried, then step by step (`exact` says which). `shift`: the
    smallest change of one trial's effect that turns the verdict; `null_trials`: how many trials of no effect and of the
    pool's median variance do (Rosenberg 2005, doi 10.1111/j.0014-3820.2005.tb01004.x, here by fitting them in).
    `analyses_same`: of the distinct analyses of the multiverse, the share with the same verdict, where a rule reads no
    more than they hold. Verdicts on counts: the fewest studies.
    """
    return pd.DataFrame(
        [_claim_row(claim, evidence, rows, studies, multiverse) for claim in watch(claims)], columns=COLUMNS
    )


def _claim_row(claim, evidence, rows, studies, multiverse) -> dict:
    now = claim.judge(evidence)
    about = {"claim_id": claim.claim_id, "verdict": now.verdict}
    if fragility.counts_studies(now):
        found = _fewest_studies(claim, now, evidence, studies)
        return _graded(about | _removal(found, "studies", int(now.k)))
    first = Futures(evidence, rows, [frozenset()])
    [again] = [claim.judge(future) for future in first]
    if again.verdict != now.verdict:  # the models of the chain and those that are refitted here must say the same
        raise ValueError(f"{claim.claim_id}: {again.verdict} from the trials, but {now.verdict} from the tables.")
    units = first.units()
    found = fragility.smallest_removal(units, lambda sets: [claim.judge(one) for one in Futures(evidence, rows, sets)])
    shift, trial = _smallest_shift(claim, evidence, rows, units)
    return _graded(
        about
        | _removal(found, "trials", len(units))
        | {"shift": shift, "shift_trial": trial, "null_trials": _null_trials(claim, evidence, rows)}
        | {"analyses_same": _analyses(claim, evidence, multiverse)}
    )


def _graded(row: dict) -> dict:
    """A verdict that the data are too thin for is not sturdy because fewer data do not change it."""
    return row | {"grade": "not testable"} if row["verdict"] == "not_testable" else row


def _fewest_studies(claim, now, evidence, studies) -> Removal:
    """For a rank, the studies that report what is claimed are left out, those that report most of it first."""

    def judge(gone: frozenset):
        return claim.judge(studies.without(gone))

    if not now.quantity.startswith("of "):
        return fragility.fewest_studies(list(dict.fromkeys(evidence.studies["trial"])), judge)
    reported = studies.barriers_of[studies.barriers_of["theme"].isin(claim.settings["levels"])]
    order = reported.groupby("trial")["theme"].nunique().sort_values(ascending=False, kind="stable").index.tolist()
    size = fragility.fewest_added(lambda m: judge(frozenset(order[:m])).verdict, len(order))
    if size is None:
        return Removal(0, exact=False)
    return Removal(size, tuple(order[:size]), judge(frozenset(order[:size])).verdict, 1, exact=False)


def _removal(found: Removal, unit: str, of: int) -> dict:
    return {
        "unit": unit,
        "of": of,
        "removed": found.size,
        "trials": "; ".join(map(str, found.units)) if unit == "trials" else "",
        "verdict_then": found.verdict,
        "sets": found.sets,
        "exact": found.exact,
        "grade": fragility.in_words(found, of),
    }


def _smallest_shift(claim, evidence, rows, units) -> tuple[float, str]:
    """Every trial at every point of SHIFTS; the end nearest to no change is then halved in."""
    steps = np.array(sorted(SHIFTS, key=abs))
    shifts = {unit: np.zeros(len(units) * len(steps)) for unit in units}
    for place, unit in enumerate(units):
        shifts[unit][place * len(steps) : (place + 1) * len(steps)] = steps
    futures = Futures(evidence, rows, [frozenset()] * (len(units) * len(steps)), shifts)
    verdicts = np.array([claim.judge(one).verdict for one in futures]).reshape(len(units), len(steps))
    turned = verdicts != claim.judge(evidence).verdict
    if not turned.any():
        return float("nan"), ""
    first = np.where(turned.any(axis=1), turned.argmax(axis=1), len(steps) - 1)
    reach = np.where(turned.any(axis=1), np.abs(steps[first]), np.inf)
    place = int(reach.argmin())
    unit, end = units[place], float(steps[first[place]])

    def verdict_at(shift: float) -> str:
        [future] = Futures(evidence, rows, [frozenset()], {unit: np.array([shift])})
        return claim.judge(future).verdict

    return fragility.first_turn(verdict_at, end, steps=12), unit


def _null_trials(claim, evidence, rows) -> float:
    def verdict_with(many: int) -> str:
        [future] = Futures(evidence, rows, [frozenset()], added=np.array([many]))
        return claim.judge(future).verdict

    found = fragility.fewest_added(verdict_with, MOST_NULL)
    return float("nan") if found is None else found


def _analyses(claim, evidence, multiverse) -> float:
    """Of the distinct results of the outcome, the share with which the rule gives the same verdict."""
    if claim.rule not in AS_POOLED:
        return float("nan")
    [outcome] = claim.settings["outcomes"]
    own = multiverse[multiverse["outcome_domain"].eq(outcome)].drop_duplicates(["k", "effect", "ci_low", "ci_high"])
    if own.empty:
        return float("nan")
    now, verdict = evidence.pool(outcome), claim.judge(evidence).verdict
    same = [
        claim.judge(_with_pool(evidence, SimpleNamespace(**now._asdict() | row))).verdict == verdict
        for row in own[["k", "effect", "ci_low", "ci_high"]].to_dict("records")
    ]
    return float(np.mean(same))


class _with_pool:
    """The evidence with another pool."""

    def __init__(self, evidence, row):
        self._evidence, self._row = evidence, row

    def __getattr__(self, name):
        return getattr(self._evidence, name)

    def pool(self, outcome, family=""):
        return self._row


# ---------------------------------------------------------------- certainty


def of_certainty(
    findings: pd.DataFrame,
    trials: pd.DataFrame,
    small: pd.DataFrame,
    absolute: pd.DataFrame,
    *,
    rules: grade.Rules,
    baseline: float,
    budget: int,
) -> pd.DataFrame:
    """fragility_certainty.csv: COLUMNS_GRADE, a row per outcome: the fewest trials whose removal moves its certainty,
    as GRADE's rules suggest it.

    findings: summary_of_findings.csv; trials: its pooled trials with `people`; small, absolute: notebook 03's tables.
    budget: as many sets are tried at most before the search goes on step by step. Publication bias stays as it is with
    all trials.
    """
    rows = []
    for row in findings.to_dict("records"):
        key = (row["outcome_domain"], row["family"])
        own, event = grade.of(trials, key), grade.event(grade.first(absolute, key), baseline)
        judge = _certainty_judge(row, own, grade.first(small, key), rules, event)
        units = own["trial"].tolist()
        depth = max((d for d in (1, 2, 3) if sum(comb(len(units), s) for s in range(1, d + 1)) <= budget), default=1)
        found = fragility.smallest_removal(units, judge, exact_up_to=depth)
        about = {"outcome_domain": key[0], "family": key[1], "certainty": row["certainty_suggested"]}
        told = _removal(found, "trials", len(units))
        rows.append(about | {name: told[name] for name in ("of", "removed", "trials", "sets", "exact", "grade")})
        rows[-1]["certainty_then"] = found.verdict
    return pd.DataFrame(rows, columns=COLUMNS_GRADE)


def _certainty_judge(row, trials, small, rules, event):
    def judge(sets: Sequence[frozenset]) -> list[SimpleNamespace]:
        pooled = Futures(Evidence(), Rows(trials, {}, trials, 1), sets).pooled(trials)
        left = [trials[~trials["trial"].isin(gone)] for gone in sets]
        return [_certainty(row, part, pooled, at, small, rules, event) for at, part in enumerate(left)]

    return judge


def _certainty(row, left, pooled, at, small, rules, event) -> SimpleNamespace:
    now = {name: values[at].item() for name, values in pooled.items()} | {"family": row["family"]}
    spread = now["tau2"] if np.isfinite(now["tau2"]) else 0.0
    weighted = left.assign(weight=1 / (left["variance"] + spread))
    steps = grade.downgrades(now, weighted, small, rules, event)
    level = grade.certainty(grade.starting_level(weighted, rules), sum(step for step, _ in steps.values()))
    return SimpleNamespace(verdict=level, estimate=now["effect"])
