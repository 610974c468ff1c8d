"""Formulas of effect sizes and their variances, each with its source; arrays in, arrays out, arm 1 against arm 2."""

import numpy as np
from scipy.special import gammaln
from scipy.stats import norm

Z95 = norm.ppf(0.975)
LOGISTIC = np.sqrt(3) / np.pi


def small_sample_correction(df):
    """Exact J(df) of Hedges (1981), J Educ Stat 6:107, eq. 6e: multiplies Cohen's d to give the unbiased g."""
    df = np.asarray(df, dtype=float)
    return np.exp(gammaln(df / 2) - np.log(np.sqrt(df / 2)) - gammaln((df - 1) / 2))


def hedges_g(d, n1, n2):
    """g and its large-sample variance from Cohen's d and the arms' n (metafor escalc, SMD, vtype "LS").

    Variance: 1/n1 + 1/n2 + g^2 / (2 (n1 + n2)), Hedges (1982), Psychol Bull 92:490, eq. 8.
    """
    d, n1, n2 = (np.asarray(x, dtype=float) for x in (d, n1, n2))
    g = small_sample_correction(n1 + n2 - 2) * d
    return g, 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2))


def d_from_t(t_value, n1, n2):
    """Cohen's d from an independent-samples t, d = t sqrt(1/n1 + 1/n2) (pingouin)."""
    import pingouin as pg  # half a second to import, and only notebook 01 calls this

    pairs = zip(np.atleast_1d(t_value), np.atleast_1d(n1), np.atleast_1d(n2), strict=True)
    return np.array([pg.compute_effsize_from_t(float(x), nx=a, ny=b) for x, a, b in pairs])


def log_risk_ratio(a, n1, c, n2):
    """Log risk ratio and variance 1/a - 1/n1 + 1/c - 1/n2; a table with a zero gets 0.5 in each of its four cells."""
    a, n1, c, n2 = _continuity(a, n1, c, n2)
    return np.log(a / n1) - np.log(c / n2), 1 / a - 1 / n1 + 1 / c - 1 / n2


def log_odds_ratio(a, n1, c, n2):
    """Log odds ratio and Woolf's variance; a table with a zero gets 0.5 in each of its four cells."""
    a, n1, c, n2 = _continuity(a, n1, c, n2)
    b, d = n1 - a, n2 - c
    return np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d


def _continuity(a, n1, c, n2):
    a, n1, c, n2 = (np.asarray(x, dtype=float) for x in (a, n1, c, n2))
    add = np.where((a == 0) | (c == 0) | (a == n1) | (c == n2), 0.5, 0.0)
    return a + add, n1 + 2 * add, c + add, n2 + 2 * add


def g_from_log_odds_ratio(log_or, variance):
    """SMD from a log odds ratio under a logistic distribution (Hasselblad & Hedges 1995; Chinn 2000; metafor OR2DL)."""
    return LOGISTIC * np.asarray(log_or), LOGISTIC**2 * np.asarray(variance)


def log_rr_from_odds_ratio(log_or, variance):
    """Log RR as half the log OR: RR is about sqrt(OR) for risks of 0.2 to 0.8 (VanderWeele 2020, Biometrics 76:746)."""
    return np.asarray(log_or) / 2, np.asarray(variance) / 4


def log_rr_at_baseline(log_or, variance, risk):
    """Log RR = log OR - log(1 - p + p OR), p the comparator's risk of the event (Zhang & Yu 1998, JAMA 280:1690;
    Cochrane Handbook 15.4.4.4), variance by the delta method. Both ratios are of arm 1 over arm 2."""
    log_or, risk = np.asarray(log_or, dtype=float), np.asarray(risk, dtype=float)
    odds = 1 - risk + risk * np.exp(log_or)
    return log_or - np.log(odds), ((1 - risk) / odds) ** 2 * np.asarray(variance)


def log_rr_from_hazard_ratio(log_hr, variance):
    """Log RR = log[(1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1/HR))] (VanderWeele 2020), variance by the delta method."""
    root = np.exp(np.asarray(log_hr, dtype=float) / 2)
    up, down = 0.5**root, 0.5 ** (1 / root)
    slope = np.log(2) / 2 * (root * up / (1 - up) + down / root / (1 - down))
    return np.log((1 - up) / (1 - down)), slope**2 * np.asarray(variance)


def variance_from_interval(low, high):
    """Variance of a normal estimate from its 95% interval: ((high - low) / (2 * 1.96))^2."""
    return ((high - low) / (2 * Z95)) ** 2


def design_effect(n, clusters, icc):
    """1 + (m - 1) ICC with m = n / clusters, the average cluster (Cochrane Handbook 23.1.4)."""
    return 1 + (np.asarray(n) / np.asarray(clusters) - 1) * np.asarray(icc)
