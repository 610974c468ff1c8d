# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the article claims, and what the data carry
#
# The last notebook puts each claim of the article beside the number that carries it. The claims and their rules are
# rows of a sheet, `data/raw/claims.csv`, written before the results were seen, but where the ledger says otherwise;
# what a rule leaves open (such as how a study that found no difference counts) was settled with results in sight. The
# verdicts are computed, and change when the data change. Then come the certainty of each result, the review's place
# among others, and the text of the results.

# %% tags=["parameters"]
window_start = 2020
window_end = 2025
minimum_trials = 3
within_trial_correlation = 0.6
vote_majority = 0.7
baseline_risk = 0.2
long_follow_up_weeks = 26
cumulative_from = 2012

# %%
import json

import pandas as pd
from IPython.display import Markdown, display

from peersupport.conclude import claims, cumulative, grade, manuscript, reviews, window
from peersupport.conclude.evidence import Evidence, votes_for_claims
from peersupport.describe.studies import one_per_trial, participants
from peersupport.describe.votes import row_directions
from peersupport.effects.pools import outcome_labels
from peersupport.effects.select import name_instrument
from peersupport.figures import style, synthesis
from peersupport.figures.cumulative import through_the_years
from peersupport.moderate.trials import ALL_RECOVERY, study_facts, trial_table
from peersupport.pool import models
from peersupport.report.answers import answers, readme_block
from peersupport.report.claims import carried
from peersupport.store.codebook import codebook
from peersupport.store.pictures import write_figure
from peersupport.store.project import processed, project_root, setting
from peersupport.store.tables import read_reference, read_table, write_document, write_table
from peersupport.store.version import version_facts, version_words
from peersupport.text.screen import readable

style.use_style()
here = "07_synthesis"
effects, studies = read_table("effects.csv"), read_table("studies.csv")
outcomes = read_table("outcomes.csv")
pooled = read_table("tables/pooled_outcomes.csv")
main = pooled[pooled["model"].eq(models.MAIN)]
book = codebook()
labels = outcome_labels(book) | book["moderators"]["outcomes"]
labels |= book["codes"]["barrier"] | book["codes"]["population"]

# %% [markdown]
# ## The evidence that the rules read
#
# Pooled effects come from notebook 03, subgroups and regressions from 04, directions and ranks of barriers from 05.
# Trials whose figures cannot be pooled still tell a direction: one vote per randomised trial and outcome. Of some the
# source says only that the arms did not differ; they stay in the shares, and the verdict without them is shown
# beside.

# %%
domains = models.domains(effects, minimum_trials, book)
risk = read_table("tables/risk_of_bias.csv")
moderators = book["moderators"]
facts = study_facts(studies, risk, read_reference("countries.csv"), moderators, book["fidelity_items"])
trials = pd.concat(
    [
        trial_table(domain.rows, facts, within_trial_correlation, moderators).assign(
            outcome_domain=domain.name, family=domain.family
        )
        for domain in domains
    ]
)
domain_votes = read_table("tables/effect_direction_votes.csv")
signs = row_directions(outcomes, effects)
votes = votes_for_claims(domain_votes, signs, outcomes, studies, vote_majority)
write_table(votes, "tables/claim_votes.csv")
barriers = read_table("tables/barrier_ranks.csv")

# %%
named = [name_instrument(text, book["instruments"]) for text in outcomes["instrument"].fillna("")]
evidence = Evidence(
    pooled=main,
    trials=trials,
    votes=votes,
    subgroups=read_table("tables/subgroups.csv"),
    regressions=read_table("tables/meta_regression.csv"),
    over_time=read_table("tables/digital_over_time.csv"),
    barriers=barriers,
    studies=studies,
    outcomes=outcomes.assign(instrument=[name for name, _ in named]),
    income=read_table("tables/trials_by_income.csv"),
    labels=labels,
    arm1=book["arms"]["arm1"]["name"],
    randomised=book["design_families"]["randomised"]["designs"],
    remote=book["remote_delivery"],
    correlation=within_trial_correlation,
)
without = votes[votes["outcome_domain"].eq(ALL_RECOVERY)]["direction"].eq("neither")
Markdown(
    f"{trials['trial'].nunique()} trials enter a pooled result. {len(without)} trials tell something about a recovery "
    f"outcome; {without.sum()} of them ({without.mean():.0%}) say only that the arms did not differ."
)

