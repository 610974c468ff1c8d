"""From exports to a list to screen: what was decided before is taken out, the rest is ranked, most promising first.

The model only orders the list; it includes and excludes nothing. It is TF-IDF with logistic regression, trained
on titles of the screening log.
"""

import hashlib
import re

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from peersupport.search.identity import doi_keys, folded, normal_doi, other_work, pmid_in
from peersupport.search.recall import decided
from peersupport.search.record import DETAILS

SCREEN = "rank record score title authors year journal doi pmid abstract database file".split()
RIS_TAGS = {"title": "TI", "year": "PY", "journal": "T2", "doi": "DO", "abstract": "AB", "database": "DB"}
FOLDS, REPEATS, WANTED = 10, 5, 0.95


def record_ids(records: pd.DataFrame) -> pd.Series:
    """A short name of each record that a later export of it shares: of its DOI, else PMID, else title and year."""
    work = doi_keys(records.doi, records.title, records.first_author)
    known = work.where(work.ne(""), ("pmid" + records.pmid).where(records.pmid.ne(""), ""))
    key = known.where(known.ne(""), records.title.map(folded) + "|" + records.year)
    return key.map(lambda text: "r" + hashlib.sha256(text.encode()).hexdigest()[:10]).astype("str")


def decided_before(records: pd.DataFrame, log: pd.DataFrame) -> pd.Series:
    """For each record the row of the log that decided on it (its DOI, PMID or title), NaN where none did.

    records: as `deduplicate` returns them; a record takes what the log says of any of its duplicates.
    """
    rows = log[log.decision.isin(["include", "exclude"])]
    order = rows.decision.ne("include").sort_values(kind="stable").index  # an inclusion is found before an exclusion
    rows = rows.loc[order, ["doi", "title", "first_author", "url"]].fillna("").astype(str)
    by_doi: dict[str, list] = {}
    for row, doi, *work in zip(rows.index, normal_doi(rows.doi), rows.title, rows.first_author, strict=True):
        by_doi.setdefault(doi, []).append((row, tuple(work)))
    by_doi.pop("", None)
    by_pmid = {pmid: row for row, pmid in zip(rows.index[::-1], rows.url[::-1].map(pmid_in), strict=True) if pmid}
    by_title = {title: row for row, title in zip(rows.index[::-1], rows.title[::-1].map(folded), strict=True) if title}
    found = []
    for doi, pmid, title, author in zip(records.doi, records.pmid, records.title, records.first_author, strict=True):
        same = (row for row, work in by_doi.get(doi, []) if not other_work((title, author), work))
        found.append(next(same, by_pmid.get(pmid, by_title.get(folded(title), np.nan))))
    own = pd.Series(found, records.index, dtype=float)
    kept = records.duplicate_of.fillna(records.index.to_series())
    return own.groupby(kept).transform("first")


def model():
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, strip_accents="unicode", dtype=np.float32),
        LogisticRegression(class_weight="balanced", C=1.0, max_iter=1000),
    )


def rank(records: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """SCREEN of the records to be screened, most promising first: those that are no duplicates and that the log has not
    decided (`decided_before`). score: the model's, of titles, between 0 and 1; NaN where the log holds too little to
    train it, and then in the order of the exports."""
    left = _filled(records)[~records.duplicate & decided_before(records, log).isna()]
    trained = decided(log)
    score = np.full(len(left), np.nan)
    if trained.included.value_counts().reindex([True, False], fill_value=0).min() >= FOLDS and len(left):
        score = model().fit(trained.title, trained.included).predict_proba(left.title)[:, 1]
    left = left.assign(score=score.round(4), record=record_ids(records)[left.index])
    left = left.sort_values("score", ascending=False, kind="stable", na_position="last")
    return left.assign(rank=np.arange(1, len(left) + 1))[SCREEN].reset_index(drop=True)


def _filled(records):
    """Records in which what is blank is what the first of their duplicates says: one database's export has an abstract
    where another's has none."""
    kept = records.duplicate_of.fillna(records.index.to_series())
    told = records[[*DETAILS, "doi", "pmid", "year"]]
    first = told.mask(told.eq("")).groupby(kept).transform("first").fillna("")
    return records.assign(**{name: told[name].where(told[name].ne(""), first[name]) for name in told})


def as_ris(ranked: pd.DataFrame) -> str:
    """The list as RIS, which Rayyan, ASReview, Zotero and EndNote import; the record's name stands in ID."""
    lines = []
    for row in ranked.to_dict("records"):
        lines += ["TY  - JOUR", f"ID  - {row['record']}"]
        lines += [f"AU  - {author}" for author in str(row["authors"]).split("; ") if author]
        lines += [f"{tag}  - {_line(row[name])}" for name, tag in RIS_TAGS.items() if row[name]]
        pmid = f"; PMID: {row['pmid']}" if row["pmid"] else ""
        lines += [f"N1  - record: {row['record']}; rank: {row['rank']}{pmid}", "ER  - ", ""]
    return "\n".join(lines) + ("\n" if lines else "")


def _line(text):
    return re.sub(r"\s+", " ", str(text))


# ---------------------------------------------------------------- how much work the order saves


def simulated(log: pd.DataFrame, seed: int) -> pd.DataFrame:
    """`repeat, screened, recall`: share of included records met after each share of the decided ones, in the order of
    the scores that a model gave each record without having seen it (10-fold cross-validation, repeated); empty where
    the log has fewer than two records of either kind."""
    rows = decided(log)
    y = rows.included.to_numpy(bool)
    parts = min(FOLDS, int(y.sum()), int((~y).sum()))
    curves = [pd.DataFrame(columns=["repeat", "screened", "recall"], dtype=float)]
    if parts < 2:
        return curves[0]
    for repeat in range(REPEATS):
        folds = StratifiedKFold(parts, shuffle=True, random_state=seed + repeat)
        score = cross_val_predict(model(), rows.title, y, cv=folds, method="predict_proba")[:, 1]
        met = np.cumsum(y[np.argsort(-score, kind="stable")]) / y.sum()
        screened = np.arange(1, len(y) + 1) / len(y)
        curves.append(pd.DataFrame({"repeat": repeat, "screened": screened, "recall": met}))
    return pd.concat(curves[1:], ignore_index=True)


def work_saved(curves: pd.DataFrame, wanted: float = WANTED) -> pd.DataFrame:
    """`repeat, screened, work_saved`: the share to be screened until that recall is reached, and what is saved against
    an order by chance, WSS = 1 - screened - (1 - recall) (Cohen et al. 2006, J Am Med Inform Assoc 13:206)."""
    at = curves[curves.recall >= wanted].groupby("repeat").screened.min()
    return pd.DataFrame({"repeat": at.index, "screened": at.to_numpy(), "work_saved": wanted - at.to_numpy()})
