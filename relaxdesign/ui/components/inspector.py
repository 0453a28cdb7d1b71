"""One design in depth: its cell, fields, stiffness and correlations, its numbers against the bounds, and its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd
import plotly.graph_objects as go
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
from relaxdesign.export.cell import ExportError, made_text
from relaxdesign.export.plates import AXES, USUAL, bear_plates
from relaxdesign.export.report import filling
from relaxdesign.library.stored import stored_result
from relaxdesign.materials.catalogue import Material
from relaxdesign.materials.substances import substances
from relaxdesign.physics.quantities import QUANTITIES, in_words
from relaxdesign.study.result import Design
from relaxdesign.study.stiffness import stiffness_error
from relaxdesign.ui import server
from relaxdesign.ui.colours import DISTINCT
from relaxdesign.ui.components import candidates, cell_views, comparison, downloads, mesh_downloads
from relaxdesign.ui.components.cell_views import ViewedCell
from relaxdesign.ui.components.directions import Directions
from relaxdesign.ui.components.downloads import Download
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import MET, NOTE_2D, escape, missed, off, percent, significant

VIEWS = ("Overview", "Local fields", "Stiffness", "Correlation")
BUTTONS = {"abaqus": "Abaqus", "calculix": "CalculiX", "ansys": "Ansys", "json": "JSON", "csv": "CSV", "vti": "VTK",
           "3mf": "3MF"}  # fmt: skip


def render(run_id: str, design: Design) -> None:
    """Draws the inspector of a verified design."""
    st.subheader(f"Candidate {design.index + 1}: {_title(design)}")
    key = f"{run_id}-{design.index}"
    with guard("the inspector"):
        export = DesignExport(design)
        cell = ViewedCell.of(export.cell)
        view = st.segmented_control(
            "View", VIEWS, default=VIEWS[0], required=True, key="inspector-view", persist_state="session",
            label_visibility="collapsed",
        )  # fmt: skip
        if view == "Overview":
            _overview(design, cell, key)
        elif view == "Local fields":
            cell_views.local_fields(cell, key)
        elif view == "Stiffness":
            effective = cell_views.evaluation(cell)
            if effective is not None:
                cell_views.stiffness(effective, key)
        else:
            cell_views.correlation(cell, key)
    with guard("the downloads"):
        _downloads(run_id, design)


def _title(design: Design) -> str:
    """What the cell has of every target and how far off it is."""
    reached, one = candidates.outcome(design), candidates.entries(design)
    if not reached:
        return f"K = {design.told('K')}"
    if len(reached) == 1:
        target, value = reached[0]
        miss = missed(target, value)
        how = "as wanted" if miss == MET else f"{miss} off the target"
        return f"{target.quantity} = {design.told(target.quantity)}, {how}"
    told = [f"{o.quantity} = {design.told(o.quantity)} ({missed(o, v)})" for o, v in reached if o.quantity not in one]
    whole = [f"stiffness {off(design.stiffness_error)} off the target"] if one and design.stiffness_error else []
    return ", ".join(whole + told)


def _overview(design: Design, cell: ViewedCell, key: str) -> None:
    picture, numbers = st.columns([1.25, 1], gap="large")
    with picture, guard("the 3D view"):
        cell_views.picture(cell, key, exported=True)
    with numbers:
        st.markdown(
            "\n\n".join(_material(*phase) for phase in candidates.phases(design)),
            unsafe_allow_html=True,
        )
        edge = st.session_state.get("cell_size_mm", ExportOptions().cell_size_mm)
        st.caption(f"{filling(design, edge)}.")
        if told := _told(design):
            st.caption(told)
        if made := _made(design, edge):
            st.markdown("**How it is made**")
            st.caption(made)
        if design.bounds is not None:
            st.markdown(f"**K between its bounds** :gray[{candidates.bounds_verdict(design)}]")
            st.plotly_chart(_bounds_chart(design), key=f"bounds-{key}", config={"displayModeBar": False})
        wanted = Directions.of(design.objectives, design.cell.dim)
        if wanted is not None and design.stiffness is not None:
            st.markdown(f"**{wanted.title}**")
            st.plotly_chart(
                wanted.figure(design.stiffness), key=f"directions-{key}", config={"displayModeBar": False},
                alt="Young's modulus by direction, wanted and of this cell",
            )  # fmt: skip
    with picture:
        st.markdown("**Every stage**")
        st.table(_stages(design))
        st.caption(_proof(design))


def _told(design: Design) -> str:
    """What is known beside moduli, prices and fractions, which are told elsewhere."""
    elsewhere = ("elasticity", "price", "solid")
    known = (design.properties or design.stages["realised"]).items()
    beside = {name: value for name, value in known if QUANTITIES[name].physics not in elsewhere}
    return " · ".join(f"{name} {text}" for name, text in in_words(beside, significant))


def _made(design: Design, edge_mm: float) -> str:
    """The process, what it costs and what is dangerous about the materials, as far as that is known."""
    parts = [escape(made)] if (made := made_text(design, edge_mm)) else []
    cost, volume = design.value("price"), design.value("price_per_litre")
    if cost is not None and volume is not None:
        money = {material.money for material in design.materials if not material.void}
        unit = f" {escape(money.pop())}" if len(money) == 1 else ""
        price, per_litre = (f"{significant(value, 2)}{unit}".rstrip() for value in (cost, volume))
        parts.append(f"Materials cost about {price} per kg, {per_litre} per litre.")
    for material in design.materials:
        substance = substances().get(material.substance)
        if substance is not None and substance.hazards:
            parts.append(escape(f"{substance.name[:1].upper()}{substance.name[1:]}: {substance.hazards}."))
    return "  \n".join(parts)


def _material(colour: str, role: str, material: Material) -> str:
    source = f"  \n:small[:gray[Source: {comparison.source(material)}]]" if material.source else ""
    return (
        f"{candidates.swatch(colour)} **{role}: {escape(material.name)}** :gray[{escape(material.sort)}]  \n"
        f":small[E {significant(material.young)} GPa · ν {material.poisson:.4g} · K {significant(material.bulk)} GPa · "
        f"ρ {material.density:.3g} g/cm³]{source}"
    )


def _stages(design: Design) -> pd.DataFrame:
    """K and the quantities of the targets at every stage, with the worst miss where all are known.

    Of a whole stiffness its error relative to the norm.
    """
    one = candidates.entries(design)
    names = [name for name in dict.fromkeys(["K", *design.misses]) if name not in one]
    rows = []
    for stage, title in candidates.STAGES.items():
        values = design.stages.get(stage, {})
        misses = design.misses_at(stage)
        worst = percent(max(misses.values(), key=abs, default=None) if misses.keys() == design.misses.keys() else None)
        rows.append({"Stage": title, **_shown(design, names, values), "Error": worst})
    for title, known in (("On twice the grid", design.verified), ("Its voxels", design.voxels)):
        if known:
            rows.append({"Stage": title, **_shown(design, names, known)})
    return pd.DataFrame(rows).set_index("Stage")


def _shown(design: Design, names: list[str], values: dict[str, float]) -> dict[str, str]:
    shown = {_with_unit(name): _value(values.get(name)) for name in names}
    if candidates.entries(design):
        error = stiffness_error(design.objectives, values)
        shown["Stiffness"] = "–" if error is None else f"{off(error)} off"
    return shown


def _value(value: float | None) -> str:
    return "–" if value is None else significant(value, 4)


def _with_unit(name: str) -> str:
    unit = QUANTITIES[name].unit
    return f"{name}, {unit}" if unit else name


def _proof(design: Design) -> str:
    parts = [f"{name}: {design.trust[name].words}." for name in candidates.known(design)]
    if design.if_off and not candidates.entries(design):
        parts.append(f"{design.if_off}.")
    if design.spread is not None and not design.trust:
        parts.append(f"Other placements of the same design scatter by ±{significant(design.spread, 2)} GPa.")
    if design.residual is not None:
        parts.append(
            f"The realised cell was solved in double precision: {design.iterations} iterations, "
            f"relative residual {design.residual:.0e}."
        )
    if design.trust:
        parts.append(
            "Its values are the limit of fine grids, from composite voxels on its grid and on one twice as fine; the "
            "exported voxels, each of one material, come to those in the last row."
        )
    if design.cell.dim == 2:
        parts.append(NOTE_2D)
    return " ".join(parts)


def _bounds_chart(design: Design) -> go.Figure:
    """A bar from Reuss to Voigt, the Hashin–Shtrikman band in it, K and the target on it."""
    bounds, bulk = design.bounds, design.at("realised", "K")
    assert bounds is not None and bulk is not None  # verified designs have both
    low, high = float(bounds.reuss), float(bounds.voigt)
    figure = go.Figure()
    for x0, x1, opacity in ((low, high, 0.18), (float(bounds.hs_lower), float(bounds.hs_upper), 0.42)):
        figure.add_shape(
            type="rect", x0=x0, x1=x1, y0=0.32, y1=0.68, fillcolor=DISTINCT[0], opacity=opacity, line_width=0
        )
    figure.add_trace(
        go.Scatter(
            x=[low, float(bounds.hs_lower), float(bounds.hs_upper), high],
            y=[0.5] * 4,
            text=["Reuss", "Hashin–Shtrikman, lower", "Hashin–Shtrikman, upper", "Voigt"],
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 18, "color": DISTINCT[0]},
            hovertemplate="%{text}: %{x:.4g} GPa<extra></extra>",
        )
    )
    for x, name, colour, symbol in (
        (design.wanted("K"), "Target", DISTINCT[5], "diamond-tall-open"),
        (bulk, "This cell", DISTINCT[5], "circle"),
    ):
        if x is None:
            continue
        figure.add_trace(
            go.Scatter(
                x=[x], y=[0.5], mode="markers", marker={"size": 11, "color": colour, "symbol": symbol},
                hovertemplate=f"{name}: %{{x:.4g}} GPa<extra></extra>",
            )
        )  # fmt: skip
    pad = 0.08 * max(high - low, 1e-3 * high)
    left, right = min(low, bulk) - pad, max(high, bulk) + pad
    # At the ends of the chart, not of the bar, which may be short.
    for x, text, anchor in ((0, f"Reuss {significant(low, 3)}", "left"), (1, f"Voigt {significant(high, 3)}", "right")):
        figure.add_annotation(
            x=x, y=1, text=text, xref="paper", xanchor=anchor, yanchor="top", showarrow=False, font_size=12
        )  # fmt: skip
    figure.update_xaxes(range=[left, right], showgrid=False, zeroline=False, fixedrange=True, nticks=6)
    figure.update_yaxes(range=[0, 1], visible=False, fixedrange=True)
    figure.update_layout(height=96, margin={"l": 4, "r": 4, "t": 0, "b": 20}, showlegend=False, dragmode=False)
    return figure


def _options(design: Design) -> ExportOptions:
    """Sizes of the files, as they are chosen."""
    flat = design.cell.dim == 2
    columns = st.columns(3 + flat)
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


def _downloads(run_id: str, design: Design) -> None:
    st.markdown("**Files**")
    options = _options(design)

    def single(kind: str, file_name: str) -> bytes:
        origin = provenance(stored_result(server.store(), run_id), run_id)
        return FORMATS[kind].files(DesignExport(design, options, origin))[file_name]()

    def several(formats: list[str]) -> dict[str, bytes]:
        result = stored_result(server.store(), run_id)
        return dict(result_files(result, formats, options, indices=[design.index], run_id=run_id))

    name = f"relaxdesign-{run_id}-{design.index + 1:02d}"
    files = _single_files(DesignExport(design), name, single)
    files += [
        Download("Figures", lambda: zip_bytes(several(["png"]).items(), name), f"{name}-figures.zip", "application/zip",
                 "PNG pictures of cell, stress and stiffness"),
        Download("Report PDF", lambda: several([REPORT])["report.pdf"], f"{name}.pdf", "application/pdf",
                 "Two pages with everything, for reading and printing"),
        Download("Report HTML", lambda: several([REPORT])["report.html"], f"{name}.html", "text/html",
                 "The same as one self-contained web page"),
        Download("All as ZIP", lambda: zip_bytes(several([*ALL_FORMATS]).items(), name), f"{name}.zip",
                 "application/zip", "These files of the design with their hashes", primary=True),
    ]  # fmt: skip
    downloads.buttons(files, f"{run_id}-{design.index}")

    def of_format(kind: str) -> dict[str, bytes]:
        origin = provenance(stored_result(server.store(), run_id), run_id)
        made = FORMATS[kind].files(DesignExport(design, options, origin))
        return {file_name: make() for file_name, make in made.items()}

    mesh_downloads.render(design, name, f"{run_id}-{design.index}", of_format)


def _single_files(export: DesignExport, name: str, make: Callable[[str, str], bytes]) -> list[Download]:
    """The formats of single files, of which the STL has one per phase. make: the content, of a format and file name."""
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
    return files
