"""The rules by which claims are judged, by name; claims.csv gives each claim its rule and the rule's thresholds.

A rule takes the Evidence and the thresholds that stand in braces in its words, and returns a Finding: a verdict, the
number that carries it, and a sentence that says which part of the rule decided. Where the words leave a choice, the
choice is in the docstring. "CI above 0" means the whole interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from statsmodels.stats.proportion import confint_proportions_2indep

from peersupport.conclude.evidence import ALL_RECOVERY, Evidence, Share
from peersupport.describe.studies import wilson
from peersupport.pool.fit import NAN
from peersupport.text.numbers import as_named, better

SUPPORTED, PARTLY, NOT, UNTESTABLE = VERDICTS = ("supported", "partly_supported", "not_supported", "not_testable")
NR_ABSENT = "_absent"
MINUS = "\N{MINUS SIGN}"


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
class Rule:
    """`words`: the rule as a reader sees it; the fields in its braces are the columns of claims.csv it asks for."""

    judge: Callable[..., Finding]
    words: str


# ---------------------------------------------------------------- pooled effects and votes


def consistent_improvement(
    evidence: Evidence, outcomes: Sequence[str], share_percent: float, limit: float, trials_enough: int
) -> Finding:
    """The share is of the pooled trials' own effects above 0, whatever their p-values."""
    [outcome] = outcomes
    row = evidence.pool(outcome)
    if row is None:
        return Finding(UNTESTABLE, f"{evidence.label(outcome)}: too few trials to pool.")
    effects = evidence.effects(outcome, row.family)
    favour, percent = int((effects > 0).sum()), 100 * float((effects > 0).mean())
    reason = (
        f"{_pooled_words(row)}; {favour} of {len(effects)} trials ({percent:.0f}%) favour {evidence.arm1}, "
        f"{share_percent:g}% asked; prediction interval {_span(row.pi_low, row.pi_high, row)}, above {_number(limit)} "
        "asked."
    )
    if row.ci_low > 0:
        whole = percent >= share_percent and row.pi_low > limit
        return _of_pool(row, SUPPORTED if whole else PARTLY, reason)
    if row.ci_high < 0:
        return _of_pool(row, NOT, f"{reason} The effect is below 0.")
    return _of_pool(row, NOT if row.k >= trials_enough else UNTESTABLE, reason)


def improvement(
    evidence: Evidence, outcomes: Sequence[str], trials_least: int, share_percent: float, trials_enough: int
) -> Finding:
    """Trials for `trials_enough`: those pooled or those with a vote, whichever are more."""
    [outcome] = outcomes
    row, votes = evidence.pool(outcome), evidence.share(outcome)
    pooled = f"{_pooled_words(row)}; " if row is not None else "Too few trials to pool; "
    reason = f"{pooled}{_votes_words(votes, evidence)}."
    if row is not None and row.k >= trials_least and row.ci_low > 0:
        return _of_pool(row, SUPPORTED, reason)
    trials = max(0 if row is None else row.k, votes.counted)
    if votes.ci_low > share_percent / 100:
        verdict, why = PARTLY, f"The interval of the share lies above {share_percent:g}%."
    elif votes.counted:
        verdict = NOT if trials >= trials_enough else UNTESTABLE
        why = f"The interval of the share does not lie above {share_percent:g}%{_too_few(verdict, trials_enough)}."
    else:
        verdict, why = (NOT if trials >= trials_enough else UNTESTABLE), "Neither part of the rule is met."
    reason = f"{reason} {why}"
    return _of_votes(votes, verdict, reason) if row is None else _of_pool(row, verdict, reason)


def inconsistency(
    evidence: Evidence,
    outcomes: Sequence[str],
    i2_percent: float,
    share_percent: float,
    trials_least: int = 0,
    votes_least: int = 0,
) -> Finding:
    """Outcome by outcome; supported only if every outcome that can be tested agrees, else partly.

    "Trials favour" are the pooled trials' own effects, or the votes where `votes_least` asks for them; without a pool
    the votes alone decide: supported under the share, else partly. The number shown is that of the outcome with the
    most trials. A wide prediction interval speaks for this claim.
    """
    found = [_inconsistent(evidence, name, i2_percent, share_percent, trials_least, votes_least) for name in outcomes]
    tested = [one for one in found if one.verdict != UNTESTABLE]
    reason = " ".join(one.reason for one in found)
    if not tested:
        return replace(found[0], reason=reason)
    verdicts = {one.verdict for one in tested}
    verdict = verdicts.pop() if len(verdicts) == 1 else PARTLY
    return replace(max(tested, key=lambda one: one.k), verdict=verdict, reason=reason)


