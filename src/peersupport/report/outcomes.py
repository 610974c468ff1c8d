"""A page for each outcome: answer, trials, models, moderators, risk of bias, rows left out; and what a study enters."""

from functools import cache

import pandas as pd
from markupsafe import Markup

from peersupport.conclude.grade import DOMAINS, LEVEL_LABELS
from peersupport.effects.pools import pools
from peersupport.pool.models import model_labels
from peersupport.report.answers import (
    answers,
    counted,
    direction_of,
    effect_words,
    interval_words,
    outcome_labels_of_book,
    settings,
    window_words,
)
from peersupport.report.html import block, contents, filled, in_markdown, said, table
from peersupport.report.pictures import figure
from peersupport.store.codebook import codebook
from peersupport.store.tables import read_table

PICTURES = {
    "03_forest_{}": "Forest plot",
    "03_page_{}": "Models, influence and small-study effects",
    "06_curve_{}": "Every defensible analysis",
    "04_subgroups_whom_{}": "For whom and where",
    "04_subgroups_how_{}": "How delivered and supported",
    "04_bubbles_{}": "Slopes",
}
ABSENT = "_absent"


class Outcomes:
    """The stored tables by outcome; `names`: file name of each study, `pictures`: the site's figures."""

    def __init__(self, names, pictures):
        self.names, self.pictures = names, pictures
        self.answers, self.labels = answers(), outcome_labels_of_book()
        read = ("effects", "outcomes", "exclusions", "studies")
        self.tables = {name: read_table(f"{name}.csv") for name in read}
        tables = ("influence", "pooled_outcomes", "subgroups", "meta_regression", "risk_of_bias", "effect_direction")
        self.tables |= {name: read_table(f"tables/{name}.csv") for name in tables}
        chosen = self.tables["effects"][self.tables["effects"]["selected"]]
        members = {(pool.name, pool.family): pool.rows for pool in pools(chosen, codebook())}
        self.pools = {slug: self.pool(one, members[one.name, one.family]) for slug, one in self.answers.items()}

    def pool(self, one, members):
        """members: the effects that can be pooled. Those of the main model, with their trial's weight in percent."""
        influence = self.tables["influence"]
        own = influence["outcome_domain"].eq(one.name) & influence["family"].eq(one.family)
        weights = influence[own].set_index("trial")["hat"]
        rows = members[members["trial"].isin(weights.index)]
        return rows.assign(weight=100 * rows["trial"].map(weights))

    def belongs(self, name, rows):
        """Which rows are of this outcome, or of the union or the type of recovery of this name."""
        book = codebook()
        if name in book["recovery_types"]:
            return rows["outcome_domain"].isin(book["recovery_types"][name])
        return rows["outcome_domain"].isin(domains_of(name, book))

    def domains_without_pool(self):
        """Outcome domains with rows that no pool of their own name takes, in the codebook's order."""
        told = set(self.tables["outcomes"]["outcome_domain"])
        pooled = {one.name for one in self.answers.values()}
        return [name for name in codebook()["codes"]["outcome_domain"] if name in told - pooled]

    def slugs_of(self, name):
        """The pages on an outcome: of its pools, or the one that says why there is none."""
        found = [slug for slug, one in self.answers.items() if one.name == name]
        return found or ([name] if name in self.domains_without_pool() else [])

    # ------------------------------------------------------------ links

    def study_link(self, study, place="../"):
        if study not in self.names:
            return study
        return Markup('<a href="{}studies/{}.html">{}</a>').format(place, self.names[study], study)

    def link(self, name, words=None, place="../"):
        """A link to the page of an outcome by its name; its label where there is none."""
        words = words or self.labels.get(name, name)
        slugs = self.slugs_of(name)
        return outcome_link(slugs[0], words, place) if slugs else words

    # ------------------------------------------------------------ pages

    def pages(self):
        found = {f"outcomes/{slug}.md": self.page(slug, one) for slug, one in self.answers.items()}
        found |= {f"outcomes/{name}.md": self.page_without_pool(name) for name in self.domains_without_pool()}
        return found | {"outcomes/index.md": self.index()}

    def index(self):
        titles = {slug: one.label for slug, one in self.answers.items()}
        titles |= {name: self.labels[name] for name in self.domains_without_pool()}
        without = [
            {
                "Outcome": outcome_link(name, self.labels[name], "../"),
                "Answer": "not pooled: " + self.why_no_pool(name),
                "Trials that tell a direction": self.direction(name),
            }
            for name in self.domains_without_pool()
        ]
        return "\n".join(
            [
                "# Outcomes\n",
                "Each outcome has a page with its answer, its trials and what was left out, with the reason.\n",
                block(answers_table(self.answers, "../")),
                "## Too few trials to pool\n" if without else "",
                block(table(without, "Outcomes with too few trials to pool")) if without else "",
                contents(titles),
            ]
        )

    def page(self, slug, one):
        pool = self.pools[slug]
        sections = {
            "How sure": table(certainty_rows(one.finding), f"Certainty of {one.label}") if one.finding else "",
            "Trials": table(self.trial_rows(one, pool), f"Trials of {one.label}"),
            "Does the answer depend on the model": table(self.model_rows(one), f"Models of {one.label}"),
            "For whom, and how delivered": self.moderators(one),
            "Risk of bias of its trials": self.bias(pool),
            "What was left out, and why": self.left_out(one.name, pool),
        }
        return "\n".join(
            [
                f"# {in_markdown(one.label)}\n",
                block(Markup('<p class="up"><a href="index.html">All outcomes</a></p>')),
                block(Markup('<p class="lead">{}</p>').format(answer_sentence(one))),
                block(limits("../")),
                block(self.picture("03_forest_{}", slug, one.name)),
                block(self.claims_about(one.name)),
                *(f"## {name}\n\n{block(html)}" for name, html in sections.items() if html),
                *self.more_pictures(slug, one.name),
            ]
        )

    def page_without_pool(self, name):
        label = self.labels[name]
        return "\n".join(
            [
                f"# {in_markdown(label)}\n",
                block(Markup('<p class="up"><a href="index.html">All outcomes</a></p>')),
                block(
                    Markup('<p class="lead">{}: not pooled alone, as {}. {} {}</p>').format(
                        label, self.why_no_pool(name), self.unions_with(name), self.direction_sentence(name)
                    )
                ),
                block(limits("../")),
                block(self.claims_about(name)),
                self.effects_there_are(name),
                "## What gives no effect, and why\n",
                block(self.left_out(name, self.tables["effects"][:0]) or "<p>Nothing.</p>"),
            ]
        )

    def effects_there_are(self, name):
        effects = self.tables["effects"]
        own = effects[effects["outcome_domain"].eq(name) & effects["selected"]]
        if own.empty:
            return ""
        rows = [self.effect_row(row) for row in own.to_dict("records")]
        return f"## Effects that there are\n\n{block(table(rows, f'Effects on {self.labels[name]}'))}"

    def unions_with(self, name):
        """Where the trials of an outcome are pooled together with those of others."""
        book = codebook()
        wider = [kind for kind, names in book["recovery_types"].items() if name in names]
        wider += [union for union, about in book["unions"].items() if name in about["domains"]]
        links = Markup(", ").join(
            outcome_link(slug, one.label, "../") for slug, one in self.answers.items() if one.name in wider
        )
        return Markup("Together with other outcomes it is pooled in: {}.").format(links) if links else ""

    def why_no_pool(self, name):
        effects = self.tables["effects"]
        trials = effects[effects["outcome_domain"].eq(name) & effects["selected"]]["trial"].nunique()
        return f"{counted(trials, 'trial')} with a figure that can be pooled {'is' if trials == 1 else 'are'} too few"

    def direction(self, name):
        votes = self.tables["effect_direction"].set_index("outcome_domain")
        if name not in votes.index:
            return "none"
        row = votes.loc[name]
        return (
            f"{row['favours_arm1']:.0f} of {row['trials']:.0f} favour peer support "
            f"({row['share']:.0%}; 95% interval {row['ci_low']:.0%} to {row['ci_high']:.0%})"
        )

    def direction_sentence(self, name):
        told = self.direction(name)
        if told == "none":
            return "No randomised trial tells a direction."
        return (
            f"Of the randomised trials that tell a direction, {told}; the others found no difference or the reverse. "
            "No size of effect follows from that, and certainty is not rated."
        )

    # ------------------------------------------------------------ parts of a page

    def claims_about(self, name):
        found = [
            Markup('<a href="../claims.html#{}">{}</a>').format(claim.lower(), claim)
            for claim in ledger_by_claim().index
            if name in outcomes_named(claim)
        ]
        if not found:
            return Markup("")
        return Markup("<p>Claims of the article that rest on it: {}.</p>").format(Markup(", ").join(found))

    def trial_rows(self, one, pool):
        ordered = pool.sort_values(["weight", "study"], ascending=[False, True], kind="stable")
        return [
            self.effect_row(row, one.event) | {"Weight of the trial": (row["weight"], f"{row['weight']:.1f}%")}
            for row in ordered.to_dict("records")
        ]

    def effect_row(self, row, event=None):
        event = event_of(row) if event is None else event
        return {
            "Study": self.study_link(row["study"]),
            "Effect": (row["effect"], effect_words(row["effect"], row["family"], event)),
            "95% interval": (row["ci_low"], interval_words(row["ci_low"], row["ci_high"], row["family"], event)),
            "Year": said(row["year"]),
            "Outcome": self.labels.get(row["outcome_domain"], row["outcome_domain"]),
            "Instrument": row["instrument"],
            "Weeks": row["time_weeks"],
            "People": f"{row['n_arm1']:.0f} + {row['n_arm2']:.0f}" if pd.notna(row["n_arm1"]) else "",
        }

    def model_rows(self, one):
        pooled = self.tables["pooled_outcomes"]
        own = pooled[pooled["outcome_domain"].eq(one.name) & pooled["family"].eq(one.family)]
        if "event" in own and one.main.get("event") is not None:
            own = own[own["event"].fillna("").eq(one.event)]
        names = model_labels(settings())
        rows = [
            {
                "Model": names.get(row["model"], row["model"]),
                "Effect": (row["effect"], one.effect(row)),
                "95% interval": (row["ci_low"], one.interval(row)),
                "Expected in a new setting": (row["pi_low"], one.interval(row, "pi")),
                "Trials": row["trials"],
                "People": (row["n"], "" if pd.isna(row["n"]) else f"{row['n']:,.0f}"),
                "I² (share of spread beyond chance)": "" if pd.isna(row["i2"]) else f"{row['i2']:.0f}%",
                "Remark": said(row["note"]).replace("random_reml", "the model without Hartung-Knapp"),
            }
            for row in own.to_dict("records")
        ]
        return filled(rows)

    def moderators(self, one):
        groups = self.tables["subgroups"]
        own = groups[groups["outcome"].eq(one.name) & groups["family"].eq(one.family)]
        if own.empty:
            return Markup(
                "<p>Not looked at for this outcome alone; see the "
                '<a href="../notebooks/04_moderators.html">notebook on moderators</a>.</p>'
            )
        rows = [
            {
                "Grouped by": group_label(row["moderator"]),
                "Group": level_label(row["moderator"], row["level"]),
                "Effect": (row["effect"], one.effect(row)),
                "95% interval": (row["ci_low"], one.interval(row)),
                "Trials": row["k"],
                "Difference between groups": "" if pd.isna(row["p_between"]) else p_words(row["p_between"]),
                "Mind": said(row["warning"]).replace("_", " "),
            }
            for row in own.to_dict("records")
        ]
        return table(filled(rows), f"Subgroups of {one.label}")

    def bias(self, pool):
        risk = self.tables["risk_of_bias"]
        own = risk[risk["study"].isin(pool["study"])]
        if own.empty:
            return ""
        codes = codebook()["codes"]
        wide = own.pivot_table(index="study", columns="domain", values="judgement", aggfunc="first").fillna("")
        order = ["overall", *(name for name in wide.columns if name != "overall")]
        rows = [
            {"Study": self.study_link(study)}
            | {domain_label(name): codes["judgement"].get(row[name], row[name]) for name in order if name in wide}
            for study, row in wide.iterrows()
        ]
        return table(filled(rows), "Risk of bias of the pooled trials")

    def left_out(self, name, pool):
        """Rows of effects that are not selected, and of figures that give none."""
        effects, exclusions = self.tables["effects"], self.tables["exclusions"]
        kind = effects[~effects["row_id"].isin(pool["row_id"]) & self.belongs(name, effects)]
        rows = [
            {
                "Study": self.study_link(row["study"]),
                "Why": why_left_out(row),
                "Effect": (row["effect"], effect_words(row["effect"], row["family"], event_of(row))),
                "Outcome": self.labels[row["outcome_domain"]],
                "Row": row["row_id"],
            }
            for row in kind.to_dict("records")
        ]
        if name not in codebook()["recovery_types"]:
            for row in exclusions[self.belongs(name, exclusions)].to_dict("records"):
                rows.append(
                    {
                        "Study": self.study_link(row["study"]),
                        "Why": said(row["detail"]),
                        "Effect": "",
                        "Outcome": self.labels[row["outcome_domain"]],
                        "Row": row["row_id"],
                    }
                )
        return table(filled(rows), "Rows that do not enter the pooled result") if rows else ""

    def picture(self, pattern, slug, name):
        stem = next((s for s in (pattern.format(slug), pattern.format(name)) if s in self.pictures), None)
        return figure(self.pictures[stem], "../") if stem else Markup("")

    def more_pictures(self, slug, name):
        for pattern, heading in list(PICTURES.items())[1:]:
            drawn = self.picture(pattern, slug, name)
            if drawn:
                yield f"## {heading}\n\n{block(drawn)}"

    # ------------------------------------------------------------ for the page of a study

    def entered(self, study, trial):
        """The pooled results that a study's effects enter, with their weight; and the effects that enter none."""
        rows = []
        for slug, one in self.answers.items():
            pool = self.pools[slug]
            for row in pool[pool["study"].eq(study)].to_dict("records"):
                rows.append(
                    {
                        "Pooled result": outcome_link(slug, one.label, "../"),
                        "Weight of the trial": (row["weight"], f"{row['weight']:.1f}%"),
                        "Pooled": one.estimate(),
                        "This study's effect": effect_words(row["effect"], row["family"], one.event),
                        "Row": row["row_id"],
                    }
                )
        return rows

    def kept_out(self, effects):
        """Reason for each effect of a study that is in no pooled result."""
        inside = set().union(*(set(pool["row_id"]) for pool in self.pools.values()))
        return {row["row_id"]: why_left_out(row) for row in effects.to_dict("records") if row["row_id"] not in inside}


