"""Comes in: the tables of the stages before.

Goes out: certainty (GRADE), a verdict for each claim, the comparison with other reviews, and the manuscript's numbers.
"""
