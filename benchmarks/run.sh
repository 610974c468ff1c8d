#!/usr/bin/env bash
# Python and R on the same data, one after the other, in one run: bash benchmarks/run.sh [PYTHON]
# Needs Rscript with metafor; not part of the checks. Writes benchmarks/results.md.
# FITS=1000 times only so many of the 10,000 fits in R and scales up; OPENBLAS runs with one thread.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 PYTHONPATH=$PWD/src${PYTHONPATH:+:$PYTHONPATH}
"$python" benchmarks/data.py "$folder"
Rscript benchmarks/metafor.R "$folder"
"$python" benchmarks/compare.py "$folder" benchmarks/results.md
