"""Finite element meshes, voxels for FANS and STEP of one design, as downloads that are made when they are pressed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from relaxdesign.export import FORMATS, MESHES, ExportError, zip_bytes
from relaxdesign.export.mesh.filling import gmsh_installed
from relaxdesign.export.mesh.solid import solid_voxels
from relaxdesign.export.mesh.step import has_spheres
from relaxdesign.study.result import Design
from relaxdesign.ui.components.downloads import Download, buttons
from relaxdesign.ui.text import escape

_TITLES = {"voxels": "Voxels", "linear": "Smooth, first order", "quadratic": "Smooth, second order"}
_LABELS = {"inp": "Abaqus, CalculiX", "msh": "Gmsh", "vtu": "VTU", "xdmf": "XDMF"}


def mesh_kind() -> str:
    """The kind of mesh that is chosen."""
    chosen = str(st.session_state.get("mesh-kind"))
    return chosen if chosen in MESHES else "voxels"


def render(design: Design, name: str, key: str, make: Callable[[str], dict[str, bytes]]) -> None:
    """The choice and the buttons. name: of files. make: all files of a format by name, with the chosen kind of mesh."""
    kinds = list(_TITLES) if gmsh_installed() else ["voxels"]
    with st.expander("Meshes for finite elements"):
        st.segmented_control(
            "Elements", kinds, default="voxels", required=True, format_func=_TITLES.__getitem__, key="mesh-kind",
            persist_state="session", help=f"{'; '.join(f'{_TITLES[kind]}: {MESHES[kind]}' for kind in kinds)}.",
        )  # fmt: skip
        st.caption(
            "With a set of elements and a material per phase. The file for Abaqus and CalculiX has periodic "
            "conditions, six load cases whose results give C, and says how in its first lines."
        )
        if not gmsh_installed():
            st.caption("Smooth meshes and STEP need Gmsh on the server: pip install 'relaxdesign[mesh]'.")
        try:
            solid_voxels(design.cell)
            formats = list(_LABELS)
        except ExportError as error:
            st.warning(f"There is no mesh: {escape(str(error))}.")
            formats = []
        files = [_download(format, _LABELS[format], name, make) for format in formats]
        files.append(_download("fans", "FANS", name, make))
        if gmsh_installed() and has_spheres(design):
            files.append(_download("step", "STEP", name, make))
        buttons(files, f"mesh-{key}")


def _download(format: str, label: str, name: str, make: Callable[[str], dict[str, bytes]]) -> Download:
    """A button; formats of several files come as ZIP."""
    several = format in ("xdmf", "fans")
    made = partial(_zipped if several else _single, make, format, f"{name}-{format}")
    path = f"{name}-{format}.zip" if several else f"{name}{'' if format == 'step' else '-mesh'}.{format}"
    return Download(label, made, path, "application/zip" if several else FORMATS[format].mime, FORMATS[format].title)


def _single(make: Callable[[str], dict[str, bytes]], format: str, folder: str) -> bytes:
    (content,) = make(format).values()
    return content


def _zipped(make: Callable[[str], dict[str, bytes]], format: str, folder: str) -> bytes:
    return zip_bytes(make(format).items(), folder)
