"""A page for each study with everything known about it, and the index of them all."""

import re
import unicodedata

from markupsafe import Markup

from peersupport.report.answers import effect_words, interval_words
from peersupport.report.html import block, doi_link, filled, in_markdown, link, pairs, said, table
from peersupport.report.outcomes import event_of
from peersupport.store.codebook import codebook
from peersupport.store.tables import read_reference, read_table

CHARACTERISTICS = {
    "design": "Design",
    "country": "Country",
    "population": "Population",
    "age_group": "Age group",
    "setting": "Setting",
    "modality": "Delivery",
    "structure": "Format",
    "condition_arm1": "Peer support",
    "condition_arm2": "Comparator",
    "n_randomised": "People randomised",
    "n_arm1": "People with peer support",
    "n_arm2": "People with the comparator",
    "mean_age": "Mean age, years",
    "percent_women": "Women, %",
    "duration_weeks": "Duration, weeks",
    "sessions": "Sessions",
    "followup_weeks": "Last follow-up, weeks",
    "helper_experience": "Experience that helpers share",
    "peer_training": "Helpers trained",
    "supervision": "Helpers supervised",
    "manualised": "Manual or curriculum",
    "fidelity_assessed": "Fidelity assessed",
    "coproduced": "Coproduced",
    "registration": "Registration",
    "source_type": "Source seen",
    "note": "Note",
}
PRINTED = {
    "outcome_type": "Kind of figure",
    "contrast": "Contrast",
    "higher_is_better": "Higher is better",
    "mean_arm1": "Mean, peer support",
    "sd_arm1": "SD, peer support",
    "n_arm1": "n, peer support",
    "mean_arm2": "Mean, comparator",
    "sd_arm2": "SD, comparator",
    "n_arm2": "n, comparator",
    "event_arm1": "Events, peer support",
    "totaln_arm1": "Of, peer support",
    "event_arm2": "Events, comparator",
    "totaln_arm2": "Of, comparator",
    "measure": "Measure",
    "effect": "Effect",
    "ci_low": "CI low",
    "ci_high": "CI high",
    "se": "SE",
    "p_operator": "p is",
    "p_value": "p",
    "positive_favours": "Positive favours",
    "favours": "The source favours",
    "locator": "Where in the source",
    "note": "Note",
}


def pages(outcomes):
    """Path to text for the index and each study; outcomes: report.outcomes.Outcomes."""
    book = codebook()
    countries = read_reference("countries.csv").set_index("country")["name"]

    def label(sheet, row, column):
        return labelled(sheet, row, column, book, countries)

    studies, names = outcomes.tables["studies"], outcomes.names
    tables = {
        name: read_table(f"{name}.csv")
        for name in ("effects", "outcomes", "provenance", "exclusions", "appraisal", "themes")
    }
    counts = tables["effects"].groupby("study").size()
    found = {"studies/index.md": studies_page(studies, counts, names, label)}
    for study, parts in in_parts(tables, studies):
        found[f"studies/{names[study['study']]}.md"] = study_page(study, parts, outcomes, label)
    return found


def slugs(names):
    """A file name for each study; two studies never share one, and none leads out of its folder."""
    found = {}
    taken = {"index"}
    for name in names:
        letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        stem = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:80] or "study"
        free = (stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3)))
        found[name] = next(one for one in free if one not in taken)
        taken.add(found[name])
    return found


def in_parts(tables, studies):
    """For each study its rows of every table."""
    groups = {name: dict(list(rows.groupby("study"))) for name, rows in tables.items()}
    trials = dict(list(studies.groupby("trial")))
    for row in studies.to_dict("records"):
        own = {name: found.get(row["study"], tables[name][:0]) for name, found in groups.items()}
        yield row, own | {"reports": trials.get(row["trial"], studies[:0])}


def labelled(sheet, row, column, book, countries):
    """The label of the codebook for a code, the country for its letters, anything else as it is."""
    value, about = row[column], book["sheets"][sheet]["columns"].get(column, {})
    if said(value) == "" or about.get("kind") not in ("code", "country"):
        return value
    if about["kind"] == "country":
        return ", ".join(countries.get(code, code) for code in value.split(";"))
    known = book["codes"].get(about.get("codes") or row[about["codes_by"]], {})
    return known.get(value) or {"nr": "Not reported"}.get(value, value)


def spaced(code):
    return said(code).replace("_", " ").capitalize()


# ---------------------------------------------------------------- pages


def studies_page(studies, counts, names, label):
    """The index: one row per study; counts: rows of effects.csv per study."""
    rows = [
        {
            "Study": Markup('<a href="{}.html">{}</a>').format(names[row["study"]], row["study"]),
            "Year": row["year"],
            "Country": label("studies", row, "country"),
            "Design": label("studies", row, "design"),
            "Population": label("studies", row, "population"),
            "Delivery": label("studies", row, "modality"),
            "Peer support": row["condition_arm1"],
            "Comparator": label("studies", row, "condition_arm2"),
            "Randomised": row["n_randomised"],
            "Effects": counts.get(row["study"], 0),
        }
        for row in studies.to_dict("records")
    ]
    return "\n".join(
        [
            "# Studies\n",
            block(Markup("<p>{}</p>").format(how_counted(studies))),
            "Each study has a page with everything known about it here. Filter by any words, such "
            "as `youth digital`; sort by a column's heading.\n",
            block(table(rows, "Included studies")),
        ]
    )


