"""data/raw/VERSION: which data these are, for every page, table and file that is made from them."""

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import yaml

from peersupport.store.project import project_root

FILE = "data/raw/VERSION"


@dataclass(frozen=True)
class DataVersion:
    """What VERSION says; the counts are those of the tidy tables and of records.csv."""

    version: str
    wave: int
    last_search: str
    studies: int
    outcome_rows: int
    records: int

    def words(self) -> str:
        """The line that pages and files carry."""
        counts = f"{self.studies:,} studies, {self.outcome_rows:,} outcome rows"
        return f"Data {self.version} (wave {self.wave}, last search {self.last_search}; {counts})"


def data_version(root: Path | None = None) -> DataVersion | None:
    """The version of the data under `root`, else of this project; None where the folder has no VERSION.

    Raises ValueError with one sentence where the file is not as its comment says.
    """
    path = (root or project_root()) / FILE
    if not path.is_file():
        return None
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
        whole = {name: int(found[name]) for name in ("wave", "studies", "outcome_rows", "records")}
        searched = found["last_search"]
        day = searched if isinstance(searched, date) else date.fromisoformat(str(searched))
        return DataVersion(version=str(found["version"]), last_search=day.isoformat(), **whole)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{FILE} must say version, wave, last_search (as 2026-11-27), studies, outcome_rows and records, "
            f"one `name: value` a line ({error})."
        ) from None


def version_words(root: Path | None = None) -> str:
    """The line to put on a page or in a file; "Data without a version" where there is no VERSION."""
    found = data_version(root)
    return found.words() if found else "Data without a version"


def version_facts(root: Path | None = None) -> dict:
    """The same as plain values, for a file that holds numbers; {} where there is no VERSION."""
    found = data_version(root)
    return asdict(found) if found else {}


def miscounts(version: DataVersion | None, counts: dict[str, int]) -> list[str]:
    """A sentence for each count of VERSION that the sheets do not bear out; counts: studies, outcome_rows, records."""
    if version is None:
        return []
    stated = {name: getattr(version, name) for name in counts}
    return [
        f"{FILE} says {name} {stated[name]}, the sheets hold {count}: put the count right, and add to CHANGELOG.md"
        for name, count in counts.items()
        if stated[name] != count
    ]
