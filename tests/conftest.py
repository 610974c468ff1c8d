"""A project of two small notebooks, run for real once; a browser that opens pages."""

import shutil
from pathlib import Path

import browser
import pytest
from playwright.sync_api import sync_playwright

from peersupport.chain import pairs, run

ROOT = Path(__file__).parents[1]
FIRST = """\
# %% tags=["parameters"]
size = 3

# %% [markdown]
# # Numbers

# %%
from pathlib import Path

numbers = ",".join(str(n) for n in range(size))
Path("../data/processed").mkdir(exist_ok=True)
Path("../data/processed/numbers.csv").write_text(numbers)
print("one")
print("two", flush=True)
numbers
"""
SECOND = """\
# %%
from pathlib import Path

numbers = Path("../data/processed/numbers.csv").read_text()
Path("../figures").mkdir(exist_ok=True)
Path("../figures/drawing.svg").write_text(f"<svg>{numbers}</svg>")
"""
PARAMETERS = "size: 3\nnot_declared_anywhere: 1\n"


def write_project(root):
    (root / "notebooks").mkdir(parents=True)
    (root / "data/raw").mkdir(parents=True)
    (root / "notebooks/01_numbers.py").write_text(pairs.text_header() + FIRST)
    (root / "notebooks/02_drawing.py").write_text(pairs.text_header() + SECOND)
    (root / "parameters.yml").write_text(PARAMETERS)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    root = write_project(tmp_path_factory.mktemp("a project"))
    run.run(root)
    return root


@pytest.fixture
def project(run_once, tmp_path, monkeypatch):
    root = shutil.copytree(run_once, tmp_path / "a copy")
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="module")
def chromium():
    """One for each file of tests: while it runs, nothing else in the process may start an event loop."""
    executable = browser.executable()
    if not executable:
        (pytest.fail if browser.is_required() else pytest.skip)(browser.MISSING)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=browser.ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def visit(chromium):
    """visit(url or Path, width=1280): the page, opened, with its .problems and its .axe()."""
    contexts = []

    def open_page(address, width=1280):
        viewport = {"width": width, "height": 800}
        contexts.append(chromium.new_context(viewport=viewport, service_workers="block"))
        return browser.Visit(contexts[-1].new_page()).open(address)

    yield open_page
    for context in contexts:
        context.close()
