"""Comes in: tidy tables and fits.

Goes out: matplotlib figures; nothing is computed here that a table does not hold.
"""
