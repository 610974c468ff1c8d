# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Who was studied, where, when and how well
#
# This notebook describes the included studies: how they were found, who took part, when and where, how the intervention
# was reported, how trustworthy the studies are, and which outcomes were measured in whom. It reads the tidy tables that
# notebook 01 wrote. "Not reported" means that the source seen does not tell; it never means no.

# %% tags=["parameters"]
window_start = 2020
window_end = 2025
pandemic_start = 2020
pandemic_end = 2022
minimum_trials = 3
within_trial_correlation = 0.6
rob2_several_concerns = 2

# %%
import pandas as pd
from IPython.display import Markdown, display

from peersupport.describe import appraisal as apr
from peersupport.describe import fidelity
from peersupport.describe import studies as desc
from peersupport.describe.countries import by_country, by_income
from peersupport.effects.pools import outcome_labels
from peersupport.figures import appraisal as lights
from peersupport.figures import descriptive as draw
from peersupport.figures import style, world
from peersupport.moderate import over_time
from peersupport.pool import models
from peersupport.store.codebook import codebook, labels
from peersupport.store.pictures import write_figure
from peersupport.store.tables import read_reference, read_table, write_document, write_table
from peersupport.text import tables as pub

style.use_style()
here = "02_descriptive_tables"
book = codebook()

# %%
studies = read_table("studies.csv")
outcomes = read_table("outcomes.csv")
counts = desc.participants(studies, outcomes)
trials = desc.one_per_trial(studies, counts)
randomised = trials[trials["design_family"].eq("randomised")]

# %%
reports = studies["design_family"].eq("randomised").sum()
Markdown(
    f"{len(studies)} studies report on {len(trials)} trials or samples. {reports} of the studies report randomised "
    f"trials; with companion reports joined these are {len(randomised)} trials. "
    f"{len(randomised) - randomised['participants'].isna().sum()} of the trials state how many people took part, "
    f"{randomised['participants'].sum():,.0f} in all."
)

# %% [markdown]
# ## How the studies were found
#
# The flow of records after PRISMA 2020, drawn in notebook 01. The search was not one of bibliographic databases, so the
# flow runs through the column of other methods.
#
# ![PRISMA 2020 flow diagram](../figures/01_prisma_flow.png)

# %%
flow = read_table("tables/prisma.csv").set_index(["column", "box", "detail"])["n"]
included = int(flow["included", "studies", "primary studies included"])
independent = int(flow["included", "studies", "of these, independent of one another"])
assessed = int(flow["other", "assessed", "reports assessed for eligibility"])
Markdown(
    f"{assessed} reports were assessed, {included} primary studies included. The flow and the table of studies "
    + ("agree" if (included, independent) == (len(studies), len(trials)) else "do not agree")
    + f": {len(studies)} studies, {len(trials)} of them independent of one another."
)

# %% [markdown]
# ## Characteristics of the studies
#
# Table 1 of the manuscript holds the randomised trials published in the article's window. The supplement
# holds every study; it scrolls here, and is written beside the short one as HTML, CSV and Word.

# %%
coded = ["design", "population", "age_group", "setting", "modality", "structure"]
names = {column: labels(column) for column in [*coded, "condition_arm2", "helper_experience"]}
names |= {item: labels("yes_no") for item in book["reporting_items"]}
names["source_type"] = labels("source_type")
characteristics = desc.characteristics(studies, counts, names, list(book["reporting_items"]))
write_table(characteristics, "tables/characteristics.csv")

# %%
main = characteristics["report_of"].isna() & characteristics["year"].between(window_start, window_end)
main &= characteristics["design_family"].eq("randomised")
table_1 = pub.PublicationTable(
    name="table1_trials",
    title=f"Table 1. Randomised trials of peer support, {window_start} to {window_end}",
    body=pub.characteristics_body(characteristics[main], full=False),
    group="Population",
    notes=pub.CHARACTERISTICS_NOTES,
)
supplement = pub.PublicationTable(
    name="tableS1_studies",
    title="Table S1. All included studies",
    body=pub.characteristics_body(characteristics, full=True),
    group="Population",
    notes=pub.CHARACTERISTICS_NOTES,
)
for table in (table_1, supplement):
    write_document(table.page(), f"tables/{table.name}.html")
    write_document(table.word(), f"tables/{table.name}.docx")
    write_table(table.body, f"tables/{table.name}.csv")

