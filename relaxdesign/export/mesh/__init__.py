"""Cells as meshes for finite element programs."""
