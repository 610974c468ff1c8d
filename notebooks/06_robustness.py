# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Would other defensible choices have changed the answer?
#
# A pooled effect is the end of a chain of choices: which trials, which figures, which model. Each of them could have
# been made otherwise by a careful reviewer. This notebook makes all of them at once: every combination of the choices
# is an analysis, and the answer is the whole curve of results and not one lucky point of it. Then it asks whether a
# curve like this could arise without any effect, whether single trials carry it, and what other reviews found.

# %% tags=["parameters"]
window_start = 2020
window_end = 2025
minimum_trials = 3
multiverse_trials = 5
correction_trials = 10
sign_flips = 500
gosh_all_up_to = 20
gosh_drawn = 1000000
seed = 20261122

# %%
import numpy as np
from IPython.display import Markdown, display

from peersupport.effects.pools import event_of, outcome_labels
from peersupport.figures import robustness as draw
from peersupport.figures import style
from peersupport.multiverse import choices, curve, data_sets, evaluate
from peersupport.multiverse.subsets import every_subset, summaries_of
from peersupport.pool import models
from peersupport.store.codebook import codebook
from peersupport.store.pictures import write_figure
from peersupport.store.project import setting
from peersupport.store.tables import read_table, write_table
from peersupport.text.screen import readable
from peersupport.text.sentences import curve_text

style.use_style()
here = "06_robustness"
limits = evaluate.Limits(minimum_trials, correction_trials)
book = codebook()
labels = outcome_labels(book)

# %% [markdown]
# ## The choices
#
# They are listed in `parameters.yml`; the first of each is what the main analysis does. One choice that reviewers make
# is missing: effects of other contrasts (before against after in one arm, or both arms with peers). Their rows have no
# effect size against a comparator without peers, so that nothing defensible can be made of them; the choice of the
# comparator stands in its place. Hartung and Knapp's intervals go with random effects only, and corrections for small
# studies are fitted only where enough trials are left.

# %%
effects = models.with_study_facts(
    read_table("effects.csv"), read_table("studies.csv"), read_table("tables/risk_of_bias.csv")
)
multiverse = choices.in_window(setting("multiverse"), window_start, window_end)
types = choices.types_in_window(setting("multiverse_types"), window_start, window_end)
taken = choices.selections(effects, book["instruments"], multiverse)
families = choices.families(effects, multiverse_trials, book)
arm1 = book["arms"]["arm1"]["name"]
events = {key: event_of(rows) for key, rows in families.items()}
names = {key: labels[key[0]] + (" (risk ratio)" if key[1] == "log_rr" else "") for key in families}
data = data_sets.of_families(effects, families, taken, multiverse, minimum_trials)

# %%
first = effects.index[taken[next(iter(multiverse["time_point"])), next(iter(multiverse["figures"]))]]
combinations = np.prod([len(levels) for levels in multiverse.values()])
Markdown(
    f"{len(multiverse)} choices make {combinations:,} combinations for each of the {len(data)} families of outcomes "
    f"with {multiverse_trials} trials or more. They come down to {min(d.y.shape[1] for d in data.values())} to "
    f"{max(d.y.shape[1] for d in data.values())} different data sets per family; each is fitted once. With the first "
    f"level of each choice the selection is that of notebook 01 in "
    f"{(effects.index.isin(first) == effects.selected).mean():.0%} of the {len(effects)} rows."
)

# %% [markdown]
# ## Every analysis
#
# All data sets of a family are stacked and fitted in one call per estimator.

# %%
curves = {key: curve.whole(d, multiverse, limits, types) for key, d in data.items()}
everything = curve.joined({key: one.table for key, one in curves.items()})
write_table(everything, "tables/multiverse.csv")
settings = models.Settings(multiverse["rho"][0], minimum_trials)
domains = models.domains(effects, multiverse_trials, book)
alone = {(d.name, d.family): models.fit_model(d, models.MAIN, settings).effect for d in domains}
apart = max(abs(curves[key].main_effect - alone[key]) for key in curves)
Markdown(
    f"{everything.combinations.sum():,} of the combinations can be estimated; they give {len(everything):,} different "
    "results, which are in `tables/multiverse.csv`. Many combinations lead to one result, because a choice changes "
    "nothing where there is nothing to choose; each result counts once in what follows. The main analysis is one of "
    f"them: fitted alone, as notebook 03 does, it differs by at most {apart:.0e}."
)

