"""The front page and the article's claims, each with its number and what speaks against it."""

import re

import pandas as pd
from markupsafe import Markup

from peersupport.conclude.grade import DOMAINS, LEVEL_LABELS
from peersupport.conclude.manuscript import VERDICT_WORDS
from peersupport.conclude.rules import SUPPORTED
from peersupport.effects.pools import outcome_labels
from peersupport.pool.models import MAIN
from peersupport.report.html import block, contents, in_markdown, interval_text, pairs, table
from peersupport.report.pictures import figure
from peersupport.store.codebook import codebook
from peersupport.store.project import processed
from peersupport.store.tables import read_table
from peersupport.text.numbers import shown

TOP = {"claims": "Claims", "studies/index": "Studies", "notebooks/index": "Notebooks", "prisma": "PRISMA"}


def pages(summary):
    """Path to text for the front page and the claims."""
    keys, labels = ["outcome_domain", "family"], outcome_labels(codebook())
    pooled = read_table("tables/pooled_outcomes.csv")
    pooled = pooled[pooled["model"].eq(MAIN)].set_index(keys)
    findings = read_table("tables/summary_of_findings.csv").set_index(keys)
    ledger = read_table("tables/claims.csv").fillna({"outcomes": "", "known": ""})
    asked = read_table("claims.csv").set_index("claim_id")
    results = processed("results_paragraph.md").read_text("utf-8")
    return {
        "index.md": front_page(summary, results, ledger, findings, pooled, labels),
        "claims.md": claims_page(ledger, asked, findings, pooled, labels),
    }


# ---------------------------------------------------------------- one claim


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


def outcomes_of(row, pooled):
    """The pooled outcomes that the claim's rule names, as keys of `pooled`."""
    named = row.outcomes.split("; ")
    return [key for key in pooled.index if key[0] in named]


def says_findings_differ(row):
    """Of such a claim a wide interval speaks for it, and a narrow one against it."""
    return row.rule_name.startswith("inconsistency")


def against(row, findings, pooled, labels):
    """Sentences: what in the tables speaks against the claim, or against relying on the number."""
    words = []
    spans = pd.notna(row.ci_low) and row.ci_low <= 0 <= row.ci_high
    differ = says_findings_differ(row)
    if spans and not differ and row.quantity in ("Hedges g", "log risk ratio"):
        words.append("The interval includes no effect.")
    for key in outcomes_of(row, pooled):
        words += about_outcome(key, findings.loc[key], pooled.loc[key], labels, differ)
    if row.known:
        words.append(row.known)
    if row.verdict != row.verdict_left_out:
        other = VERDICT_WORDS[row.verdict_left_out]
        words.append(f"With trials that found no difference left out of the shares, the verdict would be {other}.")
    if not words and row.verdict == SUPPORTED:
        return ["Nothing in the tables that its rule reads."]
    return words or ["What its rule asks is not met in full."]


def about_outcome(key, finding, fit, labels, differ=False):
    words = []
    reach = interval_text(fit.pi_low, fit.pi_high, key[1])
    if fit.pi_low <= 0 <= fit.pi_high and not differ:
        words.append(f"{labels[key[0]]}: in a new setting no effect is possible, too ({reach}).")
    if differ and (fit.pi_low > 0 or fit.pi_high < 0):
        words.append(f"{labels[key[0]]}: in a new setting the effect is expected on the same side ({reach}).")
    lower = [
        f"{name.lower()} ({finding[f'{domain}_reason']})" for domain, name in DOMAINS.items() if finding[domain] < 0
    ]
    if lower:
        level = LEVEL_LABELS[finding.certainty].lower()
        words.append(f"{labels[key[0]]}: certainty is {level}, for {'; '.join(lower)}.")
    return words


def verdict(code):
    return Markup('<span class="verdict {}">{}</span>').format(code.replace("_", "-"), VERDICT_WORDS[code].capitalize())


def claim_paragraph(row, findings, pooled, labels):
    return Markup(
        '<p class="claim"><strong>{} {}</strong> {} {} <span class="against">Against it:</span> {}</p>'
    ).format(
        row.claim_id, row.claim, verdict(row.verdict), row.reason, " ".join(against(row, findings, pooled, labels))
    )


# ---------------------------------------------------------------- pages


def ledger_table(ledger):
    rows = [
        {
            "Claim": Markup('<a href="claims.html#{}">{}</a>').format(row.claim_id.lower(), row.claim_id),
            "What is claimed": row.claim,
            "Verdict": (list(VERDICT_WORDS).index(row.verdict), verdict(row.verdict)),
            "Number (95% interval)": (row.estimate, carried(row)),
            "Trials or studies": row.k,
            "People": (row.n, "" if pd.isna(row.n) else f"{row.n:,.0f}"),
        }
        for row in ledger.itertuples()
    ]
    return table(rows, "Claims of the article, with verdicts")


def claims_page(ledger, asked, findings, pooled, labels):
    parts = [
        "# What the article claims, and what the data carry\n",
        "The rules stood before the results were seen; what they leave open was settled with "
        "results in sight. *Supported* means that the rule holds, not that the claim is true; "
        "*not testable* that the data are too thin for either answer.\n",
        block(ledger_table(ledger)),
    ]
    for row in ledger.itertuples():
        about = {
            "Verdict": verdict(row.verdict),
            "Carried by": row.reason,
            "Against it": " ".join(against(row, findings, pooled, labels)),
            "Its rule": row.rule,
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
                "Expected in a new setting": (fit.pi_low, interval_text(fit.pi_low, fit.pi_high, key[1])),
                "Certainty": (list(LEVEL_LABELS).index(row.certainty), LEVEL_LABELS[row.certainty]),
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
        f"For {len(told)} of {len(findings)} pooled outcomes the whole interval of the average "
        f"effect favours peer support; for {anywhere} of them so does the range expected in a new "
        f"setting. Certainty is {levels}."
    )


def front_page(summary, results, ledger, findings, pooled, labels):
    """results: the article's paragraphs, of which the first sentence leads the page."""
    counted = ledger["verdict"].map(VERDICT_WORDS).value_counts()
    verdicts = ", ".join(f"{counted.get(words, 0)} {words}" for words in VERDICT_WORDS.values())
    first = re.split(r"(?<=\.)\s+(?=[A-Z])", results)[0]
    return "\n".join(
        [
            "# Does peer support help people recover?\n",
            block(Markup('<p class="lead">{} {}</p>').format(first, answer(findings, pooled))),
            block(figure(summary, "")),
            "## Outcome by outcome\n",
            "Effects at the end of the intervention; above 0, and for risk ratios (RR) above 1, "
            "favours peer support.\n",
            block(findings_table(findings, pooled, labels)),
            "## What the article claims\n",
            block(Markup("<p>Of {} claims: {}.</p>").format(len(ledger), verdicts)),
            block(ledger_table(ledger)),
            "## Claim by claim\n",
            block(Markup("\n").join(claim_paragraph(row, findings, pooled, labels) for row in ledger.itertuples())),
            "## Mind\n",
            "Most sources were seen as abstracts; coding and adjudication were done by language "
            "models; the search was of stored public web pages. Check a figure at its source, "
            "linked on the page of its study, before relying on it.\n",
            contents(TOP),
        ]
    )
