"""Each claim of the article beside the number that carries it: the rules of claims.csv as named functions.

RULES maps a claim to its rule and the rule's thresholds, as the sheet words them; a test compares the two. A rule takes
the Evidence and returns a Finding, whose verdict is one of VERDICTS and whose reason is a sentence with its numbers.
Where the sheet's words leave a choice, the choice is in the rule's docstring. "CI above 0" means the whole interval.

Shares are of the trials with a vote (direction.trial_directions). Of a trial under `neither` the source says only that
the arms did not differ: its direction is unknown because it was not significant, and to leave it out would count
significance. So it stays in the share (against, as in effect_direction.csv); `verdict_left_out` shows what the other
reading, that of the Cochrane Handbook's chapter 12, would give.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from statsmodels.stats.proportion import confint_proportions_2indep

from peersupport.describe.studies import RANDOMISED, wilson
from peersupport.describe.votes import trial_directions
from peersupport.moderate.over_time import REMOTE
from peersupport.moderate.trials import ABSENT, ALL_RECOVERY
from peersupport.pool.fit import NAN

SUPPORTED, PARTLY, NOT, UNTESTABLE = VERDICTS = ("supported", "partly_supported", "not_supported", "not_testable")
COLUMNS = "claim_id claim verdict estimate ci_low ci_high k n reason quantity verdict_left_out".split()


@dataclass(frozen=True)
class Evidence:
    """The chain's tables that the rules read.

    pooled: the main model's rows of pooled_outcomes.csv; trials: outcome_domain, family, trial, effect of the pooled
    trials; votes: votes_for_claims; subgroups, regressions, over_time: the tables of notebook 04; barriers:
    barrier_ranks.csv; studies, outcomes: notebook 01's; income: trials_by_income.csv.
    """

    pooled: pd.DataFrame = field(default_factory=pd.DataFrame)
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)
    votes: pd.DataFrame = field(default_factory=pd.DataFrame)
    subgroups: pd.DataFrame = field(default_factory=pd.DataFrame)
    regressions: pd.DataFrame = field(default_factory=pd.DataFrame)
    over_time: pd.DataFrame = field(default_factory=pd.DataFrame)
    barriers: pd.DataFrame = field(default_factory=pd.DataFrame)
    studies: pd.DataFrame = field(default_factory=pd.DataFrame)
    outcomes: pd.DataFrame = field(default_factory=pd.DataFrame)
    income: pd.DataFrame = field(default_factory=pd.DataFrame)
    labels: dict[str, str] = field(default_factory=dict)
    neither: str = "against"


@dataclass(frozen=True)
class Finding:
    """A verdict with the number that carries it. `k`: trials or studies behind it; `n`: people in them, if counted."""

    verdict: str
    reason: str
    estimate: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN
    k: float = NAN
    n: float = NAN
    quantity: str = ""


@dataclass(frozen=True)
class Share:
    """Of `counted` votes, how many favour peer support; exact (Clopper-Pearson) interval; blank without a vote."""

    favour: int
    counted: int
    neither: int
    share: float = NAN
    ci_low: float = NAN
    ci_high: float = NAN

    def __str__(self) -> str:
        if self.counted == 0:
            return "no trial tells a direction"
        trials = "trial" if self.counted == 1 else "trials"
        words = f"{self.favour} of {self.counted} {trials} favour peer support ({_percent(self)})"
        return f"{words}; {self.neither} found no difference" if self.neither else words


def evaluate(claims: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """claims.csv (claim_id, claim, ...) with verdict, number and reason: COLUMNS, one row per claim.

    Raises ValueError for a claim that has no rule here.
    """
    lost = sorted(set(claims["claim_id"]) - set(RULES))
    if lost:
        raise ValueError(
            f"claims.csv: no rule for {', '.join(lost)}; add one to RULES in src/peersupport/conclude/claims.py."
        )
    other = replace(evidence, neither="left_out")
    rows = []
    for row in claims.itertuples():
        rule, thresholds = RULES[row.claim_id]
        found = rule(evidence, **thresholds)
        about = {"claim_id": row.claim_id, "claim": row.claim, **vars(found)}
        rows.append(about | {"verdict_left_out": rule(other, **thresholds).verdict})
    return pd.DataFrame(rows)[COLUMNS]


def consistent_improvement(evidence: Evidence, outcome: str, share: float, above: float, enough: int) -> Finding:
    """C01. The share is of the pooled trials' own effects above 0, whatever their p-values."""
    row = _pooled(evidence, outcome, "smd")
    if row is None:
        return Finding(UNTESTABLE, f"{_label(evidence, outcome)}: too few trials to pool.")
    effects = _effects(evidence, outcome, "smd")
    favour, percent = int((effects > 0).sum()), 100 * float((effects > 0).mean())
    reason = (
        f"{_pooled_words(row)}; {favour} of {len(effects)} trials ({percent:.0f}%) favour peer support, {share:g}% "
        "asked; "
        f"prediction interval {_span(row.pi_low, row.pi_high)}, above {_number(above)} asked."
    )
    if row.ci_low > 0:
        whole = percent >= share and row.pi_low > above
        return _of_pool(row, SUPPORTED if whole else PARTLY, reason)
    if row.ci_high < 0:
        return _of_pool(row, NOT, f"{reason} The effect is below 0.")
    return _of_pool(row, NOT if row.k >= enough else UNTESTABLE, reason)


