"""Exports of database searches: small invented ones in tests/search_exports, and what is expected of them, by hand.

The same walking trial is in three files, the coffee cohort in three records of two, the café study in two, the text
messages in two: 14 records of 8 reports.
"""

from pathlib import Path

import pandas as pd
import pytest

from peersupport.search.duplicates import deduplicate, match
from peersupport.search.exports import read_exports
from peersupport.search.prisma import prisma
from peersupport.search.record import COLUMNS, IDENTITY

EXPORTS = Path(__file__).parent / "search_exports"


@pytest.fixture
def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(EXPORTS.iterdir())}


@pytest.fixture
def records(files):
    records, problems = read_exports(files)
    assert problems == []
    return records


def read_one(name: str, content: str | bytes):
    content = content.encode() if isinstance(content, str) else content
    records, problems = read_exports({name: content})
    return records.to_dict("records"), [(found["row"], found["rule"]) for found in problems]


def table(*rows: tuple) -> pd.DataFrame:
    """Records from (title, first_author, year, doi, pmid)."""
    frame = pd.DataFrame(rows, columns=IDENTITY[2:], dtype="str")
    return frame.assign(file="made up", database="made up")


def included_studies() -> pd.DataFrame:
    """The walking trial by DOI, the café study by title alone, the coffee cohort by a DOI that only its copies have."""
    return pd.DataFrame(
        {
            "study": ["Example 2019", "Jørgensen 2018", "Muster 2020", "Absent 2001"],
            "trial": ["Example 2019", "Jørgensen 2018", "Muster 2020", "Absent 2001"],
            "title": ["Walks", "Mussige peers: a made-up study of cafe-based support", "Coffee", None],
            "doi": ["https://doi.org/10.5555/INVENTED.1", None, "10.5555/invented.2", None],
            "source": "coder",
        }
    )


# ---------------------------------------------------------------- each format


def test_each_file_gives_its_records(records):
    assert records.columns.tolist() == COLUMNS
    assert records.groupby("file").size().to_dict() == {
        "library.bib": 2,
        "psycinfo.ris": 3,
        "pubmed.nbib": 3,
        "scopus.csv": 4,
        "scopus.ris": 2,
    }
    assert records.groupby("file").database.unique().map(list).to_dict() == {
        "library.bib": ["library"],
        "psycinfo.ris": ["PsycINFO"],
        "pubmed.nbib": ["PubMed"],
        "scopus.csv": ["Scopus"],
        "scopus.ris": ["Scopus"],
    }


@pytest.mark.parametrize(
    ("file", "number", "expected"),
    [
        (
            "pubmed.nbib",
            0,
            (
                "Peer-led walking groups in Utopia: an invented randomised trial",
                "Example",
                "2019",
                "10.5555/invented.1",
                "90000001",
            ),
        ),
        (
            "pubmed.nbib",
            2,
            ("A consensus that nobody reached", "Invented Consensus Group", "2021", "10.5555/invented.4", "90000003"),
        ),
        (
            "psycinfo.ris",
            0,
            ("Müßige Peers: a “made-up” study of café-based support", "Jørgensen-Prüfer", "2018", "", ""),
        ),
        ("psycinfo.ris", 1, ("What nobody asked the peers", "O'Invented", "2017", "10.5555/invented.5", "")),
        ("psycinfo.ris", 2, ("Peer-led walking groups in Utopia", "Example", "2019", "10.5555/invented.1", "")),
        (
            "scopus.ris",
            0,
            ("Coffee with peers (an invented cohort)", "van der Muster", "2020", "10.5555/invented.2", "90000002"),
        ),
        (
            "scopus.csv",
            2,
            ("Coffee with peers (an invented cohort)", "van der Muster", "2020", "10.5555/invented.2", ""),
        ),
        ("scopus.csv", 3, ("Costs & benefits of nothing, printed over two lines", "Nobody", "2023", "", "90000008")),
        (
            "library.bib",
            0,
            (
                "Müßige Peers: A Made-Up Study of Café-Based Support",
                "Jørgensen-Prüfer",
                "2018",
                "10.5555/invented.3",
                "",
            ),
        ),
        ("library.bib", 1, ("A chapter that was never written", "von Erfunden", "2016", "", "")),
    ],
)
def test_record_is_read_in_full(records, file, number, expected):
    found = records[records.file == file].iloc[number]
    assert tuple(found[IDENTITY[2:]]) == expected


