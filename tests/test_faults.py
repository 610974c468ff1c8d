"""Each kind of fault that a sheet can have, in one small spoiled copy: what is said about it, and that nothing breaks.

A spoiling function changes one thing in the files of a tiny project that has no fault (small_sheets). The files are
then read as notebook 01 reads them.
"""

import datetime
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.formula import ArrayFormula
from small_sheets import BOOK, as_bytes, as_csv, grids, through, tidied, workbook, write_project

from peersupport.intake import schema, validation
from peersupport.store import codebook
from peersupport.store.sheets import ODDITIES, parse, read_raw

# ---------------------------------------------------------------- ways to spoil


def put(sheet, row, column, value):
    """One cell; the row as a spreadsheet shows it."""

    def spoil(files):
        grid = files[sheet]
        grid[row - 1][grid[0].index(column)] = value

    return spoil


def both(*spoils):
    def spoil(files):
        for one in spoils:
            one(files)

    return spoil


def rename(sheet, old, new):
    return put(sheet, 1, old, new)


def add_column(sheet, name, values=("x",)):
    def spoil(files):
        grid = files[sheet]
        for i, row in enumerate(grid):
            row.append(name if i == 0 else values[(i - 1) % len(values)])

    return spoil


def drop_column(sheet, name):
    def spoil(files):
        at = files[sheet][0].index(name)
        files[sheet] = [row[:at] + row[at + 1 :] for row in files[sheet]]

    return spoil


def drop_row(sheet, row):
    return lambda files: files[sheet].pop(row - 1)


def add_row(sheet, like, /, **cells):
    """A copy of a row at the end, with other cells."""

    def spoil(files):
        grid = files[sheet]
        old = dict(zip(grid[0], grid[like - 1], strict=True))
        grid.append(list((old | cells).values()))

    return spoil


def insert(sheet, row, cells=()):
    return lambda files: files[sheet].insert(row - 1, list(cells))


def cut(sheet, row, cells):
    """A row that ends too early."""
    return lambda files: files[sheet][row - 1].__delitem__(slice(-cells, None))


def content(sheet, make):
    """The bytes of the file instead of its grid."""
    return lambda files: files.update({sheet: make(files[sheet])})


def text(sheet, old, new):
    return content(sheet, lambda grid: as_csv(grid).replace(old, new, 1))


def as_workbook(sheet, tweak=lambda page: None):
    """The sheet as .xlsx, with a tweak to its page."""

    def spoil(files):
        book = workbook(files.pop(sheet))
        tweak(book.active)
        files[f"{sheet}.xlsx"] = as_bytes(book)

    return spoil


def cell(address, value, number_format=None):
    def tweak(page):
        page[address] = value
        if number_format:
            page[address].number_format = number_format

    return tweak


def second_page(page):
    page.parent.create_sheet("old version").append(["study", "note"])


def empty_page(page):
    page.parent.create_sheet("Sheet2").column_dimensions["C"].width = 30


def column_letter(sheet, column):
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[grids()[sheet][0].index(column)]


# ---------------------------------------------------------------- the faults


@dataclass(frozen=True)
class Fault:
    name: str
    spoil: object
    rule: str
    sheet: str
    row: object
    column: str
    value: str = ""
    severity: str = "error"
    also: frozenset = field(default=frozenset())  # rules that must follow from the same fault

    def __str__(self):
        return self.name.replace(" ", "_")


DB, A, B = "database/outcomes", "coder_a/", "coder_b/"
W = "warning"


def in_database(name, row, column, value, rule, severity="error", also=()):
    """A fault in one cell of the database's outcomes, which no second coder and no consensus touches."""
    return Fault(name, put(DB, row, column, value), rule, DB, row, column, value, severity, frozenset(also))