def improvement(evidence: Evidence, outcome: str, pooled_from: int, half: float, enough: int) -> Finding:
    """C02 to C04. "5 trials or more" are pooled trials or, where more, trials with a direction."""
    row, votes = _pooled(evidence, outcome, "smd"), _share(evidence, outcome)
    pooled = f"{_pooled_words(row)}; " if row is not None else "Too few trials to pool; "
    reason = f"{pooled}{votes}."
    if row is not None and row.k >= pooled_from and row.ci_low > 0:
        return _of_pool(row, SUPPORTED, reason)
    trials = max(0 if row is None else row.k, votes.counted)
    verdict = NOT if trials >= enough else UNTESTABLE
    if votes.ci_low > half / 100:
        verdict = PARTLY
    return _of_votes(votes, verdict, reason) if row is None else _of_pool(row, verdict, reason)


def inconsistency(
    evidence: Evidence,
    outcomes: Sequence[tuple[str, str]],
    i2: float,
    share: float,
    least_trials: int = 0,
    least_votes: int = 0,
) -> Finding:
    """C05 and C06, rule by rule per outcome; supported only if every outcome that can be tested agrees, else partly.

    "Trials favour" are the pooled trials' effects in C05, whose evidence is the pool, and in C06, whose evidence names
    the directions too (least_votes above 0), the votes. Without a pool, C06 takes the votes alone: supported under the
    share, else partly. The number shown is the outcome's with the most trials.
    """
    found = [
        _one_inconsistency(evidence, name, family, i2, share, least_trials, least_votes) for name, family in outcomes
    ]
    tested = [one for one in found if one.verdict != UNTESTABLE]
    reason = " ".join(one.reason for one in found)
    if not tested:
        return replace(found[0], reason=reason)
    verdicts = {one.verdict for one in tested}
    verdict = verdicts.pop() if len(verdicts) == 1 else PARTLY
    return replace(max(tested, key=lambda one: one.k), verdict=verdict, reason=reason)


def _one_inconsistency(evidence, name, family, i2, share, least_trials, least_votes) -> Finding:
    row, label = _pooled(evidence, name, family), _label(evidence, name)
    if row is None or row.k < least_trials:
        votes = _share(evidence, name)
        if not least_votes or votes.counted < least_votes:
            words = f"{label}: too few trials to pool ({votes.counted} with a direction)."
            return Finding(UNTESTABLE, words)
        verdict = SUPPORTED if 100 * votes.share < share else PARTLY
        return _of_votes(votes, verdict, f"{label}: too few trials to pool; {votes}.")
    effects = _effects(evidence, name, family)
    favour, percent = f"{(effects > 0).sum()} of {len(effects)} trials", 100 * (effects > 0).mean()
    aside = 0
    if least_votes:
        votes = _share(evidence, name)
        favour = f"{votes.favour} of {votes.counted} trials with a direction"
        percent, aside = 100 * votes.share, votes.neither
    reason = (
        f"{label}: {_pooled_words(row)}, I² {row.i2:.0f}%, prediction interval "
        f"{_span(row.pi_low, row.pi_high, family)}; "
        f"{favour} ({percent:.0f}%) favour peer support{f', {aside} found no difference' if aside else ''}."
    )
    predicts_both = not (row.pi_low > 0 or row.pi_high < 0)
    if row.i2 >= i2 or (predicts_both and percent < share):
        return _of_pool(row, SUPPORTED, reason)
    clear = (row.ci_low > 0 or row.ci_high < 0) and not predicts_both
    return _of_pool(row, NOT if clear else PARTLY, reason)


