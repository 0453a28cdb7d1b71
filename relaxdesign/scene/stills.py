"""Pictures of scenes, rendered by PyVista on this machine with plotters that are kept."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyvista as pv
import pyvista.plotting
from numpy.typing import NDArray
from PIL import Image

from relaxdesign.scene.scenes import BACKGROUNDS, LIGHTS, OUTLINE, VIEW_ANGLE, Camera, Layer, Scene

logger = logging.getLogger(__name__)

T = TypeVar("T")

GL_PACKAGES = "libegl1 libgl1-mesa-dri"
PROBE_SECONDS = 120
_KEPT_PLOTTERS = 4
_BEHIND_THE_SOLVER = 5  # how much nicer than the rest of the process the drawing thread is
_QUALITY = 82

_GL_PROBE = """
import pyvista
plotter = pyvista.Plotter(off_screen=True, window_size=(64, 64))
plotter.add_mesh(pyvista.Cube())
assert plotter.screenshot(return_img=True).std() > 0
"""


if sys.platform == "linux" and not os.environ.get("DISPLAY"):
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # else VTK looks for a screen, aloud


@lru_cache(maxsize=1)
def can_render() -> bool:
    """Whether PyVista can render here, tried in a child process: without GL libraries VTK would end this one."""
    try:
        probe = subprocess.run([sys.executable, "-c", _GL_PROBE], capture_output=True, timeout=PROBE_SECONDS)
    except (subprocess.TimeoutExpired, OSError) as error:
        logger.warning("rendering could not be probed: %s", error)
        return False
    if probe.returncode != 0:
        logger.warning(
            "PyVista cannot render here (exit %d). Debian: apt-get install %s", probe.returncode, GL_PACKAGES
        )
    return probe.returncode == 0


def new_plotter(width: int, height: int) -> pv.Plotter:
    """An off-screen plotter with the light of all scenes."""
    plotter = pv.Plotter(off_screen=True, window_size=[width, height], lighting="none")
    for position, intensity in LIGHTS:
        plotter.add_light(pv.Light(position=position, intensity=intensity, light_type="camera light"))
    return plotter


def place(plotter: pv.Plotter, scene: Scene, camera: Camera | None = None) -> None:
    """Puts a scene into a plotter, in place of the one before. camera: in place of the scene's own."""
    corners = {f" {number}": corner for number, corner in enumerate(scene.corners)}
    wanted = {layer.name + number for layer in scene.layers for number in corners}
    for name in set(plotter.renderer.actors) - wanted:
        plotter.renderer.remove_actor(name, reset_camera=False, render=False)
    for layer in scene.layers:
        for number, corner in corners.items():
            actor = _add(plotter, layer, layer.name + number)
            actor.position, actor.scale = corner, 1 / scene.copies
    plotter.add_mesh(
        scene.outline, name="outline", color=OUTLINE, line_width=1.5, lighting=False, reset_camera=False, render=False
    )  # fmt: skip
    plotter.camera_position = camera or scene.camera
    plotter.camera.view_angle = VIEW_ANGLE
    plotter.renderer.reset_camera_clipping_range()


def _add(plotter: pv.Plotter, layer: Layer, name: str) -> pv.Actor:
    look: dict = {"color": layer.colours} if isinstance(layer.colours, str) else {"scalars": layer.colours, "rgb": True}
    return plotter.add_mesh(
        layer.mesh.copy(deep=False),  # it keeps the colours
        name=name,
        opacity=layer.opacity,
        culling="back" if layer.opacity == 1 else None,  # nobody sees the inside of what is closed
        smooth_shading=True,
        split_sharp_edges=False,
        ambient=layer.finish.ambient,
        diffuse=layer.finish.diffuse,
        specular=layer.finish.specular,
        specular_power=layer.finish.power,
        show_scalar_bar=False,
        reset_camera=False,
        render=False,
        **look,
    )


class Studio:
    """Renders scenes, one after the other, in a thread of its own that leaves the processor to the solver.

    A plotter per size is kept: a new one takes half a second, another scene in it some hundredths.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relaxdesign-studio", initializer=_step_back)
        self._plotters: OrderedDict[tuple[int, int], pv.Plotter] = OrderedDict()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Has something done in the drawing thread, where `draw` may be called."""
        return self._pool.submit(work)

    def picture(
        self, scene: Scene, width: int, height: int, camera: Camera | None = None, *, fine: bool = True
    ) -> NDArray[np.uint8]:
        """Renders a scene and waits for it: RGBA (height, width, 4), transparent where nothing is.

        fine: with smooth edges, every pixel the mean of four. camera: see `place`.
        """
        times = 2 if fine else 1
        drawn = self.submit(lambda: self.draw(scene, times * width, times * height, camera)).result()
        return _halved(drawn) if fine else drawn

    def draw(self, scene: Scene, width: int, height: int, camera: Camera | None = None) -> NDArray[np.uint8]:
        """Renders a scene; only in the drawing thread. Returns and raises as `picture`. camera: see `place`."""
        if (width, height) not in self._plotters:
            self._plotters[width, height] = new_plotter(width, height)
            self._plotters[width, height].ren_win.SetMultiSamples(0)
            while len(self._plotters) > _KEPT_PLOTTERS:
                self._plotters.popitem(last=False)[1].close()
        self._plotters.move_to_end((width, height))
        plotter = self._plotters[width, height]
        place(plotter, scene, camera)
        plotter.render()
        return np.array(plotter.screenshot(return_img=True, transparent_background=True))


@lru_cache(maxsize=1)
def studio() -> Studio:
    """The one of this process."""
    return Studio()


def _step_back() -> None:
    with suppress(AttributeError, OSError):  # only Linux has priorities of threads
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + _BEHIND_THE_SOLVER)


def _halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An RGBA picture of half the size; colours count by their opacity."""
    height, width, _ = picture.shape
    blocks = picture.reshape(height // 2, 2, width // 2, 2, 4).astype(np.float32)
    opacity = blocks[..., 3:]
    total = opacity.sum((1, 3))
    colour = (blocks[..., :3] * opacity).sum((1, 3)) / np.maximum(total, 1.0)
    return np.round(np.concatenate([colour, total / 4.0], -1)).astype(np.uint8)


def on_background(picture: NDArray[np.uint8], *, dark: bool = False) -> NDArray[np.uint8]:
    """An RGBA picture on the background of a theme, RGB."""
    paper = np.array([int(BACKGROUNDS[dark][i : i + 2], 16) for i in (1, 3, 5)])
    share = picture[..., 3:] / 255.0
    return np.round(picture[..., :3] * share + paper * (1 - share)).astype(np.uint8)


def webp(picture: NDArray[np.uint8]) -> bytes:
    """A picture as a WebP file: small, with transparency."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=_QUALITY, method=1)
    return buffer.getvalue()
