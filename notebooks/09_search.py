# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From three databases to a screened record
#
# The article searched PubMed, PsycINFO and Scopus; here the search was of stored public web pages. This notebook holds
# what such a search of databases needs: the strategy written for six interfaces, what it would find of the studies that
# are included, the list that is left to screen, and what two screeners decided. It reads the strategy, exports and
# decisions in `data/raw/search/` and `data/raw/screening/` (its `README.md` says how), and tables of
# notebook 01.

# %% tags=["parameters"]
window_start = 2020
window_end = 2025
seed = 20261122
worth_a_search = 5

# %%
import pandas as pd
from IPython.display import Markdown, display

from peersupport.describe.agreement import agreement_of_pairs
from peersupport.figures import search as draw
from peersupport.figures import style
from peersupport.intake.validation import stop_on_errors
from peersupport.search import interfaces, living, prisma_s, recall, screeners, screening
from peersupport.search.duplicates import deduplicate
from peersupport.search.exports import read_exports
from peersupport.search.strategy import read_strategy
from peersupport.store import tables
from peersupport.store.codebook import labels
from peersupport.store.pictures import write_figure
from peersupport.store.tables import write_document, write_table
from peersupport.text.screen import readable

style.use_style()
here = "09_search"
window = window_start, window_end

# %% [markdown]
# ## The strategy and its strings
#
# `data/raw/search/strategy.yml` says once what is looked for. Each interface has its own way to write it: field tags,
# quotes, truncation, nearness, headings, numbers of lines. The strings are read back by a parser that knows the
# interfaces' syntax and not how the strings were made.

# %%
strategy = read_strategy(tables.read_raw_file("search/strategy.yml"))
lines = interfaces.strings(strategy)
trees, back = recall.read_back(strategy, lines)
hits, hit_problems = living.read_hits(tables.read_raw_file("search/hits.csv"), lines)
stop_on_errors(hit_problems)
lines = living.with_hits(lines, hits)
write_table(lines, "search/lines.csv")
write_table(back, "search/read_back.csv")
for name, text in interfaces.pasted(lines).items():
    write_document(text, f"search/{name}.txt")
display(readable(lines[lines.interface.eq("psycinfo_ovid")].drop(columns="interface")))

# %%
Markdown(
    f"{len(strategy.concepts)} concepts with {sum(len(c.terms) for c in strategy.concepts.values())} terms make "
    f"{len(lines)} lines for {len(trees)} interfaces; of {len(back)} concepts read back, {back.found_again.sum()} came "
    f"back whole, and {back.groupby('interface').same_search.all().sum()} of {len(trees)} searches are the strategy's, "
    f"operator for operator. Hits are filled in for {hits.line.size} lines"
    + (f", last on {hits.date.max()}." if len(hits) else ": nobody has run the search yet.")
)

# %% [markdown]
# ## Would it find what is included?
#
# The search is evaluated offline on the titles of included studies. A database also looks into abstracts, keywords and
# headings, so this recall is a lower bound; and terms were added where titles lacked one, so it flatters the terms.
# Precision is the share included of those records of the log, decided on by their subject, that the search would find.

# %%
studies, log = tables.read_table("studies.csv"), tables.read_table("records.csv")
reached = recall.relative_recall(studies, trees, window)
precise = recall.precision(log, trees)
write_table(reached, "search/recall.csv")
write_table(precise, "search/precision.csv")
one, of_one = reached[reached.interface.eq("pubmed")], precise.set_index("interface").loc["pubmed"]
whole = one.set_index("group").loc[f"{window_start} to {window_end}"]
write_figure(
    draw.draw_recall(one, of_one, labels("population")),
    "09_recall",
    notebook=here,
    title="Relative recall and precision of the search strategy on titles",
    alt_text=f"Share of included titles that the strategy finds, with exact 95% intervals: {whole.recall:.0%} of "
    f"{whole.n:.0f} in {window_start} to {window_end}, then by population; precision {of_one.precision:.0%}.",
)

