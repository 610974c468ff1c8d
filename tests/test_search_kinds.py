"""Kinds of fault that real exports of reviewers showed, each with other examples than the ones it was found by.

The exports in tests/search_interfaces (see its README) hold one invented article as each interface writes it.
"""

from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg

from peersupport.figures.prisma import draw_prisma
from peersupport.intake import rules
from peersupport.search import prisma
from peersupport.search.databases import database_name
from peersupport.search.duplicates import deduplicate, match, possible_duplicates
from peersupport.search.exports import read_exports
from peersupport.search.identity import doi_in, other_work, pmid_in
from peersupport.store.tables import read_search_exports

INTERFACES = Path(__file__).parent / "search_interfaces"
FILES = {path.name: path.read_bytes() for path in sorted(INTERFACES.iterdir())}
DATABASES = {
    "cochrane_central.csv": "Cochrane CENTRAL",
    "cochrane_central.ris": "Cochrane CENTRAL",
    "dimensions.csv": "Dimensions",
    "ebsco.csv": "PsycINFO (EBSCOhost)",
    "ebsco_cinahl.ris": "CINAHL (EBSCOhost)",
    "ebsco_psycinfo.ris": "PsycINFO (EBSCOhost)",
    "embase_com.csv": "Embase",
    "embase_com.ris": "Embase",
    "embase_com_rows.csv": "Embase",
    "endnote.txt": "PubMed",
    "lens.csv": "The Lens",
    "ovid_embase.ris": "Embase (Ovid)",
    "ovid_medline.ris": "MEDLINE (Ovid)",
    "ovid_psycinfo.ris": "PsycINFO (Ovid)",
    "proquest.ris": "PsycINFO (ProQuest)",
    "pubmed.csv": "PubMed",
    "pubmed.nbib": "PubMed",
    "pubmed_set.txt": "PubMed",
    "rayyan.csv": "rayyan",
    "rayyan.ris": "rayyan",
    "scopus.csv": "Scopus",
    "scopus.ris": "Scopus",
    "web_of_science.ris": "Web of Science",
    "web_of_science_plain.txt": "Web of Science",
    "web_of_science_tab.txt": "Web of Science",
    "zotero.bib": "zotero",
    "zotero.csv": "PubMed",
    "zotero.ris": "PubMed",
}
ONLY_DOI = ["ebsco.csv", "web_of_science.ris"]
ONLY_PMID = ["ebsco_cinahl.ris", "ovid_medline.ris", "rayyan.csv", "rayyan.ris", "zotero.csv", "zotero.ris"]


def records(*ris: str) -> pd.DataFrame:
    """Records of one RIS file, each given by its lines without type and end."""
    text = "".join(f"TY  - JOUR\n{lines}\nER  - \n\n" for lines in ris)
    found, problems = read_exports({"made up.ris": text.encode()})
    assert [p for p in problems if p["severity"] == "error"] == []
    return found


def in_bib(fields: str) -> pd.Series:
    found, _ = read_exports({"x.bib": f"@article{{a, title={{A}}, {fields}}}".encode()})
    return found.iloc[0]


# ---------------------------------------------------------------- interfaces


@pytest.mark.parametrize("file", DATABASES)
def test_each_interface_gives_the_same_article(file):
    found, problems = read_exports({file: FILES[file]})
    assert problems == []
    first = found.iloc[0]
    assert first.title == "Peers who write letters: an invented randomised trial"
    assert first.first_author in ("Müller", "Muller")
    assert first.year in ("2018", "2019")
    assert first.doi == ("" if file in ONLY_PMID else "10.5555/letters.1")
    assert first.pmid == ("" if file in ONLY_DOI else "90000123")
    assert set(found.database) == {DATABASES[file]}


def test_the_article_of_all_interfaces_counts_once():
    found, _ = read_exports(FILES)
    kept = deduplicate(found).query("~duplicate")
    assert set(FILES) == {*DATABASES, "README.md"}
    assert kept.title.tolist() == [
        "Peers who write letters: an invented randomised trial",
        "Peers who bake: an invented cohort",
    ]


