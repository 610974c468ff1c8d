"""From a pair of made-up exports and two screeners' files to the databases' column of the PRISMA diagram."""

import numpy as np
import pandas as pd
import pytest
import rispy

from peersupport.describe.agreement import agreement_of_pairs
from peersupport.search import living, prisma, screeners, screening
from peersupport.search.duplicates import deduplicate, match
from peersupport.search.exports import read_exports

REASONS = ["not_peer_support", "not_mental_health", "protocol_only", "not_retrieved"]
TITLES = [
    "Peers who write letters: an invented trial",
    "Peers who bake bread: an invented cohort",
    "Peers who walk: an invented protocol",
    "Steel bridges in the rain, a survey",
    "Peers who sing together: an invented pilot",
    "Peers who swim: lost to the library",
]


def pubmed(*numbers: int) -> bytes:
    return "".join(
        f"\nPMID- 9000000{n}\nDP  - 2024\nTI  - {TITLES[n]}.\nFAU - Able, Anna\nAB  - Made up.\n"
        f"AID - 10.5555/screen.{n} [doi]\nJT  - Journal of invented care\n"
        for n in numbers
    ).encode()


def scopus(*numbers: int) -> bytes:
    rows = [f'"Able A.; Sample B.","{TITLES[n]}","2024","10.5555/screen.{n}","2-s2.0-{n}"' for n in numbers]
    return "\n".join(['"Authors","Title","Year","DOI","EID"', *rows, ""]).encode()


def written_log(*rows: tuple) -> pd.DataFrame:
    blank = dict.fromkeys("title first_author year doi url topic decision reason note".split(), "")
    table = pd.DataFrame([blank | dict(zip(("title", "doi", "decision", "reason"), row, strict=True)) for row in rows])
    return table.set_index(table.index + 2)


LOG = written_log((TITLES[4], "10.5555/screen.4", "include", ""), ("Known before", "", "exclude", "protocol_only"))
STUDIES = pd.DataFrame({"study": ["Able 2024"], "title": [TITLES[4]], "doi": ["10.5555/screen.4"]}).assign(
    source="coder", trial="Able 2024"
)


@pytest.fixture
def exports():
    found, problems = read_exports(
        {"2026-05-01/pubmed.nbib": pubmed(0, 1, 2, 3, 4, 5), "2026-05-01/s.csv": scopus(0, 1)}
    )
    assert problems == []
    return match(deduplicate(found.assign(record=screening.record_ids(found))), STUDIES)


def sheet(exports, decisions: dict[int, str]) -> bytes:
    """A screener's CSV: number of the title to its decision, with a reason behind a colon."""
    rows = ["record,decision,reason"]
    rows += [f"{exports.record[n]},{said.partition(':')[0]},{said.partition(':')[2]}" for n, said in decisions.items()]
    return "\n".join(rows).encode() + b"\n"


def files(exports) -> dict[str, bytes]:
    anna = {0: "include", 1: "include", 2: "maybe", 3: "exclude", 5: "include"}
    bo = {0: "include", 1: "exclude", 2: "include", 3: "exclude", 5: "include"}
    return {
        "abstracts/anna.csv": sheet(exports, anna),
        "abstracts/bo.csv": sheet(exports, bo),
        "abstracts/third.csv": sheet(exports, {1: "include", 2: "include"}),
        "full_texts/anna.csv": sheet(
            exports,
            {0: "include", 1: "exclude:not_peer_support", 2: "exclude:protocol_only", 5: "exclude:not_retrieved"},
        ),
        "full_texts/bo.csv": sheet(
            exports,
            {0: "include", 1: "exclude:Not peer support", 2: "exclude:not_mental_health", 5: "exclude:not_retrieved"},
        ),
    }


def read(exports, given) -> tuple[pd.DataFrame, list]:
    decisions, problems = screeners.read_decisions(given, exports, REASONS)
    return decisions, [(found["sheet"], found["row"], found["rule"]) for found in problems]


def boxes(exports, given):
    decisions, problems = read(exports, given)
    assert problems == []
    followed = screeners.follow(exports, prisma.classify(LOG, STUDIES), screeners.standing(decisions))
    table = prisma.prisma(prisma.classify(LOG, STUDIES), STUDIES, followed)
    return table[table.column.eq("databases")]


