# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Turn a knob, see the diamond move
#
# The review gives one answer per outcome. This page lets you ask your own question of the same trials:
# another outcome, another model, only some people, settings or years. Everything is computed anew by
# the functions of the review, so what you see without a restriction is what the review reports.
# A choice made after seeing the result is a way to understand the data, not a finding.

# %% tags=["parameters"]
minimum_trials = 3
within_trial_correlation = 0.6
window_start = 2020
window_end = 2025
half_normal_scale = 0.5
small_effect = 0.2

# %%
from peersupport.explorer import widgets
from peersupport.pool import models

settings = models.Settings(
    correlation=within_trial_correlation,
    minimum_trials=minimum_trials,
    window_start=window_start,
    window_end=window_end,
    prior_scale=half_normal_scale,
    small_effect=small_effect,
)
widgets.show(settings)
