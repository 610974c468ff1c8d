"""PRISMA 2020 flow: what became of every record, so that each box is a sum of rows.

Page et al. (2021), BMJ 372:n71. The screening log is a search by "other methods"; exports of database searches, where
there are any, fill the databases column.
"""

import re

import numpy as np
import pandas as pd

from peersupport.search.identity import doi_keys, first_alike, normal_doi, normal_title, other_work, plain

BECAME = ("excluded_record", "undecided", "not_retrieved", "excluded", "included")  # of a record of databases
STAGES = ("duplicate", "not_retrieved", "excluded", "included")


def duplicates_of(records: pd.DataFrame) -> pd.Series:
    """For each record the index of the record it repeats, NaN for the one that is kept.

    Records are the same report where DOI (of one work: see `doi_keys`) or normalised title agree, directly or through
    a third record. An included record is kept before an excluded one, an earlier before a later.
    """
    group = first_alike([doi_keys(records.doi, records.title, records.first_author), normal_title(records.title)])
    order = records.assign(group=group, late=records.decision.ne("include")).sort_values("late", kind="stable")
    kept = order.groupby("group")["late"].transform(lambda rows: rows.index[0])
    return kept.reindex(records.index).where(lambda first: first.ne(records.index)).astype(float)


def classify(records: pd.DataFrame, studies: pd.DataFrame) -> pd.DataFrame:
    """Records with `duplicate_of`, `stage` (one of STAGES) and `study`, the included study that a report belongs to.

    records: the screening log; studies: the coders' studies (study, title, doi). A report is matched by DOI, else by
    title, else by surname and year where only one study has them.
    """
    copies = duplicates_of(records)
    stage = np.select(
        [
            copies.notna() | records.reason.eq("duplicate_report"),
            records.reason.eq("not_retrieved"),
            records.decision.eq("exclude"),
        ],
        STAGES[:3],
        STAGES[3],
    )
    result = records.assign(duplicate_of=copies, stage=stage)
    return result.assign(study=_match(records, studies).where(result.stage.eq("included"), ""))


def match_studies(records: pd.DataFrame, studies: pd.DataFrame) -> pd.Series:
    """For each record the study that has its DOI, else its title (case, accents and punctuation aside), else "".

    A DOI counts only where it is the same work's: abstracts of one supplement share one. A study's key begins with its
    first author.
    """
    by_doi = pd.Series(list(_with_doi(records, studies)), records.index, dtype=object)
    titles = normal_title(studies.title.fillna("").map(plain))
    by_title = dict(zip(titles, studies.study, strict=True))
    by_title.pop("", None)
    return by_doi.fillna(normal_title(records.title.fillna("").map(plain)).map(by_title)).fillna("")


def _with_doi(records, studies):
    author = studies.study.str.replace(r" (\d{4}[a-z]?|nd)$", "", regex=True)
    works: dict[str, list] = {}
    for doi, *work in zip(normal_doi(studies.doi), studies.title.fillna(""), author, studies.study, strict=True):
        works.setdefault(doi, []).append(work)
    works.pop("", None)
    for doi, title, name in zip(normal_doi(records.doi), records.title, records.first_author, strict=True):
        own = (work for work in works.get(doi, []) if not other_work((title, name), tuple(work[:2])))
        yield next((study for *_, study in own), None)


def _match(records, studies):
    stem = studies.study.str.replace(r"[a-z]$", "", regex=True)
    alone = studies[~stem.duplicated(keep=False)]
    by_name = dict(zip(alone.study.str.lower(), alone.study, strict=True))
    surname = records.first_author.str.replace(r"( [A-Z]{1,3})+$", "", regex=True).str.lower()
    found = match_studies(records, studies)
    return found.where(found.ne("")).fillna((surname + " " + records.year).map(by_name)).fillna("")


def is_review(reports: pd.DataFrame) -> pd.Series:
    """Included reports that are reviews: no study of ours, and the log calls them so (its strand or its note)."""
    called = reports.topic.eq("reviews") | reports.note.str.contains(r"\breview\b|pooled", flags=re.I, regex=True)
    return reports.study.eq("") & (called | normal_title(reports.title).str.contains("review|meta analysis"))


