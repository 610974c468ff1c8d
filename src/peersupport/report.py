"""The report: executed notebooks and tidy tables as a static site that opens from disk; nothing is run again.

Run from the project's folder: python -m peersupport.report
"""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote, urlsplit

import nbformat
import pandas as pd
from markupsafe import Markup, escape
from PIL import Image

from peersupport import chain, sheets
from peersupport.battery import EXTRA_LABELS, MAIN
from peersupport.claims import RULES, SUPPORTED
from peersupport.figures.forest import shown
from peersupport.grade import DOMAINS, LEVEL_LABELS
from peersupport.manuscript import VERDICT_WORDS
from peersupport.outputs import manifest_problems, read_manifest

SUMMARY = "03_summary_forest"
COLOURS = 64  # enough for a plot, and a quarter of the bytes
TOP = {
    "claims": "Claims",
    "studies/index": "Studies",
    "notebooks/index": "Notebooks",
    "prisma": "PRISMA",
}
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


# ---------------------------------------------------------------- text


def said(value):
    """A cell for a reader: blank stays blank, 65.0 is 65."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    return value if isinstance(value, str) else f"{value:.10g}"


def in_markdown(value):
    """Text of a sheet as Markdown that shows it and obeys none of it."""
    words = " ".join(said(value).split())
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", words)


def block(html):
    """HTML within a page of Markdown; no backtick is left that could end the block."""
    return "```{raw} html\n" + str(html).replace("`", "&#96;") + "\n```\n"


def link(address, words=None):
    """A link where the address is one of the web, else its text."""
    address = said(address).strip()
    if urlsplit(address).scheme not in ("http", "https"):
        return escape(words or address)
    return Markup('<a href="{}">{}</a>').format(address, words or address)


def contents(titles):
    """The pages below this one, for the navigation: path to title."""
    entries = (f"{title} <{path}>" for path, title in titles.items())
    return "\n".join(["```{toctree}", ":hidden:", "", *entries, "```"])


def doi_link(doi):
    doi = said(doi).strip()
    return link(f"https://doi.org/{quote(doi)}", f"doi:{doi}") if doi else ""


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


# ---------------------------------------------------------------- tables


def cell(value, tag="td"):
    """A pair is what to sort by and what to show; the space keeps words apart in the search."""
    order, value = value if isinstance(value, tuple) else (None, value)
    attributes = {"th": Markup(' scope="row"'), "td": Markup("")}[tag]
    if order is not None:
        attributes += Markup(' data-order="{}"').format(said(order))
    shown_value = value if isinstance(value, Markup) else said(value)
    return Markup("<{}{}>{}</{}> ").format(tag, attributes, shown_value, tag)


def table(rows, caption):
    """rows: one dict of column to cell for each row. A keyboard can scroll it; report.js lets it be sorted and filtered."""
    columns = list(rows[0])
    head = Markup("").join(Markup('<th scope="col">{}</th> ').format(name) for name in columns)
    body = Markup("\n").join(
        Markup("<tr>{}{}</tr>").format(
            cell(row[columns[0]], "th"), Markup("").join(cell(row[name]) for name in columns[1:])
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll" role="region" tabindex="0" aria-label="{}"><table class="data table">\n'
        "<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody></table></div>"
    ).format(caption, head, body)


def filled(rows):
    """Without the columns that hold nothing in any row."""
    held = [name for name in rows[0] if any(said_of(row[name]) for row in rows)]
    return [{name: row[name] for name in held} for row in rows]


def said_of(value):
    value = value[1] if isinstance(value, tuple) else value
    return value if isinstance(value, Markup) else said(value)


def pairs(rows, caption):
    """Two columns, name and value, for one thing alone."""
    body = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th> <td>{}</td></tr>').format(name, said_of(value))
        for name, value in rows.items()
    )
    return Markup(
        '<table class="pairs table" aria-label="{}">\n<tbody>\n{}\n</tbody></table>'
    ).format(caption, body)


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


def interval_text(low, high, family="smd"):
    return f"{shown(low, family)} to {shown(high, family)}" if pd.notna(low) else ""


# ---------------------------------------------------------------- figures


def figure(picture, place):
    """picture: file, size, title, alt text; place: the way from the page to the site's top. The link shows it large."""
    address = f"{place}figures/{quote(picture['file'])}"
    width, height = picture["size"]
    return Markup(
        '<figure class="picture"><a class="enlarge" href="{}"><img src="{}" alt="{}" width="{}" height="{}" '
        'loading="lazy"></a><figcaption>{}</figcaption></figure>'
    ).format(address, address, picture["alt"], width, height, picture["title"])