# %%
supplement.fragment(height="420px")

# %%
Markdown(f"Table 1 holds {main.sum()} trials, Table S1 all {len(characteristics)} studies.")

# %% [markdown]
# ## Summary by population and by delivery
#
# Studies are counted as n (%) of all studies; participants, age, share of women and duration as median and quartiles
# over the studies that state them, whose number is in square brackets.

# %%
by_population = desc.summary_by(studies, counts, "population", labels("population"))
by_delivery = desc.summary_by(studies, counts, "modality", labels("modality"))
write_table(by_population, "tables/summary_by_population.csv")
write_table(by_delivery, "tables/summary_by_delivery.csv")
stacked = pub.stack_summaries(by_population, by_delivery)
table_2 = pub.PublicationTable(
    name="table2_summary",
    title="Table 2. Included studies by population and by delivery",
    body=pub.summary_body(stacked, {"population": "Population", "modality": "Delivery", "all": "All"}),
    group="Grouping",
    notes=pub.SUMMARY_NOTES,
)
write_document(table_2.page(), "tables/table2_summary.html")
write_document(table_2.word(), "tables/table2_summary.docx")
write_table(table_2.body, "tables/table2_summary.csv")
table_2.fragment()

# %%
largest = by_population.iloc[:-1].nlargest(2, "studies")
unknown = by_delivery.set_index("level").loc["nr"]
Markdown(
    "The largest groups are "
    + " and ".join(f"{r.label.lower()} ({r.studies}; {r.share:.0%})" for r in largest.itertuples())
    + f". How peer support was delivered is not reported in {unknown.studies} studies ({unknown.share:.0%})."
)

# %% [markdown]
# ## Population by delivery
#
# Which population was offered peer support in which way. A dot is a combination that no study examined.

# %%
population = labels("population")
delivery = {**labels("modality"), **desc.NOT_REPORTED}
crossed = desc.cross_count(studies, "population", "modality", list(population), list(delivery))
figure, axes = style.new_figure(style.PAGE, 95)
draw.count_grid(axes, crossed, population, delivery)
empty = int((crossed["studies"] == 0).sum())
sentence = f"{empty} of {len(crossed)} combinations of population and delivery hold no study"
picture = write_figure(
    figure,
    "02_population_by_delivery",
    notebook=here,
    title="Studies by population and delivery",
    alt_text=f"Circles sized by count; {sentence}.",
)
display(picture)
Markdown(f"{sentence}.")

# %% [markdown]
# ## Time
#
# The upper panel marks the article's window, the lower one the years of the pandemic, in which services
# moved to video and telephone.

# %%
year_design = desc.by_year(studies, "design_family", list(labels("design_family")))
year_delivery = desc.by_year(studies, "modality", list(delivery))
write_table(year_design, "tables/studies_by_year_design.csv")
write_table(year_delivery, "tables/studies_by_year_delivery.csv")
window = (window_start, window_end, "Article's window")
pandemic = (pandemic_start, pandemic_end, "Pandemic")

# %%
figure, (top, bottom) = style.new_figure(style.PAGE, 130, 2, 1)
draw.stacked_years(top, year_design, labels("design_family"), style.DESIGN_FAMILY, style.DESIGN_FAMILY_HATCH, window)
draw.stacked_years(bottom, year_delivery, delivery, style.MODALITY, style.MODALITY_HATCH, pandemic)
top.set_title("A  By design")
bottom.set_title("B  By delivery")
inside = studies["year"].between(window_start, window_end).sum()
text = f"{inside} of {len(studies)} studies were published from {window_start} to {window_end}"
write_figure(
    figure,
    "02_studies_by_year",
    notebook=here,
    title="Studies by year, design and delivery",
    alt_text=f"Stacked bars by year; {text}.",
)

