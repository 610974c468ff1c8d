"""The answer of each outcome in words: effect with its unit, window of years, people in 1000, certainty.

One table, which the report and the README show alike.
"""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import yaml

from peersupport.conclude.grade import LEVEL_LABELS
from peersupport.effects.pools import outcome_labels
from peersupport.pool.models import MAIN, Settings, slug
from peersupport.store.codebook import codebook
from peersupport.store.project import MARKER, project_root
from peersupport.store.tables import read_table
from peersupport.text.numbers import shown, span

AVOID = "avoid"
WINDOW = "window"  # how the name of the model of the article's years begins
NOT_POOLED = "not pooled"
KINDS = {"smd": " (scales)", "log_rr": " (people who did)"}


@dataclass(frozen=True)
class Answer:
    """One pooled outcome: its row of the main model, of the article's years, and of the summary of findings."""

    name: str
    label: str  # where two kinds of figures are pooled under one name, with which of them
    main: dict
    window: dict
    finding: dict

    @property
    def slug(self) -> str:
        return slug(self.name, self.family)

    @property
    def family(self) -> str:
        return self.main["family"]

    @property
    def event(self) -> str:
        """avoid or wanted, for risk ratios whose event is known; else blank."""
        told = self.main.get("event")
        return told if isinstance(told, str) else direction_of(self.name, self.family)

    @property
    def unit(self) -> str:
        return "g" if self.family == "smd" else "RR"

    @property
    def favours(self) -> int:
        """1 or -1 where the whole interval is on one side of no difference, else 0."""
        return int(self.main["ci_low"] > 0) - int(self.main["ci_high"] < 0)

    @property
    def level(self) -> str:
        return LEVEL_LABELS.get(self.finding.get("certainty"), "not rated")

    def effect(self, row=None) -> str:
        """g 0.24, or RR 0.74 of the event itself."""
        row = self.main if row is None else row
        return effect_words(row.get("effect"), self.family, self.event)

    def interval(self, row=None, which="ci") -> str:
        row = self.main if row is None else row
        return interval_words(row.get(f"{which}_low"), row.get(f"{which}_high"), self.family, self.event)

    def estimate(self, row=None) -> str:
        """g 0.24 (0.15 to 0.33)."""
        row = self.main if row is None else row
        if pd.isna(row.get("effect")):
            return NOT_POOLED
        return f"{self.effect(row)} ({self.interval(row)})"

    @cached_property
    def in_window(self) -> str:
        """The same within the article's years, with its trials."""
        if pd.isna(self.window.get("effect")):
            return "too few trials"
        return f"{self.estimate(self.window)}; {counted(self.window['trials'], 'trial')}"

    def per_1000(self) -> str:
        """52 fewer admitted (85 fewer to 10 more): people in 1000, of the event or of those who do well."""
        values = [self.finding.get(f"more_per_1000{end}") for end in ("", "_low", "_high")]
        if any(value is None or pd.isna(value) for value in values):
            return ""
        what = event_words(self.name) if self.family != "smd" else "do well"
        best, *ends = [-value for value in values] if self.event == AVOID else values
        best, *ends = (more_or_fewer(value) for value in (best, *sorted(ends)))
        return f"{best} {what} ({ends[0]} to {ends[1]})"


def direction_of(name: str, family: str) -> str:
    """Of an outcome counted in events: whether they are to be avoided or wanted, as the codebook says."""
    book = codebook()
    told = book["events"].get(name) or book["unions"].get(name, {}).get("events")
    other = {f"{domain}_{direction}": direction for domain in book["events"] for direction in ("avoid", "wanted")}
    return (told or other.get(name, "")) if family != "smd" else ""


def effect_words(value, family: str, event: str = "") -> str:
    """An effect with its unit: g 0.24, RR 0.74; blank where there is none."""
    if value is None or pd.isna(value):
        return ""
    return f"{'g' if family == 'smd' else 'RR'} {shown(value, family, event)}"


