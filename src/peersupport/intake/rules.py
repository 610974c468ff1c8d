"""Rules across sheets and columns; each takes the raw sheets and yields its problems."""

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import norm

from peersupport.effects.routes import RATIOS
from peersupport.intake import plausible, reconcile
from peersupport.intake.schema import as_number, cell_failures, remedy_for
from peersupport.search.identity import normal_doi, normal_title, other_work
from peersupport.store.sheets import Sheets, problem

OUTCOMES = ("coder_a/outcomes", "coder_b/outcomes", "database/outcomes")
FIGURES = [c for c in reconcile.FIGURES if c != "n_randomised"]


def _figures(table):
    """The sheet with its figures as floats; blank = NaN."""
    here = [c for c in reconcile.FIGURES if c in table]
    return table.assign(**{c: np.array([as_number(x) for x in table[c]], dtype=float) for c in here})


def _studies(sheets):
    return set(sheets["coder_a/studies"].study) | set(sheets["database/studies"].study)


def unknown_countries(sheets: Sheets, known: set[str]) -> Iterator[dict]:
    """Codes of a country that look right and are none; `known`: alpha-3 codes of data/reference/countries.csv."""
    for name in ("coder_a/studies", "database/studies"):
        for row, cell in sheets[name].get("country", pd.Series(dtype=str)).items():
            codes = [code.strip() for code in cell.split(";")]
            for code in (c for c in codes if re.fullmatch("[A-Z]{3}", c) and c not in known):
                remedy = "no country has this code: use ISO 3166 alpha-3, as in data/reference/countries.csv"
                yield problem(name, row, "country", code, "country_unknown", "error", remedy)


def orphan_study(sheets: Sheets) -> Iterator[dict]:
    known = _studies(sheets)
    places = [
        *OUTCOMES,
        "coder_a/appraisal",
        "coder_b/appraisal",
        "database/appraisal",
        "coder_b/studies",
        "trials",
        "clusters",
    ]
    for name in places:
        for row, study in sheets[name].study.items():
            if study not in known:
                yield problem(
                    name,
                    row,
                    "study",
                    study,
                    "orphan_study",
                    "error",
                    "no studies sheet has this study: check its spelling, or add it",
                )
    for row, trial in sheets["trials"].trial.items():
        if trial not in known:
            yield problem(
                "trials",
                row,
                "trial",
                trial,
                "orphan_study",
                "error",
                "no studies sheet has this trial: check its spelling",
            )


def orphan_row(sheets: Sheets) -> Iterator[dict]:
    known = set(sheets["coder_a/outcomes"].row_id) | set(sheets["database/outcomes"].row_id)
    for row, key in sheets.get("arms", pd.DataFrame({"row_id": []})).row_id.items():
        if key not in known:
            remedy = "no outcomes sheet has this row: check its spelling, or take it out"
            yield problem("arms", row, "row_id", key, "orphan_row", "error", remedy)


def clusters_exceed_people(sheets: Sheets) -> Iterator[dict]:
    people = (
        _figures(pd.concat([sheets["coder_a/studies"], sheets["database/studies"]])).groupby("study").n_randomised.max()
    )
    for row, (study, number) in sheets["clusters"][["study", "clusters"]].iterrows():
        clusters, limit = as_number(number), people.get(study, np.nan)
        if clusters is not None and clusters > limit:
            remedy = f"more clusters than the {limit:g} people randomised: are these the people, or the members of one?"
            yield problem("clusters", row, "clusters", number, "clusters_exceed_people", "warning", remedy)


def p_is_zero(sheets: Sheets) -> Iterator[dict]:
    """A p is never 0: what is printed as 0.000 is below its last digit."""
    for name in OUTCOMES:
        for row in sheets[name].index[_figures(sheets[name]).p_value.eq(0)]:
            printed = sheets[name].at[row, "p_value"]
            remedy = "a p is never 0: write 0.001 here and < in p_operator if the source prints 0.000"
            yield problem(name, row, "p_value", printed, "p_is_zero", "warning", remedy)


