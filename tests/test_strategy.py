"""The search strategy: the strings of six interfaces, a parser that reads them back, and what they find on titles."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from peersupport.search import living, recall
from peersupport.search.interfaces import INTERFACES, strings
from peersupport.search.query import Heading, Near, Phrase, SearchError, Tree, Years, alike, matches, phrase, words_of
from peersupport.search.reading import read_lines, read_string
from peersupport.search.strategy import as_query, read_strategy

ROOT = Path(__file__).parents[1]
STORED = (ROOT / "data/raw/search/strategy.yml").read_text("utf-8")
SMALL = """
title: Small
years: [2020, 2025]
combine: workers OR (peers AND (illness OR recovery))
concepts:
  workers: {label: Workers, terms: [peer worker*, recovery coach*]}
  peers:
    label: Peers
    terms: [peer support*, {near: [[peer, peers], [led, delivered]], within: 2}]
    mesh: [Peer Group]
    apa: [Peer Relations]
  illness: {label: Illness, terms: [depress*, bipolar], mesh: ["Depression, Postpartum"]}
  recovery: {label: Recovery, terms: [recovery]}
"""
STUDIES = pd.DataFrame(
    [
        ("A 2021", "Peer workers in Utopia", "2021", "smi"),
        ("B 2021", "Depression and support led by peers", "2021", "smi"),
        ("C 2022", "Walking with peers", "2022", "youth"),
        ("D 2010", "Peer-supported recovery", "2010", "smi"),
        ("E 2023", "Something else entirely", "2023", "youth"),
    ],
    columns=["study", "title", "year", "population"],
)
LOG = pd.DataFrame(
    [
        ("Peer workers in Utopia", "include", ""),
        ("Peer workers in Utopia", "exclude", "duplicate_report"),
        ("Depression and support led by peers", "include", ""),
        ("Peer support in bipolar disorder", "exclude", "protocol_only"),
        ("Walking alone", "exclude", "not_peer_support"),
        ("Peer workers who were not found", "exclude", "not_retrieved"),
    ],
    columns=["title", "decision", "reason"],
)


@pytest.fixture(params=[SMALL, STORED], ids=["small", "stored"])
def strategy(request):
    return read_strategy(request.param)


def line(strategy, interface, what):
    lines = strings(strategy)
    return lines[lines.interface.eq(interface) & lines.what.eq(what)].string.item()


# ---------------------------------------------------------------- strings, and back


def test_every_string_is_read_back_as_the_same_search(strategy):
    trees, back = recall.read_back(strategy, strings(strategy))
    assert set(trees) == set(INTERFACES) and back.found_again.all() and back.same_search.all()
    assert set(back.concept) == set(strategy.concepts)


@pytest.mark.parametrize("interface", INTERFACES)
def test_a_term_taken_from_a_string_is_missed_when_it_is_read_back(interface):
    strategy = read_strategy(SMALL)
    lines = strings(strategy)
    spoiled = lines.assign(string=lines.string.str.replace("depress", "impress"))
    _, back = recall.read_back(strategy, spoiled[spoiled.interface.eq(interface)])
    assert not back.same_search.any()
    assert back.set_index("concept").found_again.to_dict() == {
        "workers": True,
        "peers": True,
        "illness": False,
        "recovery": True,
    }


@pytest.mark.parametrize(
    ("interface", "free", "headings", "last"),
    [
        (
            "pubmed",
            '"peer support*"[tiab] OR "peer led"[tiab:~2] OR "peer delivered"[tiab:~2] OR "peers led"[tiab:~2] '
            'OR "peers delivered"[tiab:~2]',
            '"Peer Group"[mh]',
            "#9 AND 2020:2025[dp]",
        ),
        (
            "psycinfo_ovid",
            "(peer support* or ((peer or peers) adj3 (led or delivered))).ti,ab,id.",
            "exp Peer Relations/",
            'limit 7 to yr="2020-2025"',
        ),
        (
            "psycinfo_ebsco",
            'TI ("peer support*" OR ((peer OR peers) N2 (led OR delivered))) OR '
            'AB ("peer support*" OR ((peer OR peers) N2 (led OR delivered))) OR '
            'KW ("peer support*" OR ((peer OR peers) N2 (led OR delivered)))',
            'DE "Peer Relations"',
            "S7 AND PY 2020-2025",
        ),
        (
            "scopus",
            'TITLE-ABS-KEY("peer support*" OR ((peer OR peers) W/2 (led OR delivered)))',
            None,
            "#5 AND PUBYEAR > 2019 AND PUBYEAR < 2026",
        ),
        (
            "web_of_science",
            'TS=("peer support*" OR ((peer OR peers) NEAR/2 (led OR delivered)))',
            None,
            "#5 AND PY=2020-2025",
        ),
        (
            "cochrane",
            "((peer NEXT support*) OR ((peer OR peers) NEAR/3 (led OR delivered))):ti,ab,kw",
            '[mh "Peer Group"]',
            "#9 with Publication Year from 2020 to 2025, in Trials",
        ),
    ],
)
def test_each_interface_has_its_own_rules(interface, free, headings, last):
    strategy = read_strategy(SMALL)
    assert line(strategy, interface, "Peers: title, abstract, keywords") == free
    if headings:
        assert line(strategy, interface, "Peers: headings") == headings
    assert line(strategy, interface, "Limited to years") == last


def test_the_combination_refers_to_the_lines_of_its_concepts():
    assert line(read_strategy(SMALL), "pubmed", "All concepts combined") == "#1 OR (#4 AND (#7 OR #8))"
    assert line(read_strategy(SMALL), "psycinfo_ovid", "All concepts combined") == "1 or (4 and (5 or 6))"


def test_no_term_of_the_stored_strategy_is_swallowed_by_another():
    terms = recall.term_hits(read_strategy(STORED), STUDIES, LOG)
    assert terms.swallowed_by.eq("").all()
    doubled = read_strategy(
        SMALL.replace("[depress*, bipolar]", "[depress*, bipolar depression, depressive disorder*]")
    )
    terms = recall.term_hits(doubled, STUDIES, LOG).set_index("term").swallowed_by
    assert terms["bipolar depression"] == terms["depressive disorder*"] == "depress*"


def test_a_line_too_long_for_its_interface_is_refused():
    many = ", ".join(f"invented phrase number {n}x" for n in range(400))
    with pytest.raises(SearchError, match="characters.*part the concept"):
        strings(read_strategy(SMALL.replace("[recovery]", f"[{many}]")))


@pytest.mark.parametrize(
    ("text", "interface", "tree"),
    [
        ("peer support*.ti,ab.", "psycinfo_ovid", Phrase(("peer", "support*"))),
        ("exp Recovery (Disorders)/", "psycinfo_ovid", Heading("Recovery (Disorders)")),
        ("(a and b) not c", "psycinfo_ovid", "NOT"),
        ('"Depression, Postpartum"[Mesh]', "pubmed", Heading("Depression, Postpartum")),
        ('"peer led"[tiab:~3]', "pubmed", Near((Phrase(("peer",)),), (Phrase(("led",)),), 3)),
        ('[mh ^"Peer Group"]', "cochrane", Heading("Peer Group")),
        ("(peer near/2 led):ti", "cochrane", None),
        ("PY=2020-2025", "web_of_science", Years(2020, 2025)),
        ("PUBYEAR > 2019 AND PUBYEAR < 2026", "scopus", Years(2020, 2025)),
    ],
)
def test_strings_that_other_people_wrote_are_read(text, interface, tree):
    read = read_string(text, interface)
    if isinstance(tree, str):
        assert isinstance(read, Tree) and read.operator == tree
    elif tree is not None:
        assert read == tree


@pytest.mark.parametrize(
    ("text", "interface", "why"),
    [
        ('("peer support*"[tiab] OR x[tiab]', "pubmed", "opened and not closed"),
        ("x[tiab])", "pubmed", "closed that was not opened"),
        ('"a b', "pubmed", "quotation mark"),
        ('"a b"[xx]', "pubmed", "xx is no field"),
        ('"peer* led"[tiab:~2]', "pubmed", "beside a distance"),
        ("*led[tiab]", "pubmed", "elsewhere than at a word's end"),
        ("(a or b).zz.", "psycinfo_ovid", "zz is no field"),
        ("1 or 9", "psycinfo_ovid", "not above it"),
        ("a and", "psycinfo_ovid", "missing at the end"),
        ("FOO (a)", "psycinfo_ebsco", "FOO is no field"),
        ("TITLE-ABS-KEY(a OR )", "scopus", "a term is missing"),
        ('FOO=("a")', "web_of_science", "FOO is no field"),
        ('("peer support*"):ti', "cochrane", "join its words with NEXT"),
    ],
)
def test_a_string_that_the_interface_would_not_take_gets_one_sentence(text, interface, why):
    with pytest.raises(SearchError, match=re.escape(why)) as told:
        read_string(text, interface)
    assert str(told.value).startswith(f"{INTERFACES[interface].label}, line 1: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[recovery]", "[re*]", "fewer than 4 letters"),
        ("[recovery]", "['*covery']", "elsewhere than at a word's end"),
        ("[recovery]", "['recovery (disorders)']", "a sign that no interface takes"),
        ("[recovery]", "[recovery or health]", "an operator"),
        ("[recovery]", "[]", "has no terms"),
        ("[peer, peers]", "[peer, support*]", "beside near"),
        ("OR recovery))", "OR recovery)", "a bracket is not closed"),
        ("OR recovery))", "OR recover))", "recover is no concept"),
        ("OR recovery))", "recovery))", "a bracket is not closed"),
        ("[2020, 2025]", "[2025, 2020]", "years must be"),
        ("title: Small", "titel: Small", "and nothing else"),
        ("title: Small", "title: [", "no YAML"),
        ("mesh: [Peer Group]", "mash: [Peer Group]", "may have"),
    ],
)
def test_a_faulty_strategy_gets_one_sentence(old, new, why):
    assert old in SMALL
    with pytest.raises(SearchError, match=re.escape(why)) as told:
        read_strategy(SMALL.replace(old, new))
    assert str(told.value).startswith("data/raw/search/strategy.yml") and "\n" not in str(told.value)


# ---------------------------------------------------------------- what a search finds


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        (phrase("peer support*"), "PEER-SUPPORTED groups", True),
        (phrase("peer support"), "peer-supported groups", False),
        (phrase("peer support*"), "support of peers", False),
        (phrase("cafe"), "In a Café.", True),
        (phrase("art"), "a start", False),
        (Near((phrase("peers"),), (phrase("led"),), 1), "led by peers", True),
        (Near((phrase("peers"),), (phrase("led"),), 1), "led by the peers", False),
        (Near((phrase("peers"),), (phrase("led"), phrase("run")), 2), "peers who have run", True),
        (Heading("Peer Group"), "peer group", False),
        (Tree("NOT", (phrase("peers"), phrase("led"))), "led by peers", False),
    ],
)
def test_a_term_finds_what_it_says(term, text, found):
    assert matches(term, [words_of(text)], np.array([np.nan])).tolist() == [found]


def test_years_limit_and_unknown_years_pass():
    assert matches(Years(2020, 2025), [" a "] * 3, np.array([2019, 2025, np.nan])).tolist() == [False, True, True]


def test_searches_are_alike_whatever_the_order_and_grouping():
    a, b, c = phrase("a"), phrase("b"), phrase("c")
    near = Near((a, b), (c,), 2)
    assert alike(Tree("OR", (a, Tree("OR", (b, c)))), Tree("OR", (c, b, a)))
    assert alike(near, Tree("OR", tuple(near.pairs())))
    assert not alike(Tree("OR", (a, b)), Tree("AND", (a, b)))
    assert not alike(near, Near((a, b), (c,), 3))


def test_recall_and_precision_are_counted_by_hand_with_exact_intervals():
    strategy = read_strategy(SMALL)
    trees = {"pubmed": as_query(strategy)}
    got = recall.relative_recall(STUDIES, trees, (2020, 2025)).set_index("group")
    assert got.n.to_dict() == {"all years": 5, "2020 to 2025": 4, "smi": 2, "youth": 2}
    assert got.found.to_dict() == {"all years": 3, "2020 to 2025": 2, "smi": 2, "youth": 0}
    half = got.loc["2020 to 2025"]
    assert half[["ci_low", "ci_high"]].tolist() == pytest.approx([0.0675860, 0.9324140], abs=1e-6)  # binom.test(2, 4)
    [row] = recall.precision(LOG, trees).to_dict("records")
    assert (row["records"], row["caught"], row["included"]) == (4, 3, 2)


def test_what_is_missed_and_would_catch_it():
    strategy = read_strategy(SMALL)
    lost = recall.missed(strategy, STUDIES).set_index("study").holds_only
    assert lost.to_dict() == {"E 2023": "", "C 2022": ""}
    gains = recall.would_catch(strategy, STUDIES, LOG).set_index("term")
    assert gains.loc["something", ["concept", "studies_gained", "excluded_gained"]].tolist() == ["workers", 1, 0]
    assert gains.loc["walking", ["studies_gained", "excluded_gained"]].tolist() == [1, 1]


def test_what_a_concept_brings_and_costs():
    costs = recall.concept_costs(read_strategy(SMALL), STUDIES, LOG).set_index("concept")
    assert costs.studies.to_dict() == {"workers": 1, "peers": 2, "illness": 1, "recovery": 1}
    assert costs.studies_lost.to_dict() == {"workers": 1, "peers": 2, "illness": 1, "recovery": 1}
    assert costs.excluded_saved.to_dict() == {"workers": 0, "peers": 1, "illness": 1, "recovery": 0}


def test_an_export_of_another_search_is_named():
    titles = ["Peer workers"] * 4 + ["Steel bridges"] * 10
    records = pd.DataFrame({"title": titles, "abstract": "", "file": ["own.ris"] * 4 + ["bridges.ris"] * 10})
    assert recall.foreign(records, as_query(read_strategy(SMALL))).file.tolist() == ["bridges.ris"]


# ---------------------------------------------------------------- hits


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("pubmed,1,2026-05-31,120,Anna", None),
        ("pubmd,1,2026-05-31,120,Anna", "unknown_interface"),
        ("pubmed,99,2026-05-31,120,Anna", "unknown_line"),
        ("pubmed,1,31.5.2026,120,Anna", "date"),
        ("pubmed,1,2026-05-31,many,Anna", "hits"),
        ("pubmed,1,2026-05-31,120,Anna\npubmed,1,2026-05-31,121,Bo", "line_twice"),
    ],
)
def test_the_sheet_of_hits_is_checked_and_shown(row, rule):
    lines = strings(read_strategy(SMALL))
    hits, problems = living.read_hits(f"interface,line,date,hits,searcher\n{row}\n".encode(), lines)
    assert [found["rule"] for found in problems] == ([rule] if rule else [])
    if not rule:
        shown = living.with_hits(lines, hits)
        assert len(shown) == len(lines)
        assert shown.hits[shown.line.eq(1) & shown.interface.eq("pubmed")].tolist() == ["120"]


def test_a_renamed_column_of_the_hits_is_named():
    _, [found] = living.read_hits(b"interface,line,day,hits,searcher\n", strings(read_strategy(SMALL)))
    assert "interface, line, date, hits, searcher" in found["remedy"]


def test_the_lines_of_an_interface_are_one_tree_of_the_last():
    tree = read_lines(["a.ti.", "b.ti.", "1 or 2", 'limit 3 to yr="2020-2021"'], "psycinfo_ovid")
    assert tree == Tree("AND", (Tree("OR", (phrase("a"), phrase("b"))), Years(2020, 2021)))
