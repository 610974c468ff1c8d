"""The map: the projection against its authors' values, and every country of the studies on it."""

import numpy as np
import pytest

from peersupport.figures import world
from peersupport.store.tables import read_reference, read_table

TOO_SMALL_FOR_THE_MAP = {"HKG", "SGP"}  # at 1:110 million; drawn as a spot


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
    """The circle of a country stands within the box around its outlines."""
    outlines = world.country_rings()
    for row in read_reference("countries.csv").itertuples():
        if row.country in TOO_SMALL_FOR_THE_MAP:
            assert row.iso_numeric not in outlines
            continue
        points = np.concatenate(outlines[row.iso_numeric])
        spot = np.array([row.longitude, row.latitude])
        assert (points.min(axis=0) <= spot).all() and (spot <= points.max(axis=0)).all(), row.country


def test_every_country_of_the_studies_has_its_row():
    studies = read_table("studies.csv")
    found = set(studies["country"].dropna().str.split(";").explode().str.strip())
    assert found <= set(read_reference("countries.csv")["country"])
