"""The command line ``relaxdesign``: thin, each command in its own module, heavy imports inside the commands."""

from __future__ import annotations

import atexit
import gc
import os
from typing import Annotated

import typer

from relaxdesign.cli.campaign import campaign
from relaxdesign.cli.design import design
from relaxdesign.cli.evaluate import evaluate
from relaxdesign.cli.export import export
from relaxdesign.cli.family_options import FamilyCommand
from relaxdesign.cli.makeable import makeable
from relaxdesign.cli.materials import materials
from relaxdesign.cli.prior_report import prior_report
from relaxdesign.cli.protocol import protocol
from relaxdesign.cli.reality import reality
from relaxdesign.cli.representative import representative
from relaxdesign.cli.request_options import RequestCommand
from relaxdesign.cli.resume import resume
from relaxdesign.cli.runs import runs
from relaxdesign.cli.sample import sample
from relaxdesign.cli.serve import serve
from relaxdesign.cli.train import train
from relaxdesign.version import __version__

app = typer.Typer(
    name="relaxdesign",
    help="Inverse design of two-phase composites: from a target to a verified design on disk. Moduli in GPa.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=RequestCommand)(design)
app.command(cls=FamilyCommand)(evaluate)
for command in (
    resume,
    representative,
    campaign,
    export,
    sample,
    train,
    prior_report,
    protocol,
    reality,
    materials,
    makeable,
):
    app.command()(command)
app.command("app")(serve)
app.add_typer(runs, name="runs")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relaxdesign {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    # Threads that wait for each other sleep: spinning, they took five times as long where other programs ran, too.
    # OpenMP reads it when torch is loaded, in the commands.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    atexit.register(gc.freeze)  # the interpreter's last garbage collection goes through all of PyTorch: a second
    app()
