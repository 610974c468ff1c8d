# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What helps and what hinders
#
# In how many studies each theme is reported, in whom and where, which themes come together, and what the outcomes say
# that could not be pooled. The themes are those of the codebook; a theme counts once per study. A theme that a source
# does not report may still have been there: a share is a share of reports, not of services.

# %% tags=["parameters"]
seed = 20261122
window_start = 2020
window_end = 2025
minimum_trials = 3
minimum_group = 10
soft_kappa = 0.6
bootstrap_draws = 2000
vote_majority = 0.7

# %%
import pandas as pd
from IPython.display import Markdown, display

from peersupport.describe import themes as thm
from peersupport.describe import votes as swim
from peersupport.describe.studies import NOT_REPORTED, one_per_trial, participants
from peersupport.figures import style, thematic
from peersupport.store.codebook import labels
from peersupport.store.pictures import write_figure
from peersupport.store.tables import read_table, write_table

style.use_style()
here = "05_thematic_frequency"
studies = read_table("studies.csv")
themes = read_table("themes.csv")
groups = labels("theme_group")
name = {theme: text for group in groups for theme, text in labels(group).items()}
codes = {group: list(labels(group)) for group in groups}
read_for_themes = studies[studies["source"] != "open_database"]
reported = thm.presence(themes[themes["kind"] == "primary"], read_for_themes["study"], codes)

# %%
Markdown(
    f"{len(reported)} primary studies were read for themes; {int(reported.any(axis=1).sum())} report one or more. The "
    f"{len(studies) - len(reported)} studies known from the open database alone carry no themes and are left out."
)

# %% [markdown]
# ## Frequency
#
# The main count is that of the primary studies. Reviews report what primary studies found before them and are counted
# beside, not within. Qualitative and quantitative studies are told apart, because an abstract of a trial has little
# room for barriers. Beside each theme stands the agreement of the two coders (Cohen's kappa before consensus): a
# frequency whose kappa is low is soft.

# %%
frequency = thm.theme_frequency(reported)
write_table(frequency, "tables/theme_frequency.csv")
kind = thm.source_kind(studies)
kinds = [code for code in thm.SOURCE_KINDS if code != "review"]
by_kind = thm.frequency_by(reported, kind, "source_kind", kinds)
reviews = thm.review_frequency(themes[themes["kind"] == "review"], codes)
by_kind = pd.concat([by_kind, reviews])
write_table(by_kind, "tables/theme_frequency_by_source.csv")
agreement = read_table("agreement.csv").query("sheet == 'themes'").set_index("column")
write_table(thm.with_agreement(frequency, agreement), "tables/theme_agreement.csv")

# %%
figure = thematic.frequency_page(
    frequency, by_kind, agreement["kappa"].to_dict(), name, groups, thm.SOURCE_KINDS, soft_kappa
)
barriers = frequency[frequency["theme_group"] == "barrier"]
ranking = ", ".join(f"{name[row.theme].lower()} ({row.studies})" for row in thm.commonest(barriers, 5).itertuples())
write_figure(
    figure,
    "05_theme_frequency",
    notebook=here,
    title="In how many studies each theme is reported",
    alt_text=f"Ranked dots by theme group, of {len(reported)} studies; commonest barriers: {ranking}.",
)

# %%
first = pd.concat(thm.commonest(part) for _, part in frequency.groupby("theme_group", sort=False))
soft = agreement.loc[[theme for theme in name if agreement["kappa"].get(theme, 1) < soft_kappa]]
Markdown(
    "Reported most often: "
    + "; ".join(
        f"among {groups[row.theme_group].lower()}, {name[row.theme].lower()} ({row.studies} of {row.of}, "
        f"{row.share:.0%}, "
        f"95% CI {row.ci_low:.0%} to {row.ci_high:.0%})"
        for row in first.itertuples()
    )
    + f". {len(soft)} of {len(name)} themes have a kappa below {soft_kappa}: "
    + ", ".join(f"{name[theme].lower()} ({row.kappa:.2f})" for theme, row in soft.iterrows())
    + "."
)

# %% [markdown]
# The same counts over the article's window, and with the reports of one trial joined.

# %%
by_study = studies.set_index("study")
dated = by_study["year"].between(window_start, window_end)
scopes = {
    "all": reported,
    "window": reported[dated.reindex(reported.index).to_numpy()],
    "one_per_trial": thm.one_per_trial(reported, by_study["trial"]),
}
other_counts = thm.frequency_sensitivity(scopes)
write_table(other_counts, "tables/theme_frequency_sensitivity.csv")
leaders = other_counts[other_counts["rank"] <= 5].query("theme_group == 'barrier'")
leaders = leaders.groupby("scope")["theme"].agg(set)
moved = {scope: len(leaders["all"] ^ found) for scope, found in leaders.items() if scope != "all"}
Markdown(
    f"In the window {len(scopes['window'])} studies remain; with reports joined there are "
    f"{len(scopes['one_per_trial'])} trials "
    f"or samples. Among the five most frequent barriers, {moved['window']} enter or leave in the window and "
    f"{moved['one_per_trial']} when reports are joined."
)

