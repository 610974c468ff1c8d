"""The PRISMA boxes are sums of rows, on a made-up log and on the real one."""

import pandas as pd
import pytest

from peersupport.intake import clean
from peersupport.search import prisma
from peersupport.store.codebook import codebook, labels
from peersupport.store.sheets import read_raw


def log(*rows) -> pd.DataFrame:
    blank = dict(
        title="", first_author="", year="2021", doi="", url="", topic="wards", decision="include", reason="", note=""
    )
    table = pd.DataFrame([blank | row for row in rows])
    return table.set_index(table.index + 2)  # as a spreadsheet numbers them


# Rows 2 and 4 share a DOI, 4 and 6 a title: one report. 3 and 5 have neither in common.
LOG = log(
    dict(title="Peers on wards", doi="10.1000/A", first_author="Able A"),
    dict(title="Peers in villages", first_author="Baker BC"),
    dict(title="Peers on the ward", doi="https://doi.org/10.1000/a"),
    dict(title="Something else", decision="exclude", reason="protocol_only"),
    dict(title="PEERS on the ward.", decision="exclude", reason="no_results_visible"),
    dict(title="Lost", decision="exclude", reason="not_retrieved"),
    dict(title="Seen before", decision="exclude", reason="duplicate_report"),
    dict(title="Peers: a systematic review"),
    dict(title="Another plan", decision="exclude", reason="protocol_only"),
    dict(title="A key to a trial", first_author="Clark C", doi="10.1000/c"),
)
STUDIES = pd.DataFrame(
    [
        ("Able 2021", "Peers on wards", "10.1000/a", "both", "Able 2021"),
        ("Baker 2021", "Peers in villages", "", "coder", "Baker 2021"),
        ("Clark 2021", "Title as printed", "10.1000/C", "coder", "Able 2021"),
        ("Evans 2012", "Peers long ago", "", "open_database", "Evans 2012"),
    ],
    columns=["study", "title", "doi", "source", "trial"],
)
NONE = pd.DataFrame()


def boxes(records=LOG, studies=STUDIES, exports=NONE):
    classified = prisma.classify(records, studies[studies.source.ne("open_database")])
    table = prisma.prisma(classified, studies, exports)
    return table, table.groupby(["column", "box"]).n.sum()


def adds_up(n):
    other = n["other"]
    assert other["identified"] == other["duplicates_removed"] + other["sought"]
    assert other["sought"] == other["not_retrieved"] + other["assessed"]
    assert other["assessed"] == other["excluded"] + n["included"]["reports"]


def test_duplicates_reach_through_a_third_record():
    copies = prisma.duplicates_of(LOG)
    assert copies.dropna().to_dict() == {4: 2, 6: 2}


def test_records_without_doi_or_title_are_no_duplicates_of_each_other():
    assert prisma.duplicates_of(log({}, {}, dict(doi=""))).isna().all()


def test_included_record_is_kept_before_an_excluded_one():
    pair = log(dict(title="Same", decision="exclude", reason="protocol_only"), dict(title="Same"))
    assert prisma.duplicates_of(pair).dropna().to_dict() == {2: 3}


def test_each_record_has_one_stage():
    stages = prisma.classify(LOG, STUDIES).stage
    assert stages.to_dict() == {
        2: "included",
        3: "included",
        4: "duplicate",
        5: "excluded",
        6: "duplicate",
        7: "not_retrieved",
        8: "duplicate",
        9: "included",
        10: "excluded",
        11: "included",
    }


def test_reports_are_matched_by_doi_then_title_then_name():
    by_name = log(dict(title="No such title", first_author="Baker BC"))
    assert prisma.classify(by_name, STUDIES).study.tolist() == ["Baker 2021"]
    matched = prisma.classify(LOG, STUDIES).study
    assert matched[matched.ne("")].to_dict() == {2: "Able 2021", 3: "Baker 2021", 11: "Clark 2021"}


def test_name_that_two_studies_share_matches_neither():
    twins = pd.DataFrame(dict(study=["Cook 2012a", "Cook 2012b"], title=["x", "y"], doi=["", ""]))
    alone = log(dict(title="z", first_author="Cook J", year="2012"))
    assert prisma.classify(alone, twins).study.tolist() == [""]


def test_boxes_of_the_small_log():
    table, n = boxes()
    assert n["other"].to_dict() == {
        "identified": 10 + 2,
        "duplicates_removed": 2 + 1 + 1,
        "sought": 8,
        "not_retrieved": 1,
        "assessed": 7,
        "excluded": 2,
    }
    reasons = table[table.box.eq("excluded")].set_index("detail").n
    assert reasons.to_dict() == {"protocol_only": 2}
    included = table[table.column.eq("included")].n.tolist()
    assert included == [4, 3, 3, 1, 1]  # studies, of these independent; reports, of the database alone, reviews
    adds_up(n)


def test_without_exports_the_databases_column_says_so():
    table, _ = boxes()
    said = table[table.column.eq("databases")]
    assert said.detail.tolist() == ["no database export was supplied"] and said.n.isna().all()


def test_exports_fill_the_databases_column():
    exports = pd.DataFrame(
        dict(database=["PubMed", "PubMed", "Scopus"], duplicate=[False, False, True], study=["Able 2021", "", ""])
    )
    _, n = boxes(exports=exports)
    databases = n["databases"]
    assert databases["identified"] == databases["duplicates_removed"] + databases["screened"] == 3
    assert databases["screened"] == databases["matched"] + databases["not_matched"] == 2
    adds_up(n)


@pytest.mark.parametrize("row", range(len(LOG)))
def test_boxes_add_up_whatever_row_is_missing(row):
    _, n = boxes(LOG.drop(index=LOG.index[row]))
    assert n["other"]["identified"] == len(LOG) - 1 + 2
    adds_up(n)


def test_boxes_of_the_real_log_add_up():
    raw, _ = read_raw()
    tables = clean.tidy(raw, clean.decisions(raw), codebook())
    classified = prisma.classify(raw["records"], raw["coder_a/studies"])
    table = prisma.prisma(classified, tables["studies"], NONE)
    n = table.groupby(["column", "box"]).n.sum()
    adds_up(n)
    assert table[table.box.eq("identified") & table.column.eq("other")].n.tolist()[0] == len(raw["records"])
    assert classified.stage.isin(prisma.STAGES).all()
    excluded = table[table.box.eq("excluded")]
    assert set(excluded.detail) <= set(labels("reason"))
    kept = classified[classified.duplicate_of.notna()].duplicate_of
    assert classified.duplicate_of[kept].isna().all()  # what a record repeats is itself kept
