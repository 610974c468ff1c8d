"""Comes in: numbers, fits and tables.

Goes out: what a person reads: formatted numbers, sentences and published tables.
"""
