# Reference values of the tests, from metafor 3.8 and clubSandwich 0.5.8 (Debian 12's R 4.2).
# Run in the project's root:  Rscript tests/reference/make_reference.R
# Writes univariate.json and multilevel.json beside this script. The tests read these and need no R.

suppressMessages({library(metafor); library(clubSandwich); library(jsonlite)})

tight <- function(s) list(threshold = 1e-12 * max(1, var(s$yi)), maxiter = 10000, tol = 1e-14, stepadj = 1)
quiet <- function(x) suppressWarnings(suppressMessages(x))

# ---- published data sets of metadat, one effect per study ----------------------------------------
es <- function(measure, data, ...) {
  d <- quiet(do.call(escalc, c(list(measure = measure, data = data), eval(substitute(alist(...))))))
  d <- d[!is.na(d$yi) & !is.na(d$vi) & d$vi > 0, ]
  list(yi = as.numeric(d$yi), vi = as.numeric(d$vi))
}
plain <- function(d) { d <- d[!is.na(d$yi) & !is.na(d$vi), ]; list(yi = as.numeric(d$yi), vi = as.numeric(d$vi)) }
sets <- list(
  bcg = es("RR", dat.bcg, ai = tpos, bi = tneg, ci = cpos, di = cneg),
  hackshaw1998 = plain(dat.hackshaw1998),
  raudenbush1985 = plain(dat.raudenbush1985),
  bangertdrowns2004 = plain(dat.bangertdrowns2004),
  normand1999 = es("SMD", dat.normand1999, m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i),
  normand1999_md = es("MD", dat.normand1999, m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i),
  curtis1998 = es("ROM", dat.curtis1998, m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i),
  gibson2002 = es("SMD", dat.gibson2002, m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i),
  linde2005 = es("RR", dat.linde2005, ai = ai, n1i = n1i, ci = ci, n2i = n2i),
  li2007 = es("OR", dat.li2007, ai = ai, n1i = n1i, ci = ci, n2i = n2i),
  hine1989 = es("RD", dat.hine1989, ai = ai, n1i = n1i, ci = ci, n2i = n2i),
  lee2004 = es("OR", dat.lee2004, ai = ai, n1i = n1i, ci = ci, n2i = n2i),
  molloy2014 = es("ZCOR", dat.molloy2014, ri = ri, ni = ni),
  mcdaniel1994 = es("ZCOR", dat.mcdaniel1994, ri = ri, ni = ni),
  cohen1981 = es("ZCOR", dat.cohen1981, ri = ri, ni = ni),
  bonett2010 = es("ABT", dat.bonett2010, ai = ai, mi = mi, ni = ni),
  collins1985a = es("OR", dat.collins1985a, ai = b.xti, n1i = nti, ci = b.xci, n2i = nci),
  collins1985b = es("OR", dat.collins1985b, ai = pre.xti, n1i = pre.nti, ci = pre.xci, n2i = pre.nci),
  egger2001 = es("OR", dat.egger2001, ai = ai, n1i = n1i, ci = ci, n2i = n2i),
  nielweise2007 = es("OR", dat.nielweise2007, ai = ai, n1i = n1i, ci = ci, n2i = n2i),
  pignon2000 = list(yi = dat.pignon2000$OmE / dat.pignon2000$V, vi = 1 / dat.pignon2000$V),
  vanhowe1999 = es("OR", dat.vanhowe1999, ai = non.pos, bi = non.neg, ci = cir.pos, di = cir.neg),
  hahn2001 = es("RR", dat.hahn2001, ai = ai, n1i = n1i, ci = ci, n2i = n2i),
  hart1999 = es("IRR", dat.hart1999, x1i = x1i, t1i = t1i, x2i = x2i, t2i = t2i),
  pritz1997 = es("PFT", dat.pritz1997, xi = xi, ni = ni),
  debruin2009 = es("PLO", dat.debruin2009, xi = xi, ni = ni),
  crede2010 = es("ZCOR", subset(dat.crede2010, criterion == "grade"), ri = ri, ni = ni),
  lehmann2018 = plain(dat.lehmann2018)
)
database <- read.csv("data/raw/database/outcomes.csv")
for (type in c("personal", "clinical", "functional")) {  # the rows of Smit et al. 2022, as printed
  d <- database[database$recovery_type %in% type, ]
  sets[[paste0("smit2022_", type)]] <- list(yi = d$effect, vi = d$se^2)
}
sets <- sets[vapply(sets, function(s) length(s$yi) > 2, TRUE)]

