"""Effects in absolute terms: numbers needed to treat, and points on a scale people know."""

import re

import numpy as np
import pandas as pd
from scipy import stats

from peersupport.pool.fit import Fit

ODD_SD = 2  # times the instrument's median SD


def nnt_kraemer_kupfer(g: float) -> float:
    """Kraemer & Kupfer 2006: 1 / (2 Phi(g / sqrt 2) - 1). Negative: one is harmed per so many treated.

    How many people must be given peer support for one more to do better than a person without it.
    Infinite at g = 0.
    """
    gain = 2 * stats.norm.cdf(g / np.sqrt(2)) - 1
    return float("inf") if gain == 0 else float(1 / gain)


def nnt_furukawa(g: float, baseline: float) -> float:
    """Furukawa 1999, Furukawa & Leucht 2011: 1 / (Phi(g + Phi^-1(b)) - b), b the share of the comparator
    group that recovers or responds. Raises ValueError unless 0 < b < 1."""
    gain = stats.norm.cdf(g + stats.norm.ppf(_risk(baseline))) - baseline
    return float("inf") if g == 0 else float(1 / gain)


def nnt_risk_ratio(log_rr: float, baseline: float, good_event: bool) -> float:
    """1 / (b RR - b) for an event one wishes for, 1 / (b - b / RR) for one to be avoided; b the
    comparator's risk, RR turned so that above 1 is better (Cochrane Handbook 15.4.4)."""
    change = np.exp(log_rr) - 1 if good_event else 1 - np.exp(-log_rr)
    gain = _risk(baseline) * change
    return float("inf") if gain == 0 else float(1 / gain)


def absolute_row(fit: Fit, bayes: Fit, rows: pd.DataFrame, outcomes: pd.DataFrame, baseline: float) -> dict:
    """One domain in absolute terms: NNTs of the effect and of both ends of its interval, points, and
    probabilities: `share_favouring` the share of settings whose true effect is expected to favour peer
    support (main model), `probability_*` of the average effect (bayes).

    rows: the domain's effects; outcomes: notebook 01's tidy outcomes. `baseline`: for events the comparator_risk of the
    `baseline_trials` that state it; the argument for scales, or where no trial does (then 0 trials). `event_wanted`:
    whether the event is to be wished for. `_low` belongs to the interval's lower end; negative NNT: to harm (Altman
    1998). Domains of several outcomes have no common scale.
    """
    row = {"outcome_domain": fit.outcome_domain, "family": fit.family, "trials": fit.trials}
    row |= {
        "share_favouring": fit.share_favouring,
        "probability_above_0": bayes.probability_above_0,
        "probability_above_small": bayes.probability_above_small,
    }
    own = comparator_risk(rows, outcomes) if fit.family == "log_rr" else None
    baseline, row["baseline_trials"] = own or (baseline, 0)
    row["baseline"], row["event_wanted"] = baseline, np.nan
    ends = {"": fit.effect, "_low": fit.ci_low, "_high": fit.ci_high}
    for suffix, value in ends.items():
        if fit.family == "smd":
            row[f"nnt_kraemer_kupfer{suffix}"] = nnt_kraemer_kupfer(value)
            row[f"nnt_furukawa{suffix}"] = nnt_furukawa(value, baseline)
        else:
            row["event_wanted"] = float(fit.event == "wanted")
            row[f"nnt_risk_ratio{suffix}"] = nnt_risk_ratio(value, baseline, fit.event == "wanted")
    scale = commonest_scale(rows, outcomes)
    if fit.family == "smd" and scale is not None:
        row |= {"instrument": scale["instrument"], "scale_trials": scale["trials"]}
        row |= {"scale_sd": scale["sd"]}
        row |= {f"points{suffix}": value * scale["sd"] for suffix, value in ends.items()}
    return row


def comparator_risk(rows: pd.DataFrame, outcomes: pd.DataFrame) -> tuple[float, int] | None:
    """The median over trials of the event's risk in their comparator arms (0 to 1), and how many trials state it.

    rows: the domain's effects; outcomes: notebook 01's with `row_id, event_arm2, totaln_arm2`. A trial with several
    rows counts once, with their mean. None where no trial states counts, or the median is 0 or 1. The median of the
    trials' own comparators is the Cochrane Handbook's choice (15.4.2) where no better source of it is known.
    """
    counted = outcomes[outcomes["event_arm2"].notna() & outcomes["totaln_arm2"].gt(0)]
    found = rows[["row_id", "trial"]].merge(counted[["row_id", "event_arm2", "totaln_arm2"]], on="row_id")
    risks = (found["event_arm2"] / found["totaln_arm2"]).groupby(found["trial"]).mean()
    middle = float(risks.median()) if len(risks) else 0.0
    return (middle, len(risks)) if 0 < middle < 1 else None


def commonest_scale(rows: pd.DataFrame, outcomes: pd.DataFrame) -> pd.Series | None:
    """The instrument that most trials of a domain report, with the SD of its comparator groups.

    rows: the domain's effects; outcomes: notebook 01's tidy outcomes with `row_id, instrument, sd_arm2,
    n_arm2, outcome_type`. SD: pooled over trials, sqrt(sum (n-1) sd^2 / sum (n-1)), from rows with
    scores at one time (`msd`). Instruments are compared by their acronym where they give one in
    brackets. SDs beyond twice or under half the median of their instrument are set aside: they come
    from another way of scoring (a mean of items, not a sum) or are standard errors. None if no
    instrument with SDs is there, or if the rows span several outcome domains.
    """
    if rows["outcome_domain"].nunique() > 1:
        return None
    scores = outcomes[outcomes["outcome_type"].eq("msd") & outcomes["sd_arm2"].gt(0)]
    scores = scores[scores["n_arm2"].gt(1)][["row_id", "sd_arm2", "n_arm2"]]
    found = rows[["row_id", "trial", "instrument"]].merge(scores, on="row_id")
    if found.empty:
        return None
    found = found.assign(scale=found["instrument"].map(_short))
    usual = found.groupby("scale")["sd_arm2"].transform("median")
    found = found[found["sd_arm2"].between(usual / ODD_SD, usual * ODD_SD)]
    counted = found.groupby("scale").agg(trials=("trial", "nunique"), people=("n_arm2", "sum"))
    name = counted.sort_values(["trials", "people"], ascending=False, kind="stable").index[0]
    same = found[found["scale"].eq(name)]
    weight = same["n_arm2"] - 1
    return pd.Series(
        {
            "instrument": same["instrument"].mode().iloc[0],
            "trials": int(counted.loc[name, "trials"]),
            "sd": float(np.sqrt((weight * same["sd_arm2"] ** 2).sum() / weight.sum())),
        }
    )


def _short(instrument: str) -> str:
    name = re.sub(r"\s+-\s+(total|pooled)\b.*", "", " ".join(str(instrument).split()), flags=re.I)
    acronym = re.search(r"\(([A-Z][A-Za-z0-9-]*[A-Z0-9])\)", name)
    return acronym.group(1) if acronym else name


def _risk(baseline: float) -> float:
    if not 0 < baseline < 1:
        raise ValueError(f"baseline risk {baseline}: it must lie between 0 and 1.")
    return baseline
