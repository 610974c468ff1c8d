"""Would the strategy find what is included? Evaluated offline on titles (and abstracts where an export has them).

A database also searches abstracts, keywords and headings, so the recall of titles is a lower bound of what it would be.
"""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from peersupport.search.interfaces import INTERFACES
from peersupport.search.query import Node, Phrase, Tree, Years, alike, leaves, matches, words_of
from peersupport.search.reading import read_lines
from peersupport.search.strategy import Strategy, as_query

NO_VERDICT = ("duplicate_report", "not_retrieved")  # exclusions that say nothing of a record's subject
FUNCTION_WORDS = set(
    "a an and are as at be by can do for from have how i in into is it its me my not of on or our that the their them "
    "they this through to was we what when where which who will with you your".split()
)


def read_back(strategy: Strategy, lines: pd.DataFrame) -> tuple[dict[str, Node], pd.DataFrame]:
    """The strings of every interface as trees, and whether each concept came back: `interface, concept, terms,
    headings, found_again, same_search` (the whole tree, operators and years included, is the strategy's)."""
    trees, rows = {}, []
    for name, part in lines.groupby("interface", sort=False):
        vocabulary = INTERFACES[name].vocabulary
        trees[name] = read_lines(part.string.tolist(), name)
        meant = Tree("AND", (as_query(strategy, vocabulary), Years(*strategy.years)))
        found, same = set(leaves(trees[name])), alike(trees[name], meant)
        for concept in strategy.concepts.values():
            headings = concept.headings.get(vocabulary, ())
            terms = list(leaves(Tree("OR", concept.terms)))
            rows.append((name, concept.name, len(concept.terms), len(headings), {*terms, *headings} <= found, same))
    return trees, pd.DataFrame(rows, columns="interface concept terms headings found_again same_search".split())


def found(node: Node, titles: pd.Series, year: pd.Series | None = None) -> np.ndarray:
    """Whether the search finds each title; without years its limit to years is let pass."""
    years = np.full(len(titles), np.nan) if year is None else pd.to_numeric(year, errors="coerce").to_numpy(float)
    return matches(node, [words_of(title) for title in titles.fillna("")], years)


def exact(k: int, n: int) -> tuple[float, float, float]:
    """A share with its exact (Clopper-Pearson) 95% interval; NaN of nothing."""
    if not n:
        return (np.nan,) * 3
    interval = binomtest(int(k), int(n)).proportion_ci(method="exact")
    return k / n, interval.low, interval.high


def relative_recall(studies: pd.DataFrame, trees: dict[str, Node], window: tuple[int, int]) -> pd.DataFrame:
    """`interface, group, n, found, recall, ci_low, ci_high` of included studies (title, year, population) by their
    titles: of all years, of the window, and of each population within it. Years are not limited here."""
    inside = pd.to_numeric(studies.year, errors="coerce").between(*window).to_numpy()
    groups = {"all years": np.ones(len(studies), bool), f"{window[0]} to {window[1]}": inside}
    populations = studies.population.fillna("nr")
    groups |= {name: inside & populations.eq(name).to_numpy() for name in sorted(populations.unique())}
    rows = []
    for interface, tree in trees.items():
        hit = found(tree, studies.title)
        for group, members in groups.items():
            n, k = int(members.sum()), int((hit & members).sum())
            rows.append((interface, group, n, k, *exact(k, n)))
    return pd.DataFrame(rows, columns="interface group n found recall ci_low ci_high".split())


def decided(log: pd.DataFrame) -> pd.DataFrame:
    """Records of the log on whose subject somebody decided, one per title, with `included` (bool)."""
    rows = log[~log.reason.fillna("").isin(NO_VERDICT) & log.title.fillna("").ne("")]
    rows = rows.assign(included=rows.decision.eq("include"), key=rows.title.map(words_of))
    rows = rows.sort_values("included", ascending=False, kind="stable").drop_duplicates("key").sort_index()
    return rows.drop(columns="key")


def precision(log: pd.DataFrame, trees: dict[str, Node]) -> pd.DataFrame:
    """`interface, records, caught, included, precision, ci_low, ci_high`: of the decided records whose title the search
    finds, the share that was included."""
    rows = decided(log)
    out = []
    for interface, tree in trees.items():
        hit = found(tree, rows.title)
        k, n = int((hit & rows.included).sum()), int(hit.sum())
        out.append((interface, len(rows), n, k, *exact(k, n)))
    return pd.DataFrame(out, columns="interface records caught included precision ci_low ci_high".split())


# ---------------------------------------------------------------- what each concept and each term brings and costs


def by_concept(strategy: Strategy, titles: pd.Series) -> dict[str, np.ndarray]:
    """For each concept whether each title holds one of its terms."""
    texts, years = [words_of(title) for title in titles.fillna("")], np.full(len(titles), np.nan)
    return {c.name: matches(Tree("OR", c.terms), texts, years) for c in strategy.concepts.values()}


