"""Comes in: all effects and the choices of parameters.yml.

Goes out: the result of every combination and of every subset of trials.
"""
