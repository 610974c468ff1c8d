"""The explorer as a page: controls moved as a person does, and the number shown is the one in the table."""

import io
import subprocess
import sys
from pathlib import Path

import browser
import pandas as pd
import pytest
from playwright.sync_api import expect

from peersupport.explorer.page import HOST
from peersupport.pool import models
from peersupport.store.tables import read_table
from peersupport.text.numbers import shown

ROOT = Path(__file__).parents[1]
PATIENCE = 60_000  # milliseconds, for a machine that has other work too
LABELS = models.model_labels(models.Settings())


@pytest.fixture(scope="module")
def address():
    """Of the page, served on a free port."""
    command = [sys.executable, "-m", "peersupport.explorer.page", "--port", "8900"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = next((line for line in server.stdout if HOST in line), "")
    yield next(word for word in said.split() if word.startswith("http"))
    server.terminate()
    server.wait(timeout=30)


@pytest.fixture(scope="module")
def opened(chromium, address):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    seen = browser.Visit(context.new_page()).open(address)
    expect(seen.page.locator("img.forest")).to_be_visible(timeout=PATIENCE)
    seen.first_answer = seen.page.get_by_role("status").inner_text().splitlines()[0]
    yield seen
    context.close()


@pytest.fixture
def seen(opened):
    """The page on depression by the main model, whatever the test before it chose."""
    page = opened.page
    page.get_by_role("button", name="Reset all choices").click()
    answers(page, opened.first_answer)  # what is chosen before the reset has come back would be overwritten by it
    choose(page, "Outcome", "Depression")
    choose(page, "Model", LABELS[models.MAIN])
    answers(page, estimate("depression", models.MAIN))
    return opened


def choose(page, control, label):
    page.get_by_label(control, exact=True).select_option(label)


def answers(page, words):
    expect(page.get_by_role("status")).to_contain_text(words, timeout=PATIENCE)


def stored(outcome, model):
    table = read_table("tables/pooled_outcomes.csv").set_index(["outcome_domain", "model"])
    return table[table["family"].eq("smd")].loc[(outcome, model)]


def estimate(outcome, model):
    row = stored(outcome, model)
    effect, low, high = (shown(row[c], "smd") for c in ("effect", "ci_low", "ci_high"))
    return f"pooled g = {effect} (95% CI {low} to {high})"


def downloaded(page, link):
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    return download.value.suggested_filename, Path(download.value.path()).read_text("utf-8")


def test_the_page_is_sound_and_spoken(seen):
    page = seen.page
    assert page.title().startswith("Explore the evidence")
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("group", name="Delivery").get_by_role("checkbox")).not_to_have_count(0)
    assert "import" not in page.inner_text("main")
    assert seen.axe() == []
    assert seen.problems == []


@pytest.mark.parametrize("model", ["window", "pet_peese", "bayes_half_normal"])
def test_the_model_that_is_chosen_gives_the_estimate_of_the_table(seen, model):
    choose(seen.page, "Model", LABELS[model])
    answers(seen.page, LABELS[model])
    answers(seen.page, estimate("depression", model))
    assert seen.problems == []


def test_the_outcome_that_is_chosen_gives_all_numbers_of_the_table(seen):
    choose(seen.page, "Outcome", "Personal recovery")
    answers(seen.page, estimate("personal_recovery", models.MAIN))
    row = stored("personal_recovery", models.MAIN)
    result = seen.page.get_by_role("table").first
    expect(result).to_contain_text(f"{shown(row.pi_low, 'smd')} to {shown(row.pi_high, 'smd')}")
    expect(result).to_contain_text(f"{row.q:.1f} (df = {row.k - 1}")
    expect(result).to_contain_text(f"{row.n:,.0f}")
    assert f"{row.i2:.0f}%" in result.inner_text() and f"{row.tau2:.3f}" in result.inner_text()
    _, table = downloaded(seen.page, "Table of trials (CSV)")
    about = dict(line[2:].split(": ", 1) for line in table.splitlines() if line.startswith("# "))
    assert float(about["effect"]) == pytest.approx(row.effect, rel=1e-9)
    assert float(about["tau2"]) == pytest.approx(row.tau2, rel=1e-6)


