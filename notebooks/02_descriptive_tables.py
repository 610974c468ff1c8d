# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Who was studied, where, when and how well
#
# This notebook describes the included studies. It reads the tidy tables that notebook 01 wrote, and changes none of them.

# %% tags=["parameters"]
window_start = 2020
window_end = 2025

# %%
from IPython.display import Markdown

from peersupport import descriptives as desc
from peersupport.figures import descriptive as draw
from peersupport.figures import style, world
from peersupport.sheets import labels, read_reference, read_table, write_figure, write_table

style.use_style()
studies = read_table("studies.csv")
outcomes = read_table("outcomes.csv")
counts = desc.participants(studies, outcomes)
trials = desc.one_per_trial(studies, counts)
Markdown(
    f"{len(studies)} studies from {studies['trial'].nunique()} trials or samples, "
    f"{studies['design'].isin(desc.RANDOMISED).sum()} of them reports of randomised trials."
)

# %% [markdown]
# ## Table of characteristics
#
# One row per study, codes spelled out. "Not reported" says that the source seen does not tell; it does not say no.

# %%
coded = ["design", "population", "age_group", "setting", "modality", "structure"]
names = {column: labels(column) for column in [*coded, "condition_arm2", "helper_experience"]}
names |= {item: labels("yes_no") for item in desc.REPORTING_ITEMS}
names["source_type"] = labels("source_type")
characteristics = desc.characteristics(studies, counts, names)
write_table(characteristics, "tables/characteristics.csv")
characteristics.iloc[:8, :12]

# %%
summary = desc.summary_by(studies, counts, "population", labels("population"))
delivery = desc.summary_by(studies, counts, "modality", labels("modality"))
write_table(summary, "tables/summary_by_population.csv")
write_table(delivery, "tables/summary_by_delivery.csv")
largest = summary.iloc[:-1].nlargest(1, "studies").iloc[0]
Markdown(
    f"The largest group is {largest['label'].lower()}: {largest['studies']} studies "
    f"({largest['share']:.0%}). Delivery is not reported in "
    f"{delivery.set_index('level').loc['nr', 'studies']} studies."
)

# %% [markdown]
# ## Time
#
# The main analysis takes studies published in the window; earlier and later ones are described too.

# %%
studies["family"] = studies["design"].map(desc.DESIGN_FAMILY)
by_design = desc.by_year(studies, "family", list(desc.DESIGN_FAMILY_LABEL))
delivery_labels = {**labels("modality"), "nr": "Not reported"}
by_delivery = desc.by_year(studies, "modality", list(delivery_labels))
write_table(by_design, "tables/studies_by_year_design.csv")
write_table(by_delivery, "tables/studies_by_year_delivery.csv")
window = (window_start, window_end, "Window of the main analysis")
inside = studies["year"].between(window_start, window_end).sum()
undated = studies["year"].isna().sum()

# %%
figure, (top, bottom) = style.new_figure(style.PAGE, 130, 2, 1)
draw.stacked_years(top, by_design, desc.DESIGN_FAMILY_LABEL, style.DESIGN_FAMILY, window)
draw.stacked_years(bottom, by_delivery, delivery_labels, style.MODALITY, window)
top.set_title("A  By design")
bottom.set_title("B  By delivery")
text = f"{inside} of {len(studies)} studies were published from {window_start} to {window_end}"
write_figure(
    figure, "02_studies_by_year", notebook="02_descriptive_tables",
    title="Studies by year, design and delivery", alt_text=f"Stacked bars; {text}.",
)  # fmt: skip

# %%
Markdown(f"{text}; {undated} carries no date on the page seen and is shown at the right.")

# %% [markdown]
# ## Population by delivery
#
# Which population was offered peer support in which way; a small dot is a combination that no study examined.

# %%
population = {code: text for code, text in labels("population").items()}
crossed = desc.cross_count(studies, "population", "modality", population, delivery_labels)
figure, axes = style.new_figure(style.PAGE, 105)
draw.count_grid(axes, crossed, population, delivery_labels)
empty = int((crossed["studies"] == 0).sum())
sentence = f"{empty} of {len(crossed)} combinations of population and delivery hold no study"
write_figure(
    figure, "02_population_by_delivery", notebook="02_descriptive_tables",
    title="Studies by population and delivery", alt_text=f"Circles sized by count; {sentence}.",
)  # fmt: skip
Markdown(f"{sentence}.")

# %% [markdown]
# ## Place
#
# Randomised trials by country. A trial with sites in several countries counts in each; its participants cannot be shared
# out and are left out of the circles.

# %%
countries = read_reference("countries.csv")
randomised = trials[trials["design"].isin(desc.RANDOMISED)]
places = desc.by_country(randomised)
income = desc.by_income(randomised, countries)
write_table(places, "tables/trials_by_country.csv")
write_table(income, "tables/trials_by_income.csv")
figure, (top, bottom) = style.new_figure(style.PAGE, 130, 2, 1, height_ratios=[4.6, 1.2])
world.world_map(top, places.dropna(subset=["country"]), countries)
draw.income_bars(bottom, income)
top.set_title("A  Randomised trials and their participants")
bottom.set_title("B  Income group of the country")
first = places.iloc[0].country
name = countries.set_index("country")["name"]
sentence = (
    f"{places.iloc[0].trials} of {len(randomised)} randomised trials have a site in {name[first]}, "
    f"more than in any other country; "
    f"{places['country'].count()} countries hold at least one"
)
write_figure(
    figure, "02_world_map", notebook="02_descriptive_tables",
    title="Randomised trials by country and income group", alt_text=f"World map; {sentence}.",
)  # fmt: skip

# %%
row = income.set_index("income_group").loc["high"]
Markdown(
    f"{sentence}. {row.trials} of {row.of} trials with a stated country ({row.share:.0%}) come from "
    "high-income countries alone."
)