def inconsistency_with_votes(
    evidence: Evidence,
    outcomes: Sequence[str],
    i2_percent: float,
    share_percent: float,
    trials_least: int,
    votes_least: int,
) -> Finding:
    """`inconsistency`, with votes where there are too few trials to pool."""
    return inconsistency(evidence, outcomes, i2_percent, share_percent, trials_least, votes_least)


def _inconsistent(evidence, name, i2, share, least_trials, least_votes) -> Finding:
    row, label = evidence.pool(name), evidence.label(name)
    votes = evidence.share(name) if least_votes else None
    if row is None or row.k < least_trials:
        if votes is None or votes.counted < least_votes:
            told = "" if votes is None else f" ({votes.counted} with a direction)"
            return Finding(UNTESTABLE, f"{label}: too few trials to pool{told}.")
        verdict = SUPPORTED if 100 * votes.share < share else PARTLY
        return _of_votes(votes, verdict, f"{label}: too few trials to pool; {_votes_words(votes, evidence)}.")
    effects = evidence.effects(name, row.family)
    favour, percent, aside = f"{(effects > 0).sum()} of {len(effects)} trials", 100 * (effects > 0).mean(), 0
    if votes is not None and votes.counted:
        favour = f"{votes.favour} of {votes.counted} trials with a direction"
        percent, aside = 100 * votes.share, votes.neither
    found_none = f", {aside} found no difference" if aside else ""
    predicts_both = row.pi_low <= 0 <= row.pi_high
    varies = row.i2 >= i2 or (predicts_both and percent < share)
    clear = (row.ci_low > 0 or row.ci_high < 0) and (row.pi_low > 0 or row.pi_high < 0)
    verdict = SUPPORTED if varies else NOT if clear else PARTLY
    ways = {SUPPORTED: "findings differ", NOT: "findings point one way", PARTLY: "neither clearly"}
    reason = (
        f"{label}, {ways[verdict]}: {_pooled_words(row)}, I² {row.i2:.0f}%, prediction interval "
        f"{_span(row.pi_low, row.pi_high, row)}; {favour} ({percent:.0f}%) favour {evidence.arm1}{found_none}."
    )
    return _of_pool(row, verdict, reason)


def specific_benefit(evidence: Evidence, outcomes: Sequence[str], limit: float, trials_enough: int) -> Finding:
    """The first outcome minus the second within the trials that have both, one effect each (conclude.evidence)."""
    one, other = outcomes
    fit = evidence.difference(one, other)
    names = f"{evidence.label(one).lower()} minus {evidence.label(other).lower()}"
    if fit is None:
        return Finding(UNTESTABLE, f"Too few trials with both for {names}.")
    reason = f"{names.capitalize()}: {_pooled_words(fit)}."
    shown = {"k": fit.k, "n": fit.n, "quantity": "difference in Hedges g"}
    shown |= {"estimate": fit.effect, "ci_low": fit.ci_low, "ci_high": fit.ci_high}
    if fit.ci_low > 0:
        return Finding(SUPPORTED, f"{reason} The interval lies above 0.", **shown)
    if fit.ci_high < 0:
        return Finding(NOT, f"{reason} The interval lies below 0.", **shown)
    if -limit <= fit.ci_low and fit.ci_high <= limit:
        return Finding(NOT, f"{reason} Any difference is smaller than {_number(limit)}.", **shown)
    wide = f"The interval includes 0 and reaches beyond {_number(limit)}"
    if fit.k >= trials_enough:
        return Finding(PARTLY, f"{reason} {wide}.", **shown)
    return Finding(UNTESTABLE, f"{reason} {wide}, in fewer than {trials_enough} trials.", **shown)