# ---------------------------------------------------------------- words


def outcomes_named(claim):
    """The outcomes that the rule of a claim names."""
    told = said(ledger_by_claim().loc[claim, "outcomes"])
    return [name for name in told.split("; ") if name]


@cache
def ledger_by_claim():
    return read_table("tables/claims.csv").set_index("claim_id")


def domains_of(name, book):
    """The outcome domains behind a domain, its events of the other direction, or a union."""
    if name in book["unions"]:
        return book["unions"][name]["domains"]
    return [name if name in book["codes"]["outcome_domain"] else name.rpartition("_")[0]]


def outcome_link(slug, words, place):
    return Markup('<a href="{}outcomes/{}.html">{}</a>').format(place, slug, words)


def event_of(row):
    told = row.get("event")
    return told if isinstance(told, str) else direction_of(row["outcome_domain"], row["family"])


def why_left_out(row):
    if not row["selected"]:
        return said(row["selection"])
    return "too few trials of its kind (scale or event) to pool"


def group_label(name):
    """A moderator's label, from the codebook's list of moderators or its own name in words."""
    groups = codebook()["moderators"].get("groups", {})
    base = name.removesuffix(ABSENT)
    about = groups.get(base, {})
    label = about.get("label") if isinstance(about, dict) else about
    label = label or base.replace("_", " ").capitalize()
    return f"{label}, not reported taken as no" if name.endswith(ABSENT) else label


