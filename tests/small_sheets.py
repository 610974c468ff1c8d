"""A tiny set of sheets without a fault, for tests that spoil one thing in it.

Four studies of two coders, one of a database. A sheet is a grid: the header, then rows of text, so that grid[n - 1] is
what a spreadsheet shows as row n.
"""

import csv
import io
from pathlib import Path

import openpyxl

from peersupport.effects import routes, select
from peersupport.intake import clean, schema
from peersupport.store.codebook import read_codebook

CODEBOOK = Path(__file__).parents[1] / "data/raw/codebook.yml"
BOOK = read_codebook(CODEBOOK.read_text(encoding="utf-8"))
NAMES = [name for entry in BOOK["sheets"].values() for name in entry["files"]]
URL = "https://example.org/report"

STUDY = dict(
    journal="Santé mentale",
    country="GBR",
    design="rct",
    population="smi",
    age_group="adult",
    setting="community",
    modality="in_person",
    structure="group",
    condition_arm1="peer group",
    condition_arm2="care_as_usual",
    peer_training="yes",
    supervision="yes",
    manualised="no",
    fidelity_assessed="nr",
    coproduced="nr",
    helper_experience="distress",
    source_type="abstract",
    source_url=URL,
    sessions="8",
    mean_age="41.5",
    percent_women="52.5",
    duration_weeks="12",
)
STUDIES = [
    STUDY
    | dict(
        study="Able 2021",
        title="Peers on wards",
        year="2021",
        doi="10.1000/able",
        n_randomised="200",
        n_arm1="100",
        n_arm2="100",
    ),
    STUDY
    | dict(
        study="Baker 2022",
        title="Peers in villages",
        year="2022",
        doi="10.1000/baker",
        design="cluster_rct",
        n_randomised="160",
    ),
    STUDY
    | dict(
        study="Clark 2023",
        title="Peers on wards, two years later",
        year="2023",
        doi="10.1000/clark",
        modality="hybrid",
        n_randomised="190",
    ),
    STUDY
    | dict(
        study="Dunn 2024",
        title="What peers told us",
        year="2024",
        doi="10.1000/dunn",
        design="qualitative",
        condition_arm2="none",
    ),
]
OUTCOME = dict(
    is_primary="yes",
    time_point="post",
    time_weeks="12",
    higher_is_better="yes",
    contrast="between",
    source_url=URL,
    locator="table 2",
)
MSD = dict(outcome_type="msd", n_arm1="80", n_arm2="75")
PRECALC = dict(outcome_type="precalc", positive_favours="arm1")
OUTCOMES = [
    OUTCOME
    | MSD
    | dict(
        row_id="O0001",
        study="Able 2021",
        outcome_domain="depression",
        instrument="PHQ-9",
        higher_is_better="no",
        mean_arm1="9.5",
        sd_arm1="5.1",
        mean_arm2="11.25",
        sd_arm2="5.6",
        favours="arm1",
    ),
    OUTCOME
    | PRECALC
    | dict(
        row_id="O0002",
        study="Able 2021",
        outcome_domain="hope",
        instrument="Herth Hope Index",
        measure="SMD",
        effect="0.30",
        ci_low="0.05",
        ci_high="0.55",
        p_value="0.02",
        p_operator="=",
        favours="arm1",
    ),
    OUTCOME
    | MSD
    | dict(
        row_id="O0003",
        study="Baker 2022",
        outcome_domain="depression",
        instrument="PHQ-9",
        higher_is_better="no",
        mean_arm1="8.1",
        sd_arm1="4.9",
        mean_arm2="9.0",
        sd_arm2="5.3",
        favours="neither",
    ),
    OUTCOME
    | dict(
        row_id="O0004",
        study="Baker 2022",
        outcome_domain="hospitalisation",
        instrument="admission",
        higher_is_better="no",
        outcome_type="dichotomous",
        event_arm1="12",
        totaln_arm1="80",
        event_arm2="20",
        totaln_arm2="80",
        favours="arm1",
    ),
    OUTCOME
    | PRECALC
    | dict(
        row_id="O0005",
        study="Clark 2023",
        outcome_domain="engagement",
        instrument="kept appointments",
        measure="OR",
        effect="1.8",
        ci_low="1.1",
        ci_high="2.9",
        p_value="0.02",
        p_operator="=",
        favours="arm1",
    ),
    OUTCOME
    | dict(
        row_id="O0006",
        study="Clark 2023",
        outcome_domain="quality_of_life",
        instrument="MANSA",
        outcome_type="direction_only",
        contrast="",
        favours="neither",
    ),
    OUTCOME
    | PRECALC
    | dict(
        row_id="O0007",
        study="Able 2021",
        outcome_domain="personal_recovery",
        instrument="RAS",
        measure="MD",
        effect="3.1",
        ci_low="0.5",
        ci_high="5.7",
        p_value="0.02",
        p_operator="=",
        favours="arm1",
        n_arm1="90",
        n_arm2="88",
    ),
]
DATABASE = [
    OUTCOME
    | MSD
    | dict(
        row_id="D0001",
        study="Evans 2012",
        outcome_domain="hope",
        instrument="Herth Hope Index",
        mean_arm1="35.5",
        sd_arm1="0.65",
        mean_arm2="33.0",
        sd_arm2="6.1",
    ),
    OUTCOME
    | MSD
    | dict(
        row_id="D0002",
        study="Evans 2012",
        outcome_domain="depression",
        instrument="PHQ-9",
        higher_is_better="no",
        mean_arm1="10.2",
        sd_arm1="5.0",
        mean_arm2="11.0",
        sd_arm2="5.4",
    ),
    OUTCOME
    | dict(
        row_id="D0003",
        study="Evans 2012",
        outcome_domain="hospitalisation",
        instrument="admission",
        higher_is_better="no",
        outcome_type="dichotomous",
        event_arm1="9",
        totaln_arm1="80",
        event_arm2="15",
        totaln_arm2="75",
    ),
    OUTCOME
    | PRECALC
    | dict(
        row_id="D0004",
        study="Evans 2012",
        outcome_domain="engagement",
        instrument="kept appointments",
        measure="OR",
        effect="1.8",
        ci_low="1.1",
        ci_high="2.9",
        p_value="0.02",
        p_operator="=",
    ),
    OUTCOME
    | PRECALC
    | dict(
        row_id="D0005",
        study="Evans 2012",
        outcome_domain="functioning",
        instrument="GAF",
        measure="SMD",
        effect="0.30",
        ci_low="0.05",
        ci_high="0.55",
        p_value="0.02",
        p_operator="=",
    ),
]
THEMES = [
    dict(study="Able 2021", theme_group="benefit", theme="hope", paraphrase="Hope grew.", source_url=URL),
    dict(study="Dunn 2024", theme_group="benefit", theme="hope", paraphrase="Peers gave hope.", source_url=URL),
    dict(study="Dunn 2024", theme_group="barrier", theme="tokenism", paraphrase="Some felt for show.", source_url=URL),
    dict(study="Frost 2020", theme_group="benefit", theme="hope", paraphrase="Hope in most reports.", source_url=URL),
]
APPRAISAL = [
    dict(study="Able 2021", tool="rob2", domain="randomisation", judgement="low", support="by computer"),
    dict(study="Able 2021", tool="rob2", domain="missing_data", judgement="some_concerns", support="a fifth lost"),
    dict(study="Dunn 2024", tool="casp_qual", domain="aims", judgement="low", support="stated"),
]
RECORD = dict(url=URL, topic="wards", decision="include")
ROWS = {
    "records": [
        RECORD | dict(title="Peers on wards", first_author="Able A", year="2021", doi="10.1000/able"),
        RECORD | dict(title="Peers in villages", first_author="Baker B", year="2022", doi="10.1000/baker"),
        RECORD
        | dict(title="Peers on wards, two years later", first_author="Clark C", year="2023", doi="10.1000/clark"),
        RECORD | dict(title="What peers told us", first_author="Dunn D", year="2024", doi="10.1000/dunn"),
        RECORD
        | dict(
            title="A plan for a trial", first_author="Gray G", year="2021", decision="exclude", reason="protocol_only"
        ),
    ],
    "coder_a/studies": STUDIES,
    "coder_b/studies": [row | {"modality": "in_person"} for row in STUDIES],
    "database/studies": [
        STUDY | dict(study="Evans 2012", title="Peers long ago", year="2012", source_type="open_database"),
        STUDY
        | dict(
            study="Able 2021", title="Peers on wards", year="2021", source_type="open_database", followup_weeks="52"
        ),
    ],
    "coder_a/outcomes": OUTCOMES,
    "coder_b/outcomes": [
        row | ({"mean_arm1": "8.7"} if row["row_id"] == "O0003" else {})
        for row in OUTCOMES
        if row["outcome_type"] != "direction_only"
    ],
    "database/outcomes": DATABASE,
    "coder_a/appraisal": APPRAISAL,
    "coder_b/appraisal": [APPRAISAL[0], APPRAISAL[1] | {"judgement": "high"}, APPRAISAL[2]],
    "database/appraisal": [
        dict(study="Evans 2012", tool="rob2", domain="randomisation", judgement="low", support="theirs")
    ],
    "coder_a/themes": THEMES,
    "coder_b/themes": [THEMES[0], THEMES[1], THEMES[3]],
    "reviews": [
        dict(
            review="Frost 2020",
            title="Peers everywhere",
            year="2020",
            doi="10.1000/frost",
            population="mixed",
            outcome_domain="hope",
            time_point="post",
            k="9",
            n="1200",
            measure="SMD",
            effect="0.2",
            ci_low="0.1",
            ci_high="0.3",
            source_url=URL,
        )
    ],
    "consensus": [
        dict(
            sheet="studies",
            key="Clark 2023",
            column="modality",
            a="hybrid",
            b="in_person",
            value="digital",
            reason="a web page and calls",
        ),
        dict(
            sheet="outcomes", key="O0003", column="mean_arm1", a="8.1", b="8.7", value="8.1", reason="the table says so"
        ),
        dict(
            sheet="appraisal",
            key="Able 2021|rob2|missing_data",
            column="judgement",
            a="some_concerns",
            b="high",
            value="high",
            reason="more lost in one arm",
        ),
        dict(
            sheet="themes",
            key="Dunn 2024|barrier|tokenism",
            column="reported",
            a="1",
            b="0",
            value="1",
            reason="said on page 3",
        ),
    ],
    "trials": [dict(study="Clark 2023", trial="Able 2021", reason="the same people later")],
    "corrections": [
        dict(
            sheet="database/outcomes",
            key="D0001",
            column="sd_arm1",
            printed="0.65",
            value="5.8",
            reason="a standard error",
        )
    ],
    "doubts": [
        dict(
            study="Able 2021",
            sheet="studies",
            column="n_arm1",
            present="40",
            printed="41",
            source_url=URL,
            decision="kept",
            reason="those randomised",
        )
    ],
    "grade": [dict(outcome_domain="hope", family="smd", domain="indirectness", downgrade="-1", reason="other helpers")],
    "arms": [dict(row_id="O0001", stratum="one clinic", reason="example")],
    "clusters": [dict(study="Baker 2022", clusters="20", icc="0.03", locator="page 4")],
    "claims": [
        dict(
            claim_id="C01",
            claim="Hope grows.",
            evidence="pooled_outcomes: hope",
            rule_name="improvement",
            known="no",
            outcomes="hope",
            trials_least="3",
            trials_enough="5",
            share_percent="50",
        )
    ],
}


