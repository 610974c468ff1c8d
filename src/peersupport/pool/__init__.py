"""Comes in: effects of one domain.

Goes out: a Fit for each model, and what its numbers hang on.
"""
