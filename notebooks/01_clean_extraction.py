# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. From extraction sheets to effect sizes

# %% tags=["parameters"]
assumed_icc = 0.05

# %%
from peersupport import clean, effects, selection, sheets

raw = sheets.read_raw()
book = sheets.codebook()
cells = clean.decisions(raw)
tables = clean.tidy(raw, cells, book)

# %%
clusters = clean.as_numbers(raw["clusters"], book["sheets"]["clusters"])
found, exclusions = effects.effect_sizes(tables["outcomes"], tables["studies"], clusters, assumed_icc)
found = found.merge(tables["studies"][["study", "year"]], on="study", how="left")
found = selection.select(found, book["instruments"])

# %%
from peersupport import reconcile

columns = """row_id study trial year outcome_domain recovery_type instrument time_point time_weeks family effect variance
ci_low ci_high n_arm1 n_arm2 method source selected selection outcome_type contrast conversion assumptions
direction_source flags source_url locator""".split()
sheets.write_table(tables["studies"], "studies.csv")
sheets.write_table(tables["outcomes"], "outcomes.csv")
sheets.write_table(tables["appraisal"], "appraisal.csv")
sheets.write_table(tables["themes"], "themes.csv")
sheets.write_table(found[columns], "effects.csv")
sheets.write_table(exclusions, "exclusions.csv")
sheets.write_table(reconcile.agreement(cells), "agreement.csv")