# %% [markdown]
# ## The ledger
#
# One row per claim, one rule per row. `supported` means that the rule holds, not that the claim is true; `not_testable`
# that the data are too thin for either answer. The main analysis is of all years; beside it stands the verdict on the
# studies of the article's years alone (`window_start` to `window_end` in `parameters.yml`).

# %%
randomised = one_per_trial(studies, participants(studies, outcomes))
randomised = randomised[randomised["design_family"].eq("randomised")]
sources = window.Sources(
    effects=effects,
    themes=read_table("themes.csv"),
    pooled=pooled[pooled["model"].eq("window")],
    randomised=randomised,
    facts=facts,
    countries=read_reference("countries.csv"),
    codebook=book,
    long_weeks=long_follow_up_weeks,
)
of_window = window.in_window(evidence, sources, window_start, window_end)
ledger = claims.evaluate(read_table("claims.csv"), evidence, of_window)
write_table(ledger, "tables/claims.csv")
words = manuscript.VERDICT_WORDS
counted = ledger["verdict"].map(words).value_counts()
figure = synthesis.claims_page(ledger, f"{window_start} to {window_end}")
write_figure(
    figure,
    "07_claims",
    notebook=here,
    title="What the article claims, and what the data carry",
    alt_text=f"Table of {len(ledger)} claims: "
    + "; ".join(
        f"{r.claim_id} {words[r.verdict]} ({window_start} to {window_end}: {words[r.verdict_window]})"
        for r in ledger.itertuples()
    )
    + ".",
)

# %%
listed = {
    verdict: "; ".join(f"{r.claim_id} ({r.claim.rstrip('.')})" for r in rows.itertuples())
    for verdict, rows in ledger.groupby("verdict")
}
moved = ledger[ledger["verdict"].ne(ledger["verdict_left_out"])]
differs = ledger[ledger["verdict"].ne(ledger["verdict_window"])]
in_years = "; ".join(f"{r.claim_id} is {words[r.verdict_window]}" for r in differs.itertuples())
turned = "; ".join(f"{r.claim_id} would be {words[r.verdict_left_out]}" for r in moved.itertuples())
Markdown(
    f"Of {len(ledger)} claims {', '.join(f'{n} are {name}' for name, n in counted.items())}. The article claims more "
    f"than these data carry where the verdict is not supported: {listed.get('not_supported', 'none')}; or not "
    f"testable: {listed.get('not_testable', 'none')}; and in part where it is partly supported: "
    f"{listed.get('partly_supported', 'none')}. {len(moved)} verdicts depend on how trials that found no difference "
    f"are counted: {turned or 'none'}. From {window_start} to {window_end} alone, {len(differs)} verdicts differ: "
    f"{in_years or 'none'}."
)

# %%
shown = ["claim_id", "claim", "verdict", "verdict_window", "number", "k", "n", "reason", "known"]
told = ledger.assign(number=[carried(row) for row in ledger.itertuples()])
for column in ("verdict", "verdict_window"):
    told[column] = told[column].map(words)
readable(told[shown].rename(columns={"verdict_window": f"{window_start} to {window_end}"}))

# %% [markdown]
# ## Since when
#
# A review that is looked at again with every new trial finds something sooner or later, as chance goes on. So each
# pooled result is shown as it would have stood at the end of each year, and beside its plain interval the one that so
# many looks allow: O'Brien-Fleming type bounds, as in trial sequential analysis, with the spread between trials in the
# information. What is required is the information that finds the smallest effect that matters, as often as the rules of
# certainty ask.

# %%
rules = grade.Rules(**setting("grade"))
choices = models.Settings(within_trial_correlation, minimum_trials)
until = int(effects["year"].max())
years = cumulative.by_year(domains, choices, rules, cumulative_from, until)
write_table(years, "tables/cumulative.csv")
stood = cumulative.summary(years, labels)
crossed = stood["monitored"].eq("crossed").sum()
text = f"{len(stood)} pooled results at the end of each year from {cumulative_from} to {until}"
picture = write_figure(
    through_the_years(years, labels),
    "07_cumulative",
    notebook=here,
    title="Pooled results through the years, with the interval that repeated looks allow",
    alt_text=f"Small panels: {text}; {crossed} crossed a monitoring bound.",
)

