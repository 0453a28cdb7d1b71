"""``relaxdesign evaluate``: effective properties of a voxel field in a file."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from relaxdesign.cli.console import EXIT_NO_RESULT, fail, output, user_errors


def evaluate(
    field: Annotated[
        Path, typer.Argument(metavar="FIELD", help=".npz (arrays E [GPa], nu, optional rho) or .vti; cubic voxels.")
    ],
    boundary: Annotated[str, typer.Option(help="Boundary condition of the cell.")] = "periodic",
    only: Annotated[
        Literal["bulk"] | None, typer.Option(help="bulk: solve the one hydrostatic load case, for K alone.")
    ] = None,
    gradient: Annotated[
        Path | None, typer.Option(metavar="OUT.npz", help="Write the gradient of K as dK_dE and dK_dnu (GPa).")
    ] = None,
    tol: Annotated[float, typer.Option(help="Relative residual of the solves.")] = 1e-8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Homogenise a field: K, G, E, nu and the stiffness C (6x6, Voigt order xx yy zz yz xz xy), in GPa.

    A field one voxel thick is a 2D cell: periodic through the thickness, 3D elasticity.
    """
    with user_errors():
        if gradient is not None and gradient.suffix != ".npz":
            raise ValueError(f"--gradient: {gradient} must end in .npz")
        import numpy as np
        import torch

        from relaxdesign.bounds import field_bounds
        from relaxdesign.export import to_json
        from relaxdesign.fem import (
            ConvergenceError,
            bulk_modulus,
            bulk_shear_from_young_poisson,
            check_young_poisson,
            effective_stiffness,
            gradient_young_poisson,
        )
        from relaxdesign.fields_io import load_field

        data = load_field(field)
        young, poisson = torch.from_numpy(data.E)[None], torch.from_numpy(data.nu)[None]
        check_young_poisson(young[0], poisson[0])
        K, G = bulk_shear_from_young_poisson(young, poisson)
        bounds = field_bounds(K[0], G[0])

        wanted = {"boundary": boundary, "tol": tol}
        by_bulk = by_shear = None
        begin = time.perf_counter()
        try:
            if only == "bulk":
                solved = bulk_modulus(K, G, **wanted)
                by_bulk, by_shear = solved.gradient_bulk, solved.gradient_shear
                moduli = {"K": solved.value.item(), "G": None, "E": None, "nu": None}
            else:
                for modulus in (K, G):
                    modulus.requires_grad_(gradient is not None)
                solved = effective_stiffness(K, G, **wanted)
                if gradient is not None:
                    by_bulk, by_shear = torch.autograd.grad(solved.bulk.sum(), (K, G))
                moduli = {
                    "K": solved.bulk.item(),
                    "G": solved.shear.item(),
                    "E": solved.young.item(),
                    "nu": solved.poisson.item(),
                    "C": solved.C[0].tolist(),
                }
        except ConvergenceError as error:
            fail(str(error), EXIT_NO_RESULT)
        seconds = time.perf_counter() - begin

        if gradient is not None and by_bulk is not None and by_shear is not None:
            by_young, by_poisson = gradient_young_poisson(by_bulk, by_shear, young, poisson)
            np.savez(gradient, dK_dE=by_young[0].numpy(), dK_dnu=by_poisson[0].numpy())
        report = moduli | {
            "density": None if data.rho is None else float(data.rho.mean()),
            "bounds": {name: float(asdict(bounds)[name]) for name in ("voigt", "reuss", "hs_lower", "hs_upper")},
            "iterations": int(solved.iterations.sum()),
            "residual": float(solved.residual.max()),
            "boundary": str(solved.boundary),
            "seconds": seconds,
        }
    if as_json:
        typer.echo(to_json(report), nl=False)
    else:
        _print(report, data.E.shape)


def _print(report: dict, shape: tuple[int, ...]) -> None:
    table = Table(title=f"Effective properties, {' x '.join(str(n) for n in shape)} voxels", show_header=False)
    for key, name, unit in (
        ("K", "bulk modulus K", "GPa"),
        ("G", "shear modulus G", "GPa"),
        ("E", "Young's modulus E", "GPa"),
        ("nu", "Poisson's ratio", ""),
        ("density", "density", "g/cm³"),
    ):
        if report[key] is not None:
            table.add_row(name, f"{report[key]:.6g} {unit}")
    bounds = report["bounds"]
    for low, high, name in (("reuss", "voigt", "Reuss … Voigt (K)"), ("hs_lower", "hs_upper", "Hashin–Shtrikman (K)")):
        table.add_row(name, f"{bounds[low]:.6g} … {bounds[high]:.6g} GPa")
    table.add_row(
        "solve",
        f"{report['iterations']} iterations, residual {report['residual']:.1e}, "
        f"{report['seconds']:.3f} s, {report['boundary']}",
    )
    output().print(table)
    if "C" in report:
        stiffness = Table(title="C, GPa", show_header=False)
        round_off = 1e-9 * max(abs(value) for row in report["C"] for value in row)
        for row in report["C"]:
            stiffness.add_row(*(f"{value:.5g}" if abs(value) > round_off else "0" for value in row))
        output().print(stiffness)
