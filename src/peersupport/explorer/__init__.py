"""Comes in: the tables that notebook 01 wrote and a reader's choices.

Goes out: the pooled result of that choice, as a page.
"""
