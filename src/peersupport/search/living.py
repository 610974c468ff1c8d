"""A search that is run again: what is new in each, how much to expect a month, and when the next one pays.

The date of a search is the first ISO date in the path of its export ("2026-05-01/pubmed.nbib"), else the one of its
lines in the sheet of hits.
"""

import io
import re

import numpy as np
import pandas as pd

from peersupport.search.interfaces import INTERFACES
from peersupport.store.sheets import problem

DATE = re.compile(r"(?<!\d)(20\d{2})[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?!\d)")
HITS = ["interface", "line", "date", "hits", "searcher"]
MONTH = 365.25 / 12  # days


def searched_on(records: pd.DataFrame) -> pd.Series:
    """The date of each record's search as its file's path tells it; "" where it tells none."""
    found = records.file.map(lambda path: DATE.search(path))
    return found.map(lambda match: "-".join(match.groups()) if match else "").astype("str")


def new_by_search(records: pd.DataFrame) -> pd.DataFrame:
    """`searched_on, records, new, months, new_per_month`: of each dated search the records, those no earlier search
    had (whatever its database), the months since the search before, and new records a month (NaN of the first).

    records: deduplicated exports. A record without date counts as found before all.
    """
    dated = records.assign(date=searched_on(records), work=records.duplicate_of.fillna(records.index.to_series()))
    first = dated.groupby("work").date.transform("min")
    rows, before = [], ""
    for date in sorted(set(dated.date) - {""}):
        part = dated[dated.date.eq(date)]
        new = part[first[part.index].eq(date)].work.nunique()
        months = (pd.Timestamp(date) - pd.Timestamp(before)).days / MONTH if before else np.nan
        rows.append((date, part.work.nunique(), new, months, new / months if before else np.nan))
        before = date
    return pd.DataFrame(rows, columns="searched_on records new months new_per_month".split())


def is_new(records: pd.DataFrame) -> pd.Series:
    """Whether a record that is no duplicate was found by the latest dated search alone; all are where there is one."""
    date = searched_on(records)
    work = records.duplicate_of.fillna(records.index.to_series())
    return ~records.duplicate & date.groupby(work).transform("min").eq(date.max())


def expectation(
    studies: pd.DataFrame, window: tuple[int, int], share: float, per_month: pd.Series, pays: int
) -> pd.DataFrame:
    """`what, value, unit, from`: what the next search may bring, and the months after which it brings `pays` studies.

    studies: included ones with `year`; share: of the screened records of databases, those included; per_month: new
    records a month of each dated search, the last one counts. Where either is not known or nothing the studies of the
    three years before the last one say how many studies a month to expect, and records a month stay blank.
    """
    records = per_month.iloc[-1] if len(per_month) else np.nan
    years = pd.to_numeric(studies.year, errors="coerce")
    last = int(np.nanmax([*years[years.le(window[1])], window[0]]))
    shown = records * share
    seen = shown > 0  # of a search that brought nothing, nothing follows
    monthly = shown if seen else years.between(last - 3, last - 1).sum() / 36
    origin = "screened records of two dated searches" if seen else f"studies of {last - 3} to {last - 1}"
    rows = [
        ("new records a month", records, "records", "two dated searches" if np.isfinite(records) else "not known yet"),
        ("new included studies a month", monthly, "studies", origin),
        (f"months until {pays} new included studies", pays / monthly if monthly else np.nan, "months", origin),
    ]
    return pd.DataFrame(rows, columns=["what", "value", "unit", "from"])


def read_hits(content: bytes, lines: pd.DataFrame) -> tuple[pd.DataFrame, list[dict]]:
    """(hits, problems) of data/raw/search/hits.csv: `interface, line, date, hits, searcher`, filled in by who searched.

    lines: of `interfaces.strings`. A line that is named twice, or that the strategy does not have, is a problem.
    """
    problems: list[dict] = []

    def note(row, column, value, rule, remedy):
        problems.append(problem("search/hits", row, column, value, rule, "error", remedy))

    if not content.strip():
        return pd.DataFrame(columns=HITS), problems
    table = pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False)
    if [*table] != HITS:
        note(1, "", ", ".join(table), "columns", f"the columns must be {', '.join(HITS)}")
        return pd.DataFrame(columns=HITS), problems
    known = set(zip(lines.interface, lines.line.astype(str), strict=True))
    for row, found in zip(table.index + 2, table.itertuples(index=False), strict=True):
        if found.interface not in INTERFACES:
            note(row, "interface", found.interface, "unknown_interface", f"write one of {', '.join(INTERFACES)}")
        elif (found.interface, found.line) not in known:
            note(
                row,
                "line",
                found.line,
                "unknown_line",
                "the strategy has no such line for this interface: see lines.csv",
            )
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", found.date):
            note(row, "date", found.date, "date", "write the day of the search as 2026-05-31")
        if not re.fullmatch(r"\d+", found.hits):
            note(row, "hits", found.hits, "hits", "write the number of hits in digits alone")
    for row in table.index[table.duplicated(["interface", "line", "date"])] + 2:
        note(row, "line", table.line[row - 2], "line_twice", "this line has hits of this day already: keep one row")
    return table, problems


def with_hits(lines: pd.DataFrame, hits: pd.DataFrame) -> pd.DataFrame:
    """Lines with `date`, `hits` and `searcher` of the latest search of each; blank where nobody has searched yet."""
    latest = hits.sort_values("date").drop_duplicates(["interface", "line"], keep="last")
    return lines.merge(latest.astype({"line": int}), on=["interface", "line"], how="left").fillna("")