CELLS = [
    in_database("unknown code", 2, "outcome_domain", "happiness", "unknown_code"),
    in_database("code in capitals", 2, "outcome_type", "MSD", "unknown_code"),
    in_database("text in a number", 2, "mean_arm2", "about 33", "text_in_number"),
    in_database("text over two lines in a number", 2, "mean_arm2", "33\nor 34", "text_in_number", also=["line_break"]),
    in_database("digits of another script", 2, "mean_arm2", "٣٣", "text_in_number"),
    in_database("number beyond all bounds", 2, "mean_arm2", "1e999", "text_in_number"),
    in_database("word that software reads as a number", 2, "mean_arm2", "inf", "text_in_number"),
    in_database("decimal comma", 2, "mean_arm2", "33,0", "decimal_comma"),
    in_database("percent sign", 2, "mean_arm2", "33 %", "percent_sign"),
    in_database("range turned into a date", 2, "mean_arm2", "12-May", "date_in_cell"),
    in_database("month and year", 2, "mean_arm2", "Mai-12", "text_in_number"),
    in_database("month and year in English", 2, "mean_arm2", "May-12", "date_in_cell"),
    in_database("ISO date", 2, "mean_arm2", "2012-05-03 00:00:00", "date_in_cell"),
    in_database("sign in a number", 5, "p_value", "<0.05", "sign_in_number"),
    in_database("typographic minus", 2, "mean_arm2", "−33", "typographic_minus"),
    in_database("negative SD", 2, "sd_arm2", "-6.1", "out_of_range"),
    in_database("SD of 0", 3, "sd_arm2", "0", "out_of_range"),
    in_database("n of 1", 3, "n_arm1", "1", "out_of_range"),
    in_database("half a person", 3, "n_arm1", "80.5", "not_whole"),
    in_database("p above 1", 5, "p_value", "1.02", "out_of_range", also=["p_disagrees"]),
    in_database("required cell blank", 3, "time_point", "", "blank"),
    in_database("row id against its pattern", 3, "row_id", "D2", "pattern"),
    in_database("bad URL", 3, "source_url", "www.example.org/report", "url_syntax", W),
    in_database("formula in a csv", 2, "mean_arm2", "=30+3", "formula", also=["text_in_number"]),
    in_database("formula after a sign", 2, "note", "-2+cmd|' /C calc'!A0", "formula"),
    in_database("function after an at sign", 2, "note", "@SUM(A1:A9)", "formula"),
    in_database("markup in a cell", 2, "note", "see <img src=x onerror=alert(1)>", "markup"),
    in_database("link in a cell", 2, "instrument", "[HHI](https://example.org)", "markup"),
    in_database("address that runs", 2, "note", "javascript:alert(1)", "markup"),
    in_database("text that runs backwards", 2, "note", "\u202eecnereffid on", "hidden_character"),
    in_database("failed formula", 2, "note", "#REF!", "spreadsheet_error"),
    in_database("lost character", 2, "note", "Sant\ufffd", "lost_character"),
    in_database("accent decoded wrongly", 2, "note", "SantÃ© mentale", "misdecoded_text"),
    in_database("line break in a cell", 2, "note", "first\nsecond", "line_break", W),
    in_database("events above total", 4, "event_arm1", "81", "events_above_total"),
    in_database("interval upside down", 5, "ci_low", "3.1", "interval_upside_down"),
    Fault(
        "interval without width",
        both(put(DB, 6, "ci_low", "0.55"), put(DB, 6, "p_value", "")),
        "interval_upside_down",
        DB,
        6,
        "ci_low",
        "0.55",
    ),
    in_database("effect outside its interval", 5, "effect", "0.9", "effect_outside_interval", also=["p_disagrees"]),
    in_database("ratio of 0", 5, "ci_low", "0", "ratio_not_positive"),
    in_database("p that disagrees with the interval", 6, "p_value", "0.4", "p_disagrees", W),
    in_database("p that disagrees with a ratio's interval", 5, "p_value", "0.0001", "p_disagrees", W),
    in_database("row id of the coders", 3, "row_id", "O0003", "duplicate_key"),
    Fault(
        "SD that looks like a standard error",
        both(put(DB, 3, "sd_arm1", "0.6"), put(DB, 3, "sd_arm2", "0.6")),
        "sd_like_se",
        DB,
        3,
        "sd_arm1, sd_arm2",
        "0.6, 0.6",
        W,
    ),
    Fault("figures not all there", put(DB, 2, "sd_arm2", ""), "figures_incomplete", DB, 2, "sd_arm2", "", W),
    Fault("year out of range", put("records", 6, "year", "2201"), "out_of_range", "records", 6, "year", "2201"),
    Fault(
        "percent above 100",
        put("database/studies", 2, "percent_women", "140"),
        "out_of_range",
        "database/studies",
        2,
        "percent_women",
        "140",
    ),
    Fault(
        "age of 4", put("database/studies", 2, "mean_age", "4"), "out_of_range", "database/studies", 2, "mean_age", "4"
    ),
    Fault(
        "bad DOI",
        put("records", 6, "doi", "https://doi.org/10.1/x"),
        "doi_syntax",
        "records",
        6,
        "doi",
        "https://doi.org/10.1/x",
        W,
    ),
    Fault(
        "bad country code",
        put("database/studies", 2, "country", "UK"),
        "country_code",
        "database/studies",
        2,
        "country",
        "UK",
        W,
    ),
    Fault(
        "countries joined by a comma",
        put(A + "studies", 2, "country", "GBR,USA"),
        "country_code",
        A + "studies",
        2,
        "country",
        "GBR,USA",
        W,
    ),
    Fault(
        "range turned into a date in a text column",
        put("database/studies", 2, "sessions", "12-Aug"),
        "date_in_cell",
        "database/studies",
        2,
        "sessions",
        "12-Aug",
        W,
    ),
    Fault(
        "code tolerated",
        put(A + "studies", 2, "modality", "nr"),
        "tolerated_code",
        A + "studies",
        2,
        "modality",
        "nr",
        W,
        frozenset(["undecided"]),
    ),
    Fault(
        "theme under a wrong group",
        put(A + "themes", 5, "theme_group", "barrier"),
        "unknown_code",
        A + "themes",
        5,
        "theme",
        "hope",
        also=frozenset(["undecided"]),
    ),
    Fault(
        "appraisal domain under a wrong tool",
        put("database/appraisal", 2, "domain", "confounding"),
        "unknown_code",
        "database/appraisal",
        2,
        "domain",
        "confounding",
    ),
    Fault(
        "appraisal tool unknown",
        put("database/appraisal", 2, "tool", "rob 2"),
        "unknown_code",
        "database/appraisal",
        2,
        "tool",
        "rob 2",
    ),
]

