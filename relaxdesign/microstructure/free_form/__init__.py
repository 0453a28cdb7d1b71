"""Cells of free form: the phase map itself, as a level set."""