def orphan_theme(sheets: Sheets) -> Iterator[dict]:
    """Themes come from studies, from reviews with pooled results, or from a review in the screening log."""
    log = sheets["records"]
    included = log[log.decision.eq("include")]
    keyed = included.note.str.extract(r"\bkey ([^;,]+? (?:nd|\d{4}[a-z]?))", expand=False).dropna()
    named = included.first_author.str.split().str[0] + " " + included.year
    known = _studies(sheets) | set(sheets["reviews"].review) | set(keyed) | set(named)
    for name in ("coder_a/themes", "coder_b/themes"):
        first = sheets[name].drop_duplicates("study")
        for row, study in first.study.items():
            if study not in known:
                yield problem(
                    name,
                    row,
                    "study",
                    study,
                    "orphan_theme",
                    "warning",
                    "neither a study nor a review by this key: check its spelling",
                )


def events_above_total(sheets: Sheets) -> Iterator[dict]:
    for name in OUTCOMES:
        table = _figures(sheets[name])
        for arm in ("1", "2"):
            for row in table.index[table[f"event_arm{arm}"] > table[f"totaln_arm{arm}"]]:
                yield problem(
                    name,
                    row,
                    f"event_arm{arm}",
                    sheets[name].at[row, f"event_arm{arm}"],
                    "events_above_total",
                    "error",
                    f"more events than the {sheets[name].at[row, f'totaln_arm{arm}']} people of the arm: check both at "
                    "the source",
                )


def interval(sheets: Sheets) -> Iterator[dict]:
    for name in (*OUTCOMES, "reviews"):
        table = _figures(sheets[name])
        for row in table.index[table.ci_low >= table.ci_high]:
            yield problem(
                name,
                row,
                "ci_low",
                sheets[name].at[row, "ci_low"],
                "interval_upside_down",
                "error",
                f"the lower bound is not below the upper one ({sheets[name].at[row, 'ci_high']}): check both and the "
                "minus signs",
            )
        outside = (table.effect < table.ci_low) | (table.effect > table.ci_high)
        for row in table.index[outside & (table.ci_low < table.ci_high)]:
            yield problem(
                name,
                row,
                "effect",
                sheets[name].at[row, "effect"],
                "effect_outside_interval",
                "error",
                "the effect lies outside its own interval: check the three figures and their signs",
            )


def ratio_not_positive(sheets: Sheets) -> Iterator[dict]:
    for name in (*OUTCOMES, "reviews"):
        table = _figures(sheets[name])
        used = table.outcome_type.eq("precalc") if "outcome_type" in table else True
        for column in ("effect", "ci_low", "ci_high"):
            wrong = table.measure.isin(RATIOS) & (table[column] <= 0)
            for row in table.index[wrong]:
                severity = "error" if name == "reviews" or used[row] else "warning"
                yield problem(
                    name,
                    row,
                    column,
                    sheets[name].at[row, column],
                    "ratio_not_positive",
                    severity,
                    f"a ratio ({table.at[row, 'measure']}) is above 0: check the figure and what it measures",
                )


def arms_exceed_randomised(sheets: Sheets) -> Iterator[dict]:
    randomised = _figures(sheets["coder_a/studies"]).set_index("study").n_randomised.dropna()
    for name in OUTCOMES:
        table = _figures(sheets[name])
        arms = table.n_arm1 + table.n_arm2
        limit = table.study.map(randomised)
        for row in table.index[arms > limit]:
            yield problem(
                name,
                row,
                "n_arm1, n_arm2",
                f"{arms[row]:g}",
                "arms_exceed_randomised",
                "warning",
                f"the arms hold more people than the {limit[row]:g} randomised: clusters counted, or arms added up?",
            )


