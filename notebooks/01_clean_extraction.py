# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From extraction sheets to effect sizes
#
# This notebook is the part of a review that is usually not shown: what two coders wrote, where they differed and who
# decided, what was corrected and why, and how each printed figure became an effect size. It alone reads `data/raw/`,
# and it writes the tidy tables that every later notebook starts from. After it, a positive effect always favours peer
# support.

# %% tags=["parameters"]
assumed_icc = 0.05
within_trial_correlation = 0.6
minimum_trials = 3
time_points = ["post", "follow_up"]
figures_used = ["means", "change", "events", "printed", "p"]

# %%
import pandas as pd
from IPython.display import Markdown, display

from peersupport.describe import agreement
from peersupport.effects import select, signs
from peersupport.effects.pools import pools
from peersupport.effects.routes import effect_sizes
from peersupport.figures import extraction as draw
from peersupport.figures import style
from peersupport.figures.prisma import draw_prisma
from peersupport.intake import clean, provenance, reconcile, validation
from peersupport.intake.rules import unknown_countries
from peersupport.pool import models
from peersupport.search import prisma, screeners
from peersupport.search.duplicates import deduplicate, match, possible_duplicates
from peersupport.search.exports import read_exports
from peersupport.search.record import DETAILS
from peersupport.search.screening import record_ids
from peersupport.store import version
from peersupport.store.codebook import codebook, labels
from peersupport.store.pictures import write_figure
from peersupport.store.sheets import read_raw
from peersupport.store.tables import read_reference, read_screening, read_search_exports, write_table
from peersupport.text.screen import readable

# %%
style.use_style()
here = "01_clean_extraction"

# %% [markdown]
# ## What is wrong with the sheets
#
# Every sheet is read as text and checked against `data/raw/codebook.yml`, first by itself, then against the others.
# Errors stop the chain here. Warnings change nothing: they are places to look at, in the spreadsheet row that is named.

# %%
book = codebook()
raw, file_problems = read_raw()
exports, export_problems = read_exports(read_search_exports())
exports = deduplicate(exports.assign(record=record_ids(exports)))
decisions, screening_problems = screeners.read_decisions(read_screening(), exports, list(labels("reason")))
places = list(unknown_countries(raw, set(read_reference("countries.csv").country)))
problems = validation.validate(raw, file_problems + export_problems + screening_problems + places, book)
validation.stop_on_errors(problems)
write_table(problems, "validation.csv")
display(readable(problems.groupby(["severity", "rule"]).size().rename("cells").reset_index()))
display(readable(problems[problems.rule.ne("tolerated_code")].drop(columns="severity")))

# %%
tolerated = problems[problems.rule.eq("tolerated_code")]
Markdown(
    f"{len(raw)} sheets with {sum(map(len, raw.values())):,} rows were read: "
    f"{problems.severity.eq('error').sum()} errors and {len(problems)} warnings. {len(tolerated)} of the warnings, not "
    f"listed above, are one habit: `{tolerated.value.iloc[0]}` written in the column `{tolerated.column.iloc[0]}`, "
    "whose "
    "codes do not have it; the consensus decides each of them."
)

# %% [markdown]
# ## How far two coders agreed
#
# Both coders read the same passages without seeing each other's sheet. Percent agreement flatters a column in which
# nearly every cell holds the same code, and Cohen's kappa punishes it, so Gwet's AC1 stands beside both. A cell that
# both left blank is no agreement and does not count. Cells of one study are alike: intervals are clustered by study.

# %%
cells = clean.decisions(raw)
agreed = agreement.agreement(cells, raw["coder_a/outcomes"].set_index("row_id")["study"])
write_table(agreed, "agreement.csv")
single = agreed.sheet.isin(["studies", "outcomes"]) | agreed.column.isin(["judgement", "all themes"])
coded = agreed[agreed.kappa.notna() & single]
low, high = coded.loc[coded.ac1.idxmin()], coded.loc[coded.ac1.idxmax()]
write_figure(
    draw.draw_agreement(coded, agreement.column_names(coded.column)),
    "01_agreement",
    notebook=here,
    title="Agreement of two independent coders",
    alt_text=f"Gwet's AC1 and Cohen's kappa with 95% intervals for {len(coded)} coded columns, ranked. AC1 runs from "
    f"{low.ac1:.2f} ({low.column}) to {high.ac1:.2f} ({high.column}).",
)

