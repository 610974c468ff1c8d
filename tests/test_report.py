"""Tables to pages, and when no report is made; the site itself is looked at in test_report_browser.py."""

import base64
import io
import re
from pathlib import Path

import nbformat
import openpyxl
import pandas as pd
import pytest
from PIL import Image

from peersupport.chain import pairs
from peersupport.report import __main__ as command
from peersupport.report import about as about_pages
from peersupport.report import answers, claims, extension, glossary, html, notebooks, site, studies
from peersupport.store import about

ROOT = Path(__file__).parents[1]
HOSTILE = "<script>bad()</script> [x](javascript:bad()) {{ bad }} ```{raw} html\n`{ref}`"
INDEX = {"one": {"file": "one.png", "size": (4, 2), "title": "One", "alt": "A dot", "notebook": "x"}}


def picture_output(**about):
    stream = io.BytesIO()
    Image.new("RGB", (4, 2)).save(stream, "png")
    data = {"image/png": base64.b64encode(stream.getvalue()).decode(), "text/plain": "<Figure>"}
    return nbformat.v4.new_output("display_data", data, metadata={"image/png": about})


def notebook_of(*outputs):
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n![x](../figures/one.png)"),
        nbformat.v4.new_code_cell("secret = 1", outputs=list(outputs)),
    ]
    return nbformat.v4.new_notebook(cells=cells)


# ---------------------------------------------------------------- text


def test_markup_of_a_sheet_is_shown_as_text_in_a_table():
    shown = html.table([{"Name": HOSTILE, "Value": (HOSTILE, HOSTILE)}], HOSTILE)
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert "```" not in html.block(shown).removeprefix("```{raw} html").removesuffix("```\n")


def test_a_heading_obeys_nothing_that_a_name_holds():
    heading = html.in_markdown(HOSTILE)
    assert "\n" not in heading
    assert all(heading[at - 1] == "\\" for at, sign in enumerate(heading) if sign in "<[{`(")


@pytest.mark.parametrize("address", ["javascript:bad()", "data:text/html,x", "//host/x", "www.x.org", ""])
def test_only_addresses_of_the_web_become_links(address):
    assert "href" not in html.link(address)


def test_an_address_is_a_link_and_keeps_to_its_attribute():
    assert html.link(' https://a.org/"onclick=x ', "source") == ('<a href="https://a.org/&#34;onclick=x">source</a>')
    assert html.doi_link('10.1/a"b') == '<a href="https://doi.org/10.1/a%22b">doi:10.1/a&#34;b</a>'


def test_file_names_of_studies_keep_to_the_folder_and_differ():
    names = ["../../etc/passwd 2020", "Ünal 2020", "unal-2020", "index", "李", "a/b", "a b"]
    found = studies.slugs(names)
    assert len(set(found.values())) == len(names)
    assert found["Ünal 2020"] == "unal-2020" and found["../../etc/passwd 2020"] == "etc-passwd-2020"
    assert "index" not in found.values()
    assert not any(set(name) & set("/\\.") for name in found.values())


def test_codes_are_shown_by_their_labels():
    book = {
        "codes": {"tool": {"rob2": "RoB 2"}, "rob2": {"missing_data": "Missing data"}},
        "sheets": {
            "a": {
                "columns": {
                    "tool": {"kind": "code", "codes": "tool"},
                    "domain": {"kind": "code", "codes_by": "tool"},
                    "country": {"kind": "country"},
                    "note": {"kind": "text"},
                }
            }
        },
    }
    row = {"tool": "rob2", "domain": "missing_data", "country": "GBR;XXX", "note": "rob2"}
    shown = {name: studies.labelled("a", row, name, book, {"GBR": "United Kingdom"}) for name in row}
    assert list(shown.values()) == ["RoB 2", "Missing data", "United Kingdom, XXX", "rob2"]


def test_columns_that_hold_nothing_are_left_out():
    rows = [{"a": 1.0, "b": float("nan"), "c": (2, "")}, {"a": None, "b": "", "c": (1, "x")}]
    assert [list(row) for row in html.filled(rows)] == [["a", "c"], ["a", "c"]]
    assert html.said(65.0) == "65" and html.said(0.1 + 0.2) == "0.3"


