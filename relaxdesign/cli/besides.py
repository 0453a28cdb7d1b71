"""What ``relaxdesign evaluate`` tells beside the values of a cell of labels: interval, other boundaries, embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from relaxdesign.cli.cells import Cell
    from relaxdesign.cli.solving import Solving
    from relaxdesign.physics.effective_properties import Evaluation


def beside(cell: Cell, solved: Evaluation, solving: Solving) -> dict[str, Any]:
    """What is known beside the values of a cell, for JSON: ``interval``, ``estimates``, ``embedded``.

    Raises ValueError for a frame that is no solid, or a cell without labels that is to be embedded.
    """
    told: dict[str, Any] = {}
    if not solving.quick and cell.shares is not None and solving.element == "mean-dilatation":
        from relaxdesign.microstructure.imaged import estimates_dict, interval_dict

        told["interval"] = interval_dict(cell.shares, cell.materials, solved, solving.tol)
        if cell.open and solved.boundary == "periodic":
            told["estimates"] = estimates_dict(cell.data, solved, solving.tol)
    if solving.embed is not None:
        told["embedded"] = _embedded(cell, solving.embed, solving.tol)
    return told


def add_beside(table: Table, report: dict[str, Any]) -> None:
    """Rows of the interval, of the estimates and of the embedded cell."""
    from relaxdesign.microstructure.imaged import SHOWN, TITLES
    from relaxdesign.physics.quantities import QUANTITIES

    for name, found in (report.get("interval") or {}).items():
        if name in QUANTITIES:
            half = 0.5 * (found["high"] - found["low"])
            told = QUANTITIES[name].with_unit(f"{found['value']:.5g} ± {half:.2g}")
            table.add_row(f"{name}, 95 % interval of the voxels", told)
    if others := report.get("estimates"):
        for name in (name for name in SHOWN if name in others["periodic"]):
            values = "; ".join(f"{TITLES[kind]} {each[name]:.5g}" for kind, each in others.items())
            table.add_row(f"{name}, estimates", QUANTITIES[name].with_unit(values))
    if found := report.get("embedded"):
        values = ", ".join(f"{name} {found[name]:.5g}" for name in ("K", "G", "E"))
        table.add_row(f"embedded in {found['frame']}", f"{values} GPa")


def _embedded(cell: Cell, wanted: str, tol: float) -> dict[str, Any]:
    """The cell in a frame, as JSON."""
    from relaxdesign.cli.options import read_catalogue
    from relaxdesign.microstructure.imaged import embedded_dict

    if cell.shares is None:
        raise ValueError("--embed: for an image or labels with materials")
    if wanted == "self":
        return embedded_dict(cell.data, None, tol)
    known = [material for material in cell.materials if wanted in (material.id, material.name)]
    try:
        return embedded_dict(cell.data, known[0] if known else read_catalogue(None).phase(wanted), tol)
    except ValueError as error:
        raise ValueError(f"--embed: {error}") from None