# %%
display(readable(coded))
differing = coded[coded.sheet.eq("studies")].nsmallest(4, "ac1").column.tolist()
Markdown(
    f"Agreement beyond chance (AC1) runs from {coded.ac1.min():.2f} to {coded.ac1.max():.2f} over {len(coded)} coded "
    f"columns, with a median of {coded.ac1.median():.2f}. It is lowest for {', '.join(differing)}: subgroups by these "
    "columns stand on softer ground than the others. The coders agreed on "
    f"{agreed.set_index('column').agree['all themes']:.0%} of all pairs of a study and a theme; kappa there is "
    f"{agreed.set_index('column').kappa['all themes']:.2f}."
)

# %% [markdown]
# Figures are another matter: a figure is either the one printed or it is not. Where both coders filled a figure in, the
# share that is identical and ICC(2,1) are shown; a few large costs make the ICC of effects meaningless as a measure of
# how alike small effects are, so the share is the one to read.

# %%
figures = agreement.figure_agreement(pd.concat([cells["outcomes"], cells["studies"]]))
figures = figures[figures.n > 0]
write_table(figures, "tables/figure_agreement.csv")
display(readable(figures, 3))
Markdown(
    f"Of {figures.n.sum()} figures that both coders filled in, "
    f"{(figures.identical * figures.n).sum() / figures.n.sum():.1%} are identical."
)

# %% [markdown]
# ## One value per cell
#
# What both say stands. Where they differ, the decision in `consensus.csv` stands, with its reason; a difference without
# a decision stops the chain. Neither coder has precedence. The open databases add their rows and fill what the coders'
# sources did not state.

# %%
tables = clean.tidy(raw, cells, book)
decided = pd.concat([part.assign(sheet=sheet) for sheet, part in cells.items()])
display(readable(pd.crosstab(decided.sheet, decided.decided_by).reset_index()))
ruled = decided[decided.decided_by.eq("consensus")]
as_a, as_b = (reconcile.same(ruled.value, ruled[coder]) for coder in "ab")
Markdown(
    f"{len(decided):,} cells were coded twice; {len(ruled):,} differed. The decision followed the first coder in "
    f"{as_a.sum()}, the second in {as_b.sum()} and neither in {(~as_a & ~as_b).sum()}. "
    f"{len(raw['coder_a/appraisal']) - len(cells['appraisal']):,} judgements and the "
    f"{raw['coder_a/outcomes'].outcome_type.eq('direction_only').sum()} rows that state only a direction were coded "
    "once, by the first coder."
)

# %% [markdown]
# `corrections.csv` then mends what was printed or carried over wrongly, cell by cell. Doubts that extractors noted
# about a cell are decided one by one in `doubts.csv`: a correction, or the reason why the cell stays.

# %%
display(readable(raw["corrections"]))
display(readable(raw["doubts"].drop(columns="source_url")))
on_database = raw["corrections"].sheet.str.startswith("database/")
Markdown(
    f"{on_database.sum()} corrections are applied to cells of the database's sheets, {(~on_database).sum()} to a "
    f"coder's. {len(raw['doubts'])} doubts were noted: {raw['doubts'].decision.eq('corrected').sum()} led to a "
    f"correction, {raw['doubts'].decision.eq('kept').sum()} did not. {tables['outcomes'].secondary.eq('yes').sum()} "
    "outcome rows hold figures that another team transcribed (`secondary`); notebook 06 asks what they change."
)

# %% [markdown]
# ## From figures to effects
#
# Each outcome row takes the one route that its figures allow: means and SDs, change scores, events, a printed effect
# with its CI, SE or p, or p with a direction. Effects are Hedges' g with the exact small-sample correction, or log risk
# ratios for use of services and engagement. Raw figures of cluster trials are down-weighted by a design effect where
# the clusters are stated.

