# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What should be studied next, and how sturdy is each verdict
#
# The article ends with what research should do: show cost-effectiveness, sustain the workforce, run large trials in
# diverse settings, agree on outcomes. This notebook asks what a funder would ask of the ledger: how many trials would
# have to be wrong for a verdict to fall, and which trial would settle what is open?

# %% tags=["parameters"]
minimum_trials = 3
within_trial_correlation = 0.6
long_follow_up_weeks = 26
half_normal_scale = 0.5
small_effect = 0.2
baseline_risk = 0.2
few_trials_regression = 10
window_start = 2020
window_end = 2025
seed = 20261122
assurance_draws = 1000
wanted_assurance = 0.8
certainty_sets = 300

# %%
from IPython.display import Markdown
from tqdm import tqdm

from peersupport.conclude import claims, grade, manuscript
from peersupport.conclude.evidence import Evidence
from peersupport.describe.countries import income_by_trial
from peersupport.describe.studies import one_per_trial, participants
from peersupport.effects.pools import outcome_labels
from peersupport.effects.select import name_instrument
from peersupport.figures import planning, style
from peersupport.moderate.over_time import follow_up_classes
from peersupport.moderate.trials import ALL_RECOVERY, outcome_rows, study_facts, trial_table
from peersupport.plan import altered, gaps, instruments, next_trial, sturdiness
from peersupport.pool import models
from peersupport.store.codebook import codebook
from peersupport.store.pictures import write_figure
from peersupport.store.project import setting
from peersupport.store.tables import read_reference, read_table, write_table
from peersupport.text.screen import readable

style.use_style()
here = "08_next_studies"
book = codebook()
labels = outcome_labels(book) | book["moderators"]["outcomes"]
labels |= {code: label for names in book["codes"].values() for code, label in names.items() if code not in labels}
labels |= gaps.words(book)
arm1 = book["arms"]["arm1"]["name"]
randomised = book["design_families"]["randomised"]["designs"]

# %% [markdown]
# ## The evidence once more
#
# What the rules of notebook 07 read, as it wrote it, with the trials behind each pool.

# %%
effects, studies = read_table("effects.csv"), read_table("studies.csv")
named = [name_instrument(text, book["instruments"]) for text in read_table("outcomes.csv")["instrument"].fillna("")]
outcomes = read_table("outcomes.csv").assign(instrument=[name for name, _ in named])
trials = read_table("tables/pooled_trials.csv")
pooled = read_table("tables/pooled_outcomes.csv")
income = read_reference("countries.csv")
evidence = Evidence(
    pooled=pooled[pooled["model"].eq(models.MAIN)],
    trials=trials,
    votes=read_table("tables/claim_votes.csv"),
    subgroups=read_table("tables/subgroups.csv"),
    regressions=read_table("tables/meta_regression.csv"),
    over_time=read_table("tables/digital_over_time.csv"),
    barriers=read_table("tables/barrier_ranks.csv"),
    studies=studies,
    outcomes=outcomes,
    income=read_table("tables/trials_by_income.csv"),
    labels=labels,
    arm1=arm1,
    randomised=randomised,
    remote=book["remote_delivery"],
    correlation=within_trial_correlation,
)
ledger = claims.read(read_table("claims.csv"), arm1)

# %%
risk = read_table("tables/risk_of_bias.csv")
facts = study_facts(studies, risk, income, book["moderators"], book["fidelity_items"])
selected, moderators = effects[effects["selected"]], book["moderators"]
grouped = {
    outcome: trial_table(outcome_rows(selected, outcome), facts, within_trial_correlation, moderators)
    for outcome in moderators["outcomes"]
}
late = outcome_rows(effects, ALL_RECOVERY)
late = late[late["study"].map(facts["modality"]).eq("digital")]
late = late[follow_up_classes(late["time_weeks"], long_follow_up_weeks).eq("long")]
late = trial_table(late, facts, within_trial_correlation, moderators)
by_outcome = altered.grouped_rows(grouped | {"late": late, "pooled": trials})
rows = altered.Rows(by_outcome["pooled"], by_outcome, by_outcome["late"], minimum_trials)

# %%
themes = read_table("themes.csv")
counted = participants(studies, outcomes)
own = one_per_trial(studies, counted)
own = own[own["design"].isin(randomised)]
barriers = themes[themes["theme_group"].eq("barrier")].merge(studies[["study", "trial"]], on="study")
left = altered.Studies(evidence, income_by_trial(own.set_index("trial"), income), barriers)
Markdown(
    f"{len(ledger)} claims are judged again and again below, on {trials['trial'].nunique()} trials with pooled effects "
    f"and {len(studies)} studies; the rules are those of notebook 07, unchanged."
)