def stored_picture(image, folder, name):
    """In few colours, which a plot does not miss; this method keeps white white."""
    image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(folder / f"{name}.png")
    return {"file": f"{name}.png", "size": image.size}


def stored_figures(root, index, folder):
    """Name to picture for each row of figures/index.csv, copied into the site."""

    def store(row):
        name = Path(row.file).stem
        with Image.open(root / f"figures/{name}.png") as image:
            about = {"notebook": row.notebook, "title": row.title, "alt": row.alt_text}
            return name, stored_picture(image, folder, name) | about

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return dict(threads.map(store, index.itertuples()))


# ---------------------------------------------------------------- notebooks


def notebook_page(notebook, stem, pictures, folder):
    """The executed notebook with code folded, tables without ids of their own, and each figure with its description."""
    for output in (output for c in chain.code_cells(notebook) for output in c.outputs):
        data = output.get("data", {})
        if "image/png" in data:
            data["text/html"] = str(figure(picture_of(output, stem, pictures, folder), "../"))
            del data["image/png"]
        elif "text/html" in data:
            data["text/html"] = without_ids(data["text/html"])
        elif "text/markdown" in data:
            data["text/markdown"] = to_pages(without_markup(data["text/markdown"]))
    for c in notebook.cells:
        if c.cell_type == "code":
            c.metadata["tags"] = [*c.metadata.get("tags", []), "hide-input"]
        else:
            c.source = with_figures(c.source, pictures)
    own = [picture for picture in pictures.values() if picture["notebook"] == stem]
    if own:
        gallery = Markup("\n").join(figure(picture, "../") for picture in own)
        notebook.cells += [
            nbformat.v4.new_markdown_cell("## All figures of this notebook"),
            nbformat.v4.new_markdown_cell(
                block(Markup('<div class="gallery">\n{}\n</div>').format(gallery))
            ),
        ]
    return notebook


def picture_of(output, stem, pictures, folder):
    """The figure that the output names; a picture without a name is kept as shown."""
    about = output.get("metadata", {}).get("image/png", {})
    if about.get("figure") in pictures:
        return pictures[about["figure"]]
    number = len(list(folder.glob(f"{stem}-picture-*"))) + 1
    image = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    words = f"Picture {number} of notebook {stem[:2]}"
    kept = stored_picture(image, folder, f"{stem}-picture-{number}")
    return kept | {"title": words, "alt": about.get("alt") or f"{words}, without a description"}


def with_figures(source, pictures):
    """Pictures that the text of a notebook shows from figures/."""

    def shown_large(found):
        picture = pictures.get(found[1])
        return "\n" + block(figure(picture, "../")) if picture else found[0]

    return re.sub(r"!\[[^\]]*\]\(\.\./figures/(\w+)\.(?:png|svg)\)", shown_large, source)


def without_ids(html):
    """Tables of display.readable all bear the same ids and a style of their own; elsewhere nothing changes."""
    if 'id="T_"' not in html:
        return html
    return re.sub(
        r' id="T_[^"]*"', "", re.sub(r'<style type="text/css">.*?</style>', "", html, flags=re.S)
    )


def without_markup(markdown):
    """A sentence of a notebook may hold a cell of a sheet: HTML in it is shown, not obeyed."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", markdown)


def to_pages(markdown):
    """The one file of the project that a notebook's sentence links to has a page here."""
    return markdown.replace("(../data/processed/prisma_checklist.md)", "(../prisma.html)")