# %%
remote = over_time.remote_share(studies, book["remote_delivery"], pandemic_start, pandemic_end, window_end)
write_table(remote, "tables/remote_delivery_by_period.csv")
periods = "; ".join(
    f"{r.period}: {r.remote} of {r.of} ({r.share:.0%}, 95% CI {r.ci_low:.0%} to {r.ci_high:.0%})"
    for r in remote.itertuples()
)
differences = " and ".join(
    f"{r.difference * 100:.0f} points (95% CI {r.difference_low * 100:.0f} to {r.difference_high * 100:.0f})"
    for r in remote.iloc[1:].itertuples()
)
Markdown(
    f"{text}; those whose page carries no date ({studies['year'].isna().sum()}) stand at the right. Digital, telephone "
    "or "
    f"hybrid delivery, among the studies that report their delivery: {periods}. The differences to the first period "
    "are "
    f"{differences}."
)

# %% [markdown]
# ## Place
#
# Randomised trials by country. A trial with sites in several countries counts in each; its participants cannot be
# shared out between countries and are left out of the circles. Income groups are the World Bank's
# (`data/reference/`).

# %%
countries = read_reference("countries.csv")
places = by_country(randomised)
income = by_income(randomised, countries)
write_table(places, "tables/trials_by_country.csv")
write_table(income, "tables/trials_by_income.csv")
figure = draw.map_and_income(places, countries, income, world.world_map)
name = countries.set_index("country")["name"]
sentence = (
    f"of {places['country'].count()} countries with a randomised trial, {name[places.iloc[0].country]} has the most: "
    f"{places.iloc[0].trials} of {len(randomised)} have a site there"
)
write_figure(
    figure,
    "02_world_map",
    notebook=here,
    title="Randomised trials by country and income group",
    alt_text=f"World map; {sentence}.",
)

# %%
row = income.set_index("income_group").loc["high"]
several = int(randomised["country"].str.contains(";", na=False).sum())
Markdown(
    f"{sentence[0].upper() + sentence[1:]}. {row.trials} of {row.of} trials with a stated country ({row.share:.0%}) "
    "come from high-income "
    f"countries alone; {several} trials had sites in several countries."
)

# %% [markdown]
# ## How the intervention is reported
#
# Five items after TIDieR. The share is that of the studies whose source says yes. The fidelity index that notebook 04
# uses is defined in `peersupport.describe.fidelity.fidelity_index` and written here: one point each for training,
# supervision, a manual and a measurement of fidelity; once blank as soon as an item is not reported, once with such
# an item at 0.

# %%
reporting = fidelity.reporting(studies, book["reporting_items"], labels("design_family"))
write_table(reporting, "tables/reporting.csv")
indices = fidelity.fidelity_table(studies, book["fidelity_items"])
write_table(indices, "tables/fidelity_index.csv")
families = {"all": "All studies", **labels("design_family")}
families.pop("nr")  # too few to show; in the table
figure, axes = style.new_figure(style.PAGE, 100)
draw.reporting_dots(axes, reporting, book["reporting_items"], families)
figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
every = reporting[reporting["design_family"] == "all"].set_index("item")
text = "; ".join(
    f"{book['reporting_items'][item].lower()} {row.yes} ({row.share:.0%})" for item, row in every.iterrows()
)
write_figure(
    figure,
    "02_reporting",
    notebook=here,
    title="Reporting of the intervention",
    alt_text=f"Dots with intervals, of {len(studies)} studies: {text}.",
)

# %%
complete = indices["fidelity_index"].notna().sum()
Markdown(
    f"Of {len(studies)} studies: {text}. All four items of the index are answered in {complete} of them; counting what "
    "is "
    f"not reported as 0, the index is 0 in {(indices['fidelity_index_absent'] == 0).sum()} and 4 in "
    f"{(indices['fidelity_index_absent'] == 4).sum()}. The answers are mostly yes or not reported: an explicit no is "
    f"given {every['no'].sum()} times."
)

# %% [markdown]
# ## Risk of bias in the trials
#
# The overall judgement follows RoB 2: high where any domain is high or several raise some concerns, low where all are
# low. A domain without information counts neither as low nor as a concern; it leaves the overall judgement open
# unless the other domains already make it high. Where the open database appraised a trial, its judgement stands. The
# trials in bold enter a pooled outcome of notebook 03.