def level_label(moderator, level):
    codes = codebook()["codes"]
    base = moderator.removesuffix(ABSENT)
    lists = {"risk_of_bias": "judgement"} | {
        column: about["codes"]
        for column, about in codebook()["sheets"]["studies"]["columns"].items()
        if "codes" in about
    }
    known = codes.get(lists.get(base, base), {})
    plain = {"no_or_nr": "no, or not reported", "nr": "Not reported"}
    return known.get(level) or plain.get(level) or said(level).replace("_", " ").capitalize()


def domain_label(name):
    codes = codebook()["codes"]
    known = next((codes[tool][name] for tool in ("rob2", "robins_i", "casp") if name in codes.get(tool, {})), None)
    return known or said(name).replace("_", " ").capitalize()


def p_words(p):
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def answer_sentence(one):
    """Size, interval, certainty, trials, and what it means for 1000 people."""
    where = {
        1: "The whole interval favours peer support.",
        -1: "The whole interval favours the comparator.",
        0: "The interval includes no difference.",
    }[one.favours]
    per = one.per_1000()
    expected = one.interval(which="pi")
    parts = [
        f"{one.label}: {one.estimate()} in {counted(one.main['trials'], 'trial')} with {one.main['n']:,.0f} people. "
        f"{where} Certainty: {one.level.lower()}.",
        f"In 1000 people: {per}." if per else "",
        f"Expected in a new setting: {expected}." if expected else "",
        f"In the article's years, {window_words()}: {one.in_window}.",
    ]
    return " ".join(filter(None, parts))


