"""Tables as a manuscript prints them: great-tables for HTML, python-docx for Word, from one
description."""

import io
import re
import zipfile
from dataclasses import dataclass, field

import pandas as pd
from docx import Document
from docx.enum.section import WD_ORIENT
from docx.shared import Mm, Pt
from great_tables import GT, md
from IPython.display import HTML

WRITTEN = re.compile(rb"(?<=W3CDTF\">)[^<]+")  # when a document was made or changed
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip file can hold: the same bytes on every run


@dataclass(frozen=True)
class PublicationTable:
    """What is printed: `body` holds text as it is to be read, its columns named as in the heading.

    `group` names the column whose value stands as a heading above its rows (which must stand
    together); `notes` are the footnotes, one sentence each.
    """

    name: str
    title: str
    body: pd.DataFrame
    group: str | None = None
    notes: list[str] = field(default_factory=list)

    def html(self, height: str | None = None) -> GT:
        """For the notebook and the web; `height` (e.g. "420px") makes a long table scroll under its
        heading."""
        stub = next(column for column in self.body.columns if column != self.group)
        table = GT(self.body, rowname_col=stub, groupname_col=self.group, id=self.name, auto_align=False)
        table = table.tab_header(title=md(f"**{self.title}**")).tab_stubhead(label=stub)
        table = (
            table.cols_align("left")
            .opt_align_table_header("left")
            .tab_options(
                table_font_size="12px",
                data_row_padding="3px",
                row_group_font_weight="bold",
                container_height=height,
                container_overflow_y="auto" if height else None,
            )
        )
        if height:
            table = table.opt_css(f"#{self.name} thead {{position: sticky; top: 0; background: white}}")
        for note in self.notes:
            table = table.tab_source_note(note)
        return table

    def fragment(self, height: str | None = None) -> HTML:
        """For the output of a cell; without each cell's list of headings, which is most of a long
        table's bytes."""
        text = self.html(height).as_raw_html()
        return HTML(re.sub(r' headers="[^"]*"', "", text))

    def page(self) -> str:
        """A whole HTML page."""
        return self.html().as_raw_html(make_page=True)

    def word(self) -> bytes:
        """A Word document (.docx), landscape A4, the heading row repeated on each page; the same
        bytes on every run."""
        document = Document()
        _landscape(document)
        document.add_paragraph().add_run(self.title).bold = True
        columns = [column for column in self.body.columns if column != self.group]
        grid = document.add_table(rows=1, cols=len(columns), style="Light List")
        _fill(grid.rows[0], columns)
        _repeat_heading(grid.rows[0])
        heading = None
        for values in self.body.to_dict("records"):
            if self.group and values[self.group] != heading:
                heading = values[self.group]
                _fill(grid.add_row(), [heading], bold=True)
            _fill(grid.add_row(), [values[column] for column in columns])
        for note in self.notes:
            document.add_paragraph().add_run(note).font.size = Pt(8)
        return same_bytes(document)


def _landscape(document) -> None:
    page = document.sections[0]
    page.orientation = WD_ORIENT.LANDSCAPE
    page.page_width, page.page_height = Mm(297), Mm(210)
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = Mm(15)


def _fill(row, texts, bold: bool | None = None) -> None:
    cells = row.cells
    if len(texts) == 1:
        cells = [cells[0].merge(cells[-1])]
    for place, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        run = cell.paragraphs[0].add_run("" if pd.isna(text) else str(text))
        run.font.size = Pt(8)
        run.bold = bold if bold is not None else (None if place else False)


def _repeat_heading(row) -> None:
    properties = row._tr.get_or_add_trPr()
    properties.append(properties.makeelement(f"{{{row._tr.nsmap['w']}}}tblHeader", {}))


def same_bytes(document) -> bytes:
    """A Word document's or a workbook's parts with one fixed date, so that a rerun gives the same file."""
    saved, fixed = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(fixed, "w") as target:
        for part in source.namelist():
            entry = zipfile.ZipInfo(part, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, WRITTEN.sub(b"1980-01-01T00:00:00Z", source.read(part)))
    return fixed.getvalue()


def count_and_share(count: float, share: float) -> str:
    """12 (34%)."""
    return f"{count:,.0f} ({share:.0%})"


