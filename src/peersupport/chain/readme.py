"""The block of README.md that notebook 07 makes: put between its marks after a run, compared by the tests."""

import re

from peersupport.chain.pairs import Problem
from peersupport.store.project import replace_file

BEGIN = "<!-- made by notebook 07; ./run_all.sh renews it -->"
END = "<!-- end of what notebook 07 made -->"
MADE = "data/processed/readme_answers.md"
BLOCK = re.compile(rf"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.S)


def renew(root) -> None:
    """README.md with the block as stored; a README without the marks, or a project without the block, is left alone.

    Problem where the first mark has lost its second.
    """
    readme, made = root / "README.md", root / MADE
    if not (readme.is_file() and made.is_file()):
        return
    before = readme.read_text("utf-8")
    after = with_block(before, made.read_text("utf-8"))
    if after != before:
        replace_file(readme, after.encode())


def with_block(text: str, block: str) -> str:
    if BEGIN in text and not BLOCK.search(text):
        raise Problem(f"README.md: {BEGIN} has no {END} after it; add that line below the table and run again.")
    return BLOCK.sub(lambda _: block, text)
