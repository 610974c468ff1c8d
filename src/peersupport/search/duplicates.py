"""Which records of several searches are the same report, which may be, and which are the included studies'."""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from peersupport.search.identity import doi_keys, first_alike, folded
from peersupport.search.prisma import match_studies

WINDOW = 5  # neighbours compared in each order of the records
ALIKE = 0.8  # similarity of titles from which a pair is shown to a person
FEW_WORDS = 4  # a title as short as "Editorial" or "Letter to the editor" tells no two records apart
PAIR = ["why", "similarity", "record", "other"]


def deduplicate(records: pd.DataFrame) -> pd.DataFrame:
    """Records with `duplicate` (bool), `duplicate_of` (index of the record kept, the first of its like; else NaN)
    and `matched_by`: the first of doi, pmid, `title, year and first author` and `title and year` (where no author is
    stated) on which it agrees with the record kept, or, where a third record links the two, with that one; "" for
    records kept. One DOI of two works, as of abstracts in one supplement, makes no duplicate (see `doi_keys`).
    """
    keys = _identities(records)
    kept = first_alike(keys.values())
    direct = [key.ne("") & key.eq(key[kept].array) for key in keys.values()]
    through_third = [key.ne("") & key.duplicated(keep=False) for key in keys.values()]
    duplicate = kept.ne(records.index)
    agreed = np.select([*direct, *through_third], [*keys, *keys], "")
    return records.assign(
        duplicate=duplicate,
        duplicate_of=kept.where(duplicate).astype(float),
        matched_by=pd.Series(agreed, records.index, dtype="str").where(duplicate, ""),
    )


def _identities(records):
    """What two records of one report share, surest first; "" where a record lacks it."""
    title, author = records.title.map(folded), records.first_author.map(folded)
    by_name = title + "|" + records.year + "|" + author
    dated = title.ne("") & records.year.ne("")
    return {
        "doi": doi_keys(records.doi, records.title, records.first_author),
        "pmid": records.pmid,
        "title, year and first author": by_name.where(dated & author.ne(""), ""),
        "title and year": _by_title_alone(records, title, author).where(dated, ""),
    }


def _by_title_alone(records, title, author):
    """Title and year where no author is stated: of long titles, where no two authors or DOIs speak against it."""
    key = title + "|" + records.year
    several = author.where(author.ne("")).groupby(key).nunique().gt(1)
    dois = records.doi.where(records.doi.ne("")).groupby(key).nunique().gt(1)
    unsure = key.map(several) | key.map(dois)
    blank = author.eq("").groupby(key).transform("any")
    return key.where(blank & ~unsure & records.title.str.split().str.len().ge(FEW_WORDS), "")


def possible_duplicates(found: pd.DataFrame) -> pd.DataFrame:
    """Pairs for a person to look at, which nothing here merges: `why, similarity, record, other`, and of both `title`,
    `first_author`, `year`, `doi`, `file` (with `_other` for the second).

    found: records as `deduplicate` returns them. A pair is of kept records whose titles are alike (cosine of their
    letter triples, weighted by rarity) and whose years differ by one at most or are not stated, found among neighbours
    in three orders of the records (sorted neighbourhoods: Hernandez & Stolfo 1995, SIGMOD), or of records of one DOI,
    kept apart for their titles and first authors, or merged although their titles differ.
    """
    kept = found[~found.duplicate]
    pairs = pd.concat([_same_doi(found), _alike(kept)], ignore_index=True)
    pairs = pairs.drop_duplicates(["record", "other"])
    columns = ["title", "first_author", "year", "doi", "file"]
    both = [found.loc[pairs[side].astype(int), columns].reset_index(drop=True) for side in ("record", "other")]
    return pd.concat([pairs.reset_index(drop=True), both[0], both[1].add_suffix("_other")], axis=1)


def _same_doi(found):
    key = found.doi.where(found.doi.ne(""))
    first = found.index.to_series().groupby(key).transform("first")
    kept = found.duplicate_of.fillna(found.index.to_series())
    apart = (
        first.notna() & first.ne(found.index) & kept.ne(kept[first.fillna(found.index[0])].array)
        if len(found)
        else first.notna()
    )
    rows = found.index[apart & ~found.duplicate]
    return pd.DataFrame(
        [("one DOI, another title and another first author", np.nan, int(first[row]), row) for row in rows],
        columns=PAIR,
    )


def _alike(kept):
    if len(kept) < 2:
        return pd.DataFrame(columns=PAIR)
    title, author = (kept[name].map(folded).to_numpy() for name in ("title", "first_author"))
    year = pd.to_numeric(kept.year, errors="coerce").to_numpy()
    one, other = _neighbours(title, author, year)
    close = ~(np.abs(year[one] - year[other]) > 1) & (title[one] != "") & (title[other] != "")
    one, other = one[close], other[close]
    triples = TfidfVectorizer(analyzer="char", ngram_range=(3, 3), dtype=np.float32)
    try:
        weights = triples.fit_transform(title)
    except ValueError:  # no title has three letters
        return pd.DataFrame(columns=PAIR)
    score = np.asarray(weights[one].multiply(weights[other]).sum(axis=1)).ravel()
    shown = np.flatnonzero(score >= ALIKE)
    shown = shown[np.argsort(-score[shown], kind="stable")]
    index = kept.index.to_numpy()
    rows = [("titles alike", round(float(score[i]), 3), index[one[i]], index[other[i]]) for i in shown]
    return pd.DataFrame(rows, columns=PAIR)


def _neighbours(title, author, year):
    """Pairs of places that stand within WINDOW of each other by title, by its end, or by author and year."""
    backwards = np.array([text[::-1] for text in title], dtype=object)
    orders = [np.argsort(title), np.argsort(backwards), np.lexsort((title, year, author))]
    pairs = [np.sort([order[:-step], order[step:]], axis=0) for order in orders for step in range(1, WINDOW + 1)]
    return np.unique(np.hstack(pairs), axis=1)


def match(records: pd.DataFrame, studies: pd.DataFrame) -> pd.DataFrame:
    """Records, as `deduplicate` returns them, with `study`: the included study (studies: study, title, doi) whose DOI,
    else whose title, the record or one of its duplicates has; else "".
    """
    found = match_studies(records, studies)
    kept = records.duplicate_of.fillna(records.index.to_series())
    return records.assign(study=found.where(found.ne("")).groupby(kept).transform("first").fillna(""))
