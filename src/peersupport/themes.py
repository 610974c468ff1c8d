"""What helps and what hinders: in how many studies each theme is reported.

Throughout, `themes` is data/processed/themes.csv: one row per study (or review) and theme that its findings report, with
`kind` primary or review. A theme without a row was not reported in the source seen, which does not say that it was absent.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from peersupport.descriptives import wilson


def presence(
    themes: pd.DataFrame, studies: Sequence[str], theme_codes: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Study by theme, True where the study reports it: index study, columns (theme_group, theme) in the codebook's order.

    `studies` are all the studies whose findings were read for themes, those that report none among them.
    """
    columns = pd.MultiIndex.from_tuples(
        [(group, theme) for group, codes in theme_codes.items() for theme in codes],
        names=["theme_group", "theme"],
    )
    rows = themes[themes["study"].isin(list(studies))]
    unknown = set(zip(rows["theme_group"], rows["theme"], strict=True)) - set(columns)
    if unknown:
        raise ValueError(f"Themes that the codebook does not know: {sorted(unknown)}.")
    counts = pd.crosstab(rows["study"], [rows["theme_group"], rows["theme"]])
    return counts.reindex(index=list(studies), columns=columns, fill_value=0).gt(0)


def theme_frequency(reported: pd.DataFrame) -> pd.DataFrame:
    """From `presence`: theme_group, theme, studies, of, share, ci_low, ci_high (95% Wilson), commonest first in a group.

    Ties keep the codebook's order.
    """
    table = reported.sum().rename("studies").reset_index()
    table["of"] = len(reported)
    table = pd.concat([table, wilson(table["studies"], table["of"])], axis=1)
    place = {group: i for i, group in enumerate(dict.fromkeys(table["theme_group"]))}
    table = table.assign(place=table["theme_group"].map(place), order=-table["studies"])
    table = table.sort_values(["place", "order"], kind="stable", ignore_index=True)
    return table.drop(columns=["place", "order"])
