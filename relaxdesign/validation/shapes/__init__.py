"""How well shapes of given phases meet what is asked of them: a protocol of its own, resumable like the other.

`cases` says what is measured, `records` makes numbers of the designs and `page` the page ``docs/shape-results.md``.
"""

from relaxdesign.validation.shapes.cases import SETS, ShapeCase, plan_shapes
from relaxdesign.validation.shapes.records import Line, measured

__all__ = ["SETS", "Line", "ShapeCase", "measured", "plan_shapes"]