num <- function(x) { x <- as.numeric(x); x[!is.finite(x)] <- NA; x }
fit <- function(s, method, test = "z") quiet(rma(s$yi, s$vi, method = method, test = test, control = tight(s)))
core <- function(r, pi = TRUE) {
  out <- list(effect = num(r$beta), se = num(r$se), ci_low = num(r$ci.lb), ci_high = num(r$ci.ub),
              p_value = num(r$pval), tau2 = num(r$tau2), i2 = num(r$I2), q = num(r$QE), q_p = num(r$QEp))
  if (pi) {
    p <- quiet(predict(r, pi.type = "riley"))
    out$pi_low <- num(p$pi.lb); out$pi_high <- num(p$pi.ub)
  }
  out
}

univariate <- function(s) {
  k <- length(s$yi)
  main <- fit(s, "REML", "knha")
  profile <- quiet(confint(main, control = list(tol = 1e-14, maxiter = 10000, tau2.max = 1e6)))$random
  egger <- quiet(regtest(s$yi, s$vi, model = "lm"))
  egger_rma <- quiet(regtest(main))
  begg <- quiet(ranktest(s$yi, s$vi))
  loo <- quiet(leave1out(main))
  influence <- quiet(influence(main))
  filled <- quiet(trimfill(main, side = "left", test = "knha", control = tight(s)))  # it forgets both otherwise
  pet <- summary(lm(s$yi ~ sqrt(s$vi), weights = 1 / s$vi))$coefficients
  peese <- summary(lm(s$yi ~ s$vi, weights = 1 / s$vi))$coefficients
  bauj <- { pdf(NULL); b <- quiet(baujat(main)); dev.off(); b }
  cumulative <- quiet(cumul(main))
  list(
    yi = s$yi, vi = s$vi, k = k,
    fixed = core(fit(s, "EE"), pi = FALSE), random_dl = core(fit(s, "DL")), random_pm = core(fit(s, "PM")),
    random_reml = core(fit(s, "REML")), random_reml_hk = core(main),
    q_profile = list(tau2_low = num(profile["tau^2", "ci.lb"]), tau2_high = num(profile["tau^2", "ci.ub"]),
                     i2_low = num(profile["I^2(%)", "ci.lb"]), i2_high = num(profile["I^2(%)", "ci.ub"])),
    egger = list(t = num(egger$zval), p_value = num(egger$pval), limit = num(egger$est)),
    egger_rma = list(t = num(egger_rma$zval), p_value = num(egger_rma$pval)),
    rank = list(tau = num(begg$tau), p_value = num(begg$pval)),
    leave_one_out = list(effect = num(loo$estimate), ci_low = num(loo$ci.lb), ci_high = num(loo$ci.ub),
                         tau2 = num(loo$tau2), i2 = num(loo$I2)),
    cumulative = list(effect = num(cumulative$estimate), ci_low = num(cumulative$ci.lb),
                      ci_high = num(cumulative$ci.ub)),
    influence = list(rstudent = num(influence$inf$rstudent), dffits = num(influence$inf$dffits),
                     cook = num(influence$inf$cook.d), cov_ratio = num(influence$inf$cov.r),
                     tau2_deleted = num(influence$inf$tau2.del), q_deleted = num(influence$inf$QE.del),
                     hat = num(influence$inf$hat), dfbetas = num(influence$dfbs$intrcpt),
                     influential = as.logical(influence$is.infl)),
    baujat = list(x = num(bauj$x), y = num(bauj$y)),
    trim_and_fill = c(list(filled = filled$k0, side = filled$side), core(filled)),
    pet = list(effect = pet[1, 1], se = pet[1, 2], p_value = pet[1, 4]),
    peese = list(effect = peese[1, 1], se = peese[1, 2], p_value = peese[1, 4]),
    selection = tryCatch({
      sign <- sign(as.numeric(main$beta))  # the model looks for a lack of results below zero
      flipped <- list(yi = sign * s$yi, vi = s$vi)
      ml <- fit(flipped, "ML")
      from <- expand.grid(tau2.init = c(0.2, 1) * var(s$yi), delta.init = c(0.1, 1))
      tries <- lapply(seq_len(nrow(from)), function(i) tryCatch(quiet(selmodel(
        ml, type = "stepfun", steps = 0.025, alternative = "greater",
        control = list(tau2.init = from$tau2.init[i], delta.init = from$delta.init[i], reltol = 1e-13, maxit = 5000))),
        error = function(e) NULL))
      tries <- Filter(Negate(is.null), tries)
      m <- tries[[which.max(vapply(tries, function(t) t$fit.stats["ll", "ML"], 0))]]
      list(sign = sign, effect = num(m$beta), se = num(m$se), tau2 = num(m$tau2), delta = num(m$delta[2]), ll = num(m$fit.stats["ll", "ML"]),
           se_tau2 = num(m$se.tau2), observed = as.numeric(table(factor(pnorm(flipped$yi / sqrt(s$vi), lower.tail = FALSE) > 0.025, c(FALSE, TRUE)))))
    }, error = function(e) NULL)
  )
}

