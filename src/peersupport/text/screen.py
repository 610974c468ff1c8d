"""Tables as a reader sees them in a notebook, the same bytes each time: rounded, without index, scrolling when long."""

import pandas as pd
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
