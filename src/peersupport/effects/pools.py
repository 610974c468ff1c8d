"""What is pooled together: outcome domains, recovery types and unions of domains, events by their direction.

The one rule that every notebook uses. Events to be avoided and events wished for never share a pool, nor do randomised
and non-randomised studies: `pools` is given the effects of one kind of study.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

WORDS = {"avoid": "to be avoided", "wanted": "wished for"}


@dataclass(frozen=True)
class Domain:
    """The effects of one outcome domain, recovery type or union of domains, in one family."""

    name: str
    family: str
    rows: pd.DataFrame

    @property
    def trials(self) -> int:
        return self.rows["trial"].nunique()

    @property
    def event(self) -> str:
        """avoid or wanted where events are counted, else ""."""
        return event_of(self.rows)


def event_of(rows: pd.DataFrame) -> str:
    """The direction of the events that rows of one pool count: avoid, wanted, or "" for what is not counted."""
    told = rows["event"].dropna() if "event" in rows else pd.Series(dtype=object)
    return next(iter(told[told.ne("")]), "")


def pools(effects: pd.DataFrame, codebook: Mapping) -> list[Domain]:
    """Every pool of these effects, domains in the codebook's order, then recovery types, then unions.

    effects: rows with outcome_domain, family, event, recovery_type and trial, of one kind of study. A domain of events
    is pooled in the direction that the codebook gives it; its rows of the other direction are a pool named after it
    and their direction (service_use_wanted). A recovery type or union that no row has is left out.
    """
    declared, order = codebook["events"], list(codebook["codes"]["outcome_domain"])
    names = pool_names(effects, declared)
    found = [Domain(name, family, rows) for (name, family), rows in effects.groupby([names, "family"], sort=False)]
    found.sort(key=lambda d: (order.index(d.rows["outcome_domain"].iloc[0]), d.family != "smd", d.name))
    scales, events = effects[effects["family"].eq("smd")], effects[effects["family"].ne("smd")]
    for kind in codebook["recovery_types"]:
        found.append(Domain(kind, "smd", scales[scales["recovery_type"].eq(kind)]))
    for name, union in codebook["unions"].items():
        rows, direction = (events, union["events"]) if union.get("events") else (scales, None)
        rows = rows[rows["outcome_domain"].isin(union["domains"])]
        rows = rows if direction is None else rows[rows["event"].eq(direction)]
        if rows["outcome_domain"].nunique() > 1:
            found.append(Domain(name, "log_rr" if direction else "smd", rows))
    return [domain for domain in found if len(domain.rows)]


def pool_names(effects: pd.DataFrame, events: Mapping[str, str]) -> pd.Series:
    """The pool of each row by itself: its domain, with the direction behind it where the domain's is the other one."""
    other = effects["event"].fillna("").ne("") & effects["event"].ne(effects["outcome_domain"].map(events))
    return effects["outcome_domain"].mask(other, effects["outcome_domain"] + "_" + effects["event"].fillna(""))


def outcome_labels(codebook: Mapping) -> dict[str, str]:
    """Label of everything that can be pooled: domains, those of the other direction, recovery types, unions."""
    codes = codebook["codes"]
    split = {
        f"{domain}_{direction}": f"{codes['outcome_domain'][domain]}, {WORDS[direction]}"
        for domain, declared in codebook["events"].items()
        for direction in WORDS
        if direction != declared
    }
    unions = {name: union["label"] for name, union in codebook["unions"].items()}
    types = {kind: codes["recovery_type"][kind] for kind in codebook["recovery_types"]}
    return codes["outcome_domain"] | split | types | unions
