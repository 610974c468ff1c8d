"""Several effects per trial: three-level model, and correlated hierarchical effects with CR2.

Three-level: y_ij = mu + u_i + w_ij + e_ij, sampling errors independent (Van den Noortgate et al.
2013; metafor's rma.mv with random = ~ 1 | trial/row). CHE: the same with sampling errors of one trial
correlated at rho, and a sandwich variance that holds if rho is wrong (Pustejovsky & Tipton 2022).
"""

import numpy as np
from scipy import stats
from scipy.linalg import cho_factor, cho_solve

from peersupport.pool.optimum import lowest


def sampling_covariance(v: np.ndarray, trial: np.ndarray, correlation: float) -> np.ndarray:
    """V, k by k: variances v on the diagonal, rho sqrt(v_i v_j) within a trial, 0 between trials."""
    same = np.equal.outer(trial, trial)
    covariance = np.where(same, correlation * np.sqrt(np.outer(v, v)), 0.0)
    np.fill_diagonal(covariance, v)
    return covariance


def variance_components(y: np.ndarray, covariance: np.ndarray, trial: np.ndarray) -> tuple[float, float]:
    """REML estimates of the variance between trials and within trials, neither below zero.

    The restricted likelihood is maximised from several starts, edges included, with its exact
    gradient: dl/ds = -1/2 tr(P D) + 1/2 y'P D P y, P the REML projection and D the trial blocks of
    ones (between) or the identity (within).
    """
    y = np.asarray(y, float)
    scale = max(float(np.var(y, ddof=1)), 1e-12)
    blocks = np.equal.outer(trial, trial).astype(float)
    shapes = (blocks, np.eye(len(y)))

    def negative(share: np.ndarray) -> tuple[float, np.ndarray]:
        total = covariance + scale * (share[0] * shapes[0] + share[1] * shapes[1])
        value, projection = _restricted(y, total)
        py = projection @ y
        slope = [(np.sum(projection * d) - py @ d @ py) / 2 * scale for d in shapes]
        return value, np.array(slope)

    starts = [(0.5, 0.5), (0.0, 0.5), (0.5, 0.0), (0.0, 0.0), (0.05, 0.05)]
    between, within = lowest(negative, starts, [(0, np.inf)] * 2) * scale
    return float(between), float(within)


def total_covariance(covariance: np.ndarray, trial: np.ndarray, between: float, within: float) -> np.ndarray:
    """Marginal covariance of the effects, k by k."""
    same = np.equal.outer(trial, trial)
    return covariance + between * same + within * np.eye(len(trial))


def generalised_mean(y: np.ndarray, total: np.ndarray) -> tuple[float, float]:
    """mu = (1'M^-1 1)^-1 1'M^-1 y and its model-based standard error."""
    weights = np.linalg.solve(total, np.ones(len(y)))
    return float(weights @ y / weights.sum()), float(1 / np.sqrt(weights.sum()))


def cr2(y: np.ndarray, total: np.ndarray, trial: np.ndarray) -> tuple[float, float, float]:
    """Mean, CR2 standard error and Satterthwaite degrees of freedom; the working model is `total`.

    Bell & McCaffrey 2002, Tipton 2015, as clubSandwich computes them: A_i = D_i' B_i^(-1/2) D_i with
    D_i the upper Cholesky factor of trial i's block of M and B_i = D_i (M_ii - x_i C x_i') D_i', so
    that the sandwich is unbiased if M is right. df = (sum P_ii)^2 / sum P_ij^2 with P = G'MG.
    """
    k = len(y)
    weights = np.linalg.solve(total, np.ones(k))
    bread = 1 / weights.sum()
    mean = float(bread * weights @ y)
    residual = y - mean
    hat_complement = np.eye(k) - bread * np.outer(np.ones(k), weights)
    columns = []
    for label in dict.fromkeys(trial):
        inside = np.flatnonzero(trial == label)
        block = total[np.ix_(inside, inside)]
        upper = np.linalg.cholesky(block).T
        centre = upper @ (block - bread) @ upper.T
        adjust = upper.T @ _inverse_root(centre) @ upper
        score = adjust @ np.linalg.solve(block, np.ones(len(inside))) * bread
        columns.append((inside, score))
    variance = sum(float(score @ residual[inside]) ** 2 for inside, score in columns)
    spread = np.column_stack([hat_complement[inside].T @ score for inside, score in columns])
    products = spread.T @ total @ spread
    df = np.trace(products) ** 2 / np.sum(products**2)
    return mean, float(np.sqrt(variance)), float(df)


def weights(total: np.ndarray) -> np.ndarray:
    """Each effect's weight in the generalised mean, percent."""
    w = np.linalg.solve(total, np.ones(len(total)))
    return 100 * w / w.sum()


def heterogeneity(y: np.ndarray, covariance: np.ndarray, tau2: float) -> dict:
    """Q of all effects about their fixed-effect mean, and the I2 of both levels together.

    I2 = 100 tau2 / (tau2 + (k - 1) / tr P), P the projection of the fixed-effect model (Nakagawa &
    Santos 2012; metafor's page on multilevel I2); tau2 is the sum of both variances.
    """
    k = len(y)
    projection = _restricted(y, covariance)[1]
    q = float(y @ projection @ y)
    typical = (k - 1) / np.trace(projection)
    return {"q": q, "q_p": float(stats.chi2.sf(q, k - 1)), "tau2": tau2, "i2": float(100 * tau2 / (tau2 + typical))}


def _restricted(y: np.ndarray, total: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the restricted log likelihood (up to a constant) and the projection matrix P."""
    factor = cho_factor(total, lower=True)
    inverse = cho_solve(factor, np.eye(len(y)))
    weights = inverse.sum(axis=0)
    projection = inverse - np.outer(weights, weights) / weights.sum()
    log_determinant = 2 * np.log(np.diag(factor[0])).sum()
    value = (log_determinant + np.log(weights.sum()) + y @ projection @ y) / 2
    return float(value), projection


def _inverse_root(matrix: np.ndarray) -> np.ndarray:
    """Symmetric inverse square root; directions without variance stay at zero, as clubSandwich does."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root = np.where(values > 1e-10 * values.max(), values, np.inf) ** -0.5
    return (vectors * root) @ vectors.T
