"""Tables as printed: what a reader sees, and that a rerun gives the same bytes."""

import io
import time

import pandas as pd
from docx import Document

from peersupport.text import tables as pub


def small_table() -> pub.PublicationTable:
    body = pd.DataFrame({"Study": ["A 2020", "B 2021", "C 2022"], "Population": ["x", "x", "y"], "n": ["1", "–", "3"]})
    return pub.PublicationTable("t1", "Table 1", body, group="Population", notes=["nr: not seen."])


def test_word_holds_every_row_under_its_group_and_the_notes():
    document = Document(io.BytesIO(small_table().word()))
    rows = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    assert rows == [["Study", "n"], ["x", "x"], ["A 2020", "1"], ["B 2021", "–"], ["y", "y"], ["C 2022", "3"]]
    assert [p.text for p in document.paragraphs] == ["Table 1", "nr: not seen."]


def test_a_rerun_gives_the_same_bytes():
    first = small_table().word()
    time.sleep(2.1)  # a zip file tells time in steps of two seconds
    assert small_table().word() == first
    assert small_table().page() == small_table().page()


def test_html_holds_every_cell_and_no_address():
    page = small_table().page()
    assert all(text in page for text in ("A 2020", "C 2022", "nr: not seen.", "Table 1"))
    assert "http" not in page


def test_numbers_as_printed():
    assert pub.count_and_share(1234, 0.345) == "1,234 (34%)"
    assert pub.median_and_quartiles(40, 33.4, 48.6, 12) == "40 (33 to 49) [12]"
    assert pub.median_and_quartiles(59, 59, 59, 1) == "59 [1]"
    assert pub.median_and_quartiles(float("nan"), float("nan"), float("nan"), 0) == "–"


def test_delivery_and_format_as_printed():
    told = [("Digital", "Group"), ("In person", "Both"), ("Hybrid", "Not reported")]
    told += [("Not reported", "Group"), ("Not reported", "Not reported")]
    assert [pub._delivery(*pair) for pair in told] == [
        "Digital, group",
        "In person, one to one and group",
        "Hybrid",
        "nr, group",
        "nr",
    ]
