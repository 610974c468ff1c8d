"""Comes in: tidy outcome rows with the figures as printed.

Goes out: one effect with its variance, route and sign per row, and which of them enter the main analysis.
"""
