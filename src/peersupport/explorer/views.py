"""What the explorer shows: choices -> selected effects -> fit -> sentence, tables, pictures, downloads.

The statistics and the pictures are those of the notebooks; without a restriction the numbers are those of
pooled_outcomes.csv.
"""

import io
import re
from dataclasses import dataclass, field, replace
from textwrap import fill
from urllib.parse import parse_qs, urlencode

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from peersupport.effects.pools import outcome_labels, pools
from peersupport.figures import diagnostic, style
from peersupport.figures.forest import forest
from peersupport.pool import models, small_study
from peersupport.pool.fit import Fit, univariate
from peersupport.report.studies import labelled, trail_rows
from peersupport.store import codebook
from peersupport.store.tables import read_table
from peersupport.store.version import version_words
from peersupport.text import sentences
from peersupport.text.numbers import effect_name, interval, p_text, people, shown, span

TABLES = ("effects.csv", "studies.csv", "provenance.csv", "tables/risk_of_bias.csv", "exclusions.csv")
GROUPS = {  # column of the effects -> heading, and the codebook's list of labels
    "population": ("Population", "population"),
    "modality": ("Delivery", "modality"),
    "design": ("Design", "design"),
    "helper_experience": ("Helpers' own experience", "helper_experience"),
    "risk_of_bias": ("Overall risk of bias", "judgement"),
}
NOT_REPORTED = "nr"
NOT_IN_MODEL = "not part of this model"
TRIAL_COLUMNS = ["study", "year", "n_arm1", "n_arm2", "effect", "variance", "weight"]
# Text stays text: drawn as outlines it would take half of the time, and could be neither found nor copied.
DRAWING = style.RC | {"figure.constrained_layout.use": False}
FONTS = "'DejaVu Sans', Verdana, sans-serif"  # Verdana has the same widths, where the first is missing


@dataclass(frozen=True)
class Evidence:
    """The domains that are pooled by their slug, and what is asked about them."""

    domains: dict[str, models.Domain]
    candidates: dict[str, pd.DataFrame]  # the same with the effects that the main analysis leaves out
    without: pd.DataFrame  # rows of figures that give no effect, with the reason
    labels: dict[str, str]
    levels: dict[str, dict[str, str]]  # column of GROUPS -> code -> label
    years: tuple[int, int]
    risk: pd.DataFrame
    trails: pd.DataFrame
    settings: models.Settings
    arms: dict[str, dict[str, str]]  # what arm 1 and arm 2 are called


@dataclass(frozen=True)
class Choices:
    """One setting of all controls; `kept` holds (column, codes) of the groups that are restricted."""

    outcome: str
    model: str = models.MAIN
    kept: tuple[tuple[str, frozenset], ...] = ()
    years: tuple[int, int] | None = None
    correlation: float = 0.6
    turned: frozenset[str] = frozenset()  # rows ticked off that the main analysis takes, or on that it leaves out


@dataclass(frozen=True)
class View:
    """What one choice shows; without pictures where there are too few trials."""

    sentence: str
    fit: Fit
    rows: pd.DataFrame = field(repr=False)  # the effects that the choices leave, before the model
    pictures: dict[str, tuple[str, str]] = field(repr=False)  # name -> (SVG, alt text)
    csv: str = field(repr=False)


def read_evidence(settings: models.Settings) -> Evidence:
    """The stored tables; FileNotFoundError in a sentence if one is missing."""
    effects, studies, trails, risk, without = (read_table(name) for name in TABLES)
    return evidence(effects, studies, trails, risk, without, settings)


def evidence(effects, studies, trails, risk, without, settings) -> Evidence:
    """The same from tables at hand; `trails` are those of provenance.csv, `without` those of exclusions.csv."""
    facts = studies.drop_duplicates("study").set_index("study")[["population", "modality"]]
    known = models.with_study_facts(effects, studies, risk).join(facts, on="study")
    known[list(GROUPS)] = known[list(GROUPS)].fillna(NOT_REPORTED)
    domains = models.domains(known, settings.minimum_trials, codebook.codebook())
    pooled = pd.concat([domain.rows for domain in domains])
    return Evidence(
        domains={models.slug(d.name, d.family): d for d in domains},
        candidates={models.slug(d.name, d.family): d.rows for d in pools(known, codebook.codebook())},
        without=without,
        labels=outcome_labels(codebook.codebook()),
        levels={column: _levels(pooled[column], codes) for column, (_, codes) in GROUPS.items()},
        years=(int(pooled["year"].min()), int(pooled["year"].max())),
        risk=risk,
        trails=trails,
        settings=settings,
        arms=codebook.codebook()["arms"],
    )


