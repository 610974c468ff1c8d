"""Decisions of two screeners come back: read from their files, compared, and what stands of each record.

data/raw/screening/ holds a folder per stage (`abstracts`, `full_texts`) with a file per person: CSV with `record` and
`decision`, or what Rayyan or ASReview export. What a third decides on conflicts stands in `third.csv` of the stage.
"""

import re

import numpy as np
import pandas as pd

from peersupport.search.identity import doi_in, folded, pmid_in
from peersupport.search.screening import decided_before
from peersupport.search.tabular import table_of
from peersupport.search.tagged import ris_parts
from peersupport.store.sheets import problem

STAGES = ("abstracts", "full_texts")
THIRD = "third"
PUBMED = "https://pubmed.ncbi.nlm.nih.gov/"
DECISIONS = ["stage", "person", "record", "decision", "reason", "note"]
WORDS = {
    **dict.fromkeys(["include", "included", "yes", "y", "1", "1.0", "relevant", "in"], "include"),
    **dict.fromkeys(["exclude", "excluded", "no", "n", "0", "0.0", "irrelevant", "out"], "exclude"),
    **dict.fromkeys(["maybe", "unsure", "unclear", "?"], "maybe"),
    **dict.fromkeys(["", "nan", "-1", "unlabelled", "undecided"], ""),
}
DECISION_COLUMNS = ("decision", "asreviewlabel", "included", "labelincluded", "finalincluded", "label")
RAYYAN = re.compile(r"RAYYAN-INCLUSION:\s*\{(.*?)\}")
RAYYAN_PERSON = re.compile(r'"([^"]+)"\s*=>\s*"([^"]+)"')
ASREVIEW = re.compile(r"ASReview_((?:ir)?relevant)", re.I)
RAYYAN_REASONS = re.compile(r"RAYYAN-EXCLUSION-REASONS:\s*([^|]*)")
NAME = re.compile(r"\br[0-9a-f]{10}\b")
FAULTS = {
    "unknown_stage": "put the file into the folder abstracts or full_texts of data/raw/screening/",
    "decision_column": "no column says a decision (decision, included, asreview_label, or Rayyan's notes): name one so",
    "unknown_decision": "write include, exclude or maybe",
    "unknown_record": "no record of data/processed/search/to_screen.csv is meant: take the row out, or mend its record",
    "decided_twice": "this person has decided on this record twice, and differently: keep one of the rows",
    "unknown_reason": "this is no reason of the codebook: use one of {codes}",
    "reason_missing": "a full text that is excluded needs its reason, one of {codes}",
    "unreadable_file": "the file cannot be read as a table or as RIS: export it again",
}


def read_decisions(
    files: dict[str, bytes], records: pd.DataFrame, reasons: list[str]
) -> tuple[pd.DataFrame, list[dict]]:
    """(decisions, problems) of the files of data/raw/screening/ by path (`abstracts/anna.csv`).

    records: those that could be screened, with `record`, doi, pmid, title, year; reasons: the codebook's codes of
    exclusion. decisions: DECISIONS, one row each; what is left blank is no decision.
    """
    rows, problems = [], []
    of = _finder(records)
    for file, content in files.items():
        stage, _, name = file.rpartition("/")
        if "readme" in name.lower():
            continue

        def note(rule, row="", column="", value="", file=file):
            remedy = FAULTS[rule].format(codes=", ".join(reasons))
            problems.append(problem(f"screening/{file}", row, column, value, rule, "error", remedy))

        if stage not in STAGES:
            note("unknown_stage", value=file)
            continue
        rows += _decided_in(stage, name.rpartition(".")[0], name, content, of, reasons, note)
    return pd.DataFrame(rows, columns=DECISIONS).drop_duplicates(DECISIONS[:4]), problems


def _decided_in(stage, stem, name, content, of, reasons, note):
    before: dict[tuple, str] = {}
    for row, found in _rows(name, content, note):
        for person, said, reason in _said(found, stem, row, note):
            decision = WORDS.get(said.strip().lower())
            if decision is None:
                note("unknown_decision", row, "decision", said)
            if not decision:
                continue
            record = of(found)
            if not record:
                note("unknown_record", row, "record", found.get("record") or found.get("title", ""))
            elif before.setdefault((person, record), decision) != decision:
                note("decided_twice", row, "record", record)
            else:
                code = _reason(stage, decision, reason, reasons, row, note)
                yield stage, person, record, decision, code, found.get("note", "")