# %%
display(picture)
display(readable(stood.drop(columns="monitored")))
told = stood[stood["verdict"].ne(cumulative.VERDICTS["open"])]
listed = "; ".join(f"{r.outcome} since {r.since}" for r in told.itertuples())
hopeful = told[told["monitored"].eq("open")]["outcome"]
Markdown(
    f"{text}. The interval leaves no difference out: {listed or 'nowhere'} ({cumulative_from} stands for that year or "
    f"an earlier one). Of {stood['monitored'].ne('').sum()} that can be monitored, {crossed} crossed a bound; "
    f"{', '.join(hopeful) or 'none'} did not although the plain interval leaves no difference out. "
    f"{stood['monitored'].eq('').sum()} rest on too few trials to be monitored: their row says so."
)

# %% [markdown]
# ## How certain is each result
#
# GRADE is a judgement. Rules make a first suggestion that anyone can check, domain by domain, with its reason; what the
# authors judge otherwise stands in `data/raw/grade.csv`, and is shown beside the suggestion, not in its place. The
# thresholds stand in `parameters.yml`: from where on an effect is small, moderate or large, and how much of the weight
# must be amiss. A confidence interval loses a level for each threshold within it; of inconsistency the overlap of the
# trials and the prediction interval speak, no cut-off of I². What is not known costs no level.

# %%
handed_on = processed("grade.csv").is_file()
overrides = read_table("grade.csv") if handed_on else grade.NO_OVERRIDES
tau2 = main.set_index(["outcome_domain", "family"])["tau2"]
keys = pd.MultiIndex.from_frame(trials[["outcome_domain", "family"]])
weighted = trials.assign(weight=1 / (trials["variance"] + tau2.reindex(keys).to_numpy()))
write_table(weighted, "tables/pooled_trials.csv")
findings = grade.summary_of_findings(
    main,
    weighted,
    read_table("tables/small_study_effects.csv"),
    read_table("tables/absolute_effects.csv"),
    overrides,
    rules=rules,
    baseline=baseline_risk,
)
write_table(findings, "tables/summary_of_findings.csv")

# %%
shown = findings.assign(
    outcome=findings["outcome_domain"].map(labels),
    certainty=findings["certainty"].map(grade.LEVEL_LABELS),
    suggested=findings["certainty_suggested"].map(grade.LEVEL_LABELS),
)
per_1000 = {(one.name, one.family): one.per_1000() for one in answers().values()}
shown["in_1000_people"] = [per_1000[key] for key in zip(shown["outcome_domain"], shown["family"], strict=True)]
columns = ["outcome_domain", "family", "k", "n", "effect", "ci_low", "ci_high", "in_1000_people"]
readable(shown[[*columns, "suggested", "certainty"]])

# %%
steps = shown.melt(["outcome", "family"], list(grade.DOMAINS), "domain", "downgrade")
parts = {"reason": "_reason", "authors": "_authors", "authors' reason": "_authors_reason"}
for name, ending in parts.items():
    cells = shown.melt(["outcome", "family"], [f"{d}{ending}" for d in grade.DOMAINS])
    steps[name] = cells["value"]
steps = steps.sort_values(["outcome", "family"], kind="stable").assign(domain=lambda t: t["domain"].map(grade.DOMAINS))
readable(steps, 0)

# %%
levels = findings["certainty"].map(grade.LEVEL_LABELS).value_counts()
most = steps[steps["downgrade"] < 0]["domain"].value_counts()
commonest = f"{most.index[0].lower()} ({most.iloc[0]} outcomes)" if len(most) else "none"
own = findings[findings["baseline_trials"] > 0]
risks = f"{own['baseline'].min():.0%} to {own['baseline'].max():.0%}" if len(own) else "none stated"
Markdown(
    f"Certainty by outcome: {', '.join(f'{name.lower()} {n}' for name, n in levels.items())} of {len(findings)}. The "
    f"commonest reason for a downgrade is {commonest}. Where the source seen was an abstract, much of the risk of bias "
    "could not be judged; the share is in the reason, and costs no level by itself. "
    f"{len(overrides)} judgements of the authors overrule a suggestion. People per 1000 rest on the risk without peer "
    f"support: of {len(own)} outcomes counted as events it is the median of the trials' own comparators ({risks}); for "
    f"scales it is assumed that {1000 * baseline_risk:.0f} of 1000 do well."
)