def test_windows_encoding_is_read_and_named():
    text = "TY  - JOUR\nTI  - Müßige Peers\nAU  - Prüfer, D.\nDB  - Embase\nER  - \n"
    records, problems = read_one("embase.ris", text.encode("cp1252"))
    assert (records[0]["title"], records[0]["first_author"]) == ("Müßige Peers", "Prüfer")
    assert problems == [("", "windows_encoding")]


def test_utf_16_and_byte_order_marks_are_read():
    text = "TY  - JOUR\r\nTI  - Müßige Peers\r\nER  - \r\n"
    for encoding in ("utf-16", "utf-8-sig"):
        [record], problems = read_one("x.ris", text.encode(encoding))
        assert (record["title"], problems) == ("Müßige Peers", [])


@pytest.mark.parametrize(
    ("tags", "database"),
    [
        ("DB  - psyh", "PsycINFO"),
        ("DB  - APA PsycInfo", "PsycINFO"),
        ("DB  - APA PsycArticles", "APA PsycArticles"),
        ("AN  - 2019-12345-001", "PsycINFO"),
        ("DB  - Ovid MEDLINE(R)", "MEDLINE (Ovid)"),
        ("DB  - CINAHL Complete", "CINAHL Complete"),
        ("PB  - nobody", "hits of may"),
    ],
)
def test_database_of_ris_is_guessed(tags, database):
    records, _ = read_one("hits of may.ris", f"TY  - JOUR\nTI  - A\n{tags}\nER  - \n")
    assert records[0]["database"] == database


@pytest.mark.parametrize(
    ("databases", "expected"),
    [(["Embase", ""], ["Embase", "Embase"]), (["Embase", "", "ERIC"], ["Embase", "hits", "ERIC"])],
)
def test_a_record_without_database_takes_the_one_of_its_file(databases, expected):
    text = "".join(f"TY  - JOUR\nTI  - A\nDB  - {name}\nER  - \n" for name in databases)
    records, _ = read_one("hits.ris", text)
    assert [record["database"] for record in records] == expected


def test_doi_in_a_link_is_read():
    links = "UR  - https://example.org/10.5555/x\nUR  - https://doi.org/10.5555/Linked"
    records, _ = read_one("x.ris", f"TY  - JOUR\nTI  - A\n{links}\nER  - \n")
    assert records[0]["doi"] == "10.5555/linked"


def test_bibtex_abbreviations_and_repeated_fields_are_read():
    text = """@string{long = "A long title"}
    @article{a, title = long, author = {{Invented Group}}, year = 2001, note = {x}, note = {y}}"""
    [record], problems = read_one("x.bib", text)
    assert (record["title"], record["first_author"], problems) == ("A long title", "Invented Group", [])


@pytest.mark.parametrize(
    ("tags", "pmid"),
    [
        ("DB  - Scopus\nC2  - 90000001", "90000001"),
        ("DB  - Embase\nC2  - 90000001", ""),
        ("DB  - PsycINFO\nC2  - PMID: 90000001", "90000001"),
        ("DB  - Medline\nAN  - 90000001", "90000001"),
        ("DB  - PsycINFO\nAN  - 2019-12345-001", ""),
        ("DB  - Scopus\nN1  - References: PMID: 90000001", ""),
    ],
)
def test_only_a_number_known_to_be_a_pmid_is_one(tags, pmid):
    records, _ = read_one("x.ris", f"TY  - JOUR\nTI  - A\n{tags}\nER  - \n")
    assert records[0]["pmid"] == pmid


