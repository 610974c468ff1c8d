"""Spoils copies of the real sheets, one slip each, and sorts what happens.

Run: python sweeps/mutations.py [copies of each kind].

Nothing is drawn at random twice: the seed is fixed, so the table in docs/sweeps/mutations.md can be made again.
"""

import csv
import hashlib
import io
import json
import multiprocessing
import sys
from collections import Counter
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from peersupport.describe import votes
from peersupport.effects import routes, select
from peersupport.intake import clean, reconcile, rules, schema, validation
from peersupport.pool import models
from peersupport.store import sheets
from peersupport.store.codebook import codebook
from peersupport.store.sheets import read_raw

SEED = 27182818
COPIES = 66
ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs/sweeps/mutations.md"
TARGET = 0.95
OUTCOMES = ("coder_a/outcomes", "coder_b/outcomes", "database/outcomes")
STUDIES = ("coder_a/studies", "coder_b/studies", "database/studies")
FIGURES = [c for c in reconcile.FIGURES if c != "n_randomised"]
SHEETS = (*OUTCOMES, *STUDIES)
CAUGHT, FLAGGED, HARMLESS, SILENT, CRASHED = "caught", "flagged", "harmless", "silent", "crashed"
OUTCOMES_OF_A_COPY = (CAUGHT, FLAGGED, HARMLESS, SILENT, CRASHED)


# ---------------------------------------------------------------- the way from sheets to results


class Chain:
    """Sheets to results as notebooks 01 and 03 go."""

    def __init__(self):
        remember_steps()
        self.tables = None
        self.book = codebook()
        self.raw, self.odd = read_raw()
        problems = validation.validate(self.raw, self.odd, self.book)
        validation.stop_on_errors(problems)
        self.problems = said(problems)
        self.results, self.flags = self.through(self.raw)

    def through(self, raw):
        """(results by name, flags of effects): what the review states, from sheets without errors."""
        tables = clean.tidy(raw, clean.decisions(raw), self.book)
        if self.tables and self.unchanged(tables, raw):
            return self.results, self.flags
        self.tables = self.tables or tables
        clusters = clean.as_numbers(raw["clusters"], self.book["sheets"]["clusters"])
        found, _ = routes.effect_sizes(tables["outcomes"], tables["studies"], clusters, 0.05, self.book)
        chosen = select.select(found, self.book["instruments"])
        chosen = chosen.merge(tables["studies"][["study", "year"]], on="study", how="left")
        flags = {(row.row_id, flag) for row in chosen.itertuples() for flag in row.flags.split("; ")}
        return {"pooled": pooled(chosen), "votes": counted_votes(tables["outcomes"], chosen)}, flags

    def unchanged(self, tables, raw):
        same = (tables[name].equals(self.tables[name]) for name in ("outcomes", "studies"))
        return all(same) and raw["clusters"] is self.raw["clusters"]

    def happens(self, spoiled):
        """(what happens, the rules that said so) to a copy with these sheets in place of the real ones."""
        raw, odd = dict(self.raw), list(self.odd)
        for name, content in spoiled.items():
            raw[name], found = sheets.parse(name, content if isinstance(content, bytes) else as_csv(content))
            odd = [problem for problem in odd if problem["sheet"] != name] + found
        try:
            problems = validation.validate(raw, odd, self.book)
            if problems.severity.eq("error").any():
                return CAUGHT, set(problems.rule[problems.severity.eq("error")])
            results, flags = self.through(raw)
        except Exception as error:
            return CRASHED, {f"{type(error).__name__}: {error}"}
        more = said(problems) - self.problems  # than the clean sheets have
        new = {rule for *_, rule in more}
        new |= {flag for _, flag in flags - self.flags if flag}
        if same_results(results, self.results):
            return HARMLESS, new
        return (FLAGGED if new else SILENT), new