# %% [markdown]
# ## Could such a curve arise without any effect?
#
# The results of one curve are not independent, so that counting intervals above zero is no test. Instead the effects of
# each trial change sign at random, all of them together; the whole multiverse is fitted again; and the curve is
# compared with the curves that arise in this way. The null that this tests is strong: no effect in any trial, or
# effects that lie symmetrically about zero. It is not the null of no effect on average: if true effects are skewed
# about a mean of zero, the p-value of the median is too small too often.

# %%
under_null = curve.under_no_effect(data, multiverse, limits, flips=sign_flips, seed=seed)
summary = curve.summaries(data, curves, under_null, multiverse, limits)
summary.insert(2, "event", [events[key] for key in data])
write_table(summary, "tables/multiverse_summary.csv")

# %%
shown = summary.assign(outcome=[names[key] for key in data]).set_index("outcome")
columns = ["family", "event", "trials", "results", "main_effect", "median", "lowest", "highest"]
columns += ["share_ci_above_0", "share_ci_below_0", "p_median", "p_share"]
display(readable(shown.reset_index()[["outcome", *columns]], 3))
strong = shown[shown.share_ci_above_0 > 0.95].index
weak = shown[shown.share_ci_above_0 < 0.5].index
Markdown(
    f"More than 95% of the different results have an interval above zero for: {', '.join(strong).lower() or 'none'}; "
    f"fewer than half for: {', '.join(weak).lower() or 'none'}. The median of the curve is positive for "
    f"{(summary['median'] > 0).sum()} of {len(summary)} families, and such a median would be rare without an effect "
    f"(p below 0.05) for {(summary.p_median < 0.05).sum()}. With k trials there are only 2^k patterns of signs, so "
    f"with {summary.trials.min()} trials no p of a median can be below {2 / 2 ** summary.trials.min():.3f}."
)

# %% [markdown]
# ## Choices that are not equally defensible
#
# Not every choice is as good as another (Del Giudice and Gangestad 2021). Type E: as good as the main analysis's, so
# that its results are one answer with its uncertainty. Type U: whether it is as good is uncertain (corrections for
# small studies, figures left out, trials left out for their risk of bias). Type N: it answers another question (other
# years, helpers, comparators or time points) or is known to be worse (a fixed effect, the best effect of each trial).
# A combination is as its least defensible choice. Which level is of which type stands in `parameters.yml`.

# %%
apart = curve.joined({key: curve.by_type(one.table) for key, one in curves.items()})
write_table(apart, "tables/multiverse_types.csv")
keys = list(zip(apart["outcome_domain"], apart["family"], strict=True))
shown = apart.assign(outcome=[names[key] for key in keys], event=[events[key] for key in keys])
columns = ["outcome", "type", "family", "event", "results", "median", "lowest", "highest", "share_ci_above_0"]
display(readable(shown[columns], 2))
equal = apart[apart["type"].eq("E")]
Markdown(
    f"{equal['results'].sum():,.0f} of the {len(everything):,} different results are of type E. Among them the "
    f"interval lies above zero in all results of {equal['share_ci_above_0'].eq(1).sum()} of {len(equal)} families and "
    f"in none of {equal['share_ci_above_0'].eq(0).sum()}; the widest range from lowest to highest (Hedges g or log "
    f"ratio) is {(equal['highest'] - equal['lowest']).max():.2f}, with all types "
    f"{(summary.highest - summary.lowest).max():.2f}."
)

# %% [markdown]
# ## The curves
#
# Above, every different result in the order of its effect, with its interval; below, which choices lie where. A strip
# that is evenly grey along its length is a choice that does not matter; one that is dark at one end moves the answer.

# %%
levels = {key: curve.levels_table(one) for key, one in curves.items()}
for key, row in zip(curves, summary.to_dict("records"), strict=True):
    panel = curve.panel(curves[key].held)
    write_figure(
        draw.specification_curve(
            curves[key].table, panel, levels[key], row["main_effect"], events[key], names[key], arm1
        ),
        f"06_curve_{models.slug(*key)}",
        notebook=here,
        title=f"Specification curve: {names[key]}",
        alt_text=f"{row['results']:,} different results for {names[key].lower()} ordered by effect, "
        f"{curve_text(row)}; {row['share_ci_above_0']:.0%} of the intervals favour {arm1}, "
        f"{row['share_ci_below_0']:.0%} the other arm.",
    )
write_table(curve.joined(levels), "tables/multiverse_levels.csv")
widest = summary.loc[(summary.highest - summary.lowest).idxmax()]
Markdown(
    f"The widest curve is that of {labels[widest.outcome_domain].lower()}: {curve_text(widest)}. The curves of all "
    f"{len(data)} families "
    "are in `figures/`."
)

