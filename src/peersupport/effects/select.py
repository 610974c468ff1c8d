"""Which effects enter the main analysis: one figure per trial, domain and instrument, by a written rule.

Within a trial (companion reports are one trial), an outcome domain, a family of effects and a direction of events:
1. end of intervention before follow-up;
2. means before change scores before events before printed effects before p;
3. of one instrument met twice in the same people and arms the better route, else the whole scale, else a row without a
   flag of an implausible interval or of clusters not allowed for, else the later end of intervention or the earlier
   follow-up, else the open database's row (its two raters had the full text); never by which effect is larger.
What is left, rows that tie among them, is combined within the trial when it is pooled (effects.arms says how).
"""

import pandas as pd

from peersupport.effects.arms import ARMS
from peersupport.effects.instruments import name_instrument
from peersupport.effects.routes import ROUTES

UNIT = ["trial", "outcome_domain", "family", "event"]
TIME_POINT = {"post": "end of intervention", "follow_up": "follow-up"}
NOT_RANDOMISED = "not randomised: shown and pooled apart from the trials"


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
    rows = effects.reindex(columns=[*effects, *(name for name in ARMS if name not in effects)]).assign(
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
    for _, same in pd.concat([whole, parts]).groupby(["part", *ARMS], dropna=False):
        later_is_better = 1 if same.time_point.iloc[0] == "post" else -1
        order = pd.DataFrame(
            {
                "plausible": ~same["flags"].str.contains("implausibly_large"),
                "clusters": ~same["flags"].str.contains("cluster_unadjusted"),
                "time": later_is_better * same.time_weeks.fillna(-1),
                "database": same["source"].eq("open_database"),
            }
        )
        best = order.eq(order.sort_values(list(order), ascending=False).iloc[0]).all(axis=1)
        why[same.index[~best]] = f"the same instrument is used in: {', '.join(same.row_id[best])}"
