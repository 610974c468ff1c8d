"""PRISMA 2020 flow diagram, laid out from its text: a row of boxes begins below the lowest box of the row before."""

import numpy as np
import pandas as pd
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.textpath import TextToPath

from peersupport.figures.style import GREY, PAGE, PALE, new_figure

FONT = 6.6  # points
LINE = 3.4  # height of a line of text, mm
PAD = 1.6  # between a box's edge and its text, mm
GAP = 5.5  # between two rows of boxes, mm
LEFT, BETWEEN = 9.5, 4  # where the first box begins, and between two columns, mm
STAGES = {"Identification": [0], "Screening": [1, 2, 3], "Included": [4]}


def draw_prisma(boxes: pd.DataFrame, reasons: dict[str, str]):
    """PRISMA 2020 diagram for databases and other methods; boxes: `column, box, detail, n`; reasons: code to label.

    Coordinates are millimetres; the figure is as high as its boxes need, whatever the number of databases.
    """
    counts = {
        key: dict(zip(part.detail, part.n, strict=True)) for key, part in boxes.groupby(["column", "box"], sort=False)
    }
    rows = _rows(counts, reasons)
    columns = _columns(several=("databases", "screened") in counts)
    placed, ends = _place(rows, columns)
    height = placed[-1][1] + placed[-1][3] + 3
    figure, axes = new_figure(PAGE, height, layout="none")
    axes.set_position([0, 0, 1, 1])
    axes.set(xlim=(0, PAGE), ylim=(height, 0))
    axes.axis("off")
    _bands(axes, columns)
    for name, (top, bottom) in ends.items():
        axes.add_patch(Rectangle((2, top), 5, bottom - top, facecolor=PALE, edgecolor=GREY, lw=0.5))
        axes.text(4.5, (top + bottom) / 2, name, rotation=90, ha="center", va="center", weight="bold")
    for x, y, width, tall, lines, color in placed:
        _box(axes, x, y, width, tall, lines, color)
    _arrows(axes, placed, columns)
    return figure


def _columns(several):
    """(left edge, width) of the four columns: databases, beside them, other methods, beside them; two of databases
    share one place where no export was supplied."""
    if not several:
        return [(10, 50), None, (66, 52), (124, 52)]
    width = (PAGE - 3 - LEFT - 3 * BETWEEN) / 4
    return [(LEFT + i * (width + BETWEEN), width) for i in range(4)]


# ---------------------------------------------------------------- what stands in the boxes


def _rows(counts, reasons):
    """Rows of the diagram from top to bottom, each the paragraphs of its boxes by column; the last is one wide box."""
    included = _lines(counts["included", "studies"] | counts["included", "reports"])
    databases, other = _database_boxes(counts, reasons), _other_boxes(counts, reasons)
    return [{**databases.get(row, {}), **other.get(row, {})} for row in range(4)] + [{2: included}]


def _database_boxes(counts, reasons):
    if ("databases", "screened") not in counts:
        return {0: {0: ["No database export was supplied:", "records were found by other methods only."]}}
    found = {box: part for (column, box), part in counts.items() if column == "databases"}
    total = {box: np.nansum(list(part.values())) for box, part in found.items()}
    boxes = {
        0: {
            0: [_with_n("Records identified", total["identified"], ":"), *_named(found["identified"])],
            1: [_with_n("Duplicates removed before screening", total["duplicates_removed"])],
        },
        1: {0: [_with_n("Records screened", total["screened"])]},
    }
    if "sought" not in found:
        boxes[1][1] = [
            _with_n("Records of included studies", total["matched"]),
            _with_n("Not among them", total["not_matched"]),
        ]
        return boxes
    boxes[1][1] = [_with_n("Records excluded", total["excluded_records"])]
    if total.get("undecided"):
        boxes[1][1].append(_with_n("Not yet decided", total["undecided"]))
    boxes[2] = {
        0: [_with_n("Reports sought for retrieval", total["sought"])],
        1: [_with_n("Reports not retrieved", total["not_retrieved"])],
    }
    boxes[3] = {
        0: [_with_n("Reports assessed for eligibility", total["assessed"]), *_lines(found["included_reports"])],
        1: _why(found.get("excluded", {}), reasons),
    }
    return boxes


def _other_boxes(counts, reasons):
    found = {box: part for (column, box), part in counts.items() if column == "other"}
    total = {box: np.nansum(list(part.values())) for box, part in found.items()}
    removed = _with_n("Records removed before screening", total["duplicates_removed"], ":")
    return {
        0: {
            2: [_with_n("Records identified", total["identified"], ":"), *_lines(found["identified"])],
            3: [removed, *_lines(found["duplicates_removed"])],
        },
        2: {
            2: [_with_n("Reports sought for retrieval", total["sought"])],
            3: [_with_n("Reports not retrieved", total["not_retrieved"])],
        },
        3: {
            2: [_with_n("Reports assessed for eligibility", total["assessed"])],
            3: _why(found.get("excluded", {}), reasons),
        },
    }