# %% [markdown]
# ## Which choice moves the answer most
#
# The variance over all combinations is divided over the choices. A choice's share is what is left of the variance when
# every other choice is fixed; what two choices do together counts for both, so the shares need not add up to 100%.

# %%
moved = {key: curve.influence_of_choices(one.effect, one.axes) for key, one in curves.items()}
shares = curve.joined(moved)
write_table(shares, "tables/multiverse_choices.csv")
keyed_shares = shares.assign(key=list(zip(shares.outcome_domain, shares.family, strict=True)))
top = shares.loc[shares.groupby(["outcome_domain", "family"]).share_total.idxmax()]
most, times = top.choice.mode()[0], top.choice.value_counts().max()
figure = draw.moving_choices(keyed_shares, names)
write_figure(
    figure,
    "06_choices",
    notebook=here,
    title="Which choice moves the pooled effect most",
    alt_text=f"Share of the variance of all specifications by choice and outcome. The largest share belongs to "
    f"{draw.CHOICE[most].lower()} in {times} of {len(data)} outcomes.",
)
Markdown(
    f"{draw.CHOICE[most]} is the choice that moves the answer most in {times} of {len(data)} families. Its typical "
    f"move there is {top[top.choice.eq(most)].typical_move.median():.2f}; the estimator's, over all families, is "
    f"{shares[shares.choice.eq('estimator')].typical_move.median():.3f}."
)

# %% [markdown]
# ## Every subset of the trials
#
# The multiverse asks about choices; this asks about trials. Every subset of the main analysis's trials is pooled, or a
# random million where there are too many. If one trial splits the cloud of results in two, the answer is that trial's.
# Random effects are DerSimonian and Laird's here, whose closed form allows millions of fits.

# %%
main_data = {key: d.main() for key, d in data.items()}
found = every_subset(main_data, gosh_all_up_to, gosh_drawn, seed)
subsets, trials = summaries_of(found, gosh_all_up_to)
clouds = {
    estimator: [(names[key], events[key], cloud) for (key, one), cloud in found.items() if one == estimator]
    for estimator in ("DL", "fixed")
}

# %%
write_table(subsets.round(6), "tables/gosh.csv")
write_table(trials.round(6), "tables/gosh_trials.csv")
split = trials[trials.model.eq("DL")].groupby(["outcome_domain", "family"], sort=False).first()
for estimator, name in (("DL", "random"), ("fixed", "fixed")):
    figure = draw.subset_clouds(clouds[estimator], arm1)
    own = subsets[subsets.model.eq(estimator)]
    write_figure(
        figure,
        f"06_gosh_{name}",
        notebook=here,
        title=f"All subsets of the trials, {name} effects",
        alt_text=f"Pooled effect and I² of {own.subsets.sum():,} subsets in {len(own)} outcomes. The trial that "
        f"separates the subsets most is drawn in each; the share of subsets above 0 runs from "
        f"{own.share_positive.min():.0%} to {own.share_positive.max():.0%}.",
    )
torn = split[split.separation > 0.5]
steady = subsets[subsets.model.eq("DL") & subsets.share_positive.gt(0.99)]
Markdown(
    f"{subsets.subsets.sum():,} subsets were pooled. In {len(steady)} of {len(data)} families more than 99% of them "
    f"favour peer support. One trial separates the cloud by more than half in {len(torn)}: "
    + "; ".join(f"{labels[k[0]].lower()} ({r.trial}, shift {r['shift']:+.2f})" for k, r in torn.iterrows())
    + "."
)

# %% [markdown]
# ## What other reviews found
#
# Published reviews chose otherwise, too. Their pooled effects, turned so that a positive one favours peer support, are
# laid beside the whole curve; notebook 07 compares them one by one.

# %%
others = curve.published(read_table("reviews.csv"))
figure = draw.overview(summary, others, names, arm1)
compared = others.merge(summary, on=["outcome_domain", "family"])
within = compared.effect.between(compared.lowest, compared.highest)
write_figure(
    figure,
    "06_overview",
    notebook=here,
    title="The whole multiverse beside the main analysis and other reviews",
    alt_text="; ".join(
        f"{names[key]}: {curve_text(row)}" for key, row in zip(data, summary.to_dict("records"), strict=True)
    )
    + f". {len(compared)} pooled effects of other reviews are marked.",
)
Markdown(
    f"{len(compared)} pooled effects of {compared.review.nunique()} other reviews concern these outcomes; "
    f"{within.sum()} "
    f"lie within the range of our curves, {(compared.effect > compared.highest).sum()} above and "
    f"{(compared.effect < compared.lowest).sum()} below."
)