def _levels(column: pd.Series, code_list: str) -> dict[str, str]:
    """The codes that occur, in the codebook's order, with their labels."""
    labels = codebook.labels(code_list) | {NOT_REPORTED: "Not reported"}
    return {code: label for code, label in labels.items() if code in set(column)}


def outcome_label(evidence: Evidence, outcome: str) -> str:
    """Hospitalisation, as risk ratio; a domain's name alone if it is standardised."""
    domain = evidence.domains[outcome]
    label = evidence.labels[domain.name]
    return label if domain.family == "smd" else f"{label} (risk ratio)"


def model_label(evidence: Evidence, model: str) -> str:
    return models.model_labels(evidence.settings)[model]


def selected(evidence: Evidence, choices: Choices) -> models.Domain:
    """The outcome's effects that the choices keep."""
    domain, rows = evidence.domains[choices.outcome], evidence.candidates[choices.outcome]
    keep = rows["selected"].astype(bool) ^ rows["row_id"].isin(choices.turned)
    for column, codes in choices.kept:
        keep &= rows[column].isin(codes)
    if choices.years:
        keep &= rows["year"].between(*choices.years)
    return replace(domain, rows=rows[keep])


@dataclass(frozen=True)
class Tick:
    """One effect in the list of trials: whether the main analysis takes it, and if not, why."""

    row_id: str
    words: str
    taken: bool


def ticks(evidence: Evidence, outcome: str) -> list[Tick]:
    """Every effect of the outcome, by study; one that the main analysis leaves out says why."""
    rows = evidence.candidates[outcome].sort_values(["study", "row_id"], kind="stable")
    return [
        Tick(
            row["row_id"],
            f"{row['study']}: {_or_blank(row['instrument']) or row['row_id']}"
            + ("" if row["selected"] else f" (left out: {row['selection']})"),
            bool(row["selected"]),
        )
        for row in rows.to_dict("records")
    ]


def without_effect(evidence: Evidence, outcome: str) -> list[str]:
    """Studies of the outcome whose figures give no effect, each with the reason."""
    domains = set(evidence.candidates[outcome]["outcome_domain"])
    own = evidence.without[evidence.without["outcome_domain"].isin(domains)]
    return [f"{study}: {detail}" for study, detail in sorted(set(zip(own["study"], own["detail"], strict=True)))]


def _or_blank(value) -> str:
    return value if isinstance(value, str) else ""


def fitted(evidence: Evidence, choices: Choices) -> Fit:
    """The chosen model on the chosen trials, by the function that filled pooled_outcomes.csv."""
    settings = replace(evidence.settings, correlation=choices.correlation)
    return models.fit_model(selected(evidence, choices), choices.model, settings)


def view(evidence: Evidence, choices: Choices) -> View:
    fit, rows = fitted(evidence, choices), selected(evidence, choices).rows
    if np.isnan(fit.effect):
        return View(too_few(evidence, choices, fit), fit, rows, {}, "")
    pictures = {
        "forest": (forest_picture(evidence, choices, fit), _forest_alt(evidence, choices, fit)),
        "funnel": (funnel_picture(evidence, choices, fit), _funnel_alt(evidence, choices, fit)),
    }
    sentence = answer(evidence, choices, fit)
    return View(sentence, fit, rows, pictures, csv(evidence, choices, fit))


# ---- in words ----


def described(evidence: Evidence, choices: Choices) -> dict[str, str]:
    """Every choice by its heading, in words: what the files that are downloaded carry with them."""
    kept = dict(choices.kept)
    years = choices.years or evidence.years
    return {
        "Data": version_words(),
        "Outcome": outcome_label(evidence, choices.outcome),
        "Model": model_label(evidence, choices.model),
        **{heading: _kept(evidence.levels[column], kept.get(column)) for column, (heading, _) in GROUPS.items()},
        "Years": f"{years[0]} to {years[1]}" if choices.years else "all",
        "Trials one by one": turned_words(evidence, choices) or "as in the main analysis",
        "Correlation within a trial (ρ)": f"{choices.correlation:g}",
    }


