"""What single trials do to the main model: leave-one-out, cumulative, influence, Baujat, p-value curve.

Each takes the effects of a domain (one per trial) and fits the main model (REML, Hartung-Knapp).
"""

import numpy as np
import pandas as pd
from scipy import stats

from peersupport.pool.fit import Fit, pooled_subsets

LEFT_OUT = ["study", "effect", "ci_low", "ci_high", "tau2", "i2"]
INFLUENCE = "rstudent dffits cook cov_ratio tau2_deleted q_deleted hat dfbetas".split()


def page_tables(fit: Fit) -> dict[str, pd.DataFrame]:
    """What the page of pictures of a domain draws: left_out, cumulated, influences, baujat."""
    left = deletions(fit.effects)
    return {
        "left_out": leave_one_out(fit.effects, left),
        "cumulated": cumulative(fit.effects),
        "influences": influence(fit, left),
        "baujat": baujat(fit, left),
    }


def deletions(effects: pd.DataFrame) -> list[Fit]:
    """The main model without each trial in turn: k fits, in the order of the rows; none of two trials, of which one
    would be left."""
    if len(effects) < 3:
        return []
    return pooled_subsets(effects, ~np.eye(len(effects), dtype=bool))


def leave_one_out(effects: pd.DataFrame, left: list[Fit] | None = None) -> pd.DataFrame:
    """The pooled effect without each trial: `study, effect, ci_low, ci_high, tau2, i2`, k rows.

    left: the deletions, if the caller has them already (so too below).
    """
    fits = deletions(effects) if left is None else left
    rows = [{"study": s, **_summary(f)} for s, f in zip(effects["study"], fits, strict=bool(fits))]
    return pd.DataFrame(rows, columns=LEFT_OUT)


def cumulative(effects: pd.DataFrame) -> pd.DataFrame:
    """The pooled effect as trials were added, by year: the first row pools the first two trials."""
    ordered = effects.sort_values(["year", "study"], kind="stable")
    fits = pooled_subsets(ordered, np.triu(np.ones((len(ordered), len(ordered)), bool))[:, 1:])
    latest = ordered.iloc[1:]
    return pd.DataFrame(
        [
            {"study": row.study, "year": row.year, **_summary(fit)}
            for row, fit in zip(latest.itertuples(), fits, strict=True)
        ]
    )


def influence(fit: Fit, left: list[Fit] | None = None) -> pd.DataFrame:
    """Viechtbauer & Cheung 2010, as metafor's influence(): one row per trial.

    `rstudent` externally standardised residual, `dffits`, `cook`, `cov_ratio`, `tau2_deleted`,
    `q_deleted`, `hat` (weight as a share), `dfbetas`, and `influential`: |dffits| > 3 sqrt(1/(k-1)),
    Cook's distance beyond the median of chi2(1), hat > 3/k, or |dfbetas| > 1.
    """
    effects, k = fit.effects, fit.k
    error, effect = np.float64(fit.standard_error), np.float64(fit.effect)  # of effects all alike the error is zero
    y, v = effects["effect"].to_numpy(float), effects["variance"].to_numpy(float)
    hat = effects["weight"].to_numpy(float) / 100
    rows = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for place, without in enumerate(deletions(effects) if left is None else left):
            w = 1 / (without.effects["variance"].to_numpy(float) + without.tau2)
            scale = np.float64(without.standard_error) ** 2 * w.sum()  # Hartung and Knapp's factor
            change = effect - without.effect
            own = v[place] + without.tau2
            rows.append(
                {
                    "rstudent": (y[place] - without.effect) / np.sqrt(own * scale + without.standard_error**2),
                    "dffits": change / np.sqrt(scale * hat[place] * own),
                    "cook": change**2 / error**2,
                    "cov_ratio": without.standard_error**2 / error**2,
                    "tau2_deleted": without.tau2,
                    "q_deleted": without.q,
                    "hat": hat[place],
                    "dfbetas": change / np.sqrt(scale / (1 / (v + without.tau2)).sum()),
                }
            )
    table = pd.DataFrame(rows, columns=INFLUENCE, index=range(k), dtype=float)
    table["influential"] = (
        (table["dffits"].abs() > 3 * np.sqrt(1 / (k - 1)))
        | (stats.chi2.cdf(table["cook"], 1) > 0.5)
        | (table["hat"] > 3 / k)
        | (table["dfbetas"].abs() > 1)
    )
    labels = effects[[c for c in ("study", "trial", "year") if c in effects]]
    return pd.concat([labels.reset_index(drop=True), table], axis=1)


def baujat(fit: Fit, left: list[Fit] | None = None) -> pd.DataFrame:
    """Baujat et al. 2002, random-effects version of metafor: x the squared Pearson residual, y the
    standardised squared change of the pooled effect without the trial."""
    effects = fit.effects
    x = (effects["effect"] - fit.effect) ** 2 / (effects["variance"] + fit.tau2)
    fits = deletions(effects) if left is None else left
    if not fits:
        return pd.DataFrame({"study": effects["study"].to_numpy(), "x": x.to_numpy(), "y": np.nan})
    with np.errstate(divide="ignore", invalid="ignore"):
        y = [(f.effect - fit.effect) ** 2 / np.float64(f.standard_error) ** 2 for f in fits]
    return pd.DataFrame({"study": effects["study"].to_numpy(), "x": x.to_numpy(), "y": y})


def outliers(fit: Fit) -> pd.Series:
    """True where a trial's 95% interval and the pooled one do not meet (dmetar's find.outliers)."""
    half = stats.norm.ppf(0.975) * np.sqrt(fit.effects["variance"])
    low, high = fit.effects["effect"] - half, fit.effects["effect"] + half
    return (high < fit.ci_low) | (low > fit.ci_high)


def p_value_curve(estimate: float, error: float, df: float, at: np.ndarray) -> np.ndarray:
    """Two-sided p of every possible true value (Infanger & Schmidt-Trucksaess 2019); t, or normal if
    df is NaN. The 95% interval is where the curve is above 0.05."""
    reference = stats.norm if np.isnan(df) else stats.t(df)
    return 2 * reference.sf(np.abs(at - estimate) / error)


def _summary(fit: Fit) -> dict:
    return {"effect": fit.effect, "ci_low": fit.ci_low, "ci_high": fit.ci_high, "tau2": fit.tau2, "i2": fit.i2}
