"""Gmsh in the process of the tests."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def gmsh():
    """Gmsh, begun and ended. It lets a broken pipe end the process, which Python does not: that is set right again."""
    try:
        import gmsh
    except OSError as error:
        pytest.skip(f"Gmsh cannot be loaded: {error}")
    gmsh.initialize(interruptible=False)
    gmsh.option.setNumber("General.Terminal", 0)
    yield gmsh
    gmsh.finalize()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
