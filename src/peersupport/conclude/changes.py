"""What differs between two states of the review, how much each difference matters, and a sentence for each.

Tables in, one table out; nothing is read or run here. Where code and data changed together, a third state between the
two (the old data under the new code) tells their parts apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from peersupport.conclude.grade import LEVEL_LABELS
from peersupport.conclude.manuscript import VERDICT_WORDS
from peersupport.text.numbers import shown

POOL = ["outcome_domain", "family"]
NUMBERS = ["k", "n", "effect", "ci_low", "ci_high"]
TRIALS = ("trials_new", "trials_gone", "trials_changed")
COLUMNS = [
    *("kind", "item", "outcome_domain", "family", "before", "now", "cause"),
    *(f"{name}_{state}" for state in ("before", "between", "now") for name in NUMBERS),
    *(*TRIALS, "importance", "sentence"),
]
KINDS = {  # in the order of what matters
    "verdict": "Verdicts",
    "pooled_result": "Pooled results (main model)",
    "ground": "Verdicts that stand on other numbers",
    "certainty": "Certainty",
    "theme": "Ranks of themes",
    "agreement": "Agreement of the coders (AC1)",
    "prisma": "Boxes of the PRISMA diagram",
    "setting": "Settings",
    "sheet": "Sheets",
    "code": "Code",
}
DATA, CODE, BOTH, UNKNOWN = "data", "code or settings", "data and code", "data or code: not told apart"
SAME = 1e-9
NOTED = 0.02  # of AC1
TABLES = {  # what a state needs of each table
    "pooled": [*POOL, *NUMBERS],
    "members": [*POOL, "trial"],
    "effects": ["outcome_domain", "recovery_type", "family", "trial", "effect", "selected"],
    "claims": ["claim_id", "claim", "verdict", "reason", "estimate", "k"],
    "findings": [*POOL, "certainty"],
    "agreement": ["sheet", "column", "ac1"],
    "flow": ["column", "box", "detail", "n"],
    "themes": ["theme_group", "theme", "studies"],
}


@dataclass(frozen=True)
class State:
    """The stored results of one version, and what they were made from.

    tables: by the names of TABLES, with those columns at least (`pooled`: the main model only; `members`: one row per
    trial of each pool). settings: parameters.yml. sheets: name to (digest, rows). code: file to digest.
    """

    name: str
    tables: Mapping[str, pd.DataFrame]
    settings: Mapping = field(default_factory=dict)
    sheets: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame:
        return self.tables.get(name, pd.DataFrame(columns=TABLES[name]))


@dataclass(frozen=True)
class Words:
    """Labels of outcomes and themes, the domains that a pool joins, what arm 1 is called, events by pool.

    events: avoid or wanted; a ratio of an event to be avoided is told as it is, not turned.
    """

    outcomes: Mapping[str, str]
    themes: Mapping[str, str]
    unions: Mapping[str, list[str]] = field(default_factory=dict)
    arm1: str = "arm 1"
    events: Mapping[str, str] = field(default_factory=dict)

    def outcome(self, pool: tuple[str, str]) -> str:
        """What a pool (outcome_domain, family) is called."""
        name = self.outcomes.get(pool[0], pool[0].replace("_", " ").capitalize())
        if pool[1] == "smd":
            return name
        better = {"avoid": "fewer", "wanted": "more"}.get(self.events.get(pool[0], ""))
        return f"{name} (risk ratio{f'; {better} is better' if better else ', above 1 is better'})"

    def turn(self, pool: tuple[str, str]) -> int:
        """-1 where effects, which are stored as above 0 for the better, are of an event to be avoided."""
        return -1 if pool[1] != "smd" and self.events.get(pool[0]) == "avoid" else 1


def changes(before: State, now: State, words: Words, between: State | None = None) -> pd.DataFrame:
    """One row per difference with COLUMNS, the most important first; empty where nothing differs.

    between: the results of the old data under the new code and settings, where both have changed.
    """
    parts = (_verdicts, _pooled, _certainty, _themes, _agreement, _flow, _settings, _sheets, _code)
    rows = [row for part in parts for row in part(before, now, between, words)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = table["kind"].map({kind: place for place, kind in enumerate(KINDS)})
    table = table.assign(order=order).sort_values(["importance", "order", "item"], ascending=[False, True, True])
    return table.drop(columns="order").reset_index(drop=True)


def page(table: pd.DataFrame, before: State, now: State, between: State | None = None) -> str:
    """The differences as Markdown: what was compared, counts, then a sentence for each, what matters most first."""
    lines = ["# What changed", "", f"Before: {before.name}. Now: {now.name}.", "", _told_apart(before, now, between)]
    if table.empty:
        return "\n".join([*lines, "", "Nothing differs.", ""])
    lines += ["", _counted(table)]
    for kind, title in KINDS.items():
        part = table[table["kind"].eq(kind)]
        if len(part):
            lines += ["", f"## {title}", "", *(f"- {_safe(sentence)}" for sentence in part["sentence"])]
    return "\n".join([*lines, ""])


def _told_apart(before, now, between):
    if between is not None:
        return (
            "Data and code changed both. The old data were computed under the new code as well: what differs from "
            "before to there is due to the code or the settings, what differs from there to now is due to the data."
        )
    whole = _whole_cause(before, now, between)
    if whole == UNKNOWN:
        return "Data and code changed both, and their parts could not be told apart."
    return f"All that differs in the results is due to the {whole}." if whole else "Neither data nor code changed."


def _counted(table):
    kind = table["kind"].value_counts()
    pools = table[table["kind"].eq("pooled_result")]
    crossed = int((pools["importance"] >= 3).sum())
    moved = int((table["kind"].eq("verdict") & (table["importance"] >= 4)).sum())
    come, gone = (int(pools[f"effect_{state}"].isna().sum()) for state in ("before", "now"))
    return (
        f"Verdicts that moved: {moved}, new claims or gone: {kind.get('verdict', 0) - moved}; judgements of certainty "
        f"that moved: {kind.get('certainty', 0)}. Pooled "
        f"results that differ: {len(pools)}, of them {crossed} with another story (the interval leaves no effect out, "
        f"or takes it in), {come} that could not be pooled before, and {gone} that cannot be pooled any more."
    )


def _safe(sentence):
    return " ".join(sentence.split())


# ---------------------------------------------------------------- results


def _verdicts(before, now, between, words) -> Iterator[dict]:
    old, new = (state.table("claims").set_index("claim_id") for state in (before, now))
    middle = between.table("claims").set_index("claim_id")["verdict"] if between else {}
    order = list(VERDICT_WORDS)
    for claim in [*new.index, *old.index.difference(new.index)]:
        was, is_ = (table["verdict"].get(claim) for table in (old, new))
        if was == is_:
            yield from _ground(claim, old.loc[claim], new.loc[claim], before, now, between)
            continue
        row = new.loc[claim] if claim in new.index else old.loc[claim]
        said = f"{claim} ({row['claim'].rstrip('.')})"
        if was is None:
            sentence = f"{said}: a new claim, {VERDICT_WORDS[is_]}. {row['reason']}"
        elif is_ is None:
            sentence = f"{said}: no claim of the review any more; it was {VERDICT_WORDS[was]}."
        else:
            cause = _word_cause(was, middle.get(claim), is_, before, now, between)
            sentence = (
                f"{said}: from {VERDICT_WORDS[was]} to {VERDICT_WORDS[is_]}{_due(cause)}. Before: "
                f"{_sentence(old.loc[claim, 'reason'])} Now: {_sentence(row['reason'])}"
            )
        moved = was is not None and is_ is not None
        steps = abs(order.index(was) - order.index(is_)) / 10 if moved else 0
        cause = _word_cause(was, middle.get(claim), is_, before, now, between) if moved else DATA
        importance = 4 + steps if moved else 2.4
        yield _row("verdict", claim, was, is_, cause, importance, sentence)


def _ground(claim, was, is_, before, now, between) -> Iterator[dict]:
    """A verdict that stayed although its number moved."""
    if all(_alike(was[name], is_[name]) for name in ("estimate", "k")):
        return
    middle = between.table("claims").set_index("claim_id")["estimate"].get(claim, np.nan) if between else np.nan
    numbers = {"before": was, "between": {"estimate": middle}, "now": is_}
    sentence = (
        f"{claim} ({is_['claim'].rstrip('.')}): still {VERDICT_WORDS[is_['verdict']]}. Before: "
        f"{_sentence(was['reason'])} Now: {_sentence(is_['reason'])}"
    )
    cause = _number_cause(numbers, before, now, between, "estimate")
    yield _row("ground", claim, was["estimate"], is_["estimate"], cause, 0.95, sentence)


def _pooled(before, now, between, words) -> Iterator[dict]:
    states = {"before": before, "between": between, "now": now}
    found = {name: _by_pool(state) for name, state in states.items() if state is not None}
    for pool in dict.fromkeys([*found["now"], *found["before"]]):
        numbers = {name: pools.get(pool, dict.fromkeys(NUMBERS, np.nan)) for name, pools in found.items()}
        was, is_ = numbers["before"], numbers["now"]
        trials = _trials(before, now, pool, words)
        if all(_alike(was[name], is_[name]) for name in NUMBERS) and not any(trials.values()):
            continue
        label = words.outcome(pool)
        cause = _number_cause(numbers, before, now, between)
        yield _row(
            "pooled_result",
            label,
            _effect(was, pool, words),
            _effect(is_, pool, words),
            cause,
            _importance(was, is_),
            _pooled_sentence(label, pool, words, numbers, trials, cause),
            outcome_domain=pool[0],
            family=pool[1],
            **{f"{name}_{state}": values[name] for state, values in numbers.items() for name in NUMBERS},
            **{name: "; ".join(who) for name, who in trials.items()},
        )


def _by_pool(state):
    table = state.table("pooled")
    return {(row["outcome_domain"], row["family"]): row for row in table[[*POOL, *NUMBERS]].to_dict("records")}


def _trials(before, now, pool, words):
    """Trials that came into the pool, left it, or stayed with another effect."""
    old, new = (_members(state, pool) for state in (before, now))
    was, is_ = (_trial_effects(state, pool, words) for state in (before, now))
    stayed = sorted(old & new)
    changed = [t for t in stayed if t in was and t in is_ and not _alike(was[t], is_[t])]
    return dict(zip(TRIALS, (sorted(new - old), sorted(old - new), changed), strict=True))


def _members(state, pool):
    table = state.table("members")
    return set(table.loc[table["outcome_domain"].eq(pool[0]) & table["family"].eq(pool[1]), "trial"])


def _trial_effects(state, pool, words):
    """Trial to the mean of its effects in the pool."""
    table = state.table("effects")
    table = table[table["selected"].astype(bool) & table["family"].eq(pool[1])]
    domains = words.unions.get(pool[0], [pool[0]])
    own = table["outcome_domain"].isin(domains) | table["recovery_type"].eq(pool[0])
    return table[own].groupby("trial")["effect"].mean().to_dict()


def _importance(was, is_):
    """3 and more: the interval tells another story; 2.5: pooled or not; 1 to 2: the move in half-widths of before."""
    if np.isnan(was["effect"]) or np.isnan(is_["effect"]):
        return 2.5
    move = abs(is_["effect"] - was["effect"]) / max((was["ci_high"] - was["ci_low"]) / 2, SAME)
    return (3 if _side(was) != _side(is_) else 1) + min(move, 1.0) * 0.9


def _side(row):
    return np.sign(row["ci_low"]) * (np.sign(row["ci_low"]) == np.sign(row["ci_high"]))


def _pooled_sentence(label, pool, words, numbers, trials, cause):
    was, is_ = numbers["before"], numbers["now"]
    if np.isnan(was["effect"]):
        told = f"{label}: pooled now, {_effect(is_, pool, words)}; before, too few trials to pool."
    elif np.isnan(is_["effect"]):
        told = f"{label}: not pooled any more; it was {_effect(was, pool, words)}."
    else:
        told = (
            f"{label}: from {_effect(was, pool, words)} to {_effect(is_, pool, words)}{_story(was, is_)}{_due(cause)}."
        )
        if cause == BOTH and not np.isnan(numbers["between"]["effect"]):
            told += f" The old data under the new code give {_effect(numbers['between'], pool, words)}."
    names = {"trials_new": "New", "trials_gone": "Gone", "trials_changed": "With another effect"}
    listed = [f"{names[kind]}: {', '.join(who)}." for kind, who in trials.items() if who]
    return " ".join([told, *listed])


def _story(was, is_):
    if _side(was) == _side(is_):
        return ""
    return ", whose interval takes in no effect now" if _side(is_) == 0 else ", whose interval leaves no effect out now"


def _effect(row, pool, words):
    if np.isnan(row["effect"]):
        return ""
    effect, low, high = turned(row, words.turn(pool))
    name = "g" if pool[1] == "smd" else "RR"
    numbers = f"{shown(effect, pool[1])} (95% CI {shown(low, pool[1])} to {shown(high, pool[1])}"
    return f"{name} {numbers}; {row['k']:.0f} trials, {row['n']:,.0f} people)"


def turned(row: Mapping, sign: int, ending: str = "") -> tuple[float, float, float]:
    """Effect and interval with that sign, the lower limit first."""
    effect, low, high = (sign * row[f"{name}{ending}"] for name in ("effect", "ci_low", "ci_high"))
    return (effect, low, high) if sign > 0 else (effect, high, low)


def _certainty(before, now, between, words) -> Iterator[dict]:
    old, new = (state.table("findings").set_index(POOL)["certainty"] for state in (before, now))
    middle = between.table("findings").set_index(POOL)["certainty"] if between else {}
    for pool in old.index.intersection(new.index):
        was, is_ = old[pool], new[pool]
        if was != is_:
            cause = _word_cause(was, middle.get(pool), is_, before, now, between)
            label = words.outcome(pool)
            names = [LEVEL_LABELS.get(level, level).lower() for level in (was, is_)]
            sentence = f"{label}: certainty from {names[0]} to {names[1]}{_due(cause)}."
            yield _row("certainty", label, was, is_, cause, 2.2, sentence, outcome_domain=pool[0], family=pool[1])


def _themes(before, now, between, words) -> Iterator[dict]:
    old, new = (_ranks(state) for state in (before, now))
    middle = _ranks(between) if between else {}
    for theme in [key for key in new if key in old and old[key] != new[key]]:
        was, is_ = old[theme], new[theme]
        top = (was <= 5) != (is_ <= 5)
        cause = _word_cause(was, middle.get(theme), is_, before, now, between)
        label = words.themes.get(theme[1], theme[1].replace("_", " "))
        sentence = f"{label} (among {theme[0]}s): from rank {was} to rank {is_}{_due(cause)}."
        yield _row("theme", label, was, is_, cause, 0.6 + 0.3 * top, sentence)


def _ranks(state):
    table = state.table("themes")
    rank = table.groupby("theme_group")["studies"].rank(ascending=False, method="min").astype(int)
    return dict(zip(zip(table["theme_group"], table["theme"], strict=True), rank, strict=True))


def _agreement(before, now, between, words) -> Iterator[dict]:
    old, new = (state.table("agreement").set_index(["sheet", "column"])["ac1"] for state in (before, now))
    middle = between.table("agreement").set_index(["sheet", "column"])["ac1"] if between else {}
    for key in old.index.intersection(new.index):
        was, is_ = old[key], new[key]
        if abs(is_ - was) >= NOTED:
            cause = _number_cause(
                {"before": {"ac1": was}, "between": {"ac1": middle.get(key, np.nan)}, "now": {"ac1": is_}},
                before,
                now,
                between,
                "ac1",
            )
            label = f"{key[1].replace('_', ' ')} ({key[0]})"
            sentence = f"{label}: AC1 from {was:.2f} to {is_:.2f}{_due(cause)}."
            yield _row("agreement", label, was, is_, cause, 0.3 + min(abs(is_ - was), 0.3), sentence)


def _flow(before, now, between, words) -> Iterator[dict]:
    keys = ["column", "box", "detail"]
    old, new = (state.table("flow").dropna(subset=["n"]).set_index(keys)["n"] for state in (before, now))
    middle = between.table("flow").dropna(subset=["n"]).set_index(keys)["n"] if between else {}
    for key in dict.fromkeys([*new.index, *old.index]):
        was, is_ = old.get(key, 0), new.get(key, 0)
        if was != is_:
            cause = _word_cause(was, middle.get(key, 0), is_, before, now, between)
            sentence = f"{str(key[2]).replace('_', ' ')}: from {was:,.0f} to {is_:,.0f}{_due(cause)}."
            yield _row("prisma", str(key[2]), was, is_, cause, 0.25, sentence)


# ---------------------------------------------------------------- what they are made from


def _settings(before, now, between, words) -> Iterator[dict]:
    old, new = (_flat(state.settings) for state in (before, now))
    for name in sorted({*old, *new}):
        was, is_ = old.get(name, ""), new.get(name, "")
        if was != is_:
            sentence = f"{name}: {_cut(was) or 'not there'} before, {_cut(is_) or 'not there'} now."
            yield _row("setting", name, was, is_, CODE, 0.2, sentence)


def _flat(settings):
    """Name to value as text; what stands within a setting by both names."""
    flat = {}
    for name, value in settings.items():
        inner = value if isinstance(value, Mapping) else {"": value}
        flat |= {f"{name}, {key}" if key else name: str(part) for key, part in inner.items()}
    return flat


def _cut(text, longest=160):
    return text if len(text) <= longest else text[:longest] + " …"


def _sheets(before, now, between, words) -> Iterator[dict]:
    for name in sorted({*before.sheets, *now.sheets}):
        was, is_ = before.sheets.get(name), now.sheets.get(name)
        if was == is_:
            continue
        if was is None or is_ is None:
            sentence = f"{name}: {'new' if was is None else 'not there any more'}."
        elif was[1] == is_[1]:
            sentence = f"{name}: {is_[1]:,} rows as before, with other contents."
        else:
            sentence = f"{name}: from {was[1]:,} to {is_[1]:,} rows."
        yield _row("sheet", name, was and was[1], is_ and is_[1], DATA, 0.15, sentence)


def _code(before, now, between, words) -> Iterator[dict]:
    new, gone = sorted({*now.code} - {*before.code}), sorted({*before.code} - {*now.code})
    other = sorted(name for name in {*before.code} & {*now.code} if before.code[name] != now.code[name])
    named = {"changed": other, "new": new, "gone": gone}
    if any(named.values()):
        listed = [f"{len(files)} {kind} ({_cut(', '.join(files))})" for kind, files in named.items() if files]
        sentence = f"Files of code and notebooks: {'; '.join(listed)}."
        yield _row("code", "code", len(before.code), len(now.code), CODE, 0.1, sentence)


# ---------------------------------------------------------------- causes and rows


def _whole_cause(before, now, between):
    """The one cause of all differences in the results, if there is one; "" where neither data nor code changed."""
    data = before.sheets != now.sheets
    code = before.code != now.code or dict(before.settings) != dict(now.settings)
    if data and code:
        return BOTH if between else UNKNOWN
    return DATA if data else CODE if code else ""


def _word_cause(was, middle, is_, before, now, between):
    whole = _whole_cause(before, now, between)
    if whole != BOTH:
        return whole
    return DATA if middle == was else CODE if middle == is_ else BOTH


def _number_cause(numbers, before, now, between, name="effect"):
    whole = _whole_cause(before, now, between)
    if whole != BOTH:
        return whole
    was, middle, is_ = (numbers[state][name] for state in ("before", "between", "now"))
    return DATA if _alike(was, middle) else CODE if _alike(middle, is_) else BOTH


def _alike(a, b):
    return (pd.isna(a) and pd.isna(b)) or bool(np.isclose(a, b, rtol=0, atol=SAME))


def _due(cause):
    return {DATA: ", by the data", CODE: ", by the code or the settings", BOTH: ", by the data and the code"}.get(
        cause, ""
    )


def _sentence(text):
    text = str(text).strip()
    return text if text.endswith(".") else f"{text}."


def _row(kind, item, before, now, cause, importance, sentence, **more):
    about = {"kind": kind, "item": item, "before": before, "now": now, "cause": cause}
    return about | {"importance": round(float(importance), 3), "sentence": _safe(sentence)} | more
