"""What ``relaxdesign evaluate`` tells beside the values of a cell of labels: interval, other boundaries, embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

if TYPE_CHECKING:
    from relaxdesign.cli.cells import Cell
    from relaxdesign.cli.solving import Solving
    from relaxdesign.physics.effective_properties import Evaluation

_TOLERANCE = 1e-6  # relative residual: intervals and estimates are told with fewer digits
_SHOWN = ("K", "G", "E", "conductivity")
_TITLES = {"periodic": "periodic, working", "kubc": "kubc, upper", "mirrored": "mirrored"}


def beside(cell: Cell, solved: Evaluation, solving: Solving) -> dict[str, Any]:
    """What is known beside the values of a cell, for JSON: ``interval``, ``estimates``, ``embedded``.

    Raises ValueError for a frame that is no solid, or a cell without labels that is to be embedded.
    """
    told: dict[str, Any] = {}
    tol = max(solving.tol, _TOLERANCE)
    if cell.shares is not None and not solving.quick and solving.element == "mean-dilatation":
        from relaxdesign.microstructure.voxel_interval import voxel_interval

        interval = voxel_interval(cell.shares, cell.materials, solved, tol=tol)
        told["interval"] = None if interval is None else interval.to_dict()
    if cell.open and not solving.quick and solved.boundary == "periodic":
        from relaxdesign.physics.apparent import estimates

        others = {"periodic": solved, **estimates(cell.data, tol=tol)}
        told["estimates"] = {name: estimate_dict(found) for name, found in others.items()}
    if solving.embed is not None:
        told["embedded"] = _embedded(cell, solving.embed, tol)
    return told


def estimate_dict(found: Evaluation) -> dict[str, Any]:
    """K, G, E, conductivity and C under one boundary condition, as JSON."""
    return {name: found.values[name] for name in _SHOWN if name in found.values} | {"C": found.C.tolist()}


def add_beside(table: Table, report: dict[str, Any]) -> None:
    """Rows of the interval, of the estimates and of the embedded cell."""
    from relaxdesign.physics.quantities import QUANTITIES

    for name, found in (report.get("interval") or {}).items():
        if name in QUANTITIES:
            half = 0.5 * (found["high"] - found["low"])
            told = QUANTITIES[name].with_unit(f"{found['value']:.5g} ± {half:.2g}")
            table.add_row(f"{name}, 95 % interval of the voxels", told)
    if others := report.get("estimates"):
        for name in (name for name in _SHOWN if name in others["periodic"]):
            values = "; ".join(f"{_TITLES[kind]} {each[name]:.5g}" for kind, each in others.items())
            table.add_row(f"{name}, estimates", QUANTITIES[name].with_unit(values))
    if found := report.get("embedded"):
        values = ", ".join(f"{name} {found[name]:.5g}" for name in ("K", "G", "E"))
        table.add_row(f"embedded in {found['frame']}", f"{values} GPa")


def _embedded(cell: Cell, wanted: str, tol: float) -> dict[str, Any]:
    """The cell in a frame, as JSON."""
    from relaxdesign.cli.options import read_catalogue
    from relaxdesign.physics.apparent import embedded

    if cell.shares is None:
        raise ValueError("--embed: for an image or labels with materials")
    if wanted == "self":
        found, frame = embedded(cell.data, tol=tol), "its effective medium"
    else:
        known = [material for material in cell.materials if wanted in (material.id, material.name)]
        try:
            material = known[0] if known else read_catalogue(None).phase(wanted)
        except ValueError as error:
            raise ValueError(f"--embed: {error}") from None
        found, frame = embedded(cell.data, (material.bulk, material.shear), tol=tol), material.name
    values = {name: found.values[name] for name in ("K", "G", "E", "nu") if name in found.values}
    told = {"frame": frame, "frame_K": found.frame[0], "frame_G": found.frame[1], "rounds": found.rounds}
    return values | told | {"C": np.asarray(found.C).tolist()}
