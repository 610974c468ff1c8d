# The R half of the benchmark, metafor 3.8 in one process with R's own BLAS; see run.sh.
# Rscript benchmarks/metafor.R FOLDER   reads the data of data.py there, writes r_*.csv and r_seconds.csv.
# fits.csv: only the fits whose number is at most FITS are timed and scaled up (said in the results).

suppressMessages(library(metafor))
folder <- commandArgs(TRUE)[1]
fits_timed <- as.integer(Sys.getenv("FITS", "10000"))
read <- function(name) as.matrix(read.csv(file.path(folder, name), header = FALSE))
write <- function(x, name) write.table(format(x, digits = 17, trim = TRUE), file.path(folder, name), sep = ",", row.names = FALSE, col.names = FALSE, quote = FALSE)
seconds <- list()
clock <- function(name, expression) {
  t <- system.time(value <- expression)
  seconds[[name]] <<- t[["elapsed"]]; seconds[[paste0(name, "_cpu")]] <<- t[["user.self"]] + t[["sys.self"]]
  value
}
tight <- list(threshold = 1e-10, maxiter = 1000, tol = 1e-12) # tol: of PM's root finder
safely <- function(e) tryCatch(suppressWarnings(e), error = function(x) NULL)
fit <- function(y, v, method, test) {
  found <- safely(rma(y, v, method = method, test = test, control = if (method %in% c("ML", "REML", "PM")) tight else list()))
  if (is.null(found)) found <- safely(rma(y, v, method = method, test = test, control = c(tight, stepadj = 0.5)))
  found
}
numbers <- function(m) if (is.null(m)) rep(NA_real_, 4) else c(m$beta[1], m$ci.lb, m$ci.ub, m$tau2)

y <- read("fits_y.csv"); v <- read("fits_v.csv")
invisible(fit(y[, 1], v[, 1], "REML", "knha"))
# (a) one fit, the mean of 200
clock("one", for (i in 1:200) fit(y[, 1], v[, 1], "REML", "knha")); seconds$one <- seconds$one / 200; seconds$one_cpu <- seconds$one_cpu / 200
# (b) many fits
write(clock("many", t(sapply(seq_len(fits_timed), function(i) numbers(fit(y[, i], v[, i], "REML", "knha"))))), "r_many.csv")
seconds$many <- seconds$many * 10000 / fits_timed; seconds$many_cpu <- seconds$many_cpu * 10000 / fits_timed

# (c) all subsets: metafor's gosh(), 2^15 with fixed effects; 1,000 with REML through rma()
y <- read("gosh_y.csv")[, 1]; v <- read("gosh_v.csv")[, 1]
g <- clock("gosh_fixed", gosh(rma(y, v, method = "FE"), progbar = FALSE))
write(cbind(as.matrix(g$incl) %*% 2^(0:14), g$res$estimate), "r_gosh_fixed.csv")
set.seed(1)
inside <- matrix(runif(1000 * 15) < 0.5, 1000); inside[rowSums(inside) < 3, 1:3] <- TRUE
write(inside * 1, "gosh_masks.csv")
write(clock("gosh_reml", t(sapply(1:1000, function(i) numbers(fit(y[inside[i, ]], v[inside[i, ]], "REML", "z"))[c(1, 4)]))), "r_gosh_reml.csv")

# (d) leave-one-out and trim-and-fill of 200 data sets, REML
y <- read("small_study_y.csv"); v <- read("small_study_v.csv")
write(clock("leave1out", t(sapply(1:200, function(i) leave1out(rma(y[, i], v[, i], method = "REML", control = tight))$estimate))), "r_leave1out.csv")
write(clock("trimfill", t(sapply(1:200, function(i) { m <- safely(trimfill(rma(y[, i], v[, i], method = "REML", control = tight), side = "left", control = tight)); if (is.null(m)) c(NA, NA) else c(m$beta[1], m$k0) }))), "r_trimfill.csv")

# (e) 5,000 specifications: 264 data sets, 19 pairs of estimator and interval
y <- read("multiverse_y.csv")[, 1]; v <- read("multiverse_v.csv")[, 1]; masks <- read("multiverse_masks.csv") == 1
pairs <- rbind(c("FE", "z"), expand.grid(c("DL", "HE", "SJ", "PM", "ML", "REML"), c("z", "knha", "adhoc"), stringsAsFactors = FALSE))
found <- clock("multiverse", {
  out <- matrix(NA_real_, 5000, 4); n <- 0
  for (i in seq_len(nrow(masks))) for (j in seq_len(nrow(pairs))) if (n < 5000) {
    n <- n + 1; out[n, ] <- numbers(fit(y[masks[i, ]], v[masks[i, ]], pairs[j, 1], pairs[j, 2]))
  }
  out
})
write(found, "r_multiverse.csv")
write.csv(data.frame(name = names(seconds), seconds = unlist(seconds)), file.path(folder, "r_seconds.csv"), row.names = FALSE)
