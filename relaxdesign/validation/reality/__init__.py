"""Predictions held against measured composites of the literature.

`composites` reads ``assets/measured_composites.csv``, `cells` draws what may stand for them, `predicting` solves them,
`judging` says whether measured and predicted values agree, `results` keeps it, and `page` and `figure`
write ``docs/reality.md``.
"""

from relaxdesign.validation.reality.composites import Composite, Measured, read_composites
from relaxdesign.validation.reality.judging import Compared, Judged
from relaxdesign.validation.reality.page import write_reality
from relaxdesign.validation.reality.predicting import Settings, predict
from relaxdesign.validation.reality.results import Results

__all__ = [
    "Compared",
    "Composite",
    "Judged",
    "Measured",
    "Results",
    "Settings",
    "predict",
    "read_composites",
    "write_reality",
]
