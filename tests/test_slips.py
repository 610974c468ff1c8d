"""Slips that a source itself prints: the sheets keep what is printed, corrections.csv mends it, and the chain runs."""

from small_sheets import BOOK, as_csv, grids

from peersupport.intake import validation
from peersupport.store.sheets import parse


def problems(*, corrections=(), p="", clusters="", **cells):
    """Problems of the small sheets with these cells in the first printed effect of both coders' outcomes."""
    files = grids()
    for name in ("coder_a/outcomes", "coder_b/outcomes"):
        header, *rows = files[name]
        row = next(row for row in rows if row[header.index("outcome_type")] == "precalc")
        for column, value in (cells | ({"p_value": p, "p_operator": "="} if p else {})).items():
            row[header.index(column)] = value
        key = row[header.index("row_id")]
    if clusters:
        files["clusters"][1][files["clusters"][0].index("clusters")] = clusters
    header = files["corrections"][0]
    for column, printed, value in corrections:
        made = dict(sheet="outcomes", key=key, column=column, printed=printed, value=value)
        made |= dict(reason="as its text says")
        files["corrections"].append([made.get(name, "") for name in header])
    tables = {name: parse(name, as_csv(grid))[0] for name, grid in files.items()}
    found = validation.validate(tables, [], BOOK)
    return {(row.rule, row.severity) for row in found.itertuples()}


UPSIDE_DOWN = dict(measure="SMD", effect="0.20", ci_low="0.35", ci_high="0.05", se="")


def test_an_interval_printed_upside_down_stops_the_chain_until_it_is_corrected():
    assert ("interval_upside_down", "error") in problems(**UPSIDE_DOWN)
    mended = problems(**UPSIDE_DOWN, corrections=[("ci_low", "0.35", "0.05"), ("ci_high", "0.05", "0.35")])
    assert ("interval_upside_down", "warning") in mended and not [rule for rule, how in mended if how == "error"]


def test_a_correction_that_mends_half_is_still_an_error():
    half = problems(**UPSIDE_DOWN, corrections=[("ci_low", "0.35", "0.15")])
    assert ("interval_upside_down", "error") in half


def test_a_ratio_printed_as_zero_can_be_corrected():
    zero = dict(measure="OR", effect="0.45", ci_low="0.00", ci_high="0.98", se="", positive_favours="arm2")
    assert ("ratio_not_positive", "error") in problems(**zero)
    mended = problems(**zero, corrections=[("ci_low", "0.00", "0.004")])
    assert ("ratio_not_positive", "warning") in mended and not [rule for rule, how in mended if how == "error"]


def test_a_p_of_zero_and_more_clusters_than_people_are_warnings():
    assert ("p_is_zero", "warning") in problems(p="0.000")
    assert ("clusters_exceed_people", "warning") in problems(clusters="4000")
