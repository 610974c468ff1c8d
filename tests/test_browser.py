"""The browser of the tests sees what is wrong with a page, and nothing wrong with a sound one."""

import http.server
import threading
from functools import partial

import browser
import pytest

SOUND = """<!doctype html><html lang="en"><head><title>Sound</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">{head}</head>
<body><main><h1>Sound</h1><p>All is well.</p>{body}</main></body></html>"""
OUTSIDE = "https://example.org/picture.png"


@pytest.fixture
def page(tmp_path):
    """Writes a sound page, with the markup given in its head or body."""

    def write(head="", body=""):
        (tmp_path / "page.css").write_text("p { color: black }")
        path = tmp_path / "page.html"
        path.write_text(SOUND.format(head=head, body=body))
        return path

    return write


@pytest.fixture
def served(tmp_path):
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_sound_page_has_no_problems(visit, page):
    seen = visit(page(), width=400)
    assert seen.page.title() == "Sound"
    assert seen.page.viewport_size["width"] == 400
    assert (seen.axe(), seen.problems) == ([], [])


@pytest.mark.parametrize(
    "head, problem",
    [
        ("<script>console.error('not so well')</script>", "console error: not so well"),
        ("<script>undefinedName()</script>", "page error: undefinedName is not defined"),
        (f"<link rel=stylesheet href={OUTSIDE}>", f"outside request: {OUTSIDE}"),
        ("<script src='missing.js'></script>", "missing.js (net::ERR_FILE_NOT_FOUND)"),
    ],
)
def test_what_goes_wrong_is_a_problem(visit, page, head, problem):
    problems = visit(page(head=head)).problems
    assert problem in problems[0]


def test_an_outside_request_is_refused_and_told_once(visit, page):
    seen = visit(page(body=f'<img id="there" alt="A picture" src="{OUTSIDE}">'))
    assert seen.problems == [f"outside request: {OUTSIDE}"]
    assert seen.page.evaluate("document.getElementById('there').naturalWidth") == 0


def test_an_outside_socket_is_told(visit, page):
    seen = visit(page())
    seen.page.evaluate("new Promise(r => new WebSocket('wss://example.org/s').onerror = () => r(1))")
    assert "outside request: wss://example.org/s" in seen.problems


def test_a_server_that_says_no_is_told(visit, page, served):
    page(body='<img alt="A picture" src="missing.png">')
    assert visit(f"{served}/page.html").problems == [f"failed request: {served}/missing.png (404)"]


def test_axe_names_rule_element_and_help(visit, page):
    [violation] = visit(page(body='<img id="mute" src="data:,">')).axe()
    assert violation.startswith("image-alt (critical): #mute: ")


def test_without_a_browser_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert browser.executable() is None
    assert "apt-get install chromium" in browser.MISSING