# ---------------------------------------------------------------- what is left, in order


def test_what_the_log_decided_and_what_repeats_is_taken_out(exports):
    left = screening.rank(exports, LOG)
    assert sorted(left.title) == sorted(TITLES[n] for n in (0, 1, 2, 3, 5))
    assert left.score.isna().all()  # two decisions train no model


def test_the_most_promising_stands_first(exports):
    decided = [(f"Peers who write number {n} of an invented trial", "", "include", "") for n in range(12)]
    decided += [(f"Steel bridges number {n} in a survey", "", "exclude", "not_peer_support") for n in range(12)]
    left = screening.rank(exports, written_log(*decided))
    assert left.title.iloc[-1] == TITLES[3] and left.score.is_monotonic_decreasing
    assert left.title.iloc[0].startswith("Peers who")


def test_what_one_export_lacks_another_gives():
    found, _ = read_exports({"a.csv": scopus(0), "b.nbib": pubmed(0)})
    found = deduplicate(found.assign(record=screening.record_ids(found)))
    [row] = screening.rank(found, LOG).to_dict("records")
    assert (row["database"], row["abstract"], row["pmid"]) == ("Scopus", "Made up.", "90000000")


def test_a_record_keeps_its_name_in_a_later_export(exports):
    later, _ = read_exports({"other.csv": scopus(1)})
    assert screening.record_ids(later).tolist() == [exports.record[1]]
    assert exports.record.nunique() == len(TITLES)


def test_the_list_is_ris_that_another_reader_opens(exports):
    left = screening.rank(exports, LOG)
    entries = rispy.loads(screening.as_ris(left))
    assert [entry["title"] for entry in entries] == left.title.tolist()
    assert [entry["id"] for entry in entries] == left.record.tolist()
    assert [entry["doi"] for entry in entries] == left.doi.tolist()
    again, problems = read_exports({"to_screen.ris": screening.as_ris(left).encode()})
    assert problems == []
    for column in ("title", "authors", "year", "doi", "pmid", "abstract", "database"):
        assert again[column].tolist() == left[column].tolist()


def test_without_records_the_list_is_empty():
    none, _ = read_exports({})
    none = deduplicate(none.assign(record=screening.record_ids(none)))
    left = screening.rank(none, LOG)
    assert left.empty and left.columns.tolist() == screening.SCREEN and screening.as_ris(left) == ""


def test_work_saved_is_counted_by_hand():
    met = [0, 0.5, 0.5, 1.0]
    curves = pd.DataFrame({"repeat": 0, "screened": [0.25, 0.5, 0.75, 1.0], "recall": met})
    [row] = screening.work_saved(curves, 0.5).to_dict("records")
    assert (row["screened"], row["work_saved"]) == (0.5, 0.0)
    [row] = screening.work_saved(curves.assign(recall=[0.5, 1, 1, 1]), 0.95).to_dict("records")
    assert row["work_saved"] == pytest.approx(0.45)


def test_the_simulation_is_the_same_twice_and_ends_at_all():
    decided = [(f"Peers who write number {n}", "", "include", "") for n in range(15)]
    decided += [(f"Steel bridges number {n}", "", "exclude", "not_peer_support") for n in range(25)]
    curves = [screening.simulated(written_log(*decided), 1) for _ in range(2)]
    pd.testing.assert_frame_equal(*curves)
    assert curves[0].groupby("repeat").recall.last().eq(1).all()
    assert screening.work_saved(curves[0]).work_saved.min() > 0.5  # the words part the two kinds


# ---------------------------------------------------------------- two screeners


def test_from_paste_to_prisma(exports):
    counted = {box: 0 for box in boxes(exports, files(exports)).box}
    for row in boxes(exports, files(exports)).itertuples():
        counted[row.box] += row.n
    assert counted == {
        "identified": 8,
        "duplicates_removed": 2,
        "screened": 6,
        "matched": 1,
        "not_matched": 5,
        "excluded_records": 1,  # the bridges
        "undecided": 1,  # two reasons for one text
        "sought": 4,
        "not_retrieved": 1,
        "assessed": 3,
        "included_reports": 2,  # the letters, and the one that the log had included
        "excluded": 1,
    }
    found = boxes(exports, files(exports))
    assert found[found.box.eq("excluded")].detail.tolist() == ["not_peer_support"]


