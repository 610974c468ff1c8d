"""The site as a reader meets it, made from the stored tables and notebooks with hostile text put among them."""

import contextlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import expect

from peersupport.report.site import SUMMARY, build

ROOT = Path(__file__).parents[1]
HOSTILE = "<script>document.title = 'obeyed'</script><img src=x onerror=\"document.title = 'obeyed'\">"
MARKDOWN = "[x](javascript:obeyed()) {{ name }} ```{raw} html {ref}`x` | a"
KINDS = [
    "index.html",
    "outcomes/depression.html",
    "claims.html",
    "studies/index.html",
    "studies/pfeiffer-2020.html",
    "notebooks/05_thematic_frequency.html",
    "search.html?q=Pfeiffer",
]
OTHERS = [
    "prisma.html",
    "about.html",
    "download.html",
    "glossary.html",
    "outcomes/index.html",
    "outcomes/hope.html",
    "outcomes/hospitalisation.html",
    "notebooks/index.html",
    *(
        f"notebooks/{n}.html"
        for n in (
            "01_clean_extraction",
            "02_descriptive_tables",
            "03_outcome_meta_analysis",
            "04_moderators",
            "06_robustness",
            "07_synthesis",
        )
    ),
]


def with_hostile_text(root):
    """A copy of what the report reads, with one more study and a few changed cells."""
    for folder in ("data/raw", "data/reference", "docs"):
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        (root / folder).symlink_to(ROOT / folder)
    for folder in ("data/processed", "notebooks"):
        shutil.copytree(ROOT / folder, root / folder)
    for name in ("parameters.yml", "CITATION.cff"):
        shutil.copy(ROOT / name, root)
    for name in ("multiverse", "gosh_trials"):  # long, and shown by no page
        path = root / f"data/processed/tables/{name}.csv"
        pd.read_csv(path, nrows=5).to_csv(path, index=False)
    keep_some_studies(root)
    draw_small_figures(root)
    name, bad = f"Zzhostile 2020 {HOSTILE}", f"{HOSTILE} {MARKDOWN}"
    add(root, "studies", study=name, title=bad, note=bad, source_url="javascript:obeyed()", trial="z")
    add(root, "outcomes", study=name, instrument=bad, source_url="javascript:obeyed()")
    add(root, "themes", study=name, paraphrase=bad)
    path = root / "data/processed/tables/claims.csv"
    pd.read_csv(path).assign(reason=bad, claim=bad).to_csv(path, index=False)
    path = root / "notebooks/07_synthesis.ipynb"
    notebook = nbformat.read(path, 4)
    outputs = [output for c in notebook.cells for output in c.get("outputs", []) if "data" in output]
    sentence = next(output for output in outputs if "text/markdown" in output.data)
    sentence.data["text/markdown"] = f"{bad}\n\n{HOSTILE}"
    picture = next(output for output in outputs if "image/png" in output.data)
    picture.metadata["image/png"] = {"alt": "any", "figure": "07_claims"}
    nbformat.write(notebook, path)
    return root


def keep_some_studies(root):
    """Pages of studies are alike: every tenth, those with several reports, and the one that tests look at."""
    path = root / "data/processed/studies.csv"
    studies = pd.read_csv(path, keep_default_na=False, dtype=str)
    kept = studies["trial"].duplicated(keep=False) | studies["study"].eq("Pfeiffer 2020")
    studies[kept | (studies.index % 10 == 0)].to_csv(path, index=False)


def draw_small_figures(root):
    """Storing figures in few colours is half of a build; but one may be any picture of its name."""
    (root / "figures").mkdir()
    shutil.copy(ROOT / "figures/index.csv", root / "figures")
    for name in pd.read_csv(root / "figures/index.csv")["file"]:
        Image.new("RGB", (30, 20)).save(root / f"figures/{Path(name).stem}.png")
        (root / f"figures/{name}").write_text("<svg/>")
    shutil.copy(ROOT / f"figures/{SUMMARY}.png", root / "figures")


