# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # For whom, and how delivered
#
# Does peer support help some people more than others, or some ways of giving it more than others? Trials were not
# randomised to these features: every comparison here is between trials that also differ in other ways, so it can
# raise a question and seldom answer one. What a source does not report is `nr`, a level of its own, and never "no".

# %% tags=["parameters"]
window_start = 2020
window_end = 2025
pandemic_start = 2020
pandemic_end = 2022
within_trial_correlation = 0.6
seed = 20261122
permutations = 2000
few_trials_subgroup = 4
few_trials_regression = 10
long_follow_up_weeks = 26

# %%
import pandas as pd
from IPython.display import Markdown

from peersupport.describe.countries import INCOME
from peersupport.describe.studies import one_per_trial, participants
from peersupport.figures import moderators as draw
from peersupport.figures import style
from peersupport.moderate import regression, subgroups
from peersupport.moderate.over_time import follow_up_classes, long_follow_up, periods, pooled_by
from peersupport.moderate.trials import (
    ABSENT,
    ALL_RECOVERY,
    groupings,
    level_labels,
    outcome_rows,
    study_facts,
    terms,
    trial_table,
)
from peersupport.store.codebook import codebook, column_labels, labels
from peersupport.store.pictures import write_figure
from peersupport.store.tables import read_reference, read_table, write_table
from peersupport.text.numbers import interval, p_text
from peersupport.text.screen import readable

style.use_style()
here = "04_moderators"
effects, studies = read_table("effects.csv"), read_table("studies.csv")
outcomes = read_table("outcomes.csv")
risk = read_table("tables/risk_of_bias.csv")
book = codebook()
moderators, fidelity_items = book["moderators"], book["fidelity_items"]
facts = study_facts(studies, risk, read_reference("countries.csv"), moderators, fidelity_items)

# %% [markdown]
# ## One effect per trial
#
# Subgroups and regressions need one effect per trial: the mean of the trial's effects in an outcome, as in notebook 03.
# The three recovery types are those of the open database; "all recovery outcomes" joins them, so that small groups of
# people are looked at once and not three times.

# %%
selected = effects[effects["selected"]]
names_of_outcomes = moderators["outcomes"]
trials = {
    outcome: trial_table(outcome_rows(selected, outcome), facts, within_trial_correlation, moderators)
    for outcome in names_of_outcomes
}
everything = trials[ALL_RECOVERY]
Markdown(
    "Trials per outcome: "
    + ", ".join(f"{label.lower()} {len(trials[outcome])}" for outcome, label in names_of_outcomes.items())
    + f". In {everything['modality'].eq('nr').sum()} of {len(everything)} trials the source does not tell how peer "
    f"support was delivered, in {everything['peer_training'].eq('nr').sum()} not whether the peers were trained, in "
    f"{everything['supervision'].eq('nr').sum()} not whether they were supervised."
)

# %% [markdown]
# ## Subgroups
#
# Each level is pooled by itself (REML, Knapp-Hartung), and once more with one spread common to all levels. The test
# between levels is Cochran's Q of their means; levels that say only that the source does not tell stay out of it. The
# fidelity items are there twice: `nr` as missing, and `nr` counted as absent.

# %%
headings = groupings(moderators["groups"])
derived = {"risk_of_bias": labels("judgement"), "income_group": INCOME}
derived["decade"] = {decade: decade for decade in sorted(facts["decade"].dropna().unique())}
levels = level_labels(moderators["groups"], lambda name: derived.get(name) or column_labels("studies", name))

# %%
by_group = pd.concat(
    [
        subgroups.subgroups(trials[outcome], outcome, name, list(levels[name]), few_trials_subgroup)
        for outcome in names_of_outcomes
        for name in headings
    ],
    ignore_index=True,
)
write_table(by_group, "tables/subgroups.csv")
alone = by_group[by_group["tau2_model"].eq("separate")]
small = alone["warning"].ne("").sum()
Markdown(
    f"**Warning.** {small} of {len(alone)} subgroups hold fewer than {few_trials_subgroup} trials. Their intervals are "
    "very wide or, from a single trial, too narrow; they are drawn hollow and in italics, and no sentence rests on "
    "them."
)

# %% [markdown]
# Two pages per outcome: for whom and where, and how delivered and supported.

