"""The explorer's controls and what they redraw: a thin layer of ipywidgets over explorer.py."""

import asyncio
import base64
import contextlib
import gc
import os
from functools import lru_cache
from html import escape

import ipywidgets as widgets

from peersupport.explorer import views
from peersupport.pool.models import MAIN, Settings, model_labels
from peersupport.report.html import is_of_the_web

NOTHING = "Choose a study"
ONLY = "–"
PAUSE = 0.05  # seconds without a further change before anything is drawn
STYLE = """
.explorer { display: grid !important; grid-template-columns: 290px minmax(0, 1fr); gap: 8px 24px;
  overflow: visible; align-items: start; font-size: 14px; }
.explorer-page, .explorer .jupyter-widgets { overflow: visible !important; max-width: none; }
.explorer .widget-html-content { line-height: 1.45; font-size: 14px; min-width: 0; width: 100%; }
.explorer h2 { font-size: 18px; margin: 12px 0 4px; }
.explorer h3 { font-size: 14px; margin: 10px 0 2px; }
.explorer .widget-dropdown, .explorer .widget-text { flex-direction: column; align-items: stretch;
  height: auto; width: 100%; margin: 3px 0; }
.explorer .widget-label { width: auto !important; text-align: left; white-space: normal; height: auto;
  overflow: visible; line-height: 1.4; font-size: 14px; }
.explorer .widget-dropdown > select, .explorer .widget-text > input { flex: none; height: 30px; font-size: 14px;
  border: 1px solid #6b6b6b; }
.explorer .explorer-checks { display: flex; flex-flow: row wrap; gap: 0 14px; }
.explorer .widget-checkbox { width: auto; height: 28px; margin: 0; }
.explorer .widget-checkbox label { font-size: 14px; }
.explorer :focus-visible { outline: 2px solid #0072B2; outline-offset: 2px; }
.explorer .explorer-answer { position: sticky !important; top: 0; z-index: 2; background: #fff; color: #111;
  border-left: 5px solid #0072B2; padding: 4px 12px !important; margin: 12px 0 4px !important; }
.explorer-answer .widget-html-content { font-size: 16px !important; }
.explorer-wide { overflow-x: auto; }
.explorer-wide img { display: block; background: #fff; }
.explorer img.forest { width: 100%; min-width: 640px; max-width: 900px; }
.explorer img.funnel { width: 100%; min-width: 340px; max-width: 500px; }
.explorer .explorer-top { display: flex; flex-flow: row wrap; gap: 0 24px; }
.explorer .explorer-top > * { flex: 1 1 340px; min-width: 0; }
.explorer table { border-collapse: collapse; margin: 4px 0; font-size: 13px; }
.explorer th, .explorer td { padding: 2px 10px 2px 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #d9d9d9; }
.explorer td a { overflow-wrap: anywhere; }
.explorer .explorer-wide > table { min-width: 560px; }
.explorer a { color: #00528a; text-decoration: underline; }
.explorer .explorer-buttons { display: flex; flex-flow: row wrap; gap: 0 6px; align-items: center; }
.explorer button.jupyter-button { width: auto; height: 28px; font-size: 13px; color: #111; background: #eee;
  border: 1px solid #6b6b6b; padding: 0 10px; }
.explorer .explorer-buttons .widget-dropdown { width: 150px; flex-direction: row; }
.explorer .explorer-ticks { display: block; max-height: 22em; overflow-y: auto; border: 1px solid #d9d9d9; }
.explorer .explorer-ticks .widget-checkbox, .explorer .explorer-ticks .widget-checkbox label { height: auto;
  line-height: 1.35; white-space: normal; width: 100%; }
.explorer-waiting > :not(.explorer-answer) { opacity: 0.45; pointer-events: none; }
.explorer-toggle { display: none !important; }
@media (max-width: 800px) {
  .explorer { display: block !important; }
  .explorer .explorer-shown { display: contents; } /* the answer stays in sight of the choices, too */
  .explorer .explorer-answer { bottom: 0; border-top: 1px solid #6b6b6b; }
  .explorer-answer .widget-html-content { font-size: 14px !important; }
  .explorer-answer p { margin: 4px 0; }
  .explorer .explorer-toggle { display: block !important; width: 100%; height: 36px; margin: 6px 0;
    color: #111; background: #e4e4e4; border: 1px solid #6b6b6b; }
  .explorer .explorer-restrictions:not(.explorer-open) { display: none; }
}
"""