def fidelity_slope(evidence: Evidence, slope: float) -> Finding:
    """C07, on all recovery outcomes, the largest set of trials.

    "The CI" that must exclude a slope of 0.10 is that of the model in which nr is missing: where nr counts as absent,
    the index measures what is reported, and a flat line there says nothing about what was done.
    """
    table = evidence.regressions
    table = table[table["outcome"].eq(ALL_RECOVERY) & table["model"].eq("single")]
    missing, absent = (
        next(table[table["term"].eq(term)].itertuples(), None) for term in ("fidelity_index", f"fidelity_index{ABSENT}")
    )
    as_missing, as_absent = _slope_words(missing), _slope_words(absent)
    reason = f"Where not reported counts as missing: {as_missing}. Where it counts as absent: {as_absent}."
    if _estimated(missing) and missing.ci_low > 0:
        return _of_slope(missing, SUPPORTED, reason, "nr missing")
    if _estimated(absent) and absent.ci_low > 0:
        return _of_slope(absent, PARTLY, reason, "nr as absent")
    if _estimated(missing):
        verdict = NOT if missing.ci_high < slope else UNTESTABLE
        return _of_slope(missing, verdict, reason, "nr missing")
    if _estimated(absent):
        return _of_slope(absent, UNTESTABLE, reason, "nr as absent")
    return Finding(UNTESTABLE, reason)


def expansion(evidence: Evidence, first: int, last: int, until: int) -> Finding:
    """C08. Digital, telephone and hybrid among the dated studies that report their delivery; Newcombe's interval.

    The number shown is the larger of the two differences from the share before `first`.
    """
    told = evidence.studies[evidence.studies["modality"].fillna("nr").ne("nr")]
    year, remote = told["year"], told["modality"].isin(REMOTE)
    spans = {
        f"Before {first}": year < first,
        f"{first} to {last}": year.between(first, last),
        f"{last + 1} to {until}": year.between(last + 1, until),
    }
    counts = {name: (int((remote & inside).sum()), int(inside.sum())) for name, inside in spans.items()}
    listed = "; ".join(f"{name}: {a} of {b}" + (f" ({a / b:.0%})" if b else "") for name, (a, b) in counts.items())
    (early, of_early), *later = counts.values()
    if not of_early or not all(of for _, of in later):
        return Finding(NOT, f"{listed}. A period without studies cannot exceed another.")
    found = []
    for remote_later, of_later in later:
        low, high = confint_proportions_2indep(remote_later, of_later, early, of_early, method="newcomb")
        found.append((remote_later / of_later - early / of_early, low, high))
    differences = " and ".join(
        f"{d:+.0%} ({low:+.0%} to {high:+.0%})".replace("-", "\N{MINUS SIGN}") for d, low, high in found
    )
    good = all(d > 0 for d, _, _ in found) and any(low > 0 for _, low, _ in found)
    difference, low, high = max(found)
    return Finding(
        SUPPORTED if good else NOT,
        f"{listed}; differences from the first {differences}.",
        difference,
        low,
        high,
        int(of_early + sum(of for _, of in later)),
        NAN,
        "difference in share",
    )