# %%
page_of = {name: moderators["groups"][name.removesuffix(ABSENT)]["page"] for name in headings}
pages = {
    page: (what, [name for name in headings if page_of[name] == page]) for page, what in moderators["pages"].items()
}

# %%
note = (
    f"Hollow and italic: fewer than {few_trials_subgroup} trials. Q: test between the levels with two trials or more, "
    "levels that are not reported left out;\nseparate τ² in each level, then p with one τ² common to all. Single "
    "trials: "
    "their own interval."
)
index, drawn = alone.set_index(["outcome", "moderator"]), {}

# %%
for outcome, (page, (what, names)) in [(o, p) for o in names_of_outcomes for p in pages.items()]:
    blocks = []
    for name in names:
        both = by_group[by_group["outcome"].eq(outcome) & by_group["moderator"].eq(name)]
        rows = index.loc[[(outcome, name)]].assign(label=lambda t, n=name: t["level"].map(levels[n]))
        blocks.append({"heading": headings[name], "test": draw.between_levels(both), "rows": rows})
    figure = draw.subgroup_forest(blocks, f"{names_of_outcomes[outcome]}: {what}", note)
    shown = pd.concat([block["rows"] for block in blocks])
    best = shown[shown["warning"].eq("")].sort_values("effect")
    drawn[outcome, page] = write_figure(
        figure,
        f"04_subgroups_{page}_{outcome}",
        notebook=here,
        title=f"Subgroups, {what}: {names_of_outcomes[outcome].lower()}",
        alt_text=f"Pooled effects of {len(shown)} subgroups. Of those with {few_trials_subgroup} trials or more they "
        f"run from g = {best['effect'].iloc[0]:.2f} ({best['label'].iloc[0].lower()}) to {best['effect'].iloc[-1]:.2f} "
        f"({best['label'].iloc[-1].lower()}).",
    )

# %%
drawn[ALL_RECOVERY, "whom"]

# %%
drawn[ALL_RECOVERY, "how"]

# %%
tests = by_group.dropna(subset=["p_between"]).drop_duplicates(["outcome", "moderator", "tau2_model"])
joined = tests[tests["outcome"].eq(ALL_RECOVERY)]
joined = joined.assign(moderator=joined["moderator"].map(headings))
readable(joined[["moderator", "tau2_model", "q_between", "df_between", "df_residual", "p_between"]], 3)

# %%
both = tests.pivot(index=["outcome", "moderator"], columns="tau2_model", values="p_between")
clear = both[both.max(axis=1) < 0.05]
named = "; ".join(f"{names_of_outcomes[o].lower()} by {headings[m].lower()}" for o, m in clear.index)
Markdown(
    f"{len(both)} tests between levels were made, so about {0.05 * len(both):.0f} would fall below p = 0.05 by chance "
    f"alone. With separate and with common spread alike, {len(clear)} do: {named or 'none'}. The list is to be read as "
    "questions for trials that randomise the feature, not as findings."
)

# %% [markdown]
# ## Fidelity, with what is not reported as missing and as absent
#
# The claim that programmes with training, supervision, a manual and a check of fidelity do better is the one that
# readers would act on. The two readings of "not reported" bracket what the sheets can say about it.

# %%
items = [name for item in fidelity_items for name in (item, f"{item}{ABSENT}")]
fidelity = alone[alone["outcome"].eq(ALL_RECOVERY) & alone["moderator"].isin(items)]
fidelity = fidelity.assign(moderator=fidelity["moderator"].map(headings))
readable(fidelity[["family", "moderator", "level", "k", "n", "effect", "ci_low", "ci_high", "p_between", "warning"]])

# %%
told = everything[list(fidelity_items)].ne("nr")
said_no = everything[list(fidelity_items)].eq("no").sum()
Markdown(
    f"All four items are answered in {told.all(axis=1).sum()} of {len(everything)} trials. An explicit no is given for "
    + ", ".join(f"{headings[item].lower()} {said_no[item]} times" for item in said_no.index)
    + ". Where no source says no, a comparison of yes with not reported compares reports, not programmes."
)

# %% [markdown]
# ## Meta-regression, one moderator at a time
#
# Slopes with Knapp-Hartung intervals, and a permutation test, which needs no distribution and is the safer of the two
# with few trials. The size of a trial is taken on a log scale.