def remember_steps():
    """Steps that one slip mostly leaves alone are not done again where they get what they got before."""
    if hasattr(validation.check_schema, "answers"):
        return
    validation.CROSS_RULES = tuple(remembering_sheets(rule) for rule in validation.CROSS_RULES)
    validation.implausible = remembering_sheets(validation.implausible)
    validation.decided_values = remembering_sheets(validation.decided_values)
    validation.check_schema = remembering(validation.check_schema, same_table, drained=True)
    rules._figures = remembering(rules._figures, same_table)
    reconcile.double_coded = remembering(reconcile.double_coded, same_table)
    select._choose = remembering(select._choose, same_content)
    models.fit_model = remembering(models.fit_model, same_content)


def remembering(step, key, drained=False):
    """The step with its answers kept; nothing changes a table that it was given."""
    answers = {}

    def remembered(*given):
        name = tuple(key(x) for x in given)
        if name not in answers:
            answers[name] = list(step(*given)) if drained else step(*given), given
        return answers[name][0]

    remembered.answers = answers
    return remembered


def remembering_sheets(rule):
    """The rule with its answers kept, each with the sheets that it looked at."""
    answers = []

    def remembered(raw, *more):
        for read, answer in answers:
            if all(raw[name] is table for name, table in read.items()):
                return answer
        looking = Looking(raw)
        answers.append((looking.read, list(rule(looking, *more))))
        return answers[-1][1]

    return remembered


class Looking(dict):
    """Sheets that note which of them are looked at."""

    def __init__(self, raw):
        super().__init__(raw)
        self.read = {}

    def __getitem__(self, name):
        self.read[name] = super().__getitem__(name)
        return self.read[name]


def same_table(given):
    return id(given) if isinstance(given, pd.DataFrame | dict) else given


def same_content(given):
    if isinstance(given, models.Domain):
        return given.name, given.family, same_content(given.rows)
    if isinstance(given, pd.DataFrame):
        return json.dumps([given.index.tolist(), given.to_numpy().tolist()], default=str)
    return given


def said(problems):
    """How often each problem is named; without row numbers, which move when a row is lost."""
    return Counter(problems[["sheet", "column", "value", "remedy", "rule"]].itertuples(index=False, name=None))


def pooled(chosen):
    """The main model of every pooled domain."""
    fits = [models.fit_model(d, models.MAIN, models.Settings()) for d in models.domains(chosen, 3, codebook())]
    return models.pooled_table(fits).drop(columns=["note"])


def counted_votes(outcomes, chosen):
    rows = votes.row_directions(outcomes.replace("", np.nan), chosen)
    return votes.count_votes(votes.trial_directions(rows))


def same_results(ours, clean_ones):
    return all(equal(ours[name], table) for name, table in clean_ones.items())


def equal(one, other):
    try:
        pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-12)
    except AssertionError:
        return False
    return True


def as_csv(table):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([list(table), *table.to_numpy().tolist()])
    return text.getvalue().encode()


# ---------------------------------------------------------------- slips
# Each takes the random generator and the sheets, and gives the spoiled sheets, or None where its draw has nothing to
# spoil.


def pick(rng, options):
    return list(options)[rng.integers(len(options))] if len(options) else None


def is_number(text):
    return bool(schema.NUMBER.fullmatch(text))


def number_cell(rng, table, columns=None):
    """(row, column) of a cell that holds a number, any with the same chance; None if there is none."""
    here = [c for c in (columns or FIGURES) if c in table]
    return pick(rng, [(row, c) for c in here for row in table.index[table[c].map(is_number)]])


def with_cells(table, cells):
    spoiled = table.copy()
    for (row, column), value in cells.items():
        spoiled.at[row, column] = value
    return spoiled


def one_number(change):
    """A slip in one number of an outcome sheet, or in one that the consensus decided."""

    def spoil(rng, raw):
        name = pick(rng, (*OUTCOMES, "database/outcomes", "consensus"))
        table = raw[name]
        if name == "consensus":
            ruled = table[table.sheet.eq("outcomes") & table.column.isin(FIGURES)]
            cell = number_cell(rng, ruled, ["value"])
        else:
            cell = number_cell(rng, table)
        value = change(rng, table.at[cell]) if cell else None
        return {name: with_cells(table, {cell: value})} if value else None

    return spoil


