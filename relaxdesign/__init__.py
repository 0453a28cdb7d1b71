"""RelaxDesign: inverse design of two-phase composites with guided diffusion and exact FEM gradients.

    import relaxdesign as rd

    result = rd.design(K=120, density=(None, 4.0), count=8, seed=0)  # GPa, g/cm³
    rd.write(result, "designs", formats=("vti", "stl", "report"))
    properties = rd.evaluate("designs/design-01/design.vti")

All other rooms of the package may be imported, too, e.g. `relaxdesign.study.run` to follow a run step by step; only the
names of this module are kept from version to version. They are imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from relaxdesign.version import __version__

if TYPE_CHECKING:
    from relaxdesign.api import design, evaluate, makeable, write, write_mesh
    from relaxdesign.io.fields import load_field
    from relaxdesign.materials.catalogue import Catalogue
    from relaxdesign.materials.material import VOID, Material
    from relaxdesign.microstructure.cell import Cell
    from relaxdesign.physics.effective_properties import Evaluation
    from relaxdesign.physics.voxel_fields import VoxelFields
    from relaxdesign.study.objective import Objective
    from relaxdesign.study.request import DesignRequest
    from relaxdesign.study.result import Design, DesignResult

__all__ = [
    "VOID",
    "Catalogue",
    "Cell",
    "Design",
    "DesignRequest",
    "DesignResult",
    "Evaluation",
    "Material",
    "Objective",
    "VoxelFields",
    "__version__",
    "design",
    "evaluate",
    "load_field",
    "makeable",
    "write",
    "write_mesh",
]

_HOMES = {
    "VOID": "relaxdesign.materials.material",
    "Catalogue": "relaxdesign.materials.catalogue",
    "Cell": "relaxdesign.microstructure.cell",
    "Design": "relaxdesign.study.result",
    "DesignRequest": "relaxdesign.study.request",
    "DesignResult": "relaxdesign.study.result",
    "Evaluation": "relaxdesign.physics.effective_properties",
    "Material": "relaxdesign.materials.material",
    "Objective": "relaxdesign.study.objective",
    "VoxelFields": "relaxdesign.physics.voxel_fields",
    "design": "relaxdesign.api",
    "evaluate": "relaxdesign.api",
    "load_field": "relaxdesign.io.fields",
    "makeable": "relaxdesign.api",
    "write": "relaxdesign.api",
    "write_mesh": "relaxdesign.api",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for: PyTorch takes a second to load."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