def grids() -> dict[str, list[list[str]]]:
    """A fresh copy of every sheet as a grid."""
    columns = {name: list(schema.columns_of(name, BOOK)) for name in NAMES}
    return {name: [columns[name], *([row.get(c, "") for c in columns[name]] for row in ROWS[name])] for name in NAMES}


def as_csv(grid, delimiter=",", encoding="utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(grid)
    return text.getvalue().encode(encoding)


def workbook(grid) -> openpyxl.Workbook:
    """The grid as a spreadsheet program holds it: figures are numbers, blanks are empty."""
    book = openpyxl.Workbook()
    for row in grid:
        book.active.append([float(x) if schema.NUMBER.fullmatch(x) else (x or None) for x in row])
    return book


def as_bytes(book: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def write_project(folder: Path, files: dict[str, list[list[str]] | bytes]) -> None:
    """A project folder with these raw sheets: a grid, or the bytes of a file whose name may end in .xlsx."""
    (folder / "parameters.yml").write_text("")
    raw = folder / "data/raw"
    for name, content in files.items():
        path = raw / (name if name.endswith(".xlsx") else f"{name}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else as_csv(content))
    (raw / "codebook.yml").write_bytes(CODEBOOK.read_bytes())


def tidied(raw) -> dict:
    """The tidy tables that the cleaning makes of the sheets."""
    return clean.tidy(raw, clean.decisions(raw), BOOK)


def through(raw) -> dict:
    """The tidy tables, and the effects and exclusions that come of them."""
    tables = tidied(raw)
    clusters = clean.as_numbers(raw["clusters"], BOOK["sheets"]["clusters"])
    found, left_out = routes.effect_sizes(tables["outcomes"], tables["studies"], clusters, 0.05, BOOK)
    chosen = select.select(found, BOOK["instruments"])
    return tables | {"effects": chosen, "exclusions": left_out}