def _reason(stage, decision, reason, reasons, row, note):
    """The codebook's code, which a person may write with blanks and capitals."""
    code = re.sub(r"\W+", "_", reason.split(",")[0].strip().lower()).strip("_")
    if decision != "exclude" or stage == "abstracts" and not code:
        return ""
    if not code:
        note("reason_missing", row, "reason")
    elif code not in reasons and stage == "full_texts":
        note("unknown_reason", row, "reason", reason)
    return code if code in reasons else ""


def _rows(name, content, note):
    """Number and fields (column names folded) of each row of a table, or record of a RIS file."""
    text = content.decode("utf-8-sig", errors="replace")
    if name.lower().endswith((".ris", ".txt")):
        yield from _rows_of_ris(text, note)
        return
    try:
        table = table_of(text)
    except ValueError as error:
        note("unreadable_file", value=str(error))
        return
    table.columns = [re.sub("[^a-z]", "", str(column).lower()) for column in table]
    said_by_rayyan = "notes" in table and any(map(RAYYAN.search, table.notes))
    if not ({*DECISION_COLUMNS} & {*table}) and not said_by_rayyan:
        note("decision_column", 1, value=", ".join(table.columns)[:80])
        return
    yield from zip(table.index + 2, table.to_dict("records"), strict=True)


def _rows_of_ris(text, note):
    found = False
    for row, (fields, _, whole) in enumerate(ris_parts(text), start=1):
        found = found or whole
        if whole:
            said = {tag: " | ".join(values) for tag, values in fields.items()}
            names = {"title": ("TI", "T1"), "doi": ("DO",), "url": ("UR",), "notes": ("N1",), "record": ("ID",)}
            yield row, {name: next((said[t] for t in tags if t in said), "") for name, tags in names.items()}
    if not found:
        note("unreadable_file")


def _said(found, stem, row, note):
    """(person, decision, reason) of a row: Rayyan's export holds those of all its people."""
    rayyan = RAYYAN.search(found.get("notes", ""))
    if rayyan:
        reasons = RAYYAN_REASONS.search(found["notes"])
        for person, said in RAYYAN_PERSON.findall(rayyan.group(1)):
            yield person, said, reasons.group(1).strip() if reasons else ""
        return
    asreview = ASREVIEW.search(found.get("notes", ""))
    if asreview:
        yield stem, asreview.group(1), ""
        return
    column = next((name for name in DECISION_COLUMNS if name in found), None)
    if column:
        reason = found.get("reason") or found.get("exclusionreason") or found.get("asreviewtags") or ""
        yield stem, str(found[column]), str(reason)


def _finder(records):
    """A function that finds the record of a row: by its name anywhere in the row, else DOI, PMID, or title."""
    known = set(records.record)
    keys = [dict(zip(records[c][::-1], records.record[::-1], strict=True)) for c in ("doi", "pmid")]
    titles = dict(zip(records.title.map(folded)[::-1], records.record[::-1], strict=True))
    for table in (*keys, titles):
        table.pop("", None)

    def of(found):
        named = next((name for value in found.values() for name in NAME.findall(str(value)) if name in known), "")
        pmid = str(found.get("pmid") or found.get("pubmedid") or "") or pmid_in(str(found.get("url", "")))
        return (
            named
            or keys[0].get(doi_in(str(found.get("doi", ""))), "")
            or keys[1].get(pmid, "")
            or titles.get(folded(str(found.get("title", ""))), "")
        )

    return of


# ---------------------------------------------------------------- what stands


def standing(decisions: pd.DataFrame) -> pd.DataFrame:
    """`stage, record, decision, reason, decided_by, a, b`: what two screeners and, on a conflict, a third decided.

    decision: include or exclude where two agree or the third decided; `conflict` where two differ (in the decision, or
    at full text in the reason; maybe differs from both); `one screener` where a second is missing. By abstract, `maybe`
    of both keeps a record in, as Rayyan and Cochrane do.
    """
    rows = []
    for (stage, record), part in decisions.groupby(["stage", "record"], sort=True):
        third = part[part.person.eq(THIRD)]
        two = part[part.person.ne(THIRD)].sort_values("person")
        said = [f"{row.person}: {row.decision}{' ' + row.reason if row.reason else ''}" for row in two.itertuples()]
        decision, reason, by = _verdict(stage, two, third)
        rows.append((stage, record, decision, reason, by, *(said + ["", ""])[:2]))
    return pd.DataFrame(rows, columns="stage record decision reason decided_by a b".split())