# %% [markdown]
# ## Among published reviews
#
# Published pooled results, turned to one direction. Many of these reviews pool the same trials, and this review pools
# many of them again; their lists of studies were not seen, so the overlap is unknown. Agreement between them is
# therefore weaker support than it looks.

# %%
among = reviews.published_reviews(read_table("reviews.csv"), main)
write_table(among, "tables/published_reviews.csv")
comparable = among[among["comparable"] & among["family"].eq("smd")]
both = comparable.groupby("outcome_domain")["source"].transform("nunique").eq(2)
figure = synthesis.published_forest(comparable[both], labels)
theirs = comparable[both & comparable["source"].eq("published")]
ours = comparable[comparable["source"].eq("ours")].set_index("outcome_domain")
inside = [r.ci_low <= ours.effect[r.outcome_domain] <= r.ci_high for r in theirs.itertuples()]
text = f"{sum(inside)} of {len(theirs)} published intervals contain this review's estimate"
write_figure(
    figure,
    "07_published_reviews",
    notebook=here,
    title="This review among published ones",
    alt_text=f"Forest plot of {len(theirs)} published standardised results beside ours in "
    f"{theirs['outcome_domain'].nunique()} "
    f"outcomes; {text}.",
)

# %%
whole = theirs[theirs["marks"].eq("")]
left_out = among[among["source"].eq("published") & ~among["comparable"]]
reasons = left_out["marks"].str.split(";").explode().value_counts()
Markdown(
    f"{text}; {(whole['effect'] > 0).sum()} of the {len(whole)} results that are neither subgroups nor single trials "
    f"favour peer support. {len(left_out)} results are in the table only: "
    + ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in reasons.items())
    + "."
)

# %% [markdown]
# ## The text of the results
#
# The numbers of abstract and results are written once, to `data/processed/manuscript_numbers.json`; the paragraph below
# is generated from them, so that text and tables cannot disagree.

# %%
randomised = one_per_trial(studies, participants(studies, outcomes))
people = randomised.loc[randomised["design_family"].eq("randomised"), "participants"].sum()
followed = read_table("tables/long_follow_up.csv").set_index("modality").loc["digital"]
flow = read_table("tables/prisma.csv")
numbers = manuscript.numbers(
    flow, studies, people, findings, main, ledger, barriers, followed, long_follow_up_weeks, labels
)
paragraph = f"{manuscript.results_paragraph(numbers, ledger)}\n{version_words()}.\n"
write_document(
    json.dumps({"data": version_facts()} | numbers, indent=1, ensure_ascii=False) + "\n", "manuscript_numbers.json"
)
write_document(paragraph, "results_paragraph.md")
Markdown(paragraph)

# %% [markdown]
# ## The answers, for the README
#
# The same numbers as a table, with the article's years beside all years and the certainty of each. `./run_all.sh` puts
# it into README.md, between two marks, so that nobody has to keep it by hand.

# %%
block = f"{readme_block(answers())}\n{version_words()}.\n"
write_document(block, "readme_answers.md")
Markdown(block)

# %% [markdown]
# ## PRISMA 2020
#
# Each item of the checklist with the place where it is answered.

# %%
checklist = read_reference("prisma_2020.csv")
page = manuscript.checklist_page(checklist)
write_document(page, "prisma_checklist.md")
places = checklist["where"].dropna().str.split(";").explode()
lost = [place for place in places.unique() if not (project_root() / place).is_file()]
open_items = checklist[checklist["where"].isna()]
Markdown(
    f"{len(checklist) - len(open_items)} of {len(checklist)} items are answered by a file here "
    f"([checklist](../data/processed/prisma_checklist.md)); {len(open_items)} are left to the manuscript: "
    f"{', '.join(open_items['item'].astype(str))}. Links without a file: {', '.join(lost) or 'none'}."
)
