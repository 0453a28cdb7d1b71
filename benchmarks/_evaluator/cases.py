"""What is measured: one `Case` per row of the result."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import asdict, dataclass

OURS = "relaxdesign"
HEADLINE_GRID = 32
"""Voxels per edge of the 3D cell on which codes are compared."""


@dataclass(frozen=True)
class Case:
    """One measurement: a solver, a cell and what is asked of it."""

    solver: str
    """`OURS` or a key of ``others.LIBRARIES``."""
    output: str
    """"K": bulk modulus alone; "K+gradient": with its derivative by K and G of every voxel; "C": 6×6 stiffness."""
    dim: int
    grid: int
    batch: int = 1
    dtype: str = "float64"
    tol: float = 1e-8
    device: str = "cpu"
    threads: int = 2

    @property
    def name(self) -> str:
        """Unique name, what ``--only`` is matched against."""
        precision = "" if self.dtype == "float64" else f"/{self.dtype}"
        return f"{self.solver}/{self.dim}d-{self.grid}/batch-{self.batch}/{self.output}{precision}"

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.grid, self.grid, self.grid if self.dim == 3 else 1)

    @property
    def voxels(self) -> int:
        """Voxels of one cell."""
        return self.grid**self.dim

    def record(self) -> dict:
        return {"name": self.name, **asdict(self), "voxels": self.voxels}


def suite(libraries: tuple[tuple[str, str], ...], *, quick: bool) -> Iterator[Case]:
    """All cases, small ones first; ``libraries`` are the pairs (solver, output) to compare with."""
    grids = {2: (16, 32, 64), 3: (16, 32)} if quick else {2: (16, 32, 64, 128, 256, 512), 3: (16, 32, 64, 128)}
    yield Case(OURS, "K+gradient", 2, 64, batch=8, dtype="float32", tol=1e-4)
    yield Case(OURS, "K+gradient", 3, 32, batch=4, dtype="float32", tol=1e-4)
    for dim, sizes in grids.items():
        for grid in sizes:
            for batch in (1, 8):
                for output in ("K+gradient", "C"):
                    yield Case(OURS, output, dim, grid, batch)
    for grid in (16,) if quick else (16, HEADLINE_GRID, 64):
        for solver, output in libraries:
            yield Case(solver, output, 3, grid)


def matches(case: Case, patterns: list[str]) -> bool:
    """True if the name contains a pattern or fits it as a wildcard; no patterns fit everything."""
    return not patterns or any(p in case.name or fnmatch.fnmatch(case.name, p) for p in patterns)