def median_and_quartiles(median: float, q1: float, q3: float, stated: int) -> str:
    """40 (33 to 48) [12]: median, quartiles, and in brackets the studies that state the value; one
    value stands alone."""
    if not stated:
        return "–"
    if stated == 1:
        return f"{median:,.0f} [1]"
    return f"{median:,.0f} ({q1:,.0f} to {q3:,.0f}) [{stated}]"


def summary_body(summary: pd.DataFrame, group_labels: dict[str, str]) -> pd.DataFrame:
    """Table 2 as printed, from one or more tables of summary_by stacked; group_labels names the
    groupings."""
    rows = [
        {
            "Grouping": group_labels["all" if row.level == "all" else row.grouping],
            "Level": row.label,
            "Studies, n (%)": count_and_share(row.studies, row.share),
            "Trials or samples, n": f"{row.trials:,}",
            "Randomised trials, n": f"{row.randomised:,}",
            "Participants, n": f"{row.participants:,.0f}",
            **{
                name: median_and_quartiles(*(getattr(row, f"{code}_{part}") for part in PARTS))
                for code, name in SPREADS.items()
            },
        }
        for row in summary.itertuples()
    ]
    return pd.DataFrame(rows)


PARTS = ("median", "q1", "q3", "stated")
SPREADS = {
    "participants": "Participants per trial, median (IQR) [k]",
    "mean_age": "Mean age, years, median (IQR) [k]",
    "percent_women": "Women, %, median (IQR) [k]",
    "duration_weeks": "Duration, weeks, median (IQR) [k]",
}


def characteristics_body(table: pd.DataFrame, full: bool) -> pd.DataFrame:
    """Table 1 as printed, from descriptives.characteristics; `full` adds what only the supplement
    has room for."""
    delivery = [_delivery(*pair) for pair in zip(table["modality"], table["structure"], strict=True)]
    year = table["year"].map(lambda value: "no date" if pd.isna(value) else f"{value:.0f}")
    body = pd.DataFrame(
        {
            "Population": table["population"],
            "Study": table["study"],
            "Year": year,
            "Country": table["country"].fillna("nr"),
            "Design": table["design"],
            "Setting": table["setting"],
            "Delivery, format": delivery,
            "Peer support": table["condition_arm1"],
            "Comparator": table["condition_arm2"],
            "Participants, n": table["participants"].map(_whole),
            "Mean age, years": table["mean_age"].map(_whole),
            "Women, %": table["percent_women"].map(_whole),
            "Weeks (last follow-up)": [
                f"{_whole(weeks)} ({_whole(last)})"
                for weeks, last in zip(table["duration_weeks"], table["followup_weeks"], strict=True)
            ],
        }
    )
    if full:
        body["Source seen"] = table["source_type"]
        return body.replace("Not reported", "nr")
    return body.drop(columns=["Year", "Setting"]).replace("Not reported", "nr")


def _delivery(modality: str, structure: str) -> str:
    """In person, group; nr where neither is told."""
    told = {"Both": "one to one and group"}.get(structure, structure.lower())
    if modality == structure == "Not reported":
        return "nr"
    if modality == "Not reported":
        return f"nr, {told}"
    return modality if structure == "Not reported" else f"{modality}, {told}"


def _whole(value: float) -> str:
    return "nr" if pd.isna(value) else f"{value:,.0f}"


def stack_summaries(*summaries: pd.DataFrame) -> pd.DataFrame:
    """Tables of summary_by below one another, the line of all studies once, at the end."""
    levels = [table[table["level"] != "all"] for table in summaries]
    return pd.concat([*levels, summaries[0][summaries[0]["level"] == "all"]], ignore_index=True)


CHARACTERISTICS_NOTES = [
    "nr: not reported in the source seen (mostly the abstract), which does not mean that it was absent.",
    "Participants: the number randomised; where only the arms are stated, their sum; for trials "
    "known from the open database alone, the largest number analysed. Country: ISO 3166-1 alpha-3 "
    "code.",
    "Weeks: duration of the intervention, in brackets the last follow-up counted from the start.",
]
SUMMARY_NOTES = [
    "Percentages are of all included studies. A trial with several reports counts once among "
    "trials and participants; where its reports belong to different levels, once in each.",
    "IQR: interquartile range. Medians with quartiles in round brackets are over the studies or "
    "trials that state the value; k, in square brackets, is their number. –: no study states it.",
    "Not reported: the source seen does not tell how peer support was delivered, or delivery does "
    "not apply (studies of the workforce).",
]