def delivery_works(evidence: Evidence, trials: int, half: float, enough: int) -> Finding:
    """C09, on digital and telephone delivery joined. "Below 0" is the whole interval, from 2 trials on.

    "Only the direction share above 50%" is the share itself, which must also rest on `trials` trials; "CI includes 0"
    is that of all recovery outcomes. The number shown is that of the recovery type with the most trials.
    """
    kinds = ("personal", "clinical", "functional")
    rows = {kind: _subgroup(evidence, kind, "distance", "digital_telephone") for kind in kinds}
    rows = {kind: row for kind, row in rows.items() if row is not None}
    whole = _subgroup(evidence, ALL_RECOVERY, "distance", "digital_telephone")
    votes = _share(evidence, ALL_RECOVERY, "modality", ("digital", "telephone"))
    words = [f"{_label(evidence, kind)}: {_pooled_words(row)}" for kind, row in rows.items()]
    reason = f"{'; '.join([*words, str(votes)])}."
    good = [row for row in rows.values() if row.k >= trials and row.ci_low > 0]
    harm = [row for row in rows.values() if row.k > 1 and row.ci_high < 0]
    if good and not harm:
        return _of_pool(max(good, key=lambda row: row.k), SUPPORTED, reason)
    return _weaker(whole, votes, reason, trials, half, enough)


def promise(evidence: Evidence, population: str, trials: int, half: float, enough: int) -> Finding:
    """C11 to C14, on all recovery outcomes of the population: one effect, and one direction, per trial.

    Joining the outcomes avoids the best of several small subgroups being picked. "Direction share above 50%" is the
    share itself; its exact interval is in the reason.
    """
    row = _subgroup(evidence, ALL_RECOVERY, "population", population)
    votes = _share(evidence, ALL_RECOVERY, "population", (population,))
    pooled = "No effect to pool" if row is None else _pooled_words(row)
    reason = f"{pooled}; {votes}."
    if row is not None and row.k >= trials and row.ci_low > 0:
        return _of_pool(row, SUPPORTED, reason)
    return _weaker(row, votes, reason, trials, half, enough)


def _weaker(row, votes: Share, reason, trials, half, enough) -> Finding:
    """Direction share above one half with `trials` trials: partly. Neither, with `enough` trials: not supported."""
    by_share = votes.counted >= trials and 100 * votes.share > half
    number = max(0 if row is None else row.k, votes.counted)
    verdict = PARTLY if by_share else NOT if number >= enough else UNTESTABLE
    if row is None or by_share:
        return _of_votes(votes, verdict, reason)
    return _of_pool(row, verdict, reason)


def long_term_unknown(evidence: Evidence, weeks: int, trials: int) -> Finding:
    """C10, on every standardised recovery effect of a digital trial at `weeks` weeks or later, averaged per trial."""
    row = next(evidence.over_time.query("split == 'follow-up' and level == 'long'").itertuples())
    counted = f"{row.k} digital trials give an effect at {weeks} weeks or later"
    if row.k < trials:
        effect = {} if not row.k else {"estimate": row.effect, "ci_low": row.ci_low, "ci_high": row.ci_high}
        return Finding(
            SUPPORTED,
            f"{counted}, fewer than {trials}.",
            **effect,
            k=row.k,
            n=row.n,
            quantity="Hedges g" if effect else "",
        )
    known = row.ci_low > 0 or row.ci_high < 0
    return _of_pool(row, NOT if known else PARTLY, f"{counted}: {_pooled_words(row)}.")


def primary_challenges(evidence: Evidence, themes: Sequence[str], top: int, some: Sequence[int]) -> Finding:
    """C15. A barrier is among the `top` if fewer than `top` others are reported by more studies (ties count as in).

    The number shown is how many of the four are; the interval of each rank is in the reason.
    """
    table = evidence.barriers
    more = {row.theme: int((table["studies"] > row.studies).sum()) for row in table.itertuples()}
    inside = [theme for theme in themes if more[theme] < top]
    rank = table.set_index("theme")
    words = "; ".join(
        f"{_label(evidence, theme)}: rank {rank.loc[theme, 'rank']:g} of {len(table)} "
        f"(95% interval {rank.loc[theme, 'rank_low']:g} to {rank.loc[theme, 'rank_high']:g}), "
        f"{rank.loc[theme, 'studies']} studies"
        for theme in themes
    )
    leaders = ", ".join(_label(evidence, row.theme).lower() for row in table.nsmallest(top, "rank").itertuples())
    verdict = SUPPORTED if len(inside) == len(themes) else PARTLY if len(inside) in some else NOT
    reason = f"{words}. {len(inside)} of the {len(themes)} are among the {top} most frequent ({leaders})."
    return Finding(
        verdict, reason, len(inside), k=int(table["of"].iloc[0]), quantity=f"of {len(themes)} among the first {top}"
    )


