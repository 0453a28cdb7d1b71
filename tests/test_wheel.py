"""The wheel holds all that the program reads: installed elsewhere, it evaluates, designs and serves the app.

It is built from the sdist, which so is known to be whole, and installed into an empty environment that sees the
packages of this one but not the repository.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from relaxdesign.version import __version__

ROOT = Path(__file__).parents[1]
LEFT_OUT = (".git", ".venv", ".*_cache", "__pycache__", "*.egg-info", "build", "dist", "runs", "static", "tests")
"""What is no part of a fresh checkout, and the tests themselves."""

START_SECONDS = 120
DRAW_FIRST_PAGE = """
from streamlit.testing.v1 import AppTest
from relaxdesign.data import prepare_app
from relaxdesign.ui import server
server._calibrations = dict  # timing the machine would take longer than all the rest
app = AppTest.from_file(str(prepare_app()), default_timeout=120).run()
print(len(app.exception), len(app.error), app.button(key="design").label)
"""


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel, and an empty folder to work in."""

    wheel: Path
    python: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this process that could lead to the repository, and a home of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RELAXDESIGN_"))}
        homes = {name: str(self.folder / name) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
        return kept | homes | {"STREAMLIT_SERVER_HEADLESS": "true"}

    def run(self, *arguments: object) -> str:
        """Standard output of ``relaxdesign`` with these arguments."""
        return self._output([str(self.python.with_name("relaxdesign")), *map(str, arguments)])

    def python_output(self, code: str) -> str:
        """Standard output of Python code."""
        return self._output([str(self.python), "-c", code])

    def _output(self, command: list[str]) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


def build(kind: str, source: Path, target: Path) -> Path:
    """What the build backend makes of a folder, as ``pip`` and ``python -m build`` ask for it; kind: sdist or wheel."""
    code = f"import setuptools.build_meta as b, sys; print(b.build_{kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(target)], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installation:
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(*LEFT_OUT))
    with tarfile.open(build("sdist", folder / "copy", folder)) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    wheel = build("wheel", folder / "unpacked" / f"relaxdesign-{__version__}", folder)

    venv.create(folder / "venv", symlinks=os.name != "nt")
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([str(python), "-c", where], check=True, capture_output=True, text=True).stdout.strip()
    # Lines of a .pth file are searched last, and .pth files in those folders are not read: no editable installation.
    seen = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(packages) / "dependencies.pth").write_text("\n".join(sorted(seen)))
    (folder / "work").mkdir()
    return Installation(wheel, python, folder / "work")


def test_it_holds_every_file_that_is_read(installed):
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    package = ROOT / "relaxdesign"
    own = {f"relaxdesign/{path.relative_to(package).as_posix()}" for path in package.rglob("*") if path.is_file()}
    data = [path for kind in ("models/*", "docs/*.md", "docs/figures/*", "assets/*.csv") for path in ROOT.glob(kind)]
    copied = {f"relaxdesign/data/{path.relative_to(ROOT).as_posix()}" for path in data}
    missing = {name for name in own | copied if "__pycache__" not in name} - names
    assert not missing
    assert {f"relaxdesign/data/{name}" for name in ("app.py", "server.py", ".streamlit/config.toml")} <= names
    assert {name.split("/")[0] for name in names} == {"relaxdesign", f"relaxdesign-{__version__}.dist-info"}


def test_it_does_not_see_the_repository(installed):
    code = "import relaxdesign as rd; print(rd.__file__, rd.__version__, len(rd.Catalogue.default()))"
    path, version, materials = installed.python_output(code).split()
    assert Path(path).is_relative_to(installed.python.parents[1]) and version == __version__ and int(materials) > 400


def test_it_evaluates(installed):
    np.savez(installed.folder / "field.npz", E=np.full((8, 8), 3.0), nu=np.full((8, 8), 0.3))
    report = json.loads(installed.run("evaluate", "field.npz", "--json"))
    assert report["K"] == pytest.approx(2.5)


def test_it_designs(installed):
    options = ("--count", 1, "--steps", 4, "--out", "designs", "--json")
    record = json.loads(installed.run("design", "--target-bulk", 120, *options))
    assert record["version"] == __version__
    assert record["designs"][0]["stages"]["realised"]["K"] == pytest.approx(120, rel=0.01)
    assert (installed.folder / "designs" / "design-01" / "design.vti").is_file()


def test_it_serves_the_app(installed):
    assert "--port" in installed.run("app", "--help")
    with serving(installed) as (address, log):
        assert b"<title>" in fetch(address)
        drawn = installed.python_output(DRAW_FIRST_PAGE)
        assert drawn.split() == ["0", "0", "Design"], "no error on the first page, whose links lead to the others"
        # The settings that are packaged act: they let Streamlit serve what the first page put beside the script.
        assert b"vtkImageMarchingCubes" in fetch(f"{address}/app/static/vtk.js")
        assert "Traceback" not in log.read_text()


@contextlib.contextmanager
def serving(installed: Installation) -> Iterator[tuple[str, Path]]:
    """The address of the app, started in the empty folder, and its log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(installed.python.with_name("relaxdesign")), "app", "--port", str(port), "--address", "127.0.0.1"]
    log = installed.folder / "app.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=installed.folder, env=installed.environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        address = f"http://127.0.0.1:{port}"
        end = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            with contextlib.suppress(OSError):
                if fetch(f"{address}/_stcore/health") == b"ok":
                    break
            time.sleep(0.2)
        yield address, log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def fetch(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read()