def checklist_page(markdown):
    """The links of the checklist lead to files of the project, which the site does not hold."""
    return re.sub(r"\[([^\]]+)\]\(\.\./\.\./[^)]+\)", r"`\1`", markdown)


# ---------------------------------------------------------------- claims


def outcome_labels():
    return sheets.labels("outcome_domain") | sheets.labels("recovery_type") | EXTRA_LABELS


def carried(row):
    """The number that carries a claim, with its interval, as its quantity is read."""
    if pd.isna(row.estimate):
        return ""
    if row.quantity.startswith(("share", "difference")):
        style, name = "{:.0%}".format, ""
    elif row.quantity == "log risk ratio":
        style, name = (lambda value: shown(value, "log_rr")), "RR "
    elif row.quantity.startswith("of "):
        return f"{row.estimate:g} {row.quantity}"
    else:
        style, name = (lambda value: shown(value, "smd")), {"Hedges g": "g "}.get(row.quantity, "")
    reach = "" if pd.isna(row.ci_low) else f" ({style(row.ci_low)} to {style(row.ci_high)})"
    return f"{name}{style(row.estimate)}{reach}".replace("-", "\N{MINUS SIGN}")


def outcomes_of(claim_id):
    """The pooled outcomes that the claim's rule names."""
    settings = RULES[claim_id][1] if claim_id in RULES else {}
    named = settings.get("outcomes", [])
    return named or ([(settings["outcome"], "smd")] if "outcome" in settings else [])


def against(row, findings, pooled, labels):
    """Sentences: what in the tables speaks against the claim, or against relying on the number."""
    words = []
    spans = pd.notna(row.ci_low) and row.ci_low <= 0 <= row.ci_high
    if spans and row.quantity in ("Hedges g", "log risk ratio"):
        words.append("The interval includes no effect.")
    for key in outcomes_of(row.claim_id):
        if key in pooled.index:
            words += about_outcome(key, findings.loc[key], pooled.loc[key], labels)
    if row.verdict != row.verdict_left_out:
        other = VERDICT_WORDS[row.verdict_left_out]
        words.append(
            f"With trials that found no difference left out of the shares, the verdict would be {other}."
        )
    if not words and row.verdict == SUPPORTED:
        return ["Nothing in the tables that its rule reads."]
    return words or ["What its rule asks is not met in full."]


def about_outcome(key, finding, fit, labels):
    words = []
    if fit.pi_low <= 0 <= fit.pi_high:
        reach = interval_text(fit.pi_low, fit.pi_high, key[1])
        words.append(f"{labels[key[0]]}: in a new setting no effect is possible, too ({reach}).")
    lower = [
        f"{name.lower()} ({finding[f'{domain}_reason']})"
        for domain, name in DOMAINS.items()
        if finding[domain] < 0
    ]
    if lower:
        level = LEVEL_LABELS[finding.certainty].lower()
        words.append(f"{labels[key[0]]}: certainty is {level}, for {'; '.join(lower)}.")
    return words


def verdict(code):
    return Markup('<span class="verdict {}">{}</span>').format(
        code.replace("_", "-"), VERDICT_WORDS[code].capitalize()
    )


def ledger_table(ledger):
    rows = [
        {
            "Claim": Markup('<a href="claims.html#{}">{}</a>').format(
                row.claim_id.lower(), row.claim_id
            ),
            "What is claimed": row.claim,
            "Verdict": (list(VERDICT_WORDS).index(row.verdict), verdict(row.verdict)),
            "Number (95% interval)": (row.estimate, carried(row)),
            "Trials or studies": row.k,
            "People": (row.n, "" if pd.isna(row.n) else f"{row.n:,.0f}"),
        }
        for row in ledger.itertuples()
    ]
    return table(rows, "Claims of the article, with verdicts")