# ---------------------------------------------------------------- DOIs


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("10.5555/A.1", "10.5555/a.1"),
        ("doi:10.5555/SEA.1.", "10.5555/sea.1"),
        ("https://doi.org/10.5555/sea.1", "10.5555/sea.1"),
        ("DOI: https://dx.doi.org/10.5555/sea.1,", "10.5555/sea.1"),
        ("(see 10.5555/S0140-6736(97)11096-0)", "10.5555/s0140-6736(97)11096-0"),
        ("10.5555/x(1)", "10.5555/x(1)"),
        ("10.5555/letters.1 [doi]", "10.5555/letters.1"),
        ("10.5555/letters.1[doi]", "10.5555/letters.1"),
        (
            "10.1002/(SICI)1097-0274(199705)31:5&lt;501::AID-AJIM4&gt;3.0.CO;2-A",
            "10.1002/(sici)1097-0274(199705)31:5<501::aid-ajim4>3.0.co;2-a",
        ),
        (
            "10.1002/(SICI)1097-0274(199705)31:5&amp;lt;501::AID-AJIM4&amp;gt;3.0.CO;2-A",
            "10.1002/(sici)1097-0274(199705)31:5<501::aid-ajim4>3.0.co;2-a",
        ),
        (
            "https://doi.org/10.1002/(SICI)1097-0274(199705)31:5%3C501::AID-AJIM4%3E3.0.CO;2-A",
            "10.1002/(sici)1097-0274(199705)31:5<501::aid-ajim4>3.0.co;2-a",
        ),
        ("10.1672/0277-5212(2004)024[0459:EOACWI]2.0.CO;2", "10.1672/0277-5212(2004)024[0459:eoacwi]2.0.co;2"),
        ("10.5555/a.1; 10.5555/b.2", "10.5555/a.1"),
        ("10.5555/a.1;10.5555/b.2", "10.5555/a.1"),
        ("https://doi.org/10.5555/a.1?utm_source=x&y=1", "10.5555/a.1"),
        ("https://www.scopus.example/uri?eid=2-s2.0-1&doi=10.5555%2fa.1&partnerID=40", "10.5555/a.1"),
        ("https://www.example.org/articles/10.5555/fpsyt.2020.00123/full", "10.5555/fpsyt.2020.00123"),
        ("https://example.org/doi/pdf/10.5555/1234567890.pdf", "10.5555/1234567890"),
        ("<a href='x'>10.5555/a.1</a>", "10.5555/a.1"),
        ("\\url{https://doi.org/10.5555/a\\_b}", "10.5555/a_b"),
        ("10.5555/a\u2010b", "10.5555/a-b"),
        ("10.1234.56/x", "10.1234.56/x"),
        ("n/a", ""),
        ("10.5555", ""),
        ("", ""),
    ],
)
def test_a_doi_is_whole_and_bare(text, doi):
    assert doi_in(text) == doi


@pytest.mark.parametrize("field", ["DO", "DI", "M3", "L3", "L2", "LK", "N1", "UR"])
def test_a_doi_is_read_wherever_an_interface_puts_it(field):
    [doi] = records(f"TI  - A\n{field}  - https://doi.org/10.5555/ABC.(1)2").doi
    assert doi == "10.5555/abc.(1)2"


@pytest.mark.parametrize("field", ["doi = {10.5555/ABC.1}", "url = {https://doi.org/10.5555/abc.1}"])
def test_a_doi_is_read_from_each_field_of_bibtex(field):
    assert in_bib(field).doi == "10.5555/abc.1"
    assert in_bib("note = {Published online. doi: 10.5555/abc.1.}").doi == "10.5555/abc.1"


def test_other_works_dois_in_the_notes_are_not_the_records():
    assert records("TI  - A\nN1  - References: B., doi: 10.5555/b").doi.tolist() == [""]
    assert records("TI  - A\nN1  - Comment on 10.5555/b and 10.5555/c").doi.tolist() == [""]


def test_dois_of_one_issue_are_not_cut_to_one():
    found = deduplicate(
        records(
            "TI  - First\nAU  - A, A\nDO  - 10.1002/(SICI)1097-0274(1997)31:5&lt;501::AID-X4&gt;3.0.CO;2-A",
            "TI  - Other\nAU  - B, B\nDO  - 10.1002/(SICI)1097-0274(1997)31:5&lt;530::AID-X7&gt;3.0.CO;2-B",
        )
    )
    assert not found.duplicate.any() and found.doi.nunique() == 2


def test_log_and_studies_have_the_same_normaliser():
    sici = "10.1002/(SICI)1097(199705)31:5<580::AID-13>3.0.CO;2-V"
    log = pd.DataFrame(
        {
            "title": ["One spelling of it", "Another spelling of that"],
            "first_author": ["Able A", "Able A"],
            "doi": [f"doi:{sici}.", f"https://doi.org/{sici.replace('<', '%3C').replace('>', '%3E')}"],
            "decision": "include",
        }
    )
    assert prisma.duplicates_of(log).dropna().to_dict() == {1: 0}
    studies = pd.DataFrame({"study": ["Able 1997"], "title": ["As printed"], "doi": [sici.replace("<", "&lt;")]})
    assert prisma.match_studies(log, studies).tolist() == ["Able 1997", "Able 1997"]


