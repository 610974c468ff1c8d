# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What helps and what hinders
#
# In how many studies each theme is reported. The themes are those of the codebook; a theme counts once per study. A theme
# that a study does not report may still have been there: the share is a share of reports, not of services.

# %% tags=["parameters"]
seed = 20261122

# %%
from IPython.display import Markdown

from peersupport import themes as thm
from peersupport.figures import style, thematic
from peersupport.sheets import labels, read_table, write_figure, write_table

style.use_style()
studies = read_table("studies.csv")
themes = read_table("themes.csv")
groups = labels("theme_group")
theme_labels = {theme: text for group in groups for theme, text in labels(group).items()}
codes = {group: list(labels(group)) for group in groups}
read_for_themes = studies.loc[studies["source"] != "open_database", "study"]
reported = thm.presence(themes[themes["kind"] == "primary"], read_for_themes, codes)
Markdown(
    f"{len(reported)} primary studies were read for themes; {int(reported.any(axis=1).sum())} report one or more. "
    f"The {(studies['source'] == 'open_database').sum()} studies known from the open database alone carry no themes."
)

# %% [markdown]
# ## Frequency
#
# Reviews are left out here: they report what the primary studies reported before them.

# %%
frequency = thm.theme_frequency(reported)
write_table(frequency, "tables/theme_frequency.csv")
first = frequency.drop_duplicates("theme_group")
Markdown(
    "The theme reported most often in each group: "
    + "; ".join(
        f"{groups[row.theme_group].lower()}, {theme_labels[row.theme].lower()} "
        f"({row.studies} of {row.of}, {row.share:.0%}, 95% CI {row.ci_low:.0%} to {row.ci_high:.0%})"
        for row in first.itertuples()
    )
    + "."
)

# %% [markdown]
# The dots are shares of the studies read, with 95% Wilson intervals; the number beside a dot is the count of studies.

# %%
figure = thematic.frequency_panels(frequency, theme_labels, groups)
barriers = frequency[frequency["theme_group"] == "barrier"]
ranking = ", ".join(
    f"{theme_labels[row.theme].lower()} ({row.studies})" for row in barriers.head(5).itertuples()
)
write_figure(
    figure, "05_theme_frequency", notebook="05_thematic_frequency",
    title="In how many studies each theme is reported",
    alt_text=f"Ranked dots by theme group, of {len(reported)} studies; commonest barriers: {ranking}.",
)  # fmt: skip

# %%
Markdown(f"The five barriers reported most often: {ranking}; each of {len(reported)} studies.")
