# Reference values of test_multiverse.py and test_gosh.py, from metafor 3.8 (Debian 12's R 4.2).
# Run in the project's root:  Rscript tests/reference/multiverse.R
# Writes multiverse.csv (one row per data set, estimator, interval and correction), multiverse_pet.csv
# and gosh.csv beside this script. The tests read these and need no R.

suppressMessages(library(metafor))
out <- "tests/reference"
control <- function(y) list(threshold = 1e-13, maxiter = 10000, tol = 1e-13)
fit <- function(y, v, method, test, ...) {
  if (method == "fixed") return(rma(y, v, method = "FE", test = test))
  # the step is halved where scoring cycles
  for (step in c(1, 0.5, 0.1)) {
    found <- tryCatch(suppressWarnings(rma(y, v, method = method, test = test,
      control = c(control(y), stepadj = step))), error = function(e) NULL)
    if (!is.null(found)) return(found)
  }
  NULL
}
es <- function(d) data.frame(y = as.numeric(d$yi), v = as.numeric(d$vi))
set.seed(6)
made <- function(k, tau) { v <- runif(k, 0.01, 0.2); data.frame(y = rnorm(k, 0.2, sqrt(v + tau^2)), v = v) }
sets <- list(
  bcg = es(escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)),
  raudenbush1985 = es(dat.raudenbush1985), hackshaw1998 = es(dat.hackshaw1998),
  normand1999 = es(escalc("SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999)),
  bangertdrowns2004 = es(dat.bangertdrowns2004), collins1985b = es(escalc("OR", ai = pre.xti, n1i = pre.nti, ci = pre.xci, n2i = pre.nci, data = dat.collins1985b)))
for (i in 1:14) sets[[paste0("made", i)]] <- made(c(3, 4, 5, 7, 10, 15, 22)[(i - 1) %% 7 + 1], c(0, 0.3)[i %% 2 + 1])

rows <- list(); data <- list(); pet <- list(); subsets <- list()
for (name in names(sets)) {
  d <- sets[[name]]; k <- nrow(d)
  data[[name]] <- data.frame(set = name, y = d$y, v = d$v)
  for (method in c("fixed", "DL", "HE", "SJ", "PM", "ML", "REML")) {
    tests <- if (method == "fixed") c(wald = "z") else c(wald = "z", hartung_knapp = "knha", hartung_knapp_conservative = "adhoc")
    for (interval in names(tests)) {
      m <- fit(d$y, d$v, method, tests[[interval]])
      found <- list(none = m, filled_by_fixed = NULL, filled_by_same = NULL)
      if (k >= 4 && !is.null(m)) {
        f <- trimfill(rma(d$y, d$v, method = "FE"), side = "left")
        found$filled_by_fixed <- fit(as.numeric(f$yi), as.numeric(f$vi), method, tests[[interval]])
        # trimfill() itself refits with the normal test and loose control, whatever the fit has
        same <- tryCatch(suppressWarnings(trimfill(m, side = "left", control = control(d$y))), error = function(e) NULL)
        if (!is.null(same)) found$filled_by_same <- fit(as.numeric(same$yi), as.numeric(same$vi), method, tests[[interval]])
      }
      for (correction in names(found)) if (!is.null(found[[correction]])) {
        x <- found[[correction]]
        rows[[length(rows) + 1]] <- data.frame(set = name, estimator = method, interval = interval, correction = correction,
          k = x$k, effect = c(x$beta), ci_low = x$ci.lb, ci_high = x$ci.ub, p_value = x$pval, tau2 = x$tau2)
      }
    }
  }
  for (moderator in c("pet", "peese")) {
    x <- if (moderator == "pet") sqrt(d$v) else d$v
    line <- coef(summary(lm(d$y ~ x, weights = 1 / d$v)))
    pet[[length(pet) + 1]] <- data.frame(set = name, line = moderator, intercept = line[1, 1], error = line[1, 2], p = line[1, 4])
  }
}
for (name in c("bcg", "made5", "made10")) for (method in c("fixed", "DL", "REML")) {
  d <- sets[[name]]; k <- min(nrow(d), 8); d <- d[1:k, ]
  for (number in 1:(2^k - 1)) {
    inside <- bitwAnd(number, 2^(0:(k - 1))) > 0
    if (sum(inside) > 1) {
      m <- fit(d$y[inside], d$v[inside], method, "z")
      if (!is.null(m)) subsets[[length(subsets) + 1]] <- data.frame(set = name, k = k, estimator = method, number = number, effect = c(m$beta),
        i2 = if (method == "fixed") max(0, 100 * (m$QE - sum(inside) + 1) / m$QE) else m$I2)
    }
  }
}
save <- function(x, file) {
  x <- do.call(rbind, x); number <- sapply(x, is.numeric)
  x[number] <- lapply(x[number], function(c) formatC(c, digits = 15, format = "g", width = 1))
  write.csv(x, file.path(out, file), row.names = FALSE, quote = FALSE)
}
save(data, "multiverse_data.csv"); save(rows, "multiverse.csv"); save(pet, "multiverse_pet.csv"); save(subsets, "gosh.csv")