def p_disagrees(sheets: Sheets) -> Iterator[dict]:
    """A printed p against the p of the printed effect and interval, each allowed its rounding.

    Adjusted models and exact tests give other p values, so only a ratio beyond 3 is named, and never where both are
    below 0.001.
    """
    for name in OUTCOMES:
        text, table = sheets[name], _figures(sheets[name])
        for row in table.index[table[["effect", "ci_low", "ci_high", "p_value"]].notna().all(axis=1)]:
            ratio = table.at[row, "measure"] in RATIOS
            if ratio and min(table.loc[row, ["effect", "ci_low"]]) <= 0:
                continue
            low, high = _possible_p(*(text.at[row, c] for c in ("effect", "ci_low", "ci_high")), ratio)
            printed, sign = table.at[row, "p_value"], table.at[row, "p_operator"]
            too_small = sign != ">" and printed * 3 < low and low > 0.001
            too_large = sign != "<" and printed / 3 > max(high, 0.001 / 3)
            if too_small or too_large:
                yield problem(
                    name,
                    row,
                    "p_value",
                    text.at[row, "p_value"],
                    "p_disagrees",
                    "warning",
                    f"effect and interval give p of {low:.2g} to {high:.2g}: check the three, or another test was used",
                )


def _possible_p(effect, low, high, ratio):
    """Smallest and largest two-sided p that the printed effect and interval allow within their last digit."""
    scale = np.log if ratio else float
    half = [0.5 * 10.0 ** -len(text.partition(".")[2]) for text in (effect, low, high)]
    est, lower, upper = float(effect), float(low), float(high)
    floor = 1e-9 if ratio else -np.inf
    near, far = sorted(abs(scale(max(est + s * half[0], floor))) for s in (-1, 1))
    crosses = abs(est - (1 if ratio else 0)) <= half[0]
    wide = scale(upper + half[2]) - scale(max(lower - half[1], floor))
    narrow = max(scale(max(upper - half[2], floor)) - scale(lower + half[1]), 1e-12)
    z_low, z_high = (0 if crosses else near / wide * 2 * 1.96), far / narrow * 2 * 1.96
    return 2 * norm.sf(z_high), 2 * norm.sf(z_low)


def figures_incomplete(sheets: Sheets) -> Iterator[dict]:
    needs = {
        "msd": ["mean_arm1", "sd_arm1", "n_arm1", "mean_arm2", "sd_arm2", "n_arm2"],
        "dichotomous": ["event_arm1", "totaln_arm1", "event_arm2", "totaln_arm2"],
        "precalc": ["measure", "effect"],
    }
    for name in OUTCOMES:
        table = sheets[name]
        for kind, columns in needs.items():
            rows = table[table.outcome_type.eq(kind)]
            for row in rows.index[rows[columns].eq("").any(axis=1)]:
                blank = [c for c in columns if rows.at[row, c] == ""]
                yield problem(
                    name,
                    row,
                    ", ".join(blank),
                    "",
                    "figures_incomplete",
                    "warning",
                    f"a row of type {kind} needs them for an effect size: look once more, or leave it to the routes "
                    "that do without",
                )


def decision_and_reason(sheets: Sheets) -> Iterator[dict]:
    log = sheets["records"]
    for row in log.index[log.decision.eq("exclude") & log.reason.eq("")]:
        yield problem("records", row, "reason", "", "reason_missing", "error", "an excluded record needs its reason")
    for row in log.index[log.decision.eq("include") & log.reason.ne("")]:
        yield problem(
            "records",
            row,
            "reason",
            log.at[row, "reason"],
            "reason_needless",
            "error",
            "an included record has no reason for exclusion",
        )


