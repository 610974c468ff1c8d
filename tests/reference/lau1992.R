# lau1992.csv: log odds ratios of the first 22 trials of metadat's dat.lau1992, whose restricted likelihood has two maxima.
# Run in the project's root:  Rscript tests/reference/lau1992.R
suppressMessages(library(metafor))
found <- escalc("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.lau1992[1:22, ])
write.csv(data.frame(yi = as.numeric(found$yi), vi = as.numeric(found$vi)), "tests/reference/lau1992.csv", row.names = FALSE)