# %%
inside = studies[pd.to_numeric(studies.year).between(*window)]
lost = recall.missed(strategy, inside)
gains = recall.would_catch(strategy, inside, log)
write_table(lost, "search/missed.csv")
write_table(gains, "search/would_catch.csv")
display(readable(lost.drop(columns="year").head(12)))
worth = gains[gains.excluded_gained < gains.studies_gained]
display(readable(worth.head(10)))
silent = lost.holds_only.eq("").sum()
Markdown(
    f"The strategy finds {whole.found:.0f} of {whole.n:.0f} titles of {window_start} to {window_end} "
    f"({whole.recall:.1%}, 95% CI {whole.ci_low:.1%} to {whole.ci_high:.1%}), with a precision of "
    f"{of_one.precision:.0%} ({of_one.ci_low:.0%} to {of_one.ci_high:.0%}) on the {of_one.caught:.0f} records it "
    f"catches. Of the {len(lost)} that it misses, {silent} hold no term of any concept and the others only terms of "
    "one side, such as the illness without a helper: that the abstract names a helper, a title cannot show. "
    f"{len(worth)} words would each catch more of them than they bring excluded records, most by chance."
)

# %% [markdown]
# What does each concept bring, and what does it cost? A concept is worth its terms where it finds titles that no other
# finds; it costs the excluded records that come through it alone.

# %%
costs = recall.concept_costs(strategy, inside, log)
terms = recall.term_hits(strategy, inside, log)
write_table(costs, "search/concepts.csv")
write_table(terms, "search/terms.csv")
most, least = costs.loc[costs.studies_lost.idxmax()], costs.loc[costs.studies_lost.idxmin()]
write_figure(
    draw.draw_concepts(costs),
    "09_concepts",
    notebook=here,
    title="What each concept of the strategy brings and costs",
    alt_text=f"Bars per concept: titles of included studies and of excluded records that the strategy finds. Without "
    f"{most.label} {most.studies_lost} studies would be lost, without {least.label} {least.studies_lost}.",
)

# %%
Markdown(
    f"Without “{most.label}” {most.studies_lost} titles would be lost and {most.excluded_saved} excluded records "
    f"saved; without “{least.label}” {least.studies_lost} and {least.excluded_saved}. "
    f"{terms.swallowed_by.ne('').sum()} of {len(terms)} terms find nothing that another of their concept does not find."
)

# %% [markdown]
# ## What is left to screen
#
# Exports are read and deduplicated as in notebook 01; records on which the log decided are taken out, and the rest is
# ordered by a model trained on the titles of the log: TF-IDF with logistic regression. It only orders; nothing is
# included or excluded by it.

# %%
exports, _ = read_exports(tables.read_search_exports())
exports = deduplicate(exports.assign(record=screening.record_ids(exports)))
left = screening.rank(exports, log)
write_table(left, "search/to_screen.csv")
write_document(screening.as_ris(left), "search/to_screen.ris")
foreign = recall.foreign(exports, trees["pubmed"]).file
display(readable(left.head(5)[["rank", "score", "title", "year", "database"]]))
Markdown(
    f"{len(exports):,} records of {exports.file.nunique()} exports: {exports.duplicate.sum():,} repeat another, and "
    f"{len(left):,} are left to screen (`to_screen.csv`, and `to_screen.ris` for Rayyan, ASReview, Zotero or EndNote)."
    + "".join(f" Hardly a record of {file} holds the strategy's words: is it of another search?" for file in foreign)
    if len(exports)
    else "No export of a database search was supplied, so there is nothing to screen."
)

# %% [markdown]
# How much work would the order save? Each decided record of the log is scored by a model that has not seen it.