def all_improve(evidence: Evidence, outcomes: Sequence[str], trials_least: int) -> Finding:
    """Pools are of randomised trials, counted as events; "improves" is the interval on the better side of no effect,
    event by event."""
    rows = {name: evidence.pool(name, "log_rr") for name in outcomes}
    words, good, tested = [], [], []
    for name, row in rows.items():
        if row is None or row.k < trials_least:
            words.append(f"{evidence.label(name)}: fewer than {trials_least} randomised trials")
            continue
        tested.append(row)
        if row.ci_low > 0:
            good.append(row)
        words.append(
            f"{evidence.label(name)}: {_pooled_words(row)}, {'better' if row.ci_low > 0 else 'not shown better'}"
        )
    reason = f"{'; '.join(words)}."
    verdict = PARTLY if good else NOT if len(tested) == len(rows) else UNTESTABLE
    if len(good) == len(rows):
        verdict = SUPPORTED
    shown = max(good or tested, key=lambda row: row.k, default=None)
    return Finding(verdict, reason) if shown is None else _of_pool(shown, verdict, reason)


# ---------------------------------------------------------------- for whom and how delivered


def delivery_works(
    evidence: Evidence,
    outcomes: Sequence[str],
    moderator: str,
    levels: Sequence[str],
    trials_least: int,
    share_percent: float,
    trials_enough: int,
) -> Finding:
    """`levels`: the joined level of the moderator, then the codes of modality that have votes.

    "Below 0" is the whole interval, from 2 trials on. "Only the direction share" is the share itself, which must also
    rest on `trials_least` trials; "CI includes 0" is that of all recovery outcomes. The number shown is that of the
    recovery type with the most trials.
    """
    joined, *codes = levels
    rows = {kind: evidence.subgroup(kind, moderator, joined) for kind in outcomes}
    rows = {kind: row for kind, row in rows.items() if row is not None}
    whole = evidence.subgroup(ALL_RECOVERY, moderator, joined)
    votes = evidence.share(ALL_RECOVERY, "modality", codes)
    words = [f"{evidence.label(kind)}: {_pooled_words(row)}" for kind, row in rows.items()]
    reason = f"{'; '.join([*words, _votes_words(votes, evidence)])}."
    good = [row for row in rows.values() if row.k >= trials_least and row.ci_low > 0]
    harm = [row for row in rows.values() if row.k > 1 and row.ci_high < 0]
    if good and not harm:
        return _of_pool(max(good, key=lambda row: row.k), SUPPORTED, reason)
    return _weaker(whole, votes, reason, trials_least, share_percent, trials_enough)


def promise(
    evidence: Evidence,
    moderator: str,
    levels: Sequence[str],
    trials_least: int,
    share_percent: float,
    trials_enough: int,
) -> Finding:
    """On all recovery outcomes of the population: one effect, and one direction, per trial.

    Joining the outcomes avoids the best of several small subgroups being picked. "Direction share" is the share itself;
    its exact interval is in the reason.
    """
    [level] = levels
    row = evidence.subgroup(ALL_RECOVERY, moderator, level)
    votes = evidence.share(ALL_RECOVERY, moderator, levels)
    pooled = "No effect to pool" if row is None else _pooled_words(row)
    reason = f"{pooled}; {_votes_words(votes, evidence)}."
    if row is not None and row.k >= trials_least and row.ci_low > 0:
        return _of_pool(row, SUPPORTED, reason)
    return _weaker(row, votes, reason, trials_least, share_percent, trials_enough)


def _weaker(row, votes: Share, reason, trials, half, enough) -> Finding:
    """Direction share above `half` with `trials` trials: partly. Neither, with `enough` trials: not supported."""
    above = votes.counted and 100 * votes.share > half
    by_share = above and votes.counted >= trials
    number = max(0 if row is None else row.k, votes.counted)
    verdict = PARTLY if by_share else NOT if number >= enough else UNTESTABLE
    if by_share:
        why = f"The pooled effect does not carry it; more than {half:g}% of the trials point its way."
    elif above:
        why = f"More than {half:g}% point its way, but in fewer than {trials} trials."
    elif votes.counted:
        why = f"No more than {half:g}% of the trials point its way{_too_few(verdict, enough)}."
    else:
        why = f"No direction to count{_too_few(verdict, enough)}."
    reason = f"{reason} {why}"
    if row is None or by_share:
        return _of_votes(votes, verdict, reason)
    return _of_pool(row, verdict, reason)


def _too_few(verdict: str, enough: int) -> str:
    return f", and there are fewer than {enough}" if verdict == UNTESTABLE else ""


