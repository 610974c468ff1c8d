"""Comes in: effects with the facts of their trials.

Goes out: pooled effects by group, slopes and changes over time.
"""