def study_twice(sheets: Sheets) -> Iterator[dict]:
    """One report under two keys: the same DOI, or the same title once case and punctuation are gone.

    Abstracts of one supplement, or chapters of one book, share a DOI: of another title and first author, they are named
    only.
    """
    own, database = sheets["coder_a/studies"], sheets["database/studies"]
    known = {"coder_a/studies": own, "database/studies": database[~database.study.isin(own.study)]}
    studies = pd.concat([t.assign(sheet=n) for n, t in known.items()]).reset_index(names="row")
    trial = studies.study.replace(dict(zip(sheets["trials"].study, sheets["trials"].trial, strict=True)))
    author = studies.study.str.replace(r" (\d{4}[a-z]?|nd)$", "", regex=True)
    for column, values in (("doi", normal_doi(studies.doi)), ("title", normal_title(studies.title))):
        for i in studies.index[values.ne("") & values.duplicated() & ~(values + "|" + trial).duplicated()]:
            first = values.index[values.eq(values[i])][0]
            apart = column == "doi" and other_work((studies.title[i], author[i]), (studies.title[first], author[first]))
            remedy = "keep one study, or join them in trials.csv if they are two reports"
            yield problem(
                studies.sheet[i],
                studies.row[i],
                column,
                studies.at[i, column],
                "study_twice",
                "warning" if apart else "error",
                f"the same {column} as {studies.study[first]}"
                + (", another title and another first author: check it at the source" if apart else f": {remedy}"),
            )


def trial_of_trial(sheets: Sheets) -> Iterator[dict]:
    """A report belongs to the trial's first report, not to another companion: chains would count a trial twice."""
    trials = sheets["trials"].set_index("study").trial
    for row, trial in sheets["trials"].trial.items():
        if trials.get(trial, trial) != trial:
            yield problem(
                "trials",
                row,
                "trial",
                trial,
                "trial_of_trial",
                "error",
                f"this is itself a report of {trials[trial]}: name that trial here",
            )


def row_id_twice(sheets: Sheets) -> Iterator[dict]:
    database = sheets["database/outcomes"].row_id
    for row, key in database[database.isin(sheets["coder_a/outcomes"].row_id)].items():
        yield problem(
            "database/outcomes",
            row,
            "row_id",
            key,
            "duplicate_key",
            "error",
            "coder_a/outcomes has this row_id: give one of the rows another",
        )


def year_of_key(sheets: Sheets) -> Iterator[dict]:
    studies = sheets["coder_a/studies"]
    year = studies.study.str.extract(r" (\d{4})[a-z]?$", expand=False).fillna("")
    for row in studies.index[year.ne(studies.year)]:
        yield problem(
            "coder_a/studies",
            row,
            "year",
            studies.at[row, "year"],
            "year_of_key",
            "warning",
            f"the key says {year[row] or 'no year'}: check the year at the source",
        )


def key_spelled_twice(sheets: Sheets) -> Iterator[dict]:
    """Keys that differ only in accents, apostrophes, blanks or case: one study, counted twice."""
    renamed = sheets["corrections"].query("column == 'study'").printed
    first: dict[str, str] = {}
    for name in ("coder_a/studies", "database/studies"):
        for row, key in sheets[name].study.items():
            other = first.setdefault(re.sub(r"[^a-z0-9]", "", _without_accents(key).lower()), key)
            if other != key and not {key, other} & set(renamed):
                yield problem(
                    name,
                    row,
                    "study",
                    key,
                    "key_spelled_twice",
                    "error",
                    f"{other!r} is there already: give both one key, or two that differ (corrections.csv can rename)",
                )


def _without_accents(text):
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def coded_by_one(sheets: Sheets) -> Iterator[dict]:
    """Studies, outcome rows with figures, and the second coder's judgements that the other coder lacks."""
    figures = sheets["coder_a/outcomes"].outcome_type.ne("direction_only")
    a = {sheet: sheets[f"coder_a/{sheet}"] for sheet in ("studies", "outcomes", "appraisal")}
    b = {sheet: sheets[f"coder_b/{sheet}"] for sheet in a}
    lacking = [
        ("coder_a", a["studies"], b["studies"], "studies"),
        ("coder_a", a["outcomes"][figures], b["outcomes"], "outcomes"),
        *(("coder_b", b[sheet], a[sheet], sheet) for sheet in a),
    ]
    for one, table, others, sheet in lacking:
        other = {"coder_a": "coder_b", "coder_b": "coder_a"}[one]
        keys = reconcile.unit_keys(table, sheet)
        for row, key in keys[~keys.isin(reconcile.unit_keys(others, sheet))].items():
            yield problem(
                f"{one}/{sheet}",
                row,
                ", ".join(reconcile.KEYS[sheet]),
                key,
                "coded_by_one",
                "error",
                f"{other} has no such row: have it coded, or take it out of both",
            )


