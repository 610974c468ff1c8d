"""Comes in: pooled trials, claims with their rules, tables of the stages before.

Goes out: how sturdy each verdict is, which next trial would settle it, and which gaps are worth filling.
"""
