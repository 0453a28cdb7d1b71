"""Designs as files: fields and meshes for simulation, surfaces for printing, material cards, tables and a report."""

from relaxdesign.export.bundle import ALL_FORMATS, result_files, zip_bytes
from relaxdesign.export.cards import Heat, abaqus_card, ansys_card, calculix_card
from relaxdesign.export.cell import ExportError, check_sizes, design_name
from relaxdesign.export.directory import clear_directory, write_design, write_result
from relaxdesign.export.formats import FORMATS, REPORT, DesignExport, ExportOptions, Format
from relaxdesign.export.mesh import MESHES, Mesh, cell_mesh, design_mesh
from relaxdesign.export.mesh.deck import deck
from relaxdesign.export.mesh.files import mesh_files
from relaxdesign.export.names import safe_name, web_address
from relaxdesign.export.provenance import provenance
from relaxdesign.export.records import design_json, result_json, result_record, to_json
from relaxdesign.export.report import Report, make_report
from relaxdesign.export.report_html import report_html
from relaxdesign.export.report_pdf import report_pdf
from relaxdesign.export.stl import stl_bytes
from relaxdesign.export.surface import Surface, phase_surface
from relaxdesign.export.tables import records_csv
from relaxdesign.export.vti import fields_vti_bytes, vti_bytes, write_fields_vti

__all__ = [
    "ALL_FORMATS",
    "FORMATS",
    "MESHES",
    "REPORT",
    "DesignExport",
    "ExportError",
    "ExportOptions",
    "Format",
    "Heat",
    "Mesh",
    "Report",
    "Surface",
    "abaqus_card",
    "ansys_card",
    "calculix_card",
    "cell_mesh",
    "check_sizes",
    "clear_directory",
    "deck",
    "design_json",
    "design_mesh",
    "design_name",
    "fields_vti_bytes",
    "make_report",
    "mesh_files",
    "phase_surface",
    "provenance",
    "records_csv",
    "report_html",
    "report_pdf",
    "result_files",
    "result_json",
    "result_record",
    "safe_name",
    "stl_bytes",
    "to_json",
    "vti_bytes",
    "web_address",
    "write_design",
    "write_fields_vti",
    "write_result",
    "zip_bytes",
]