TABLES = [
    Fault(
        "wrong header",
        rename(DB, "mean_arm1", "Mean_arm1"),
        "missing_column",
        DB,
        1,
        "mean_arm1",
        also=frozenset(["extra_column"]),
    ),
    Fault("missing column", drop_column("reviews", "amstar2"), "missing_column", "reviews", 1, "amstar2"),
    Fault("missing key column", drop_column("clusters", "study"), "missing_column", "clusters", 1, "study"),
    Fault("extra column", add_column("reviews", "checked_by"), "extra_column", "reviews", 1, "checked_by"),
    Fault("column without a name", add_column("reviews", ""), "ragged_row", "reviews", 2, "", "23 cells"),
    Fault(
        "column without a name in front",
        lambda files: [row.insert(0, str(i) if i else "") for i, row in enumerate(files["reviews"])],
        "extra_column",
        "reviews",
        1,
        "(no name)",
    ),
    Fault(
        "database column in a coder's sheet",
        add_column(A + "outcomes", "recovery_type", ("personal",)),
        "extra_column",
        A + "outcomes",
        1,
        "recovery_type",
    ),
    Fault("duplicate column", add_column("reviews", "note"), "duplicate_column", "reviews", 1, "note", "note"),
    Fault(
        "duplicate column among the codes",
        add_column(A + "studies", "design", ("rct",)),
        "duplicate_column",
        A + "studies",
        1,
        "design",
        "design",
    ),
    Fault("duplicate key", add_row("clusters", 2, icc="0.5"), "duplicate_key", "clusters", 3, "study", "Baker 2022"),
    Fault("duplicate row id", add_row(DB, 2), "duplicate_key", DB, 7, "row_id", "D0001"),
    Fault(
        "duplicate theme",
        add_row(A + "themes", 3),
        "duplicate_key",
        A + "themes",
        6,
        "study, theme_group, theme",
        "Dunn 2024|benefit|hope",
    ),
    Fault("ragged row", cut("reviews", 2, 3), "ragged_row", "reviews", 2, "", "19 cells"),
    Fault(
        "ragged row, too long",
        lambda files: files["reviews"][1].append("x"),
        "ragged_row",
        "reviews",
        2,
        "",
        "23 cells",
    ),
    Fault("header only", lambda files: files["claims"].pop(), "header_only", "claims", "", ""),
    Fault("orphan study in outcomes", put(DB, 2, "study", "Evans 2021"), "orphan_study", DB, 2, "study", "Evans 2021"),
    Fault(
        "orphan study in appraisal",
        put("database/appraisal", 2, "study", "Evans 2021"),
        "orphan_study",
        "database/appraisal",
        2,
        "study",
        "Evans 2021",
    ),
    Fault(
        "orphan study in trials",
        put("trials", 2, "study", "Clark 2032"),
        "orphan_study",
        "trials",
        2,
        "study",
        "Clark 2032",
    ),
    Fault("orphan trial", put("trials", 2, "trial", "Abel 2021"), "orphan_study", "trials", 2, "trial", "Abel 2021"),
    Fault(
        "orphan study in clusters",
        put("clusters", 2, "study", "Baker"),
        "orphan_study",
        "clusters",
        2,
        "study",
        "Baker",
    ),
    Fault(
        "orphan theme",
        both(put(A + "themes", 5, "study", "Frsot 2020"), put(B + "themes", 4, "study", "Frsot 2020")),
        "orphan_theme",
        A + "themes",
        5,
        "study",
        "Frsot 2020",
        W,
    ),
    Fault(
        "trial that belongs to a trial",
        add_row("trials", 2, study="Baker 2022", trial="Clark 2023"),
        "trial_of_trial",
        "trials",
        3,
        "trial",
        "Clark 2023",
    ),
    Fault(
        "same DOI twice, of another title and first author",
        put(A + "studies", 5, "doi", "https://doi.org/10.1000/ABLE"),
        "study_twice",
        A + "studies",
        5,
        "doi",
        "https://doi.org/10.1000/ABLE",
        severity="warning",
        also=frozenset(["doi_syntax"]),
    ),
    Fault(
        "same title twice",
        put(A + "studies", 5, "title", "Peers, in villages!"),
        "study_twice",
        A + "studies",
        5,
        "title",
        "Peers, in villages!",
    ),
    Fault(
        "same title under another key in the database",
        put("database/studies", 2, "title", "Peers in villages"),
        "study_twice",
        "database/studies",
        2,
        "title",
        "Peers in villages",
    ),
    Fault(
        "year other than the key's",
        put(A + "studies", 3, "year", "2021"),
        "year_of_key",
        A + "studies",
        3,
        "year",
        "2021",
        W,
    ),
    Fault(
        "more people in the arms than randomised",
        put(A + "studies", 2, "n_randomised", "150"),
        "arms_exceed_randomised",
        A + "outcomes",
        2,
        "n_arm1, n_arm2",
        "155",
        W,
        frozenset(["undecided"]),
    ),
    Fault("exclusion without reason", put("records", 6, "reason", ""), "reason_missing", "records", 6, "reason"),
    Fault(
        "inclusion with reason",
        put("records", 2, "reason", "protocol_only"),
        "reason_needless",
        "records",
        2,
        "reason",
        "protocol_only",
    ),
    Fault(
        "database and coders disagree",
        put("database/studies", 3, "design", "cohort"),
        "database_disagrees",
        "database/studies",
        3,
        "design",
        "cohort",
        W,
    ),
]