def test_every_record_screened_is_in_one_box_after_any_file_is_lost(exports):
    for lost in files(exports):
        given = {name: content for name, content in files(exports).items() if name != lost}
        n = boxes(exports, given).groupby("box").n.sum()
        assert n["screened"] == n["excluded_records"] + n["undecided"] + n["sought"]
        assert n["sought"] == n["not_retrieved"] + n["assessed"]
        assert n["assessed"] == n.get("excluded", 0) + n["included_reports"]


def test_conflicts_wait_for_a_third_and_the_rest_has_the_form_of_the_log(exports):
    decisions, _ = read(exports, files(exports))
    stood = screeners.standing(decisions)
    conflicts = stood[stood.decision.eq("conflict")]
    assert conflicts.record.tolist() == [exports.record[2]]
    assert conflicts.a.tolist() == ["anna: exclude protocol_only"]
    log = screeners.as_log(exports, stood).set_index("title")
    assert log.columns.tolist() == "first_author year doi url topic decision reason note".split()
    assert log.decision.to_dict() == {
        TITLES[0]: "include",
        TITLES[1]: "exclude",
        TITLES[3]: "exclude",
        TITLES[5]: "exclude",
    }
    assert log.reason[TITLES[1]] == "not_peer_support" and log.url[TITLES[0]] == "https://doi.org/10.5555/screen.0"


def test_agreement_of_two_screeners_by_hand(exports):
    decisions, _ = read(exports, files(exports))
    table = agreement_of_pairs(screeners.pairs(decisions)).set_index("stage")
    row = table.loc["abstracts"]
    assert (row.person_a, row.person_b, row.n, row.agree) == ("anna", "bo", 5, 0.6)
    assert [row.agree_low, row.agree_high] == pytest.approx([0.1466328, 0.9472550], abs=1e-6)  # binom.test(3, 5)
    # include, include, maybe, exclude, include against include, exclude, include, exclude, include: by chance
    # 3/5 * 3/5 + 1/5 * 2/5 + 1/5 * 0 = 0.44
    assert row.kappa == pytest.approx((0.6 - 0.44) / 0.56)
    chance = (0.6 * 0.4 + 0.3 * 0.7 + 0.1 * 0.9) / 2
    assert row.ac1 == pytest.approx((0.6 - chance) / (1 - chance))


def test_rayyan_export_holds_all_its_people(exports):
    notes = 'RAYYAN-INCLUSION: {"Anna"=>"Included", "Bo"=>"Excluded"} | RAYYAN-EXCLUSION-REASONS: not peer support,x'
    doubled = notes.replace('"', '""')
    csv = f'key,title,year,authors,notes\nrayyan-1,"{TITLES[0]}",2024,"Able, A","{doubled}"\n'.encode()
    ris = f"TY  - JOUR\nAN  - rayyan-1\nTI  - {TITLES[0]}\nN1  - {notes}\nER  - \n".encode()
    for name, content in (("abstracts/rayyan.csv", csv), ("abstracts/rayyan.ris", ris)):
        decisions, problems = read(exports, {name: content})
        assert problems == []
        assert decisions[["person", "record", "decision", "reason"]].to_numpy().tolist() == [
            ["Anna", exports.record[0], "include", ""],
            ["Bo", exports.record[0], "exclude", "not_peer_support"],
        ]


@pytest.mark.parametrize("column", ["asreview_label", "included"])
def test_asreview_export_is_read(exports, column):
    csv = f"record_id,title,doi,{column}\n0,{TITLES[0].replace(',', '')},10.5555/screen.0,1\n1,B,10.5555/screen.3,0\n"
    csv += "2,C,10.5555/screen.1,\n"
    decisions, problems = read(exports, {"abstracts/anna.csv": csv.encode()})
    assert problems == []
    assert decisions[["person", "record", "decision"]].to_numpy().tolist() == [
        ["anna", exports.record[0], "include"],
        ["anna", exports.record[3], "exclude"],
    ]


