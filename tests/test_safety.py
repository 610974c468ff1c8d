"""Nothing is fetched, nothing from a sheet is executed, nothing is written outside its folder."""

import ast
import csv
import re
import socket
from pathlib import Path

import pandas as pd
import pytest
from small_sheets import grids, through, write_project

from peersupport.intake import validation
from peersupport.store import sheets
from peersupport.store.codebook import codebook
from peersupport.store.pictures import write_figure
from peersupport.store.sheets import read_raw
from peersupport.store.tables import read_table, write_document, write_table
from peersupport.text.screen import readable

ROOT = Path(__file__).parents[1]
CODE = [*(ROOT / "src").rglob("*.py"), *(ROOT / "notebooks").glob("*.py")]
REACH_OUT = {
    "requests",
    "urllib",
    "http",
    "httpx",
    "aiohttp",
    "socket",
    "ftplib",
    "smtplib",
    "pickle",
    "marshal",
    "shelve",
    "dill",
}
ALLOWED = {  # taking addresses apart, and asking this machine for a free port
    ("html", "urllib.parse"),
    ("identity", "urllib.parse"),
    ("views", "urllib.parse"),
    ("page", "socket"),
}
EXECUTE = {"eval", "exec", "compile", "__import__", "read_pickle", "to_pickle", "system", "popen"}
NASTY = "<script>alert(1)</script>"


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_project(tmp_path, grids())
    monkeypatch.chdir(tmp_path)
    codebook.cache_clear()
    yield tmp_path
    codebook.cache_clear()


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.stem)
def test_no_code_fetches_unpickles_or_executes_text(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            refused = {name.split(".")[0] for name in named if (path.stem, name) not in ALLOWED}
            assert not REACH_OUT & refused, ast.unparse(node)
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            compiled = ast.unparse(node.func) == "re.compile"
            assert called not in EXECUTE or compiled, ast.unparse(node)


def test_sheets_become_effects_without_a_connection(project, monkeypatch):
    def refuse(self, address):
        raise AssertionError(f"a connection to {address} was tried")

    for way in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, way, refuse)
    with pytest.raises(AssertionError, match="was tried"):
        socket.create_connection(("127.0.0.1", 9))
    raw, odd = read_raw()
    validation.validate(raw, odd, codebook())
    assert len(through(raw)["effects"])


@pytest.mark.parametrize("name", ["../escape.csv", "/escape.csv", "tables/../../../escape.csv"])
def test_an_output_keeps_to_its_folder(project, name):
    for write in (
        lambda: write_table(pd.DataFrame({"a": [1]}), name),
        lambda: write_document("text", name),
        lambda: read_table(name),
        lambda: write_figure(None, name, notebook="01", title="", alt_text=""),
    ):
        with pytest.raises(ValueError, match="leads out of"):
            write()
    assert not list(project.parent.glob("escape*"))


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "= HYPERLINK(A1)"]
)
def test_text_that_a_spreadsheet_would_run_is_written_as_text(project, text):
    write_table(pd.DataFrame({"title": [text]}), "t.csv")
    with open(project / "data/processed/t.csv", newline="") as lines:
        assert list(csv.reader(lines))[1] == [f"'{text}"]


@pytest.mark.parametrize("text", ["=", "-0.28 (-0.42 to -0.14)", "-5", "+1.2e3", "a = b", "p < 0.05", "- ", "1-2"])
def test_plain_text_is_written_as_it_is(project, text):
    assert not sheets.FORMULA.match(text) and not sheets.MARKUP.search(text)
    write_table(pd.DataFrame({"title": [text]}), "t.csv")
    assert read_table("t.csv").astype(str).title[0] == pd.Series([text]).astype(str)[0] or float(text)


def test_markup_is_shown_and_not_obeyed():
    table = pd.DataFrame({f"{NASTY}": [NASTY], "b": ["x & y"]})
    shown = readable(table).data
    assert NASTY not in shown and "&lt;script&gt;" in shown and "x &amp; y" in shown


def test_no_stored_output_holds_a_script_of_a_sheet():
    for path in [*ROOT.glob("figures/*.svg"), *ROOT.glob("data/processed/**/*.html")]:
        assert not re.search(r"<script|javascript:|onerror=", path.read_text("utf-8"), re.I), path
