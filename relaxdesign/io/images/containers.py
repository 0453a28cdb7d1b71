"""Arrays by name: .npy, .npz, MATLAB's .mat and HDF5 with the layouts of DREAM3D and FANS.

Nothing is unpickled, and nothing outside the file is opened: links to other files, external and virtual data are
refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relaxdesign.io.fields import DEFAULT_LABELS, FieldError
from relaxdesign.io.images.base import Image, ImageReading, along_axes, check_size, one_array, reading
from relaxdesign.io.npz import NpzFile

HDF5 = (".h5", ".hdf5", ".hdf", ".dream3d")
_STORED = "axes as stored, x first"
_MOST_NAMES = 2000  # objects of a file that are looked at


def read_npy(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """An array of NumPy, (x, y, z) unless other axes are told."""
    with reading(".npy file"), path.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in headers:
            raise FieldError(f"its version {version} of .npy is not read; save a plain array")
        shape, _, dtype = headers[version](stream)
        if dtype.hasobject:
            raise FieldError("holds pickled objects, which are not read as they can run code; save a plain array")
        check_size(shape or (0,), most_voxels)
        if path.stat().st_size - stream.tell() != math.prod(shape) * dtype.itemsize:
            raise FieldError(f"damaged: an array of shape {shape} has other bytes than the file; write it again")
        stream.seek(0)
        stored = np.lib.format.read_array(stream, allow_pickle=False)
    return Image(along_axes(stored, how.axes or "xyz"), None, f".npy, {_order(how)}")


def read_npz(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """One array of an .npz file, (x, y, z) unless other axes are told."""
    with reading(".npz file"):
        try:
            file = NpzFile(path, most_voxels)
            name = one_array(file.names, how.array, DEFAULT_LABELS)
            stored = file.read(name)
        except ValueError as error:
            raise error if isinstance(error, FieldError) else FieldError(str(error)) from None
        check_size(stored.shape, most_voxels)
    return Image(along_axes(stored, how.axes or "xyz"), None, f"array {name} of .npz, {_order(how)}")


def read_mat(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """One array of a MATLAB file, of version 4 to 7.3; its first index runs along x unless other axes are told."""
    import h5py

    if h5py.is_hdf5(path):  # version 7.3 stores its arrays with the last index first
        return read_hdf5(path, how, most_voxels, kind=".mat", axes="zyx")
    from scipy.io import loadmat, whosmat

    with reading(".mat file"):
        arrays = {n: shape for n, shape, of in whosmat(path) if of not in ("char", "cell", "struct", "function")}
        images = {name: shape for name, shape in arrays.items() if len(shape) in (2, 3) and max(shape) > 1}
        images = {name: shape for name, shape in images.items() if len(shape) == 3} or images
        name = one_array(tuple(images), how.array, DEFAULT_LABELS, tuple(arrays))
        check_size(images[name], most_voxels)
        stored = loadmat(path, variable_names=[name])[name]
    return Image(along_axes(np.asarray(stored), how.axes or "xyz"), None, f"array {name} of .mat, {_order(how)}")


@dataclass(frozen=True)
class _Layout:
    """How a program wrote an array: the order of its axes, and the edges of a voxel along x, y, z."""

    program: str
    axes: str
    spacing: tuple[float, float, float] | None = None


def read_hdf5(
    path: Path, how: ImageReading, most_voxels: int | None, *, kind: str = "HDF5", axes: str = "xyz"
) -> Image:
    """One array of an HDF5 file.

    Arrays of DREAM3D and FANS are turned as their layout says (z first), others are (x, y, z) unless other axes are
    told. axes: of arrays of no known layout.
    """
    import h5py

    with reading(f"{kind} file"), h5py.File(path, "r") as file:
        images, others = _datasets(file)
        data = images[one_array(tuple(images), how.array, DEFAULT_LABELS, others)]
        name = str(data.name).strip("/")
        if data.is_virtual or data.external:
            raise FieldError(f"{name} lies in another file, which is not opened; copy the array into this one")
        check_size(data.shape, most_voxels, name)
        layout = _dream3d(file, data) or _fans(data) or _Layout("", axes)
        stored = data[()]
    told = f"axes {layout.axes} of {layout.program}" if layout.program and how.axes is None else _order(how)
    values = along_axes(_one_number(stored), how.axes or layout.axes)
    return Image(values, layout.spacing, f"array {name} of {kind}, {told}")


def _datasets(file: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Arrays with one number per voxel by their paths, and the names of all others; links are not followed."""
    import h5py

    found: dict[str, Any] = {}
    others: list[str] = []

    def visit(name: str, item: Any) -> bool | None:
        if isinstance(item, h5py.Dataset):
            shape = tuple(n for n in item.shape or () if n > 1)
            if item.dtype.kind in "biuf" and len(shape) in (2, 3) and not name.startswith("#"):
                found[name] = item
            else:
                others.append(name)
        return True if len(found) + len(others) >= _MOST_NAMES else None

    file.visititems(visit)
    deep = {name: data for name, data in found.items() if sum(n > 1 for n in data.shape) == 3}
    described = deep or found
    cells = {name: data for name, data in described.items() if _dream3d(file, data)}
    return cells or described, tuple(others)


def _dream3d(file: Any, data: Any) -> _Layout | None:
    """The layout of DREAM3D, versions 6 (_SIMPL_GEOMETRY) and NX (attributes of the geometry); None for another."""
    *groups, _ = str(data.name).strip("/").split("/")
    for depth in range(len(groups), 0, -1):
        group = file["/".join(groups[:depth])]
        geometry = group.get("_SIMPL_GEOMETRY")
        if geometry is not None and "DIMENSIONS" in geometry:
            size, spacing = geometry["DIMENSIONS"][()], geometry.get("SPACING", geometry.get("RESOLUTION"))
            steps = None if spacing is None else spacing[()]
        elif "_DIMENSIONS" in group.attrs:
            size, steps = group.attrs["_DIMENSIONS"], group.attrs.get("_SPACING")
        else:
            continue
        size = tuple(int(n) for n in np.ravel(size))
        if tuple(data.shape[:3]) != size[::-1] or math.prod(data.shape[3:]) != 1:
            return None
        return _Layout("DREAM3D", "zyx", None if steps is None else _triple(steps))
    return None


def _fans(data: Any) -> _Layout | None:
    """The layout of FANS: an attribute ``permute_order`` names the axes, ``L`` the edges of the cell in their order."""
    order = data.attrs.get("permute_order")
    if order is None or data.ndim != 3:
        return None
    axes = order.decode() if isinstance(order, bytes) else str(order)
    lengths = data.attrs.get("L")
    if axes not in ("xyz", "zyx"):
        raise FieldError(f"{data.name} has the axes permute_order = {axes!r}; known are xyz and zyx")
    if lengths is None or np.size(lengths) != 3:
        return _Layout("FANS", axes)
    steps = np.ravel(lengths) / np.array(data.shape)
    return _Layout("FANS", axes, _triple(steps if axes == "xyz" else steps[::-1]))


def _one_number(stored: np.ndarray) -> np.ndarray:
    """Without the components of which there is one, so that a layer of one voxel keeps its axis."""
    while stored.ndim > 3 and stored.shape[-1] == 1:
        stored = stored[..., 0]
    return stored


def _triple(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in np.ravel(values))
    return x, y, z


def _order(how: ImageReading) -> str:
    return _STORED if how.axes is None else f"axes {how.axes} as told"