# %%
appraisal = read_table("appraisal.csv")
judged = apr.risk_of_bias(appraisal, rob2_several_concerns)
write_table(judged, "tables/risk_of_bias.csv")
judgements = labels("judgement")
domains = {**labels("rob2"), "overall": "Overall"}
shown = judged[judged["study"].isin(randomised["study"]) & (judged["tool"] == "rob2")]
people = randomised.set_index("study")["participants"]
shown = shown.assign(participants=shown["study"].map(people))
joined = {**book["recovery_types"], **book["unions"]}
single = [d for d in models.domains(read_table("effects.csv"), minimum_trials, book) if d.name not in joined]
weights = models.trial_weights(single, models.Settings(within_trial_correlation, minimum_trials))
pooled = apr.in_pooled_outcomes(weights, judged)
figure = lights.traffic_lights(shown, domains, judgements, bold=set(weights["study"]))
overall = shown[shown["domain"] == "overall"].set_index("study")["judgement"]
text = "; ".join(f"{label.lower()} {(overall == code).sum()}" for code, label in judgements.items())
write_figure(
    figure,
    "02_risk_of_bias_trials",
    notebook=here,
    title="Risk of bias of each randomised trial (RoB 2)",
    alt_text=f"Traffic lights for {len(overall)} trials; overall: {text}.",
)

# %% [markdown]
# Summary by domain, each trial weighted by its participants, and the overall judgement of the trials in each pooled
# outcome, each trial with its weight in the main model of notebook 03. A study appraised with another tool enters with
# that tool's overall judgement and with the domains that both tools have.

# %%
by_domain = apr.judgement_shares(shown, weight="participants")
summary = apr.pooled_summary(pooled, apr.judgement_shares(shown), by_domain)
write_table(summary, "tables/risk_of_bias_summary.csv")
in_pool = pooled[pooled["domain"] == "overall"]
in_pool = in_pool.assign(outcome=in_pool["outcome_domain"] + "|" + in_pool["family"])
k = in_pool.groupby("outcome")["trial"].nunique()
pool_names = lights.pool_names(k, outcome_labels(book))
by_outcome = apr.judgement_shares(in_pool, by="outcome", weight="weight")
weighted = int(shown.loc[shown["domain"] == "overall", "participants"].notna().sum())
judged = read_table("agreement.csv").query("sheet == 'appraisal'").set_index("column")
coders = judged.loc["judgement"]
agreed = judged.kappa.drop("judgement").map("κ = {:.2f}".format)

# %%
kappa = f"κ: agreement of the two coders; all domains {coders.kappa:.2f}"
trials_axis = f"Share of the participants of {weighted} trials ({kappa})"
by_trial = ("A  All randomised trials, by domain", trials_axis, by_domain, domains, agreed)
weight_axis = "Share of the weight in the meta-analysis"
by_pool = ("B  Overall judgement in each pooled outcome", weight_axis, by_outcome, pool_names, k.map("k = {}".format))
figure = lights.summary_bars([by_trial, by_pool], judgements, 150)
write_figure(
    figure,
    "02_risk_of_bias_summary",
    notebook=here,
    title="Risk of bias by domain and by pooled outcome",
    alt_text=f"Stacked bars to 100%; of {len(overall)} trials overall: {text}.",
)

# %%
figure = lights.bars_by_outcome(summary, pool_names, k, domains, judgements)
highest = in_pool.assign(high=in_pool["judgement"] == "high").groupby("outcome")["high"].mean()
span = f"from {highest.min():.0%} to {highest.max():.0%} of the trials of a pooled outcome are at high risk overall"
write_figure(
    figure,
    "02_risk_of_bias_outcomes",
    notebook=here,
    title="Risk of bias by domain in each pooled outcome",
    alt_text=f"Stacked bars to 100% for {len(k)} pooled outcomes; {span}.",
)

