"""Gmsh in a process of its own, with limits on time and memory: see `gmsh_program.py`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relaxdesign.export.cell import ExportError

SECONDS, MEMORY_MB = 600.0, 6144
_PROGRAM = Path(__file__).with_name("gmsh_program.py")
_MISSING = (
    "meshes of tetrahedra and STEP files are made by Gmsh, which {what}: install it with "
    "pip install 'relaxdesign[mesh]'{more}, or export the mesh of voxels"
)
_LIBRARIES = " and, on Debian or Ubuntu, apt-get install libglu1-mesa libxft2 libxcursor1 libxinerama1"


def gmsh_installed() -> bool:
    """Whether the extra "mesh" is there."""
    return find_spec("gmsh") is not None


class NotFilled(ExportError):
    """A surface that Gmsh could not fill; the text has its reason."""


def run_gmsh(job: str, **arrays: NDArray) -> dict[str, NDArray]:
    """What the program makes of these arrays.

    job: which of its jobs. Raises ExportError without Gmsh, or where time or memory do not suffice; NotFilled where
    the surfaces cannot be filled.
    """
    if not gmsh_installed():
        raise ExportError(_MISSING.format(what="is not installed", more=""))
    with tempfile.TemporaryDirectory(prefix="relaxdesign-mesh-") as folder:
        source, target = Path(folder, "in.npz"), Path(folder, "out.npz")
        np.savez(source, allow_pickle=False, **arrays)
        command = [sys.executable, str(_PROGRAM), job, str(source), str(target)]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, preexec_fn=_limits()
            )
        except subprocess.TimeoutExpired:
            raise ExportError(f"Gmsh did not mesh the cell within {SECONDS:g} s: {_SMALLER}") from None
        if done.returncode == 0:
            with np.load(target) as found:
                return dict(found)
    told = (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]
    if "OSError" in told:
        raise ExportError(_MISSING.format(what=f"cannot be loaded ({told})", more=_LIBRARIES))
    if "MemoryError" in told or "bad_alloc" in told:
        raise ExportError(f"Gmsh needs more than {MEMORY_MB} MB of memory for this cell: {_SMALLER}")
    raise NotFilled(f"Gmsh cannot mesh this cell ({told.removeprefix('Exception: ')})")


_SMALLER = "make the cell coarser, or export the mesh of voxels"


def _limits() -> Callable[[], None] | None:
    """Called in the child before the program starts; None where the system has no such limits."""
    if os.name != "posix":
        return None

    def limit() -> None:
        import resource

        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MB * 2**20, MEMORY_MB * 2**20))

    return limit