def how_counted(studies):
    """Why there are more studies than trials or samples."""
    trials = studies["trial"].nunique()
    several = studies.groupby("trial").size()
    return (
        f"{len(studies)} reports of studies are included. Some report the same trial or sample again "
        f"({(several > 1).sum()} trials or samples have {several[several > 1].sum()} reports), so they are "
        f"{trials} independent trials or samples; wherever trials are counted, each counts once."
    )


def study_page(study, parts, outcomes, label):
    """parts: the study's rows of each table; outcomes: what it enters; label: `labelled`."""
    names = outcomes.names
    title = Markup('<p class="title">{}</p>\n<p>{} {} {}</p>').format(
        said(study["title"]),
        said(study["journal"]) + ("," if said(study["journal"]) else ""),
        said(study["year"]),
        Markup(" · ").join(filter(None, [link(study["source_url"], "source"), doi_link(study["doi"])])),
    )
    about = {name: label("studies", study, column) for column, name in CHARACTERISTICS.items()} | reports(
        study, parts["reports"], names
    )
    about = {name: value for name, value in about.items() if said(value)}
    sections = {
        "Pooled results that it enters": outcomes.entered(study["study"], study["trial"]),
        "Effect sizes": effect_rows(parts["effects"], outcomes, label),
        "Figures as printed": printed_rows(parts["outcomes"], label),
        "How each effect was obtained": trail_rows(parts["provenance"], label),
        "Figures that give no effect": exclusion_rows(parts["exclusions"], label),
        "Appraisal": appraisal_rows(parts["appraisal"], label),
        "Themes": theme_rows(parts["themes"], label),
        "Sources": source_rows(study, parts),
    }
    lines = [
        "---\norphan: true\n---\n",
        f"# {in_markdown(study['study'])}\n",
        block(Markup('<p class="up"><a href="index.html">All studies</a></p>')),
        block(title),
        "## Characteristics\n",
        block(pairs(about, f"Characteristics of {study['study']}")),
    ]
    for name, rows in sections.items():
        if rows:
            lines += [f"## {name}\n", block(table(filled(rows), f"{name}, {study['study']}"))]
    return "\n".join(lines)


def reports(study, others, names):
    """Other reports of the same trial."""
    found = [
        Markup('<a href="{}.html">{}</a>').format(names[other], other)
        for other in others["study"]
        if other != study["study"]
    ]
    return {"Other reports of this trial": Markup(", ").join(found)} if found else {}


def when(row, label):
    weeks = said(row["time_weeks"])
    return label("outcomes", row, "time_point") + (f", {weeks} weeks" if weeks else "")


def effect_rows(effects, outcomes, label):
    out = outcomes.kept_out(effects)
    return [
        {
            "Row": row["row_id"],
            "Outcome": outcomes.link(row["outcome_domain"]),
            "Effect": (row["effect"], effect_words(row["effect"], row["family"], event_of(row))),
            "95% interval": (
                row["ci_low"],
                interval_words(row["ci_low"], row["ci_high"], row["family"], event_of(row)),
            ),
            "In a pooled result": f"no: {out[row['row_id']]}" if row["row_id"] in out else "yes",
            "Instrument": row["instrument"],
            "Time": when(row, label),
            "Computed as": row["conversion"],
            "Assumed": row["assumptions"],
            "Look at": spaced(row["flags"]),
        }
        for row in effects.to_dict("records")
    ]


def printed_rows(outcomes, label):
    return [
        {
            "Row": row["row_id"],
            "Outcome": label("outcomes", row, "outcome_domain"),
            "Instrument": row["instrument"],
            "Time": when(row, label),
        }
        | {name: label("outcomes", row, column) for column, name in PRINTED.items()}
        | {"Source": link(row["source_url"], "source")}
        for row in outcomes.to_dict("records")
    ]


def trail_rows(provenance, label):
    names = PRINTED | {"effect": "Effect", "variance": "Variance", "source_url": "Source"}
    rows = []
    for row in provenance.to_dict("records"):
        value = label("outcomes", {row["column"]: row["value"]}, row["column"])
        rows.append(
            {
                "Row": row["row_id"],
                "Outcome": label("outcomes", row, "outcome_domain"),
                "Step": spaced(row["step"]),
                "What": names.get(row["column"], spaced(row["column"])),
                "Value": link(value) if row["column"] == "source_url" else value,
                "Note": row["note"],
            }
        )
    return rows


def exclusion_rows(exclusions, label):
    return [
        {
            "Row": row["row_id"],
            "Outcome": label("outcomes", row, "outcome_domain"),
            "Reason": spaced(row["reason"]),
            "In words": row["detail"],
        }
        for row in exclusions.to_dict("records")
    ]


def appraisal_rows(appraisal, label):
    return [
        {
            "Tool": label("appraisal", row, "tool"),
            "Domain": label("appraisal", row, "domain"),
            "Judgement": label("appraisal", row, "judgement"),
            "In words": row["support"],
            "Judged by": spaced(row["source"]),
        }
        for row in appraisal.to_dict("records")
    ]


def theme_rows(themes, label):
    return [
        {
            "Group": label("themes", row, "theme_group"),
            "Theme": label("themes", row, "theme"),
            "In words": row["paraphrase"],
            "Source": link(row["source_url"], "source"),
        }
        for row in themes.to_dict("records")
    ]


def source_rows(study, parts):
    used = {said(study["source_url"]): ["characteristics"]}
    for name in ("outcomes", "themes"):
        for address in parts[name]["source_url"].dropna().unique():
            used.setdefault(address, []).append(name)
    return [{"Address": link(address), "Used for": ", ".join(what)} for address, what in used.items()]
