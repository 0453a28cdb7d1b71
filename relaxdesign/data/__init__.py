"""Files that come with RelaxDesign: materials, priors, reports and the app's script and settings.

In a checkout (and in an editable installation of it) they lie at the top level of the repository: ``assets/``,
``models/``, ``docs/``, ``app.py``, ``server.py`` and ``.streamlit/``. ``setup.py`` copies them beside this module into
a wheel.
"""

from __future__ import annotations

import os
import shutil
from importlib.resources import files
from pathlib import Path

from relaxdesign.version import __version__

_PACKAGED = Path(str(files("relaxdesign.data")))
_REPOSITORY = _PACKAGED.parents[1]  # of a checkout
_APP_FILES = ("app.py", "server.py", ".streamlit/config.toml")


def data_root() -> Path:
    """The folder that holds ``assets/``, ``models/`` and ``docs/``: in a wheel this one, else the repository."""
    return _PACKAGED if (_PACKAGED / "assets").is_dir() else _REPOSITORY


def data_file(name: str) -> Path:
    """The path of a file or folder that comes with RelaxDesign, e.g. ``data_file("assets/materials.csv")``.

    It need not exist: a repository without ``docs/`` is usable.
    """
    return data_root() / name


def child_environment() -> dict[str, str]:
    """The environment variables for a child process that imports RelaxDesign, whatever its working directory.

    A checkout may be used without being installed, so it is put on ``PYTHONPATH``. An installed package is found as its
    parent found it.
    """
    environment = dict(os.environ)
    if data_root() == _REPOSITORY:
        paths = [str(_REPOSITORY), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment


def app_folder() -> Path:
    """The folder from which Streamlit runs the app: it holds ``app.py``, ``.streamlit/`` and may get a ``static/``.

    Streamlit reads settings and serves static files beside the script only, and an installed package may be
    read-only. So the folder is the repository in a checkout, else one in the user's cache.
    """
    root = data_root()
    if root != _PACKAGED:
        return root
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "relaxdesign" / f"app-{__version__}"


def prepare_app() -> Path:
    """Returns the script of the app's pages, after copying it and all beside it into `app_folder` if need be.

    Beside it lies ``server.py``, which Streamlit is told to run: it serves the script.

    Raises OSError if the folder cannot be written.
    """
    folder, root = app_folder(), data_root()
    for name in _APP_FILES if folder != root else ():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.part")
        shutil.copyfile(root / name, partial)
        partial.replace(target)  # whole or not at all, whoever else does the same
    return folder / _APP_FILES[0]