# %% [markdown]
# ## How sturdy each verdict is
#
# For every verdict that rests on trials, every set of one, two and three of them is left out and the rule is asked
# again; where none of these sets changes it, trials are left out step by step, so that a smaller set than the one
# found may exist. Then one trial's effect is shifted, and trials that found nothing are added. Verdicts that count
# studies are turned by leaving out studies.

# %%
sturdy = sturdiness.of_claims(
    ledger, evidence, rows, left, read_table("tables/multiverse.csv"), lambda some: tqdm(some, "verdicts", disable=None)
)
write_table(sturdy, "tables/fragility.csv")
words = manuscript.VERDICT_WORDS
shown = sturdy.assign(label=sturdy["claim_id"], verdict_words=sturdy["verdict"].map(words))
figure = planning.sturdiness(shown)
write_figure(
    figure,
    "08_sturdiness",
    notebook=here,
    title="How many trials or studies each verdict hangs on",
    alt_text="; ".join(f"{row.label} {row.verdict_words}: {row.grade}" for row in shown.itertuples()) + ".",
)

# %%
readable(sturdy.assign(verdict=shown["verdict_words"], verdict_then=sturdy["verdict_then"].map(words)), 2)

# %%
grades = sturdy["grade"].value_counts()
one = shown[sturdy["removed"].eq(1)]
Markdown(
    f"{grades.get('fragile', 0)} of {len(sturdy)} verdicts are fragile: one trial or study less and they would be "
    f"another ({', '.join(one['label']) or 'none'}). {grades.get('delicate', 0)} hang on two or three, "
    f"{grades.get('firm', 0)} are firm, {grades.get('sturdy', 0)} sturdy: a quarter of what they rest on, or more, "
    f"would have to go. {grades.get('not testable', 0)} cannot be tested."
)

# %% [markdown]
# The same for one step of certainty (GRADE's suggestion): which trials would have to go for it to be another.

# %%
findings = read_table("tables/summary_of_findings.csv")
small, absolute = read_table("tables/small_study_effects.csv"), read_table("tables/absolute_effects.csv")
certain = sturdiness.of_certainty(
    findings,
    rows.pooled,
    small,
    absolute,
    rules=grade.Rules(**setting("grade")),
    baseline=baseline_risk,
    budget=certainty_sets,
)
write_table(certain, "tables/fragility_certainty.csv")
readable(certain.assign(outcome_domain=certain["outcome_domain"].map(labels)).drop(columns="family"))

# %% [markdown]
# ## What one more trial would settle
#
# The true effect of the next trial is drawn from what the present trials predict for a new setting, its result from
# that effect and its size, and the main model is fitted again with it. The share of such futures in which the pooled
# interval lies above no effect, or above a small one, is the assurance of that trial.

# %%
evidences = next_trial.evidences(rows.pooled, evidence.pooled, absolute, baseline_risk)
named_by = {key: labels[key[0]] + (" (log risk ratio)" if key[1] == "log_rr" else "") for key in evidences}
thresholds = {0.0: "no effect", small_effect: f"a small effect ({small_effect:g} in g or in the log risk ratio)"}
curves = {
    key: next_trial.assurance(
        one, list(thresholds), prior_scale=half_normal_scale, draws=assurance_draws, seed=seed + place
    )
    for place, (key, one) in enumerate(evidences.items())
}
planned = next_trial.plan(evidences, curves, thresholds, wanted_assurance, half_normal_scale)
write_table(next_trial.stacked(curves), "tables/assurance.csv")
write_table(planned, "tables/next_trial.csv")
figure = planning.assurance_curves(
    {named_by[key]: curve for key, curve in curves.items()}, thresholds, wanted_assurance
)
write_figure(
    figure,
    "08_assurance",
    notebook=here,
    title="What one more trial would settle, by its size",
    alt_text=f"Chance that the pooled interval lies above no effect and above a small effect after one more trial of "
    f"50 to 2,000 people per arm, in {len(curves)} outcomes.",
)

# %%
readable(
    planned.assign(outcome=[named_by[key] for key in zip(planned["outcome_domain"], planned["family"], strict=True)])
)