# %%
clusters = clean.as_numbers(raw["clusters"], book["sheets"]["clusters"])
converted, exclusions = effect_sizes(tables["outcomes"], tables["studies"], clusters, assumed_icc, book)
routes = converted.groupby(["family", "method", "conversion"]).agg(rows=("row_id", "size"), trials=("trial", "nunique"))
display(readable(routes.reset_index()))
display(readable(exclusions.groupby(["reason", "detail"]).size().rename("rows").reset_index()))
Markdown(
    f"{len(converted)} of {len(tables['outcomes'])} outcome rows give an effect; "
    f"{exclusions.reason.eq('direction_only').sum()} state only a direction or a test, and "
    f"{exclusions.reason.ne('direction_only').sum()} fail for other reasons."
)

# %% [markdown]
# ## Which effects enter the main analysis
#
# One figure per trial, outcome domain and instrument, by a written rule: the end of the intervention before follow-up;
# means before change scores, events, printed effects and p; of one instrument met twice the better route, and rather a
# row whose interval is plausible. No choice asks which effect is larger: rows that tie are averaged. Companion reports
# count as one trial; arms and strata that the sheets tell apart stay apart. Different instruments of one domain both
# stay and are combined within the trial when the domain is pooled. Studies that are not randomised go through the same
# rule by themselves. Notebook 06 asks what other rules would have given.

# %%
chosen = select.select(converted, book["instruments"], time_points, figures_used)
chosen = chosen.merge(tables["studies"][["study", "year"]], on="study", how="left")
left = chosen.loc[~chosen.selected, ["row_id", "study", "outcome_domain", "instrument", "time_weeks", "selection"]]
display(readable(left, 0))
per_domain = pd.Series([pool.trials for pool in pools(chosen[chosen.selected], book)])
Markdown(
    f"{chosen.selected.sum()} of {len(chosen)} effects, from {chosen[chosen.selected].trial.nunique()} trials, enter "
    "the "
    f"main analysis. {(per_domain >= minimum_trials).sum()} of {len(per_domain)} outcomes, recovery types and unions "
    f"have {minimum_trials} trials or more. {chosen.apart.sum()} effects, from {chosen[chosen.apart].trial.nunique()} "
    "studies that are not randomised, are shown and pooled apart."
)

# %% [markdown]
# ## Direction audit
#
# A lost minus sign turns harm into benefit. The sign that the figures imply is compared with what the source concludes
# and, for the open database, with the effect that it prints beside its own means. Conflicts are listed; the figures
# decide, and what that does to the pooled results is shown.

# %%
conflicts = signs.direction_conflicts(converted)
improvements = signs.signs_meaning_improvement(converted)
display(readable(pd.concat([conflicts, improvements])))
implausible = converted[signs.has_flag(converted, "implausibly_large")]
Markdown(
    f"{len(conflicts)} rows conflict: {', '.join(conflicts.row_id)}. {len(improvements)} printed effects mean "
    "improvement "
    "although a lower score is better; `positive_favours` records that, so their sign is kept. "
    f"{len(implausible)} effects are larger than 2 ({', '.join(implausible.row_id)}): their printed intervals are far "
    "too "
    "narrow for the people behind them, so they are flagged."
)

# %%
uncorrected = clean.tidy(raw | {"corrections": raw["corrections"].iloc[:0]}, cells, book)
as_printed, _ = effect_sizes(uncorrected["outcomes"], uncorrected["studies"], clusters, assumed_icc, book)
as_printed = select.select(as_printed, book["instruments"], time_points, figures_used)
variants = {
    "main analysis": chosen,
    "sign as the database prints it": signs.as_the_database_prints(chosen),
    "rows in conflict left out": signs.without_conflicts(chosen),
    "implausibly large effects used too": chosen.assign(
        selected=chosen.selected | chosen.row_id.isin(implausible.row_id)
    ),
    "without differences standardised by their residual SD": chosen[~signs.has_flag(chosen, "residual_sd")],
    "without corrections": as_printed,
}

# %%
settings = models.Settings(within_trial_correlation, minimum_trials)
moved = models.compare(variants, settings, book)
write_table(moved, "tables/direction_audit.csv")
display(readable(moved, 3))
span = moved.groupby("outcome_domain")["effect"].agg(lambda effect: effect.max() - effect.min())
Markdown(
    f"Pooled with and without them, {len(span)} domains move; the most does {span.idxmax().replace('_', ' ')}, by "
    f"{span.max():.2f}."
)

