"""Which effects enter the main analysis: one figure per trial, domain and instrument, by a written rule.

Within a trial (companion reports are one trial), an outcome domain, a family of effects and a direction of events:
1. end of intervention before follow-up;
2. means before change scores before events before printed effects before p;
3. of one instrument met twice (both sheets, two times, a subscale and its total) the better route, else the whole
   scale, else the row without a flag, else the later end of intervention or the earlier follow-up, else the larger
   variance.
What is left are different instruments of one domain; they are combined within the trial when it is pooled.
"""

import re

import pandas as pd

from peersupport.effects.routes import ROUTES

UNIT = ["trial", "outcome_domain", "family", "event"]
TIME_POINT = {"post": "end of intervention", "follow_up": "follow-up"}
NOT_RANDOMISED = "not randomised: shown and pooled apart from the trials"
WHOLE_SCALE = re.compile(r"^(total|overall|[<>≥≤]|$)")


def name_instrument(text: str, aliases: dict[str, list[str]]) -> tuple[str, str]:
    """(instrument, part) of a printed name; aliases: canonical name to what printed names begin with."""
    printed = text.strip().lower()
    starts = [(start, name) for name, names in aliases.items() for start in names if printed.startswith(start)]
    if starts:
        start, name = max(starts, key=lambda pair: len(pair[0]))
        rest = printed[len(start) :]
    else:
        name = re.split(r"[,(]| - ", printed)[0].strip()
        rest = printed[len(name) :]
    part = rest.strip(" ,-()")
    return name, "" if WHOLE_SCALE.match(part) else part


def select(
    effects: pd.DataFrame,
    aliases: dict[str, list[str]],
    time_points=("post", "follow_up"),
    figures=("means", "change", "events", "printed", "p"),
) -> pd.DataFrame:
    """Add `selected` and `apart` (bool) and `selection` (why not selected, naming the row used; "" when selected).

    `selected` rows are the main analysis, of randomised trials; `apart` are those that the same rule takes of studies
    that are not randomised, which are shown and pooled by themselves (Cochrane Handbook, chapter 24).
    time_points, figures: in order of preference; rows of one that is not listed are never selected.
    """
    named = [name_instrument(x, aliases) for x in effects.instrument]
    kinds = effects.method.map({name: route.figures for name, route in ROUTES.items()})
    rows = effects.assign(
        scale=[name for name, _ in named],
        part=[part for _, part in named],
        moment=effects.time_point.map({point: i for i, point in enumerate(time_points)}),
        rank=kinds.map({kind: i for i, kind in enumerate(figures)}),
    )
    why = pd.concat([_choose(unit) for _, unit in rows.groupby(UNIT, dropna=False)]).reindex(effects.index)
    taken = why.eq("")
    return effects.assign(
        selected=taken & effects.randomised,
        apart=taken & ~effects.randomised,
        selection=why.mask(taken & ~effects.randomised, NOT_RANDOMISED),
    )


def _choose(unit: pd.DataFrame) -> pd.Series:
    why = pd.Series("", unit.index)
    left = unit[unit.moment.notna() & unit["rank"].notna()]
    why[unit.index.difference(left.index)] = "time point or kind of figure not part of this analysis"
    left = _keep_lowest(left, "moment", "a figure at {time_point} is used", why)
    left = _keep_lowest(left, "rank", "a figure by a better route ({method}) is used", why)
    for _, scale in left.groupby("scale"):
        _keep_one_per_part(scale, why)
    return why


def _keep_lowest(rows, column, text, why):
    if rows.empty:
        return rows
    best = rows[rows[column].eq(rows[column].min())]
    dropped = rows.index.difference(best.index)
    first = best.iloc[0]
    said = text.format(time_point=TIME_POINT[first.time_point], method=first.method)
    why[dropped] = f"{said}: {', '.join(best.row_id)}"
    return best


def _keep_one_per_part(scale, why):
    whole = scale[scale.part.eq("")]
    parts = scale[scale.part.ne("")]
    if len(whole) and len(parts):
        why[parts.index] = f"part of a scale whose total is used: {', '.join(whole.row_id)}"
        parts = parts.iloc[:0]
    for _, same in pd.concat([whole, parts]).groupby("part"):
        later_is_better = 1 if same.time_point.iloc[0] == "post" else -1
        order = same.assign(clear=same["flags"].eq(""), time=later_is_better * same.time_weeks.fillna(-1)).sort_values(
            ["clear", "time", "variance"], ascending=False, kind="stable"
        )
        why[order.index[1:]] = f"the same instrument is used in: {order.row_id.iloc[0]}"
