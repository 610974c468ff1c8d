"""Numbers of the abstract and results section, the paragraph made from them, and the PRISMA checklist with links."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from peersupport.conclude.grade import LEVEL_LABELS
from peersupport.conclude.rules import VERDICTS
from peersupport.text.numbers import as_named, better

VERDICT_WORDS = {
    "supported": "supported",
    "partly_supported": "partly supported",
    "not_supported": "not supported",
    "not_testable": "not testable",
}


def numbers(
    prisma: pd.DataFrame,
    studies: pd.DataFrame,
    people: float,
    findings: pd.DataFrame,
    main: pd.DataFrame,
    claims: pd.DataFrame,
    barriers: pd.DataFrame,
    digital: Mapping,
    long_weeks: int,
    labels: Mapping[str, str],
) -> dict:
    """Every number of the paragraph in one nested dict of plain Python values; effects unrounded, log ratios as ratios.

    people: participants of the randomised trials; findings: grade.summary_of_findings; main: the main model's rows;
    claims: claims.evaluate; barriers: themes.ranks; digital: the row of moderators.long_follow_up for digital
    trials, whose limit is long_weeks.
    """
    trials = studies[studies["design_family"].eq("randomised")]["trial"].nunique()
    flow = prisma.dropna(subset=["n"]).set_index("detail")["n"]
    certainty = findings.set_index(["outcome_domain", "family"])["certainty"]
    outcomes = {}
    for row in main.dropna(subset=["effect"]).to_dict("records"):
        key = (row["outcome_domain"], row["family"])
        values = _as_read(row)
        outcomes["|".join(key)] = {
            "label": labels[row["outcome_domain"]],
            "measure": "RR" if row["family"] == "log_rr" else "g",
            "trials": int(row["k"]),
            "event": row["event"] if row["family"] == "log_rr" else "",
            "people": None if np.isnan(row["n"]) else int(row["n"]),
            "i2": float(row["i2"]),
            "p_value": float(row["p_value"]),
            "certainty": certainty[key],
            **{name: None if np.isnan(value) else value for name, value in values.items()},
        }
    verdicts = claims["verdict"].value_counts()
    return {
        "flow": {str(name): int(value) for name, value in flow.items()},
        "studies": len(studies),
        "randomised_trials": int(trials),
        "people_in_randomised_trials": int(people),
        "outcomes": outcomes,
        "digital_trials_with_length": int(digital["stated"]),
        "long_follow_up_weeks": long_weeks,
        "digital_trials_followed_long": int(digital["long"]),
        "barriers": [
            {"theme": labels[row.theme], "studies": int(row.studies), "of": int(row.of)}
            for row in barriers[barriers["rank"] <= 5].itertuples()
        ],
        "claims": {
            "count": len(claims),
            **{verdict: int(verdicts.get(verdict, 0)) for verdict in VERDICTS},
            "verdicts": dict(zip(claims["claim_id"], claims["verdict"], strict=True)),
        },
    }


def _as_read(row: Mapping) -> dict[str, float]:
    """Effect and intervals as a reader sees them: Hedges g, or the ratio of the event as named, low end first."""
    values = {name: float(row[name]) for name in ("effect", "ci_low", "ci_high", "pi_low", "pi_high")}
    if row["family"] == "smd":
        return values
    ratios = {name: as_named(value, row["event"]) for name, value in values.items()}
    for which in ("ci", "pi"):
        ratios[f"{which}_low"], ratios[f"{which}_high"] = sorted(ratios[f"{which}_{end}"] for end in ("low", "high"))
    return ratios


def results_paragraph(found: Mapping, claims: pd.DataFrame) -> str:
    """The results section in Markdown, every number from `numbers`, every claim with its verdict."""
    by_kind = [
        found["outcomes"][f"{kind}|smd"]
        for kind in ("personal", "clinical", "functional")
        if f"{kind}|smd" in found["outcomes"]
    ]
    others = [
        row for key, row in found["outcomes"].items() if key.split("|")[0] not in ("personal", "clinical", "functional")
    ]
    told = [row for row in others if row["ci_low"] > _none(row) or row["ci_high"] < _none(row)]
    open_ = [row for row in others if row not in told]
    leaders = ", ".join(f"{row['theme'].lower()} ({row['studies']})" for row in found["barriers"])
    counted = found["claims"]
    verdicts = ", ".join(f"{counted[v]} {VERDICT_WORDS[v]}" for v in VERDICTS)
    sentences = [
        f"{found['studies']} studies were included, among them reports of {found['randomised_trials']} randomised "
        f"trials with {found['people_in_randomised_trials']:,} people.",
        "Average effects by type of recovery (above 0 favours peer support): " + "; ".join(map(_outcome, by_kind)) + "."
        if by_kind
        else "",
        "The interval excludes no effect for " + "; ".join(map(_outcome, told)) + "." if told else "",
        "It includes no effect for " + "; ".join(map(_outcome, open_)) + "." if open_ else "",
        f"Of {found['digital_trials_with_length']} digital trials that state how long they followed people, "
        f"{found['digital_trials_followed_long']} did so for {found['long_follow_up_weeks']} weeks or longer.",
        f"The barriers reported by most studies (of {found['barriers'][0]['of']}) were {leaders}."
        if found["barriers"]
        else "",
        f"Of the article's {counted['count']} claims {verdicts}.",
    ]
    lines = [
        f"- {row.claim} **{VERDICT_WORDS[row.verdict].capitalize()}.** {row.reason}" for row in claims.itertuples()
    ]
    return " ".join(filter(None, sentences)) + "\n\n" + "\n".join(lines) + "\n"


def _none(row: Mapping) -> float:
    return 1.0 if row["measure"] == "RR" else 0.0


def _outcome(row: Mapping) -> str:
    effect, low, high = (
        f"{row[name]:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")
        for name in ("effect", "ci_low", "ci_high")
    )
    certainty = LEVEL_LABELS[row["certainty"]].lower()
    side = f"; {better('log_rr', row['event'])} is better" if row["measure"] == "RR" else ""
    counted = "people not stated" if row["people"] is None else f"{row['people']:,} people"
    return (
        f"{row['label'].lower()} ({row['measure']} {effect}{side}, 95% CI {low} to {high}; {row['trials']} trials, "
        f"{counted}, I² {row['i2']:.0f}%; {certainty} certainty)"
    )


def checklist_page(checklist: pd.DataFrame) -> str:
    """The PRISMA 2020 checklist as Markdown, one table per section, with links from data/processed/ to each answer."""
    lines = ["# PRISMA 2020 checklist", ""]
    for section, rows in checklist.groupby("section", sort=False):
        lines += [f"## {section}", "", "| Item | What is asked | Where it is answered |", "|---|---|---|"]
        for row in rows.fillna("").itertuples():
            places = [place for place in row.where.split(";") if place]
            links = ", ".join(f"[{place}](../../{place})" for place in places)
            lines.append(f"| {row.item} | {row.asked} | {'. '.join(filter(None, [links, row.note]))} |")
        lines.append("")
    return "\n".join(lines)