@pytest.mark.parametrize(
    ("name", "surname"),
    [
        ("Smith, John", "Smith"),
        ("Smith J.-P.; Doe A.", "Smith"),
        ("Smith, J., Doe, A.", "Smith"),
        ("Smith JP", "Smith"),
        ("van den Berg J", "van den Berg"),
        ("Ng", "Ng"),
        ("Łódzki Ł.", "Łódzki"),
        ("", ""),
    ],
)
def test_surname_of_each_spelling(name, surname):
    records, _ = read_one("x.ris", f"TY  - JOUR\nTI  - A\nAU  - {name}\nER  - \n")
    assert records[0]["first_author"] == surname


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("name", "content", "problems", "titles"),
    [
        ("hits.pdf", b"%PDF", [("", "unknown_ending")], []),
        ("hits", b"PMID- 1", [("", "unknown_ending")], []),
        ("README.md", b"Put exports here.", [], []),
        ("x.ris", b"", [("", "empty_file")], []),
        ("x.csv", b"\xef\xbb\xbf \r\n", [("", "empty_file")], []),
        ("x.nbib", b"TY  - JOUR", [("", "unreadable_file")], []),
        ("x.ris", b"PK\x03\x04\x00\xff\xfe", [("", "windows_encoding"), ("", "unreadable_file")], []),
        ("x.bib", b"no entry", [("", "unreadable_file")], []),
        ("x.csv", b'Authors,Title,Year\n"A,B,2020', [("", "unreadable_file")], []),
        ("x.csv", b"PMID,Title\n1,A\n", [(1, "missing_columns")], []),
        ("x.csv", b"Authors,Title,Year\n\n", [("", "header_only")], []),
        ("x.csv", b"Authors,Title,Year\nA B.,C, D,2020\n", [("", "unreadable_file")], []),
        ("x.csv", b"Authors,Title,Year\nA B.,C,2020\n\nE F.,,2021\n\n", [(4, "no_title")], ["C", ""]),
        ("x.csv", b"Authors;Title;Year\nA B.;C, D;2020\n;;\nE F.;;2021\n", [(4, "no_title")], ["C, D", ""]),
        ("x.ris", b"TY  - JOUR\nTI  - A\nER  - \n\nTY  - JOUR\nTI  - B\n", [(2, "unreadable_record")], ["A"]),
        ("x.ris", b"TY  - JOUR\nDO  - 10.5555/a\nER  - \n", [(1, "no_title")], [""]),
        ("x.nbib", b"PMID- one\nTI  - A\n\nPMID- 2\nTI  - B\n", [(1, "unreadable_record")], ["B"]),
        ("x.nbib", b"PMID- 1\nAU  - A B\n", [(1, "no_title")], [""]),
        (
            "x.bib",
            b"@article{a, title={A}}\n@article{b, title={B\n@article{c, title={C}}",
            [(2, "unreadable_record")],
            ["A", "C"],
        ),
    ],
)
def test_each_fault_gets_its_sentence_and_costs_no_other_record(name, content, problems, titles):
    found, noted = read_one(name, content)
    assert noted == problems
    assert [record["title"] for record in found] == titles


def test_a_problem_names_the_file_and_the_remedy():
    _, problems = read_exports({"hits.enw": b"%0 Journal Article"})
    assert problems[0]["sheet"] == "search/hits.enw"
    assert problems[0]["severity"] == "error"
    assert ".nbib, .ris, .csv or .bib" in problems[0]["remedy"]


@pytest.mark.parametrize("name", sorted(path.name for path in EXPORTS.iterdir()))
def test_a_file_cut_anywhere_is_no_traceback(files, name):
    whole = len(read_exports({name: files[name]})[0])
    for length in range(0, len(files[name]), 7):
        records, problems = read_exports({name: files[name][:length]})
        assert 1 <= len(records) + len(problems) <= whole + 2


# ---------------------------------------------------------------- duplicates


def test_each_merge_of_the_exports_is_listed(records):
    found = deduplicate(records)
    merged = found[found.duplicate]
    assert merged.duplicate_of.astype(int).to_dict() == {2: 0, 5: 4, 8: 4, 10: 6, 12: 6, 13: 9}
    assert merged.matched_by.to_dict() == {
        2: "title, year and first author",
        5: "doi",
        8: "doi",
        10: "doi",
        12: "pmid",
        13: "doi",
    }
    assert found.duplicate_of[~found.duplicate].isna().all()
    assert found.matched_by[~found.duplicate].eq("").all()


def test_a_record_that_links_two_others_joins_them():
    found = deduplicate(
        table(("A", "X", "2001", "10.5555/a", ""), ("B", "Y", "2002", "", "7"), ("C", "X", "2003", "10.5555/a", "7"))
    )
    assert found.duplicate.tolist() == [False, True, True]
    assert found.duplicate_of.tolist()[1:] == [0, 0]
    assert found.matched_by.tolist() == ["", "pmid", "doi"]


