"""The trail of an effect begins at the printed figure and ends at the value of the effects table."""

from functools import cache

import pytest
from scipy.stats import t

from peersupport.effects import routes
from peersupport.intake import clean, provenance
from peersupport.store.codebook import codebook
from peersupport.store.sheets import read_raw

ROUTES = ["means", "mean_difference", "standardised", "odds_ratio_rr", "hazard_ratio", "events_or", "p_value"]


@cache
def real():
    raw, _ = read_raw()
    book = codebook()
    cells = clean.decisions(raw)
    tables = clean.tidy(raw, cells, book)
    clusters = clean.as_numbers(raw["clusters"], book["sheets"]["clusters"])
    found, _ = routes.effect_sizes(tables["outcomes"], tables["studies"], clusters, 0.05, book)
    return raw, found.set_index("row_id"), provenance.trail(found, raw, cells["outcomes"])


def steps(row_id):
    return provenance.trace(row_id, real()[2])


@pytest.mark.parametrize("route", ROUTES)
def test_trail_leads_from_the_printed_figures_to_the_value(route):
    raw, found, _ = real()
    row_id = found.index[found.method.eq(route)][0]
    steps_here = steps(row_id)
    effect = found.loc[row_id]
    name = {"coder": "coder_a/outcomes", "open_database": "database/outcomes"}[effect.source]
    raw_row = raw[name].set_index("row_id").loc[row_id]
    printed = steps_here[steps_here.step.eq("printed")]
    assert len(printed) >= 4
    assert printed.value.tolist() == [raw_row[column] for column in printed.column]
    assert printed.note.str.startswith(name).all()
    value = steps_here[steps_here.step.eq("value")].set_index("column").value
    assert float(value["effect"]) == effect.effect and float(value["variance"]) == effect.variance
    assert steps_here.set_index("column").value["method"] == route
    last = steps_here.iloc[-1]
    assert last.step == "source" and last.value.startswith("http") and last.note == effect.locator


def test_trail_of_a_mean_difference_can_be_walked_by_hand():
    """What is printed, and nothing else, gives the value: MD and its interval through t."""
    told = steps("O0001")
    row = told[told.step.eq("printed")].set_index("column").value
    n1, n2, low, high = (float(row[c]) for c in ("n_arm1", "n_arm2", "ci_low", "ci_high"))
    se = (high - low) / (2 * t.ppf(0.975, n1 + n2 - 2))
    d = float(row["effect"]) / se * (1 / n1 + 1 / n2) ** 0.5
    value = told[told.step.eq("value")].set_index("column").value["effect"]
    assert float(value) == pytest.approx(d * (1 - 3 / (4 * (n1 + n2 - 2) - 1)), abs=1e-5)


def test_trail_names_corrections_with_their_reason():
    raw, *_ = real()
    corrected = steps("D0059").query("step == 'correction'")
    assert corrected.column.tolist() == ["sd_arm1", "sd_arm2"]
    assert corrected.value.tolist() == ["0.98995", "1.05"]
    assert corrected.note.str.contains("standard error").all()
    printed = steps("D0059").query("step == 'printed'").set_index("column").value
    assert printed["sd_arm1"] == "0.14"


def test_trail_names_every_consensus_with_the_second_coders_value():
    raw, found, trail = real()
    rulings = raw["consensus"].query("sheet == 'outcomes'")
    rulings = rulings[rulings.key.isin(found.index)]
    assert len(rulings) > 20
    told = trail[trail.step.eq("consensus")]
    assert sorted(zip(told.row_id, told.column, told.value, told.note, strict=True)) == sorted(
        zip(rulings.key, rulings.column, rulings.value, rulings.reason, strict=True)
    )
    second = trail[trail.step.eq("second coder")]
    assert sorted(zip(second.row_id, second.column, second.value, strict=True)) == sorted(
        zip(rulings.key, rulings.column, rulings.b, strict=True)
    )


def test_trail_shows_the_flag_of_a_wrong_sign():
    flag = steps("D0016").query("step == 'flag'")
    assert "database_sign_conflict" in flag.value.iloc[0]


def test_every_effect_has_a_trail_in_the_order_of_the_steps():
    _, found, trail = real()
    assert set(trail.row_id) == set(found.index)
    order = ["printed", "second coder", "consensus", "correction", "route", "direction", "flag", "value", "source"]
    rank = trail.step.map(order.index).replace(order.index("consensus"), order.index("second coder"))
    assert rank.groupby(trail.row_id, sort=False).agg(lambda part: part.is_monotonic_increasing).all()


def test_row_without_a_trail_is_named():
    with pytest.raises(KeyError, match="O9999 is not a selected effect"):
        provenance.trace("O9999", real()[2])