def turned_words(evidence: Evidence, choices: Choices) -> str:
    """Which trials were ticked off and which on: without Smith 2020, with Jones 2021."""
    rows = evidence.candidates[choices.outcome]
    own = rows[rows["row_id"].isin(choices.turned)]
    off, on = (sorted(set(own["study"][own["selected"].astype(bool).eq(taken)])) for taken in (True, False))
    parts = [f"{word} {', '.join(names)}" for word, names in (("without", off), ("with", on)) if names]
    return "; ".join(parts)


def _kept(levels: dict[str, str], codes: frozenset | None) -> str:
    if codes is None:
        return "all"
    return " or ".join(label for code, label in levels.items() if code in codes) or "none"


def restrictions(evidence: Evidence, choices: Choices) -> str:
    """Which trials were let in, for the end of a sentence."""
    words = described(evidence, choices)
    names = [heading for heading, _ in GROUPS.values()] + ["Years"]
    said = [f"{name}: {words[name]}" for name in names if words[name] != "all"]
    restricted = f"restricted to {'; '.join(said)}" if said else "no restriction"
    return "; ".join(filter(None, [restricted, turned_words(evidence, choices)]))


def caption(evidence: Evidence, choices: Choices) -> str:
    """The choices on one line, as they stand beneath a picture."""
    words = described(evidence, choices)
    always = ("Outcome", "Model", "Correlation within a trial (ρ)")
    said = "; ".join(f"{name}: {words[name]}" for name in always)
    return f"{said}; {restrictions(evidence, choices)}."


def answer(evidence: Evidence, choices: Choices, fit: Fit) -> str:
    return (
        f"{outcome_label(evidence, choices.outcome)}: pooled {sentences.effect_text(fit)}, "
        f"{sentences.prediction_text(fit)}; {_count(fit.trials, 'trial')} with {fit.n:,.0f} people. "
        f"Model: {model_label(evidence, choices.model)}; {restrictions(evidence, choices)}."
    )


