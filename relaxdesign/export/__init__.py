"""Designs as files: VTI for simulation and viewing, STL for CAD and printing, JSON for everything else."""

from relaxdesign.export.cell import ExportError, check_sizes, design_name
from relaxdesign.export.directory import clear_directory, write_design, write_result
from relaxdesign.export.records import design_json, result_json, to_json
from relaxdesign.export.stl import stl_bytes
from relaxdesign.export.surface import Surface, phase_surface
from relaxdesign.export.vti import vti_bytes, write_fields_vti

__all__ = [
    "ExportError",
    "Surface",
    "check_sizes",
    "clear_directory",
    "design_json",
    "design_name",
    "phase_surface",
    "result_json",
    "stl_bytes",
    "to_json",
    "vti_bytes",
    "write_design",
    "write_fields_vti",
    "write_result",
]
