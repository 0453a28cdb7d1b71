"""Images on the page "Evaluate": steps with a preview, phases with their shares, numbers with their intervals."""

from __future__ import annotations

import io
import json
import zipfile

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from streamlit.testing.v1 import AppTest

from relaxdesign.ui.components import cell_results


@pytest.fixture
def app(evaluate_page) -> AppTest:
    return evaluate_page


def grey() -> np.ndarray:
    """Pages, rows, columns: a quarter of the columns (x) is bright."""
    values = np.full((8, 8, 12), 70.0)
    values[:, :, :3] = 190.0
    return np.clip(values + np.random.default_rng(0).normal(0, 20, values.shape), 0, 255).astype(np.uint8)


def tiff(stack: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, stack, photometric="minisblack")
    return buffer.getvalue()


def zipped(stack: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for z, page in enumerate(stack):
            packed.writestr(f"scan/slice {z}.png", imageio.imwrite("<bytes>", page, extension=".png"))
        packed.writestr("__MACOSX/scan/._slice 0.png", b"no image")
    return buffer.getvalue()


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    app.run()
    app.segmented_control(key="evaluate-source").set_value("Upload an image").run()
    app.file_uploader(key="evaluate-image").upload(name, content, "application/octet-stream").run()
    assert not app.exception and not app.error, [each.value for each in [*app.exception, *app.error]]
    return app


@pytest.mark.parametrize(("name", "content"), [("scan.tif", tiff), ("slices.zip", zipped)])
def test_a_scan_becomes_numbers_with_interval_and_estimates(app, name, content):
    upload(app, name, content(grey()))
    steps = [field.label for field in app.text_input if field.key and field.key.startswith("image-step-")]
    assert steps == ["1. Median", "2. Otsu"]
    app.button(key="image-use").click().run()
    assert not app.exception and not app.error
    assert [box.label for box in app.selectbox if box.label.startswith("Label")] == [
        "Label 0 (75.00%)",
        "Label 1 (25.00%)",
    ]
    assert "Steps: median 3; otsu" in texts(app).replace("\\", "")
    assert any("is not periodic" in warning.value for warning in app.warning)
    beside = next(table.value for table in app.dataframe if "As voxels" in table.value).set_index("")
    K = beside.loc["Bulk modulus K, GPa"]
    assert float(K["Kubc (upper)"]) > float(K["Periodic (working)"]) and "±" in K["Interval"]
    begin = next(button for button in app.button if button.label == "Begin designs from this cell")
    assert begin.disabled and "cells of 32 voxels per edge; this one has 12 × 8 × 8" in begin.help


def test_steps_are_added_moved_and_taken_away(app):
    upload(app, "scan.tif", tiff(grey()))

    def rows() -> list[str]:
        return [each.label for each in app.text_input if each.key and each.key.startswith("image-step-")]

    app.selectbox(key="image-step-new").select("downsample").run()
    app.button(key="image-step-add").click().run()
    assert rows() == ["1. Median", "2. Otsu", "3. Downsample"]
    up = [button.key for button in app.button if button.key.startswith("image-step-up-")]
    app.button(key=up[2]).click().run()
    assert rows() == ["1. Median", "2. Downsample", "3. Otsu"]
    away = [button.key for button in app.button if button.key.startswith("image-step-away-")]
    app.button(key=away[2]).click().run()
    assert rows() == ["1. Median", "2. Downsample"] and not app.exception
    app.button(key="image-use").click().run()
    assert any("no labels" in each.value and "otsu" in each.value for each in app.error)


def test_what_a_step_cannot_do_is_told_beside_the_preview(app):
    upload(app, "scan.tif", tiff(grey()))
    key = next(field.key for field in app.text_input if field.label == "2. Otsu")
    app.text_input(key=key).set_value("many").run()
    assert any("is not understood; write otsu" in warning.value for warning in app.warning)
    assert not app.exception


def test_the_files_repeat_the_steps(app, monkeypatch):
    written = {}
    kept = cell_results._files
    monkeypatch.setattr(
        cell_results, "_files", lambda *args: written.update({each.label: each for each in kept(*args)}) or []
    )
    upload(app, "labels.tif", tiff((grey() > 130).astype(np.uint8)))
    app.segmented_control(key="image-faces").set_value("Mirrored").run()
    app.button(key="image-use").click().run()
    told = json.loads(written["JSON"].make())
    assert [step["step"] for step in told["image"]["steps"]] == ["mirror"] and "estimates" not in told
    assert told["interval"]["K"]["low"] < told["K"] < told["interval"]["K"]["high"]
