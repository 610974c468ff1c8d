"""Comes in: tidy tables of studies, appraisal and themes.

Goes out: counts, shares with intervals, agreement and votes, as tables.
"""
