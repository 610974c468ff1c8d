"""What moved since an earlier version of the project (./run_all.sh --changes [REF or FOLDER]).

The stored results of both are compared; where data and code changed together, the earlier data are run through the
present code too. Written are CHANGES (outputs.py): not outputs of a notebook, so neither the manifest nor --verify
knows them.
"""

import hashlib
import io
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import yaml

from peersupport.chain.manifest import manifest_problems, read_manifest
from peersupport.chain.outputs import CHANGES, publish
from peersupport.chain.pairs import Problem, numbered_notebooks
from peersupport.chain.run import copy_inputs, expected_origins, fresh_copy, run_notebooks
from peersupport.chain.side_by_side import Ended, file_names, forerunners
from peersupport.conclude.changes import TABLES, State, Words, changes, page
from peersupport.effects.pools import WORDS, outcome_labels
from peersupport.figures import style
from peersupport.figures.changes import before_and_now
from peersupport.pool.models import MAIN
from peersupport.store.codebook import read_codebook
from peersupport.store.pictures import save_figure
from peersupport.store.project import replace_file
from peersupport.store.version import data_version

STORED = {
    "pooled": "tables/pooled_outcomes.csv",
    "members": "tables/influence.csv",
    "effects": "effects.csv",
    "claims": "tables/claims.csv",
    "findings": "tables/summary_of_findings.csv",
    "agreement": "agreement.csv",
    "flow": "tables/prisma.csv",
    "themes": "tables/theme_frequency.csv",
}
OF_THE_CODE = ("codebook.yml", "claims.csv")  # of data/raw/: how the present code reads and judges sheets
SHEETS = (".csv", ".xlsx")
TAKEN = ("data", "notebooks", "src", "parameters.yml", "requirements.lock")
TITLE = "Pooled results before and now"


def compare_with(root, wanted=None):
    """Compares the stored results with those of a git ref or a folder (default: the last other version of the data)."""
    refuse_stale(root)
    scratch = fresh_copy(root, "changes", keep_outputs=False)
    try:
        earlier, name = earlier_project(root, wanted, scratch / "earlier")
        before, now = read_state(earlier, name), read_state(root, _named(root, "the project as it is"))
        between = None
        if before.sheets != now.sheets and (before.code != now.code or before.settings != now.settings):
            between = old_data_new_code(root, earlier, scratch)
        table, text = tell(root, before, now, between)
        write(scratch, table, text, words_of(root))
        for path in CHANGES:
            publish(scratch, root, path) if (scratch / path).is_file() else (root / path).unlink(missing_ok=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(text)
    print(f"Written to {', '.join(path for path in CHANGES if (root / path).is_file())}.")


def tell(root, before, now, between=None):
    """(table, page) of what differs."""
    table = changes(before, now, words_of(root), between)
    return table, page(table, before, now, between)


def changes_page(root: Path) -> str | None:
    """The page as --changes wrote it, for the report; None where it was never asked for."""
    path = root / CHANGES[0]
    return path.read_text("utf-8") if path.is_file() else None


def refuse_stale(root):
    problems = manifest_problems(root, expected_origins(root))
    if not read_manifest(root):
        problems = ["No notebook has been run yet: ./run_all.sh writes the results."]
    if problems:
        raise Problem(f"Nothing was compared, because the stored results are not those of today. {problems[0]}")


def words_of(root):
    """Labels as the codebook has them."""
    book = read_codebook((root / "data/raw/codebook.yml").read_text("utf-8"))
    codes, unions, events = book["codes"], book["unions"], book["events"]
    themes = {theme: label for group in codes.get("theme_group", {}) for theme, label in codes.get(group, {}).items()}
    both = {f"{domain}_{direction}": direction for domain in events for direction in WORDS}
    return Words(
        outcome_labels(book),
        themes,
        {name: union["domains"] for name, union in unions.items()},
        book["arms"]["arm1"]["name"],
        both | events | {name: union["events"] for name, union in unions.items() if union.get("events")},
    )


def write(folder, table, text, words):
    """The page, the table and, where a pooled result differs, the figure."""
    document, sheet, svg, _ = CHANGES
    replace_file(folder / document, text.encode())
    replace_file(folder / sheet, table.to_csv(index=False, lineterminator="\n").encode())
    pools = table[table["kind"].eq("pooled_result")]
    if len(pools):
        style.use_style()
        alt = f"Intervals before and now of {len(pools)} pooled results that differ."
        figure = before_and_now(pools, words)
        save_figure(figure, folder / "figures", Path(svg).stem, title=TITLE, alt_text=alt)


# ---------------------------------------------------------------- the earlier project


def earlier_project(root, wanted, place):
    """(folder, name) of what is compared with: a folder as it is, or a git ref laid out in `place`."""
    if wanted and Path(wanted).is_dir():
        return Path(wanted), _named(Path(wanted), f"the folder {Path(wanted).name}")
    ref = wanted or last_other_version(root)
    if git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}") is None:
        raise Problem(f"{ref} is neither a folder nor a git ref of this project: name one, as in --changes v1.0.")
    there = (git(root, "ls-tree", "--name-only", ref) or b"").decode().split()
    archive = git(root, "archive", "--format=tar", ref, *(path for path in TAKEN if path in there))
    with tarfile.open(fileobj=io.BytesIO(archive or b"")) as files:
        files.extractall(place, filter="data")
    return place, _named(place, ref)