def slope_above(evidence: Evidence, moderator: str, limit: float) -> Finding:
    """On all recovery outcomes, the largest set of trials.

    "The CI" that must exclude the slope is that of the model in which nr is missing: where nr counts as absent, the
    index measures what is reported, and a flat line there says nothing about what was done.
    """
    missing, absent = (evidence.slope(ALL_RECOVERY, f"{moderator}{ending}") for ending in ("", NR_ABSENT))
    as_missing, as_absent = _slope_words(missing), _slope_words(absent)
    reason = f"Where not reported counts as missing: {as_missing}. Where it counts as absent: {as_absent}."
    if _estimated(missing) and missing.ci_low > 0:
        return _of_slope(missing, SUPPORTED, reason, "not reported as missing")
    if _estimated(absent) and absent.ci_low > 0:
        return _of_slope(absent, PARTLY, reason, "not reported as absent")
    if _estimated(missing):
        verdict = NOT if missing.ci_high < limit else UNTESTABLE
        return _of_slope(missing, verdict, reason, "not reported as missing")
    if _estimated(absent):
        return _of_slope(absent, UNTESTABLE, reason, "not reported as absent")
    return Finding(UNTESTABLE, reason)


def long_term_unknown(evidence: Evidence, weeks: int, trials_least: int) -> Finding:
    """On every standardised recovery effect of a digital trial at `weeks` weeks or later, averaged per trial."""
    row = evidence.late()
    if row is None:
        return Finding(UNTESTABLE, "No table of effects over time.")
    trials = "trial gives" if row.k == 1 else "trials give"
    counted = f"{row.k} digital {trials} an effect at {weeks} weeks or later"
    if row.k < trials_least:
        effect = {} if not row.k else {"estimate": row.effect, "ci_low": row.ci_low, "ci_high": row.ci_high}
        quantity = "Hedges g" if effect else ""
        return Finding(
            SUPPORTED, f"{counted}, fewer than {trials_least}.", **effect, k=row.k, n=row.n, quantity=quantity
        )
    known = row.ci_low > 0 or row.ci_high < 0
    return _of_pool(row, NOT if known else PARTLY, f"{counted}: {_pooled_words(row)}.")


# ---------------------------------------------------------------- shares and ranks of studies


def expansion(evidence: Evidence, year_first: int, year_last: int, year_until: int) -> Finding:
    """Remote delivery among the dated studies that report their delivery; Newcombe's interval.

    The number shown is the difference of the first span (the pandemic's) from the years before.
    """
    if evidence.since >= year_first:
        return Finding(
            UNTESTABLE, f"These studies begin in {evidence.since:g}: there is nothing before to compare with."
        )
    told = evidence.studies[evidence.studies["modality"].fillna("nr").ne("nr")]
    year, remote = told["year"], told["modality"].isin(evidence.remote)
    spans = {
        f"Before {year_first}": year < year_first,
        f"{year_first} to {year_last}": year.between(year_first, year_last),
        f"{year_last + 1} to {year_until}": year.between(year_last + 1, year_until),
    }
    counts = {name: (int((remote & inside).sum()), int(inside.sum())) for name, inside in spans.items()}
    listed = "; ".join(f"{name}: {a} of {b}" + (f" ({a / b:.0%})" if b else "") for name, (a, b) in counts.items())
    (early, of_early), *later = counts.values()
    if not of_early or not all(of for _, of in later):
        return Finding(NOT, f"{listed}. A period without studies cannot exceed another.")
    found = []
    for part, whole in later:
        low, high = confint_proportions_2indep(part, whole, early, of_early, method="newcomb")
        found.append((part / whole - early / of_early, low, high))
    differences = " and ".join(_points(*one) for one in found)
    good = all(d > 0 for d, _, _ in found) and any(low > 0 for _, low, _ in found)
    studies = int(of_early + sum(whole for _, whole in later))
    reason = f"{listed}; differences from the years before, in percentage points: {differences}."
    return Finding(SUPPORTED if good else NOT, reason, *found[0], studies, NAN, "difference in share")


def _points(difference: float, low: float, high: float) -> str:
    return f"{100 * difference:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})".replace("-", MINUS)


