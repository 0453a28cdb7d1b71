"""Every kind of file a verified design can become. One table serves the command, the pages and the ZIP."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from relaxdesign.export.bodies import CHORD, COARSEST, FINEST
from relaxdesign.export.cards import Heat, abaqus_card, ansys_card, calculix_card
from relaxdesign.export.cell import (
    ExportError,
    check_sizes,
    design_name,
    inclusion_phase,
    phase_names,
    realised_cell,
    sizes_text,
    sizes_um,
)
from relaxdesign.export.figures import field_png, phase_png, stiffness_png
from relaxdesign.export.mesh import Mesh, check_mesh_kind, design_mesh
from relaxdesign.export.mesh.deck import deck
from relaxdesign.export.mesh.fans import fans_files
from relaxdesign.export.mesh.files import mesh_files
from relaxdesign.export.mesh.step import step_bytes
from relaxdesign.export.plates import AXES, Plates, Specimen
from relaxdesign.export.provenance import cell_sha256
from relaxdesign.export.records import numbered, to_json
from relaxdesign.export.stl import design_surface, stl_bytes
from relaxdesign.export.surface import block
from relaxdesign.export.tables import records_csv
from relaxdesign.export.threemf import threemf_bytes
from relaxdesign.export.vti import vti_bytes
from relaxdesign.physics.anisotropy import is_stable
from relaxdesign.physics.effective_properties import Evaluation, evaluate, fields_under
from relaxdesign.physics.expansion import of_materials
from relaxdesign.physics.fem import LOADS, LocalFields
from relaxdesign.physics.voxel_fields import VoxelFields
from relaxdesign.scene import Exact
from relaxdesign.scene.palette import phase_colours
from relaxdesign.study.result import Design

_IN_CARDS = ("run", "computed_with", "prior", "seed", "request_sha256")  # of the origin


@dataclass(frozen=True)
class ExportOptions:
    """Sizes of the files. cell_size_mm: physical edge of one cell. thickness_mm: of the STL of a 2D cell, default an
    eighth of the edge. tile: cells along each edge of the STL. load: the unit strain of the local fields. chord:
    largest distance of the STL's facets from spheres or cylinders, of their diameter. plates_mm: thickness of plates
    that close two ends of the solid's STL beside a void, 0 for none. plates_axis: x, y or z, that they lie across;
    empty: z, of a 2D cell y. mesh: kind of the finite element meshes, of `relaxdesign.export.mesh.MESHES`. Thickness,
    tiles, chord and plates are those of STL and 3MF alike."""

    cell_size_mm: float = 10.0
    thickness_mm: float | None = None
    tile: int = 1
    load: str = "hydrostatic"
    chord: float = CHORD
    plates_mm: float = 0.0
    plates_axis: str = ""
    mesh: str = "voxels"

    def check(self, dim: int) -> None:
        """Raises ExportError if cells of this dimension cannot be exported so."""
        check_sizes(dim, self.cell_size_mm, self.thickness_mm, self.tile)
        if self.load not in LOADS:
            raise ExportError(f"the load {self.load!r} is unknown; loads are {', '.join(LOADS)}")
        check_mesh_kind(self.mesh)
        if not FINEST <= self.chord <= COARSEST:
            raise ExportError(
                f"the chord error is {self.chord}; supported are {FINEST:g} to {COARSEST:g} of a diameter"
            )


class DesignExport:
    """A verified design on its way into files: what has to be solved for them is solved once, when first needed.

    origin: where it comes from, see `relaxdesign.export.provenance`; it goes into the files that have room for it.
    Raises ExportError for a design that was not realised or options that do not fit it.
    """

    def __init__(self, design: Design, options: ExportOptions | None = None, origin: dict[str, Any] | None = None):
        self.design = design
        self.options = options or ExportOptions()
        self.origin = origin or {}
        self.cell = realised_cell(design)
        self.phases = phase_names(design)
        self.options.check(self.cell.dim)
        self.plates = Plates.of(self.options.plates_mm, self.options.plates_axis, self.cell)
        self.number = design.index + 1
        self.name = design_name(design)

    @cached_property
    def data(self) -> VoxelFields:
        """Its voxel fields."""
        return self.cell.fields

    @cached_property
    def evaluation(self) -> Evaluation:
        """Its effective properties, solved anew from the exported voxels in double precision."""
        return evaluate(self.data)

    @property
    def stiffness(self) -> np.ndarray:
        """C in GPa (6, 6) of the realised cell: the limit of fine grids, if the design knows it."""
        known = None if self.design.stiffness is None else np.array(self.design.stiffness)
        return self.evaluation.C if known is None or not is_stable(known) else known

    @cached_property
    def fields(self) -> LocalFields:
        """Local fields under the load of the options."""
        return fields_under(self.data, self.options.load)

    @cached_property
    def record(self) -> dict[str, Any]:
        """The design with its effective properties, sizes and origin, for JSON and CSV."""
        sizes: dict[str, Any] = {"cell_size_mm": self.options.cell_size_mm, "tile": self.options.tile}
        if self.plates is not None and self.specimen is not None:
            sizes["plates"] = {"thickness_mm": self.plates.thickness_mm, "axis": AXES[self.plates.axis]}
            sizes["plates"] |= {"loose": self.specimen.loose, "sealed_voids": self.specimen.sealed}
        values = numbered(self.design.to_dict())
        values.pop("files", None)
        if values["geometry"]:
            edge = self.options.cell_size_mm
            of = sizes_um(self.design, edge)
            across = {"sizes_um": of} if of else {}
            values["geometry"], sizes = values["geometry"] | {"edge_mm": edge} | across, sizes | across
        hashed = {"cell_sha256": cell_sha256(self.design)}
        return values | {
            "effective": _timeless(self.evaluation.to_dict()),
            "export": sizes,
            "origin": self.origin | hashed,
        }

    @cached_property
    def specimen(self) -> Specimen | None:
        """The tiled solid between its plates, if some are asked for. Raises ExportError if it does not hold them."""
        if self.plates is None:
            return None
        return Specimen.of(block(self.cell.labels != self.cell.void, self.options.tile), self.plates.axis)

    @property
    def plates_text(self) -> str:
        """What the STL of the solid has beside the cell; empty without plates."""
        if self.plates is None or self.specimen is None:
            return ""
        told = (
            f"In the STL file of the solid, plates of {self.plates.thickness_mm:.4g} mm close the two ends along "
            f"{AXES[self.plates.axis]}; all numbers here are those of the periodic cell without them."
        )
        return f"{told} {self.specimen.words}".rstrip()

    @property
    def remarks(self) -> list[str]:
        """Lines of comment for material cards."""
        shape = "x".join(map(str, self.cell.labels.shape))
        lines = [
            f"Effective stiffness of {self.name}, periodic cell, "
            + ("limit of fine grids." if self.design.trust else f"{shape} voxels, float64."),
            *(
                f"{phase.capitalize()}: {material.name} [{material.id}], volume fraction {share:.4f}."
                for phase, material, share in zip(self.phases, self.cell.materials, self.design.shares, strict=True)
            ),
            f"K = {self.stiffness[:3, :3].mean():.6g} GPa (Voigt average of C).",
        ]
        if across := sizes_text(self.design, self.options.cell_size_mm):
            lines.append(f"{self.phases[inclusion_phase(self.design)].capitalize()}: {across.replace('µm', 'um')}.")
        if self.cell.dim == 2:
            lines.append("2D cell: fibres along z (axis 3), three-dimensional elasticity.")
        return lines + [f"{name}: {self.origin[name]}" for name in _IN_CARDS if self.origin.get(name) is not None]

    def card(self, write: Callable[..., str]) -> bytes:
        """A material card as bytes."""
        name = f"RELAXDESIGN-{self.name}"
        known = self.design.value("density")
        density = self.evaluation.density if known is None else known
        return write(self.stiffness, density, name, self.remarks, self._heat).encode("ascii")

    @property
    def _heat(self) -> Heat:
        """Expansion and conductivity of the realised cell, as far as its phases' are known."""
        found, conductivity = self.evaluation, None
        if found.conduction is not None:  # the tensor of its voxels, with the mean at the limit of fine grids
            limit = self.design.value("conductivity") or found.conduction.mean
            conductivity = limit / found.conduction.mean * found.conduction.tensor
        expansion = of_materials(self.design.materials, self.design.shares, self.stiffness)
        if expansion is None and found.expansion is not None:  # more than two phases
            expansion = found.expansion.tensor
        return Heat(expansion, conductivity)

    def surface(self, phase: int) -> bytes:
        """STL of a phase."""
        sizes = self.options
        thickness, tile = sizes.thickness_mm, sizes.tile
        return stl_bytes(self.design, sizes.cell_size_mm, thickness, phase, tile, sizes.chord, self.plates)

    @property
    def bodies(self) -> bytes:
        """3MF of all solid phases."""
        sizes, colours = self.options, phase_colours(len(self.phases), self.cell.void)
        thickness, tile = sizes.thickness_mm, sizes.tile
        bodies = []
        for phase, (name, material) in enumerate(zip(self.phases, self.cell.materials, strict=True)):
            if phase != self.cell.void and self.cell.shares[phase]:
                surface = design_surface(
                    self.design, sizes.cell_size_mm, thickness, phase, tile, sizes.chord, self.plates
                )
                bodies.append((name, material.name, colours[phase], surface))
        return threemf_bytes(bodies, f"RelaxDesign {self.name}")

    @cached_property
    def mesh(self) -> Mesh:
        """Its finite element mesh, of the kind of the options."""
        return design_mesh(self.design, self.options.mesh, self.options.cell_size_mm)

    @property
    def deck(self) -> bytes:
        """Input file of Abaqus and CalculiX."""
        origin = [f"{name}: {self.origin[name]}" for name in _IN_CARDS if self.origin.get(name) is not None]
        return deck(self.mesh, f"RelaxDesign {self.name}", origin)

    @cached_property
    def fans(self) -> dict[str, bytes]:
        """Files of FANS by name."""
        return fans_files(self.cell, self.phases, self.options.cell_size_mm, f"RelaxDesign {self.name}")

    @cached_property
    def xdmf(self) -> dict[str, bytes]:
        """Files of XDMF by name."""
        return mesh_files(self.mesh, "mesh", "xdmf")

    @cached_property
    def phase_figure(self) -> bytes:
        """PNG of the phases."""
        exact = Exact.of(self.design.family, self.design.geometry)
        return phase_png(self.cell, self.options.cell_size_mm, exact)

    @cached_property
    def stiffness_figure(self) -> bytes:
        """PNG of Young's modulus by direction."""
        return stiffness_png(self.stiffness)

    @cached_property
    def stress_figure(self) -> bytes:
        """PNG of the von Mises stress under the load of the options."""
        values = self.fields.von_mises[0].numpy()
        return field_png(values, f"von Mises stress under unit strain {self.options.load}", "GPa per unit strain")