def claim_paragraph(row, findings, pooled, labels):
    return Markup(
        '<p class="claim"><strong>{} {}</strong> {} {} <span class="against">Against it:</span> {}</p>'
    ).format(
        row.claim_id,
        row.claim,
        verdict(row.verdict),
        row.reason,
        " ".join(against(row, findings, pooled, labels)),
    )


def claims_page(ledger, asked, findings, pooled, labels):
    parts = [
        "# What the article claims, and what the data carry\n",
        "The rules stood before the results were seen; what they leave open was settled with results "
        "in sight. *Supported* means that the rule holds, not that the "
        "claim is true; *not testable* that the data are too thin for either answer.\n",
        block(ledger_table(ledger)),
    ]
    asked = asked.set_index("claim_id")
    for row in ledger.itertuples():
        about = {
            "Verdict": verdict(row.verdict),
            "Carried by": row.reason,
            "Against it": " ".join(against(row, findings, pooled, labels)),
            "Its rule": asked["rule"].get(row.claim_id),
            "Tables read": asked["evidence"].get(row.claim_id),
        }
        parts += [
            f"({row.claim_id.lower()})=\n## {in_markdown(row.claim_id)} {in_markdown(row.claim)}\n",
            block(pairs(about, row.claim_id)),
        ]
    return "\n".join(parts)


def findings_table(findings, pooled, labels):
    rows = []
    for key, row in findings.iterrows():
        fit, ratio = pooled.loc[key], key[1] == "log_rr"
        effect = f"{'RR' if ratio else 'g'} {shown(row.effect, key[1])}"
        rows.append(
            {
                "Outcome": labels[key[0]],
                "Trials": row.k,
                "People": (row.n, f"{row.n:,.0f}"),
                "Effect": (row.effect, effect),
                "95% interval": (row.ci_low, interval_text(row.ci_low, row.ci_high, key[1])),
                "Expected in a new setting": (
                    fit.pi_low,
                    interval_text(fit.pi_low, fit.pi_high, key[1]),
                ),
                "Certainty": (
                    list(LEVEL_LABELS).index(row.certainty),
                    LEVEL_LABELS[row.certainty],
                ),
            }
        )
    return table(rows, "Pooled effect and certainty of each outcome")


def answer(findings, pooled):
    """How many outcomes improve, how surely, in words."""
    told = findings[findings["ci_low"] > 0]
    anywhere = (pooled.loc[told.index, "pi_low"] > 0).sum()
    counted = findings["certainty"].map(LEVEL_LABELS).value_counts()
    levels = ", ".join(f"{name.lower()} for {n}" for name, n in counted.items())
    return (
        f"For {len(told)} of {len(findings)} pooled outcomes the whole interval of the average effect favours peer "
        f"support; for {anywhere} of them so does the range expected in a new setting. Certainty is {levels}."
    )


def front_page(summary, results, ledger, findings, pooled, labels):
    """results: the first paragraph of the results."""
    counted = ledger["verdict"].map(VERDICT_WORDS).value_counts()
    verdicts = ", ".join(f"{counted.get(words, 0)} {words}" for words in VERDICT_WORDS.values())
    first = re.split(r"(?<=\.) (?=[A-Z])", results)[0]
    return "\n".join(
        [
            "# Does peer support help people recover?\n",
            block(Markup('<p class="lead">{} {}</p>').format(first, answer(findings, pooled))),
            block(figure(summary, "")),
            "## Outcome by outcome\n",
            "Effects at the end of the intervention; above 0, and for risk ratios (RR) above 1, favours peer support.\n",
            block(findings_table(findings, pooled, labels)),
            "## What the article claims\n",
            block(Markup("<p>Of {} claims: {}.</p>").format(len(ledger), verdicts)),
            block(ledger_table(ledger)),
            "## Claim by claim\n",
            block(
                Markup("\n").join(
                    claim_paragraph(row, findings, pooled, labels) for row in ledger.itertuples()
                )
            ),
            "## Mind\n",
            "Most sources were seen as abstracts; coding and adjudication were done by language models; the search was "
            "of stored public web pages. Check a figure at its source, linked on the page of its study, before relying "
            "on it.\n",
            contents(TOP),
        ]
    )