def too_few(evidence: Evidence, choices: Choices, fit: Fit) -> str:
    """Why there is nothing to draw, which trials are left, and what to do."""
    label = outcome_label(evidence, choices.outcome)
    if choices.years and choices.years[0] > choices.years[1]:
        first, last = choices.years
        return f"{label}: nothing is drawn, as the years are reversed, from {first} to {last}: put the earlier first."
    reason = fit.note.removeprefix("not estimated: ")
    left = sorted(set(fit.effects["study"])) if "study" in fit.effects else []
    names = f" ({', '.join(left)})" if left else ""
    model = model_label(evidence, choices.model)
    return (
        f"{label}: nothing is drawn, as the model “{model}” cannot be fitted: {reason}{names}. Choose another model, "
        "or let more trials in."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# ---- in tables ----


def summary(fit: Fit) -> dict[str, str]:
    """The pooled result for a reader, line by line; what the model does not give says so."""
    return {
        "Trials": str(fit.trials),
        "Effects": str(fit.k),
        "People": people(fit.n),
        f"Pooled effect ({effect_name(fit.family)})": shown(fit.effect, fit.family, fit.event),
        "95% interval": _range(fit, "ci"),
        "95% prediction interval": _range(fit, "pi"),
        "τ²": _given(fit.tau2, f"{fit.tau2:.3f}", _ends(fit, "tau2", 3)),
        "I²": _given(fit.i2, f"{fit.i2:.0f}%", _ends(fit, "i2", 0)),
        "Q": _given(fit.q, f"{fit.q:.1f}", f" (df = {fit.k - 1}, {p_text(fit.q_p)})"),
        "Remark": fit.note or "none",
    }


def _range(fit: Fit, which: str) -> str:
    low, high = getattr(fit, f"{which}_low"), getattr(fit, f"{which}_high")
    return _given(low, span(low, high, fit.family, fit.event))


def _ends(fit: Fit, which: str, digits: int) -> str:
    low, high = getattr(fit, f"{which}_ci_low"), getattr(fit, f"{which}_ci_high")
    return "" if np.isnan(low) else f" ({low:.{digits}f} to {high:.{digits}f})"


def _given(value: float, text: str, more: str = "") -> str:
    return NOT_IN_MODEL if np.isnan(value) else text + more


def trials(fit: Fit) -> pd.DataFrame:
    """The effects in the model, unrounded, with 95% intervals and the weights of the forest plot."""
    table = _with_weights(fit).sort_values(["year", "study"], kind="stable")[TRIAL_COLUMNS]
    half = 1.959964 * np.sqrt(table.pop("variance"))
    table.insert(5, "ci_low", table["effect"] - half)
    table.insert(6, "ci_high", table["effect"] + half)
    return table.reset_index(drop=True)


def readable_trials(fit: Fit) -> pd.DataFrame:
    """The same for a reader."""
    rows, effect = trials(fit), f"{effect_name(fit.family)} [95% CI]"
    return pd.DataFrame(
        {
            "Study": rows["study"],
            "Year": rows["year"].map("{:.0f}".format),
            "n, peer support": rows["n_arm1"].map(_people),
            "n, comparator": rows["n_arm2"].map(_people),
            effect: [interval(r.effect, r.ci_low, r.ci_high, fit.family, fit.event) for r in rows.itertuples()],
            "Weight": rows["weight"].map("{:.1f}%".format),
        }
    )


def _people(n: float) -> str:
    return "" if np.isnan(n) else f"{n:,.0f}"


def csv(evidence: Evidence, choices: Choices, fit: Fit) -> str:
    """The table of trials, unrounded, under comment lines with the choices and the pooled row."""
    pooled = models.pooled_table([fit]).iloc[0].dropna()
    about = described(evidence, choices) | {name: str(pooled[name]) for name in pooled.index}
    scale = (
        "log risk ratio (of events to be avoided with its sign turned)" if fit.event == "avoid" else "log risk ratio"
    )
    scale = scale if fit.family == "log_rr" else "Hedges g"
    head = [f"# {name}: {value}" for name, value in about.items()]
    head.append(f"# effect, ci_low and ci_high: {scale}, positive favours peer support")
    return "\n".join(head) + "\n" + trials(fit).to_csv(index=False, lineterminator="\n")


def trail(evidence: Evidence, rows: pd.DataFrame, study: str) -> dict[str, pd.DataFrame]:
    """Each effect of the study's trial that stands in the picture: row_id -> its steps, in words."""
    trial = rows.loc[rows["study"].eq(study), "trial"]
    own = rows[rows["trial"].isin(trial) & rows["row_id"].isin(evidence.trails["row_id"])]
    return {row_id: steps_in_words(evidence.trails[evidence.trails["row_id"].eq(row_id)]) for row_id in own["row_id"]}


def steps_in_words(steps: pd.DataFrame) -> pd.DataFrame:
    """The steps of provenance.csv with labels for columns and codes."""
    book = codebook.codebook()
    rows = trail_rows(steps, lambda sheet, row, column: labelled(sheet, row, column, book, {}))
    words = pd.DataFrame(rows, columns=["Step", "What", "Value", "Note"])
    address = steps["column"].eq("source_url").to_numpy()
    words["Value"] = words["Value"].astype(object).mask(address, steps["value"].to_numpy())  # the page makes the link
    return words


# ---- in an address ----


def as_query(evidence: Evidence, choices: Choices) -> str:
    """The choices as the end of an address, which `from_query` reads."""
    found = {"outcome": choices.outcome, "model": choices.model}
    found |= {column: ",".join(sorted(codes)) for column, codes in choices.kept}
    if choices.years:
        found["years"] = f"{choices.years[0]}-{choices.years[1]}"
    if choices.correlation != evidence.settings.correlation:
        found["correlation"] = f"{choices.correlation:g}"
    if choices.turned:
        found["turned"] = ",".join(sorted(choices.turned))
    return urlencode(found, safe=",")


def from_query(evidence: Evidence, query: str, default: Choices) -> tuple[Choices, list[str]]:
    """The choices of an address, and what in it is not known here, a sentence each; there the default stands."""
    told = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    unknown = []

    def known(name, values, otherwise):
        value = told.get(name, otherwise)
        if value in values:
            return value
        unknown.append(f"The address names {name} {value!r}, which is not here.")
        return otherwise

    outcome = known("outcome", evidence.domains, default.outcome)
    rows = set(evidence.candidates[outcome]["row_id"])
    kept = tuple(
        (column, frozenset(told[column].split(",")) & levels.keys())
        for column, levels in evidence.levels.items()
        if column in told
    )
    years = re.fullmatch(r"(\d{4})-(\d{4})", told.get("years", ""))
    correlation = re.fullmatch(r"0(\.\d+)?", told.get("correlation", ""))
    choices = Choices(
        outcome,
        known("model", models.MODELS, default.model),
        kept,
        tuple(min(max(int(year), evidence.years[0]), evidence.years[1]) for year in years.groups()) if years else None,
        min(float(correlation[0]), 0.95) if correlation else default.correlation,
        frozenset(told.get("turned", "").split(",")) & rows,
    )
    return choices, unknown


# ---- in pictures ----


def forest_picture(evidence: Evidence, choices: Choices, fit: Fit) -> str:
    line = sentences.model_line(fit)
    if choices.model != models.MAIN:
        line = f"Model: {model_label(evidence, choices.model)}"
        line += "" if "weight" in fit.effects else "; weights are those of random effects (REML)"
    weighted = replace(fit, effects=_with_weights(fit))
    with mpl.rc_context(DRAWING):
        figure = forest(
            weighted,
            title=outcome_label(evidence, choices.outcome),
            model_line=line,
            arms=evidence.arms,
            risk=evidence.risk,
        )
        return _svg(figure, evidence, choices, _forest_alt(evidence, choices, fit), 150)


def funnel_picture(evidence: Evidence, choices: Choices, fit: Fit) -> str:
    none = np.array([]), np.array([])
    filled = small_study.filled_points(fit.effects) if choices.model == "trim_and_fill" else none
    with mpl.rc_context(DRAWING):
        figure, axes = style.new_figure(120, 72)
        axes.set_position([0.12, 0.15, 0.85, 0.75])
        diagnostic.funnel(axes, fit, filled)
        return _svg(figure, evidence, choices, _funnel_alt(evidence, choices, fit), 98)


def _with_weights(fit: Fit) -> pd.DataFrame:
    """The model's effects; a model without weights (PET-PEESE, selection, Bayes) gets those of REML."""
    return fit.effects if "weight" in fit.effects else univariate(fit.effects).effects


def _svg(figure, evidence, choices, alt_text, characters) -> str:
    """The figure as SVG with its choices beneath it and in its metadata."""
    words = caption(evidence, choices)
    _add_foot(figure, fill(words, characters))
    title = f"{outcome_label(evidence, choices.outcome)}: {model_label(evidence, choices.model)}"
    about = {"Title": title, "Description": f"{alt_text} {words}", "Date": None}
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=about)
    plt.close(figure)
    return file.getvalue().replace("'DejaVu Sans'", FONTS)


