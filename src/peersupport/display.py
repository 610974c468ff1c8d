"""Tables and figures as a reader sees them in a notebook, the same bytes each time.

Tables are rounded, without index, and scroll when long; a figure carries its words for who cannot see it.
"""

from base64 import b64encode
from io import BytesIO
from pathlib import Path

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler
from PIL import Image

SCROLL = "max-height: 30em; overflow: auto"
SHRINK = 3  # a whole number, so that each pixel is the mean of nine


def readable(table: pd.DataFrame, digits: int = 2) -> HTML:
    """The table as HTML; text from the sheets is escaped, so that markup in a cell is shown and not obeyed."""
    styled = Styler(table.reset_index(drop=True), uuid_len=0).hide(axis="index")
    styled = styled.format(precision=digits, na_rep="", thousands=",", escape="html")
    styled = styled.format_index(escape="html", axis="columns")
    text = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    left = [{"selector": part, "props": "text-align: left"} for part in ("td", "th")]
    styled = styled.set_table_styles({column: left for column in text})
    return HTML(f'<div style="{SCROLL}">{styled.to_html()}</div>')


class Picture:
    """A stored figure with its alt text; made smaller for the screen, where it is shown."""

    def __init__(self, file: Path, alt_text: str):
        self.file, self.alt_text = file, alt_text

    def __repr__(self):
        return f"{self.file.stem}: {self.alt_text}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        about = {"alt": self.alt_text, "figure": self.file.stem}
        return {"image/png": b64encode(self._small()).decode()}, {"image/png": about}

    def _small(self) -> bytes:
        small = BytesIO()
        with Image.open(self.file) as whole:
            whole.convert("RGB").reduce(SHRINK).save(small, "PNG")
        return small.getvalue()
