"""A project of two small notebooks, run for real once."""

import shutil
from pathlib import Path

import pytest

from peersupport import chain

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
    (root / "notebooks/01_numbers.py").write_text(chain.text_header() + FIRST)
    (root / "notebooks/02_drawing.py").write_text(chain.text_header() + SECOND)
    (root / "parameters.yml").write_text(PARAMETERS)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    root = write_project(tmp_path_factory.mktemp("a project"))
    chain.run(root)
    return root


@pytest.fixture
def project(run_once, tmp_path, monkeypatch):
    root = shutil.copytree(run_once, tmp_path / "a copy")
    monkeypatch.chdir(root)
    return root
