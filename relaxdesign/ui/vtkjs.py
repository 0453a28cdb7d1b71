"""vtk.js for the browser: taken from an installed package, served from the app's static files, never vendored.

vtk.js (BSD-3-Clause) comes with Panel, which stpyvista requires. Streamlit serves the folder ``static`` beside the
app's script (``server.enableStaticServing``), see `relaxdesign.data.app_folder`.
"""

from __future__ import annotations

import logging
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from relaxdesign.data import app_folder

logger = logging.getLogger(__name__)

STATIC = app_folder() / "static"
ADDRESS = "app/static/vtk.js"


def publish_vtk(folder: Path = STATIC) -> str | None:
    """Puts vtk.js where the app serves it and returns its address, relative to the app's; None if there is none."""
    source = _installed()
    if source is None:
        logger.warning("vtk.js was not found (it comes with the package panel); 3D views fall back to pictures")
        return None
    target = folder / "vtk.js"
    try:
        if not target.is_file() or target.stat().st_size != source.stat().st_size:
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f"vtk.{os.getpid()}.part"
            shutil.copyfile(source, partial)
            partial.replace(target)  # whole or not at all, whoever else does the same
    except OSError as error:
        logger.warning("vtk.js cannot be served (%s); 3D views fall back to pictures", error)
        return None
    return ADDRESS


def _installed() -> Path | None:
    spec = find_spec("panel")
    if spec is None or spec.origin is None:
        return None
    return max(Path(spec.origin).parent.glob("dist/bundled/abstractvtkplot/vtk.js@*/vtk.js"), default=None)