# ---- the review's own effects: the trial composites of each domain -------------------------------
review_rows <- function(path = "data/processed/effects.csv") {
  if (!file.exists(path)) return(NULL)
  d <- read.csv(path)
  d <- d[d$selected %in% c("True", "TRUE", TRUE), ]
  d <- d[order(seq_len(nrow(d))), ]
  groups <- split(d, paste(d$outcome_domain, d$family, sep = "|"))
  for (type in c("personal", "clinical", "functional"))
    groups[[paste0(type, "|smd")]] <- d[d$recovery_type %in% type & d$family == "smd", ]
  groups[vapply(groups, function(g) length(unique(g$trial)) >= 3, TRUE)]
}
review <- review_rows()
compose <- function(g) {
  e <- escalc(measure = "GEN", yi = g$effect, vi = g$variance, data = g)
  a <- aggregate(e, cluster = g$trial, struct = "CS", rho = 0.6, weighted = FALSE)
  a <- a[match(unique(g$trial), a$trial), ]
  list(yi = as.numeric(a$yi), vi = as.numeric(a$vi))
}

# ---- several effects per trial -------------------------------------------------------------------
hierarchical <- function(yi, vi, cluster, rho = 0.6) {
  keep <- !is.na(yi) & !is.na(vi)
  d <- data.frame(yi = as.numeric(yi[keep]), vi = as.numeric(vi[keep]), cluster = as.character(cluster[keep]))
  d <- d[order(factor(d$cluster, unique(d$cluster))), ]
  d$row <- seq_len(nrow(d))
  control <- list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-14, maxit = 10000)
  three <- quiet(rma.mv(yi, vi, random = ~ 1 | cluster/row, data = d, test = "t", dfs = "contain", control = control))
  V <- quiet(impute_covariance_matrix(d$vi, d$cluster, r = rho))
  che <- quiet(rma.mv(yi, V, random = ~ 1 | cluster/row, data = d, sparse = FALSE, control = control))
  robust <- coef_test(che, vcov = "CR2", cluster = d$cluster, test = "Satterthwaite")
  ci <- conf_int(che, vcov = "CR2", cluster = d$cluster, test = "Satterthwaite")
  list(
    yi = d$yi, vi = d$vi, trial = d$cluster,
    three_level = list(effect = num(three$beta), se = num(three$se), ci_low = num(three$ci.lb), ci_high = num(three$ci.ub),
                       p_value = num(three$pval), sigma2_between = three$sigma2[1], sigma2_within = three$sigma2[2],
                       ll = num(three$fit.stats["ll", "REML"]), df = num(three$ddf)),
    che_rve = list(effect = num(che$beta), se = num(robust$SE), df = num(robust$df), p_value = num(robust$p_Satt),
                   ci_low = num(ci$CI_L), ci_high = num(ci$CI_U), model_se = num(che$se),
                   sigma2_between = che$sigma2[1], sigma2_within = che$sigma2[2])
  )
}
multilevel <- list(
  konstantopoulos2011 = with(dat.konstantopoulos2011, hierarchical(yi, vi, district)),
  assink2016 = with(dat.assink2016, hierarchical(yi, vi, study)),
  berkey1998 = with(dat.berkey1998, hierarchical(yi, vi, trial)),
  tannersmith2016 = with(dat.tannersmith2016, hierarchical(yi, vi, studyid)),
  knapp2017 = with(dat.knapp2017, hierarchical(yi, vi, study)),
  kalaian1996 = with(dat.kalaian1996, hierarchical(yi, vi, study))
)
for (name in names(review)) {
  g <- review[[name]]
  if (anyDuplicated(g$trial)) multilevel[[paste0("review: ", name)]] <- hierarchical(g$effect, g$variance, g$trial)
}

results <- lapply(sets, univariate)
for (name in names(review)) {
  results[[paste0("review: ", name)]] <- c(
    list(rows = review[[name]][, c("row_id", "trial", "effect", "variance")]), univariate(compose(review[[name]])))
}
save_json <- function(x, name) writeLines(toJSON(x, digits = NA, auto_unbox = TRUE, na = "null", null = "null"),
                                          file.path("tests/reference", name))
save_json(list(metafor = as.character(packageVersion("metafor")), sets = results), "univariate.json")
save_json(list(metafor = as.character(packageVersion("metafor")),
               clubSandwich = as.character(packageVersion("clubSandwich")), sets = multilevel), "multilevel.json")
cat(length(sets), "published sets,", length(review), "domains of the review,", length(multilevel), "with several effects per trial\n")