def show(settings: Settings) -> widgets.Widget:
    """The explorer on the stored tables; a sentence where one of them is missing."""
    try:
        evidence = views.read_evidence(settings)
    except FileNotFoundError as missing:
        return widgets.HTML(f'<p role="alert">{escape(str(missing))}</p>')
    gc.freeze()  # what is loaded by now stays: not looked through each time that a picture is let go
    return Explorer(evidence).page


class Explorer:
    """The controls, the places that they redraw, and the page that holds both."""

    def __init__(self, evidence: views.Evidence):
        self.evidence = evidence
        self.view_of = lru_cache(200)(lambda choices: views.view(evidence, choices))
        self.controls = _controls(evidence)
        self.checks = {column: _checks(levels) for column, levels in evidence.levels.items()}
        self.ticks = {}  # row -> its box, once the list of the outcome is open
        self.turned, self.quiet, self.pending = frozenset(), False, None
        self.answer = _place("explorer-answer")
        self.result, self.funnel, self.forest, self.table, self.steps = (_place() for _ in range(5))
        self.study = widgets.Dropdown(
            options=[NOTHING], description="Study, to see its trail back to the printed figure"
        )
        self.list = widgets.VBox([])
        self.list.add_class("explorer-ticks")
        self.without = _place()
        self.open = widgets.ToggleButton(description="Tick trials one by one")
        self.page = self._page()
        self.default = self.choices()
        self.notice = self._restore(os.environ.get("QUERY_STRING", ""))
        for control in [*self.controls.values(), *self._every_check()]:
            control.observe(self.changed, "value")
        self.controls["outcome"].observe(self._other_outcome, "value")
        self.open.observe(self._show_list, "value")
        self.study.observe(self.show_trail, "value")
        self.redraw()

    def choices(self) -> views.Choices:
        value = {name: control.value for name, control in self.controls.items()}
        years = (value["first_year"], value["last_year"])
        kept = {
            column: frozenset(code for code, check in checks.items() if check.value)
            for column, checks in self.checks.items()
        }
        return views.Choices(
            outcome=value["outcome"],
            model=value["model"],
            kept=tuple((c, k) for c, k in kept.items() if len(k) < len(self.checks[c])),
            years=None if years == self.evidence.years else years,
            correlation=value["correlation"],
            turned=self.turned,
        )

    # ---- what a person changes ----

    def changed(self, _=None):
        """Draws when nothing more has changed for a moment: of a backlog of changes the last alone is drawn."""
        if self.quiet:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self.redraw()
        if self.pending:
            self.pending.cancel()
        else:
            self.shown_part.add_class("explorer-waiting")
        self.pending = loop.call_later(PAUSE, self.redraw)

    @contextlib.contextmanager
    def together(self):
        """Several changes, drawn once."""
        self.quiet = True
        try:
            yield
        finally:
            self.quiet = False
        self.changed()

    def reset(self, _=None):
        with self.together():
            self.put(self.default)

    def put(self, choices: views.Choices):
        """The controls as these choices say."""
        kept = dict(choices.kept)
        years = choices.years or self.evidence.years
        values = {
            "outcome": choices.outcome,
            "model": choices.model,
            "first_year": years[0],
            "last_year": years[1],
            "correlation": choices.correlation,
        }
        for name, value in values.items():
            self.controls[name].value = value
        for column in self.checks:
            self._keep(column, kept.get(column))
        self.turned = choices.turned
        self._show_list()

    def _keep(self, column, codes):
        """codes: what is kept of the group; all for None."""
        with self.together() if not self.quiet else contextlib.nullcontext():
            for code, check in self.checks[column].items():
                check.value = codes is None or code in codes

    def _restore(self, query):
        """The choices of the page's address; a sentence for each that is not known here."""
        choices, unknown = views.from_query(self.evidence, query, self.default)
        self.quiet = True
        self.put(choices)
        self.quiet = False
        return unknown

    def _other_outcome(self, _=None):
        if not self.quiet:
            self.turned = frozenset()
            self._show_list()

    def _show_list(self, _=None):
        """The boxes of the outcome's effects, made when the list is opened."""
        outcome = self.controls["outcome"].value
        boxes = {}
        if self.open.value:
            for tick in views.ticks(self.evidence, outcome):
                on = tick.taken ^ (tick.row_id in self.turned)
                boxes[tick.row_id] = widgets.Checkbox(value=on, description=tick.words, indent=False)
                boxes[tick.row_id].observe(self._ticked, "value")
        taken = {tick.row_id for tick in views.ticks(self.evidence, outcome) if tick.taken} if boxes else set()
        self.ticks, self.taken = boxes, taken
        self.list.children = list(boxes.values())
        none = views.without_effect(self.evidence, outcome) if boxes else []
        items = "".join(f"<li>{escape(line)}</li>" for line in none)
        self.without.value = (
            f"<details><summary>{len(none)} that give no effect, and why</summary><ul>{items}</ul></details>"
            if none
            else ""
        )

    def _ticked(self, _):
        self.turned = frozenset(row for row, box in self.ticks.items() if box.value != (row in self.taken))
        self.changed()

    # ---- what is drawn ----

    def redraw(self, _=None):
        self.pending = None
        choices = self.choices()
        gc.disable()  # tidying up in the middle of a drawing would be a quarter of its time
        try:
            self.shown = view = self.view_of(choices)
        finally:
            gc.enable()
        drawn = bool(view.pictures)
        self.result.value = _summary(view, choices) if drawn else ""
        self.funnel.value = _picture("funnel", view) if drawn else ""
        self.forest.value = _picture("forest", view) if drawn else ""
        self.table.value = _trials(view) if drawn else ""
        self._offer_studies(sorted(set(view.fit.effects["study"])) if drawn else [])
        notes = "".join(f"<p>{escape(words)}</p>" for words in self.notice)
        # last: what it says is there by then
        self.answer.value = f"<p>{escape(view.sentence)}</p>{notes}{self._link(choices)}"
        self.shown_part.remove_class("explorer-waiting")

    def _link(self, choices):
        """An address that restores the choices, where the page has one of its own."""
        if "SERVER_SOFTWARE" not in os.environ:
            return ""
        return f'<p><a href="?{escape(views.as_query(self.evidence, choices))}">Link to these choices</a></p>'

    def show_trail(self, _=None):
        study = self.study.value
        chosen = study not in (None, NOTHING)
        trails = views.trail(self.evidence, self.shown.rows, study) if chosen else {}
        self.steps.value = "".join(_steps(row_id, steps) for row_id, steps in trails.items())

    def _offer_studies(self, studies):
        before = self.study.value
        with self.study.hold_trait_notifications():
            self.study.options = [NOTHING, *studies]
            self.study.value = before if before in studies else NOTHING
        self.show_trail()

    def _every_check(self):
        return [check for checks in self.checks.values() for check in checks.values()]

    def _page(self):
        toggle = widgets.ToggleButton(description="Which trials: show or hide the choices")
        toggle.add_class("explorer-toggle")
        main = [self.controls[name] for name in ("outcome", "model")]
        others = [self.controls[n] for n in ("first_year", "last_year", "correlation")]
        groups = [self._group(column, checks) for column, checks in self.checks.items()]
        reset = widgets.Button(description="Reset all choices")
        reset.on_click(self.reset)
        restrictions = widgets.VBox([*groups, *others, self.open, self.list, self.without])
        restrictions.add_class("explorer-restrictions")
        toggle.observe(
            lambda change: (restrictions.add_class if change["new"] else restrictions.remove_class)("explorer-open"),
            "value",
        )
        left = widgets.VBox([widgets.HTML("<h2>Choices</h2>"), reset, *main, toggle, restrictions])
        trail = [widgets.HTML("<h2>One study</h2>"), self.study, self.steps]
        top = widgets.Box([self.result, self.funnel])
        top.add_class("explorer-top")
        right = widgets.VBox([self.answer, top, self.forest, *trail, self.table])
        right.add_class("explorer-shown")
        self.shown_part = right
        page = widgets.Box([left, right])
        page.add_class("explorer")
        whole = widgets.VBox([widgets.HTML(f"<style>{STYLE}</style>"), page])
        whole.add_class("explorer-page")
        return whole

    def _group(self, column, checks):
        """A group of boxes with all, none and only this."""
        every, none = (widgets.Button(description=words) for words in ("All", "None"))
        every.on_click(lambda _: self._keep(column, None))
        none.on_click(lambda _: self._keep(column, frozenset()))
        only = widgets.Dropdown(
            options=[(ONLY, None), *((check.description, code) for code, check in checks.items())],
            description="Only this",
        )

        def keep_only(change):
            if change["new"] is not None:
                self._keep(column, frozenset([change["new"]]))
                only.value = None

        only.observe(keep_only, "value")
        buttons, boxes = widgets.Box([every, none, only]), widgets.Box(list(checks.values()))
        buttons.add_class("explorer-buttons")
        boxes.add_class("explorer-checks")
        group = widgets.VBox([widgets.HTML(f"<h3>{escape(views.GROUPS[column][0])}</h3>"), boxes, buttons])
        group.add_class("explorer-group")
        return group