def _verdict(stage, two, third):
    if len(third):
        return third.decision.iloc[0], third.reason.iloc[0], THIRD
    if len(two) < 2:
        return "one screener", "", ""
    decisions, reasons = set(two.decision), set(two.reason) - {""}
    if stage == "abstracts" and decisions == {"maybe"}:
        return "include", "", "both"
    if len(decisions) > 1 or decisions == {"maybe"} or (stage == "full_texts" and len(reasons) > 1):
        return "conflict", "", ""
    return decisions.pop(), next(iter(sorted(reasons)), ""), "both"


def pairs(decisions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By stage the decisions of each two screeners on the records both saw: `record, person_a, person_b, a, b`."""
    tables = {}
    for stage, part in decisions[decisions.person.ne(THIRD)].groupby("stage"):
        wide = part.pivot(index="record", columns="person", values="decision")
        people = sorted(wide)
        both = [
            wide[[one, other]].dropna().set_axis(["a", "b"], axis=1).assign(person_a=one, person_b=other).reset_index()
            for i, one in enumerate(people)
            for other in people[i + 1 :]
        ]
        tables[stage] = pd.concat(both) if both else pd.DataFrame(columns=["record", "a", "b", "person_a", "person_b"])
    return tables


def follow(records: pd.DataFrame, log: pd.DataFrame, stood: pd.DataFrame) -> pd.DataFrame:
    """Records with `became` and `why`: what became of each that is no duplicate, "" for duplicates.

    became: `excluded_record` (by title and abstract), `undecided`, `not_retrieved`, `excluded` (at full text, `why` its
    reason), `included`; of a record that the log decided on before, what the log says. Without any decision records are
    as they were. records: deduplicated, with `record`; log: as `prisma.classify` returns it; stood: of `standing`.
    """
    if stood.empty:
        return records
    first, second = (stood[stood.stage.eq(stage)].set_index("record") for stage in STAGES)
    by_abstract, by_text, reason = (
        records.record.map(found.to_dict()).fillna("") for found in (first.decision, second.decision, second.reason)
    )
    row = decided_before(records, log)
    row = row.map(log.duplicate_of).fillna(row)  # what the log took for a repetition is as the record it repeats
    in_log = row.map(log.stage).fillna("").where(lambda stage: stage.ne("duplicate"), "excluded")
    missing = by_text.eq("exclude") & reason.eq("not_retrieved")
    became = np.select(
        [records.duplicate, in_log.ne(""), missing, by_text.eq("exclude"), by_text.eq("include"), by_text.ne("")],
        ["", in_log, "not_retrieved", "excluded", "included", "undecided"],
        np.where(by_abstract.eq("exclude"), "excluded_record", "undecided"),
    )
    why = row.map(log.reason).fillna("").where(in_log.ne(""), reason)
    return records.assign(became=pd.Series(became, records.index, dtype="str"), why=why.where(became == "excluded", ""))


def share_included(followed: pd.DataFrame) -> float:
    """Of the records that `follow` says something final of, the share included; NaN where there are none."""
    if "became" not in followed:
        return np.nan
    final = followed.became[~followed.became.isin(["", "undecided"])]
    return final.eq("included").mean() if len(final) else np.nan


def as_log(records: pd.DataFrame, stood: pd.DataFrame) -> pd.DataFrame:
    """The decided records in the form of records.csv, for an author to add to it: what two screeners and a third
    decided, its reason, and in `note` at which stage and by whom."""
    last = stood[stood.decision.isin(["include", "exclude"])].drop_duplicates("record", keep="last")
    last = last[last.stage.eq("full_texts") | last.decision.eq("exclude")]
    rows = records[~records.duplicate].merge(last, on="record")
    link = np.where(rows.doi.ne(""), "https://doi.org/" + rows.doi, np.where(rows.pmid.ne(""), PUBMED + rows.pmid, ""))
    told = rows.stage.replace({"abstracts": "title and abstract", "full_texts": "full text"})
    by = rows.decided_by.replace({"both": "two screeners", THIRD: "a third screener"})
    return pd.DataFrame(
        {
            **{name: rows[name] for name in ("title", "first_author", "year", "doi")},
            "url": link,
            "topic": "database_search",
            "decision": rows.decision,
            "reason": rows.reason,
            "note": "by " + told + ", " + by + ", " + rows.database,
        }
    )
