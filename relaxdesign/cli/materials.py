"""``relaxdesign materials``: what the catalogue offers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import output, user_errors


def materials(
    category: Annotated[list[str] | None, typer.Option(help="Only this category; repeat for more.")] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Also show toxic, exotic, … materials.")] = False,
    catalogue: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Own materials instead of the shipped catalogue.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the base materials, softest first: moduli in GPa, density in g/cm3, source of the numbers."""
    with user_errors():
        from dataclasses import asdict

        from relaxdesign.catalogue import Catalogue
        from relaxdesign.export import to_json

        loaded = Catalogue.from_csv(catalogue) if catalogue else Catalogue.default()
        chosen = loaded.select(categories=category or None, flagged=flagged)
    ordered = sorted(chosen.materials, key=lambda material: material.bulk)
    if as_json:
        typer.echo(to_json([asdict(material) for material in ordered]), nl=False)
        return
    table = Table(title=f"{len(ordered)} of {len(loaded)} materials; categories: {', '.join(loaded.categories)}")
    for heading in ("id", "name", "category"):
        table.add_column(heading, overflow="fold")
    for heading in ("K", "G", "E", "nu", "rho"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("source", overflow="fold")
    for material in ordered:
        numbers = (material.bulk, material.shear, material.young, material.poisson, material.density)
        texts = (material.id, material.name + (f" ({material.flag})" if material.flag else ""), material.category)
        table.add_row(*map(escape, texts), *(f"{number:.4g}" for number in numbers), escape(material.source))
    output().print(table)