def add(root, name, **cells):
    path = root / f"data/processed/{name}.csv"
    table = pd.read_csv(path, keep_default_na=False, dtype=str)
    pd.concat([table, table[:1].assign(**cells)]).to_csv(path, index=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = with_hostile_text(tmp_path_factory.mktemp("report"))
    with contextlib.chdir(root):
        made, warnings = build(root, root / "scratch")
    assert not warnings
    return made


def address(site, page):
    path, _, query = page.partition("?")
    return (site / path).as_uri() + (f"?{query}" if query else "")


class References(HTMLParser):
    """What a page loads, where it leads, what it holds to be led to, and scripts that a sheet might have written."""

    def __init__(self, path):
        super().__init__()
        self.loaded, self.links, self.ids, self.events = [], [], set(), []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids.add(found.get("id"))
        self.events += [name for name in found if name.startswith("on")]
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        else:
            self.loaded += [found[name] for name in ("href", "src") if found.get(name)]


@pytest.fixture(scope="module")
def parsed(site):
    return {path: References(path) for path in site.rglob("*.html") if "_static" not in path.parts}


def target(page, link):
    parts = urlsplit(link)
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page, parts.fragment


def test_every_page_leads_only_to_what_is_there(parsed):
    lost = [
        f"{page.name}: {link}"
        for page, found in parsed.items()
        for link in found.links
        if not urlsplit(link).scheme
        for path, fragment in [target(page, link)]
        if not path.is_file() or (fragment and fragment not in parsed[path].ids)
    ]
    assert not lost


def test_every_page_loads_only_what_the_site_holds(parsed):
    assert not [
        f"{page.name}: {link}"
        for page, found in parsed.items()
        for link in found.loaded
        if urlsplit(link).scheme or not target(page, link)[0].is_file()
    ]


def test_no_page_has_a_link_or_an_attribute_that_runs(parsed):
    assert {urlsplit(link).scheme for found in parsed.values() for link in found.links} <= {"", "http", "https"}
    assert not [page.name for page, found in parsed.items() if found.events]


def test_the_site_is_small_and_has_a_page_for_each_study(site):
    pages = [path for path in (site / "studies").glob("*.html") if path.stem != "index"]
    others = [path for path in site.rglob("*") if path.is_file() and path not in pages]
    outcomes = list((site / "outcomes").glob("*.html"))
    others = [path for path in others if "download" not in path.parts and path not in outcomes]
    assert sum(path.stat().st_size for path in others) < 5e6
    assert sum(path.stat().st_size for path in outcomes) / len(outcomes) < 80e3
    assert sum(path.stat().st_size for path in pages) / len(pages) < 30e3
    studies = pd.read_csv(site.parents[1] / "data/processed/studies.csv")
    assert len(pages) == len(studies) > 50  # with the hostile one


def faults(shown):
    """What axe finds on a page whose tables are cut short: the further rows are as the first, and take it a minute."""
    shown.page.evaluate("document.querySelectorAll('tbody tr:nth-child(n+9)').forEach(row => row.remove())")
    return shown.axe()


@pytest.mark.parametrize("page", KINDS)
def test_a_page_is_sound_for_eyes_ears_and_hands(site, visit, page):
    for width in (1280, 390):
        shown = visit(address(site, page), width)
        assert shown.page.locator("h1").count() == 1
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
        assert not faults(shown)
        assert not shown.problems


@pytest.mark.parametrize("page", OTHERS)
def test_every_other_page_opens_without_a_problem(site, visit, page):
    shown = visit(address(site, page), 390)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not shown.problems


def test_a_published_table_is_sound_too(site, visit):
    assert not faults(visit(site / "notebooks/02_descriptive_tables.html"))


def test_a_script_in_a_sheet_is_shown_and_does_not_run(site, visit):
    study = next((site / "studies").glob("zzhostile*"))
    for path in (study, site / "claims.html", site / "index.html", site / "notebooks/07_synthesis.html"):
        shown = visit(path)
        assert "<script>document.title" in shown.page.locator("article").inner_text()
        assert "obeyed" not in shown.page.title().replace(HOSTILE, "")
        assert not shown.page.locator("article script, article [onerror]").count()
        assert not shown.problems
    assert MARKDOWN in visit(study).page.locator("article").inner_text()


def test_a_search_finds_a_study(site, visit):
    shown = visit(site / "notebooks/index.html")
    shown.page.locator(".search-button-field:visible").first.click()
    shown.page.keyboard.type("veterans QIDS")  # a cell of one table, a cell of another
    shown.page.keyboard.press("Enter")
    shown.page.get_by_role("link", name="Pfeiffer 2020").first.click()
    expect(shown.page.locator("h1")).to_contain_text("Pfeiffer 2020")
    assert not shown.problems


def sort_by(table, name):
    """The page says when it is done: the click alone is answered before the rows have moved."""
    header = table.get_by_role("columnheader", name=name)
    header.click()
    expect(header).to_have_attribute("aria-sort", "ascending")


def test_a_table_sorts_and_filters(site, visit):
    page = visit(site / "studies/index.html").page
    rows = page.locator("table.data tbody tr")
    years = page.locator("table.data tbody tr > :nth-child(2)")
    stored = years.all_inner_texts()
    sort_by(page.locator("table.data"), "Year")
    assert sorted(stored) != stored
    expect(years).to_have_text(sorted(stored))
    page.get_by_label("Filter").fill("veterans digital")
    expect(rows).not_to_have_count(len(stored))
    kept = [row.lower() for row in rows.all_inner_texts()]
    assert 0 < len(kept) < len(stored)
    assert all("veterans" in row and "digital" in row for row in kept)
    page.get_by_label("Filter").fill("no study says this")
    expect(page.get_by_text("No row holds these words.")).to_be_visible()


def test_effects_sort_by_their_number_and_not_by_its_letters(site, visit):
    page = visit(site / "index.html").page
    table = page.locator("table.data").first
    sort_by(table, "Effect (95% interval)")
    effects = [
        float(found[1].replace("\u2212", "-"))
        for text in table.locator("tbody tr > :nth-child(2)").all_inner_texts()
        if (found := re.match(r"g ([\u2212\d.]+)", text))
    ]
    assert effects == sorted(effects) and len(effects) > 5


def test_an_outcome_leads_to_its_studies_and_a_study_back(site, visit):
    page = visit(site / "outcomes/depression.html").page
    page.locator("article").get_by_role("link", name="Pfeiffer 2020").first.click()
    expect(page.locator("h1")).to_contain_text("Pfeiffer 2020")
    section = page.locator("section#pooled-results-that-it-enters")
    expect(section.get_by_role("row").nth(1)).to_contain_text("%")
    section.get_by_role("link", name="Depression", exact=True).first.click()
    expect(page.locator("h1")).to_contain_text("Depression")
    expect(page.locator(".who")).to_contain_text("10.5281/zenodo.18376578")


@pytest.mark.parametrize(
    ("words", "kind", "name"),
    [("QoL", "Outcome", "Quality of life"), ("10.1176/appi.ps.201900283", "Study", "Pfeiffer 2020")],
)
def test_a_search_finds_abbreviations_and_dois_and_shows_their_kind(site, visit, words, kind, name):
    page = visit(site / "search.html").page
    page.get_by_label("Words, an abbreviation, a name or a DOI").fill(words)
    page.locator("#search-kinds").get_by_role("button", name=kind).click()
    first = page.locator("#search-found li").first
    expect(first.get_by_role("link")).to_have_text(name)
    expect(first.locator("mark").first).to_be_visible()


def test_a_figure_enlarges_with_its_alt_text(site, visit):
    stored = pd.read_csv(ROOT / "figures/index.csv").set_index("file")["alt_text"]
    shown = visit(site / "index.html")
    shown.page.locator("a.enlarge").first.click()
    large = shown.page.get_by_role("dialog").get_by_role("img")
    assert large.get_attribute("alt") == stored["03_summary_forest.svg"]
    assert large.evaluate("image => image.decode().then(() => image.naturalWidth)") > 1500
    assert not shown.axe()
    shown.page.keyboard.press("Escape")
    expect(shown.page.get_by_role("dialog")).to_have_count(0)
    assert not shown.problems


def test_a_notebook_shows_its_figures_and_reaches_all_of_them(site, visit):
    index = pd.read_csv(ROOT / "figures/index.csv")
    page = visit(site / "notebooks/07_synthesis.html").page
    assert (
        page.locator('.cell_output img[src$="/07_claims.png"]').get_attribute("alt")
        == (index.set_index("file")["alt_text"]["07_claims.svg"])
    )
    assert page.locator(".gallery img").count() == index["notebook"].eq("07_synthesis").sum()
    assert not page.locator("img[alt='']").count()
    code = page.locator("details .highlight").first
    assert not code.is_visible()
    page.locator("summary").first.click()
    expect(code).to_be_visible()


def test_paper_has_whole_tables_and_nothing_to_click(site, visit):
    page = visit(site / "studies/index.html").page
    page.emulate_media(media="print")
    assert not page.get_by_label("Filter").is_visible() and not page.locator("header").first.is_visible()
    box = page.locator(".dt-layout-table").first
    assert box.evaluate("e => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth + 1")