CODERS = [
    Fault(
        "study coded by one only", drop_row(B + "studies", 5), "coded_by_one", A + "studies", 5, "study", "Dunn 2024"
    ),
    Fault(
        "study of the second coder only",
        add_row(B + "studies", 5, study="Gray 2021"),
        "coded_by_one",
        B + "studies",
        6,
        "study",
        "Gray 2021",
        also=frozenset(["orphan_study"]),
    ),
    Fault("outcome row by one only", drop_row(B + "outcomes", 6), "coded_by_one", A + "outcomes", 6, "row_id", "O0005"),
    Fault(
        "outcome row of the second coder only",
        drop_row(A + "outcomes", 6),
        "coded_by_one",
        B + "outcomes",
        6,
        "row_id",
        "O0005",
    ),
    Fault(
        "appraisal of the second coder only",
        drop_row(A + "appraisal", 4),
        "coded_by_one",
        B + "appraisal",
        4,
        "study, tool, domain",
        "Dunn 2024|casp_qual|aims",
    ),
    Fault(
        "form changed",
        put(B + "outcomes", 2, "instrument", "PHQ-8"),
        "form_changed",
        B + "outcomes",
        2,
        "instrument",
        "PHQ-8",
    ),
    Fault("consensus missing", drop_row("consensus", 3), "undecided", "consensus", "", "mean_arm1", "'8.1' or '8.7'"),
    Fault(
        "consensus missing on a theme", drop_row("consensus", 5), "undecided", "consensus", "", "reported", "'1' or '0'"
    ),
    Fault(
        "consensus for a cell that does not differ",
        add_row("consensus", 2, key="Dunn 2024"),
        "no_difference",
        "consensus",
        6,
        "value",
        "digital",
    ),
    Fault(
        "consensus outdated",
        put(B + "outcomes", 4, "mean_arm1", "8.8"),
        "outdated_decision",
        "consensus",
        3,
        "a, b",
        "8.1, 8.7",
    ),
    Fault(
        "consensus for no such cell",
        put("consensus", 2, "key", "Clark 2032"),
        "no_such_cell",
        "consensus",
        2,
        "key, column",
        "Clark 2032, modality",
        also=frozenset(["undecided"]),
    ),
    Fault(
        "consensus for no such column",
        put("consensus", 2, "column", "mode"),
        "no_such_cell",
        "consensus",
        2,
        "key, column",
        "Clark 2023, mode",
        also=frozenset(["undecided"]),
    ),
    Fault(
        "consensus on an unknown sheet",
        put("consensus", 2, "sheet", "study"),
        "unknown_code",
        "consensus",
        2,
        "sheet",
        "study",
        also=frozenset(["undecided"]),
    ),
    Fault(
        "consensus twice",
        add_row("consensus", 2, value="hybrid"),
        "duplicate_key",
        "consensus",
        6,
        "sheet, key, column",
        "studies|Clark 2023|modality",
    ),
    Fault(
        "consensus with an unknown code",
        put("consensus", 2, "value", "by web"),
        "unknown_code",
        "consensus",
        2,
        "value",
        "by web",
    ),
    Fault(
        "consensus with a decimal comma",
        put("consensus", 3, "value", "8,1"),
        "decimal_comma",
        "consensus",
        3,
        "value",
        "8,1",
    ),
    Fault(
        "consensus on a theme neither 0 nor 1",
        put("consensus", 5, "value", "yes"),
        "pattern",
        "consensus",
        5,
        "value",
        "yes",
    ),
    Fault("consensus without a reason", put("consensus", 3, "reason", ""), "blank", "consensus", 3, "reason"),
    Fault(
        "consensus leaves a required code open",
        both(
            put(B + "studies", 2, "design", "cohort"),
            add_row("consensus", 2, key="Able 2021", column="design", a="rct", b="cohort", value=""),
        ),
        "blank",
        "consensus",
        6,
        "value",
        "",
        W,
    ),
    Fault(
        "figures that only the consensus makes impossible",
        both(
            put(A + "outcomes", 6, "ci_low", "3.1"),
            put(A + "outcomes", 6, "ci_high", "3.9"),
            put(A + "outcomes", 6, "effect", "3.5"),
            put(A + "outcomes", 6, "p_value", ""),
            put(B + "outcomes", 6, "p_value", ""),
            add_row("consensus", 3, key="O0005", column="ci_low", a="3.1", b="1.1", value="3.1"),
            add_row("consensus", 3, key="O0005", column="ci_high", a="3.9", b="2.9", value="2.9"),
            add_row("consensus", 3, key="O0005", column="effect", a="3.5", b="1.8", value="1.8"),
        ),
        "interval_upside_down",
        A + "outcomes",
        6,
        "ci_low",
        "3.1",
    ),
    Fault(
        "correction of a value that is not there",
        put("corrections", 2, "printed", "0.66"),
        "outdated_correction",
        "corrections",
        2,
        "printed",
        "0.66",
    ),
    Fault(
        "correction of no such row",
        put("corrections", 2, "key", "D0100"),
        "no_such_cell",
        "corrections",
        2,
        "key, column",
        "D0100, sd_arm1",
    ),
    Fault(
        "correction of no such column",
        put("corrections", 2, "column", "sd"),
        "no_such_cell",
        "corrections",
        2,
        "key, column",
        "D0001, sd",
    ),
    Fault(
        "correction in an unknown sheet",
        put("corrections", 2, "sheet", "outcome"),
        "unknown_code",
        "corrections",
        2,
        "sheet",
        "outcome",
    ),
    Fault(
        "study renamed in one sheet of the database",
        add_row(
            "corrections",
            2,
            sheet="database/studies",
            key="Evans 2012",
            column="study",
            printed="Evans 2012",
            value="Evans 2012a",
        ),
        "renamed_in_part",
        "database/appraisal",
        2,
        "study",
        "Evans 2012",
    ),
    Fault(
        "rows renamed and not the study",
        add_row("corrections", 2, key="D0002", column="study", printed="Evans 2012", value="Able 2021"),
        "renamed_in_part",
        "database/outcomes",
        3,
        "study",
        "Evans 2012",
    ),
    Fault(
        "correction to no number",
        put("corrections", 2, "value", "5,8"),
        "decimal_comma",
        "corrections",
        2,
        "value",
        "5,8",
    ),
    Fault(
        "correction of what the coders did not decide",
        both(
            put("corrections", 2, "sheet", "outcomes"),
            put("corrections", 2, "key", "O0003"),
            put("corrections", 2, "column", "mean_arm1"),
            put("corrections", 2, "printed", "8.7"),
        ),
        "outdated_correction",
        "corrections",
        2,
        "printed",
        "8.7",
    ),
]

