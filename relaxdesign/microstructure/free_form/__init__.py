"""Cells of free form: the sampled phase map itself, as a level set whose interface can be moved."""

from relaxdesign.microstructure.free_form.family import FREE_FORM, FreeForm, LevelSet
from relaxdesign.microstructure.free_form.three import free_form_of, restored

__all__ = ["FREE_FORM", "FreeForm", "LevelSet", "free_form_of", "restored"]