# %%
named_terms = terms(moderators["slopes"])
options = {"permutations": permutations, "seed": seed, "few": few_trials_regression}
tables = [
    regression.meta_regression(trials[outcome], outcome, [term], "single", **options)
    for outcome in names_of_outcomes
    for term in named_terms
]
tables += [
    regression.meta_regression(trials[outcome], outcome, moderators["joint"], "joint", **options)
    for outcome in names_of_outcomes
]
regressions = pd.concat(tables, ignore_index=True)
write_table(regressions, "tables/meta_regression.csv")
slopes = regressions[regressions["term"].ne("intercept")]
shown = "family outcome term estimate ci_low ci_high p_value p_permutation k r2 warning note".split()
single = slopes[slopes["model"].eq("single")]
readable(single[shown].replace({"outcome": names_of_outcomes, "term": named_terms}), 3)

# %%
fitted = single.dropna(subset=["estimate"])
strong = fitted[(fitted["p_value"] < 0.05) & (fitted["p_permutation"] < 0.05)]
few = single["warning"].ne("").sum()
phrases = [
    f"{names_of_outcomes[row.outcome].lower()}, {named_terms[row.term].lower()}: {row.estimate:+.2f} "
    f"({row.ci_low:.2f} to {row.ci_high:.2f})"
    for row in strong.itertuples()
]
Markdown(
    f"**Warning.** {few} of {len(single)} regressions rest on fewer than {few_trials_regression} trials or could not "
    "be "
    f"fitted. Of the {len(fitted)} fitted, {len(strong)} have both p-values below 0.05, where chance alone would give "
    f"about {0.05 * len(fitted):.0f}: {'; '.join(phrases) or 'none'}."
)

# %%
for outcome, label in names_of_outcomes.items():
    panels = []
    for row in fitted[fitted["outcome"].eq(outcome)].itertuples():
        unit = moderators["slopes"][row.term]["unit"]
        change = interval(row.estimate, row.ci_low, row.ci_high, "smd")
        text = f"change in g {change}\n{unit}\nk = {row.k}, permutation {p_text(row.p_permutation)}"
        line = regression.regression_line(trials[outcome], row.term)
        panels.append(
            {
                "term": row.term,
                "slope": moderators["slopes"][row.term],
                "trials": trials[outcome],
                "line": line,
                "text": text,
            }
        )
    figure = draw.bubbles(panels, f"{label}: effect against each moderator")
    words = [f"{named_terms[r.term]} {r.estimate:+.2f}" for r in fitted[fitted["outcome"].eq(outcome)].itertuples()]
    drawn[outcome, "bubbles"] = write_figure(
        figure,
        f"04_bubbles_{outcome}",
        notebook=here,
        title=f"Meta-regression: {label.lower()}",
        alt_text=f"{len(panels)} bubble plots with fitted lines; slopes: {'; '.join(words)}.",
    )

# %%
drawn[ALL_RECOVERY, "bubbles"]

# %% [markdown]
# ## The joint model
#
# Four moderators were named in advance: the fidelity index with `nr` as absent, delivery at a distance, year, and high
# risk of bias. Only trials that state all four can take part.

# %%
joint = slopes[slopes["model"].eq("joint")]
readable(joint[shown].replace({"outcome": names_of_outcomes, "term": named_terms}), 3)

# %%
whole = joint[joint["outcome"].eq(ALL_RECOVERY)].set_index("term")
clear = joint[(joint["ci_low"] > 0) | (joint["ci_high"] < 0)]
thin = joint.loc[joint["k"] < few_trials_regression * len(moderators["joint"]), "outcome"].nunique()
Markdown(
    f"In all recovery outcomes {whole['k'].iloc[0]} of {len(everything)} trials state all four. Per point of the "
    "fidelity "
    f"index the effect differs by {whole.estimate.iloc[0]:+.2f} ({whole.ci_low.iloc[0]:.2f} to "
    f"{whole.ci_high.iloc[0]:.2f}). "
    f"{len(clear)} of {len(joint)} slopes have an interval that leaves 0 out. **Warning.** In {thin} of "
    f"{len(names_of_outcomes)} outcomes there are fewer than {few_trials_regression} trials per moderator."
)

# %% [markdown]
# ## Moderators hang together
#
# A slope belongs to everything that its moderator goes along with. Before reading one, look here what else changes.