# ---------------------------------------------------------------- one DOI, several works


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (("How peers are paid", "Alpha"), ("How peers are trained", "Beta"), True),
        (("O7. A peer-led group on a ward", "Alpha"), ("P112. Metabolic monitoring", "Omega"), True),
        (("Peers, part 1", "Alpha"), ("Peers, part 2", "Beta"), True),
        (("Peers by the sea", "Alpha"), ("Peers by the sea: an invented trial", "Beta"), False),
        (("Peers by the sea: a randomised trial", "Alpha"), ("Peers by the sea: a randomized trial", "Be"), False),
        (("Gleichgestellte am Meer", "Alpha"), ("Peers by the sea", "Alpha"), False),
        (("Peers by the sea", "van der Alpha"), ("Walking", "Alpha"), False),
        (("Peers by the sea", ""), ("Walking", "Alpha"), False),
        (("", "Alpha"), ("Walking", "Beta"), False),
    ],
)
def test_another_title_and_another_first_author_are_another_work(one, other, apart):
    assert other_work(one, other) is apart


def test_abstracts_of_one_supplement_stay_and_are_named():
    abstracts = [
        "TI  - O7. A peer-led recovery group\nAU  - Alpha A.\nPY  - 2016\nDO  - 10.5555/suppl",
        "TI  - P112. Metabolic monitoring\nAU  - Omega O.\nPY  - 2016\nDO  - 10.5555/suppl",
        "TI  - O7. A peer-led recovery group\nAU  - Alpha A.\nPY  - 2017\nDO  - https://doi.org/10.5555/SUPPL",
    ]
    found = deduplicate(records(*abstracts))
    assert found.duplicate.tolist() == [False, False, True]
    pairs = possible_duplicates(found)
    assert pairs[["record", "other"]].to_numpy().tolist() == [[0, 1]]
    assert pairs.why[0].startswith("one DOI")


def test_a_record_of_a_shared_doi_is_no_included_study_by_that_alone():
    studies = pd.DataFrame({"study": ["Alpha 2016"], "title": ["A peer-led recovery group"], "doi": ["10.5555/suppl"]})
    found = match(
        deduplicate(
            records(
                "TI  - Metabolic monitoring\nAU  - Omega O.\nDO  - 10.5555/suppl",
                "TI  - A peer-led recovery group: results\nAU  - Alpha A.\nDO  - 10.5555/suppl",
            )
        ),
        studies,
    )
    assert found.study.tolist() == ["", "Alpha 2016"]


@pytest.mark.parametrize(
    ("title", "key", "severity"),
    [("How peers are trained", "Beta 2018", "warning"), ("How peers are paid: a study", "Beta 2018", "error")],
)
def test_studies_of_one_doi_stop_the_chain_only_as_one_work(title, key, severity):
    studies = pd.DataFrame(
        {
            "study": ["Alpha 2018", key],
            "title": ["How peers are paid", title],
            "doi": ["10.5555/book", "10.5555/BOOK."],
        },
        index=[2, 3],
    )
    none = studies.iloc[:0]
    sheets = {"coder_a/studies": studies, "database/studies": none, "trials": pd.DataFrame(columns=["study", "trial"])}
    [found] = rules.study_twice(sheets)
    assert (found["row"], found["column"], found["severity"]) == (3, "doi", severity)
    assert "Alpha 2018" in found["remedy"]


# ---------------------------------------------------------------- PMIDs


@pytest.mark.parametrize(
    ("text", "pmid"),
    [
        ("PMID: 90000123", "90000123"),
        ("PMID:NLM90000123.", "90000123"),
        ("PubMed ID - 90000123", "90000123"),
        ("PUBMED 90000123,EMBASE 620000001", "90000123"),
        ("MEDLINE:90000123", "90000123"),
        ("https://pubmed.ncbi.nlm.nih.gov/90000123/", "90000123"),
        ("https://www.ncbi.nlm.nih.gov/pubmed/90000123", "90000123"),
        ("https://europepmc.org/article/MED/90000123", "90000123"),
        ("searched in MEDLINE 2018", ""),
        ("PMC: PMC9000012", ""),
        ("PMID: 90000123; PMID: 90000124", ""),
        ("PMID: 123456789", ""),
    ],
)
def test_a_pmid_is_read_where_it_is_named(text, pmid):
    assert pmid_in(text) == pmid


