"""Tables and figures as a reader sees them in a notebook, the same bytes each time.

Tables are rounded, without index, and scroll when long; a figure carries its words for who cannot see it.
"""

from functools import cached_property

import pandas as pd
from IPython.core.pylabtools import print_figure
from IPython.display import HTML
from pandas.io.formats.style import Styler

SCROLL = "max-height: 30em; overflow: auto"


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
    """A drawn figure with its alt text; rendered, for the screen, only where it is shown."""

    def __init__(self, figure, name: str, alt_text: str):
        self.figure, self.name, self.alt_text = figure, name, alt_text

    def __repr__(self):
        return f"{self.name}: {self.alt_text}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        about = {"alt": self.alt_text, "figure": self.name}
        return {"image/png": self._png}, {"image/png": about}

    @cached_property  # drawn again, a figure may move by a pixel
    def _png(self):
        return print_figure(self.figure, base64=True)
