"""``relaxdesign materials``: what the catalogue offers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import messages, output, user_errors
from relaxdesign.cli.options import AsJson, OwnMaterials, read_catalogue

if TYPE_CHECKING:
    from relaxdesign.materials.catalogue import Catalogue


def materials(
    category: Annotated[list[str] | None, typer.Option(help="Only this category; repeat for more.")] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Also show toxic, exotic, … materials.")] = False,
    materials: OwnMaterials = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV that --materials reads, to be edited.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write that CSV to a file; one that is there is replaced.")
    ] = None,
) -> None:
    """List the base materials, softest first: moduli in GPa, density in g/cm3, source of the numbers.

    With --materials it checks a file of your own, and tells how its columns, units and decimal sign are understood.
    With --csv or --out it writes them as a table to edit and read back: all of them with --flagged.
    """
    with user_errors():
        from dataclasses import asdict

        from relaxdesign.export import to_json

        loaded = read_catalogue(materials)
        if materials is not None:
            _tell_reading(Path(materials).name, loaded)
        chosen = loaded.select(categories=category or None, flagged=flagged)
        if as_csv or out is not None:
            _write(chosen, out)
            return
    ordered = sorted(chosen.materials, key=lambda material: material.bulk)
    if as_json:
        typer.echo(to_json([asdict(material) for material in ordered]), nl=False)
        return
    table = Table(title=f"{len(ordered)} of {len(loaded)} materials; categories: {', '.join(loaded.categories)}")
    for heading in ("id", "name", "category"):
        table.add_column(heading, overflow="fold")
    for heading in ("K", "G", "E", "nu", "rho", "k", "cte"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("source", overflow="fold")
    for material in ordered:
        known = (material.bulk, material.shear, material.young, material.poisson, material.density)
        numbers = (*known, material.conductivity, material.expansion)
        texts = (material.id, material.name + (f" ({material.flag})" if material.flag else ""), material.category)
        table.add_row(
            *map(escape, texts), *("–" if n is None else f"{n:.4g}" for n in numbers), escape(material.source)
        )
    output().print(table)


def _write(catalogue: Catalogue, path: Path | None) -> None:
    """Writes a catalogue as CSV, to standard output without a path."""
    from relaxdesign.files import write_whole
    from relaxdesign.materials import write_materials

    text = write_materials(catalogue.materials)
    if path is None:
        typer.echo(text, nl=False)
        return
    write_whole(path, text.encode("utf-8-sig"))  # the mark, so that spreadsheets read names right
    messages.print(f"{path}: {len(catalogue)} materials; edit it, and use it with --materials.", soft_wrap=True)


def _tell_reading(name: str, catalogue: Catalogue) -> None:
    """Tells on standard error how a file was understood."""
    from relaxdesign.materials import DELIMITERS, SIGNS

    reading = catalogue.reading
    assert reading is not None  # it was read from a file
    separator = DELIMITERS.get(reading.delimiter, repr(reading.delimiter))
    messages.print(
        f"{escape(name)}: {len(catalogue)} materials; columns separated by {separator}, "
        f"decimal {SIGNS[reading.decimal_sign]}.",
        soft_wrap=True,
    )
    for column in reading.columns:
        converted = "" if column.factor == 1 else f", times {float(column.factor):.10g}"
        if converted or column.heading != column.key:
            messages.print(f"  {escape(column.heading)} is read as {escape(column.key)}{converted}", soft_wrap=True)