def _controls(evidence):
    first, last = evidence.years
    years = list(range(first, last + 1))
    outcomes = [(views.outcome_label(evidence, slug), slug) for slug in evidence.domains]
    models = [(label, name) for name, label in model_labels(evidence.settings).items()]
    correlation = evidence.settings.correlation
    most = max(evidence.domains, key=lambda slug: _single(evidence, slug))
    return {
        "outcome": widgets.Dropdown(options=outcomes, value=most, description="Outcome"),
        "model": widgets.Dropdown(options=models, value=MAIN, description="Model"),
        "first_year": widgets.Dropdown(options=years, value=first, description="From the year"),
        "last_year": widgets.Dropdown(options=years, value=last, description="To the year"),
        "correlation": widgets.BoundedFloatText(
            value=correlation, min=0, max=0.95, step=0.05, description="Correlation between the scales of one trial (ρ)"
        ),
    }


def _single(evidence, slug):
    """Trials, for an outcome that is not a type of recovery."""
    domain = evidence.domains[slug]
    return domain.trials if domain.rows["outcome_domain"].nunique() == 1 else 0


def _checks(levels):
    return {code: widgets.Checkbox(value=True, description=label, indent=False) for code, label in levels.items()}


def _place(name=""):
    place = widgets.HTML()
    if name:
        place.add_class(name)
    return place


