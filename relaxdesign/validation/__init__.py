"""How well designs meet their targets, over the whole range, against baselines: measured, resumable, reported.

`cases` says what is measured, `runner` does it and keeps every design on disk, `summary` makes numbers of them and
`report` the page ``docs/results.md``.
"""

from relaxdesign.validation.cases import SETS, Case, plan
from relaxdesign.validation.runner import Progress, load_designs, run_cases
from relaxdesign.validation.summary import Summary, summarise

__all__ = ["SETS", "Case", "Progress", "Summary", "load_designs", "plan", "run_cases", "summarise"]