def _add_foot(figure, words: str) -> None:
    """Lines below everything that is drawn; the page grows by what they need."""
    before = figure.get_figheight()
    extra = (3.2 * (words.count("\n") + 1) + 2) / style.MM_PER_INCH
    after = before + extra
    for axes in figure.axes:
        box = axes.get_position()
        place = (box.x0, (box.y0 * before + extra) / after, box.width, box.height * before / after)
        axes.set_position(place)
    for text in figure.texts:
        text.set_y((text.get_position()[1] * before + extra) / after)
    figure.set_figheight(after)
    left = 2 / (figure.get_figwidth() * style.MM_PER_INCH)
    figure.text(left, (extra - 0.02) / after, words, fontsize=6.5, va="top", linespacing=1.35)


def _forest_alt(evidence: Evidence, choices: Choices, fit: Fit) -> str:
    label = outcome_label(evidence, choices.outcome)
    positive = int((fit.effects["effect"] > 0).sum())
    return (
        f"Forest plot, {label}: {_count(fit.k, 'effect')} of {_count(fit.trials, 'trial')}, {positive} "
        f"of them in favour of peer support. Pooled {sentences.effect_text(fit)}; "
        f"{sentences.prediction_text(fit)}. The table of trials holds the same numbers."
    )


def _funnel_alt(evidence: Evidence, choices: Choices, fit: Fit) -> str:
    error = np.sqrt(fit.effects["variance"])
    return (
        f"Funnel plot, {outcome_label(evidence, choices.outcome)}: {_count(fit.k, 'effect')} with "
        f"standard errors from {error.min():.2f} to {error.max():.2f} about the pooled "
        f"{sentences.effect_text(fit)}."
    )
