"""``relaxdesign makeable``: whether a composite of two materials, or a lattice of one, can be made, how and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import EXIT_NO_RESULT, fail, output, user_errors
from relaxdesign.cli.options import AsJson, OwnMaterials, read_catalogue


def makeable(
    matrix: Annotated[
        str | None, typer.Argument(help="The matrix: material, substance or void, by id or name.")
    ] = None,
    particle: Annotated[str | None, typer.Argument(help="The particles or fibres.")] = None,
    dim: Annotated[int, typer.Option(min=2, max=3, help="2: parallel fibres, prismatic cells; 3: particles.")] = 3,
    pairs: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="CSV",
            help="Judge all pairs of a file with columns matrix, particle and, to compare with, expected.",
        ),
    ] = None,
    materials: OwnMaterials = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether particles of one material in another, or with void a lattice of it, can be made: how and why (not).

    established: a known class of composites; plausible: a process is known that both bear; unlikely; impossible.
    """
    with user_errors():
        from dataclasses import asdict

        from relaxdesign.export import to_json
        from relaxdesign.materials.compatibility import judged_pairs, material_named, verdict

        catalogue = read_catalogue(materials)
        if pairs is not None:
            judged = judged_pairs(pairs, catalogue.materials)
        elif matrix is None or particle is None:
            raise ValueError("name two materials, that of the matrix first, or give a file of --pairs")
        else:
            known = catalogue.materials
            found = verdict(material_named(matrix, known), material_named(particle, known), dim)
    if pairs is None:
        typer.echo(to_json(asdict(found)) if as_json else found.words, nl=not as_json)
        return
    if as_json:
        typer.echo(to_json([asdict(each) for each in judged]), nl=False)
        return
    table = Table(title=str(pairs))
    for heading in ("matrix", "particle", "expected", "found", "reason"):
        table.add_column(heading, overflow="fold")
    for each in judged:
        table.add_row(*map(escape, (each.matrix, each.particle, each.expected, each.found.brief, each.found.reason)))
    output().print(table)
    compared = [each for each in judged if each.expected]
    wrong = sum(not each.right for each in compared)
    if wrong:
        fail(f"{wrong} of {len(compared)} pairs are judged otherwise than expected", EXIT_NO_RESULT)