def test_a_long_chain_is_one_report():
    found = deduplicate(
        table(
            ("A", "X", "2001", "", ""),
            ("A", "X", "2001", "", "7"),
            ("C", "X", "2001", "10.5555/c", "7"),
            ("D", "X", "2001", "10.5555/c", "8"),
            ("E", "X", "2001", "", "8"),
        )
    )
    assert found.duplicate_of.tolist()[1:] == [0, 0, 0, 0]


def test_the_surest_agreement_is_named():
    same = ("A", "X", "2001", "10.5555/a", "7")
    assert deduplicate(table(same, same)).matched_by[1] == "doi"
    assert deduplicate(table(same, (*same[:3], "", "7"))).matched_by[1] == "pmid"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (("peer  support — IN A CAFÉ", "Muller", "2001", "", ""), True),
        (("Peer-support in a café", "MÜLLER", "2001", "10.5555/other", ""), True),
        (("Peersupport in a cafe", "Müller", "2001", "", ""), True),
        (("Peer support in a cafe", "Müller", "2002", "", ""), False),
        (("Peer support in a cafe", "Moller", "2001", "", ""), False),
        (("Peer support in a cafeteria", "Müller", "2001", "", ""), False),
        (("Peer support in a cafe", "Müller", "", "", ""), False),
    ],
)
def test_title_counts_with_year_and_first_author_only(other, same):
    found = deduplicate(table(("Peer support in a café.", "Müller", "2001", "", ""), other))
    assert found.duplicate[1] == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jørgensen", "Jorgensen"),
        ("Łódzki", "Lodzki"),
        ("O'Brien", "OBrien"),
        ("O’Brien", "O'BRIEN"),
        ("Weiß", "Weiss"),
    ],
)
def test_spellings_of_one_name(one, other):
    found = deduplicate(table(("A", one, "2001", "", ""), ("A", other, "2001", "", "")))
    assert found.duplicate[1]


def test_blanks_are_no_agreement():
    found = deduplicate(table(("", "", "", "", ""), ("", "", "", "", "")))
    assert not found.duplicate.any()


# ---------------------------------------------------------------- included studies, and the diagram


def test_studies_are_found_by_doi_else_title_of_any_copy(records):
    found = match(deduplicate(records), included_studies())
    assert found.study[~found.duplicate & found.study.ne("")].to_dict() == {
        0: "Jørgensen 2018",
        4: "Example 2019",
        6: "Muster 2020",
    }
    assert found.study[found.duplicate].tolist() == [
        "Jørgensen 2018",
        "Example 2019",
        "Example 2019",
        "Muster 2020",
        "Muster 2020",
        "",
    ]


def test_blank_doi_and_title_match_no_study():
    studies = included_studies().query("study == 'Absent 2001'")
    record = deduplicate(table(("", "Absent", "2001", "", "")))
    assert match(record, studies).study.tolist() == [""]


def no_screening_log() -> pd.DataFrame:
    columns = ["stage", "reason", "duplicate_of", "study", "topic", "note", "title"]
    return pd.DataFrame(columns=columns, dtype="str")


def database_boxes(files) -> list[tuple]:
    records, _ = read_exports(files)
    exports = match(deduplicate(records), included_studies())
    boxes = prisma(no_screening_log(), included_studies(), exports)
    boxes = boxes[boxes.column == "databases"]
    return list(boxes[["box", "detail", "n"]].itertuples(index=False, name=None))


def test_files_end_as_the_databases_column_of_the_diagram(files):
    counted = [(box, n) for box, _, n in database_boxes(files)]
    named = [detail for box, detail, _ in database_boxes(files) if box == "identified"]
    assert named == ["PsycINFO", "PubMed", "Scopus", "library"]
    assert counted == [
        ("identified", 3),
        ("identified", 3),
        ("identified", 6),
        ("identified", 2),
        ("duplicates_removed", 6),
        ("screened", 8),
        ("matched", 3),
        ("not_matched", 5),
    ]


def test_without_files_the_diagram_says_so():
    records, problems = read_exports({})
    assert (records.columns.tolist(), len(records), problems) == (COLUMNS, 0, [])
    [(box, detail, n)] = database_boxes({})
    assert (box, detail) == ("identified", "no database export was supplied")
    assert pd.isna(n)
