"""How long a request will take on a server on this machine, from a calibration of seconds.

A design is made of passes of the network and of linear systems; both are timed once, on the grids of the shipped
priors, and multiplied by how many the request needs.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from relaxdesign.files import write_whole
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.physics.elasticity import needs_stiffness
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.prior.model import load_prior
from relaxdesign.server.job import Snapshot
from relaxdesign.server.worker import study_threads
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.methods import METHODS
from relaxdesign.study.request import DesignRequest
from relaxdesign.version import __version__

# Linear systems on the design's grid that finishing a design is worth, by dimension (measured over targets of all
# ranges, mean; single designs differ threefold). A root costs systems of its one quantity, the rest whole stiffnesses.
_ROOT = 60
_SYSTEMS = {
    "verified": {2: 160, 3: 90},  # once a root is found: on two grids, with the whole stiffness
    "several targets": {2: 1150, 3: 450},
    "free-form": {2: 1150, 3: 450},
    "free-form, K alone": {2: 280, 3: 130},
    "given phases": {2: 700, 3: 900},  # of one request each
    "unrefined": {2: 90, 3: 80},
}
_LATTICE = ("void", "titanium-alloy-ti-6al-4v-annealed")  # phases with which priors of shapes are timed
# Seconds per design beside systems: projection, placements, waiting for short solves.
_BESIDE = 0.5
# Six load cases share set-up and gradient: together they cost this much of six times one.
_SHARED = 0.85


@dataclass(frozen=True)
class Calibration:
    """Seconds per candidate: a pass of the network, and linear systems as they are solved to guide and to refine."""

    network: float
    guiding: float
    refining: float


def calibration_of(prior: str) -> Calibration:
    """The calibration of this machine, from the cache or measured now in a child process of low priority.

    Raises CalledProcessError or OSError if it cannot be measured.
    """
    path = _cache()
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    key = f"{prior}, guided to {GuidanceSettings().tolerance:g}, threads: {study_threads()}"
    if key not in known:
        command = [sys.executable, "-m", "relaxdesign.server.timing", prior]
        child = subprocess.run(command, check=True, capture_output=True, text=True)
        known[key] = json.loads(child.stdout.splitlines()[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(known).encode())
    return Calibration(**known[key])


def _cache() -> Path:
    """The file of this machine's timings, by version and machine."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "relaxdesign" / f"timing-{__version__}-{platform.node() or 'here'}.json"


def calibrate(prior: str) -> Calibration:
    """Times the machine with a prior: a second or two."""
    loaded = load_prior(prior)
    if loaded.of_shapes:
        loaded.offer(Catalogue.default().of_phases(_LATTICE))
    count = {2: 8, 3: 2}[loaded.dim]
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randn(count, *loaded.field_shape, generator=generator)
    level = torch.full((count,), 500)
    with torch.no_grad():
        clean = loaded.clean_estimate(noisy, level).clamp(-1, 1)
        network = _seconds(lambda: loaded.clean_estimate(noisy, level)) / count
    soft = loaded.decode(clean)
    single, double = soft.as_fields(), soft.map(torch.Tensor.double).as_fields()
    tolerance = 3e-3 if loaded.of_shapes else 3e-4
    guiding, refining = Evaluator(tolerance=GuidanceSettings().tolerance), Evaluator(tolerance=tolerance)
    return Calibration(
        network,
        _seconds(lambda: guiding(single, raise_on_failure=False)) / count,
        _seconds(lambda: refining(double, raise_on_failure=False)) / count,
    )


@dataclass(frozen=True)
class Estimate:
    """Seconds that a request takes on a machine with nothing else to do, start-up aside: to sample, and to finish."""

    sampling: float
    finishing: float

    @property
    def seconds(self) -> float:
        return self.sampling + self.finishing

    def left(self, snapshot: Snapshot) -> float | None:
        """Seconds until a run ends, by the pace it has had so far; None before there is one.

        What is still to be finished takes as many times longer than estimated as sampling did, until designs tell.
        """
        pace, steps, count = snapshot.seconds_per_step, snapshot.request.steps, snapshot.request.count
        if snapshot.frame is None or pace is None or not snapshot.live:
            return None
        each = self.finishing * (pace * steps / self.sampling if self.sampling else 1.0) / count
        if not snapshot.denoised:
            return pace * (steps - snapshot.frame.step) + each * count
        spent, done = snapshot.finishing, snapshot.finished
        measured = (each + spent) / (done + 1) if done else max(each, spent)
        return measured * max(0, count - len(snapshot.designs))


def estimated(request: DesignRequest, calibration: Calibration) -> Estimate:
    """About how long the request will take."""
    method, settings = METHODS[request.method], request.guidance
    whole = needs_stiffness([objective.quantity for objective in request.objectives])
    systems = 6 * _SHARED if whole else 1.0
    levels = request.steps * settings.recurrence
    solves = levels * settings.mean_iterations / settings.reuse
    passes = levels * method.passes(request) if method.passes else 0
    sampling = passes * calibration.network + method.simulates * solves * systems * calibration.guiding
    if not request.refine:
        finishing = _SYSTEMS["unrefined"][request.dim]
    elif request.phases:
        finishing = _SYSTEMS["given phases"][request.dim]
    elif request.family == "free-form":
        finishing = _SYSTEMS["free-form" if whole else "free-form, K alone"][request.dim]
    elif len(request.targets) > 1:
        finishing = _SYSTEMS["several targets"][request.dim]
    else:
        finishing = _ROOT * systems + _SYSTEMS["verified"][request.dim]
    return Estimate(request.count * sampling, request.count * (finishing * calibration.refining + _BESIDE))


def _seconds(function, repeats: int = 3) -> float:
    """Processor time of the fastest of a few calls, after one call that compiles and fills caches.

    Processor time does not depend on what else the machine computes.
    """
    function()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        times.append((time.process_time() - begin) / torch.get_num_threads())
    return min(times)


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)
    torch.set_num_threads(study_threads())
    print(json.dumps(asdict(calibrate(sys.argv[1]))))