def test_a_number_of_another_kind_is_no_pmid():
    assert records("DB  - Embase <1974>\nTI  - A\nID  - 62000001").pmid.tolist() == [""]
    assert records("DP  - EBSCOhost\nDB  - cin20\nTI  - A\nN1  - Accession Number: 13000001.").pmid.tolist() == [""]
    assert records("DP  - EBSCOhost\nDB  - mdc\nTI  - A\nN1  - Accession Number: 13000001.").pmid.tolist() == [
        "13000001"
    ]


# ---------------------------------------------------------------- records without identifiers


def test_title_and_year_alone_make_a_duplicate_where_no_author_is_stated():
    title = "TI  - Peers in the rain: a made-up report\nPY  - 2021"
    found = deduplicate(records(title, title, f"{title}\nAU  - Alpha, A"))
    assert found.duplicate_of.tolist()[1:] == [0, 0]
    assert found.matched_by[1] == "title and year"


def test_title_and_year_do_not_decide_between_authors_or_name_a_short_title():
    title = "TI  - Peers in the rain: a made-up report\nPY  - 2021"
    between = records(f"{title}\nAU  - Alpha, A", f"{title}\nAU  - Beta, B", title)
    short = records("TI  - Editorial\nPY  - 2021", "TI  - Editorial\nPY  - 2021")
    for found in (between, short):
        assert not deduplicate(found).duplicate.any()
        assert len(possible_duplicates(deduplicate(found)))


def test_near_matches_are_listed_and_never_merged():
    found = deduplicate(
        records(
            "TI  - Peers in the rain: a made-up report of walking groups\nPY  - 2021\nAU  - Alpha, A",
            "TI  - Peers in the rain: a made up reprot of walking groups\nPY  - 2022\nAU  - Alpha, A",
            "TI  - Peers in the rain: a made-up report of walking groups\nPY  - 2010\nAU  - Alpha, A",
            "TI  - Coffee\nPY  - 2021\nAU  - Alpha, A",
        )
    )
    assert not found.duplicate.any()
    pairs = possible_duplicates(found)
    assert pairs[["record", "other"]].to_numpy().tolist() == [[0, 1]]
    assert 0.8 <= pairs.similarity[0] < 1


# ---------------------------------------------------------------- names of databases


@pytest.mark.parametrize(
    ("named", "provider", "expected"),
    [
        ("Ovid MEDLINE(R) PubMed-not-MEDLINE <2018>", "", "MEDLINE (Ovid)"),
        ("Ovid MEDLINE(R) Epub Ahead of Print, In-Process <January 02, 2024>", "", "MEDLINE (Ovid)"),
        ("APA PsycInfo <1806 to November Week 2 2024>", "", "PsycINFO (Ovid)"),
        ("Embase Classic+Embase <1947 to 2024 Week 10>", "", "Embase (Ovid)"),
        ("psyh", "EBSCOhost", "PsycINFO (EBSCOhost)"),
        ("i3h", "EBSCOhost", "Criminal Justice Abstracts (EBSCOhost)"),
        ("CINAHL Complete", "EBSCOhost", "CINAHL Complete (EBSCOhost)"),
        ("q9z", "EBSCOhost", "database q9z (EBSCOhost)"),
        ("Cochrane Central Register of Controlled Trials <2024>", "", "Cochrane CENTRAL (Ovid)"),
        ("Social Sciences Citation Index", "", "Web of Science"),
        ("", "NLM", "PubMed"),
        ("", "DOI.org (Crossref)", ""),
        ("Psychology and Behavioral Sciences Collection", "", "Psychology and Behavioral Sciences Collection"),
    ],
)
def test_a_database_has_the_name_a_person_would_write(named, provider, expected):
    assert database_name(named, provider) == expected


def test_a_database_without_interface_takes_that_of_its_file():
    found = records("TI  - A\nDB  - psyh\nDP  - EBSCOhost", "TI  - B\nAN  - 2018-00000-001", "TI  - C")
    assert set(found.database) == {"PsycINFO (EBSCOhost)"}


# ---------------------------------------------------------------- boundaries of records, folders


def test_tags_before_the_type_belong_to_the_record():
    text = "".join(f"DB  - Invented\nTI  - {n}\nTY  - JOUR\nDO  - 10.5555/{n}\nER  - \n\n" for n in "abc")
    found, problems = read_exports({"x.ris": text.encode()})
    assert (found.title.tolist(), found.doi.tolist(), problems) == (
        ["a", "b", "c"],
        ["10.5555/a", "10.5555/b", "10.5555/c"],
        [],
    )


