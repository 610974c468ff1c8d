"""The direct dependencies are said once, in pyproject.toml; the other two files must follow."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYTHONS = {
    "3.11": {"python_version": "3.11", "python_full_version": "3.11.14"},
    "3.12": {"python_version": "3.12", "python_full_version": "3.12.12"},
    "3.13": {"python_version": "3.13", "python_full_version": "3.13.9"},
}
CONDA_PYTHON = "3.13"
EXTRAS = {"report", "explorer", "lab", "dask", "check"}
CONDA_NAMES = {"matplotlib-base": "matplotlib"}
NOT_LIBRARIES = {"python", "pip"}
ASKED_FOR = {"jupyterlab", "pandas", "seaborn", "pingouin", "papermill", "jupytext", "nbval"}


def direct_requirements(pyproject):
    project = tomllib.loads(pyproject)["project"]
    listed = sum(project["optional-dependencies"].values(), project["dependencies"])
    return {canonicalize_name(r.name): r for r in map(Requirement, listed)}


def locked(lock, python=CONDA_PYTHON):
    """Name to version for one Python, and the names of those without a hash."""
    versions, unhashed = {}, set()
    for entry in re.findall(r"^\w.*(?:\n .*)*", lock, re.M):
        requirement = Requirement(entry.split("\\\n")[0])
        if requirement.marker is None or requirement.marker.evaluate(PYTHONS[python]):
            name = canonicalize_name(requirement.name)
            versions[name] = str(requirement.specifier).removeprefix("==")
            if "--hash=sha256:" not in entry:
                unhashed.add(name)
    return versions, unhashed


def conda_versions(environment):
    entries = yaml.safe_load(environment)["dependencies"]
    from_pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    pins = [entry for entry in entries if isinstance(entry, str)] + from_pip
    named = [re.split("==?", pin) for pin in pins if pin != "-e ."]
    return {
        canonicalize_name(CONDA_NAMES.get(name, name)): "".join(version)
        for name, *version in named
        if name not in NOT_LIBRARIES
    }


def drift(pyproject, lock, environment):
    direct = direct_requirements(pyproject)
    versions, unhashed = locked(lock)
    conda = conda_versions(environment)
    problems = [f"the lock has no hash of {name}" for name in sorted(unhashed)]
    problems += [f"the lock names an address: {found}" for found in addresses(lock)]
    for name, requirement in direct.items():
        if name not in versions:
            problems.append(f"{name} is not in the lock")
        elif versions[name] not in requirement.specifier:
            problems.append(f"{requirement} does not admit {versions[name]} of the lock")
        if conda.get(name) != versions.get(name):
            problems.append(f"{name} is {versions.get(name)} in the lock, {conda.get(name)} in environment.yml")
    problems += [f"{name} is in environment.yml alone" for name in sorted(conda.keys() - direct)]
    return problems


def addresses(lock):
    return re.findall(r"\S*://\S*|--(?:extra-)?index-url.*|--find-links.*", lock)


def imported(folder):
    """The libraries that the code names in an import; the standard one and this package are none."""
    nodes = [n for path in folder.rglob("*.py") for n in ast.walk(ast.parse(path.read_text("utf-8")))]
    named = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    named |= {n.module for n in nodes if isinstance(n, ast.ImportFrom)}
    return {name.split(".")[0] for name in named} - sys.stdlib_module_names - {"peersupport"}


@pytest.fixture
def files():
    names = ("pyproject.toml", "requirements.lock", "environment.yml")
    return [(ROOT / name).read_text("utf-8") for name in names]


def test_the_three_files_agree(files):
    assert drift(*files) == []


def test_what_was_asked_for_is_direct(files):
    assert ASKED_FOR <= direct_requirements(files[0]).keys()


def test_what_the_code_imports_is_direct(files):
    direct, of = direct_requirements(files[0]), packages_distributions()
    missing = {
        name
        for name in imported(ROOT / "src") | imported(ROOT / "notebooks")
        if not {canonicalize_name(found) for found in of[name]} & direct.keys()
    }
    assert not missing


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_has_every_library_for_every_python(files, python):
    direct, versions = direct_requirements(files[0]), locked(files[1], python)[0]
    assert not direct.keys() - versions.keys()
    assert all(versions[name] in requirement.specifier for name, requirement in direct.items())


def test_numbers_come_from_the_same_versions_on_every_python(files):
    numeric = ("numpy", "scipy", "pandas", "statsmodels", "scikit-learn", "pingouin", "matplotlib", "pillow")
    versions = [locked(files[1], python)[0] for python in PYTHONS]
    assert len({tuple(found[name] for name in numeric) for found in versions}) == 1


def test_the_chain_imports_nothing_of_an_extra(files):
    project = tomllib.loads(files[0])["project"]
    assert project["optional-dependencies"].keys() == EXTRAS
    core = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    of = packages_distributions()
    rooms = [path for path in (ROOT / "src/peersupport").iterdir() if path.name not in ("report", "explorer")]
    named = set.union(*(imported(room) for room in rooms if room.is_dir()))
    named -= {"dask"}  # imported where a cluster is named
    assert not {name for name in named if not {canonicalize_name(found) for found in of[name]} & core}


def test_conda_environment_has_the_same_python_and_one_channel(files):
    environment = yaml.safe_load(files[2])
    assert environment["channels"] == ["conda-forge"]
    assert f"python={CONDA_PYTHON}" in environment["dependencies"]


@pytest.mark.parametrize(
    ("file", "pattern", "spoiled", "problem"),
    [
        (0, r'"pandas>=3"', '"pandas>=99"', "pandas>=99 does not admit"),
        (0, r'"pandas>=3"', '"pandas>=3", "cowsay"', "cowsay is not in the lock"),
        (0, r' *"rispy",\n', "", "rispy is in environment.yml alone"),
        (1, r"pandas==[\d.]+", "pandas==3.0.0", "pandas is 3.0.0 in the lock"),
        (1, r"(seaborn==\S+) \\(\n +--hash.*)+", r"\1", "the lock has no hash of seaborn"),
        (1, r"\A", "--index-url address\n", "the lock names an address"),
        (1, r"\Z", "# see https://address\n", "the lock names an address"),
        (2, r"(nbval=)[\d.]+", r"\g<1>0.1", "nbval is"),
        (2, r"  - papermill=.*\n", "", "papermill is"),
    ],
)
def test_a_spoiled_copy_is_found(files, file, pattern, spoiled, problem):
    before = files[file]
    files[file] = re.sub(pattern, spoiled, before, count=1)
    assert files[file] != before
    assert any(found.startswith(problem) for found in drift(*files))
