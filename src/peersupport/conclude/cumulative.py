"""How each pooled result and its verdict would have stood at the end of each year, and what repeated looks allow."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from peersupport.conclude.grade import Rules
from peersupport.effects.pools import Domain
from peersupport.pool import models
from peersupport.pool.fit import composites
from peersupport.pool.sequential import looks, monitoring_bounds, required_information

ALPHA = 0.05
FEW_TRIALS = 5
FEW = f"with fewer than {FEW_TRIALS} trials their spread, and so the information that is there, cannot be told"
VERDICTS = {
    "above": "interval on the better side of no difference",
    "open": "interval with no difference inside",
    "below": "interval on the worse side of no difference",
    "too_few": "too few trials",
}
COLUMNS = [
    *("outcome_domain", "family", "event", "year", "k", "n", "effect", "ci_low", "ci_high", "verdict", "since"),
    *("share", "z", "bound", "monitored_low", "monitored_high", "monitored", "note"),
]
MONITORED = {
    "crossed": "the bound was crossed",
    "reached": "the information required is there, no bound was crossed",
    "open": "no bound crossed yet",
    "": "not monitored",
}


def delta(family: str, small_effect: float, rules: Rules) -> float:
    """The effect that monitoring is to find: the smallest g that matters, or GRADE's relative reduction, as log."""
    return small_effect if family == "smd" else -float(np.log(1 - rules.risk_reduction))


def by_year(domains: list[Domain], settings: models.Settings, rules: Rules, start: int, end: int) -> pd.DataFrame:
    """One row per pool and year from `start` to `end` with COLUMNS: the main model on the trials until then.

    verdict: of VERDICTS; since: from which year on it has been that of the last year. share: of the information
    required to find `delta`; z, bound, monitored_low, monitored_high: of monitoring with all trials' spread; note says
    why a pool cannot be monitored. Trials without a year cannot be placed, and are left out.
    """
    parts = [_one_pool(domain, settings, rules, range(start, end + 1)) for domain in domains]
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _one_pool(domain, settings, rules, years):
    first = domain.rows.groupby("trial")["year"].transform("min")
    until = {year: int((first <= year).sum()) for year in years}
    fitted = {
        count: models.fit_model(replace(domain, rows=domain.rows[first <= year]), models.MAIN, settings)
        for year, count in until.items()
    }
    fits = [fitted[count] for count in until.values()]
    table = pd.DataFrame(
        {"year": [*years]} | {name: [getattr(fit, name) for fit in fits] for name in ("effect", "ci_low", "ci_high")}
    )
    table = table.assign(
        outcome_domain=domain.name,
        family=domain.family,
        event=domain.event,
        k=[fit.trials if fit.k else 0 for fit in fits],
        n=[fit.n for fit in fits],
        verdict=[_verdict(fit) for fit in fits],
    )
    table["since"] = _since(table)
    return _monitored(table, fits[-1], settings, rules)


def _verdict(fit):
    if np.isnan(fit.effect):
        return "too_few"
    return "above" if fit.ci_low > 0 else "below" if fit.ci_high < 0 else "open"


def _since(table):
    """The first year of the last unbroken run of the last verdict."""
    other = table.index[table["verdict"].ne(table["verdict"].iloc[-1])]
    return int(table["year"].iloc[0 if other.empty else other[-1] + 1])


def _monitored(table, last, settings, rules):
    """z, bound and monitored interval at each year's look, with the spread that all trials have.

    Where more information is there than required, the error is spread over all that is there.
    """
    empty = dict.fromkeys(("share", "z", "bound", "monitored_low", "monitored_high"), np.nan)
    table = table.assign(**empty, monitored="", note="")
    estimated = table.index[table["effect"].notna()]
    if np.isnan(last.effect):
        return table.assign(note=last.note or "too few trials to pool, so none to monitor")
    if last.trials < FEW_TRIALS:
        return table.assign(note=f"not monitored: {FEW}")
    trials = composites(last.effects, settings.correlation)
    years = table["year"][estimated].to_numpy()
    look = np.searchsorted(years, trials["year"].to_numpy(float))
    z, information = looks(trials["effect"], trials["variance"], last.tau2, look, len(years))
    share = information / required_information(delta(last.family, settings.small_effect, rules), ALPHA, rules.power)
    bound = monitoring_bounds(share / max(1.0, share[-1]), ALPHA)
    half = bound / np.sqrt(information)
    middle = z / np.sqrt(information)
    table.loc[estimated, list(empty)] = np.column_stack([share, z, bound, middle - half, middle + half])
    crossed = np.logical_or.accumulate(np.abs(z) >= bound)
    state = np.where(crossed, "crossed", np.where(share >= 1, "reached", "open"))
    table.loc[estimated, "monitored"] = state
    return table.replace([np.inf, -np.inf], np.nan)


def summary(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """One row per pool: what holds at the end, since when, the share of the information, and what monitoring says."""
    last = table.groupby(["outcome_domain", "family"], sort=False).tail(1)
    return last.assign(
        outcome=last["outcome_domain"].map(labels),
        verdict=last["verdict"].map(VERDICTS),
        monitoring=last["monitored"].map(MONITORED),
    )[
        ["outcome", "family", "k", "verdict", "since", "share", "z", "bound", "monitoring", "monitored", "note"]
    ].reset_index(drop=True)