@pytest.mark.parametrize("lost", ["ER  - \n", "TY  - JOUR\n"])
def test_a_record_without_its_end_or_type_is_refused_not_mixed(lost):
    whole = "TY  - JOUR\nTI  - {0}\nDO  - 10.5555/{0}\nER  - \n"
    text = whole.format("a") + whole.format("b").replace(lost, "", 1) + whole.format("c")
    found, problems = read_exports({"x.ris": text.encode()})
    assert problems and {p["rule"] for p in problems} == {"unreadable_record"}
    assert all(record.doi == f"10.5555/{record.title}" for record in found.itertuples())


def test_folders_of_searches_are_read_and_named(tmp_path, monkeypatch):
    folder = tmp_path / "data/raw/search/2024-05-01/second half"
    folder.mkdir(parents=True)
    (tmp_path / "parameters.yml").touch()
    (folder / "psycinfo.ris").write_text("TY  - JOUR\nTI  - A\nER  - \n")
    (folder / ".hidden").touch()
    (tmp_path / "data/raw/search/strategy.yml").touch()
    monkeypatch.chdir(tmp_path)
    files = read_search_exports()
    assert set(files) == {"2024-05-01/second half/psycinfo.ris", "strategy.yml"}
    found, problems = read_exports(files)
    assert problems == []
    assert found[["search", "database"]].to_numpy().tolist() == [["2024-05-01/second half", "PsycINFO"]]


# ---------------------------------------------------------------- the picture

LONG = [
    "PubMed",
    "PsycINFO (EBSCOhost)",
    "Scopus",
    "Embase",
    "CINAHL Complete (EBSCOhost)",
    "Cochrane CENTRAL",
    "Web of Science",
    "Psychology and Behavioral Sciences Collection (EBSCOhost)",
    "Library, Information Science & Technology Abstracts (EBSCOhost)",
    "A database for $5 with a_name",
    "Donaudampfschifffahrtsgesellschaftskapitänsdatenbank",
    "The Lens",
]


def boxes_of(databases: int, decided: bool) -> pd.DataFrame:
    rows = [("databases", "identified", name, 12_345 * n) for n, name in enumerate(LONG[:databases], start=1)]
    rows += [("databases", box, box, 7) for box in ("duplicates_removed", "screened", "matched", "not_matched")]
    steps = ("excluded_records", "undecided", "sought", "not_retrieved", "assessed", "included_reports", "excluded")
    rows += [("databases", box, box, 7) for box in steps if decided]
    if not databases:
        rows = [("databases", "identified", "no database export was supplied", float("nan"))]
    rows += [("other", box, "some detail that is rather long", 970) for box in ("identified", "duplicates_removed")]
    rows += [("other", box, box, 7) for box in ("sought", "not_retrieved", "assessed")]
    rows += [("other", "excluded", reason, 12) for reason in ("a reason", "another reason of many words", "c")]
    rows += [("included", box, f"{box} included", 7) for box in ("studies", "reports")]
    return pd.DataFrame(rows, columns=["column", "box", "detail", "n"])


@pytest.mark.parametrize("decided", [False, True])
@pytest.mark.parametrize("databases", range(13))
def test_no_box_of_the_picture_overlaps_another_and_each_holds_its_text(databases, decided):
    figure = draw_prisma(boxes_of(databases, decided), {})
    plt.close(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = figure.axes[0]
    drawn = [patch.get_window_extent(renderer) for patch in axes.patches if patch.get_gid() == "box"]
    assert len(drawn) >= 8
    for one, other in combinations(drawn, 2):
        assert not one.overlaps(other)
    page = figure.bbox
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1 for box in drawn)
    for text in axes.texts:
        place = text.get_window_extent(renderer)
        inside = [
            box for box in drawn if box.x0 <= place.x0 <= box.x1 and box.y0 <= (place.y0 + place.y1) / 2 <= box.y1
        ]
        assert all(place.x1 <= box.x1 for box in inside)
        assert len(inside) <= 1


def test_each_box_of_the_databases_stands_below_the_one_before():
    figure = draw_prisma(boxes_of(12, True), {})
    plt.close(figure)
    lefts = [patch for patch in figure.axes[0].patches if patch.get_gid() == "box"]
    column = [box for box in lefts if box.get_x() == min(box.get_x() for box in lefts)]
    assert len(column) == 5
    for above, below in zip(column, column[1:], strict=False):
        assert above.get_y() + above.get_height() < below.get_y()