def primary_challenges(evidence: Evidence, levels: Sequence[str], top: int, count_least: int) -> Finding:
    """A theme is among the `top` if fewer than `top` others are reported by more studies (ties count as in).

    The number shown is how many of those named are; the interval of each rank is in the reason.
    """
    table = evidence.barriers
    more = {row.theme: int((table["studies"] > row.studies).sum()) for row in table.itertuples()}
    inside = [theme for theme in levels if more[theme] < top]
    rank = table.set_index("theme")
    words = "; ".join(
        f"{evidence.label(theme)}: rank {rank.loc[theme, 'rank']:g} of {len(table)} "
        f"(95% interval {rank.loc[theme, 'rank_low']:g} to {rank.loc[theme, 'rank_high']:g}), "
        f"{rank.loc[theme, 'studies']} studies"
        for theme in levels
    )
    leading = table[table["theme"].map(more) < top].sort_values(["studies", "theme"], ascending=[False, True])
    leaders = ", ".join(evidence.label(theme).lower() for theme in leading["theme"])
    verdict = SUPPORTED if len(inside) == len(levels) else PARTLY if len(inside) >= count_least else NOT
    tied = " with ties" if len(leading) > top else ""
    reason = f"{words}. {len(inside)} of the {len(levels)} are among the {top} most frequent{tied} ({leaders})."
    quantity = f"of {len(levels)} among the first {top}"
    return Finding(verdict, reason, len(inside), k=int(table["of"].iloc[0]), quantity=quantity)


def controlled_trials(evidence: Evidence) -> set[str]:
    """Trials (companion reports joined) of a randomised design or with a stated comparator."""
    studies = evidence.studies
    compared = studies["condition_arm2"].notna() & studies["condition_arm2"].ne("none")
    return set(studies.loc[compared | studies["design"].isin(evidence.randomised), "trial"])


def cost_evidence_lacking(
    evidence: Evidence, outcomes: Sequence[str], share_percent: float, share_partly_percent: float
) -> Finding:
    """A trial reports cost if any of its reports is an economic evaluation or has an outcome row in the domain."""
    studies, rows = evidence.studies, evidence.outcomes
    controlled = controlled_trials(evidence)
    cost = set(rows.loc[rows["outcome_domain"].isin(outcomes), "trial"])
    cost |= set(studies.loc[studies["design"].eq("economic_evaluation"), "trial"])
    reported = len(cost & controlled)
    what = f"{reported} of {len(controlled)} controlled studies report cost or cost-effectiveness"
    return _under(reported, len(controlled), what, share_percent, share_partly_percent)


def studies_lacking(
    evidence: Evidence, moderator: str, levels: Sequence[str], share_percent: float, share_partly_percent: float
) -> Finding:
    """Of the controlled studies (companion reports joined), those with one of the levels in that column."""
    controlled = controlled_trials(evidence)
    studies = evidence.studies
    found = set(studies.loc[studies[moderator].isin(levels), "trial"]) & controlled
    names = " or ".join(evidence.label(level).lower() for level in levels)
    what = f"{len(found)} of {len(controlled)} controlled studies are of {names}"
    return _under(len(found), len(controlled), what, share_percent, share_partly_percent)


def large_trials_lacking(evidence: Evidence, people: int, share_percent: float, share_partly_percent: float) -> Finding:
    """Independent randomised trials that state how many they randomised; a trial's reports count once, the largest."""
    randomised = evidence.studies[evidence.studies["design"].isin(evidence.randomised)]
    sizes = randomised.groupby("trial")["n_randomised"].max()
    stated = sizes.dropna()
    large = int((stated >= people).sum())
    what = f"{large} of {len(stated)} randomised trials randomised {people} people or more"
    silent = len(sizes) - len(stated)
    more = f"; {silent} more do not state how many" if silent else ""
    return _under(large, len(stated), what, share_percent, share_partly_percent, more)


def settings_lacking(evidence: Evidence, levels: Sequence[str], share_percent: float) -> Finding:
    """Randomised trials whose countries have an income group. A trial with sites in several groups has one among the
    `levels` (which are all groups but one), so it counts among them as well as in the total."""
    trials = evidence.income.set_index("income_group")["trials"]
    several = int(trials["several"])
    poorer = int(trials[list(levels)].sum()) + several
    total = int(trials.drop(["not_stated", "not_classified"], errors="ignore").sum())
    what = f"{poorer} of {total} randomised trials have a site in a low- or middle-income country"
    more = f", {several} of them with sites in other groups as well" if several else ""
    return _under(poorer, total, what, share_percent, share_percent, more)


