"""Where a design comes from: request, seed, versions and hashes, so that it can be repeated and checked."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from relaxdesign.export.records import to_json
from relaxdesign.materials.catalogue import DEFAULT_CATALOGUE
from relaxdesign.study.result import Design, DesignResult
from relaxdesign.version import __version__

_PACKAGES = ("torch", "numpy", "scipy", "vtk")


def provenance(result: DesignResult, run_id: str = "") -> dict[str, Any]:
    """Flat record of a run; None where something is not known.

    ``computed_with`` is the version that designed, ``exported_with`` the one that wrote the files; the prior's name
    carries the beginning of its weights' hash.
    """
    request, own = result.request.model_dump(mode="json"), result.request.materials_csv
    return {
        "run": run_id or None,
        "status": result.status,
        "started": result.started.isoformat(" ", "seconds"),
        "seconds": round(result.seconds, 2),
        "solver_iterations": result.solver_iterations,
        "computed_with": f"RelaxDesign {result.version}",
        "exported_with": f"RelaxDesign {__version__}",
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "seed": result.request.seed,
        "prior": result.prior,
        "request_sha256": sha256(to_json(request).encode()),
        "catalogue_sha256": sha256(DEFAULT_CATALOGUE.read_bytes() if own is None else own.encode()),
    }


def cell_sha256(design: Design) -> str | None:
    """Hash of the realised labels (uint8, C order), None if there are none."""
    return None if design.labels is None else sha256(design.labels.astype("uint8").tobytes())


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
