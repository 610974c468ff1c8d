# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
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
half_normal_scale = 0.5
small_effect = 0.2
baseline_risk = 0.2

# %%
import pandas as pd
from IPython.display import Markdown

from peersupport.effects.pools import outcome_labels, pools
from peersupport.figures.diagnostic import domain_page
from peersupport.figures.forest import forest, summary_forest
from peersupport.figures.style import use_style
from peersupport.pool import absolute, influence, models, small_study
from peersupport.pool.fit import univariate
from peersupport.store.codebook import codebook
from peersupport.store.pictures import write_figure
from peersupport.store.tables import read_table, write_table
from peersupport.text import sentences
from peersupport.text.screen import readable

use_style()
book = codebook()
settings = models.Settings(
    correlation=within_trial_correlation,
    minimum_trials=minimum_trials,
    window_start=window_start,
    window_end=window_end,
    prior_scale=half_normal_scale,
    small_effect=small_effect,
)

# %% [markdown]
# ## What can be pooled
#
# A trial that reports an outcome on several scales counts once: its effects are averaged, and the
# variance of that average allows for the correlation between scales. A domain is pooled only if
# enough trials report it.

# %%
risk = read_table("tables/risk_of_bias.csv")
effects = models.with_study_facts(read_table("effects.csv"), read_table("studies.csv"), risk)
labels = outcome_labels(book)
domains = models.domains(effects, minimum_trials, book)
too_few = [pool for pool in pools(effects[effects["selected"]], book) if pool.trials < minimum_trials]
Markdown(
    f"{len(domains)} domains have {minimum_trials} trials or more. Not pooled, with their number of "
    + "trials: "
    + ", ".join(f"{labels[pool.name]} {pool.trials} ({pool.family})" for pool in too_few)
    + "."
)

# %% [markdown]
# ## The models
#
# The main model takes trials as a sample of settings (random effects, REML) and allows for its own
# uncertainty about their spread (Hartung and Knapp). Each of the others changes one choice: how the
# spread is estimated, which trials count, how several effects of one trial are handled, or what is
# assumed about results that were never published. A model that the data cannot carry says why.

# %%
fits = {(d.name, d.family): models.fit_battery(d, settings) for d in domains}
main = {key: fitted[models.MAIN] for key, fitted in fits.items()}
pooled = models.pooled_table([fit for fitted in fits.values() for fit in fitted.values()])
write_table(pooled, "tables/pooled_outcomes.csv")
shared = ["outcome_domain", "family", "event", "trials", "n", "effect", "ci_low", "ci_high"]
by_main = pooled.loc[pooled["model"].eq(models.MAIN), [*shared, "pi_low", "pi_high", "i2"]]
readable(by_main.astype({"n": int}))

# %%
fitted = pooled["effect"].notna()
Markdown(
    f"{fitted.sum()} of {len(pooled)} rows hold an estimate. The other {(~fitted).sum()} say in "
    f"`note` why there is none; the commonest reason: "
    f"{pooled.loc[~fitted, 'note'].value_counts().index[0]}."
)

# %% [markdown]
# ## A published result, recomputed
#
# Before trusting a new answer, an old one: the open database behind Smit et al. 2022 prints an effect
# and a standard error per row. Pooled as that review pooled them, they must give its three results
# (the tests hold its printed figures beside these). Its I² is the one from Q.

# %%
outcomes = read_table("outcomes.csv")
printed = outcomes[outcomes["source_url"].str.endswith("zenodo.7687898", na=False)]
printed = printed.assign(trial=printed["row_id"], variance=printed["se"] ** 2)
again = {kind: univariate(rows) for kind, rows in printed.groupby("recovery_type")}
Markdown(
    "\n".join(
        f"- {labels[kind]}: {sentences.effect_text(fit)}, I² from Q {fit.i2_from_q:.0f}%, "
        f"{sentences.prediction_text(fit)}, {fit.k} rows."
        for kind, fit in again.items()
    )
)

# %% [markdown]
# ## All outcomes on one page
#
# The bar is the confidence interval of the average; the thin line is the range in which the true
# effect of one new setting is expected.

# %%
sections = models.sections(main, book["recovery_types"])
figure = summary_forest(sections, labels, book["arms"], title="Peer support against the comparator, by outcome")
in_words = "; ".join(f"{labels[name]} {sentences.effect_text(f)}" for (name, _), f in main.items())
write_figure(
    figure,
    "03_summary_forest",
    notebook="03_outcome_meta_analysis",
    title="Pooled effects of peer support, all outcomes",
    alt_text=f"Summary forest of {len(main)} outcomes: {in_words}.",
)

# %% [markdown]
# ## Studies that are not randomised
#
# Cohorts and other comparisons without randomisation answer the same question with more room for bias, so they share no
# pool with the trials (Cochrane Handbook, chapter 24). Here each stands by itself, pooled only where there are enough.

# %%
apart = pools(effects[effects["apart"]], book)
beside = models.pooled_table([models.fit_model(pool, models.MAIN, settings) for pool in apart])
write_table(beside, "tables/pooled_non_randomised.csv")
alone = [pool for pool in apart if pool.name not in [*book["recovery_types"], *book["unions"]]]
own = models.one_by_one(alone, settings, labels)
names = {fit.outcome_domain: fit.outcome_domain for fit in sum(own.values(), [])}
if own:
    write_figure(
        summary_forest(own, names, book["arms"], title="Studies that are not randomised, outcome by outcome"),
        "03_non_randomised",
        notebook="03_outcome_meta_analysis",
        title="Studies that are not randomised",
        alt_text="; ".join(f"{fit.outcome_domain} {sentences.effect_text(fit)}" for fit in sum(own.values(), [])) + ".",
    )
