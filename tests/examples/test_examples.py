"""The examples run as they stand, with smaller settings, and give what they promise."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import relaxdesign as rd

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    """An example as a module; they are scripts, not a package."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested():
    tested = {"design_composite", "evaluate_field", "own_catalogue", "export_designs"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_designs_are_light_and_on_target():
    result = load("design_composite").main(count=2, steps=8)
    (good, *_) = [design for design in result.designs if design.ok]
    assert good.properties["K"] == pytest.approx(60, rel=0.01)
    assert good.properties["density"] <= 5.0 * 1.01


def test_a_field_of_numpy_lies_within_its_bounds():
    properties = load("evaluate_field").main(grid=16)
    fraction, bounds = 0.6**3 * np.pi / 6, properties.bulk_bounds
    assert properties.density == pytest.approx(1.2 + fraction * 1.5, rel=0.01)
    assert bounds.hs_lower < properties.bulk < bounds.hs_upper
    assert properties.bulk == pytest.approx(3.8, rel=0.05)


def test_designs_are_of_own_materials():
    result = load("own_catalogue").main(count=1, steps=6)
    (design,) = result.designs
    assert design.properties["E"] == pytest.approx(12, rel=0.01)
    assert {material.id for material in design.materials} <= {"resin", "foam", "glass", "alumina"}


def test_designs_become_files(tmp_path):
    files = load("export_designs").main(tmp_path / "designs", count=1, steps=6)
    names = {path.relative_to(tmp_path / "designs").as_posix() for path in files}
    assert {f"design-01/{name}" for name in ("design.vti", "particles.stl", "abaqus.inp", "design.json")} <= names
    assert rd.evaluate(tmp_path / "designs" / "design-01" / "design.vti").bulk == pytest.approx(120, rel=0.01)
