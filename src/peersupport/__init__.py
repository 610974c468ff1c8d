"""Pure functions behind the notebooks of the peer support review."""
