"""The Python half of the benchmark, and the table of both: python compare.py FOLDER RESULTS.md; see run.sh.

Each Python time is the median of several runs, R's a single run of the same work; both in elapsed and
CPU seconds, because the machine may be shared. Differences are the largest over all results.
"""

import csv
import statistics
import sys
import time
import tracemalloc
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from data import draw
from peersupport.multiverse import subsets
from peersupport.pool import engine

RUNS = 5
ESTIMATORS = ["fixed", "DL", "HE", "SJ", "PM", "ML", "REML"]
INTERVALS = ["wald", "hartung_knapp", "hartung_knapp_conservative"]
PAIRS = [("fixed", "wald"), *((e, i) for i in INTERVALS for e in ESTIMATORS[1:])]


def clocked(work, runs=RUNS):
    """(result, elapsed, CPU): medians of `runs` after one that is not counted."""
    work()
    elapsed, cpu = [], []
    for _ in range(runs):
        began, began_cpu = time.perf_counter(), time.process_time()
        result = work()
        elapsed.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    return result, statistics.median(elapsed), statistics.median(cpu)


def read(folder, name):
    return np.genfromtxt(folder / name, delimiter=",", missing_values="NA", ndmin=2)


def apart(ours, theirs):
    """Largest absolute difference, and how many R could not fit."""
    missing = np.isnan(theirs).reshape(len(theirs), -1).any(axis=1)
    return float(np.abs(ours - theirs)[~missing].max()), int(missing.sum())


def numbers(pooled, interval):
    half = engine.half_width(pooled, interval)
    return np.column_stack([pooled.effect, pooled.effect - half, pooled.effect + half, pooled.tau2])


def chosen(y, v, masks):
    """A stack: one column per row of masks."""
    masks = masks.T.astype(bool)
    return masks * y[:, None], np.where(masks, v[:, None], np.inf)


def fits(folder):
    y, v = read(folder, "fits_y.csv"), read(folder, "fits_v.csv")

    def work(columns):
        return lambda: numbers(engine.pool(y[:, columns], v[:, columns], "REML"), "hartung_knapp")

    theirs = read(folder, "r_many.csv")
    one = clocked(work(slice(0, 1)), 50)
    many = clocked(work(slice(None)))
    yield "(a) one REML + Hartung-Knapp fit, k = 20", "one", one, apart(one[0], theirs[:1]), None
    label = "(b) 10,000 such fits"
    if len(theirs) < 10_000:
        label += f" (R: {len(theirs):,} timed, scaled up)"
    yield label, "many", many, apart(many[0][: len(theirs)], theirs), 300


def all_subsets(folder):
    y, v = read(folder, "gosh_y.csv")[:, 0], read(folder, "gosh_v.csv")[:, 0]
    plan = subsets.Plan(len(y))
    found = clocked(lambda: subsets.pool_block(y, v, plan, 0, "fixed")[0])
    theirs = read(folder, "r_gosh_fixed.csv")
    theirs = dict(zip(theirs[:, 0].astype(int), theirs[:, 1], strict=True))
    wanted = np.array([theirs[n] for n in plan.masks(0) @ (1 << np.arange(len(y)))])
    yield "(c) GOSH, 2^15 subsets, fixed effects", "gosh_fixed", found, apart(found[0], wanted), 200
    masks = read(folder, "gosh_masks.csv")
    found = clocked(lambda: numbers(engine.pool(*chosen(y, v, masks), "REML"), "wald")[:, [0, 3]])
    wanted = apart(found[0], read(folder, "r_gosh_reml.csv"))
    yield "(c) GOSH, 1,000 subsets, REML", "gosh_reml", found, wanted, 300


def small_study(folder):
    y, v = read(folder, "small_study_y.csv"), read(folder, "small_study_v.csv")

    def leave_one_out():
        """20 x 200 fits: each trial of each data set left out in turn."""
        left = np.repeat(v[:, None], len(v), axis=1)
        left[np.arange(len(v)), np.arange(len(v))] = np.inf
        fit = engine.pool(
            np.repeat(y, len(y), axis=1).reshape(len(y), -1), left.transpose(0, 2, 1).reshape(len(y), -1), "REML"
        )
        return fit.effect.reshape(-1, len(y))

    def trim_and_fill():
        filled_y, filled_v, filled = engine.fill(*engine.sort_columns(y, v), "REML")
        return np.column_stack([engine.pool(filled_y, filled_v, "REML").effect, filled])

    for work, name, label in [
        (leave_one_out, "leave1out", "(d) leave-one-out, 200 data sets, REML"),
        (trim_and_fill, "trimfill", "(d) trim-and-fill, 200 data sets, REML"),
    ]:
        found = clocked(work)
        yield label, name, found, apart(found[0], read(folder, f"r_{name}.csv")), None


