"""Comes in: the numbered notebooks and the raw sheets.

Goes out: every stored output, its manifest, and the proof that it is reproduced (python -m peersupport.chain).
"""