def _timeless(values: dict[str, Any]) -> dict[str, Any]:
    """Without seconds, so that the same design gives the same file."""
    return {
        name: _timeless(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if name != "seconds"
    }


Files = dict[str, Callable[[], bytes]]


def _surfaces(export: DesignExport) -> Files:
    """One file per phase, the first phase last."""
    labels = [*range(1, len(export.phases)), 0]
    return {f"{export.phases[label]}.stl": partial(export.surface, label) for label in labels}


def _part(export: DesignExport, format: str, name: str) -> bytes:
    """One of several files that are made together."""
    return getattr(export, format)[name]


@dataclass(frozen=True)
class Format:
    """A kind of file. files: how contents are made, by file name, of a design. mime: if it is one file. large: it is
    made only where it is asked for by its name."""

    title: str
    files: Callable[[DesignExport], Files]
    mime: str = "application/octet-stream"
    large: bool = False


FORMATS: dict[str, Format] = {
    "stl": Format(
        "STL surfaces of all phases, closed, in mm",
        _surfaces,
        "model/stl",
    ),
    "vti": Format(
        "VTK image with materials and local fields, for ParaView",
        lambda export: {"design.vti": lambda: vti_bytes(export.design, export.options.cell_size_mm, export.fields)},
        "application/xml",
    ),
    "abaqus": Format(
        "Abaqus material card", lambda export: {"abaqus.inp": partial(export.card, abaqus_card)}, "text/plain"
    ),
    "calculix": Format(
        "CalculiX material card", lambda export: {"calculix.inp": partial(export.card, calculix_card)}, "text/plain"
    ),
    "ansys": Format(
        "Ansys APDL material card", lambda export: {"ansys.inp": partial(export.card, ansys_card)}, "text/plain"
    ),
    "json": Format(
        "Everything known of the design as JSON",
        lambda export: {"design.json": lambda: to_json(export.record).encode()},
        "application/json",
    ),
    "csv": Format(
        "All numbers as one row of a table",
        lambda export: {"design.csv": lambda: records_csv([export.record]).encode()},
        "text/csv",
    ),
    "png": Format(
        "Pictures of the cell, its stress and its stiffness",
        lambda export: {
            "cell.png": lambda: export.phase_figure,
            "stress.png": lambda: export.stress_figure,
            "stiffness.png": lambda: export.stiffness_figure,
        },
        "image/png",
    ),
    "3mf": Format(
        "3MF of all solid phases as coloured bodies, in mm, for printing",
        lambda export: {"design.3mf": lambda: export.bodies},
        "model/3mf",
    ),
    "inp": Format(
        "Mesh with periodic conditions and six load cases, for Abaqus and CalculiX",
        lambda export: {"mesh.inp": lambda: export.deck},
        "text/plain",
        large=True,
    ),
    "msh": Format(
        "Mesh for Gmsh, phases as physical groups",
        lambda export: {"mesh.msh": lambda: mesh_files(export.mesh, "mesh", "msh")["mesh.msh"]},
        large=True,
    ),
    "vtu": Format(
        "Mesh for VTK and ParaView",
        lambda export: {"mesh.vtu": lambda: mesh_files(export.mesh, "mesh", "vtu")["mesh.vtu"]},
        large=True,
    ),
    "xdmf": Format(
        "Mesh as XDMF with HDF5",
        lambda export: {name: partial(_part, export, "xdmf", name) for name in ("mesh.xdmf", "mesh.h5")},
        large=True,
    ),
    "fans": Format(
        "Voxels for FANS: HDF5 and its input file",
        lambda export: {name: partial(_part, export, "fans", name) for name in ("fans.h5", "fans.json")},
        large=True,
    ),
    "step": Format(
        "STEP of particles and fibres as exact solids, for CAD",
        lambda export: {
            "design.step": lambda: step_bytes(export.design, export.options.cell_size_mm, export.options.thickness_mm)
        },
        "model/step",
        large=True,
    ),
}
"""Formats of single designs by name. The report is one for all designs: `relaxdesign.export.report`."""

REPORT = "report"


def check_formats(names: Iterable[str]) -> list[str]:
    """The names, each once. Raises ExportError for one that does not exist."""
    known = [*FORMATS, REPORT]
    chosen = list(dict.fromkeys(names))
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise ExportError(f"unknown format {', '.join(unknown)}; formats are {', '.join(known)}")
    return chosen