FILES = [
    Fault("empty file", content("reviews", lambda grid: b""), "empty_file", "reviews", "", ""),
    Fault("blank file", content("reviews", lambda grid: b"\n \n,,\n"), "empty_file", "reviews", "", ""),
    Fault(
        "nothing but a byte-order mark",
        content("reviews", lambda grid: b"\xef\xbb\xbf"),
        "empty_file",
        "reviews",
        "",
        "",
        also=frozenset(["byte_order_mark"]),
    ),
    Fault("missing sheet", lambda files: files.pop("claims"), "missing_sheet", "claims", "", ""),
    Fault(
        "sheet twice",
        lambda files: files.update({"claims.xlsx": as_bytes(workbook(files["claims"]))}),
        "sheet_twice",
        "claims",
        "",
        "",
    ),
    Fault(
        "broken xlsx",
        lambda files: files.update({"claims.xlsx": as_bytes(workbook(files.pop("claims")))[:900]}),
        "not_a_workbook",
        "claims",
        "",
        "",
    ),
    Fault(
        "text named xlsx",
        lambda files: files.update({"claims.xlsx": as_csv(files.pop("claims"))}),
        "not_a_workbook",
        "claims",
        "",
        "",
    ),
    Fault(
        "workbook with damaged content",
        lambda files: files.update({"claims.xlsx": as_bytes(workbook(files.pop("claims"))).replace(b"xl/w", b"xl/v")}),
        "not_a_workbook",
        "claims",
        "",
        "",
    ),
    Fault("workbook named csv", content("claims", lambda grid: as_bytes(workbook(grid))), "not_text", "claims", "", ""),
    Fault(
        "UTF-16 without its mark",
        content("claims", lambda grid: as_csv(grid, encoding="utf-16-le")),
        "not_text",
        "claims",
        "",
        "",
    ),
    Fault(
        "quotation mark not closed",
        text("reviews", b"Peers everywhere", b'"Peers everywhere'),
        "quote_open",
        "reviews",
        2,
        "",
    ),
    Fault(
        "quotation mark not closed in the last column",
        text("trials", b"the same people", b'"the same people'),
        "quote_open",
        "trials",
        2,
        "",
    ),
    Fault(
        "xlsx with two sheets",
        as_workbook("reviews", second_page),
        "several_sheets",
        "reviews",
        "",
        "",
        "Sheet, old version",
    ),
    Fault(
        "formula cell in an xlsx",
        as_workbook(DB, cell("L2", "=30+3")),
        "formula",
        DB,
        2,
        "mean_arm1",
        "=30+3",
        also=frozenset(["text_in_number"]),
    ),
    Fault(
        "array formula in an xlsx",
        as_workbook(DB, cell("L2", ArrayFormula("L2", "=SUM(L3:L4)"))),
        "formula",
        DB,
        2,
        "mean_arm1",
        "=SUM(L3:L4)",
        also=frozenset(["text_in_number"]),
    ),
    Fault(
        "failed formula in an xlsx",
        as_workbook(DB, cell("L2", "#DIV/0!")),
        "spreadsheet_error",
        DB,
        2,
        "mean_arm1",
        "#DIV/0!",
        also=frozenset(["text_in_number"]),
    ),
    Fault(
        "merged cells in an xlsx",
        as_workbook("clusters", lambda page: page.merge_cells("A2:B2")),
        "merged_cells",
        "clusters",
        2,
        "",
        "A2:B2",
        also=frozenset(["blank"]),
    ),
    Fault(
        "date cell in an xlsx",
        as_workbook(DB, cell("L2", datetime.datetime(2026, 5, 12))),
        "date_in_cell",
        DB,
        2,
        "mean_arm1",
        "2026-05-12 00:00:00",
    ),
    Fault(
        "date cell in a text column of an xlsx",
        as_workbook("database/studies", cell("U2", datetime.datetime(2026, 8, 12))),
        "date_in_cell",
        "database/studies",
        2,
        "sessions",
        "2026-08-12 00:00:00",
    ),
    Fault(
        "time cell in an xlsx",
        as_workbook("database/studies", cell("U2", datetime.time(8, 12))),
        "date_in_cell",
        "database/studies",
        2,
        "sessions",
        "08:12:00",
    ),
    Fault(
        "percent cell in an xlsx",
        as_workbook("database/studies", cell("S2", 0.525, "0.0%")),
        "percent_sign",
        "database/studies",
        2,
        "percent_women",
        "52.5%",
    ),
]

