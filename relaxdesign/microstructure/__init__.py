"""Kinds of microstructure: each family in its room."""