def cost_evidence_lacking(evidence: Evidence, few: float, some: float) -> Finding:
    """C16, on trials (companion reports joined): controlled: randomised designs and studies with a stated comparator.

    One reports cost if any of its reports is an economic evaluation or has an outcome row in the domain cost.
    """
    studies, outcomes = evidence.studies, evidence.outcomes
    compared = studies["condition_arm2"].notna() & studies["condition_arm2"].ne("none")
    controlled = set(studies.loc[compared | studies["design"].isin(RANDOMISED), "trial"])
    cost = set(outcomes.loc[outcomes["outcome_domain"].eq("cost"), "trial"])
    cost |= set(studies.loc[studies["design"].eq("economic_evaluation"), "trial"])
    reported = len(cost & controlled)
    what = f"{reported} of {len(controlled)} controlled studies report cost or cost-effectiveness"
    return _of_share(reported, len(controlled), what, lambda p: SUPPORTED if p < few else PARTLY if p < some else NOT)


def more_settings_needed(evidence: Evidence, under: float) -> Finding:
    """C17, on randomised trials with a stated country; sites in several income groups count in the total only."""
    trials = evidence.income.set_index("income_group")["trials"]
    poorer = int(trials[["low", "lower_middle", "upper_middle"]].sum())
    total = int(trials.drop("not_stated").sum())
    what = f"{poorer} of {total} randomised trials come from low- and middle-income countries"
    several = int(trials["several"])
    more = f"; {several} more have sites in countries of several groups" if several else ""
    return _of_share(poorer, total, what, lambda p: SUPPORTED if p < under else NOT, more)


def _of_share(part: int, whole: int, what: str, verdict: Callable, more: str = "") -> Finding:
    if not whole:
        return Finding(UNTESTABLE, f"{what}.")
    share, low, high = wilson([part], [whole]).iloc[0]
    reason = f"{what} ({share:.1%}, 95% CI {low:.1%} to {high:.1%}){more}."
    return Finding(verdict(100 * share), reason, share, low, high, whole, NAN, "share")


def _of_pool(row, verdict: str, reason: str) -> Finding:
    quantity = "log risk ratio" if getattr(row, "family", "smd") == "log_rr" else "Hedges g"
    return Finding(verdict, reason, row.effect, row.ci_low, row.ci_high, row.k, row.n, quantity)


def _of_votes(votes: Share, verdict: str, reason: str) -> Finding:
    shown = (votes.share, votes.ci_low, votes.ci_high, votes.counted, NAN, "share of trials")
    return Finding(verdict, reason, *shown) if votes.counted else Finding(verdict, reason)


def _of_slope(row, verdict: str, reason: str, how: str) -> Finding:
    quantity = f"slope per point, {how}"
    return Finding(verdict, reason, row.estimate, row.ci_low, row.ci_high, row.k, NAN, quantity)


def _estimated(row) -> bool:
    return row is not None and np.isfinite(row.estimate)


def _slope_words(row) -> str:
    if row is None:
        return "not fitted"
    if not _estimated(row):
        return row.note
    return f"{_number(row.estimate)} per point ({_span(row.ci_low, row.ci_high)}) in {row.k} trials"


def _pooled(evidence: Evidence, outcome: str, family: str):
    table = evidence.pooled
    rows = table[table["outcome_domain"].eq(outcome) & table["family"].eq(family)]
    rows = rows.dropna(subset=["effect"])
    return next(rows.itertuples(), None)


def _subgroup(evidence: Evidence, outcome: str, moderator: str, level: str):
    table = evidence.subgroups
    found = table["outcome"].eq(outcome) & table["moderator"].eq(moderator)
    found &= table["level"].eq(level) & table["tau2_model"].eq("separate")
    return next(table[found].itertuples(), None)


def _effects(evidence: Evidence, outcome: str, family: str) -> pd.Series:
    table = evidence.trials
    return table.loc[table["outcome_domain"].eq(outcome) & table["family"].eq(family), "effect"]