# ---------------------------------------------------------------- notebooks


def test_a_figure_carries_its_alt_text_and_links_to_the_large_one(tmp_path):
    page = notebooks.notebook_page(notebook_of(picture_output(alt="A dot", figure="one")), "x", INDEX, tmp_path)
    html = page.cells[1].outputs[0].data["text/html"]
    assert 'href="../figures/one.png"' in html and 'alt="A dot"' in html
    assert not list(tmp_path.iterdir())
    assert "image/png" not in page.cells[1].outputs[0].data


@pytest.mark.parametrize("about", [{}, {"figure": "../../away", "alt": ""}])
def test_a_picture_without_a_name_is_kept_as_shown(tmp_path, about):
    folder = tmp_path / "figures"
    folder.mkdir()
    page = notebooks.notebook_page(notebook_of(picture_output(**about)), "03_x", INDEX, folder)
    assert 'alt="Picture 1 of notebook 03' in page.cells[1].outputs[0].data["text/html"]
    assert [path.name for path in folder.iterdir()] == ["03_x-picture-1.png"]
    assert list(tmp_path.iterdir()) == [folder]


def test_code_is_folded_and_every_figure_of_the_notebook_is_reachable(tmp_path):
    page = notebooks.notebook_page(notebook_of(), "x", INDEX, tmp_path)
    assert page.cells[1].metadata.tags == ["hide-input"]
    assert "<figure" in page.cells[0].source and "![x]" not in page.cells[0].source
    assert "All figures" in page.cells[-2].source and "one.png" in page.cells[-1].source


def test_markup_in_a_sentence_of_a_notebook_is_shown():
    assert notebooks.without_markup("a <b>, p < 0.05") == "a &lt;b>, p < 0.05"


def test_tables_of_a_notebook_share_no_ids():
    html = '<div><style type="text/css">\n#T_ td {}\n</style><table id="T_"><td id="T__row0">1</td></table></div>'
    assert notebooks.without_ids(html) == "<div><table><td>1</td></table></div>"
    assert notebooks.without_ids('<table id="mine">') == '<table id="mine">'


def test_the_checklist_leads_to_pages_and_downloads(tmp_path):
    (tmp_path / "download/sheets").mkdir(parents=True)
    (tmp_path / "download/sheets/README.md").touch()
    links = "[a](../../data/raw/README.md), [b](../../notebooks/03_x.py), [c](../../data/processed/tables/gone.csv)"
    shown = notebooks.checklist_page(links, tmp_path)
    assert shown == '<a href="download/sheets/README.md">a</a>, <a href="notebooks/03_x.html">b</a>, `c`'
    assert notebooks.address_of("figures/x.svg") == "download/figures/x.svg"
    assert notebooks.address_of("data/processed/tables/x.csv") == "download/tables/x.csv"
    assert notebooks.address_of("parameters.yml") == "download/parameters.yml"


# ---------------------------------------------------------------- claims


def claim(**about):
    row = {
        "claim_id": "C03",
        "claim": "Empowerment improves.",
        "verdict": "supported",
        "estimate": 0.21,
        "ci_low": 0.01,
        "ci_high": 0.42,
        "k": 6,
        "n": 1207,
        "reason": "r",
        "quantity": "Hedges g",
        "verdict_left_out": "supported",
        "rule_name": "improvement",
        "outcomes": "empowerment",
        "known": "",
    }
    return next(pd.DataFrame([row | about]).itertuples())


def frames(pi_low, downgrade):
    key = pd.MultiIndex.from_tuples([("empowerment", "smd")])
    pooled = pd.DataFrame({"pi_low": [pi_low], "pi_high": [0.6], "event": [float("nan")]}, key)
    reasons = {f"{name}_reason": ["why"] for name in claims.DOMAINS}
    levels = dict.fromkeys(claims.DOMAINS, [downgrade])
    return pd.DataFrame(levels | reasons | {"certainty": ["low"]}, key), pooled


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({}, "g 0.21 (0.01 to 0.42)"),
        ({"quantity": "risk ratio", "estimate": 1.0, "ci_low": 0.9, "ci_high": 1.52}, "RR 1.00 (0.90 to 1.52)"),
        ({"quantity": "share of trials", "ci_low": float("nan")}, "21%"),
        ({"quantity": "of 4 among the first 5", "estimate": 3}, "3 of 4 among the first 5"),
        ({"estimate": -0.05, "ci_low": -0.2}, "g −0.05 (−0.20 to 0.42)"),
        ({"estimate": float("nan")}, ""),
    ],
)
def test_the_number_of_a_claim_is_read_as_its_quantity(about, expected):
    assert claims.carried(claim(**about)) == expected