# ---------------------------------------------------------------- studies


def study_page(study, parts, names, label):
    """Everything about one study. parts: its rows of each table; names: file name of each study; label: see `labelled`."""
    title = Markup('<p class="title">{}</p>\n<p>{} {} {}</p>').format(
        said(study["title"]),
        said(study["journal"]) + ("," if said(study["journal"]) else ""),
        said(study["year"]),
        Markup(" · ").join(
            filter(None, [link(study["source_url"], "source"), doi_link(study["doi"])])
        ),
    )
    about = {
        name: label("studies", study, column) for column, name in CHARACTERISTICS.items()
    } | reports(study, parts["reports"], names)
    about = {name: value for name, value in about.items() if said_of(value)}
    sections = {
        "Effect sizes": effect_rows(parts["effects"], label),
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


def effect_rows(effects, label):
    return [
        {
            "Row": row["row_id"],
            "Outcome": label("outcomes", row, "outcome_domain"),
            "Instrument": row["instrument"],
            "Time": when(row, label),
            "Effect": (
                row["effect"],
                ("RR " if row["family"] == "log_rr" else "g ")
                + shown(row["effect"], row["family"]),
            ),
            "95% interval": (
                row["ci_low"],
                interval_text(row["ci_low"], row["ci_high"], row["family"]),
            ),
            "In the main analysis": "yes" if row["selected"] else f"no: {said(row['selection'])}",
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
    return [
        {"Address": link(address), "Used for": ", ".join(what)} for address, what in used.items()
    ]


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
            "Each study has a page with everything known about it here. Filter by any words, such as `youth digital`; "
            "sort by a column's heading.\n",
            block(table(rows, "Included studies")),
        ]
    )


# ---------------------------------------------------------------- the site


def in_parts(tables, studies):
    """For each study its rows of every table."""
    groups = {name: dict(list(rows.groupby("study"))) for name, rows in tables.items()}
    trials = dict(list(studies.groupby("trial")))
    for row in studies.to_dict("records"):
        own = {name: found.get(row["study"], tables[name][:0]) for name, found in groups.items()}
        yield row, own | {"reports": trials.get(row["trial"], studies[:0])}


def pages():
    """Path to text for every page that is not a notebook, but the front page."""
    book = sheets.codebook()
    countries = sheets.read_reference("countries.csv").set_index("country")["name"]

    def label(sheet, row, column):
        return labelled(sheet, row, column, book, countries)

    studies = sheets.read_table("studies.csv")
    names = slugs(studies["study"])
    tables = {
        name: sheets.read_table(f"{name}.csv")
        for name in ("effects", "outcomes", "provenance", "exclusions", "appraisal", "themes")
    }
    counts = tables["effects"].groupby("study").size()
    found = {"studies/index.md": studies_page(studies, counts, names, label)}
    for study, parts in in_parts(tables, studies):
        found[f"studies/{names[study['study']]}.md"] = study_page(study, parts, names, label)
    checklist = sheets.processed("prisma_checklist.md").read_text("utf-8")
    return found | {"prisma.md": checklist_page(checklist)}


def answers(summary):
    """Path to text for the front page and the claims."""
    keys, labels = ["outcome_domain", "family"], outcome_labels()
    pooled = sheets.read_table("tables/pooled_outcomes.csv")
    pooled = pooled[pooled["model"].eq(MAIN)].set_index(keys)
    findings = sheets.read_table("tables/summary_of_findings.csv").set_index(keys)
    ledger = sheets.read_table("tables/claims.csv")
    results = sheets.processed("results_paragraph.md").read_text("utf-8").split("\n\n")[0]
    claims = (ledger, sheets.read_table("claims.csv"), findings, pooled, labels)
    return {
        "index.md": front_page(summary, results, ledger, findings, pooled, labels),
        "claims.md": claims_page(*claims),
    }


def notebooks_page(titles):
    """titles: file name without ending to title."""
    rows = "\n".join(f"- [{stem[:2]} {title}]({stem}.ipynb)" for stem, title in titles.items())
    toctree = contents({stem: f"{stem[:2]} {title}" for stem, title in titles.items()})
    return f"# Notebooks\n\nThe analysis in order, with its code folded.\n\n{rows}\n\n{toctree}\n"


def first_title(notebook):
    found = (re.match(r"# (.+)", c.source) for c in notebook.cells if c.cell_type == "markdown")
    return next(filter(None, found))[1]


def write_sources(root, source):
    """Everything that Sphinx reads, in an empty folder."""
    shutil.copytree(root / "docs/report", source)
    pictures_folder = source / "extra/figures"
    pictures_folder.mkdir(parents=True)
    index = pd.read_csv(root / "figures/index.csv", keep_default_na=False)
    pictures = stored_figures(root, index, pictures_folder)
    texts = pages() | answers(pictures[SUMMARY])
    titles = {}
    for path in chain.executed_notebooks(root):
        notebook = nbformat.read(path, as_version=4)
        titles[path.stem] = first_title(notebook)
        page = notebook_page(notebook, path.stem, pictures, pictures_folder)
        texts[f"notebooks/{path.name}"] = nbformat.writes(page)
    texts["notebooks/index.md"] = notebooks_page(titles)
    for path, text in texts.items():
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_text(text, "utf-8")
    write_data_tables(source / "_static")


def write_data_tables(folder):
    """DataTables as itables brings it; a module cannot be loaded from disk, so it is made a plain script."""
    bundle = files("itables") / "html"
    script = (bundle / "dt_bundle.js").read_text("utf-8")
    exported = re.search(r"export\s*\{([^}]*)\}\s*;?", script)
    query = re.search(r"(\w+) as jQuery\b", exported[1])[1]
    body = script.replace(exported[0], f"window.jQuery = {query};")
    (folder / "datatables.js").write_text(f'(() => {{"use strict";\n{body}\n}})();\n', "utf-8")
    shutil.copyfile(bundle / "dt_bundle.css", folder / "datatables.css")


def build(root, scratch):
    """The site in an empty folder; returns its place and what Sphinx warns of."""
    source, site = scratch / "source", scratch / "site"
    write_sources(root, source)
    options = ["-q", "-j", "auto", "-b", "html", "-d", scratch / "doctrees"]
    made = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, source, site], capture_output=True, text=True
    )
    if made.returncode:
        raise chain.Problem(f"The report was not made; Sphinx says:\n{made.stderr.strip()}")
    for left in [site / ".buildinfo", site / "objects.inv", *site.rglob("*.map")]:
        left.unlink(missing_ok=True)
    return site, made.stderr


def refuse_what_is_stale(root):
    """A report shows what the chain gives today, or is not made."""
    problems = manifest_problems(root, chain.expected_origins(root))
    if not read_manifest(root):
        problems = ["No notebook has been run yet."]
    if problems:
        first = problems[0]
        remedy = "" if "./run_all.sh" in first else "; ./run_all.sh writes it"
        raise chain.Problem(f"The report was not made: {first.rstrip('.')}{remedy}")


def put_in_place(site, target):
    """An older report stays until the new one is whole."""
    old = site.with_name("old")
    if target.exists():
        os.rename(target, old)
    os.rename(site, target)
    shutil.rmtree(old, ignore_errors=True)


def make(root):
    scratch = root / ".chain/report"
    refuse_what_is_stale(root)
    shutil.rmtree(scratch, ignore_errors=True)
    site, warnings = build(root, scratch)
    print(warnings, end="", file=sys.stderr)
    put_in_place(site, root / "report")
    shutil.rmtree(scratch)
    print("report/index.html is the report: open it in a browser.")


def main():
    root = Path.cwd()
    try:
        with chain.only_run(root):
            make(root)
        return 0
    except chain.Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The report was not made: {chain.in_words(error)}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. An older report is as it was.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