def by_ten(rng, text):
    moved = float(text) * pick(rng, (10, 0.1))
    return f"{moved:.10g}" if moved else None


def transposed(rng, text):
    """Two neighbouring digits that differ change places."""
    pairs = [i for i in range(len(text) - 1) if text[i : i + 2].isdigit() and text[i] != text[i + 1]]
    i = pick(rng, pairs)
    return None if i is None else text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def digit_typed_wrong(rng, text):
    places = [i for i, letter in enumerate(text) if letter.isdigit()]
    i = pick(rng, places)
    return text[:i] + pick(rng, [d for d in "0123456789" if d != text[i]]) + text[i + 1 :]


def lost_minus(rng, raw):
    """One minus sign of a row, or all of them."""
    name = pick(rng, OUTCOMES)
    table = raw[name]
    cell = pick(rng, [(row, c) for c in FIGURES for row in table.index[table[c].str.startswith("-")]])
    columns = pick(rng, ([cell[1]], FIGURES))
    cells = {(cell[0], c): table.at[cell[0], c].removeprefix("-") for c in columns}
    return {name: with_cells(table, cells)}


def arms_exchanged(rng, raw):
    """The two arms of a row, or of all rows of a study, change places."""
    name = pick(rng, OUTCOMES)
    table = raw[name]
    arms = [c.removesuffix("1") for c in table if c.endswith("_arm1") and c != "condition_arm1"]
    row = pick(rng, table.index[table.mean_arm1.ne("") | table.event_arm1.ne("")])
    rows = pick(rng, ([row], table.index[table.study.eq(table.at[row, "study"])]))
    cells = {}
    for row in rows:
        for arm in arms:
            cells |= {(row, arm + "1"): table.at[row, arm + "2"], (row, arm + "2"): table.at[row, arm + "1"]}
    return {name: with_cells(table, cells)}


def swapped_columns(rng, raw):
    """Two columns of one kind are under each other's header, in the whole sheet or in one row."""
    name = pick(rng, SHEETS)
    table = raw[name]
    kind = pick(rng, ("numbers", "codes"))
    codes = [
        "higher_is_better",
        "positive_favours",
        "favours",
        "is_primary",
        "modality",
        "structure",
        "setting",
        "peer_training",
        "supervision",
        "manualised",
        "fidelity_assessed",
        "coproduced",
        "population",
        "age_group",
    ]
    columns = [c for c in (reconcile.FIGURES if kind == "numbers" else codes) if c in table]
    columns = [c for c in columns if table[c].ne("").any()]
    if len(columns) < 2:
        return None
    one, other = rng.choice(columns, 2, replace=False)
    rows = pick(rng, (table.index, [pick(rng, table.index[table[one].ne("")])]))
    spoiled = table.copy()
    spoiled.loc[rows, [one, other]] = table.loc[rows, [other, one]].to_numpy()
    return {name: spoiled}


def shifted_rows(rng, raw):
    """A stretch of some columns has slipped down by one row."""
    name = pick(rng, SHEETS)
    table = raw[name]
    columns = list(table)
    first = rng.integers(1, len(columns))
    block = columns[first : first + rng.integers(1, 8)]
    start = rng.integers(len(table) - 1)
    stretch = table.index[start : start + rng.integers(2, 30)]
    spoiled = table.copy()
    spoiled.loc[stretch[1:], block] = table.loc[stretch[:-1], block].to_numpy()
    return {name: spoiled}


def duplicated_study(rng, raw):
    """A trial of the database, or of both coders, comes a second time under another key."""
    coders = rng.random() < 0.5
    rows = raw["coder_a/outcomes" if coders else "database/outcomes"]
    study = pick(rng, sorted(set(rows.study[rows.outcome_type.ne("direction_only")])))
    disguise = pick(rng, ("none", "doi left out", "doi and title changed"))
    names = (
        [f"coder_{c}/{s}" for c in "ab" for s in ("studies", "outcomes", "appraisal")]
        if coders
        else [f"database/{s}" for s in ("studies", "outcomes", "appraisal")]
    )
    spoiled = {name: with_second(raw[name], study, disguise) for name in names}
    if coders:
        spoiled["consensus"] = with_rulings(raw["consensus"], study, raw)
    return spoiled


