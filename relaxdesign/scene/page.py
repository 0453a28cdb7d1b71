"""A scene as a page of its own, which PyVista's trame viewer exports.

The export runs in a process of its own (``python -m relaxdesign.scene.page``, the scene pickled on standard input): it
starts an event loop, and a process that has drawn before cannot be forked, as the threads of its graphics library are
not in the copy.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from relaxdesign.data import child_environment
from relaxdesign.scene.scenes import BACKGROUNDS, Scene

NEEDED_MODULES = ("trame", "trame_vtk", "trame_vuetify", "trame_pyvista", "nest_asyncio2")
EXPORT_SECONDS = 60.0


class PageError(RuntimeError):
    """A scene that could not be exported, and why."""


def export_page(scene: Scene, width: int, height: int, *, dark: bool, seconds: float = EXPORT_SECONDS) -> str:
    """Returns the HTML of a viewer with the scene, in pixels; raises PageError where there is none in time."""
    if missing := [name for name in NEEDED_MODULES if find_spec(name) is None]:
        raise PageError(f"not installed: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="relaxdesign-page-") as folder:
        target = Path(folder) / "page.html"
        command = [sys.executable, "-m", "relaxdesign.scene.page", str(target)]
        order = pickle.dumps((scene, width, height, dark))
        try:
            child = subprocess.run(command, input=order, capture_output=True, timeout=seconds, env=child_environment())
        except subprocess.TimeoutExpired:
            raise PageError(f"the export took more than {seconds:g} s") from None
        if child.returncode != 0 or not target.is_file():
            raise PageError(f"the export ended with {child.returncode}: {child.stderr.decode(errors='replace')[-500:]}")
        return target.read_text()


def _main() -> None:
    from relaxdesign.scene.stills import new_plotter, place

    # Meshes of our own parent: nothing of strangers is unpickled.
    scene, width, height, dark = pickle.load(sys.stdin.buffer)
    plotter = new_plotter(width, height)
    plotter.renderer.set_background(BACKGROUNDS[dark])
    place(plotter, scene)
    page = plotter.trame.export_html(filename=None)
    Path(sys.argv[1]).write_text(page.getvalue())


if __name__ == "__main__":
    _main()
