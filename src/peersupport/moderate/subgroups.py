"""Pooled effects by level of a moderator, and the test between levels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from peersupport.moderate.regression import regress
from peersupport.moderate.trials import UNTOLD, people, pooled_trials, summary_of
from peersupport.pool.fit import Fit, univariate

SUBGROUP_COLUMNS = (
    "family outcome moderator level k effect ci_low ci_high tau2 q_between p_between "
    "tau2_model df_between df_residual n warning"
).split()


def subgroups(trials: pd.DataFrame, outcome: str, moderator: str, order: Sequence[str], few: int = 4):
    """Pooled effect of each level of a moderator, and the test between levels, with separate and with common tau2.

    `tau2_model` separate: each level by REML with Knapp-Hartung interval; q_between is Cochran's Q of the levels' means
    on their model-based standard errors, chi-square with df_between (Borenstein et al. 2009, ch. 19). common: one tau2
    for all levels (REML), interval t with k - levels df; q_between is df_between times the Knapp-Hartung F, with
    df_residual. The tests compare levels with two trials or more and leave the levels of UNTOLD out: studies that do
    not tell are not a kind of study. A single trial has its own effect and normal interval.
    `order` gives the rows' order; `warning` is filled where k < `few`. Columns: SUBGROUP_COLUMNS.
    """
    lost = sorted(set(trials[moderator]) - set(order))
    if lost:
        raise ValueError(f"{moderator}: no place for the level {', '.join(lost)}.")
    parts = {level: part for level in order if len(part := trials[trials[moderator].eq(level)])}
    tested = [level for level, part in parts.items() if level not in UNTOLD and len(part) > 1]
    compared = pd.concat([parts[level] for level in tested]) if len(tested) > 1 else None
    common = {} if len(trials) < 3 else _common_tau2(trials, moderator, list(parts))
    fits = {level: pooled_trials(part) for level, part in parts.items()}
    separate_test = {} if compared is None else _separate_test([fits[level] for level in tested])
    common_test = {} if compared is None else _common_test(compared, moderator, tested)
    rows = []
    for level, part in parts.items():
        about = {"family": "smd", "outcome": outcome, "moderator": moderator, "level": level}
        about |= {"k": len(part), "n": people(part)}
        about["warning"] = f"fewer than {few} trials" if len(part) < few else ""
        rows.append(about | summary_of(fits[level]) | separate_test | {"tau2_model": "separate"})
        if level in common:
            rows.append(about | common[level] | common_test | {"tau2_model": "common"})
    table = pd.DataFrame(rows).reindex(columns=SUBGROUP_COLUMNS)
    return table.sort_values("tau2_model", ascending=False, kind="stable", ignore_index=True)


def _separate_test(fits: list[Fit]) -> dict:
    fits = [univariate(fit.effects, fit.tau2, test="wald") for fit in fits]
    mean = np.array([fit.effect for fit in fits])
    weight = 1 / np.array([fit.standard_error for fit in fits]) ** 2
    q = float((weight * (mean - (weight * mean).sum() / weight.sum()) ** 2).sum())
    df = len(fits) - 1
    return {"q_between": q, "df_between": df, "p_between": float(stats.chi2.sf(q, df))}


def _common_tau2(trials: pd.DataFrame, moderator: str, levels: list[str]) -> dict[str, dict]:
    if len(trials) <= len(levels):
        return {}
    design = np.column_stack([trials[moderator].eq(level) for level in levels]).astype(float)
    fit = regress(trials, design)
    names = ("effect", "ci_low", "ci_high")
    values = zip(fit["estimate"], fit["ci_low"], fit["ci_high"], strict=True)
    return {
        level: dict(zip(names, value, strict=True)) | {"tau2": fit["tau2"]}
        for level, value in zip(levels, values, strict=True)
    }


def _common_test(trials: pd.DataFrame, moderator: str, levels: list[str]) -> dict:
    design = np.column_stack([trials[moderator].eq(level) for level in levels]).astype(float)
    design[:, 0] = 1.0  # the first level is the intercept, the others differ from it
    fit = regress(trials, design)
    slopes, covariance = fit["estimate"][1:], fit["covariance"][1:, 1:]
    q, df = float(slopes @ np.linalg.solve(covariance, slopes)), len(slopes)
    p = float(stats.f.sf(q / df, df, fit["df"]))
    return {"q_between": q, "df_between": df, "df_residual": fit["df"], "p_between": p}