def test_what_speaks_against_a_claim_comes_from_the_tables():
    labels = {"empowerment": "Empowerment"}
    words = " ".join(claims.against(claim(verdict_left_out="not_testable"), *frames(-0.2, -1), labels))
    assert "−0.20 to 0.60" in words and "certainty is low" in words and "risk of bias (why)" in words
    assert "would be not testable" in words
    assert claims.against(claim(), *frames(0.1, 0), labels) == ["Nothing in the tables that its rule reads."]
    assert claims.against(claim(ci_low=-0.1), *frames(0.1, 0), labels) == ["The interval includes no effect."]


def test_a_wide_interval_speaks_for_a_claim_of_inconsistency_and_a_narrow_one_against_it():
    labels, row = {"empowerment": "Empowerment"}, claim(rule_name="inconsistency", ci_low=-0.1)
    assert claims.against(row, *frames(-0.2, 0), labels) == ["Nothing in the tables that its rule reads."]
    assert "expected on the same side (0.10 to 0.60)" in claims.against(row, *frames(0.1, 0), labels)[0]


# ---------------------------------------------------------------- answers


def test_an_event_to_be_avoided_is_shown_as_a_ratio_of_itself():
    assert answers.effect_words(0.3, "log_rr", "avoid") == "RR 0.74"
    assert answers.effect_words(0.3, "log_rr", "wanted") == "RR 1.35"
    assert answers.interval_words(0.1, 0.5, "log_rr", "avoid") == "0.61 to 0.90"
    assert answers.effect_words(float("nan"), "smd") == ""


def test_people_in_1000_are_more_or_fewer_of_the_event():
    main = {"family": "log_rr", "event": "avoid", "effect": 0.3, "ci_low": 0.1, "ci_high": 0.5}
    finding = {"more_per_1000": 52.0, "more_per_1000_low": 19.9, "more_per_1000_high": 79.4}
    one = answers.Answer("hospitalisation", "Hospitalisation", main, {}, finding)
    assert one.per_1000() == "52 fewer admitted to hospital (79 fewer to 20 fewer)"
    assert one.in_window == "too few trials"
    wanted = answers.Answer("engagement", "Engagement", main | {"event": "wanted"}, {}, finding)
    assert wanted.per_1000() == "52 more engaged (20 more to 79 more)"


def test_the_table_of_the_readme_has_a_certainty_in_every_row():
    table = answers.readme_block(answers.answers()).splitlines()
    heads = [cell.strip() for cell in table[0].split("|")[1:-1]]
    assert heads[-1] == "certainty" and "2020 to 2025 only" in heads
    rows = [row.split("|") for row in table[2:] if row.startswith("|")]
    assert len(rows) > 10 and all(row[-2].strip() for row in rows)
    assert "whole interval favours peer support for personal recovery" in table[-1]


# ---------------------------------------------------------------- glossary, search


TERMS = {"I²": {"line": "Spread.", "also": [], "match": "I²"}, "RoB": {"line": "Bias.", "also": [], "match": "[Rr]isk"}}


def test_a_term_is_linked_at_its_first_use_outside_headings_links_and_code():
    body = '<h2>I²</h2><p><a href="x">I²</a> <code>I²</code> of I² and I², at risk &amp; RoB</p>'
    found = glossary.linked(body, TERMS, "glossary.html")
    assert found.count("<a class") == 2
    assert 'of <a class="term" href="glossary.html#term-i2" title="Spread.">I²</a> and I²' in found
    assert re.sub(r"</?a\b[^>]*>", "", found) == re.sub(r"</?a\b[^>]*>", "", body)


