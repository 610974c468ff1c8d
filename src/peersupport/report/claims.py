"""The front page and the article's claims, each with its number and what speaks against it."""

import re
from types import SimpleNamespace

import pandas as pd
from markupsafe import Markup, escape

from peersupport.conclude.grade import DOMAINS, LEVEL_LABELS
from peersupport.conclude.manuscript import VERDICT_WORDS
from peersupport.conclude.rules import SUPPORTED
from peersupport.effects.pools import outcome_labels
from peersupport.pool.models import MAIN
from peersupport.report.answers import window_words, without_types
from peersupport.report.html import block, contents, filled, in_markdown, interval_text, pairs, said, table
from peersupport.report.outcomes import answers_table, limits, outcome_link, outcomes_named
from peersupport.report.pictures import figure
from peersupport.store.codebook import codebook
from peersupport.store.project import processed
from peersupport.store.tables import read_table
from peersupport.text.numbers import shown

WINDOW_VERDICT = "verdict_window"
MORE = "Each with its number, and what speaks against it"


def pages(summary, outcomes, top):
    """Path to text for the front page and the claims; top: the pages that the front page leads to, path to title."""
    keys, labels = ["outcome_domain", "family"], outcome_labels(codebook())
    pooled = read_table("tables/pooled_outcomes.csv")
    pooled = pooled[pooled["model"].eq(MAIN)].set_index(keys)
    findings = read_table("tables/summary_of_findings.csv").set_index(keys)
    ledger = read_table("tables/claims.csv").fillna({"outcomes": "", "known": ""})
    asked = read_table("claims.csv").set_index("claim_id")
    return {
        "index.md": front_page(summary, ledger, outcomes, top),
        "claims.md": claims_page(ledger, asked, findings, pooled, labels, outcomes),
    }


# ---------------------------------------------------------------- one claim


def carried(row):
    """The number that carries a claim, with its interval, as its quantity is read."""
    if pd.isna(row.estimate):
        return ""
    if row.quantity.startswith(("share", "difference")):
        style, name = "{:.0%}".format, ""
    elif row.quantity == "risk ratio":
        style, name = "{:.2f}".format, "RR "
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
    if spans and not differ and row.quantity in ("Hedges g", "risk ratio"):
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
    reach = interval_text(fit.pi_low, fit.pi_high, key[1], fit.event)
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


# ---------------------------------------------------------------- pages


def ledger_table(ledger):
    """A row for each claim: its verdict at once, then the sentence and the number."""
    rows = [
        {
            "Claim": Markup('<a href="claims.html#{}">{}</a>').format(row["claim_id"].lower(), row["claim_id"]),
            "Verdict": (list(VERDICT_WORDS).index(row["verdict"]), verdict(row["verdict"])),
            "In the article's years": verdict(row[WINDOW_VERDICT]) if said(row.get(WINDOW_VERDICT)) else "",
            "What is claimed": row["claim"],
            "Number (95% interval)": (row["estimate"], carried(SimpleNamespace(**row))),
            "Trials or studies": row["k"],
            "People": (row["n"], "" if pd.isna(row["n"]) else f"{row['n']:,.0f}"),
        }
        for row in ledger.to_dict("records")
    ]
    return table(filled(rows), "Claims of the article, with verdicts")


def claims_page(ledger, asked, findings, pooled, labels, outcomes):
    parts = [
        "# What the article claims, and what the data carry\n",
        "The rules stood before the results were seen; what they leave open was settled with "
        "results in sight. *Supported* means that the rule holds, not that the claim is true; "
        "*not testable* that the data are too thin for either answer.\n",
        block(limits("")),
        block(ledger_table(ledger)),
    ]
    for row in ledger.itertuples():
        words = getattr(row, WINDOW_VERDICT, "")
        about = {
            "Verdict": verdict(row.verdict),
            "In the article's years": verdict(words) if said(words) else "",
            "Carried by": row.reason,
            "Against it": " ".join(against(row, findings, pooled, labels)),
            "Its outcomes": Markup(", ").join(outcomes.link(name, place="") for name in outcomes_named(row.claim_id)),
            "Its rule": row.rule,
            "Reads from": reads_from(asked["evidence"].get(row.claim_id), outcomes),
        }
        parts += [
            f"({row.claim_id.lower()})=\n## {in_markdown(row.claim_id)} {in_markdown(row.claim)}\n",
            block(pairs({name: value for name, value in about.items() if said(value)}, row.claim_id)),
        ]
    return "\n".join(parts)


def reads_from(evidence, outcomes):
    """The tables that a rule reads, each as a link to download it, and outcomes as links to their pages."""

    def linked(found):
        word = found[0]
        if processed(f"tables/{word}.csv").is_file():
            return str(Markup('<a href="download/tables/{}.csv">{}</a>').format(word, word.replace("_", " ")))
        return str(outcomes.link(word, outcomes.labels[word].lower(), "")) if outcomes.slugs_of(word) else word

    return Markup(re.sub(r"[a-z]\w+", linked, str(escape(said(evidence)))))


def lead(outcomes):
    """The answer in a few sentences: where it helps, how much, how surely, and where nothing is known."""
    single = without_types(outcomes.answers)
    better = [one for one in single if one.favours > 0]
    worse = [one for one in single if one.favours < 0]
    open_ = [one for one in single if not one.favours]
    anywhere = [one for one in better if one.main["pi_low"] > 0]
    levels = pd.Series([one.level.lower() for one in single]).value_counts()
    sure = ", ".join(f"{name} for {count}" for name, count in levels.items())
    return Markup(" ").join(
        filter(
            None,
            [
                f"On average, yes, for {len(better)} of {len(single)} outcomes that can be pooled: the whole interval "
                "favours peer support for"
                if better
                else "",
                Markup("{}.").format(listed(better)) if better else "",
                Markup("For {} it favours the comparator.").format(listed(worse)) if worse else "",
                Markup("For {} it includes no difference.").format(listed(open_)) if open_ else "",
                f"A benefit is expected in nearly every new setting for {len(anywhere)} of them." if better else "",
                f"Certainty is {sure}." if sure else "",
            ],
        )
    )


def listed(found):
    """Each outcome as a link, with its effect and what it means for 1000 people."""
    words = []
    for one in found:
        link = outcome_link(one.slug, one.label[0].lower() + one.label[1:], "")
        per = one.per_1000().split(" (")[0] if one.family != "smd" else ""
        words.append(Markup("{} ({}{})").format(link, one.effect(), f"; {per} in 1000" if per else ""))
    return Markup(", ").join(words)


def front_page(summary, ledger, outcomes, top):
    counted = ledger["verdict"].map(VERDICT_WORDS).value_counts()
    verdicts = ", ".join(f"{counted.get(words, 0)} {words}" for words in VERDICT_WORDS.values())
    return "\n".join(
        [
            "# Does peer support help people recover?\n",
            block(Markup('<p class="lead">{}</p>').format(lead(outcomes))),
            block(limits("")),
            "## Outcome by outcome\n",
            "At the end of the intervention. g is a difference in standard deviations, above 0 in favour of peer "
            "support. RR is the risk ratio of the event itself, peer support over comparator; which side is the better "
            f"one depends on the event. The article's years, {window_words()}, stand beside all years, which are the "
            "main analysis.\n",
            block(answers_table(outcomes.answers, "")),
            block(figure(summary, "")),
            "## What the article claims\n",
            block(Markup('<p>Of {} claims: {}. <a href="claims.html">{}</a>.</p>').format(len(ledger), verdicts, MORE)),
            block(ledger_table(ledger)),
            contents(top),
        ]
    )