# %% [markdown]
# ## By population, delivery and setting
#
# The shade is the share of a group's studies, the number their count.

# %%
population, setting = labels("population"), labels("setting")
delivery = {**labels("modality"), **NOT_REPORTED}
groupings = {
    "population": (by_study["population"], population),
    "modality": (by_study["modality"].fillna("nr"), delivery),
    "setting": (by_study["setting"].fillna("nr"), {**setting, **NOT_REPORTED}),
}
tables = {
    grouping: thm.frequency_by(reported, series, grouping, list(levels))
    for grouping, (series, levels) in groupings.items()
}
write_table(pd.concat(tables.values()), "tables/theme_by_population.csv")

# %%
figure = thematic.share_heatmap([tables["population"]], [population], name, groups, ["Population"])
write_figure(
    figure,
    "05_themes_by_population",
    notebook=here,
    title="Themes by population",
    alt_text=f"Heat map of {len(name)} themes by {len(population)} populations with counts of studies.",
)

# %%
others = ["modality", "setting"]
figure = thematic.share_heatmap(
    [tables[grouping] for grouping in others],
    [thm.levels_present(tables[grouping], groupings[grouping][1]) for grouping in others],
    name,
    groups,
    ["Delivery", "Setting"],
)
write_figure(
    figure,
    "05_themes_by_delivery",
    notebook=here,
    title="Themes by delivery and setting",
    alt_text=f"Heat map of {len(name)} themes by delivery and setting with counts of studies.",
)

# %% [markdown]
# **Exploratory.** A test of difference per theme and grouping, over groups of enough studies: Pearson's chi-square
# where all expected counts reach 5, else the exact test; Holm's adjustment over the themes of a grouping; Cramér's V
# as effect size. No hypothesis was stated beforehand.

# %%
tests = pd.concat(
    thm.difference_tests(reported, series, grouping, minimum=minimum_group, seed=seed)
    for grouping, (series, _) in groupings.items()
)
write_table(tests, "tables/theme_tests.csv")
below = tests[tests["p_holm"] < 0.05].sort_values("cramers_v", ascending=False)
strongest = below.drop_duplicates("grouping")
Markdown(
    f"{len(below)} of {tests['p'].notna().sum()} exploratory tests stay below 0.05 after Holm's adjustment. The "
    "largest effect "
    "size in each grouping: "
    + "; ".join(
        f"{row.grouping}, {name[row.theme].lower()} (V = {row.cramers_v:.2f}, adjusted p = {row.p_holm:.3f})"
        for row in strongest.itertuples()
    )
    + "."
)

# %% [markdown]
# ## Which barriers come with which facilitators
#
# The Jaccard index is the share of studies with both among those with either; rows and columns with alike profiles
# stand next to each other. Themes come together partly because some sources say more than others.

# %%
pairs = thm.cooccurrence(reported, "barrier", "facilitator")
write_table(pairs, "tables/theme_cooccurrence.csv")
order = thm.hierarchical_order(pairs)
figure = thematic.pair_heatmap(pairs, order, name)
top = pairs.sort_values(["jaccard", "both"], ascending=False).head(3)
closest = "; ".join(
    f"{name[row.theme_a].lower()} with {name[row.theme_b].lower()} ({row.both} studies, Jaccard {row.jaccard:.2f}, "
    f"95% CI {row.ci_low:.2f} to {row.ci_high:.2f}, lift {row.lift:.1f})"
    for row in top.itertuples()
)
picture = write_figure(
    figure,
    "05_cooccurrence",
    notebook=here,
    title="Barriers by facilitators reported in the same studies",
    alt_text=f"Heat map; closest pairs: {closest}.",
)
display(picture)
Markdown(f"The closest pairs: {closest}.")

# %%
both = frequency[frequency["theme_group"].isin(["barrier", "facilitator"])]
chosen = thm.commonest(both, 10)["theme"].to_list()
combined = thm.combinations(reported, chosen)
figure = thematic.upset(combined, name, smallest=2)
alone = combined[combined.index.to_frame().sum(axis=1).to_numpy() == 1].sum()
sentence = (
    f"{combined.sum()} studies report one or more of the {len(chosen)} commonest barriers and "
    f"facilitators, {alone} of them just one"
)
picture = write_figure(
    figure,
    "05_upset",
    notebook=here,
    title="Commonest combinations of barriers and facilitators",
    alt_text=f"UpSet plot of combinations reported by two studies or more; {sentence}.",
)
display(picture)
Markdown(f"{sentence}.")

