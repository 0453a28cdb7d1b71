"""A cell for FANS, which solves voxels by FFT: labels in HDF5 and its input file in JSON (version 0.6).

https://github.com/DataAnalyticsEngineering/FANS, "Input file format". `relaxdesign.io.images` reads the labels back.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from relaxdesign.export.cell import check_cell_size
from relaxdesign.export.records import to_json
from relaxdesign.microstructure.cell import Cell
from relaxdesign.physics.voxel_fields import traced

_DATASET = "/cell/labels"
_ITERATIONS, _TOLERANCE = 1000, 1e-8


def fans_files(cell: Cell, names: Sequence[str], cell_size_mm: float, title: str) -> dict[str, bytes]:
    """``fans.h5`` and ``fans.json``, which names it. names: of the phases. Voids have a trace of stiffness.

    FANS then computes the homogenised stiffness of the cell in GPa with elements of full integration.
    """
    edge = check_cell_size(cell_size_mm)
    lengths = [edge * count / cell.labels.shape[0] for count in cell.labels.shape]
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        data = file.create_dataset(_DATASET, data=cell.labels, compression="gzip", track_times=False)
        data.attrs["permute_order"], data.attrs["L"] = "xyz", np.array(lengths)
    bulk, shear = (traced([getattr(material, of) for material in cell.materials]) for of in ("bulk", "shear"))
    content: dict[str, Any] = {
        "comment": f"{title}; {', '.join(names)}; GPa, mm",
        "microstructure": {"filepath": "fans.h5", "datasetname": _DATASET, "L": lengths},
        "problem_type": "mechanical",
        "strain_type": "small",
        "materials": [
            {
                "phases": [label],
                "matmodel": "LinearElasticIsotropic",
                "material_properties": {"bulk_modulus": [float(bulk[label])], "shear_modulus": [float(shear[label])]},
            }
            for label in range(len(cell.materials))
        ],
        "FE_type": "HEX8",
        "method": "cg",
        "error_parameters": {"measure": "L2", "type": "relative", "tolerance": _TOLERANCE},
        "n_it": _ITERATIONS,
        "macroscale_loading": [[[float(row == column) for column in range(6)]] for row in range(6)],
        "results": ["homogenized_tangent", "stress_average", "strain_average"],
    }
    return {"fans.h5": stored.getvalue(), "fans.json": to_json(content).encode()}