def form_changed(sheets: Sheets) -> Iterator[dict]:
    """What was printed on the second coder's form must still be what the first coder's sheet says."""
    a, b = (sheets[f"coder_{c}/outcomes"].reset_index().set_index("row_id") for c in "ab")
    shared = a.index.intersection(b.index)
    for column in reconcile.FORM:
        for key in shared[(a.loc[shared, column] != b.loc[shared, column]).to_numpy()]:
            yield problem(
                "coder_b/outcomes",
                b.at[key, "row"],
                column,
                b.at[key, column],
                "form_changed",
                "error",
                f"coder_a says {a.at[key, column]!r} for {key}: these columns name the unit and are not coded",
            )


def consensus_fits(sheets: Sheets) -> Iterator[dict]:
    """Every differing cell has one decision; every decision is about a cell that differs, as the coders have it."""
    rulings = sheets["consensus"]
    for row, sheet in rulings.sheet[~rulings.sheet.isin(list(reconcile.KEYS))].items():
        yield problem(
            "consensus", row, "sheet", sheet, "unknown_code", "error", f"use one of {', '.join(reconcile.KEYS)}"
        )
    for sheet in reconcile.KEYS:
        cells = reconcile.double_coded(sheet, sheets[f"coder_a/{sheet}"], sheets[f"coder_b/{sheet}"])
        ruled = rulings[rulings.sheet.eq(sheet)].reset_index()
        joined = ruled.merge(cells, on=["key", "column"], how="outer", suffixes=("", "_coder"), indicator="found")
        text = joined[["a", "b", "a_coder", "b_coder"]].fillna("")
        differ = ~reconcile.same(text.a_coder, text.b_coder)
        for cell in joined[joined.found.eq("right_only") & differ].itertuples():
            yield problem(
                "consensus",
                "",
                cell.column,
                f"{cell.a_coder!r} or {cell.b_coder!r}",
                "undecided",
                "error",
                f"the coders differ on {sheet}, {cell.key}: add a row with the decision and its reason",
            )
        for cell in joined[joined.found.eq("left_only")].itertuples():
            yield problem(
                "consensus",
                int(cell.row),
                "key, column",
                f"{cell.key}, {cell.column}",
                "no_such_cell",
                "error",
                f"no cell of {sheet} by this key and column is coded twice: check the spelling",
            )
        both = joined.found.eq("both")
        for cell in joined[both & ~differ].itertuples():
            yield problem(
                "consensus",
                int(cell.row),
                "value",
                cell.value,
                "no_difference",
                "error",
                f"both coders say {cell.a_coder!r} on {cell.key}, {cell.column}: take the row out",
            )
        current = reconcile.same(text.a, text.a_coder) & reconcile.same(text.b, text.b_coder)
        for cell in joined[both & differ & ~current].itertuples():
            yield problem(
                "consensus",
                int(cell.row),
                "a, b",
                f"{cell.a}, {cell.b}",
                "outdated_decision",
                "error",
                f"the coders' sheets say {cell.a_coder!r} and {cell.b_coder!r}: decide anew",
            )


def decided_values(sheets: Sheets, codebook: dict) -> Iterator[dict]:
    """What consensus.csv and corrections.csv put into a cell obeys the codebook's column for that cell."""
    reported = {"reported": {"kind": "text", "pattern": "[01]", "required": True}}
    for name in ("consensus", "corrections"):
        for (sheet, column), part in sheets[name].groupby(["sheet", "column"]):
            kind = sheet.rpartition("/")[2]
            columns = codebook["sheets"][kind]["columns"] if kind in reconcile.KEYS else {}
            here = {c: e for c, e in (columns | reported).items() if c == column and "codes_by" not in e}
            for _, rule, value, row in cell_failures(part[["value"]].set_axis([column], axis=1), here, codebook):
                severity, remedy = remedy_for(rule, value, here[column], codebook)
                severity = "warning" if rule == "blank" else severity  # nobody knows: the cell stays blank
                yield problem(name, row, "value", value, rule, severity, f"{column}: {remedy}")