def combined(node: Tree | str, held: dict[str, np.ndarray]) -> np.ndarray:
    """What the combination of concepts finds, of what each concept holds."""
    if isinstance(node, str):
        return held[node]
    join = np.logical_or if node.operator == "OR" else np.logical_and
    return join.reduce([combined(part, held) for part in node.parts])


def concept_costs(strategy: Strategy, studies: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """`concept, label, terms, studies, studies_lost, excluded, excluded_saved`: titles of studies and of excluded
    records that the search finds and that hold the concept, and those found through no other."""
    rejected = decided(log).query("~included")
    ours, theirs = by_concept(strategy, studies.title), by_concept(strategy, rejected.title)
    rows = []
    for concept in strategy.concepts.values():
        row = [concept.name, concept.label, len(concept.terms)]
        for held in (ours, theirs):
            hit = combined(strategy.combine, held)
            without = combined(strategy.combine, held | {concept.name: np.zeros(len(hit), bool)})
            row += [int((hit & held[concept.name]).sum()), int((hit & ~without).sum())]
        rows.append(row)
    return pd.DataFrame(rows, columns="concept label terms studies studies_lost excluded excluded_saved".split())


def term_hits(strategy: Strategy, studies: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """`concept, term, studies, excluded, swallowed_by`: in how many titles each term stands, and a term of the same
    concept that finds all it could find ("" where there is none)."""
    titles = studies.title.fillna(""), decided(log).query("~included").title
    texts = [[words_of(title) for title in part] for part in titles]
    rows = []
    for concept in strategy.concepts.values():
        for term in concept.terms:
            counts = [int(matches(term, part, np.full(len(part), np.nan)).sum()) for part in texts]
            rows.append((concept.name, str(term), *counts, _swallowed(term, concept.terms)))
    return pd.DataFrame(rows, columns="concept term studies excluded swallowed_by".split())


def _swallowed(term, others):
    if not isinstance(term, Phrase):
        return ""
    longest = f" {' '.join(word.replace('*', 'x') for word in term.words)} "
    fits = (o for o in others if o != term and isinstance(o, Phrase) and matches(o, [longest], np.array([np.nan]))[0])
    return next(map(str, fits), "")


def missed(strategy: Strategy, studies: pd.DataFrame) -> pd.DataFrame:
    """`study, year, population, title, holds_only` of the studies whose title the search does not find; holds_only: the
    concepts of which the title does hold a term."""
    held = by_concept(strategy, studies.title)
    hit = combined(strategy.combine, held)
    said = [", ".join(c.label for c in strategy.concepts.values() if held[c.name][i]) for i in np.flatnonzero(~hit)]
    lost = studies.loc[~hit, ["study", "year", "population", "title"]]
    return lost.assign(holds_only=said).sort_values(["year", "study"], ascending=[False, True])


def would_catch(strategy: Strategy, studies: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """`term, concept, studies_gained, excluded_gained`: words and pairs of words of missed titles which, added to a
    concept, would catch them, with the excluded records they would bring too; most for least first."""
    rejected = decided(log).query("~included").title
    ours, theirs = by_concept(strategy, studies.title), by_concept(strategy, rejected)
    hit, caught = combined(strategy.combine, ours), combined(strategy.combine, theirs)
    own, other = [words_of(t) for t in studies.title.fillna("")], [words_of(t) for t in rejected]
    rows = []
    for term in sorted({gram for i in np.flatnonzero(~hit) for gram in _grams(own[i])}):
        here, there = (np.array([f" {term} " in text for text in texts], dtype=bool) for texts in (own, other))
        for concept in strategy.concepts:
            gained = combined(strategy.combine, ours | {concept: ours[concept] | here}) & ~hit
            if gained.any():
                brought = combined(strategy.combine, theirs | {concept: theirs[concept] | there}) & ~caught
                rows.append((term, concept, int(gained.sum()), int(brought.sum())))
    table = pd.DataFrame(rows, columns="term concept studies_gained excluded_gained".split())
    order = {"studies_gained": False, "excluded_gained": True, "term": True}
    table = table.sort_values(list(order), ascending=list(order.values()), kind="stable")
    return table.drop_duplicates("term").reset_index(drop=True)


def _grams(text):
    words = text.split()
    pairs = zip(words, words[1:], strict=False)
    single = {word for word in words if word not in FUNCTION_WORDS and not word.isdigit() and len(word) > 2}
    return single | {f"{a} {b}" for a, b in pairs if not {a, b} & FUNCTION_WORDS and not (a + b).isdigit()}


def foreign(records: pd.DataFrame, tree: Node, at_least: int = 5, share: float = 0.2) -> pd.DataFrame:
    """`file, records, found`: exports of some records of which hardly any holds the strategy's words in title or
    abstract: perhaps of another search."""
    text = records.title + " " + records.abstract
    hit = pd.Series(found(tree, text), records.index)
    files = hit.groupby(records.file).agg(["size", "sum"]).set_axis(["records", "found"], axis=1).reset_index()
    return files[(files.records >= at_least) & (files.found < share * files.records)]
