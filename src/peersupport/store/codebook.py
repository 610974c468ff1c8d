"""data/raw/codebook.yml: the sheets, their columns and their codes."""

from functools import cache

import yaml

from peersupport.store.project import project_root


@cache
def codebook() -> dict:
    """data/raw/codebook.yml as a mapping with the keys `codes` and `sheets`."""
    text = (project_root() / "data/raw/codebook.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def labels(code_list: str) -> dict[str, str]:
    """Code to label, in the codebook's order: labels("population")["smi"] is "Severe mental illness"."""
    return codebook()["codes"][code_list]