# %% [markdown]
# ## The barriers that the review names
#
# The abstract of the review names four primary challenges: role uncertainty, the well-being of the workers, stigma
# among staff, and missing cost evidence. Here is the ranking that the data give; the intervals come from drawing the
# studies anew, reports of one trial together. Themes reported equally often share the better rank.

# %%
claimed = ["role_ambiguity", "worker_wellbeing", "staff_stigma", "cost_evidence_gap"]
barrier_ranks = thm.ranks(reported, "barrier", by_study["trial"], top=5, draws=bootstrap_draws, seed=seed)
write_table(barrier_ranks, "tables/barrier_ranks.csv")
figure, axes = style.new_figure(style.PAGE, 85)
thematic.rank_dots(axes, barrier_ranks, name, claimed, top=5)
named = barrier_ranks.set_index("theme").loc[claimed]
text = "; ".join(
    f"{name[row.Index].lower()} rank {row.rank} (95% interval {row.rank_low:g} to {row.rank_high:g}, {row.studies} "
    "studies)"
    for row in named.itertuples()
)
write_figure(
    figure,
    "05_barrier_ranks",
    notebook=here,
    title="Rank of each barrier",
    alt_text=f"Ranks with bootstrap intervals; of the four that the review names: {text}.",
)

# %%
inside = int((named["rank"] <= 5).sum())
leaders = thm.commonest(barrier_ranks)
most = " and ".join(f"{name[row.theme].lower()} ({row.studies} of {row.of} studies)" for row in leaders.itertuples())
Markdown(
    f"Of the {len(claimed)} barriers that the review names, {inside} are among the five most frequent: {text}. Most "
    f"frequent: {most}."
)

# %% [markdown]
# ## Outcomes that could not be pooled
#
# Most outcome rows state only a direction. Each randomised trial has one vote per outcome domain, by the sign of its
# effect where there is one and else by what the source concludes; trials that enter a pooled estimate of notebook 03
# are left out. A sign and a conclusion are different things and are counted apart. Of a trial under "neither" the
# source says only that the arms did not differ. Its direction is unknown, not absent: counting directions of reported
# differences alone would be counting significance. The share therefore has two bounds: all of these trials against
# peer support, all in favour of it. A sign test is made of signs alone.

# %%
outcomes, effects = read_table("outcomes.csv"), read_table("effects.csv")
counts = participants(studies, outcomes)
trials = one_per_trial(studies, counts)
randomised = trials[trials["design_family"].eq("randomised")].set_index("trial")
rows = swim.row_directions(outcomes, effects)
votes = swim.trial_directions(rows[rows["trial"].isin(randomised.index)], vote_majority)
unpooled = swim.not_pooled(votes, effects, minimum_trials)
unpooled["participants"] = unpooled["trial"].map(randomised["participants"])
direction = swim.count_votes(unpooled)
other_choices = swim.sensitivity(votes, unpooled)
by_kind_of_vote = other_choices.groupby(["scope", "kind"])[["favours_arm1", "neither", "favours_arm2"]].sum()
write_table(direction, "tables/effect_direction.csv")
write_table(other_choices, "tables/effect_direction_sensitivity.csv")
write_table(votes, "tables/effect_direction_votes.csv")

# %%
favours = {"arm1": "Favours peer support", "neither": "No difference stated", "arm2": "Favours comparator"}
domain = labels("outcome_domain")
figure = thematic.direction_plot(unpooled, direction, domain, favours)
total = direction[["favours_arm1", "neither", "favours_arm2", "trials"]].sum()
text = (
    f"of {total.trials} trial results outside the pooled estimates, {total.favours_arm1} favour peer support, "
    f"{total.neither} find no difference and {total.favours_arm2} favour the comparator"
)
write_figure(
    figure,
    "05_effect_direction",
    notebook=here,
    title="Direction of effect where outcomes could not be pooled",
    alt_text=f"Effect-direction plot by outcome domain; {text}.",
)

# %%
above, below = direction[direction["ci_low"] > 0.5], direction[direction["ci_high_upper"] < 0.5]
signs, conclusions = ("/".join(map(str, by_kind_of_vote.loc[("all", kind)])) for kind in ("signs", "conclusions"))
known = by_kind_of_vote.loc[("all", "signs")]
Markdown(
    f"By outcome domain: {text}. Even with all trials without a difference counted against it, the interval of the "
    f"share lies above one half in {len(above)} of {len(direction)} domains"
    + (": " + ", ".join(domain[code].lower() for code in above["outcome_domain"]) if len(above) else "")
    + f"; with all of them counted in favour it lies below one half in {len(below)}. Pooled trials among them, the "
    f"votes (for peer support, neither, for the comparator) are {signs} from signs and {conclusions} from conclusions. "
    f"Where the sign of an effect is known, {known.favours_arm1} of {known.sum()} trial results "
    f"({known.favours_arm1 / known.sum():.0%}) favour peer support."
)