def _named(folder, name):
    found = data_version(folder)
    return f"{name}, {found.words().lower()}" if found else name


def last_other_version(root):
    """The newest tag whose data differ from these, else the last commit with another data/raw/VERSION."""
    if git(root, "rev-parse", "HEAD") is None:
        raise Problem(
            "There is no git history here: ./run_all.sh --changes FOLDER, with a copy of the earlier project."
        )
    tags = (git(root, "tag", "--merged", "HEAD", "--sort=-creatordate") or b"").decode().split()
    for tag in tags:
        if git(root, "diff", "--quiet", tag, "--", "data/raw") is None:
            return tag
    own = (root / "data/raw/VERSION").read_bytes() if (root / "data/raw/VERSION").is_file() else b""
    for commit in (git(root, "log", "--format=%H", "--", "data/raw/VERSION") or b"").decode().split():
        for candidate in (commit, f"{commit}^"):
            known = git(root, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}")
            if known and (git(root, "show", f"{candidate}:data/raw/VERSION") or b"") != own:
                return known.decode().strip()[:12]
    raise Problem("No tag and no commit holds other data than these: ./run_all.sh --changes REF, or a FOLDER.")


def git(root, *arguments):
    """What git prints; None where it fails, or is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


# ---------------------------------------------------------------- states


def read_state(root, name):
    """The stored results of the project in that folder, and what they were made from."""
    processed = root / "data/processed"
    if not (processed / STORED["pooled"]).is_file():
        raise Problem(f"{name} holds no results to compare with: data/processed/{STORED['pooled']} is not there.")
    tables = {}
    for key, file in STORED.items():
        if (processed / file).is_file():
            table = pd.read_csv(processed / file, keep_default_na=False, na_values=[""])
            if set(TABLES[key]) <= set(table):
                tables[key] = table
    pooled = tables["pooled"]
    tables["pooled"] = pooled[pooled["model"].eq(MAIN)]
    settings = root / "parameters.yml"
    return State(
        name,
        tables,
        yaml.safe_load(settings.read_text("utf-8")) if settings.is_file() else {},
        {sheet: (digest(path), _rows(path)) for sheet, path in sheets(root).items()},
        {path.relative_to(root).as_posix(): digest(path) for path in code_files(root)},
    )


def sheets(root):
    """Name without ending to the file of each raw sheet, but those that belong to the code."""
    folder = root / "data/raw"
    found = sorted(path for path in folder.rglob("*") if path.suffix in SHEETS and not path.name.startswith((".", "~")))
    named = {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}
    return {name: path for name, path in named.items() if path.name not in OF_THE_CODE}


def code_files(root):
    paths = [*(root / "src").rglob("*.py"), *(root / "notebooks").glob("[0-9]*.py")]
    return sorted([*paths, *(p for p in (root / "data/raw" / name for name in OF_THE_CODE) if p.is_file())])


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _rows(path):
    return max(path.read_bytes().count(b"\n") - 1, 0)


# ---------------------------------------------------------------- old data, new code


def old_data_new_code(root, earlier, scratch):
    """The results of the earlier sheets under the present code; None, with a sentence, where it cannot run them."""
    mixed = scratch / "mixed"
    copy_inputs(root, mixed, notebooks="*.py")
    clear_outputs(mixed)
    lay_old_sheets(mixed / "data/raw", earlier / "data/raw")
    print("data and code changed both: computing the earlier data under the present code", flush=True)
    try:
        return replace(run_what_is_compared(mixed, root), name="the earlier data under the present code")
    except (Problem, Ended) as problem:
        print(f"That could not be computed, so data and code are not told apart.\n{problem}", flush=True)
        return None


def clear_outputs(scratch):
    for folder in ("data/processed", "figures"):
        shutil.rmtree(scratch / folder, ignore_errors=True)


def lay_old_sheets(folder, old):
    """The earlier sheets in the place of the present ones; one that did not exist then has its header alone."""
    present = {path.relative_to(folder): path for path in folder.rglob("*") if path.suffix in SHEETS}
    for name, path in present.items():
        if name.name in OF_THE_CODE:
            continue
        then = [(old / name).with_suffix(suffix) for suffix in SHEETS if (old / name).with_suffix(suffix).is_file()]
        header = path.read_bytes().split(b"\n")[0] + b"\n"
        path.unlink()
        if then:
            shutil.copyfile(then[0], path.with_suffix(then[0].suffix))
        else:
            path.write_bytes(header)


def run_what_is_compared(scratch, root):
    """Runs the notebooks that write what a state holds, and those that they wait for; the state."""
    names = needed(numbered_notebooks(scratch))
    for _ in run_notebooks(scratch, names, expected_origins(root)):
        pass
    return read_state(scratch, "the results")


def needed(scripts):
    """Names, in order, of the notebooks that write a table of STORED, with all that they wait for."""
    wanted, waits = {Path(file).name for file in STORED.values()}, forerunners(scripts)
    left = [script.stem for script in scripts if file_names(script)[1] & wanted]
    found = set()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += waits[name]
    return [script.stem for script in scripts if script.stem in found]
