"""Comes in: the project's folder.

Goes out: its sheets, codebook and tables as DataFrames, and what is written back; no other stage opens a file.
"""
