"""From a changed control to a redrawn page of the explorer, in a real browser; run by hand.

    python benchmarks/explorer_time.py [number of changes]

Each change is one that was not shown before, so nothing comes from the cache. The clock starts when the control is
changed in the page and stops when the new forest plot has been decoded and the next frame is due.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402

CHANGE = """async ([label, value]) => {
  const name = [...document.querySelectorAll("label")].find((l) => l.textContent === label);
  const control = document.getElementById(name.htmlFor);
  const answer = document.querySelector(".explorer-answer .widget-html-content");
  const before = answer.innerHTML, began = performance.now();
  control.value = value;
  control.dispatchEvent(new Event("change", {bubbles: true}));
  await new Promise((done) => {
    const seen = new MutationObserver(() => { if (answer.innerHTML !== before) done(seen.disconnect()); });
    seen.observe(answer, {childList: true, subtree: true, characterData: true});
  });
  const pictures = document.querySelectorAll(".explorer img");
  await Promise.all([...pictures].map((picture) => picture.decode()));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return [performance.now() - began, pictures.length];
}"""
OPTIONS = """(label) => {
  const name = [...document.querySelectorAll("label")].find((l) => l.textContent === label);
  return [...document.getElementById(name.htmlFor).options].map((option) => option.value);
}"""


def served():
    command = ["bash", "run_all.sh", "--explore"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = next(line for line in server.stdout if "http" in line)
    return server, next(word for word in said.split() if word.startswith("http"))


def measured(page, count):
    """Seconds of each redraw; one outcome after the other, and within each one model after the other."""
    seconds = []
    outcomes, models = (page.evaluate(OPTIONS, label) for label in ("Outcome", "Model"))
    page.evaluate(CHANGE, ["Outcome", outcomes[0]])
    changes = [change for model in models for change in [("Model", model), *(("Outcome", o) for o in outcomes)]]
    for change in changes:
        spent, pictures = page.evaluate(CHANGE, list(change)) if differs(page, change) else (0, 0)
        if pictures:
            seconds.append(spent / 1000)
        if len(seconds) == count:
            break
    return seconds


def differs(page, change):
    label, value = change
    return page.get_by_label(label, exact=True).input_value() != value


def processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    began = time.monotonic()
    server, address = served()
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser.executable(), args=browser.ARGUMENTS)
            page = chromium.new_page(viewport={"width": 1280, "height": 900})
            ready = time.monotonic()
            page.goto(address)
            page.locator("img.forest").wait_for(timeout=120_000)
            usable = time.monotonic()
            seconds = measured(page, count)
    finally:
        server.terminate()
        server.wait()
    low, middle, high = statistics.quantiles(seconds, n=4)
    print(
        f"redrawn after a change: median {middle:.2f} s, quartiles {low:.2f} and {high:.2f} s, "
        f"slowest {max(seconds):.2f} s ({len(seconds)} changes)\n"
        f"server ready after {ready - began:.1f} s, page usable {usable - ready:.1f} s later\n"
        f"{processor()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
