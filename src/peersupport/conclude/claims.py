"""Each claim of the article beside the number that carries it: claims.csv names a rule and its thresholds.

A verdict is one of VERDICTS, its reason a sentence with numbers. Shares are of the trials with a vote
(votes.trial_directions). Of a trial under `neither` the source says only that the arms did not differ: its direction is
unknown because it was not significant, and to leave it out would count significance. So it stays in the share (against,
as in effect_direction.csv); `verdict_left_out` shows what the other reading, that of the Cochrane Handbook's chapter
12, would give.
"""

import string
from dataclasses import dataclass, replace

import pandas as pd

from peersupport.conclude.evidence import Evidence
from peersupport.conclude.rules import RULES

COLUMNS = (
    "claim_id claim verdict verdict_window estimate ci_low ci_high k n reason reason_window quantity verdict_left_out "
    "rule_name outcomes rule known"
).split()
LISTS = ("outcomes", "levels")  # columns with several codes, joined by semicolons
TEXTS = ("moderator",)
KNOWN = {"yes": "The rule was written after numbers that it reads were known.", "no": ""}


class ClaimsError(ValueError):
    """claims.csv has mistakes; the message names each row with its remedy."""


@dataclass(frozen=True)
class Claim:
    """One row of claims.csv: `settings` are the cells that its rule asks for, `words` the rule with them in it."""

    claim_id: str
    text: str
    rule: str
    settings: dict
    words: str
    known: str = ""

    def judge(self, evidence: Evidence):
        """The Finding of the claim's rule on that evidence."""
        return RULES[self.rule].judge(evidence, **self.settings)


def read(sheet: pd.DataFrame, arm1: str = "arm 1") -> list[Claim]:
    """The claims of claims.csv; every mistake is named at once in a ClaimsError.

    A rule asks for the columns that stand in braces in its words; the others are blank in its row.
    """
    problems, claims = [], []
    cells = sheet.fillna("").astype(str)
    asked = {name: _fields(rule.words) for name, rule in RULES.items()}
    for row in cells.to_dict("records"):
        here, name = f"claims.csv, {row['claim_id']}", row.get("rule_name", "")
        if name not in RULES:
            problems.append(f"{here}, rule_name: there is no rule {name!r}; there are {', '.join(RULES)}.")
            continue
        given = {c for c in row if c not in ("claim_id", "claim", "evidence", "rule_name", "known") and row[c] != ""}
        problems += [f"{here}, {c}: the rule {name} asks for it; fill it in." for c in sorted(asked[name] - given)]
        problems += [
            f"{here}, {c}: the rule {name} has no use for it; take it out." for c in sorted(given - asked[name])
        ]
        try:
            settings = {column: _value(column, row[column]) for column in asked[name] & given}
        except ValueError as error:
            problems.append(f"{here}: {error}")
            continue
        if asked[name] == given:
            words = RULES[name].words.format(arm1=arm1, **{c: _shown(row[c]) for c in asked[name]})
            claims.append(
                Claim(row["claim_id"], row["claim"], name, settings, words, KNOWN.get(row.get("known", ""), ""))
            )
    if problems:
        raise ClaimsError(f"{len(problems)} to mend:\n" + "\n".join(problems))
    return claims


def _fields(words: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(words) if field} - {"arm1"}


def _value(column: str, cell: str):
    if column in LISTS:
        return tuple(part.strip() for part in cell.split(";") if part.strip())
    if column in TEXTS:
        return cell
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(f"{column}: {cell!r} is no number.") from None
    return int(number) if number.is_integer() else number


def _shown(cell: str) -> str:
    parts = [part.strip().replace("_", " ") for part in cell.split(";")]
    try:
        return f"{float(cell):g}"
    except ValueError:
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def evaluate(sheet: pd.DataFrame, evidence: Evidence, window: Evidence | None = None) -> pd.DataFrame:
    """claims.csv with verdict, number, reason and rule: COLUMNS, one row per claim. Raises ClaimsError.

    window: the evidence of the article's years (conclude.window); without it the verdict and reason of the window are
    blank.
    """
    other = replace(evidence, neither="left_out")
    rows = []
    for claim in read(sheet, evidence.arm1):
        about = {"claim_id": claim.claim_id, "claim": claim.text, **vars(claim.judge(evidence))}
        about |= {"rule_name": claim.rule, "rule": claim.words, "known": claim.known}
        about["outcomes"] = "; ".join(claim.settings.get("outcomes", ()))
        if window is not None:
            found = claim.judge(window)
            about |= {"verdict_window": found.verdict, "reason_window": found.reason}
        rows.append(about | {"verdict_left_out": claim.judge(other).verdict})
    return pd.DataFrame(rows, columns=COLUMNS)
