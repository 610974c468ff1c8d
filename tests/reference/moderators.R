# Reference values of tests/test_moderators.py, from metafor 3.8 (Debian 12's R 4.2).
# Run in the project's root:  Rscript tests/reference/moderators.R
# Writes moderators_data.csv (published trials of metadat) and moderators.csv (what metafor makes of them) beside it.

suppressMessages(library(metafor))
control <- list(threshold = 1e-13, maxiter = 10000, stepadj = 0.5)

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
set <- function(name, d, group, x1, x2) data.frame(
  set = name, trial = seq_along(d$yi), effect = as.numeric(d$yi), variance = as.numeric(d$vi),
  group = as.character(group), x1 = as.numeric(x1), x2 = as.numeric(x2))
bang <- dat.bangertdrowns2004
raud <- dat.raudenbush1985
data <- rbind(
  set("bcg", bcg, bcg$alloc, bcg$ablat, bcg$year),
  set("bangertdrowns", bang, paste0("meta", bang$meta), bang$length, bang$year),
  set("raudenbush", raud, raud$setting, raud$weeks, raud$year))
write.csv(data, "tests/reference/moderators_data.csv", row.names = FALSE, na = "")

found <- list()
note <- function(set, what, item, value) {
  found[[length(found) + 1]] <<- data.frame(set = set, what = what, item = item, value = as.numeric(value))
}
regression <- function(name, what, d, formula, terms) {
  fit <- suppressWarnings(rma(effect, variance, mods = formula, data = d, test = "knha", control = control))
  null <- rma(effect, variance, data = d, control = control)
  for (i in seq_along(terms)) {
    for (item in c("beta", "ci.lb", "ci.ub", "pval"))
      note(name, paste0(what, "|", item), terms[i], fit[[item]][i])
  }
  note(name, paste0(what, "|tau2"), "model", fit$tau2)
  note(name, paste0(what, "|r2"), "model", max(0, 100 * (null$tau2 - fit$tau2) / null$tau2))
  note(name, paste0(what, "|df"), "model", fit$k - fit$p)
}
for (name in unique(data$set)) {
  d <- data[data$set == name, ]
  both <- d[complete.cases(d[c("x1", "x2")]), ]
  regression(name, "x1", d[!is.na(d$x1), ], ~ x1, c("intercept", "x1"))
  regression(name, "x1+x2", both, ~ x1 + x2, c("intercept", "x1", "x2"))

  # common tau2: F test (Knapp-Hartung) of the levels, and the levels' means
  known <- d[!is.na(d$group), ]
  means <- rma(effect, variance, mods = ~ group - 1, data = known, test = "knha", control = control)
  test <- rma(effect, variance, mods = ~ group, data = known, test = "knha", control = control)
  levels <- sort(unique(known$group))
  for (i in seq_along(levels)) {
    note(name, "common|effect", levels[i], means$beta[i])
    note(name, "common|ci_low", levels[i], means$ci.lb[i])
    note(name, "common|ci_high", levels[i], means$ci.ub[i])
  }
  note(name, "common|tau2", "all", means$tau2)
  note(name, "common|q_between", "all", test$QM * test$m)
  note(name, "common|df_residual", "all", test$k - test$p)
  note(name, "common|p_between", "all", test$QMp)

  # separate tau2: Wald standard errors of the levels, compared without a further tau2
  alone <- lapply(levels, function(l) rma(effect, variance, data = known[known$group == l, ], control = control))
  hk <- lapply(levels, function(l) rma(effect, variance, data = known[known$group == l, ], test = "knha", control = control))
  for (i in seq_along(levels)) {
    note(name, "separate|effect", levels[i], hk[[i]]$beta)
    note(name, "separate|ci_low", levels[i], hk[[i]]$ci.lb)
    note(name, "separate|ci_high", levels[i], hk[[i]]$ci.ub)
    note(name, "separate|tau2", levels[i], hk[[i]]$tau2)
  }
  q <- rma(sapply(alone, function(r) r$beta), sapply(alone, function(r) r$se)^2, method = "FE")
  note(name, "separate|q_between", "all", q$QE)
  note(name, "separate|p_between", "all", q$QEp)
}

# permutation test, exact: the first six trials of bcg have 720 orders
six <- data[data$set == "bcg", ][1:6, ]
fit <- rma(effect, variance, mods = ~ x1, data = six, test = "knha", control = control)
exact <- permutest(fit, exact = TRUE, progbar = FALSE)
note("bcg_six", "permutation|p", "x1", exact$pval[2])

write.csv(do.call(rbind, found), "tests/reference/moderators.csv", row.names = FALSE)