HARMLESS = [  # read without doubt: a warning at most, and the same tables
    Fault(
        "byte-order mark",
        content(DB, lambda grid: as_csv(grid, encoding="utf-8-sig")),
        "byte_order_mark",
        DB,
        "",
        "",
        severity=W,
    ),
    Fault(
        "UTF-16",
        content(A + "studies", lambda grid: as_csv(grid, encoding="utf-16")),
        "utf_16",
        A + "studies",
        "",
        "",
        severity=W,
    ),
    Fault(
        "Windows-1252",
        content(A + "studies", lambda grid: as_csv(grid, encoding="cp1252")),
        "windows_encoding",
        A + "studies",
        "",
        "",
        severity=W,
    ),
    Fault("semicolons", content(DB, lambda grid: as_csv(grid, ";")), "delimiter", DB, 1, "", severity=W),
    Fault(
        "tabs", content(A + "outcomes", lambda grid: as_csv(grid, "\t")), "delimiter", A + "outcomes", 1, "", severity=W
    ),
    Fault(
        "trailing blanks", put(DB, 2, "outcome_domain", "hope  "), "outer_blanks", DB, 2, "outcome_domain", "hope  ", W
    ),
    Fault(
        "blank that does not break",
        put(DB, 3, "mean_arm1", "\u00a010.2"),
        "outer_blanks",
        DB,
        3,
        "mean_arm1",
        "\u00a010.2",
        W,
    ),
    Fault("blanks in the header", rename(DB, "sd_arm1", " sd_arm1"), "outer_blanks", DB, 1, "sd_arm1", " sd_arm1", W),
    Fault("blank row", insert(DB, 3), "blank_row", DB, 3, "", severity=W),
    Fault("row of commas", insert(DB, 3, [""] * 33), "blank_row", DB, 3, "", severity=W),
    Fault("blank row before the header", insert(DB, 1), "blank_row", DB, 1, "", severity=W),
]
QUIET = {  # no fault at all
    "line endings of Windows": content(DB, lambda grid: as_csv(grid).replace(b"\n", b"\r\n")),
    "line endings of old": content(DB, lambda grid: as_csv(grid).replace(b"\n", b"\r")),
    "blank rows at the end": content(DB, lambda grid: as_csv(grid) + b"\n\n,,,\n"),
    "blank columns at the end": add_column(DB, "", ("",)),
    "figures as a spreadsheet program holds them": as_workbook(DB),
    "coder's figures in a workbook": as_workbook(B + "outcomes"),
    "consensus in a workbook": as_workbook("consensus"),
    "corrections in a workbook": as_workbook("corrections"),
    "studies in a workbook": as_workbook("coder_a/studies"),
    "second page without a cell": as_workbook(DB, empty_page),
    "figure with a zero at its end": put(B + "outcomes", 2, "mean_arm1", "9.50"),
    "companions with one DOI, joined in trials": put(A + "studies", 4, "doi", "10.1000/able"),
}
FAULTS = CELLS + TABLES + CODERS + FILES + HARMLESS


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """Read the project's sheets after one thing in them was spoiled; (sheets, problems), once per spoiling."""

    @cache
    def read(spoil):
        files = grids()
        spoil(files)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path_factory.mktemp("project"))
            write_project(Path.cwd(), files)
            codebook.codebook.cache_clear()
            raw, odd = read_raw()
            return raw, validation.validate(raw, odd, codebook.codebook())

    yield read
    codebook.codebook.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def each_table_is_checked_once():
    """Most sheets of most projects here are the same; their schema checks, which take most of the time, are kept."""
    check, kept = schema.check_schema, {}

    def checked(name, table, codebook):
        key = name, tuple(table.index), table.to_csv()
        if key not in kept:
            kept[key] = list(check(name, table, codebook))
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "check_schema", checked)
        patch.setattr(validation, "implausible", lambda sheets, codebook: [])  # test_plausibility.py looks at these
        yield


