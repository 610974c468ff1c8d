"""The world map: countries filled by trials, circles by participants, in the Equal Earth
projection.

Boundaries are Natural Earth's, 1:110 million, in data/reference/world_boundaries.json (TopoJSON; its README says
whose): nothing is fetched. They say nothing about the legal status of any territory.
"""

from functools import cache

import numpy as np
import pandas as pd
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from peersupport.figures import style
from peersupport.store.tables import read_boundaries

ANTARCTICA = 10
CLASSES = ((1, 1), (2, 4), (5, 9), (10, 10_000))
CLASS_COLOURS = ("#D6E6F4", "#9CC8E2", "#4F9BCB", "#135FA7")
CIRCLE = style.VERMILION


def equal_earth(longitude, latitude) -> np.ndarray:
    """Degrees to plane coordinates (Šavrič, Patterson and Jenny 2018, doi
    10.1080/13658816.2018.1504949): shape (n, 2)."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    half_root_3 = np.sqrt(3) / 2
    t = np.arcsin(half_root_3 * np.sin(np.radians(latitude)))
    slope = a1 + 3 * a2 * t**2 + t**6 * (7 * a3 + 9 * a4 * t**2)
    x = np.radians(longitude) * np.cos(t) / (half_root_3 * slope)
    return np.column_stack([x, t * (a1 + a2 * t**2 + t**6 * (a3 + a4 * t**2))])


@cache
def country_rings() -> dict[int, list[np.ndarray]]:
    """ISO 3166-1 numeric code to the outlines of its parts, each an array of longitude and latitude
    (degrees)."""
    topology = read_boundaries()
    scale, translate = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(arc, axis=0) * scale + translate for arc in topology["arcs"]]
    rings: dict[int, list[np.ndarray]] = {}
    for place in topology["objects"]["subunits"]["geometries"]:
        parts = place["arcs"] if place["type"] == "MultiPolygon" else [place["arcs"]]
        outlines = [_ring(part[0], arcs) for part in parts]
        rings.setdefault(int(place["id"]), []).extend(outlines)
    return rings


def _ring(indices, arcs) -> np.ndarray:
    """TopoJSON: a ring is its arcs end to end, ~i being arc i backwards."""
    pieces = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
    return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])


def world_map(ax, table: pd.DataFrame, countries: pd.DataFrame):
    """`table` from by_country (a blank country is not drawn), `countries` with country,
    iso_numeric, latitude, longitude."""
    table = table.merge(countries, on="country", validate="one_to_one")
    trials = table.set_index("iso_numeric")["trials"]
    for code, rings in sorted(country_rings().items()):
        if code == ANTARCTICA:
            continue
        outlines = [equal_earth(*ring.T) for ring in rings]
        fill = _class_colour(trials.get(code, 0))
        ax.add_collection(PolyCollection(outlines, facecolor=fill, edgecolor="#8C8C8C", lw=0.25))
    spots = equal_earth(table["longitude"], table["latitude"])
    area = table["participants"] * AREA
    ax.scatter(*spots.T, s=area, facecolor="none", edgecolor=CIRCLE, lw=0.9, zorder=3)
    undrawn = ~table["iso_numeric"].isin(list(country_rings()))
    for spot, count in zip(spots[undrawn], table["trials"][undrawn], strict=True):
        ax.scatter(*spot, s=9, color=_class_colour(count), edgecolor="black", lw=0.4, zorder=4)
    style.leave_out_of_layout(ax.collections)
    ax.set(xlim=(-2.6, 2.66), ylim=(-1.02, 1.32), aspect="equal")
    ax.axis("off")
    _legends(ax)
    return ax


AREA = 0.02  # square points of a circle per participant


def _class_colour(count: int) -> str:
    for (low, high), colour in zip(CLASSES, CLASS_COLOURS, strict=True):
        if low <= count <= high:
            return colour
    return "#F4F4F4"


def _legends(ax) -> None:
    names = [str(low) if low == high else f"{low}–{high}" for low, high in CLASSES[:-1]]
    names = ["0", *names, f"{CLASSES[-1][0]} or more"]
    fills = [
        Patch(facecolor=_class_colour(low), edgecolor="#8C8C8C", lw=0.4) for low in (0, *(low for low, _ in CLASSES))
    ]
    first = ax.legend(fills, names, title="Trials", loc="lower left", bbox_to_anchor=(0.0, -0.02), alignment="left")
    ax.add_artist(first)
    sizes = (100, 1000, 5000)
    circles = [Line2D([], [], ls="", marker="o", mfc="none", mec=CIRCLE, mew=0.9, ms=np.sqrt(n * AREA)) for n in sizes]
    ax.legend(
        circles,
        [f"{n:,}" for n in sizes],
        title="Participants",
        loc="lower left",
        bbox_to_anchor=(0.14, -0.02),
        alignment="left",
        handletextpad=1.0,
        labelspacing=0.9,
    )