# %%
curves = screening.simulated(log, seed)
saved = screening.work_saved(curves)
write_table(saved, "search/work_saved.csv")
write_figure(
    draw.draw_work(curves, saved, screening.WANTED),
    "09_screening",
    notebook=here,
    title="Recall against records screened, in the model's order",
    alt_text=f"Share of included records found against share screened, by the model in {len(saved)} repeats of "
    f"cross-validation and by chance; {screening.WANTED:.0%} are found after {saved.screened.mean():.0%}.",
)

# %%
base = recall.decided(log).included.mean()
Markdown(
    f"{screening.WANTED:.0%} of the included are met after {saved.screened.mean():.0%} of the records: "
    f"{saved.work_saved.mean():.0%} of the work is saved against an order by chance ({saved.work_saved.min():.0%} to "
    f"{saved.work_saved.max():.0%} over {len(saved)} repeats of {screening.FOLDS}-fold cross-validation). These "
    f"decisions came from another kind of search, in which {base:.0%} of the records were included and most excluded "
    "ones were near the subject; among the records of a database the order should save more, but nothing here shows it."
    if len(saved)
    else "The log holds too few decisions of either kind to try the order on."
)

# %% [markdown]
# ## Two screeners
#
# Decisions come back as CSV, or as Rayyan and ASReview export them. Two must agree; a third decides where they differ.

# %%
decisions, problems = screeners.read_decisions(tables.read_screening(), exports, list(labels("reason")))
stop_on_errors(problems)
stood = screeners.standing(decisions)
agreed = agreement_of_pairs(screeners.pairs(decisions))
conflicts = stood[stood.decision.eq("conflict")].merge(exports[~exports.duplicate], on="record")
write_table(agreed, "search/screening_agreement.csv")
write_table(conflicts[["stage", "record", "a", "b", "title", "year", "doi"]], "search/conflicts.csv")
write_table(screeners.as_log(exports, stood), "search/decided_records.csv")
display(readable(agreed))
Markdown(
    f"{decisions.person.nunique()} people decided on {stood.record.nunique()} records: {len(conflicts)} conflicts wait "
    "for a third (`conflicts.csv`), and `decided_records.csv` has the decided ones in the form of `records.csv`."
    if len(decisions)
    else "No decisions of screeners were supplied; the databases' column of the diagram waits for them."
)

# %% [markdown]
# ## The search goes on
#
# Run again, only what is new matters. Until two dated searches were screened, the years of included studies say how
# many studies to expect.

# %%
searches = living.new_by_search(exports)
new = left[left.record.isin(exports.record[living.is_new(exports)])]
kept = screeners.share_included(screeners.follow(exports, log, stood))
expected = living.expectation(studies, window, kept, searches.new_per_month, worth_a_search)
write_table(searches, "search/searches.csv")
write_table(new, "search/to_screen_new.csv")
write_table(expected, "search/next_search.csv")
display(readable(searches), readable(expected, 1))
value = expected.set_index("what").value
Markdown(
    (f"{len(searches)} dated searches; {len(new):,} records of the latest are new. " if len(searches) else "")
    + f"At {value.iloc[1]:.1f} included studies a month, the next search pays after {value.iloc[2]:.1f} months, when "
    f"{worth_a_search} new ones may be expected. "
    + (
        f"It would bring {value.iloc[0]:.0f} records a month."
        if pd.notna(value.iloc[0])
        else "How many records it would bring, two dated searches will show."
    )
)

# %% [markdown]
# ## PRISMA-S
#
# The 16 items on how the search is reported.

# %%
queries = tables.read_raw_file("queries.csv").count(b"\n")
open_trials = int(studies.source.ne("coder").sum())
told = prisma_s.facts(strategy, hits, exports, log, open_trials, max(queries - 1, 0))
items = tables.read_reference("prisma_s.csv")
write_document(prisma_s.page(items, told), "search/prisma_s.md")
Markdown(f"{len(items)} items are answered in `data/processed/search/prisma_s.md`. {told['searched']}.")
