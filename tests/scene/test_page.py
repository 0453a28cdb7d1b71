"""A scene is exported as a page of its own, also by a process that has drawn before, and never waited for in vain."""

import numpy as np
import pytest

from relaxdesign.scene import page, phase_scene
from relaxdesign.scene.page import PageError, export_page
from relaxdesign.scene.stills import can_render, studio

SCENE = phase_scene((np.indices((8, 8, 8)).sum(0) % 5 < 2).astype(int), ("#3B4D72", "#E6CF5B"))


@pytest.mark.skipif(not can_render(), reason="no GL libraries: PyVista cannot render here")
def test_a_page_holds_viewer_and_scene_and_comes_after_a_still():
    studio().picture(SCENE, 64, 64)
    html = export_page(SCENE, 320, 200, dark=True)
    assert html.lstrip().lower().startswith("<!doctype html") and len(html) > 500_000
    assert "vtkPolyData" in html


def test_an_export_that_takes_too_long_is_given_up():
    with pytest.raises(PageError, match=r"more than 0\.05 s"):
        export_page(SCENE, 320, 200, dark=False, seconds=0.05)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(page, "NEEDED_MODULES", ("trame", "surely_not_installed"))
    with pytest.raises(PageError, match="not installed: surely_not_installed"):
        export_page(SCENE, 320, 200, dark=False)