def second_key(key):
    return f"{key.rstrip('abc')}z"


def with_second(table, study, disguise):
    more = table[table.study.eq(study)].copy()
    more["study"] = second_key(study)
    if "row_id" in more:
        more["row_id"] = [second_row_id(key) for key in more.row_id]
    if "title" in more and disguise != "none":
        more["doi"] = ""
        if "title" in disguise:
            more["title"] = more.title + ": a randomised controlled trial"
    return pd.concat([table, more], ignore_index=True)


def second_row_id(key):
    return f"{key[0]}9{key[2:]}"


def with_rulings(rulings, study, raw):
    ids = set(raw["coder_a/outcomes"].query("study == @study").row_id)
    more = rulings[
        rulings.key.str.split("|").str[0].eq(study) & rulings.sheet.ne("themes") | rulings.key.isin(ids)
    ].copy()
    more["key"] = [second_row_id(k) if k in ids else k.replace(study, second_key(study), 1) for k in more.key]
    return pd.concat([rulings, more], ignore_index=True)


def other_encoding(rng, raw):
    """The file saved by another program: its characters, its separators, its decimal points."""
    name = pick(rng, raw)
    content = as_csv(raw[name])
    text = content.decode()
    ways = {
        "utf-16": lambda: text.encode("utf-16"),
        "byte-order mark": lambda: b"\xef\xbb\xbf" + content,
        "Windows-1252": lambda: text.encode("cp1252", errors="replace"),
        "Latin-1 read as UTF-8": lambda: text.encode("latin-1", errors="ignore"),
        "decoded twice": lambda: content.decode("cp1252", errors="replace").encode(),
        "semicolons": lambda: retold(raw[name], ";", "."),
        "semicolons and decimal commas": lambda: retold(raw[name], ";", ","),
        "tabs": lambda: retold(raw[name], "\t", "."),
        "old Mac line ends": lambda: content.replace(b"\n", b"\r"),
        "Windows line ends": lambda: content.replace(b"\n", b"\r\n"),
        "cut off in the middle": lambda: content[: rng.integers(len(content) // 2, len(content))],
    }
    return {name: ways[pick(rng, ways)]()}


def retold(table, separator, point):
    text = io.StringIO()
    body = table.map(lambda x: x.replace(".", point) if is_number(x) else x)
    csv.writer(text, delimiter=separator).writerows([list(body), *body.to_numpy().tolist()])
    return text.getvalue().encode()


def other_unit(rng, raw):
    """Standard errors for SDs, months for weeks, shares for percent and the like, in one row."""
    name = pick(rng, OUTCOMES)
    table = raw[name]
    row = pick(rng, table.index[table.outcome_type.ne("direction_only")])
    old = {c: float(table.at[row, c]) for c in (*FIGURES, "time_weeks") if c in table and is_number(table.at[row, c])}
    changes = pick(rng, [new for new in in_other_units(old, table.at[row, "measure"]) if new])
    return {name: with_cells(table, {(row, c): f"{x:.6g}" for c, x in changes.items()})} if changes else None


def in_other_units(old, measure):
    """The figures of a row that each mix-up of units would change; none where the row does not have them."""
    arms = [a for a in "12" if {f"sd_arm{a}", f"n_arm{a}"} <= old.keys()]
    events = [a for a in "12" if {f"event_arm{a}", f"totaln_arm{a}"} <= old.keys()]
    ratio = ("effect", "ci_low", "ci_high") if measure in routes.RATIOS else ()
    scores = [f"{kind}_arm{a}" for kind in ("mean", "sd") for a in arms]
    yield {f"sd_arm{a}": old[f"sd_arm{a}"] / old[f"n_arm{a}"] ** 0.5 for a in arms}  # standard errors
    yield {f"event_arm{a}": round(100 * old[f"event_arm{a}"] / old[f"totaln_arm{a}"]) for a in events}  # percent
    yield {c: old[c] * 12 for c in ("se",) if c in old}  # an SD
    yield {c: old[c] / 4.345 for c in ("time_weeks",) if c in old}  # months
    yield {c: old[c] * 100 for c in ("p_value",) if c in old}  # percent
    yield {c: np.log(old[c]) for c in ratio if old.get(c, 0) > 0}  # logarithms
    yield {c: old[c] / 100 for c in scores}  # shares of the scale
    yield {c: old[c] * 3 for c in scores if c.endswith("1")}  # one arm on another scale


def direction_flipped(rng, raw):
    """Which way is better, or whom the result favours, the other way round."""
    name = pick(rng, (*OUTCOMES, "consensus"))
    table = raw[name]
    columns = ["higher_is_better", "positive_favours", "favours"]
    turned = {"yes": "no", "no": "yes", "arm1": "arm2", "arm2": "arm1", "neither": "arm1"}
    if name == "consensus":
        ruled = table[table.sheet.eq("outcomes") & table.column.isin(columns)]
        options = [(row, "value") for row in ruled.index[ruled.value.isin(turned)]]
    else:
        options = [(row, c) for c in columns for row in table.index[table[c].isin(turned)]]
    cell = pick(rng, options)
    return {name: with_cells(table, {cell: turned[table.at[cell]]})}


def other_code(rng, raw):
    """Another code of the same column."""
    name = pick(rng, OUTCOMES)
    columns = ["outcome_domain", "time_point", "outcome_type", "contrast", "measure"]
    table = raw[name]
    column = pick(rng, columns)
    row = pick(rng, table.index[table[column].ne("")])
    return (
        {name: with_cells(table, {(row, column): pick(rng, sorted(set(table[column]) - {"", table.at[row, column]}))})}
        if table[column].nunique() > 2
        else None
    )


def cell_of_the_row_above(rng, raw):
    name = pick(rng, (*OUTCOMES, "consensus"))
    table = raw[name]
    column = "value" if name == "consensus" else pick(rng, [c for c in FIGURES if c in table])
    row = pick(rng, table.index[1:][table[column].ne("").to_numpy()[1:]])
    above = table.index[table.index.get_loc(row) - 1] if row is not None else None
    return {name: with_cells(table, {(row, column): table.at[above, column]})} if row is not None else None


def cell_lost(rng, raw):
    name = pick(rng, (*SHEETS, "consensus"))
    table = raw[name]
    row, column = pick(rng, [(row, c) for c in table for row in table.index[table[c].ne("")]])
    return {name: with_cells(table, {(row, column): ""})}


def row_lost(rng, raw):
    name = pick(rng, (*SHEETS, "consensus", "corrections", "trials"))
    return {name: raw[name].drop(index=pick(rng, raw[name].index))}


def row_twice(rng, raw):
    """A row comes a second time, with or without a row_id of its own."""
    name = pick(rng, (*SHEETS, "consensus", "trials"))
    table = raw[name]
    more = table.loc[[pick(rng, table.index)]].copy()
    if "row_id" in more and rng.random() < 0.5:
        more["row_id"] = second_row_id(more.row_id.iloc[0])
    return {name: pd.concat([table, more], ignore_index=True)}


KINDS = {
    "columns swapped": swapped_columns,
    "rows shifted": shifted_rows,
    "minus sign lost": lost_minus,
    "arms exchanged": arms_exchanged,
    "decimal point moved": one_number(by_ten),
    "digits transposed": one_number(transposed),
    "one digit wrong": one_number(digit_typed_wrong),
    "study duplicated": duplicated_study,
    "other encoding": other_encoding,
    "other unit": other_unit,
    "direction flipped": direction_flipped,
    "other code": other_code,
    "cell of the row above": cell_of_the_row_above,
    "cell lost": cell_lost,
    "row lost": row_lost,
    "row twice": row_twice,
}


# ---------------------------------------------------------------- the sweep and its report


def spoiled_copies(raw, kind, copies):
    """That many different spoiled copies, or as many as there are; what changes nothing is drawn again."""
    rng = np.random.default_rng([SEED, list(KINDS).index(kind)])
    made = set()
    for _ in range(20 * copies):
        spoiled = KINDS[kind](rng, raw)
        change = digest(raw, spoiled or {})
        if change and change not in made:
            made.add(change)
            yield spoiled
        if len(made) == copies:
            break


def digest(raw, spoiled):
    """What a copy changes, to tell copies apart; empty where it changes nothing."""
    changes = [
        x if isinstance(x, bytes) else as_csv(x)
        for name, x in spoiled.items()
        if isinstance(x, bytes) or not x.equals(raw[name])
    ]
    return hashlib.sha256(b"|".join(changes)).hexdigest() if changes else ""


@cache
def chain():
    """One for each process."""
    return Chain()


def sweep_kind(kind, copies=COPIES):
    """(kind, what happens, rules) of that many spoiled copies."""
    copies = spoiled_copies(chain().raw, kind, copies)
    return [(kind, *chain().happens(spoiled)) for spoiled in copies]


def noticed(counts):
    """Share caught or flagged of what changes a result; caught copies count among these: the chain stops."""
    said_so, lost = counts[CAUGHT] + counts[FLAGGED], counts[SILENT] + counts[CRASHED]
    return said_so / (said_so + lost) if said_so + lost else 1.0


def report(found):
    counts = {kind: Counter(happened for k, happened, _ in found if k == kind) for kind in KINDS}
    total = sum(counts.values(), Counter())
    rows = [
        [kind, sum(c.values()), *(c[x] for x in OUTCOMES_OF_A_COPY), f"{noticed(c):.0%}"]
        for kind, c in [*counts.items(), ("**all**", total)]
    ]
    head = ["slip", "copies", *OUTCOMES_OF_A_COPY, "noticed"]
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows]]
    rules = Counter(rule for _, happened, rules in found if happened in (CAUGHT, FLAGGED) for rule in rules)
    named = ", ".join(f"{rule} {n}" for rule, n in rules.most_common(20))
    return TEXT.format(seed=SEED, total=sum(total.values()), table="\n".join(lines), rules=named), total