@pytest.fixture(scope="module")
def unspoiled():
    return tidied({name: parse(name, as_csv(grid))[0] for name, grid in grids().items()})


def same_tables(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, table in theirs.items():
        pd.testing.assert_frame_equal(ours[name], table)


# ---------------------------------------------------------------- the tests


def test_the_small_sheets_have_no_problem(look):
    raw, problems = look(lambda files: None)
    assert problems.empty, problems.to_string()
    validation.stop_on_errors(problems)
    assert len(through(raw)["effects"]) == 11


def test_there_are_enough_kinds_of_fault():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 100
    assert len({fault.rule for fault in FAULTS}) >= 45


def test_every_rule_of_the_modules_is_reached():
    """Rules named in the codebook's checks, in the files' oddities, and in the rules across sheets."""
    named = set(ODDITIES) | set(schema.NOT_NUMBERS)
    named |= {rule for _, rule, _ in schema.PATTERNS.values()}
    assert named - {fault.rule for fault in FAULTS} == set()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault_is_named_where_it_is(fault, look):
    _, problems = look(fault.spoil)
    expected = (fault.sheet, fault.row, fault.column, fault.value, fault.severity)
    found = problems[problems.rule.eq(fault.rule)]
    places = set(zip(found.sheet, found.row, found.column, found.value, found.severity, strict=True))
    assert expected in places, problems.to_string()
    assert problems.remedy.str.len().ge(15).all()
    assert set(problems.rule) == {fault.rule} | fault.also, problems.to_string()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.severity == "error"], ids=str)
