"""Designs with known numbers, shared by the tests of exports and the command line."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from relaxdesign.cli import app
from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.physics.bounds import two_phase_bounds
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, DesignResult
from tests import postgres


def make_material(id: str, young: float, poisson: float, density: float, name: str | None = None) -> Material:
    """An isotropic material with consistent moduli."""
    bulk, shear = young / (3 * (1 - 2 * poisson)), young / (2 * (1 + poisson))
    return Material(id, name or id, "test", young, poisson, bulk, shear, density)


EPOXY = make_material("epoxy", 3.2, 0.35, 1.2, "Époxy β <& test>")
CARBIDE = make_material("carbide", 400.0, 0.2, 3.2)
WANTED = (Objective(quantity="K", low=10.0, high=10.0),)


@pytest.fixture(scope="session")
def make_design():
    """``make_design(dim, grid, volume_fraction, diameter, index)``: a realised design of epoxy and carbide."""

    def make(dim=2, grid=32, volume_fraction=0.3, diameter=0.25, index=0) -> Design:
        generator = torch.Generator().manual_seed(index)
        packing = place_particles(volume_fraction, diameter, dim, grid=grid, generator=generator)[0]
        phase = packing.voxelise(grid).numpy().reshape(grid, grid, -1).astype(np.uint8)
        share = float(phase.mean())
        return Design(
            index=index,
            objectives=WANTED,
            materials=(EPOXY, CARBIDE),
            shares=(1 - share, share),
            parameters={"diameter": packing.diameter},
            stages={
                "relaxed": {"K": 10.0},
                "projected": {"K": 10.2},
                "snapped": {"K": 10.4},
                "refined": {"K": 10.0},
                "realised": {"K": 10.01},
            },
            properties={"K": 10.01, "density": (1 - share) * EPOXY.density + share * CARBIDE.density},
            spread=0.1,
            bounds=two_phase_bounds(EPOXY.bulk, EPOXY.shear, CARBIDE.bulk, CARBIDE.shear, share),
            iterations=12,
            residual=1e-9,
            labels=phase,
        )

    return make


@pytest.fixture(scope="session")
def make_result(make_design):
    """``make_result(designs, status)``: a result of these designs; the last one failed if none are given."""

    def make(designs=None, status="finished") -> DesignResult:
        if designs is None:
            failed = Design(1, WANTED, message="no packing was found", stages={"relaxed": {"K": float("nan")}})
            designs = (make_design(), failed)
        request = DesignRequest(target_bulk=10.0, count=max(1, len(designs)), steps=2)
        started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        return DesignResult(request, tuple(designs), status, 1.5, "test-prior", 34, started, "0.0.0")

    return make


@pytest.fixture(scope="session")
def postgresql_server():
    """A PostgreSQL server of the tests' own; skips where its package is not installed."""
    if postgres.program("initdb") is None:
        pytest.skip("PostgreSQL's server is not installed (apt-get install postgresql)")
    with postgres.running_server() as server:
        yield server


@pytest.fixture
def database_url(request, tmp_path):
    """Address of an empty database: a SQLite file, or one on a PostgreSQL server.

    Which, a test says by its parameter, or else the variable ``RELAXDESIGN_TEST_DB``: sqlite (the default), postgresql
    (on a server that the tests start), or the address of a server that runs.
    """
    wanted = getattr(request, "param", None) or os.environ.get("RELAXDESIGN_TEST_DB", "sqlite")
    if wanted == "sqlite":
        yield f"sqlite:///{tmp_path / 'library.db'}"
        return
    server = request.getfixturevalue("postgresql_server").url if wanted == "postgresql" else wanted
    with postgres.new_database(server) as url:
        yield url


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MB, and a function that fills it but for so many bytes; skips where none may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("this system has no mount")
    if mounted.returncode:
        pytest.skip(f"no disk of its own may be mounted here: {mounted.stderr.strip()}")
    ballast = disk / "ballast"

    def fill(left: int = 0) -> None:
        with ballast.open("ab", buffering=0) as file:
            while (free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - left) > 0:
                file.write(b"x" * min(free, 2**16))

    yield disk, fill
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Runs a command in an empty folder, on a library there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELAXDESIGN_DB", f"sqlite:///{tmp_path / 'library.db'}")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