# ---- HTML, in which all text of the sheets is escaped ----


def _summary(view, choices):
    name = f"explorer_{choices.outcome}_{choices.model}"
    links = [_download("Table of trials (CSV)", f"{name}.csv", "text/csv", view.csv)]
    for kind, (svg, _) in view.pictures.items():
        label = f"{kind.capitalize()} plot (SVG)"
        links.append(_download(label, f"{name}_{kind}.svg", "image/svg+xml", svg))
    rows = "".join(
        f'<tr><th scope="row">{escape(line)}</th><td>{escape(value)}</td></tr>'
        for line, value in views.summary(view.fit).items()
    )
    return f"<h2>Pooled result</h2><table>{rows}</table><p>Download: {', '.join(links)}</p>"


def _download(label, name, kind, content):
    return f'<a download="{escape(name)}" href="{_data(kind, content)}">{escape(label)}</a>'


def _data(kind, content):
    return f"data:{kind};base64,{base64.b64encode(content.encode()).decode()}"


def _picture(kind, view):
    svg, alt = view.pictures[kind]
    name = f"{kind.capitalize()} plot"
    image = f'<img class="{kind}" alt="{escape(alt)}" src="{_data("image/svg+xml", svg)}">'
    return f"<h2>{name}</h2>{_wide(name, image)}"


def _wide(label, content):
    """What may be wider than a phone scrolls by itself, by keyboard too."""
    name = escape(label)
    return f'<div class="explorer-wide" tabindex="0" role="region" aria-label="{name}">{content}</div>'


def _trials(view):
    return "<h2>Trials</h2>" + _table("Trials", views.readable_trials(view.fit))


def _steps(row_id, steps):
    return f"<h3>Effect {escape(row_id)}</h3>" + _table(f"Trail of {row_id}", steps.fillna(""))


def _table(label, table):
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in table)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in table.itertuples(index=False)
    )
    return _wide(label, f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _cell(value):
    text = escape(str(value))
    if is_of_the_web(str(value)):
        return f'<a href="{text}" target="_blank" rel="noopener noreferrer">{text}</a>'
    return text
