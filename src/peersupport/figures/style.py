"""How every figure looks: sizes in mm, fonts that ship with matplotlib, colours with a fixed meaning."""

import gc

import matplotlib as mpl
from matplotlib import pyplot as plt

COLUMN, PAGE = 90, 180  # widths of a journal's single and double column, mm
MM_PER_INCH = 25.4

# Okabe and Ito's palette: told apart by colour-blind readers; ordered here by lightness, so grey prints differ too.
BLACK, BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, YELLOW, GREY, PALE = (
    "#000000",
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#F0E442",
    "#7F7F7F",
    "#D9D9D9",
)

PEER_SUPPORT, COMPARATOR, NEITHER = BLUE, VERMILION, GREY
# Lighter to darker with the risk, so that grey prints keep the order; no information is white and hatched.
JUDGEMENT = {"low": "#9AD1F0", "some_concerns": ORANGE, "high": "#B34700", "no_information": "#FFFFFF"}
JUDGEMENT_SYMBOL = {"low": "+", "some_concerns": "−", "high": "×", "no_information": "?"}
JUDGEMENT_HATCH = {"low": "", "some_concerns": "", "high": "", "no_information": "////"}
MODALITY = {"in_person": BLUE, "digital": ORANGE, "telephone": GREEN, "hybrid": PURPLE, "nr": PALE}
THEME_GROUP = {"benefit": GREEN, "mechanism": SKY, "barrier": VERMILION, "facilitator": BLUE, "recommendation": PURPLE}
DESIGN_FAMILY = {
    "randomised": BLUE,
    "non_randomised": ORANGE,
    "mixed_methods": YELLOW,
    "qualitative": GREEN,
    "nr": PALE,
}
# Hatching tells apart in grey what colour tells apart on the screen.
DESIGN_FAMILY_HATCH = {"mixed_methods": "....", "qualitative": "////"}
MODALITY_HATCH = {"telephone": "////", "hybrid": "...."}
RECOVERY_TYPE = {"personal": BLUE, "clinical": VERMILION, "functional": GREEN}

RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # drawn in the first; an SVG says them all
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.0,
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 300,
    "hatch.linewidth": 0.4,
    "svg.hashsalt": "peersupport",
    "svg.fonttype": "none",
}


def use_style() -> None:
    """Call once at the head of a notebook that draws."""
    mpl.rcParams.update(RC)
    gc.set_threshold(100_000, 20, 20)  # a figure is many objects, and none is garbage yet


def new_figure(width_mm: float, height_mm: float, *grid, **kwargs):
    """plt.subplots with the figure's size in mm."""
    size = (width_mm / MM_PER_INCH, height_mm / MM_PER_INCH)
    return plt.subplots(*grid, figsize=size, **kwargs)


def leave_out_of_layout(artists) -> None:
    """For marks and numbers inside the axes: they do not move its edges, and measuring each is most
    of the time that a figure takes."""
    for artist in artists:
        artist.set_in_layout(False)
