"""A page opened in Debian's Chromium: what went wrong while it was shown, and what axe-core has against it."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "No Chromium is on the PATH: install it, on Debian with `apt-get install chromium`."
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
SCHEMES_HERE = ("file", "data", "blob", "about")
HOSTS_HERE = ("127.0.0.1", "localhost")
# Without preload: axe would fetch each style sheet again, which a file:// page may not.
AXE_OPTIONS = {"resultTypes": ["violations"], "preload": False}


def executable():
    """The path of the browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def is_required():
    return os.environ.get("PEERSUPPORT_BROWSER") == "required"


def is_outside(url):
    parts = urlsplit(url)
    return parts.scheme not in SCHEMES_HERE and parts.hostname not in HOSTS_HERE


class Visit:
    """A page and its problems so far; a request to another host is refused and is a problem."""

    def __init__(self, page):
        self.page = page
        self._problems = []
        page.context.route(is_outside, lambda route: route.abort())
        page.on("pageerror", lambda error: self._note("page error", error.message))
        page.on("console", self._console)
        page.on("request", lambda request: self._address(request.url))
        page.on("websocket", lambda socket: self._address(socket.url))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def open(self, address):
        self.page.goto(address.as_uri() if isinstance(address, Path) else address)
        return self

    @property
    def problems(self):
        """What went wrong so far; events arrive only while the page is waited for."""
        if not self.page.is_closed():
            self.page.wait_for_timeout(100)
        return self._problems

    def _note(self, kind, text):
        self._problems.append(f"{kind}: {text}")

    def axe(self):
        """Serious and critical violations, one line for each element concerned."""
        return [
            f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: {rule['help']}"
            for rule in Axe().run(self.page, options=AXE_OPTIONS).response["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    def _console(self, message):
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._note("console error", message.text)

    def _address(self, url):
        if is_outside(url):
            self._note("outside request", url)

    def _failed(self, request):
        stopped_by_page = request.failure == "net::ERR_ABORTED"  # a download, or leaving the page
        if not is_outside(request.url) and not stopped_by_page:
            self._note("failed request", f"{request.url} ({request.failure})")

    def _answered(self, response):
        if response.status >= 400:
            self._note("failed request", f"{response.url} ({response.status})")
