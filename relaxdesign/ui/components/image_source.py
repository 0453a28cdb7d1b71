"""An image as the cell that is evaluated: uploaded, divided into phases by steps, with a material for each."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import streamlit as st

from relaxdesign.export import safe_name
from relaxdesign.io.images import ImageReading
from relaxdesign.io.previews import Slab
from relaxdesign.io.segmentation import Segmentation
from relaxdesign.io.uploads import (
    IMAGE_KINDS,
    ImageUpload,
    LabelsAsked,
    UploadError,
    UploadLimits,
    read_image_upload,
    read_slab,
)
from relaxdesign.materials.material import Material
from relaxdesign.microstructure.mixed_voxels import composite_fields
from relaxdesign.ui import background
from relaxdesign.ui.components import image_steps
from relaxdesign.ui.components.cell_source import OFFERED, Imaged, Source, choose_materials
from relaxdesign.ui.components.cell_views import ViewedCell
from relaxdesign.ui.text import escape

FACES = ("As it is", "Mirrored")
_TYPES = ("uint8", "uint16", ">u2", "int16", "float32")


def imaged() -> Source | None:
    """The image, its steps and materials, and its cell; None while there is none, with the reason on the page."""
    limits = UploadLimits.from_environment()
    file = st.file_uploader(
        "Image", type=sorted({kind.rpartition(".")[2] for kind in IMAGE_KINDS}), key="evaluate-image",
        help="Nothing in the file is run. It is read in a process of its own with limits on memory and time.",
    )  # fmt: skip
    st.caption(
        "Grey values or labels: a TIFF stack, a .zip of a folder of slices, .npy, .mat, .h5, .nrrd, .mha, .nii, .vtk, "
        f".vti, .raw or a picture. At most {limits.image_megabytes:g} MB and {limits.image_voxels:,} voxels, of which "
        f"{limits.voxels:,} may be left after the steps."
    )
    if file is None:
        return None
    content = file.getvalue()
    digest = background.digest(np.frombuffer(content, np.uint8))
    try:
        reading = _reading(file.name)
    except ValueError as error:
        st.error(f"{escape(str(error))}.", icon=":material/error:")
        return None
    if reading is None or (slab := _slab(file.name, content, reading, limits, digest)) is None:
        return None
    slab, reading = slab
    controls, pictures = st.columns([1, 1.4], gap="large")
    with controls:
        st.markdown(f":small[{escape(slab.note)}; {' × '.join(map(str, slab.shape))} voxels]")
        texts = image_steps.choose(slab)
        faces = st.segmented_control(
            "At its faces", FACES, default=FACES[0], required=True, key="image-faces", persist_state="session",
            help="Mirrored: with its mirror images it is a periodic cell of 8 (2D: 4) times as many voxels",
        )  # fmt: skip
        embed = st.toggle(
            "Embedded too", key="image-embed", persist_state="session",
            help="Also computed in a frame of the medium that it makes itself: no seams, nothing stiffer around",
        )  # fmt: skip
        st.button(
            "Compute with these steps", type="primary", key="image-use", on_click=_use, args=(digest, texts, faces),
        )  # fmt: skip
    with pictures:
        image_steps.show(slab, texts, f"{digest}{reading}")
    used = st.session_state.get("image-used")
    if used is None or used[0] != digest:
        return None
    how = ImageUpload(reading, used[1], mirror=used[2] == FACES[1])
    found = _segmented(file.name, content, how, limits, digest)
    return None if found is None else _source(found, file.name, digest, embed, used[1:] != (texts, faces))


def _use(digest: str, texts: tuple[str, ...], faces: str) -> None:
    st.session_state["image-used"] = (digest, texts, faces)


def _reading(name: str) -> ImageReading | None:
    """What the file does not tell by itself. None: the size is missing. Raises ValueError for no numbers."""
    raw = name.lower().endswith(".raw")
    with st.expander("Size, spacing, axes", icon=":material/grid_3x3:", expanded=raw):
        columns = st.columns(4 if raw else 2)
        spacing = columns[0].text_input(
            "Edges of a voxel", key="image-spacing", persist_state="session", placeholder="as the file tells",
            help="One number, or one along each of x, y, z: 1, 1, 2.5",
        )  # fmt: skip
        axes = columns[1].selectbox(
            "Axes of the stored array", ("as usual for the format", "zyx", "xyz"), key="image-axes",
            persist_state="session",
        )  # fmt: skip
        how = ImageReading(
            spacing=_numbers("The edges of a voxel", spacing, float) or None, axes=axes if len(axes) == 3 else None
        )
        if not raw:
            return how
        size = columns[2].text_input("Size nx, ny, nz", key="image-size", persist_state="session")
        kind = columns[3].selectbox("Type", _TYPES, key="image-type", persist_state="session")
    if not (numbers := _numbers("The size", size, int)):
        st.info("A .raw file does not tell its size: give the number of voxels along x, y, z.", icon=":material/help:")
        return None
    return replace(how, size=numbers, dtype=kind)


def _numbers(what: str, text: str, kind: type) -> tuple:
    try:
        return tuple(kind(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        raise ValueError(f"{what}: {text!r} is no list of numbers such as 100, 100, 50") from None


def _slab(
    name: str, content: bytes, reading: ImageReading, limits: UploadLimits, digest: str
) -> tuple[Slab, ImageReading] | None:
    """The slices that are shown, and the reading with the array that was chosen; None: not yet, the page says why."""
    index, middle = (st.session_state.get(f"image-{what}-{digest[:12]}") for what in ("slice", "middle"))
    index = None if index == middle else index  # which was read first, without a slider yet
    try:
        slab = background.result(
            ("image-slab", digest, name[-8:].lower(), reading, index, limits),
            lambda: read_slab(name, content, reading, index, limits),
            "Reading the image",
        )
    except LabelsAsked as question:
        st.warning(f"**{escape(name)}**: {escape(str(question))}", icon=":material/help:")
        array = st.selectbox(
            "Array of the image", question.arrays, index=None, key=f"image-array-{digest[:12]}",
            persist_state="session", placeholder="choose one",
        )  # fmt: skip
        return None if array is None else _slab(name, content, replace(reading, array=array), limits, digest)
    except UploadError as error:
        st.error(f"**{escape(name)}**: {escape(str(error))}", icon=":material/error:")
        return None
    if slab is None:
        return None
    st.session_state[f"image-middle-{digest[:12]}"] = slab.shape[2] // 2
    if slab.shape[2] > 1:
        st.slider(
            "Slice", 0, slab.shape[2] - 1, slab.index, key=f"image-slice-{digest[:12]}", persist_state="session"
        )  # fmt: skip
    return slab, reading


def _segmented(name: str, content: bytes, how: ImageUpload, limits: UploadLimits, digest: str) -> Segmentation | None:
    """The phases of the whole image; None: not yet, the page says why."""
    try:
        return background.result(
            ("image", digest, name[-8:].lower(), how, limits),
            lambda: read_image_upload(name, content, how, limits),
            "Taking the steps on the whole image",
        )
    except UploadError as error:
        st.error(f"**{escape(name)}**: {escape(str(error))}", icon=":material/error:")
        return None


def _source(found: Segmentation, file_name: str, digest: str, embed: bool, stale: bool) -> Source:
    """The cell of an image, with materials that are chosen for its phases."""
    if stale:
        st.info("The steps were changed: the numbers below are those of the steps before.", icon=":material/info:")
    offered = itertools.cycle(OFFERED)
    roles = {f"Label {label} ({share:.2%})": next(offered) for label, share in found.fractions.items()}
    materials: list[Material] = choose_materials(roles)
    data = composite_fields(found.shares, materials, found.edge)
    cell = ViewedCell(data, found.shares.argmax(0).astype(np.uint8), tuple(each.name for each in materials))
    steps = "; ".join(image_steps.told({"step": done.step, **done.found}) for done in found.steps)
    remark = f"Read from {escape(file_name)} ({escape(found.note)}). Steps: {escape(steps or 'none')}."
    name = safe_name(file_name.rpartition(".")[0] or file_name)
    key = background.digest(found.shares)[:12]
    return Source(cell, name, key, remark, found.warnings, Imaged(found, tuple(materials), embed))
