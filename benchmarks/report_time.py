"""How long the report takes and how large it is: python benchmarks/report_time.py

Builds it beside the project, from what is stored, and opens pages from disk in Chromium: median of the first paint.
"""

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from peersupport.report.site import build

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))
import browser  # noqa: E402

PAGES = ("index.html", "claims.html", "studies/index.html", "notebooks/02_descriptive_tables.html")
TIMES = 15
PAINT = "performance.getEntriesByType('paint')[0].startTime"


def first_paint(chromium, page):
    context = chromium.new_context()
    opened = context.new_page()
    opened.goto(page.as_uri())
    opened.wait_for_function("performance.getEntriesByType('paint').length")
    milliseconds = opened.evaluate(PAINT)
    context.close()
    return milliseconds


def main():
    os.chdir(ROOT)
    print(f"{platform.platform()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        began = time.perf_counter()
        site, _ = build(ROOT, Path(scratch))
        print(f"built in {time.perf_counter() - began:.1f} s")
        files = [path for path in site.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{sum(path.suffix == '.html' for path in files)} pages, {size:.1f} MB")
        options = {"executable_path": browser.executable(), "args": browser.ARGUMENTS}
        chromium = playwright.chromium.launch(**options)
        for page in PAGES:
            painted = [first_paint(chromium, site / page) for _ in range(TIMES)]
            print(f"first paint of {page}: {statistics.median(painted):.0f} ms of {TIMES}")
        chromium.close()


if __name__ == "__main__":
    main()
