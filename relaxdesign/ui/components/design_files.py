"""The files of one design: in which sizes, formats and under which load they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st

from relaxdesign.export import (
    ALL_FORMATS,
    FORMATS,
    REPORT,
    DesignExport,
    ExportOptions,
    provenance,
    result_files,
    zip_bytes,
)
from relaxdesign.export.cell import ExportError
from relaxdesign.export.plates import AXES, USUAL, bear_plates
from relaxdesign.library.stored import stored_result
from relaxdesign.study.result import Design
from relaxdesign.ui import server
from relaxdesign.ui.components import cell_views, downloads, mesh_downloads
from relaxdesign.ui.components.downloads import Download
from relaxdesign.ui.text import escape

BUTTONS = {"abaqus": "Abaqus", "calculix": "CalculiX", "ansys": "Ansys", "json": "JSON", "csv": "CSV", "vti": "VTK",
           "3mf": "3MF"}  # fmt: skip


def dock(run_id: str, design: Design) -> None:
    """The files of a design in one row: those that are asked for most, the others and all sizes behind a button."""
    key = f"{run_id}-{design.index}"
    with st.container(key="files", horizontal=True, gap="small"):
        row = st.container(horizontal=True, width="content", gap="small")
        with st.popover("More files", icon=":material/more_horiz:", key=f"formats-{key}"):
            options = _options(design)
            usual, others = _files(run_id, design, options)
            for group, files in others.items():
                st.markdown(f":small[{group}]")
                downloads.buttons(files, key)
            _meshes(run_id, design, options)
        with row:
            for file in usual:
                downloads.button(file, key)


def _meshes(run_id: str, design: Design, options: ExportOptions) -> None:
    """Meshes for finite elements."""

    def of_format(kind: str) -> dict[str, bytes]:
        origin = provenance(stored_result(server.store(), run_id), run_id)
        made = FORMATS[kind].files(DesignExport(design, options, origin))
        return {file_name: make() for file_name, make in made.items()}

    key = f"{run_id}-{design.index}"
    mesh_downloads.render(design, f"relaxdesign-{run_id}-{design.index + 1:02d}", key, of_format)


def _files(run_id: str, design: Design, options: ExportOptions) -> tuple[list[Download], dict[str, list[Download]]]:
    """The files of the row, and all others by what they are for."""

    def single(kind: str, file_name: str) -> bytes:
        origin = provenance(stored_result(server.store(), run_id), run_id)
        return FORMATS[kind].files(DesignExport(design, options, origin))[file_name]()

    def several(formats: list[str]) -> dict[str, bytes]:
        result = stored_result(server.store(), run_id)
        return dict(result_files(result, formats, options, indices=[design.index], run_id=run_id))

    name = f"relaxdesign-{run_id}-{design.index + 1:02d}"
    made = _single_files(DesignExport(design), name, single)
    report = Download(
        "Report PDF", lambda: several([REPORT])["report.pdf"], f"{name}.pdf", "application/pdf",
        "Two pages with everything, for reading and printing",
    )  # fmt: skip
    every = Download(
        "All as ZIP", lambda: zip_bytes(several([*ALL_FORMATS]).items(), name), f"{name}.zip", "application/zip",
        "These files of the design with their hashes", primary=True,
    )  # fmt: skip
    seen = [
        Download("Figures", lambda: zip_bytes(several(["png"]).items(), name), f"{name}-figures.zip", "application/zip",
                 "PNG pictures of cell, stress and stiffness"),
        Download("Report HTML", lambda: several([REPORT])["report.html"], f"{name}.html", "text/html",
                 "The report as one self-contained web page"),
    ]  # fmt: skip
    return [every, report, made["STL"]], {
        "Shapes of the phases, for CAD and printing": [
            made["3MF"],
            *(file for label, file in made.items() if label[:4] == "STL "),
        ],
        "Material cards, for simulations of parts": [made[label] for label in ("Abaqus", "CalculiX", "Ansys")],
        "Numbers and fields": [made[label] for label in ("JSON", "CSV", "VTK")],
        "For reading": seen,
    }


def _options(design: Design) -> ExportOptions:
    """Sizes of the files, as they are chosen."""
    flat = design.cell.dim == 2
    columns = (*st.columns(2), *st.columns(2))
    size = columns[0].number_input(
        "Cell edge, mm", min_value=0.001, max_value=10000.0, value=10.0, step=None, format="%.4g", key="cell_size_mm",
        persist_state="session", help="Physical edge of the unit cell in surfaces, meshes and VTK files.",
    )  # fmt: skip
    tile = columns[1].number_input(
        "STL tiles per edge", min_value=1, max_value=8, value=1, key="tile", persist_state="session",
        help="The cell is repeated so often along each edge, as one body.",
    )  # fmt: skip
    load = columns[2].selectbox(
        "Load of the fields", list(cell_views.LOAD_NAMES), format_func=cell_views.LOAD_NAMES.__getitem__,
        key="export-load", persist_state="session", help="Unit strain of the local fields in VTK, figures and report.",
    )  # fmt: skip
    thickness = None
    if flat:
        thickness = columns[3].number_input(
            "STL thickness, mm", min_value=0.001, max_value=10000.0, value=None, step=None, format="%.4g",
            key="thickness_mm", persist_state="session", placeholder="automatic",
            help="How far the 2D cell is extruded in the STL file.",
        )  # fmt: skip
    options = ExportOptions(size, thickness, int(tile), load, mesh=mesh_downloads.mesh_kind())
    return _with_plates(design, options) if bear_plates(design.cell) else options


def _with_plates(design: Design, options: ExportOptions) -> ExportOptions:
    """The options with the plates that are chosen, and what there is to say of them; without where they cannot be."""
    plates_mm, plates_axis = _plates(design.cell.dim == 2)
    chosen = replace(options, plates_mm=plates_mm, plates_axis=plates_axis)
    try:
        told = DesignExport(design, chosen).plates_text
    except ExportError as error:
        st.warning(f"Files have no plates: {escape(str(error))}.")
        return options
    if told:
        st.caption(told)
    return chosen


def _plates(flat: bool) -> tuple[float, str]:
    """Thickness in mm of the plates of a specimen, 0 for none, and the axis they lie across. flat: of a 2D cell."""
    first, second = st.columns(2)
    thickness = first.number_input(
        "Plates at two ends, mm", min_value=0.0, max_value=10000.0, value=0.0, step=None, format="%.4g",
        key="plates_mm", persist_state="session",
        help="Flat plates that close two ends of the STL of the solid, for printing and compressing it; 0: none. They "
        "are in that file only, the numbers are those of the periodic cell.",
    )  # fmt: skip
    axis = second.segmented_control(
        "Plates across", list(AXES[: 2 if flat else 3]), default=USUAL[2 if flat else 3], required=True,
        key="plates-axis-2d" if flat else "plates-axis", persist_state="session", disabled=not thickness,
    )  # fmt: skip
    return thickness, str(axis)


def _single_files(export: DesignExport, name: str, make: Callable[[str, str], bytes]) -> dict[str, Download]:
    """The formats of single files by their label, of which the STL has one per phase.

    make: the content, of a format and file name.
    """
    files = []
    stl, *others = FORMATS["stl"].files(export)
    for file_name, suffix in {stl: "", **{other: other.removesuffix(".stl") for other in others}}.items():
        label, path = f"STL {suffix}".rstrip(), f"{name}-{suffix}".rstrip("-") + ".stl"
        told = f"{file_name.removesuffix('.stl').capitalize()}, closed, in mm"
        files.append(Download(label, partial(make, "stl", file_name), path, FORMATS["stl"].mime, told))
    for kind, label in BUTTONS.items():
        (file_name,) = FORMATS[kind].files(export)
        suffix = f"-{kind}.inp" if file_name.endswith(".inp") else f".{file_name.rsplit('.')[-1]}"
        made = partial(make, kind, file_name)
        files.append(Download(label, made, f"{name}{suffix}", FORMATS[kind].mime, FORMATS[kind].title))
    return {file.label: file for file in files}