def _why(excluded, reasons):
    listed = sorted(excluded, key=excluded.get, reverse=True)
    total = _with_n("Reports excluded", sum(excluded.values()), ":" if listed else "")
    return [total, *(_with_n(reasons.get(code, code), excluded[code]) for code in listed)]


def _named(counts):
    return [_with_n(name, n) for name, n in counts.items()]


def _lines(counts):
    return [_with_n(f"{detail[:1].upper()}{detail[1:]}", n) for detail, n in counts.items()]


def _with_n(text, n, end=""):
    return f"{text} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{int(n):,}){end}"


# ---------------------------------------------------------------- where the boxes stand


def _place(rows, columns):
    """Boxes as (x, y, width, height, lines, colour) in order of rows, and top and bottom of each stage; a row without
    boxes takes no room."""
    y, placed, ends = 14.0, [], {}
    for name, numbers in STAGES.items():
        top, bottom = y, y
        for row in numbers:
            cells = [_cell(rows[row][column], column, row, columns, y) for column in sorted(rows[row])]
            if cells:
                placed += cells
                bottom = max(cell[1] + cell[3] for cell in cells)
                y = bottom + GAP
        ends[name] = top, bottom
    return placed, ends


def _cell(paragraphs, column, row, columns, y):
    x, width = columns[column]
    if row == 4:
        x = columns[0][0] if columns[1] else x
        width = columns[3][0] + columns[3][1] - x
    alone = column == 0 and not columns[1]
    lines = [line for paragraph in paragraphs for line in _wrapped(paragraph, width - 2.6 * PAD)]
    return x, y, width, LINE * len(lines) + 2.6, lines, GREY if alone else "black"


def _wrapped(paragraph, width):
    """Lines no wider than that many mm; those after the first are set in, and a word too long for a line is broken."""
    lines, line = [], ""
    for word in paragraph.split(" "):
        while _width(_joined(line, word, lines)) > width:
            if line.strip():
                lines.append(line)
                line = ""
                continue
            fits = next(
                n for n in range(len(word) - 1, 0, -1) if n == 1 or _width(_joined("", word[:n], lines)) <= width
            )
            lines.append(_joined("", word[:fits], lines))
            word = word[fits:]
        line = _joined(line, word, lines)
    return [*lines, line]


def _joined(line, word, lines):
    return f"{line} {word}" if line else "   " * bool(lines) + word


def _width(text):
    """Of a line as it is drawn, mm."""
    points, _, _ = TextToPath().get_text_width_height_descent(text, FontProperties(size=FONT), ismath=False)
    return points / 72 * 25.4


# ---------------------------------------------------------------- drawing


def _bands(axes, columns):
    (x, width), beside, (other, _), (last, last_width) = columns
    right = sum(beside) if beside else x + width
    for left, end, text in (
        (x, right, "Identification of studies\nvia databases and registers"),
        (other, last + last_width, "Identification of studies via other methods"),
    ):
        axes.add_patch(Rectangle((left, 3), end - left, 8.5, facecolor=PALE, edgecolor=GREY, lw=0.5))
        axes.text((left + end) / 2, 7.25, text, ha="center", va="center", weight="bold", fontsize=FONT)


def _box(axes, x, y, width, height, lines, color):
    axes.add_patch(Rectangle((x, y), width, height, facecolor="white", edgecolor=color, lw=0.7, gid="box"))
    for i, line in enumerate(lines):
        middle = y + 1.3 + LINE * (i + 0.5)
        axes.text(x + PAD, middle, line, va="center", color=color, fontsize=FONT, parse_math=False)


def _arrows(axes, placed, columns):
    """Down each left column from box to box, and from each of its boxes to the one beside it."""
    for column in (0, 2):
        if column == 0 and not columns[1]:
            continue
        x, width = columns[column]
        down = [box for box in placed[:-1] if box[0] == x] + placed[-1:]
        for (_, y, _, height, *_), below in zip(down, down[1:], strict=False):
            _arrow(axes, (x + width / 2, y + height), (x + width / 2, below[1]))
            if any(box[:2] == (columns[column + 1][0], y) for box in placed):
                _arrow(axes, (x + width, y + 3), (columns[column + 1][0], y + 3))


def _arrow(axes, start, end):
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=6, lw=0.7, color="black", shrinkA=0, shrinkB=0)
    )