def decided_figures(sheets: Sheets) -> Iterator[dict]:
    """Figures that no longer fit together once the consensus has mixed them or a correction has changed one."""
    for rule in (events_above_total, interval, ratio_not_positive):
        before = list(rule(sheets))
        for found in rule(sheets | as_used(sheets)):
            if found not in before:
                yield found | {"remedy": f"as the consensus and corrections.csv have the row, {found['remedy']}"}


def as_used(sheets: Sheets) -> Sheets:
    """The outcome sheets as the chain uses them: the coders' as decided and corrected, the database's as corrected."""
    database = plausible.corrected("database/outcomes", sheets["database/outcomes"], sheets)
    return {"coder_a/outcomes": plausible.decided(sheets), "database/outcomes": database}


SLIPS = {  # rule: columns of which one can be the slip
    "events_above_total": ("event_arm1", "totaln_arm1", "event_arm2", "totaln_arm2"),
    "interval_upside_down": ("ci_low", "ci_high"),
    "effect_outside_interval": ("effect", "ci_low", "ci_high"),
    "ratio_not_positive": ("effect", "ci_low", "ci_high"),
    "out_of_range": (),
    "not_whole": (),
}


def printed_slips(problems: list[dict], sheets: Sheets) -> list[dict]:
    """The problems; a slip that the source itself prints is a warning where corrections.csv mends the row.

    What the corrections make of a row is judged by decided_figures and decided_values.
    """
    used = as_used(sheets)
    failing = {
        (table.at[found["row"], "row_id"], found["rule"])
        for rule in (events_above_total, interval, ratio_not_positive)
        for found in rule(sheets | used)
        if (table := used.get(found["sheet"])) is not None
    }
    mended = {
        (f"{coder}/outcomes" if name == "outcomes" else name, key, column)
        for name, key, column in sheets["corrections"][["sheet", "key", "column"]].itertuples(index=False)
        for coder in ("coder_a", "coder_b")
    }
    return [_softened(found, sheets, mended, failing) for found in problems]


def _softened(found: dict, sheets: Sheets, mended: set, failing: set) -> dict:
    name, rule = found["sheet"], found["rule"]
    if found["severity"] != "error" or rule not in SLIPS or name not in OUTCOMES or found["row"] == "":
        return found
    key = sheets[name].at[found["row"], "row_id"]
    columns = SLIPS[rule] or (found["column"],)
    if (key, rule) in failing or not any((name, key, column) in mended for column in columns):
        return found
    return found | {"severity": "warning", "remedy": f"corrections.csv mends it; as printed: {found['remedy']}"}


def sd_like_se(sheets: Sheets) -> Iterator[dict]:
    """SDs under a quarter of the median SD that other trials have on the same scale: standard errors, perhaps."""
    named = pd.concat([_figures(sheets[n]).assign(sheet=n) for n in OUTCOMES if n != "coder_b/outcomes"])
    rows = named[named.outcome_type.eq("msd")].reset_index()
    rows["scale"] = rows.instrument.str.lower().str.split(r"[ ,(-]", n=1).str[0]
    rows["sd"] = rows[["sd_arm1", "sd_arm2"]].mean(axis=1)
    corrected = set(sheets["corrections"].key)
    for row in rows.itertuples():
        others = rows.sd[rows.scale.eq(row.scale) & rows.study.ne(row.study)]
        if len(others) >= 2 and row.sd < others.median() / 4:
            done = " (corrections.csv has the row)" if row.row_id in corrected else ""
            yield problem(
                row.sheet,
                row.row,
                "sd_arm1, sd_arm2",
                f"{row.sd_arm1:g}, {row.sd_arm2:g}",
                "sd_like_se",
                "warning",
                f"the median SD elsewhere is {others.median():g}: is this a standard error?{done}",
            )