def interval_words(low, high, family: str, event: str = "") -> str:
    if low is None or pd.isna(low) or pd.isna(high):
        return ""
    return span(low, high, family, event)


def event_words(name: str) -> str:
    """What happens to a person who has the event: admitted, as the codebook words it."""
    book = codebook()
    return book["event_words"].get(name) or f"with {outcome_labels_of_book()[name].lower()}"


def more_or_fewer(value: float) -> str:
    return f"{abs(value):.0f} {'more' if value >= 0 else 'fewer'}"


def counted(number: float, noun: str) -> str:
    return f"{number:,.0f} {noun}" if number == 1 else f"{number:,.0f} {noun}s"


def settings() -> Settings:
    """The settings of parameters.yml that models are named by."""
    found = yaml.safe_load((project_root() / MARKER).read_text("utf-8"))
    return Settings(window_start=found["window_start"], window_end=found["window_end"])


def window_words() -> str:
    """The article's years: 2020 to 2025."""
    chosen = settings()
    return f"{chosen.window_start} to {chosen.window_end}"


def outcome_labels_of_book() -> dict[str, str]:
    return outcome_labels(codebook())


def answers() -> dict[str, Answer]:
    """Every pooled outcome by its slug, in the order of the tables."""
    labels, pooled = outcome_labels_of_book(), read_table("tables/pooled_outcomes.csv")
    findings = read_table("tables/summary_of_findings.csv")
    keys = [name for name in ("outcome_domain", "family", "event") if name in pooled and name in findings]
    by_key = {key_of(row, keys): row for row in findings.to_dict("records")}
    main = pooled[pooled["model"].eq(MAIN)]
    years = pooled[pooled["model"].str.startswith(WINDOW)]
    windows = {key_of(row, keys): row for row in years.to_dict("records")}
    main = main.dropna(subset=["effect"])
    twice = set(main["outcome_domain"][main["outcome_domain"].duplicated()])
    found = {}
    for row in main.to_dict("records"):
        key, name = key_of(row, keys), row["outcome_domain"]
        kind = KINDS[row["family"]] if name in twice else ""
        one = Answer(name, labels[name] + kind, row, windows.get(key, {}), by_key.get(key, {}))
        found[one.slug] = one
    return found


def key_of(row: dict, keys: list[str]) -> tuple:
    return tuple("" if pd.isna(row[name]) else row[name] for name in keys)


HEADS = ("outcome", "trials", "effect (95% CI)", "window", "expected in a new setting", "certainty")


def readme_block(found: dict[str, Answer]) -> str:
    """The answers in Markdown: the table, a row for each pooled outcome, and what it shows in a sentence."""
    heads = [f"{window_words()} only" if name == "window" else name for name in HEADS]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for one in found.values():
        cells = [
            one.label,
            f"{one.main['trials']:.0f}",
            one.estimate(),
            one.in_window,
            one.interval(which="pi") or "not estimated",
            one.level.lower(),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", summed_up(found), ""])


def without_types(found: dict[str, Answer]) -> list[Answer]:
    """The outcomes without the types of recovery, which hold them once more."""
    return [one for one in found.values() if one.name not in codebook()["recovery_types"]]


def summed_up(found: dict[str, Answer]) -> str:
    """Where the interval is on one side and where not, and how sure that is, counted over the outcomes."""
    single = without_types(found)
    sides = {side: [one.label.lower() for one in single if one.favours == side] for side in (1, 0, -1)}
    levels = pd.Series([one.level.lower() for one in single], dtype=str).value_counts()
    words = {
        1: "The whole interval favours peer support for {}.",
        0: "It includes no difference for {}.",
        -1: "It favours the comparator for {}.",
    }
    told = [words[side].format(", ".join(names)) for side, names in sides.items() if names]
    sure = ", ".join(f"{level} for {count}" for level, count in levels.items())
    return " ".join([*told, f"Certainty is {sure} of these {len(single)} outcomes."])