def test_boxes_cleared_by_keyboard_restrict_the_trials_and_the_files_say_so(seen):
    page = seen.page
    for label in ("Another shared experience", "Unclear"):
        box = page.get_by_label(label, exact=True)
        box.focus()
        page.keyboard.press("Space")
    answers(page, estimate("depression", "distress_helpers"))
    answers(page, "restricted to Helpers' own experience: Mental distress.")
    name, table = downloaded(page, "Table of trials (CSV)")
    assert name == f"explorer_depression_{models.MAIN}.csv"
    assert "# Helpers' own experience: Mental distress\n" in table
    trials = pd.read_csv(io.StringIO(table), comment="#")
    assert len(trials) == stored("depression", "distress_helpers").k
    for link in ("Forest plot (SVG)", "Funnel plot (SVG)"):
        name, drawn = downloaded(page, link)
        assert name.endswith(".svg") and "Helpers' own experience: Mental distress" in drawn


def test_years_chosen_by_keyboard_are_those_of_the_window(seen):
    years = seen.page.get_by_label("From the year", exact=True)
    before = years.input_value()
    years.focus()
    seen.page.keyboard.type("2020")
    answers(seen.page, estimate("depression", "window"))
    years.select_option(before)
    answers(seen.page, estimate("depression", models.MAIN))


def test_too_few_trials_are_a_sentence_and_no_picture(seen):
    page = seen.page
    boxes = page.get_by_role("group", name="Overall risk of bias").get_by_role("checkbox")
    for box in boxes.all():
        box.uncheck()
    answers(page, "nothing is drawn")
    answers(page, "0 trials left, 3 needed")
    expect(page.locator("img")).to_have_count(0)
    expect(page.get_by_role("link", name="CSV")).to_have_count(0)
    assert seen.axe() == [] and seen.problems == []


def test_a_study_shows_its_trail_to_the_printed_figure_and_its_link(seen):
    page = seen.page
    study = page.get_by_label("Study, to see its trail", exact=False)
    study.select_option(index=1)
    trail = page.get_by_role("region", name="Trail of")
    expect(trail.first).to_be_visible(timeout=PATIENCE)
    row_id = trail.first.get_attribute("aria-label").removeprefix("Trail of ")
    provenance = read_table("provenance.csv")
    steps = provenance[provenance["row_id"].eq(row_id)].set_index("step")
    values = steps.loc[["printed"], "value"]
    printed = values[pd.to_numeric(values, errors="coerce").notna()].iloc[-1]  # codes are shown by their labels
    expect(trail.first).to_contain_text(printed)
    link = trail.first.get_by_role("link").first
    assert link.get_attribute("href") == steps.loc["source", "value"]
    assert seen.axe() == [] and seen.problems == []


def test_a_trial_is_ticked_off_and_the_link_of_the_page_brings_it_back(seen, visit):
    page = seen.page
    page.get_by_role("button", name="Tick trials one by one").click()
    box = page.locator(".explorer-ticks").get_by_role("checkbox", checked=True).first
    expect(box).to_be_visible(timeout=PATIENCE)
    assert seen.axe() == []
    box.uncheck()
    answers(page, "; without ")
    said = page.get_by_role("status").inner_text().splitlines()[0]
    link = page.get_by_role("link", name="Link to these choices")
    again = visit(link.evaluate("link => link.href")).page
    expect(again.locator("img.forest")).to_be_visible(timeout=PATIENCE)
    answers(again, said)
    page.get_by_role("button", name="Tick trials one by one").click()


def test_only_this_keeps_one_of_a_group(seen):
    group = seen.page.get_by_role("group", name="Helpers' own experience")
    group.get_by_label("Only this").select_option("Mental distress")
    answers(seen.page, "restricted to Helpers' own experience: Mental distress.")
    group.get_by_role("button", name="All").click()
    answers(seen.page, "no restriction")


def test_a_phone_shows_the_answer_without_scrolling_sideways(seen):
    page = seen.page
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.locator("img.forest")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.get_by_label("Digital", exact=True)
    expect(box).to_be_hidden()
    page.get_by_role("button", name="Which trials").click()
    expect(box).to_be_visible()
    assert seen.axe() == [] and seen.problems == []