def limits(place):
    """Beside every answer: what keeps a reader from relying on it."""
    return Markup(
        '<p class="limits"><strong>Before relying on it:</strong> figures were read and judged by language models, '
        "not by people; most sources were seen as abstracts; {}. "
        '<a href="{}about.html#limits">All limits</a>.</p>'
    ).format(bias_words(), place)


@cache
def bias_words():
    """How many pooled trials are at low risk of bias, counted."""
    risk, effects = read_table("tables/risk_of_bias.csv"), read_table("effects.csv")
    pooled = set(effects[effects["selected"].astype(bool)]["study"])
    overall = risk[risk["domain"].eq("overall") & risk["study"].isin(pooled)]
    low = int(overall["judgement"].eq("low").sum())
    return (
        f"no trial that gives an effect is at low risk of bias (of {len(overall)} judged)"
        if not low
        else f"{low} of the {len(overall)} judged trials that give an effect {'is' if low == 1 else 'are'} "
        "at low risk of bias"
    )


def certainty_rows(finding):
    rows = []
    for domain, name in DOMAINS.items():
        authors = finding.get(f"{domain}_authors")
        step = finding[domain] if authors is None or pd.isna(authors) else authors
        rows.append(
            {
                "What lowers certainty": name,
                "Steps down": "none" if not step else f"{abs(step):.0f}",
                "Reason": said(finding.get(f"{domain}_authors_reason")) or said(finding[f"{domain}_reason"]),
            }
        )
    rows.append(
        {
            "What lowers certainty": "Certainty in all",
            "Steps down": LEVEL_LABELS[finding["certainty"]],
            "Reason": f"from {finding['start']} at the start, as most weight is "
            f"{'randomised' if finding['start'] == 'high' else 'not randomised'}",
        }
    )
    return rows


def answers_table(found, place):
    """The table of answers: columns that matter first, each cell with its unit."""
    rows = [
        {
            "Outcome": outcome_link(slug, one.label, place),
            "Effect (95% interval)": (one.main["effect"], one.estimate()),
            "Certainty": (list(LEVEL_LABELS.values()).index(one.level) if one.finding else -1, one.level),
            "In 1000 people": one.per_1000(),
            "Trials": one.main["trials"],
            "People": (one.main["n"], f"{one.main['n']:,.0f}"),
            f"{window_words()} (article's years)": one.in_window,
            "Expected in a new setting": (one.main["pi_low"], f"{one.unit} {one.interval(which='pi')}"),
        }
        for slug, one in found.items()
    ]
    return table(filled(rows), "Pooled effect and certainty of each outcome")
