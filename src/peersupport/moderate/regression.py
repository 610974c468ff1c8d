"""Meta-regression on one or several moderators, with Knapp and Hartung's test and a permutation test."""

from collections.abc import Sequence
from itertools import permutations as all_orders
from math import factorial

import numpy as np
import pandas as pd
from scipy import stats

from peersupport.moderate.trials import LEAST
from peersupport.pool import engine
from peersupport.pool.fit import NAN

REGRESSION_COLUMNS = (
    "outcome model term estimate ci_low ci_high p_value p_permutation k r2 tau2 df family warning note"
).split()


def regress(trials: pd.DataFrame, design: np.ndarray) -> dict:
    """Mixed-effects meta-regression: REML, Knapp-Hartung covariance, t with k - p df (metafor's test = "knha").

    trials: `effect`, `variance` (k rows); design: (k, p) with its intercept. Returns estimate, ci_low, ci_high, p_value
    (arrays of p), covariance (p, p), tau2, df: one column of engine.regress. Raises ValueError where k <= p or the
    design is not of full rank.
    """
    y, v = (trials[[name]].to_numpy(float) for name in ("effect", "variance"))
    k, p = design.shape
    found = engine.regress(y, v, design)
    if np.isnan(found.tau2[0]):
        raise ValueError(f"{k} trials cannot carry {p} coefficients with this design.")
    estimate, covariance = found.estimate[:, 0], found.covariance[0]
    error = np.sqrt(np.diag(covariance))
    half = stats.t.ppf(0.975, k - p) * error
    return {
        "estimate": estimate,
        "ci_low": estimate - half,
        "ci_high": estimate + half,
        "p_value": 2 * stats.t.sf(np.abs(estimate) / error, k - p),
        "covariance": covariance,
        "tau2": float(found.tau2[0]),
        "df": k - p,
    }


def permutation_p(trials: pd.DataFrame, design: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """Permutation p-values of the coefficients (array of p): how often |estimate / se| of shuffled trials is as large.

    Higgins & Thompson 2004 (doi 10.1002/sim.1752): effects and variances keep together and change places against the
    moderators. Every order where there are no more than `permutations`, else that many drawn ones beside the observed.
    """
    y, v = trials["effect"].to_numpy(float), trials["variance"].to_numpy(float)
    orders = _orders(len(y), permutations, seed)
    found = engine.regress(y[orders].T, v[orders].T, design)
    error = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2).T)
    size = np.abs(found.estimate / error)
    return (size >= size[:, :1] * (1 - 1e-9)).mean(axis=1)


def _orders(k: int, permutations: int, seed: int) -> np.ndarray:
    """The order as it is, then others: orders x k."""
    if factorial(k) <= permutations:
        return np.array(list(all_orders(range(k))))
    generator = np.random.default_rng(seed)
    drawn = generator.permuted(np.tile(np.arange(k), (permutations, 1)), axis=1)
    return np.vstack([np.arange(k), drawn])


def meta_regression(
    trials: pd.DataFrame, outcome: str, terms: Sequence[str], model: str, *, permutations: int, seed: int, few: int = 10
) -> pd.DataFrame:
    """One meta-regression on the trials that state every term: a row for the intercept and for each term.

    r2 is the share of tau2 that the terms explain, 100 (tau2_null - tau2) / tau2_null on the same trials, not below 0,
    and blank where tau2_null is 0 (Raudenbush 2009; as metafor). `few`: trials below which the row carries a warning.
    Fewer than LEAST trials, or a term that does not vary, give one row per term with a note and no numbers.
    """
    complete = trials.dropna(subset=list(terms))
    about = {"outcome": outcome, "model": model, "family": "smd", "k": len(complete)}
    about["warning"] = f"fewer than {few} trials" if len(complete) < few else ""
    note = _why_not(complete, terms)
    if note:
        rows = [about | {"term": term, "note": note} for term in terms]
        return pd.DataFrame(rows).reindex(columns=REGRESSION_COLUMNS)
    design = np.column_stack([np.ones(len(complete)), complete[list(terms)].to_numpy(float)])
    fit = regress(complete, design)
    null = regress(complete, design[:, :1])["tau2"]
    table = pd.DataFrame(
        {
            "term": ["intercept", *terms],
            **{name: fit[name] for name in ("estimate", "ci_low", "ci_high", "p_value")},
            "p_permutation": permutation_p(complete, design, permutations, seed),
        }
    )
    r2 = max(0.0, 100 * (null - fit["tau2"]) / null) if null > 1e-9 else NAN
    table = table.assign(**about, r2=r2, tau2=fit["tau2"], df=fit["df"], note="")
    table.loc[table["term"].eq("intercept"), "p_permutation"] = NAN  # shuffling does not test it
    return table.reindex(columns=REGRESSION_COLUMNS)


def _why_not(trials: pd.DataFrame, terms: Sequence[str]) -> str:
    least = max(LEAST, len(terms) + 2)
    if len(trials) < least:
        return f"not estimated: stated in {len(trials)} of the {least} trials needed"
    flat = [term for term in terms if trials[term].nunique() < 2]
    if flat:
        return f"not estimated: {', '.join(flat)} is the same in every trial"
    design = np.column_stack([np.ones(len(trials)), trials[list(terms)].to_numpy(float)])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return "not estimated: the terms cannot be told apart in these trials"
    return ""


def correlations(trials: pd.DataFrame, terms: Sequence[str]) -> pd.DataFrame:
    """Spearman's rank correlation of each pair of moderators: term_a, term_b, rho, k (trials that state both).

    Blank below LEAST trials or where one of the two does not vary.
    """
    rows = []
    for place, first in enumerate(terms):
        for second in terms[place + 1 :]:
            both = trials[[first, second]].dropna()
            known = len(both) >= LEAST and both.nunique().min() > 1
            rho = stats.spearmanr(both).statistic if known else NAN
            rows.append({"term_a": first, "term_b": second, "rho": rho, "k": len(both)})
    return pd.DataFrame(rows)


def regression_line(trials: pd.DataFrame, term: str, points: int = 50) -> pd.DataFrame:
    """The fitted line of a regression on one term with its 95% interval: x, effect, ci_low, ci_high.

    Over the range of the trials that state the term, in the term's units; the interval is that of the mean.
    """
    complete = trials.dropna(subset=[term])
    fit = regress(complete, np.column_stack([np.ones(len(complete)), complete[term]]))
    x = np.linspace(complete[term].min(), complete[term].max(), points)
    design = np.column_stack([np.ones(points), x])
    error = np.sqrt(np.einsum("ij,jk,ik->i", design, fit["covariance"], design))
    mean, half = design @ fit["estimate"], stats.t.ppf(0.975, fit["df"]) * error
    return pd.DataFrame({"x": x, "effect": mean, "ci_low": mean - half, "ci_high": mean + half})
