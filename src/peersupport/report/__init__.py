"""The report: a static site of the stored results; `python -m peersupport.report` makes it."""
