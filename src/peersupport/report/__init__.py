"""Comes in: stored tables, figures and notebooks.

Goes out: report/, a site that opens from disk (python -m peersupport.report).
"""
