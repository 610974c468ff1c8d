"""Comes in: exports of database searches and the screening log.

Goes out: records without duplicates, and the boxes of the PRISMA diagram.
"""