# %%
database = apr.agreement_with_database(appraisal)
write_table(database, "tables/risk_of_bias_agreement.csv")
strict = apr.risk_of_bias(appraisal, rob2_several_concerns + 1).query("domain == 'overall'")
strict = strict[strict["study"].isin(overall.index)]
Markdown(
    f"Overall risk of bias of {len(overall)} trials: {text}; {span}. Of the {len(randomised)} randomised trials "
    f"{len(randomised) - len(overall)} was appraised with another tool. Were 'several' {rob2_several_concerns + 1} "
    "domains or more, "
    f"{(strict['judgement'] == 'high').sum()} would be high. The two coders agreed on {coders.agree:.0%} of "
    f"{coders.n:.0f} "
    f"judgements (kappa {coders.kappa:.2f}, 95% CI {coders.kappa_low:.2f} to {coders.kappa_high:.2f}); with the "
    "database's "
    f"raters they agreed on {database['same'].sum()} of {database['n'].sum()}, or {database['same_informed'].sum()} of "
    "the "
    f"{database['both_informed'].sum()} for which both found information."
)

# %% [markdown]
# ## Appraisal of the qualitative studies
#
# The ten questions of CASP. CASP gives no overall score, and none is made here.

# %%
casp = appraisal[appraisal["tool"] == "casp_qual"]
casp_shares = apr.judgement_shares(casp)
write_table(casp_shares, "tables/casp_summary.csv")
assessed = casp["study"].nunique()
figure = lights.summary_bars(
    [("", f"Share of {assessed} studies", casp_shares, labels("casp_qual"), None)], apr.CASP_LABEL, 85
)

# %%
open_question = casp_shares.query("judgement == 'no_information'").nlargest(1, "share").iloc[0]
sentence = (
    f"{labels('casp_qual')[open_question.domain]} could not be judged in {open_question.studies} of {assessed} studies "
    f"({open_question.share:.0%}), more often than any other question"
)
picture = write_figure(
    figure,
    "02_casp_summary",
    notebook=here,
    title="Appraisal of qualitative studies (CASP)",
    alt_text=f"Stacked bars to 100% by question; {sentence}.",
)
display(picture)
Markdown(f"{sentence}.")

# %%
figure = lights.traffic_lights(casp, labels("casp_qual"), apr.CASP_LABEL)
write_figure(
    figure,
    "02_casp_studies",
    notebook=here,
    title="Appraisal of each qualitative study (CASP)",
    alt_text=f"Traffic lights for {assessed} qualitative and mixed-methods studies; {sentence}.",
)

# %% [markdown]
# ## Evidence gap maps
#
# Which outcomes randomised trials measured, in whom and by which delivery. The area of a circle is the number of
# participants, its sectors the trials by overall risk of bias, the number that of the trials; a cross is a gap.

# %%
measured = labels("outcome_domain")
overall_by_trial = overall.rename(randomised.set_index("study")["trial"])
maps = [
    desc.evidence_gap_map(outcomes, randomised, overall_by_trial, axis, list(levels), list(measured))
    for axis, levels in (("population", population), ("modality", delivery))
]
write_table(pd.concat(maps), "tables/evidence_gap_map.csv")
for table, levels, name, what in zip(
    maps, (population, delivery), ("population", "delivery"), ("population", "delivery"), strict=True
):
    figure = draw.gap_map(table, measured, levels, judgements, 165)
    gaps = int((table["trials"] == 0).sum())
    picture = write_figure(
        figure,
        f"02_gap_map_{name}",
        notebook=here,
        title=f"Evidence gap map: outcome by {what}",
        alt_text=f"Circles by outcome and {what}; {gaps} of {len(table)} cells hold no randomised trial.",
    )
    display(picture)

# %%
gaps = [int((table["trials"] == 0).sum()) for table in maps]
fullest = maps[0].nlargest(1, "trials").iloc[0]
Markdown(
    f"{gaps[0]} of {len(maps[0])} cells of outcome by population and {gaps[1]} of {len(maps[1])} of outcome by "
    "delivery hold "
    f"no randomised trial. The fullest cell is {measured[fullest.outcome_domain].lower()} in "
    f"{population[fullest.level].lower()}: {fullest.trials} trials, {fullest.participants:,.0f} participants."
)