def _share(evidence: Evidence, outcome: str, column: str = "", levels: Sequence[str] = ()) -> Share:
    votes = evidence.votes[evidence.votes["outcome_domain"].eq(outcome)]
    if column:
        votes = votes[votes[column].isin(levels)]
    favour, neither, against = (int(votes["direction"].eq(d).sum()) for d in ("arm1", "neither", "arm2"))
    counted = favour + against + (neither if evidence.neither == "against" else 0)
    if not counted:
        return Share(favour, counted, neither)
    interval = binomtest(favour, counted).proportion_ci(0.95, method="exact")
    return Share(favour, counted, neither, favour / counted, interval.low, interval.high)


def _label(evidence: Evidence, name: str) -> str:
    return evidence.labels.get(name, name)


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")


def _span(low: float, high: float, family: str = "smd") -> str:
    if np.isnan(low):
        return "not estimable"
    if family == "log_rr":
        low, high = np.exp([low, high])
    return f"{_number(low)} to {_number(high)}"


def _pooled_words(row) -> str:
    ratio = getattr(row, "family", "smd") == "log_rr"
    effect = f"RR {_number(np.exp(row.effect))}" if ratio else f"g {_number(row.effect)}"
    trials = "1 trial" if row.k == 1 else f"{row.k} trials"
    span = _span(row.ci_low, row.ci_high, "log_rr" if ratio else "smd")
    return f"{effect} ({'above 1 is better; ' if ratio else ''}95% CI {span}) in {trials}"


def _percent(share: Share) -> str:
    return f"{share.share:.0%}, exact 95% CI {share.ci_low:.0%} to {share.ci_high:.0%}"


_AS_C02 = {"pooled_from": 3, "half": 50, "enough": 5}
_AS_C11 = {"trials": 4, "half": 50, "enough": 5}
RULES: dict[str, tuple[Callable[..., Finding], dict]] = {
    "C01": (consistent_improvement, {"outcome": "personal", "share": 75, "above": -0.10, "enough": 5}),
    "C02": (improvement, {"outcome": "hope"} | _AS_C02),
    "C03": (improvement, {"outcome": "empowerment"} | _AS_C02),
    "C04": (improvement, {"outcome": "social_connection"} | _AS_C02),
    "C05": (inconsistency, {"outcomes": [("clinical", "smd"), ("depression", "smd")], "i2": 50, "share": 75}),
    "C06": (
        inconsistency,
        {
            "outcomes": [("hospitalisation", "log_rr"), ("service_use", "log_rr")],
            "i2": 50,
            "share": 75,
            "least_trials": 3,
            "least_votes": 5,
        },
    ),
    "C07": (fidelity_slope, {"slope": 0.10}),
    "C08": (expansion, {"first": 2020, "last": 2022, "until": 2025}),
    "C09": (delivery_works, _AS_C11),
    "C10": (long_term_unknown, {"weeks": 26, "trials": 3}),
    "C11": (promise, {"population": "youth"} | _AS_C11),
    "C12": (promise, {"population": "perinatal"} | _AS_C11),
    "C13": (promise, {"population": "refugee_migrant"} | _AS_C11),
    "C14": (promise, {"population": "substance_use"} | _AS_C11),
    "C15": (
        primary_challenges,
        {
            "themes": ("role_ambiguity", "worker_wellbeing", "staff_stigma", "cost_evidence_gap"),
            "top": 5,
            "some": (2, 3),
        },
    ),
    "C16": (cost_evidence_lacking, {"few": 5, "some": 15}),
    "C17": (more_settings_needed, {"under": 25}),
}


def votes_for_claims(
    votes: pd.DataFrame, rows: pd.DataFrame, outcomes: pd.DataFrame, studies: pd.DataFrame, majority: float
) -> pd.DataFrame:
    """The votes of effect_direction_votes.csv, one more per trial over all its recovery outcomes, and the trial's
    population and modality.

    rows: direction.row_directions; those of trials without a vote in `votes` (not randomised) are left out.
    """
    recovery = outcomes.loc[outcomes["recovery_type"].notna(), "row_id"]
    joined = rows[rows["row_id"].isin(recovery) & rows["trial"].isin(votes["trial"])]
    over_all = trial_directions(joined.assign(outcome_domain=ALL_RECOVERY), majority)
    main = studies.assign(companion=studies["study"].ne(studies["trial"]))
    main = main.sort_values("companion", kind="stable").groupby("trial").first()
    both = pd.concat([votes, over_all], ignore_index=True)
    return both.join(main[["population", "modality"]], on="trial")