def test_every_term_of_the_glossary_has_a_line_and_a_place_of_its_own():
    found = glossary.terms(ROOT / "docs/report/glossary.yml")
    assert all(about["line"].endswith(".") and re.compile(about["match"]) for about in found.values())
    assert len({glossary.anchor(name) for name in found}) == len(found) > 30
    assert re.search(found["Hedges g"]["match"], "g 0.24") and re.search(found["Hedges g"]["match"], "g \u22120.24")


def test_the_search_knows_kinds_claims_and_terms():
    body = '<section id="c01">\n<h2>C01 Hope<a class="headerlink" href="#x">#</a></h2><p>a &lt; b</p></section>'
    assert extension.entries_of("claims", "x", body, {}) == [["claims.html#c01", "Claim", "C01 Hope", "C01 Hope a < b"]]
    [entry] = extension.entries_of("studies/a", "A <em>2020</em>", "<pre>code</pre><td>10.1/x</td>", {})
    assert entry == ["studies/a.html", "Study", "A 2020", "10.1/x"]
    assert extension.entries_of("glossary", "", "", TERMS)[0][:3] == ["glossary.html#term-i2", "Term", "I²"]


# ---------------------------------------------------------------- about, downloads


def test_every_page_says_who_what_and_when():
    review = about.about()
    said = about_pages.footer(review)
    assert said["article_doi"] == "10.5281/zenodo.18376578" and "Aftab A" in said["article"]
    assert all(said.values())
    entry = about.bibtex(review)
    assert entry.startswith("@misc{peersupport") and entry.count("{") == entry.count("}")
    assert review.authors[0] in about.citation(review) and review.version in about.citation(review)


def test_the_version_of_the_data_is_read_where_there_is_one(tmp_path):
    assert about.data_version(tmp_path) == {}
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / about.VERSION).write_text("# which data\nversion: 3.0.0\nlast_search: 2026-11-20\n")
    found = about.data_version(tmp_path)
    assert found["version"] == "3.0.0" and str(found["last_search"]) == "2026-11-20"
    (tmp_path / about.VERSION).write_text("")
    assert about.data_version(tmp_path) == {}


def test_a_table_as_a_workbook_keeps_text_and_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("name,value\n=1+1,0.25\n007,-3\nnan,\n")
    made = about_pages.workbook(tmp_path / "a.csv")
    sheet = openpyxl.load_workbook(io.BytesIO(made)).active
    assert [[c.value for c in row] for row in sheet.iter_rows()] == [
        ["name", "value"],
        ["=1+1", 0.25],
        ["007", -3],
        ["nan", None],
    ]
    assert sheet["A2"].data_type != "f"
    assert about_pages.workbook(tmp_path / "a.csv") == made


# ---------------------------------------------------------------- refusal


@pytest.fixture
def older(project):
    (project / "report").mkdir()
    (project / "report/index.html").write_text("older")
    yield project
    assert (project / "report/index.html").read_text() == "older"


def refused(capsys):
    assert command.main() == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and "./run_all.sh" in said
    return said


def test_a_missing_table_is_named_with_the_command_that_makes_it(older, capsys):
    (older / "data/processed/numbers.csv").unlink()
    assert "numbers.csv" in refused(capsys)


def test_stale_results_are_refused_with_the_notebook_to_run(older, capsys):
    with open(older / "notebooks/02_drawing.py", "a") as script:
        script.write("\n# %%\nlater = 1\n")
    assert "--from 02" in refused(capsys)


def test_no_result_at_all_is_refused(older, capsys):
    (older / "data/processed/manifest.csv").unlink()
    refused(capsys)


def test_a_failure_on_the_way_leaves_the_older_report(older, capsys):
    assert command.main() == 1  # no docs/report in this project
    assert "docs/report" in capsys.readouterr().err


def test_an_older_report_gives_way_to_the_new_one(tmp_path):
    site, target = tmp_path / "scratch/site", tmp_path / "report"
    for folder, name in ((site, "new"), (target, "old")):
        folder.mkdir(parents=True)
        (folder / name).touch()
    command.put_in_place(site, target)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert not list((tmp_path / "scratch").iterdir())


def test_what_sphinx_stumbles_over_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "write_sources", lambda root, source: source.mkdir())
    with pytest.raises(pairs.Problem, match="(?s)^The report was not made.*conf.py"):
        site.build(tmp_path, tmp_path)