# %%
pairs = regression.correlations(everything, [term for term in named_terms if term != "fidelity_index"])
write_table(pairs, "tables/moderator_correlations.csv")
short = {term: moderators["slopes"][term]["label"] for term in named_terms if term != "fidelity_index"}
figure = draw.correlation_matrix(pairs, short)
close = pairs[pairs["rho"].abs() >= 0.5].sort_values("rho", key=abs, ascending=False)
named = "; ".join(
    f"{short[r.term_a]} and {short[r.term_b].lower()} ({r.rho:+.2f}, {r.k} trials)" for r in close.itertuples()
)
write_figure(
    figure,
    "04_moderator_correlations",
    notebook=here,
    title="Rank correlations among moderators",
    alt_text=f"Triangle of {len(pairs)} correlations; 0.5 or more in size: {named or 'none'}.",
)

# %%
Markdown(f"Rank correlations of 0.5 or more in size: {named or 'none'}. These moderators cannot be told apart here.")

# %% [markdown]
# ## Digital peer support over time
#
# Three questions: did its effects change with the pandemic, do they last, and how many trials followed people long
# enough to know? Length of follow-up takes every effect of a digital trial, not only those of the main analysis.

# %%
distance = everything[everything["digital"].eq(1)]
when = periods(distance["year"], pandemic_start, pandemic_end)
named = {
    "before": f"before {pandemic_start}",
    "during": f"{pandemic_start} to {pandemic_end}",
    "after": f"after {pandemic_end}",
}
by_period = pooled_by(distance, when, named, few_trials_subgroup)

# %% [markdown]
# The same by how long people were followed, each trial once in every length that it reports.

# %%
rows = outcome_rows(effects, ALL_RECOVERY)
rows = rows[rows["study"].map(facts["modality"]).eq("digital")]
lengths = {
    "short": "under 13 weeks",
    "medium": f"13 to {long_follow_up_weeks - 1} weeks",
    "long": f"{long_follow_up_weeks} weeks or more",
}
classes = follow_up_classes(rows["time_weeks"], long_follow_up_weeks)
parts = [
    trial_table(rows[classes.eq(c)], facts, within_trial_correlation, moderators).assign(length=c)
    for c in lengths
    if classes.eq(c).any()
]
by_length = pd.concat(parts, ignore_index=True)
by_length = pooled_by(by_length, by_length["length"], lengths, few_trials_subgroup)
over_time = pd.concat([by_period.assign(split="period"), by_length.assign(split="follow-up")])
write_table(over_time, "tables/digital_over_time.csv")
columns = ["split", "label", "k", "n", "family", "effect", "ci_low", "ci_high", "tau2", "warning"]
readable(over_time.assign(family="smd")[columns])

# %%
counts = participants(studies, outcomes)
randomised = one_per_trial(studies, counts)
randomised = randomised[randomised["design_family"].eq("randomised")]
length = long_follow_up(randomised, outcomes, long_follow_up_weeks)
order = [*labels("modality"), "nr"]
length = length.set_index("modality").reindex(order).dropna(subset=["trials"]).reset_index()
length["label"] = length["modality"].map(labels("modality") | {"nr": "Not reported"})
write_table(length.drop(columns="label"), "tables/long_follow_up.csv")
figure = draw.digital_over_time(by_period, by_length, length, long_follow_up_weeks)
digital = length.set_index("modality").loc["digital"]
text = (
    f"{digital.long:.0f} of {digital.stated:.0f} digital trials that state a length followed people for "
    f"{long_follow_up_weeks} weeks or more"
)
write_figure(
    figure,
    "04_digital_over_time",
    notebook=here,
    title="Digital peer support by period and length of follow-up",
    alt_text=f"Pooled effects by period and by follow-up, and shares followed long; {text} ({digital.share:.0%}).",
)

# %%
long_row = by_length.set_index("level").loc["long"]
Markdown(
    f"{text} ({digital.share:.0%}, 95% CI {digital.ci_low:.0%} to {digital.ci_high:.0%}); {long_row.k} of them give an "
    f"effect that can be pooled. Digital and telephone trials with an effect: "
    + ", ".join(f"{row.label} {row.k}" for row in by_period.itertuples())
    + f". **Warning.** {over_time['warning'].ne('').sum()} of these {len(over_time)} groups hold fewer than "
    f"{few_trials_subgroup} trials."
)
