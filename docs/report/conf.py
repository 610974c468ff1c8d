"""How Sphinx makes the report; src/peersupport/report/ writes the pages beside this file."""

import json
from pathlib import Path

from peersupport.report.extension import connect

here = Path(__file__).parent
project = html_title = "Peer support: a systematic review"
language = "en"
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
smartquotes = False

html_theme = "pydata_sphinx_theme"
templates_path = ["_templates"]
html_static_path = ["_static"]
html_extra_path = ["extra"]
html_css_files = ["datatables.css", "report.css"]
html_js_files = [(name, {"defer": "defer"}) for name in ("datatables.js", "report.js")]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_context = {"default_mode": "light", "who": json.loads((here / "who.json").read_text("utf-8"))}
html_sidebars = {"**": []}  # tables take the width; lists of pages are pages
html_theme_options = {
    "navbar_end": [],
    "article_header_start": [],
    "secondary_sidebar_items": {"[!n]*": [], "[!n]*/**": [], "notebooks/*": ["page-toc"]},
    "primary_sidebar_end": [],
    "footer_start": ["who"],
    "footer_end": [],
    "search_bar_text": "Search the report",
    "pygments_light_style": "a11y-high-contrast-light",
    "show_prev_next": False,
    "header_links_before_dropdown": 8,
}


def setup(app):
    connect(app, here / "glossary.yml")