# %%
at_zero = planned[planned["threshold"].eq(0.0)]
open_now = at_zero[~at_zero["settled"]]
closed = open_now[open_now["people_per_arm"].isna()]
Markdown(
    f"In {len(at_zero) - len(open_now)} of {len(at_zero)} outcomes the pooled interval is already on one side of no "
    f"effect. Of the others, a single trial of up to {next_trial.LARGEST:,} people per arm reaches an assurance of "
    f"{wanted_assurance:.0%} in {len(open_now) - len(closed)}; in {len(closed)} none can, because trials differ more "
    "from setting to setting than any one of them can average out: "
    f"{', '.join(closed['outcome_domain'].map(labels)) or 'none'}."
)

# %% [markdown]
# The extended funnel shows the same from the other side: where a new trial would have to fall to change the answer.

# %%
avoided = set(evidence.pooled.loc[evidence.pooled["event"].eq("avoid"), "outcome_domain"])
panels = [next_trial.funnel_panel(one, named_by[key], key[0] not in avoided) for key, one in evidences.items()]
axis = "Effect of one more trial: Hedges g, or the log risk ratio of the event as named"
figure = planning.extended_funnels(panels, axis, arm1, book["arms"]["arm2"]["name"])
write_figure(
    figure,
    "08_extended_funnel",
    notebook=here,
    title="Where a new trial would have to fall to change the answer",
    alt_text=f"Extended funnels of {len(panels)} outcomes: where one more trial would leave the pooled interval "
    f"in favour of {arm1}, across no effect, or against it.",
)

# %% [markdown]
# ## What outcomes are measured with
#
# Trials can be pooled because effects are standardised; they could be compared if they used the same instruments. The
# effective number says how many instruments in equal use would be as diverse.

# %%
own = outcomes.merge(studies[["study", "year", "design"]], on="study")
own = own[own["design"].isin(randomised)]
window = f"{window_start} to {window_end}"
used = instruments.diversity(instruments.used(own), {window: (window_start, window_end)})
write_table(used, "tables/instruments.csv")
whole = used[used["period"].eq("all years")]
figure = planning.instruments_used(whole, labels)
most = whole.loc[whole["instruments"].idxmax()]
write_figure(
    figure,
    "08_instruments",
    notebook=here,
    title="What outcomes are measured with",
    alt_text=f"Instruments, their effective number and the share of the commonest in {len(whole)} outcome domains. "
    f"{labels[most.outcome_domain]} has the most, {most.instruments}.",
)

# %%
spread = instruments.spread_by_outcome(effects[effects["selected"]], trials, book["instruments"], few_trials_regression)
write_table(spread, "tables/instrument_spread.csv")
told = spread.dropna(subset=["share"])
Markdown(
    f"In {whole['commonest_share'].lt(0.5).sum()} of {len(whole)} domains fewer than half of the randomised trials use "
    "the commonest instrument. How much of the spread between trials goes along with the instrument can be asked in "
    f"{len(told)} domains with {few_trials_regression} trials or more: "
    + ("; ".join(f"{labels[row.outcome_domain].lower()} {row.share:.0%}" for row in told.itertuples()) or "none")
    + ". With so few trials such shares are far from sure."
)

# %% [markdown]
# ## Gaps worth filling
#
# Where would a study be missed most? Each cell of population, outcome and delivery gets three ranks: few people
# studied, little certainty, many reports that ask for such studies. Their mean is the order below; economic
# evaluations and studies of the workforce stand among the cells as rows of their own.

# %%
table = gaps.table(studies, outcomes, counted, book)
certainty = gaps.certainty_of(findings)
ranked = gaps.ranked(table, certainty, gaps.asked(themes, book), labels)
write_table(ranked, "tables/gaps.csv")
cells = ranked[ranked["kind"].eq("cell")]
figure = planning.gap_ranks(cells, labels)
first = ranked[ranked["rank"] <= 10]
write_figure(
    figure,
    "08_gaps",
    notebook=here,
    title="Where studies are missing most",
    alt_text="People studied by population, outcome and delivery; the first gaps: "
    + "; ".join(f"{row.rank} {labels.get(row.population, row.population)}" for row in first.itertuples())
    + ".",
)
readable(first[["rank", "population", "outcome", "delivery", "trials", "people", "reason"]], 0)

# %%
top = ranked.iloc[0]
Markdown(
    f"{cells['trials'].eq(0).sum()} of {len(cells)} cells have no randomised trial. The first gap: "
    f"{labels.get(top.population, top.population).lower()}, {labels.get(top.outcome, top.outcome).lower()}, "
    f"{labels.get(top.delivery, top.delivery).lower()} ({top.reason})."
)