studies_apart = effects.loc[effects["apart"], "trial"].nunique()
Markdown(
    f"{studies_apart} studies that are not randomised give an effect on {len(alone)} outcomes; "
    f"{beside['effect'].notna().sum()} of {len(beside)} pools have {minimum_trials} studies or more."
)

# %% [markdown]
# ## What is known, and how sure
#
# In words, for each outcome: the size, its precision, what a new setting may expect, whether other
# models agree, and how the trials were judged.

# %%
model_labels = models.model_labels(settings)
findings = [sentences.finding(fitted, models.MAIN, labels[name], model_labels) for (name, _), fitted in fits.items()]
Markdown("\n".join(f"- {sentence}" for sentence in findings))

# %% [markdown]
# ## Trial by trial
#
# One forest plot per outcome. The square grows with the trial's weight; the diamond is the average
# with its confidence interval, the bar beneath it the range expected in a new setting. Where both
# periods have trials enough, those of the review's own window stand apart.

# %%
forests = {}
for domain in domains:
    key, label = (domain.name, domain.family), labels[domain.name]
    figure = forest(
        main[key],
        title=label,
        model_line=sentences.model_line(main[key]),
        arms=book["arms"],
        risk=risk,
        groups=models.periods(domain, settings),
    )
    forests[key] = write_figure(
        figure,
        f"03_forest_{models.slug(*key)}",
        notebook="03_outcome_meta_analysis",
        title=f"Forest plot: {label}",
        alt_text=sentences.alt_text(main[key], label),
    )

# %%
widest = max(main, key=lambda key: main[key].trials if key[0] not in book["recovery_types"] else 0)
forests[widest]

# %%
Markdown(
    f"{labels[widest[0]]} is the outcome that most trials report ({main[widest].trials}). The forest "
    f"plots of all {len(main)} outcomes are in `figures/`."
)

# %% [markdown]
# ## One trial, one model, or what was never published?
#
# A page of pictures per outcome: the funnel, the p-value of every possible true effect, all models
# side by side, and what single trials do to the average and to its spread.

# %%
tables = {key: influence.page_tables(fit) for key, fit in main.items()}
pages = {}
for key, fitted in fits.items():
    figure = domain_page(
        fitted,
        model_labels,
        main=models.MAIN,
        title=labels[key[0]],
        filled=small_study.filled_points(main[key].effects),
        **tables[key],
    )
    pages[key] = write_figure(
        figure,
        f"03_page_{models.slug(*key)}",
        notebook="03_outcome_meta_analysis",
        title=f"Funnel, models and influence: {labels[key[0]]}",
        alt_text=sentences.page_alt_text(fitted, models.MAIN, tables[key], labels[key[0]]),
    )

# %%
pages[widest]

# %%
influences, without_each = (
    pd.concat([t[kind].assign(outcome_domain=n, family=f) for (n, f), t in tables.items()])
    for kind in ("influences", "left_out")
)
write_table(influences, "tables/influence.csv")
write_table(without_each, "tables/leave_one_out.csv")
flagged = influences[influences["influential"] & (influences["family"] == "smd")]
often = flagged["study"].value_counts()
Markdown(
    f"{influences['influential'].sum()} of {len(influences)} trial results are influential by "
    f"metafor's rule; most often flagged among the standardised outcomes: "
    + ", ".join(f"{study} ({count})" for study, count in often.head(3).items())
    + "."
)

# %% [markdown]
# ## Small-study effects
#
# Do small trials show larger effects than large ones? Egger's regression on the standard error, the
# same on the arms' size (which a standardised effect cannot feign), and the rank test. With fewer than
# ten trials these tests have too little power: they are shown, and not interpreted.

# %%
small = pd.DataFrame(
    [
        {"outcome_domain": name, "family": family, **small_study.small_study_row(fit.effects)}
        for (name, family), fit in main.items()
    ]
)
write_table(small, "tables/small_study_effects.csv")
columns = ["outcome_domain", "trials", "egger_slope", "egger_p", "size_p", "rank_p", "interpreted"]
readable(small[columns], 3)

# %%
read = small[small["interpreted"]]
asymmetric = read[(read["egger_p"] < 0.1) | (read["size_p"] < 0.1) | (read["rank_p"] < 0.1)]
named = ", ".join(labels[n].lower() for n in asymmetric["outcome_domain"]) or "none"
Markdown(
    f"{len(read)} of {len(small)} outcomes have {small_study.INTERPRETED_FROM} trials or more. Those "
    f"where at least one of the three tests has p below 0.10: {named}. Asymmetry can come from "
    "unpublished trials, but also from real differences between small and large ones."
)

# %% [markdown]
# ## In absolute terms
#
# How many people must be offered peer support for one more to do better (Kraemer and Kupfer), or for
# one more to respond if the baseline share responds without it (Furukawa); and how many points the
# average effect would be on the scale that most trials of the outcome use. Beside them, from the
# Bayesian model, the probability that the average effect is above zero, and above a small effect.

# %%
in_absolute_terms = pd.DataFrame(
    [
        absolute.absolute_row(fitted[models.MAIN], fitted["bayes_half_normal"], d.rows, outcomes, baseline_risk)
        for d, fitted in zip(domains, fits.values(), strict=True)
    ]
)
write_table(in_absolute_terms, "tables/absolute_effects.csv")
columns = ["outcome_domain", "nnt_kraemer_kupfer", "nnt_furukawa", "nnt_risk_ratio", "points"]
columns += ["probability_above_0", "probability_above_small"]
readable(in_absolute_terms[columns])

# %%
Markdown("\n".join(f"- {sentences.absolute_text(row, labels)}" for row in in_absolute_terms.to_dict("records")))
