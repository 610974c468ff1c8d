"""PRISMA-S: how the search is reported, item by item (Rethlefsen et al. 2021, Syst Rev 10:39)."""

import pandas as pd

from peersupport.search.interfaces import INTERFACES
from peersupport.search.living import searched_on
from peersupport.search.strategy import Strategy


def facts(
    strategy: Strategy, hits: pd.DataFrame, exports: pd.DataFrame, log: pd.DataFrame, open_trials: int, queries: int
) -> dict[str, str]:
    """What the answers say in numbers and names; hits: of the sheet; queries: how many of the third wave are stored."""
    searched = sorted(set(exports.database) | {INTERFACES[name].label for name in hits.interface})
    dates = sorted({*hits.date, *searched_on(exports)} - {""})
    return {
        "searched": ", ".join(searched) if searched else "No bibliographic database has been searched yet",
        "prepared": ", ".join(way.label for way in INTERFACES.values()),
        "records": f"{len(log):,}",
        "queries": f"{queries}, in `data/raw/queries.csv`" if queries else "not stored here",
        "open_trials": f"{open_trials}",
        "first": f"{strategy.years[0]}",
        "last": f"{strategy.years[1]}",
        "updates": f"Searched on {len(dates)} dates so far." if dates else "It has not been run yet.",
        "dates": ", ".join(dates) if dates else "No database has been searched yet; the web pages in November 2026.",
        "exported": f"{len(exports):,} from databases" if len(exports) else "no database export was supplied",
    }


def page(items: pd.DataFrame, told: dict[str, str]) -> str:
    """The 16 items with their answers as Markdown; items: data/reference/prisma_s.csv."""
    lines = ["# PRISMA-S: reporting of the search", "", "| item | asked | answer |", "|---|---|---|"]
    lines += [f"| {row.item} | {row.asked} | {row.answer.format(**told)} |" for row in items.itertuples()]
    source = "Items: Rethlefsen et al. (2021), PRISMA-S, Systematic Reviews 10:39."
    return "\n".join([*lines, "", source]) + "\n"
