"""Every three-dimensional scene: built once in PyVista, drawn as a still, by stpyvista, or by the browser.

`scenes` says what is to be seen, `surfaces` makes the meshes, `stills` renders on this machine, and `browser` hands
the same meshes to a page that draws them itself.
"""

from relaxdesign.scene.bodies import Exact
from relaxdesign.scene.painted import painted_phase, painted_scene
from relaxdesign.scene.scenes import (
    Camera,
    Cut,
    Layer,
    Scene,
    best_limit,
    forming_scene,
    lattice,
    phase_scene,
)

__all__ = [
    "Camera",
    "Cut",
    "Exact",
    "Layer",
    "Scene",
    "best_limit",
    "forming_scene",
    "lattice",
    "painted_phase",
    "painted_scene",
    "phase_scene",
]