def not_standardised(
    evidence: Evidence, outcomes: Sequence[str], count_least: int, share_percent: float, share_partly_percent: float
) -> Finding:
    """Instruments of the outcome in randomised trials, companion reports joined; of those used equally often the first
    by name is the commonest. The number shown is the share of the trials that use it."""
    designs = evidence.studies.loc[evidence.studies["design"].isin(evidence.randomised), "study"]
    rows = evidence.outcomes
    rows = rows[
        rows["outcome_domain"].isin(outcomes) & rows["study"].isin(designs) & rows["instrument"].fillna("").ne("")
    ]
    used = rows.drop_duplicates(["trial", "instrument"])
    trials = used["trial"].nunique()
    if not trials:
        return Finding(UNTESTABLE, "No randomised trial names an instrument of it.")
    counts = used["instrument"].value_counts()
    commonest = min(counts.index[counts.eq(counts.max())])
    what = f"{len(counts)} instruments in {trials} randomised trials; {commonest} in {counts.max()} of them"
    if len(counts) < count_least:
        return _of_share(int(counts.max()), trials, what, lambda _: NOT, f"; fewer than {count_least} instruments")
    return _under(int(counts.max()), trials, what, share_percent, share_partly_percent)


def _under(part: int, whole: int, what: str, few: float, some: float, more: str = "") -> Finding:
    """Supported under `few` percent, partly under `some`, else not."""
    return _of_share(part, whole, what, lambda p: SUPPORTED if p < few else PARTLY if p < some else NOT, more)


# ---------------------------------------------------------------- findings and their words


def _of_share(part: int, whole: int, what: str, verdict: Callable, more: str = "") -> Finding:
    if not whole:
        return Finding(UNTESTABLE, f"{what}.")
    share, low, high = wilson([part], [whole]).iloc[0]
    reason = f"{what} ({share:.1%}, 95% CI {low:.1%} to {high:.1%}){more}."
    return Finding(verdict(100 * share), reason, share, low, high, whole, NAN, "share")


def _of_pool(row, verdict: str, reason: str) -> Finding:
    if not _is_ratio(row):
        return Finding(verdict, reason, row.effect, row.ci_low, row.ci_high, row.k, row.n, "Hedges g")
    numbers = as_named(row.effect, row.event), *sorted(as_named(end, row.event) for end in (row.ci_low, row.ci_high))
    return Finding(verdict, reason, *numbers, row.k, row.n, "risk ratio")


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


def _votes_words(votes: Share, evidence: Evidence) -> str:
    if votes.counted == 0:
        return "no trial tells a direction"
    trials = "trial" if votes.counted == 1 else "trials"
    percent = f"{votes.share:.0%}, exact 95% CI {votes.ci_low:.0%} to {votes.ci_high:.0%}"
    words = f"{votes.favour} of {votes.counted} {trials} favour {evidence.arm1} ({percent})"
    return f"{words}; {votes.neither} found no difference" if votes.neither else words


def _is_ratio(row) -> bool:
    return getattr(row, "family", "smd") == "log_rr"


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", MINUS)


def _span(low: float, high: float, row=None) -> str:
    if np.isnan(low):
        return "not estimable"
    if row is not None and _is_ratio(row):
        low, high = sorted(as_named(end, row.event) for end in (low, high))
    return f"{_number(low)} to {_number(high)}"


def _pooled_words(row) -> str:
    effect = f"RR {_number(as_named(row.effect, row.event))}" if _is_ratio(row) else f"g {_number(row.effect)}"
    trials = "1 trial" if row.k == 1 else f"{row.k} trials"
    side = f"{better(row.family, row.event)} is better; " if _is_ratio(row) else ""
    return f"{effect} ({side}95% CI {_span(row.ci_low, row.ci_high, row)}) in {trials}"