# %% [markdown]
# ## From a diamond back to the printed figure
#
# `provenance.csv` holds the chain of every selected effect. `trace` prints one: figure as printed, what the second
# coder had, consensus or correction, route, value, source. Shown is one effect for each kind of figure that effects
# start from: one with a correction, or else the one with the longest chain.

# %%
trail = provenance.trail(chosen[chosen.selected], raw, cells["outcomes"])
write_table(trail, "provenance.csv")
for row_id in provenance.examples(trail, chosen):
    row = chosen.set_index("row_id").loc[row_id]
    display(Markdown(f"**{row_id}**, {row.study}, {row.instrument} ([source]({row.source_url}))"))
    display(readable(provenance.trace(row_id, trail)))

# %% [markdown]
# ## How the studies were found
#
# The boxes of the PRISMA 2020 diagram are sums over the rows of the screening log. The search was of stored public web
# pages, so it fills the column for other methods; exports of database searches laid into `data/raw/search/` would be
# read, deduplicated (each merge is a row of `search_records.csv`) and counted in the other column. Pairs that only look
# alike are listed for a person in `search_possible_duplicates.csv`. What two screeners decided on the records, in
# `data/raw/screening/`, fills that column's later boxes; notebook 09 has the search itself.

# %%
log = prisma.classify(raw["records"], raw["coder_a/studies"])
exports = screeners.follow(match(exports, raw["coder_a/studies"]), log, screeners.standing(decisions))
boxes = prisma.prisma(log, tables["studies"], exports)
write_table(boxes, "tables/prisma.csv")
write_table(log, "records.csv")
write_table(exports.drop(columns=DETAILS), "tables/search_records.csv")
write_table(possible_duplicates(exports), "tables/search_possible_duplicates.csv")
figure = draw_prisma(boxes, labels("reason"))
count = boxes.set_index("detail").n
write_figure(
    figure,
    "01_prisma_flow",
    notebook=here,
    title="PRISMA 2020 flow diagram",
    alt_text=f"Flow diagram: {count['records found in stored public web pages']:.0f} records identified by other "
    f"methods, {count['reports sought for retrieval']:.0f} reports sought, "
    f"{count['reports assessed for eligibility']:.0f} "
    f"assessed, {count['primary studies included']:.0f} primary studies included. {exports.empty and 'No' or 'A'} "
    "database export.",
)

# %%
reports = log[log.stage.eq("included") & log.study.ne("")]
several = reports.study.value_counts()
Markdown(
    f"{len(log)} records became {count['primary studies included']:.0f} primary studies, "
    f"{count['of these, independent of one another']:.0f} of them independent of one another. "
    f"{log.duplicate_of.notna().sum()} records repeat another one's DOI or title. {(several > 1).sum()} studies are "
    "met "
    "under two titles, so they have two reports here."
)

# %% [markdown]
# ## What is handed on
#
# Every outcome row is now in exactly one of `effects.csv` and `exclusions.csv`.

# %%
columns = """row_id study trial year outcome_domain recovery_type instrument time_point time_weeks family event effect
variance ci_low ci_high n_arm1 n_arm2 people randomised method source selected apart selection outcome_type contrast
higher_is_better conversion assumptions direction_source flags multi_arm1 multi_arm2 stratum secondary
source_url locator""".split()
for name, table in tables.items():
    write_table(table, f"{name}.csv")
write_table(chosen[columns], "effects.csv")
write_table(exclusions, "exclusions.csv")
for name in ("reviews", "grade"):
    write_table(clean.as_numbers(raw[name], book["sheets"][name]), f"{name}.csv")
write_table(raw["claims"], "claims.csv")

# %%
counts = {"studies": len(tables["studies"]), "outcome_rows": len(tables["outcomes"]), "records": len(raw["records"])}
stale = version.miscounts(version.data_version(), counts)
Markdown(
    f"{len(chosen)} effects and {len(exclusions)} exclusions make {len(chosen) + len(exclusions)} of "
    f"{counts['outcome_rows']} rows. {version.version_words()}. {'. '.join(stale)}"
)
