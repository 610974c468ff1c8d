"""Comes in: raw sheets of two coders and of databases, as text.

Goes out: problems found in them, one decided and corrected value per cell, and the trail of each.
"""