_AS_PROMISED = (
    "supported if CI above 0 with {trials_least} trials or more; partly supported if the direction share is above "
    "{share_percent}% with {trials_least} trials or more; not supported if neither with {trials_enough} trials or "
    "more; else not testable"
)
_VARIES = (
    "supported if I² is {i2_percent}% or more, or the prediction interval includes 0 and less than {share_percent}% of "
    "trials favour {arm1}; not supported if CI excludes 0 and I² is under {i2_percent}% and the prediction interval "
    "excludes 0; else partly supported"
)
_FEW = "; partly supported under {share_partly_percent}%; else not supported"
_OF_ALL = "supported if fewer than {share_percent}% of the controlled studies "
RULES: dict[str, Rule] = {
    "consistent_improvement": Rule(
        consistent_improvement,
        "{outcomes}: supported if CI above 0 and at least {share_percent}% of the trials favour {arm1} and the "
        "prediction interval is above {limit}; partly supported if CI above 0 only; not supported if CI includes 0 "
        "with {trials_enough} trials or more; else not testable",
    ),
    "improvement": Rule(
        improvement,
        "{outcomes}: supported if CI above 0 with {trials_least} trials or more; partly supported if the exact "
        "interval of the share favouring {arm1} is above {share_percent}%; not supported if neither with "
        "{trials_enough} trials or more; else not testable",
    ),
    "inconsistency": Rule(inconsistency, "{outcomes}, each: " + _VARIES),
    "inconsistency_with_votes": Rule(
        inconsistency_with_votes,
        "{outcomes}, each: "
        + _VARIES
        + "; not testable under {trials_least} trials and under {votes_least} directions",
    ),
    "specific_benefit": Rule(
        specific_benefit,
        "{outcomes}, the first minus the second within trials: supported if CI above 0; not supported if the CI lies "
        "within {limit} of 0 and includes 0, or is below 0; partly supported if CI includes 0 otherwise with "
        "{trials_enough} trials or more; else not testable",
    ),
    "all_improve": Rule(
        all_improve,
        "supported if each of {outcomes} has its CI on the better side of no effect in {trials_least} randomised "
        "trials or more; partly supported if one of them; not supported if none with {trials_least} or more each; "
        "else not testable",
    ),
    "slope_above": Rule(
        slope_above,
        "{moderator}: supported if the slope is above 0 with CI excluding 0 in the model where not reported is "
        "missing; partly supported if only where it counts as absent; not supported if the CI excludes a slope of "
        "{limit} per point; else not testable",
    ),
    "expansion": Rule(
        expansion,
        "supported if the share in {year_first} to {year_last} and in the years after until {year_until} exceeds that "
        "before {year_first} with the interval of the difference above 0 in at least one; else not supported",
    ),
    "delivery_works": Rule(
        delivery_works,
        "{moderator} {levels}: supported if CI above 0 in at least one of {outcomes} with {trials_least} trials or "
        "more and below 0 in none; partly supported if only the direction share is above {share_percent}%; not "
        "supported if CI includes 0 with {trials_enough} trials or more; else not testable",
    ),
    "promise": Rule(promise, "{moderator} {levels}: " + _AS_PROMISED),
    "long_term_unknown": Rule(
        long_term_unknown,
        "supported if fewer than {trials_least} trials give an effect at {weeks} weeks or later; partly supported if "
        "so many or more but the pooled CI includes 0; else not supported",
    ),
    "primary_challenges": Rule(
        primary_challenges,
        "supported if all of {levels} are among the {top} most frequent; partly supported if {count_least} or more "
        "are; else not supported; each rank with its bootstrap interval",
    ),
    "cost_evidence_lacking": Rule(cost_evidence_lacking, _OF_ALL + "report {outcomes} or cost-effectiveness" + _FEW),
    "studies_lacking": Rule(studies_lacking, _OF_ALL + "are of {moderator} {levels}" + _FEW),
    "large_trials_lacking": Rule(
        large_trials_lacking,
        "supported if fewer than {share_percent}% of the randomised trials randomised {people} people or more; partly "
        "supported if fewer than {share_partly_percent}%; else not supported",
    ),
    "settings_lacking": Rule(
        settings_lacking,
        "supported if under {share_percent}% of trials have a site in {levels} income countries; else not supported",
    ),
    "not_standardised": Rule(
        not_standardised,
        "{outcomes}: supported if {count_least} instruments or more are used and the commonest in fewer than "
        "{share_percent}% of the trials; partly supported if in fewer than {share_partly_percent}%; else not supported",
    ),
}
