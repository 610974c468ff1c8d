"""What outcomes are measured with: how many instruments a domain has, and how far they go along with the spread."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from peersupport.effects.select import name_instrument
from peersupport.moderate.regression import regress
from peersupport.pool import engine

OTHER, SEVERAL = "other", "several"


def effective_number(counts: Sequence[float]) -> float:
    """Inverse Simpson index, 1 / sum of squared shares: as many instruments in equal use would be as diverse.

    Hill 1973 (doi 10.2307/1934352), order 2. NaN without a count.
    """
    shares = np.asarray(counts, float)
    return float(shares.sum() ** 2 / (shares**2).sum()) if shares.sum() > 0 else float("nan")


def used(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per trial, outcome domain and instrument: trial, year, outcome_domain, instrument; blanks left out.

    rows: outcome rows with `instrument` as the codebook joins its names.
    """
    named = rows[rows["instrument"].fillna("").ne("")]
    return named.drop_duplicates(["trial", "outcome_domain", "instrument"])[
        ["trial", "year", "outcome_domain", "instrument"]
    ]


def diversity(pairs: pd.DataFrame, periods: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Instruments of each outcome domain, in all years and in each period.

    pairs: `used`. Columns: outcome_domain, period, trials, instruments, commonest, commonest_trials, commonest_share
    (of the trials), effective_number. Of instruments used equally often the first by name is named.
    """
    rows = []
    for domain, own in pairs.groupby("outcome_domain", sort=False):
        for period, (first, last) in {"all years": (-np.inf, np.inf), **periods}.items():
            part = own if np.isinf(first) else own[own["year"].between(first, last)]
            if part.empty:
                continue
            counts = part["instrument"].value_counts()
            commonest = min(counts.index[counts.eq(counts.max())])
            trials = part["trial"].nunique()
            rows.append(
                {
                    "outcome_domain": domain,
                    "period": period,
                    "trials": trials,
                    "instruments": len(counts),
                    "commonest": commonest,
                    "commonest_trials": int(counts.max()),
                    "commonest_share": counts.max() / trials,
                    "effective_number": effective_number(counts),
                }
            )
    return pd.DataFrame(rows)


def spread_with_instrument(trials: pd.DataFrame, least: int) -> dict:
    """How much of the spread between trials goes along with the instrument: mixed-effects regression on it.

    trials: one effect per trial, with `instrument` (SEVERAL where a trial combined some). Instruments of one trial are
    joined as OTHER. Returns k, groups, tau2, tau2_within, share (of tau2; 0 to 1) and note; numbers are blank, with the
    reason, where fewer than `least` trials or one group are there. With few trials a share is far from sure
    (Lopez-Lopez et al. 2014, doi 10.1111/bmsp.12002).
    """
    counts = trials["instrument"].value_counts()
    group = trials["instrument"].where(trials["instrument"].map(counts) > 1, OTHER)
    levels = sorted(group.unique())
    found = {
        "k": len(trials),
        "groups": len(levels),
        "tau2": np.nan,
        "tau2_within": np.nan,
        "share": np.nan,
        "note": "",
    }
    if len(trials) < least:
        return found | {"note": f"{len(trials)} trials, {least} needed"}
    if len(levels) < 2 or len(trials) <= len(levels):
        return found | {"note": f"{len(levels)} groups of instruments in {len(trials)} trials cannot be told apart"}
    y, v = (trials[[name]].to_numpy(float) for name in ("effect", "variance"))
    whole = float(engine.pool(y, v, "REML").tau2[0])
    design = np.column_stack([np.ones(len(trials)), *(group.eq(level).to_numpy(float) for level in levels[1:])])
    within = regress(trials, design)["tau2"]
    share = max(0.0, 1 - within / whole) if whole > 0 else np.nan
    note = "" if whole > 0 else "the trials do not differ beyond chance"
    return found | {"tau2": whole, "tau2_within": within, "share": share, "note": note}


def spread_by_outcome(
    effects: pd.DataFrame, trials: pd.DataFrame, aliases: Mapping[str, list[str]], least: int
) -> pd.DataFrame:
    """`spread_with_instrument` of each pooled outcome domain: effects: the selected rows; trials: the pooled ones."""
    named = effects.assign(instrument=[name_instrument(text, aliases)[0] for text in effects["instrument"].fillna("")])
    rows = []
    for (domain, family), own in trials.groupby(["outcome_domain", "family"], sort=False):
        mine = named[named["outcome_domain"].eq(domain) & named["family"].eq(family)]
        if mine.empty:  # a recovery type or a union of domains
            continue
        once = mine.groupby("trial")["instrument"].agg(lambda names: names.iloc[0] if names.nunique() == 1 else SEVERAL)
        found = spread_with_instrument(own.assign(instrument=own["trial"].map(once).fillna(SEVERAL)), least)
        rows.append({"outcome_domain": domain, "family": family} | found)
    return pd.DataFrame(rows)