def test_the_list_comes_back_as_asreview_writes_it(exports):
    """The form of ASReview 3.0.8, which was given such a list to read, label and export."""
    notes = {0: "ASReview_relevant", 3: "ASReview_irrelevant", 1: "ASReview_not_seen"}
    ris = "".join(
        f"{n}.\nTY  - JOUR\nN1  - {note}\nN1  - record: {exports.record[n]}; rank: 1\nID  - {exports.record[n]}\n"
        f"TI  - {TITLES[n]}\nER  - \n\n"
        for n, note in notes.items()
    )
    decisions, problems = read(exports, {"abstracts/anna.ris": ris.encode()})
    assert problems == []
    assert decisions[["record", "decision"]].to_numpy().tolist() == [
        [exports.record[0], "include"],
        [exports.record[3], "exclude"],
    ]


@pytest.mark.parametrize(
    ("name", "content", "row", "rule"),
    [
        ("abstracts/anna.csv", "record,verdict\n{0},include\n", 1, "decision_column"),
        ("abstracts/anna.csv", "record,decision\nr0123456789,include\n", 2, "unknown_record"),
        ("abstracts/anna.csv", "record,decision\n{0},include\n{0},exclude\n", 3, "decided_twice"),
        ("abstracts/anna.csv", "record,decision\n{0},perhaps\n", 2, "unknown_decision"),
        ("full_texts/anna.csv", "record,decision,reason\n{0},exclude,\n", 2, "reason_missing"),
        ("full_texts/anna.csv", "record,decision,reason\n{0},exclude,dull\n", 2, "unknown_reason"),
        ("anna.csv", "record,decision\n{0},include\n", "", "unknown_stage"),
        ("abstracts/anna.ris", "nothing", "", "unreadable_file"),
    ],
)
def test_each_fault_of_a_screeners_file_gets_its_sentence(exports, name, content, row, rule):
    _, problems = read(exports, {name: content.format(exports.record[0]).encode()})
    assert problems == [(f"screening/{name}", row, rule)]


def test_the_same_decision_twice_is_one(exports):
    decisions, problems = read(
        exports,
        {"abstracts/anna.csv": "record,decision\n{0},include\n{0},include\n".format(exports.record[0]).encode()},
    )
    assert (len(decisions), problems) == (1, [])


def test_without_decisions_records_stay_as_they_were(exports):
    decisions, problems = read(exports, {})
    assert (len(decisions), problems) == (0, [])
    followed = screeners.follow(exports, prisma.classify(LOG, STUDIES), screeners.standing(decisions))
    assert followed is exports
    assert np.isnan(screeners.share_included(followed))


# ---------------------------------------------------------------- run again


def test_a_later_export_shows_only_what_is_new():
    first = {"2026-05-01/pubmed.nbib": pubmed(0, 1, 2)}
    second = {"pubmed_20260801.nbib": pubmed(1, 2, 3, 4), "2026-08-01/s.csv": scopus(3, 0)}
    found, _ = read_exports(first | second)
    found = deduplicate(found.assign(record=screening.record_ids(found)))
    searches = living.new_by_search(found)
    assert searches[["searched_on", "records", "new"]].to_numpy().tolist() == [
        ["2026-05-01", 3, 3],
        ["2026-08-01", 5, 2],
    ]
    months = 92 / (365.25 / 12)
    assert searches.new_per_month.iloc[1] == pytest.approx(2 / months) and np.isnan(searches.new_per_month.iloc[0])
    assert found.title[living.is_new(found)].tolist() == [TITLES[3], TITLES[4]]


def test_when_the_next_search_pays_by_hand():
    studies = pd.DataFrame({"year": ["2022"] * 6 + ["2023"] * 6 + ["2024"] * 6 + ["2025"]})
    unknown = living.expectation(studies, (2020, 2025), np.nan, pd.Series(dtype=float), 5).set_index("what").value
    assert np.isnan(unknown.iloc[0]) and unknown.iloc[1] == 0.5 and unknown.iloc[2] == 10
    known = living.expectation(studies, (2020, 2025), 0.02, pd.Series([np.nan, 100.0]), 5).set_index("what").value
    assert known.tolist() == [100, 2, 2.5]
    nothing = living.expectation(studies, (2020, 2025), 0.02, pd.Series([np.nan, 0.0]), 5).set_index("what").value
    assert nothing.tolist() == [0, 0.5, 10]