def database_disagrees(sheets: Sheets) -> Iterator[dict]:
    """Codes on which the database differs from the coders' decision; the decision stands."""
    known = sheets["database/studies"].reset_index().set_index("study")
    coded = sheets["coder_a/studies"].set_index("study")
    rulings = sheets["consensus"].query("sheet == 'studies'").set_index(["key", "column"]).value
    for study in known.index.intersection(coded.index):
        for column in ("design", "population", "modality", "structure", "manualised", "helper_experience"):
            decided = rulings.get((study, column), coded.at[study, column])
            stated = known.at[study, column]
            if decided not in reconcile.SILENT and stated not in reconcile.SILENT and decided != stated:
                yield problem(
                    "database/studies",
                    known.at[study, "row"],
                    column,
                    stated,
                    "database_disagrees",
                    "warning",
                    f"the coders decided {decided!r} for {study}, which stands: check at the source",
                )


def corrections_fit(sheets: Sheets) -> Iterator[dict]:
    """Every correction names a sheet and a cell, and that cell holds what the correction calls printed."""
    corrections = sheets["corrections"]
    names = [*(name for name in sheets if name.startswith("database/")), *reconcile.KEYS]
    for row, name in corrections.sheet[~corrections.sheet.isin(names)].items():
        yield problem("corrections", row, "sheet", name, "unknown_code", "error", f"use one of {', '.join(names)}")
    for name in sorted(set(corrections.sheet) & set(names)):
        sheet = name.rpartition("/")[2]
        table = sheets[name] if "/" in name else _decided(sheet, sheets)
        for row, held in reconcile.misfits(name, sheet, table, corrections):
            key, column, printed = corrections.loc[row, ["key", "column", "printed"]]
            if held is None:
                yield problem(
                    "corrections",
                    row,
                    "key, column",
                    f"{key}, {column}",
                    "no_such_cell",
                    "error",
                    f"{name} has no cell by this key and column: check the spelling",
                )
            else:
                yield problem(
                    "corrections",
                    row,
                    "printed",
                    printed,
                    "outdated_correction",
                    "error",
                    f"{name} holds {held!r} for {key}, {column}: look at the source and correct anew",
                )


def renamed_in_part(sheets: Sheets) -> Iterator[dict]:
    """A study of the database that corrections.csv renames has the new key in each of the database's sheets."""
    renames = sheets["corrections"].query("column == 'study'")
    studies = renames[renames.sheet.eq("database/studies")]
    new = dict(zip(studies.key, studies.value, strict=True))
    for name in ("database/outcomes", "database/appraisal"):
        table, own = sheets[name], renames[renames.sheet.eq(name)]
        here = dict(zip(own.key, own.value, strict=True))
        keys = reconcile.unit_keys(table, name.rpartition("/")[2])
        for row, key in keys.items():
            study = table.at[row, "study"]
            if here.get(key, study) != new.get(study, study):
                yield problem(
                    name,
                    row,
                    "study",
                    study,
                    "renamed_in_part",
                    "error",
                    f"corrections.csv calls it {new.get(study, study)} in database/studies and {here.get(key, study)} "
                    "here: give it one key in all sheets",
                )


def _decided(sheet, sheets):
    """The first coder's sheet with what was decided, as far as it was."""
    a = sheets[f"coder_a/{sheet}"]
    cells = reconcile.decide(sheet, reconcile.double_coded(sheet, a, sheets[f"coder_b/{sheet}"]), sheets["consensus"])
    return reconcile.fill_in(sheet, a, cells[cells.decided_by.ne("")])


CROSS_RULES = (
    orphan_study,
    orphan_row,
    clusters_exceed_people,
    p_is_zero,
    orphan_theme,
    events_above_total,
    interval,
    ratio_not_positive,
    arms_exceed_randomised,
    p_disagrees,
    figures_incomplete,
    decision_and_reason,
    study_twice,
    trial_of_trial,
    row_id_twice,
    year_of_key,
    key_spelled_twice,
    coded_by_one,
    form_changed,
    consensus_fits,
    decided_figures,
    sd_like_se,
    database_disagrees,
    corrections_fit,
    renamed_in_part,
)
