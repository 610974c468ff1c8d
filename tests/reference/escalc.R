# Reference values of tests/test_effects.py, from metafor 3.8 (Debian 12's R 4.2).
# Run in the project's root:  Rscript tests/reference/escalc.R
# Writes escalc.csv beside this script: the figures given to escalc, and its yi and vi. The tests read it and need no R.

suppressMessages(library(metafor))

means <- data.frame(
  m1i = c(9.5, 103, 21.4, 4.02, -3.1, 1.8), sd1i = c(5.1, 5.5, 7.25, 0.9, 4.4, 0.38), n1i = c(80, 50, 7, 3, 120, 65),
  m2i = c(11.25, 100, 19.9, 3.37, -1.2, 1.78), sd2i = c(5.6, 4.5, 8.1, 1.1, 3.9, 0.46), n2i = c(75, 50, 9, 2, 40, 73))
smd <- escalc("SMD", data = means, m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i)
smd <- cbind(set = "means", smd)

tests <- data.frame(ti = c(2.1, -0.4, 3.75, 1.2), n1i = c(80, 12, 7, 200), n2i = c(75, 10, 9, 100))
t_smd <- cbind(set = "t", escalc("SMD", data = tests, ti = ti, n1i = n1i, n2i = n2i))

ds <- data.frame(di = c(0.5, -0.21, 1.4, 0.02), n1i = c(25, 80, 6, 300), n2i = c(25, 60, 5, 310))
d_smd <- cbind(set = "d", escalc("SMD", data = ds, di = di, n1i = n1i, n2i = n2i))

events <- data.frame(ai = c(12, 0, 30, 5, 40, 0), n1i = c(80, 25, 30, 12, 90, 14),
                     ci = c(20, 4, 22, 5, 12, 3), n2i = c(80, 26, 31, 15, 88, 13))
counts <- function(measure, set) cbind(set = set, escalc(measure, data = events, ai = ai, n1i = n1i, ci = ci, n2i = n2i))
parts <- list(smd, t_smd, d_smd, counts("RR", "rr"), counts("OR", "or"), counts("OR2DL", "or2dl"))

columns <- c("set", "m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i", "ti", "di", "ai", "ci", "yi", "vi")
fill <- function(part) { part <- as.data.frame(part); part[setdiff(columns, names(part))] <- NA; part[columns] }
result <- do.call(rbind, lapply(parts, fill))
for (column in columns[-1]) result[[column]] <- ifelse(is.na(result[[column]]), "", sprintf("%.15g", as.numeric(result[[column]])))
write.csv(result, "tests/reference/escalc.csv", row.names = FALSE, quote = FALSE)