def prisma(classified: pd.DataFrame, studies: pd.DataFrame, exports: pd.DataFrame) -> pd.DataFrame:
    """The boxes of the diagram: `column, box, detail, n`; n is blank where nothing was supplied.

    studies: tidy studies with `source` and `trial`; exports: deduplicated records of database searches with
    `database`, `duplicate` (bool), `study` (an included study or "") and, once screeners decided, `became` and `why`
    (`screeners.follow`); empty where there are none.
    """
    rows = [*_database_rows(exports), *_other_rows(classified, studies), *_included_rows(classified, studies)]
    return pd.DataFrame(rows, columns=["column", "box", "detail", "n"])


def _database_rows(exports):
    if exports.empty:
        return [("databases", "identified", "no database export was supplied", np.nan)]
    screened = exports[~exports.duplicate]
    return [
        *(("databases", "identified", name, len(part)) for name, part in exports.groupby("database")),
        ("databases", "duplicates_removed", "same DOI, PMID, or title, year and author", int(exports.duplicate.sum())),
        ("databases", "screened", "records after removal of duplicates", len(screened)),
        ("databases", "matched", "records of included studies", int(screened.study.ne("").sum())),
        ("databases", "not_matched", "records not among the included studies", int(screened.study.eq("").sum())),
        *(_decided_rows(screened) if "became" in screened else []),
    ]


def _decided_rows(screened):
    """What two screeners, and before them the log, decided: every record screened is in one of these boxes."""
    became = screened.became.value_counts().reindex(list(BECAME), fill_value=0)
    assessed = became["excluded"] + became["included"]
    steps = {
        "excluded_records": ("records excluded by title and abstract", became["excluded_record"]),
        "undecided": ("records without a decision of two screeners", became["undecided"]),
        "sought": ("reports of databases sought for retrieval", assessed + became["not_retrieved"]),
        "not_retrieved": ("reports of databases not retrieved", became["not_retrieved"]),
        "assessed": ("reports of databases assessed for eligibility", assessed),
        "included_reports": ("reports of databases included", became["included"]),
    }
    reasons = screened.why[screened.became.eq("excluded")].replace("", "no reason given").value_counts().sort_index()
    yield from (("databases", box, detail, int(n)) for box, (detail, n) in steps.items())
    yield from (("databases", "excluded", reason, int(n)) for reason, n in reasons.items())


def _other_rows(classified, studies):
    stage = classified.stage
    duplicate = stage.eq("duplicate")
    from_databases = studies[studies.source.ne("coder")]
    known = int(from_databases.source.eq("both").sum())
    excluded = classified[stage.eq("excluded")].reason.value_counts().sort_index()
    removed = {
        "repeated in the log (DOI or title)": int((duplicate & classified.duplicate_of.notna()).sum()),
        "marked as a duplicate by the screener": int((duplicate & classified.duplicate_of.isna()).sum()),
        "trials of the open database already in the log": known,
    }
    sought = len(classified) - int(duplicate.sum()) + len(from_databases) - known
    missing = int(stage.eq("not_retrieved").sum())
    return [
        ("other", "identified", "records found in stored public web pages", len(classified)),
        ("other", "identified", "trials in an open database of peer support trials", len(from_databases)),
        *(("other", "duplicates_removed", detail, n) for detail, n in removed.items()),
        ("other", "sought", "reports sought for retrieval", sought),
        ("other", "not_retrieved", "reports not retrieved", missing),
        ("other", "assessed", "reports assessed for eligibility", sought - missing),
        *(("other", "excluded", reason, int(n)) for reason, n in excluded.items()),
    ]


def _included_rows(classified, studies):
    reports = classified[classified.stage.eq("included")]
    reviews = is_review(reports)
    only_database = int(studies.source.eq("open_database").sum())
    return [
        ("included", "studies", "primary studies included", len(studies)),
        ("included", "studies", "of these, independent of one another", int(studies.trial.nunique())),
        ("included", "reports", "reports of primary studies in the log", int((~reviews).sum())),
        ("included", "reports", "trials taken from the open database alone", only_database),
        ("included", "reports", "reviews, read for themes and pooled results", int(reviews.sum())),
    ]
