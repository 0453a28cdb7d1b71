"""Copies the data at the top level of the repository into the wheel; everything else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DATA = ("assets/*.csv", "assets/*.md", "models/*", "docs/*.md", "docs/figures/*", "docs/results/*")
APP = ("app.py", "server.py", ".streamlit/config.toml")


class BuildWithData(build_py):
    """Puts the files where `relaxdesign.data` looks for them in an installed package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # the files are read from the repository
            return
        target = Path(self.build_lib) / "relaxdesign" / "data"
        for path in [*map(Path, APP), *(path for pattern in DATA for path in Path().glob(pattern))]:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path)


setup(cmdclass={"build_py": BuildWithData})
