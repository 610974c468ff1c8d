"""How Sphinx makes the report; src/peersupport/report/ writes the pages beside this file."""

project = html_title = "Peer support: a systematic review"
language = "en"
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
smartquotes = False

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_extra_path = ["extra"]
html_css_files = ["datatables.css", "report.css"]
html_js_files = [(name, {"defer": "defer"}) for name in ("datatables.js", "report.js")]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # a page on disk may not fetch another
html_context = {"default_mode": "light"}
html_sidebars = {name: [] for name in ("index", "claims", "prisma", "search", "studies/**")}
html_theme_options = {
    "navbar_end": [],
    "article_header_start": [],
    "secondary_sidebar_items": ["page-toc"],
    "primary_sidebar_end": [],
    "footer_start": [],
    "footer_end": [],
    "search_bar_text": "Search the report",
    "pygments_light_style": "a11y-high-contrast-light",
}