TEXT = """# What happens to spoiled sheets

{total} copies of the sheets in `data/raw/`, each with one slip (seed {seed}), went through the chain: read, validated,
reconciled, turned into effects, selected and pooled, and the directions counted. The rules were written against copies
of other seeds. `python sweeps/mutations.py` makes this table again; `./run_all.sh --check-all` does so too.

- **caught**: an error stops the chain and names the sheet, the row and the column
- **flagged**: a result changes, and a warning or a flag says so that the clean sheets do not have (or have less often)
- **harmless**: every pooled result and every count of directions is the same as with the clean sheets
- **silent**: a result changes and nothing says so
- **noticed**: caught and flagged, of all that are not harmless (what is caught is not tried further, so
  some of it would have changed nothing)

{table}

Rules that noticed most: {rules}.

Where a slip is in one coder's sheet alone, the other coder notices. What stays silent is in what only one person wrote:
rows that state a direction without figures, rows of the databases, and decisions of the consensus.
"""


def main(copies=COPIES, workers=2):
    found = []
    with multiprocessing.Pool(int(workers)) as pool:
        for part in pool.imap(partial(sweep_kind, copies=copies), KINDS):
            found += part
            print(f"{part[0][0]}: {dict(Counter(happened for _, happened, _ in part))}", flush=True)
    text, total = report(found)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text, encoding="utf-8")
    print(f"{noticed(total):.1%} of {sum(total.values()) - total[HARMLESS]} slips that matter were noticed")
    return noticed(total) >= TARGET and not total[CRASHED]


if __name__ == "__main__":
    sys.exit(0 if main(*map(int, sys.argv[1:])) else 1)
