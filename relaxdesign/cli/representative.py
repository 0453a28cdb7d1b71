"""``relaxdesign representative``: whether an image is large enough to stand for its material."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from relaxdesign.cli.cell_options import CellOptions
from relaxdesign.cli.cells import Cell, make_cell
from relaxdesign.cli.console import EXIT_NO_RESULT, fail, interrupted, output, progress, stop_on_interrupt, user_errors
from relaxdesign.cli.image_options import ImageOptions
from relaxdesign.cli.options import AsJson, OwnMaterials, grouped
from relaxdesign.cli.properties import add_image

if TYPE_CHECKING:
    from relaxdesign.microstructure.representative import Block, Representativity
    from relaxdesign.physics.voxel_fields import VoxelFields


@grouped
def representative(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image, labels or a field: see evaluate.")],
    *,
    images: ImageOptions,
    labels: Annotated[str | None, typer.Option(metavar="ARRAY", help="The array of the image, or its path.")] = None,
    phases: Annotated[
        list[str] | None, typer.Option(metavar="LABEL=MATERIAL,…", help="The material of each label. Repeatable.")
    ] = None,
    materials: OwnMaterials = None,
    boundary: Annotated[
        Literal["periodic", "kubc"],
        typer.Option(help="Of the blocks: periodic, a working estimate; kubc, whose means fall with their size."),
    ] = "periodic",
    within: Annotated[float, typer.Option(min=0.01, help="Percent that the interval may leave to either side.")] = 3.0,
    blocks: Annotated[
        int | None, typer.Option(min=4, help="Of each size at most. Default: 27 in 3D, 64 in 2D.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the blocks where there are more.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Tell how far the properties of one image may lie from those of its material at large (Kanit et al. 2003).

    The image is cut into blocks of growing size; how their values scatter and drift gives an interval for the infinite
    medium around the value of the whole image, a correlation length, and how much larger an image would have to be.
    """
    with user_errors():
        from relaxdesign.export import to_json
        from relaxdesign.physics.fem import ConvergenceError

        if images.mirror:
            raise ValueError("--mirror: a mirror image tells nothing new of the material; leave it out")
        cell = make_cell(image, CellOptions(labels=labels, phases=phases, materials=materials), images)
        try:
            found = _computed(cell.data, boundary, blocks, seed)
        except ConvergenceError as error:
            fail(str(error), EXIT_NO_RESULT)
        report = _report(cell, found, boundary, within)
    if as_json:
        typer.echo(to_json(report), nl=False)
    else:
        _print(report, cell)


def _computed(data: VoxelFields, boundary: str, most: int | None, seed: int) -> Representativity:
    """The values of all blocks. Errors as in `relaxdesign.physics.effective_properties.evaluate`."""
    from relaxdesign.microstructure.imaged import block_values
    from relaxdesign.microstructure.representative import representativity

    def measure(block: Block) -> dict[str, float]:
        return block_values(data, block, boundary)

    with stop_on_interrupt() as stopped, progress() as bars:
        task = bars.add_task("Blocks", total=None, note="")
        for done, total, found in representativity(data.E.shape, measure, most=most, seed=seed):
            bars.update(task, total=total, completed=done, note="")
            if stopped():
                break
            if found is not None:
                return found
    interrupted("Stopped: nothing is known before all blocks are computed; give fewer with --blocks.")


def _report(cell: Cell, found: Representativity, boundary: str, within: float) -> dict[str, Any]:
    """What is told, as JSON."""
    from relaxdesign.microstructure.imaged import representative_dict

    told = representative_dict(cell.data, found, boundary, within)
    return told | {"phases": cell.phases, "image": cell.image}


def _print(report: dict[str, Any], cell: Cell) -> None:
    """Tables for people."""
    from relaxdesign.microstructure.imaged import verdict
    from relaxdesign.physics.quantities import QUANTITIES

    shape = " x ".join(map(str, report["shape"]))
    told = Table(title=f"Blocks of an image of {shape} voxels, {report['boundary']}", show_header=False)
    if report["image"]:
        add_image(told, report["image"])
    length, within = report["correlation_length"], report["within"]
    told.add_row("correlation length", "beyond the image" if length is None else f"{length:.3g} voxels")
    if report["integral_range"] is not None:
        power = "²" if report["shape"][2] == 1 else "³"
        told.add_row("integral range", f"{report['integral_range']:.4g} voxels{power}")
    output().print(told)
    table = Table("voxels per edge", "blocks", *(QUANTITIES[name].heading for name in report["estimates"]))
    for size in report["sizes"]:
        values = (f"{mean:.5g} ± {size['deviation'][name]:.2g}" for name, mean in size["mean"].items())
        table.add_row(str(size["edge"]), str(size["count"]), *values)
    table.add_row("all", "1", *(f"{found['value']:.5g}" for found in report["estimates"].values()))
    output().print(table)
    for name, found in report["estimates"].items():
        quantity = QUANTITIES[name]
        ends = quantity.with_unit(f"{found['low']:.5g} … {found['high']:.5g}")
        output().print(
            f"{quantity.title} of the infinite medium (95 %): {ends}, ± {100 * found['relative']:.2g} %: "
            f"{verdict(found, within)}."
        )
