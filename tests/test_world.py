"""The map: the projection against its authors' values, and every country of the studies on it."""

import numpy as np
import pandas as pd
import pytest

from peersupport.figures import world
from peersupport.intake.rules import unknown_countries
from peersupport.store.tables import read_reference, read_table

WORLD_BANK_2026 = {"high": 87, "upper_middle": 54, "lower_middle": 50, "low": 25}  # economies, fiscal year 2026


def test_equal_earth_at_the_edges_of_the_world():
    """Šavrič, Patterson and Jenny 2018: half the equator is 2.7066 radii long, the pole at 1.3174."""
    x, y = world.equal_earth([0, 180, 0], [0, 0, 90]).T
    assert x == pytest.approx([0, 2.70663, 0], abs=1e-4)
    assert y == pytest.approx([0, 0, 1.31736], abs=1e-4)


def test_rings_are_closed_and_on_the_globe():
    for rings in world.country_rings().values():
        for ring in rings:
            assert np.allclose(ring[0], ring[-1])
            assert (np.abs(ring) <= [180.1, 90.1]).all()


def test_every_country_lies_where_its_circle_is_drawn():
    """The circle of a country stands within 3 degrees of the box around its outlines; one too small is a spot."""
    outlines = world.country_rings()
    countries = read_reference("countries.csv")
    drawn = countries[countries["iso_numeric"].isin(list(outlines))]
    assert len(drawn) > 170
    for row in drawn.itertuples():
        points = np.concatenate(outlines[row.iso_numeric])
        spot = np.array([row.longitude, row.latitude])
        assert (points.min(axis=0) - 3 <= spot).all() and (spot <= points.max(axis=0) + 3).all(), row.country


def test_the_list_of_countries_is_complete():
    """Every code of ISO 3166-1 that people live under, and the World Bank's groups in their published numbers.

    The Bank's one entry Channel Islands stands as two (Guernsey and Jersey); it leaves two economies open.
    """
    countries = read_reference("countries.csv")
    assert countries["country"].is_unique and countries["country"].str.fullmatch("[A-Z]{3}").all()
    number = countries["iso_numeric"]
    assert number.dropna().is_unique and countries["country"][number.isna()].tolist() == ["XKX"]
    assert countries[["name", "latitude", "longitude"]].notna().all(axis=None)
    found = countries["income_group"].value_counts().to_dict()
    assert found == WORLD_BANK_2026 | {"high": WORLD_BANK_2026["high"] + 1}
    assert {"ETH", "VEN"} <= set(countries["country"][countries["income_group"].isna()])
    on_the_map = set(world.country_rings()) - {world.ANTARCTICA}
    assert len(on_the_map - set(number.dropna())) <= 3  # Kosovo, Northern Cyprus, Somaliland have no number


def test_every_country_of_the_studies_has_its_row():
    studies = read_table("studies.csv")
    found = set(studies["country"].dropna().str.split(";").explode().str.strip())
    assert found <= set(read_reference("countries.csv")["country"])


def test_a_code_that_no_country_has_is_named_by_row():
    sheets = {"coder_a/studies": pd.DataFrame({"country": ["RWA", "GBR; XXX", ""]}, index=[2, 3, 4])}
    sheets["database/studies"] = pd.DataFrame({"study": ["A"]}, index=[2])
    found = list(unknown_countries(sheets, set(read_reference("countries.csv")["country"])))
    assert [(row["sheet"], row["row"], row["value"], row["rule"]) for row in found] == [
        ("coder_a/studies", 3, "XXX", "country_unknown")
    ]
