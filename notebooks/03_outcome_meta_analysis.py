# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does peer support work?
#
# Every effect that notebook 01 computed is set so that a positive number favours peer support. This
# notebook pools them, outcome by outcome, and asks each time three things: how large the average
# effect is, how far it differs from setting to setting, and whether the answer depends on the model.

# %% tags=["parameters"]
minimum_trials = 3
within_trial_correlation = 0.6
window_start = 2020
window_end = 2025

# %%
import matplotlib.pyplot as plt
from IPython.display import Markdown

from peersupport import battery, sheets, wording
from peersupport.figures.forest import forest, summary_forest
from peersupport.figures.style import use_style

use_style()
settings = battery.Settings(
    correlation=within_trial_correlation,
    minimum_trials=minimum_trials,
    window_start=window_start,
    window_end=window_end,
)

# %% [markdown]
# ## What can be pooled
#
# A trial that reports an outcome on several scales counts once: its effects are averaged, and the
# variance of that average allows for the correlation between scales. A domain is pooled only if
# enough trials report it.

# %%
risk = sheets.read_table("tables/risk_of_bias.csv")
effects = battery.with_study_facts(
    sheets.read_table("effects.csv"), sheets.read_table("studies.csv"), risk
)
labels = sheets.labels("outcome_domain") | sheets.labels("recovery_type") | battery.EXTRA_LABELS
domains = battery.domains(effects, minimum_trials, list(sheets.labels("outcome_domain")))
held = effects[effects["selected"]].groupby(["outcome_domain", "family"])["trial"].nunique()
too_few = held[held < minimum_trials]
Markdown(
    f"{len(domains)} domains have {minimum_trials} trials or more. Not pooled: "
    + "; ".join(f"{labels[name]} ({family}, {k})" for (name, family), k in too_few.items())
    + "."
)

# %% [markdown]
# ## The models
#
# The main model takes trials as a sample of settings (random effects, REML) and allows for its own
# uncertainty about their spread (Hartung and Knapp). The others change one choice at a time.

# %%
fits = {(d.name, d.family): battery.fit_battery(d, settings) for d in domains}
pooled = battery.pooled_table([fit for models in fits.values() for fit in models.values()])
sheets.write_table(pooled, "tables/pooled_outcomes.csv")
main = {key: models[battery.MAIN] for key, models in fits.items()}
pooled.loc[pooled["model"].eq(battery.MAIN), battery.COLUMNS[:15]].round(2)

# %% [markdown]
# ## All outcomes on one page

# %%
sections = battery.sections(main)
figure = summary_forest(sections, labels, title="Peer support against the comparator, by outcome")
summary_alt = " ".join(
    f"{labels[name]}: {wording.effect_text(f)}." for (name, _), f in main.items()
)
sheets.write_figure(
    figure,
    "03_summary_forest",
    notebook="03_outcome_meta_analysis",
    title="Pooled effects of peer support, all outcomes",
    alt_text=f"Summary forest of {len(main)} outcomes. {summary_alt}",
)
plt.close(figure)
figure

# %%
Markdown("\n".join(f"- {wording.finding(fit, labels[name])}" for (name, _), fit in main.items()))

# %% [markdown]
# ## Trial by trial
#
# One forest plot per outcome. The square grows with the trial's weight; the diamond is the average
# with its confidence interval, the bar beneath it the range expected in a new setting.

# %%
for (name, family), fit in main.items():
    figure = forest(
        fit, title=labels[name], model_line=wording.model_line(fit), risk=risk, order="year"
    )
    sheets.write_figure(
        figure,
        f"03_forest_{battery.slug(name, family)}",
        notebook="03_outcome_meta_analysis",
        title=f"Forest plot: {labels[name]}",
        alt_text=wording.alt_text(fit, labels[name]),
    )
    plt.close(figure)

# %%
widest = max(main.values(), key=lambda fit: fit.trials)
Markdown(
    f"The most reported outcome is {labels[widest.outcome_domain].lower()} with {widest.trials} "
    f"trials; the forest plots of all {len(main)} outcomes are in `figures/`."
)