def test_error_stops_with_its_place(fault, look):
    _, problems = look(fault.spoil)
    with pytest.raises(validation.SheetError) as stopped:
        validation.stop_on_errors(problems)
    sentence = next(line for line in str(stopped.value).splitlines() if f"({fault.rule})" in line)
    assert sentence.startswith(fault.sheet)
    assert f"row {fault.row}" in sentence or fault.row == ""
    assert f"column {fault.column}" in sentence or fault.column == ""
    assert repr(fault.value) in sentence or fault.value == ""


@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if f.severity == W and "undecided" not in f.also and f not in HARMLESS], ids=str
)
def test_warning_lets_the_chain_go_on(fault, look):
    raw, problems = look(fault.spoil)
    validation.stop_on_errors(problems)
    assert len(tidied(raw)["outcomes"]) == 12


@pytest.mark.parametrize("fault", HARMLESS, ids=str)
def test_harmless_fault_changes_no_result(fault, look, unspoiled):
    raw, problems = look(fault.spoil)
    assert problems.severity.eq(W).all()
    same_tables(tidied(raw), unspoiled)


@pytest.mark.parametrize("name", QUIET)
def test_what_is_no_fault_is_not_named_and_changes_nothing(name, look, unspoiled):
    raw, problems = look(QUIET[name])
    assert problems.empty, problems.to_string()
    ours = tidied(raw)
    for table in ("outcomes", "appraisal", "themes"):
        pd.testing.assert_frame_equal(ours[table], unspoiled[table])


def test_all_problems_are_said_at_once(look):
    some = [CELLS[0], CELLS[15], FILES[12], TABLES[9]]
    _, problems = look(lambda files: [fault.spoil(files) for fault in some])
    assert {fault.rule for fault in some} <= set(problems.rule)
    with pytest.raises(validation.SheetError, match="^4 to mend"):
        validation.stop_on_errors(problems)


def test_remedy_guesses_what_was_meant(look):
    _, problems = look(both(put(DB, 2, "outcome_domain", "Hpe"), rename(DB, "mean_arm1", "mean_arm_1")))
    remedies = problems.set_index("rule").remedy
    assert remedies["unknown_code"].endswith("hope may be meant")
    assert remedies["missing_column"].endswith("'mean_arm_1' may be meant")


def test_misdecoded_text_is_named_with_what_it_was(look):
    _, problems = look(put(DB, 2, "note", "SantÃ© mentale"))
    assert "'Santé mentale' may be meant" in problems.remedy[0]


def test_real_sheets_have_no_error():
    raw, odd = read_raw()
    problems = validation.validate(raw, odd, codebook.codebook())
    assert not problems.severity.eq("error").any(), problems.to_string()
    validation.stop_on_errors(problems)


# ---------------------------------------------------------------- rubbish

CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "-", "nan", "inf", "1e5", "=1", "O0001", "post", "between", "0", "-1", "1,5", "NA", "é", "\ufffd"]
    ),
    st.floats(allow_nan=False).map(str),
)
NAMES = sorted(grids())


@settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_rubbish_in_any_cells_is_reported_and_never_breaks(data):
    files = grids()
    for _ in range(data.draw(st.integers(1, 4))):
        grid = files[data.draw(st.sampled_from(NAMES))]
        row = grid[data.draw(st.integers(0, len(grid) - 1))]
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(CELL)
    raw, odd = {}, []
    for name, grid in files.items():
        raw[name], found = parse(name, as_csv(grid, encoding="utf-8").replace(b"\x00", b""))
        odd += found
    problems = validation.validate(raw, odd, BOOK)
    assert problems.remedy.ne("").all() and problems.sheet.isin(NAMES).all()
    if problems.severity.eq("error").any():
        with pytest.raises(validation.SheetError):
            validation.stop_on_errors(problems)
    else:
        tidied(raw)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(content=st.binary(max_size=300), xlsx=st.booleans())
def test_rubbish_for_a_file_is_reported_and_never_breaks(content, xlsx):
    table, problems = parse("reviews", content, xlsx)
    if table.empty:
        assert any(found["severity"] == "error" for found in problems)
    assert all(found["remedy"] for found in problems)