def multiverse(folder):
    y, v = read(folder, "multiverse_y.csv")[:, 0], read(folder, "multiverse_v.csv")[:, 0]
    masks = read(folder, "multiverse_masks.csv")

    def work():
        stack = chosen(y, v, masks[:264])
        pooled = {e: engine.pool(*stack, e) for e in ESTIMATORS}
        every = np.stack([numbers(pooled[e], i) for e, i in PAIRS], axis=1)
        return every.reshape(-1, 4)[:5000]

    found = clocked(work)
    wanted = apart(found[0], read(folder, "r_multiverse.csv"))
    yield "(e) 5,000 specifications of one multiverse", "multiverse", found, wanted, 200


def growth():
    """(f): what, size, seconds and peak of the memory that numpy asked for, in MiB."""
    random = np.random.default_rng(1)
    for k in (10, 100, 1000, 10_000):
        y, v = draw(random, k, 100)
        yield "trials (100 fits, REML)", k, lambda y=y, v=v: engine.pool(y, v, "REML")
    for d in (100, 1000, 10_000, 100_000):
        y, v = draw(random, 20, d)
        yield "specifications (k = 20, REML)", d, lambda y=y, v=v: engine.pool(y, v, "REML")
    y, v = (x[:, 0] for x in draw(random, 24, 1))
    for drawn in (1000, 10_000, 100_000, 1_000_000):
        plan = subsets.Plan(24, 20, drawn)
        yield ("subsets (k = 24, DL)", drawn, lambda p=plan: [subsets.pool_block(y, v, p, b, "DL") for b in p.blocks])


def measured():
    for what, size, work in growth():
        _, elapsed, _ = clocked(work, 3)
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        yield what, size, elapsed, peak


def draw_growth(rows, path):
    from peersupport.figures import style

    style.use_style()
    figure, axes = style.new_figure(style.PAGE, 65, 1, 2)
    for (what, part), marker, line in zip(rows.groupby("what", sort=False), "osD", ("-", "--", ":"), strict=True):
        for axis, column in zip(axes, ("seconds", "peak"), strict=True):
            axis.loglog(part["size"], part[column], marker=marker, ms=4, ls=line, label=what)
    axes[0].set(xlabel="Number", ylabel="Time (s)")
    axes[1].set(xlabel="Number", ylabel="Peak of new memory (MiB)")
    axes[0].legend()
    figure.savefig(path, metadata={"Date": None})


def report(rows, grown):
    lines = [
        "# Speed against metafor",
        "",
        f"Measured {date.today()}, by `bash benchmarks/run.sh`: Python and R on the same data in one run, one process",
        "and one thread each, on a machine with 2 cores and 24 GiB that other work was using at the same time, so that",
        "elapsed times hold waiting; CPU seconds hold less of it, and the ratio that the aims are held to is the "
        "CPU's.",
        "rma() computes more for each fit (fit statistics, tests of heterogeneity) than the stacked fits do.",
        "",
        "| task | R metafor (s) | Python (s) | ratio | R CPU (s) | Python CPU (s) | CPU ratio | aim | largest "
        "difference | not fitted by R |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for label, r, r_cpu, elapsed, cpu, (difference, missing), aim in rows:
        reached = "" if aim is None else f"{aim}: {'reached' if r_cpu / cpu >= aim else 'missed'}"
        lines.append(
            f"| {label} | {r:.4g} | {elapsed:.4g} | {r / elapsed:,.0f} | {r_cpu:.4g} | {cpu:.4g} | {r_cpu / cpu:,.0f} "
            f"| {reached} | {difference:.1e} | {missing} |"
        )
    lines += ["", "(f) Growth of time and of the memory asked for, also in [growth.svg](growth.svg):", ""]
    lines += ["| what grows | number | seconds | peak (MiB) |", "|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.size:,} | {row.seconds:.3g} | {row.peak:.1f} |" for row in grown.itertuples(index=False)
    ]
    return "\n".join(lines) + "\n"


def main(folder, results):
    with (folder / "r_seconds.csv").open() as file:
        seconds = {row["name"]: float(row["seconds"]) for row in csv.DictReader(file)}
    rows = []
    for part in (fits, all_subsets, small_study, multiverse):
        for label, name, (_, elapsed, cpu), difference, aim in part(folder):
            rows.append((label, seconds[name], seconds[f"{name}_cpu"], elapsed, cpu, difference, aim))
            print(rows[-1], flush=True)
    grown = pd.DataFrame(measured(), columns=["what", "size", "seconds", "peak"])
    kept = results.read_text().partition("## The chain")[1:] if results.exists() else ()
    results.write_text(report(rows, grown) + ("\n" + "".join(kept) if any(kept) else ""))
    draw_growth(grown, results.with_name("growth.svg"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
