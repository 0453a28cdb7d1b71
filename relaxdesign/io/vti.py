"""Reading VTI files (VTK XML image data): every array is whole, or the file is refused.

VTK's own reader fills an array that is cut short with zeros or with what lay in memory, says nothing, and unpacks
arrays that nobody asked for. Here each array must hold the bytes that its extent asks for, and is unpacked into no
more than those. Format: https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html
"""

from __future__ import annotations

import base64
import binascii
import lzma
import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

_TYPES = {f"{kind}{bits}": f"{kind[0].lower()}{bits // 8}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)}
_TYPES |= {"Float32": "f4", "Float64": "f8"}
_LZMA_MEMORY = 2**28  # bytes; VTK's writer needs a tenth of it
_AXES = 1e-6  # deviation from an axis up to which a direction lies along it


@dataclass(frozen=True, eq=False)
class _Array:
    """A DataArray: what its element says. items: tuples that its piece asks for."""

    name: str
    type: str
    components: int
    format: str
    offset: int
    text: str
    items: int

    @property
    def numbers(self) -> int:
        return self.items * self.components


@dataclass(frozen=True, eq=False)
class _Piece:
    """A block of voxels, in voxels from the corner of the image."""

    start: tuple[int, ...]
    shape: tuple[int, ...]
    cells: dict[str, _Array]
    points: dict[str, _Array]

    @property
    def block(self) -> tuple[slice, ...]:
        return tuple(slice(first, first + count) for first, count in zip(self.start, self.shape, strict=True))


class VtiFile:
    """The cell arrays of an image.

    Raises ValueError for content that is no VTI file, that is damaged, or that has more voxels than most_voxels.

    Attributes:
        shape: voxels along the file's own axes; an image that is one point thick is one voxel thick.
        spacing: edges of a voxel along the file's own axes.
        names, points: of the arrays with one value per voxel, and per grid point.
    """

    def __init__(self, content: bytes, most_voxels: int | None = None):
        root, self._appended, self._encoding = _parse(content)
        image = root.find("ImageData")
        if root.tag != "VTKFile" or image is None:
            raise ValueError(f"not a VTI file (VTK XML image data) but {root.get('type') or root.tag}")
        self._order = ">" if root.get("byte_order") == "BigEndian" else "<"
        self._word = np.dtype(self._order + _TYPES[_one_of(root.get("header_type", "UInt32"), "UInt32", "UInt64")])
        self._unpack = _decompressor(root.get("compressor"))
        self._offsets = sorted({int(e.get("offset", "")) for e in root.iter() if e.get("offset", "").isdigit()})
        whole = _integers(image.get("WholeExtent"), "WholeExtent")
        self.shape = _extent_shape(whole)
        voxels = math.prod(self.shape)
        if most_voxels is not None and voxels > most_voxels:
            raise ValueError(f"{voxels} voxels; at most {most_voxels} are read, make the field coarser")
        self.spacing = _floats(image.get("Spacing", "1 1 1"), 3, "Spacing")
        self._direction = np.reshape(_floats(image.get("Direction", "1 0 0 0 1 0 0 0 1"), 9, "Direction"), (3, 3))
        self._pieces = [_piece(element, whole) for element in image.findall("Piece")]
        self.names = tuple(dict.fromkeys(name for piece in self._pieces for name in piece.cells))
        self.points = tuple(dict.fromkeys(name for piece in self._pieces for name in piece.points))
        self._check()

    def _check(self) -> None:
        """Raises ValueError unless the pieces fill the image and every array has all its bytes; unpacks nothing."""
        covered = np.zeros(self.shape, np.uint8)
        for piece in self._pieces:
            covered[piece.block] += 1
            for array in (*piece.cells.values(), *piece.points.values()):
                if array.type in _TYPES:
                    if array.format == "ascii":
                        self._check_count(array, len(array.text.split()), "numbers", array.numbers)
                    else:
                        self._blocks(array)
        if not (covered == 1).all():
            raise ValueError(f"damaged: its pieces do not fill the image of {self.shape} voxels once")

    def read(self, name: str) -> np.ndarray:
        """The values of a cell array, (nx, ny, nz) along x, y, z: the Direction of the image is applied.

        Raises ValueError for an array that does not hold one number per voxel, is damaged, or lies askew.
        """
        out: np.ndarray | None = None
        for piece in self._pieces:
            array = piece.cells.get(name)
            if array is None:
                raise ValueError(f"damaged: one of its pieces has no array {name}")
            if array.type not in _TYPES or array.components != 1:
                raise ValueError(
                    f"{name} must have one number per voxel; it has {array.components} of type {array.type}"
                )
            values = self._values(array).reshape(piece.shape, order="F")
            out = np.empty(self.shape, values.dtype) if out is None else out
            out[piece.block] = values
        assert out is not None  # a name comes from a piece
        return self._along_axes(out)

    def _along_axes(self, values: np.ndarray) -> np.ndarray:
        """Turns values along the file's axes into values along x, y, z; exact for quarter turns and mirror images."""
        nearest = np.round(self._direction)
        along = abs(self._direction - nearest).max() < _AXES
        if not (along and all((abs(nearest).sum(axis) == 1).all() for axis in (0, 1))):
            raise ValueError(_askew(self._direction))
        values = values.transpose(abs(nearest).argmax(axis=1))  # row p: the file's axis that runs along axis p
        return np.flip(values, tuple(int(axis) for axis in np.flatnonzero(nearest.sum(axis=1) < 0)))

    # ---- Bytes -------------------------------------------------------------------------------------

    def _values(self, array: _Array) -> np.ndarray:
        """The numbers of an array in native byte order, flat."""
        dtype = np.dtype(self._order + _TYPES[array.type])
        if array.format == "ascii":
            numbers = array.text.split()
            self._check_count(array, len(numbers), "numbers", array.numbers)
            try:
                return np.array(numbers).astype(dtype.newbyteorder("="))
            except (ValueError, OverflowError) as error:
                raise ValueError(f"damaged: {array.name} is not made of numbers of type {array.type}") from error
        parts = []
        for packed, size in self._blocks(array):
            part = self._unpack(packed, size) if self._unpack else packed
            if part is None or len(part) != size:
                raise ValueError(f"damaged: {array.name} cannot be unpacked; write the file again")
            parts.append(part)
        return np.frombuffer(b"".join(parts), dtype).astype(dtype.newbyteorder("="))

    def _blocks(self, array: _Array) -> list[tuple[memoryview, int]]:
        """The stored blocks of an array and the bytes that each unpacks to; together the bytes of the array."""
        needed = array.numbers * int(_TYPES[array.type][1:])
        data, word = self._stored(array), self._word.itemsize

        def words(first: int, count: int) -> list[int]:
            self._check_count(array, len(data), "bytes", word * (first + count), exact=False)
            return np.frombuffer(data, self._word, count, word * first).tolist()

        if self._unpack is None:
            (stated,) = words(0, 1)
            self._check_count(array, stated, "bytes", needed)
            self._check_count(array, len(data) - word, "bytes", needed, exact=False)
            return [(data[word : word + needed], needed)]
        (count,) = words(0, 1)
        if count == 0 or count > needed:
            self._check_count(array, 0, "bytes", needed)
            return []
        size, last, *packed = words(1, 2 + count)
        sizes = [size] * (count - 1) + [last or size]
        self._check_count(array, sum(sizes), "bytes", needed)
        start = word * (3 + count)
        self._check_count(array, len(data) - start, "packed bytes", sum(packed), exact=False)
        ends = np.cumsum([start, *packed]).tolist()
        return [(data[ends[i] : ends[i + 1]], sizes[i]) for i in range(count)]

    def _stored(self, array: _Array) -> memoryview:
        """The bytes of an array with their header, and what follows them where the file is raw."""
        if array.format == "binary":
            return memoryview(_from_base64(array.text.encode("ascii", "replace"), array.name))
        if array.format != "appended" or self._encoding not in ("raw", "base64"):
            raise ValueError(f"{array.name} has the unknown format {array.format} {self._encoding}")
        if self._encoding == "raw":
            return memoryview(self._appended)[array.offset :]
        after = next((offset for offset in self._offsets if offset > array.offset), None)
        return memoryview(_from_base64(self._appended[array.offset : after], array.name))

    @staticmethod
    def _check_count(array: _Array, found: int, what: str, needed: int, *, exact: bool = True) -> None:
        if found < needed or (exact and found != needed):
            raise ValueError(
                f"damaged: {array.name} holds {max(found, 0)} {what}, its extent needs {needed}; write the file again"
            )


def _parse(content: bytes) -> tuple[ElementTree.Element, bytes, str]:
    """The elements of a file, and its appended data with their encoding."""
    if b"<VTKFile" not in content[:4096] or b"<!DOCTYPE" in content[:4096]:
        raise ValueError("not a VTI file (VTK XML image data)")
    appended, encoding = b"", ""
    if opening := re.search(rb"<AppendedData[^>]*>\s*_", content):
        end = content.rfind(b"</AppendedData")
        if end < opening.end():
            raise ValueError("damaged: the file is cut short; write the file again")
        appended = content[opening.end() : end]
        content = content[: opening.end()] + content[end:]
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"damaged or cut short ({error}); write the file again") from error
    if (element := root.find("AppendedData")) is not None:
        encoding = element.get("encoding", "base64")
    return root, appended, encoding


def _piece(element: ElementTree.Element, whole: tuple[int, ...]) -> _Piece:
    text = element.get("Extent")
    extent = whole if text is None else _integers(text, "Extent")
    inside = all(whole[i] <= extent[i] and extent[i + 1] <= whole[i + 1] for i in (0, 2, 4))
    if not inside:
        raise ValueError(f"damaged: a piece has the extent {extent}, the image {whole}")
    shape = _extent_shape(extent)
    points = math.prod(extent[i + 1] - extent[i] + 1 for i in (0, 2, 4))
    start = tuple(extent[i] - whole[i] for i in (0, 2, 4))
    cells = _arrays(element.find("CellData"), math.prod(shape))
    return _Piece(start, shape, cells, _arrays(element.find("PointData"), points))


def _arrays(data: ElementTree.Element | None, items: int) -> dict[str, _Array]:
    """The arrays of a piece by name."""
    arrays = {}
    for element in () if data is None else [e for e in data if e.tag in ("DataArray", "Array")]:
        name = element.get("Name", "")
        if name in arrays:
            raise ValueError(f"the array {name} occurs more than once, perhaps for several times; write one of them")
        (components,) = _integers(element.get("NumberOfComponents", "1"), "NumberOfComponents", 1)
        (offset,) = _integers(element.get("offset", "0"), "offset", 1)
        if components < 1 or offset < 0:
            raise ValueError(f"damaged: {name} has {components} components at offset {offset}")
        kind, form = element.get("type", "none"), element.get("format", "ascii")
        arrays[name] = _Array(name, kind, components, form, offset, element.text or "", items)
    return arrays


def _extent_shape(extent: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(1, extent[i + 1] - extent[i]) for i in (0, 2, 4))


def _integers(text: str | None, name: str, count: int = 6) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in (text or "").split())
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise ValueError(f"damaged: {name} is {text!r}, expected {count} whole numbers")
    return numbers


def _floats(text: str, count: int, name: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split())
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"damaged: {name} is {text!r}, expected {count} numbers")
    return numbers


def _one_of(value: str, *known: str) -> str:
    if value not in known:
        raise ValueError(f"the file has headers of type {value}; known are {', '.join(known)}")
    return value


def _from_base64(text: bytes, name: str) -> bytes:
    """The bytes of base64 text in one or several streams, each with padding at its end."""
    try:
        streams = re.findall(rb"[^=]+=*", b"".join(text.split()))
        return b"".join(base64.b64decode(stream, validate=True) for stream in streams)
    except binascii.Error as error:
        raise ValueError(f"damaged: {name} is not whole base64 text ({error}); write the file again") from error


def _decompressor(name: str | None) -> Callable[[memoryview, int], bytes | None] | None:
    """Unpacks a block to bytes, at most one more than asked for; None for a block that is damaged."""
    known = {"vtkZLibDataCompressor": _zlib, "vtkLZMADataCompressor": _lzma, "vtkLZ4DataCompressor": _lz4}
    if not name:
        return None
    if name not in known:
        raise ValueError(f"the file is packed by {name}; read are {', '.join(known)}, and files that are not packed")
    return known[name]


def _zlib(packed: memoryview, size: int) -> bytes | None:
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(packed, size + 1)
    except zlib.error:
        return None
    return unpacked if stream.eof else None


def _lzma(packed: memoryview, size: int) -> bytes | None:
    stream = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
    try:
        unpacked = stream.decompress(packed, size + 1)
    except lzma.LZMAError:
        return None
    return unpacked if stream.eof else None


def _lz4(packed: memoryview, size: int) -> bytes | None:
    from vtkmodules.vtkIOCore import vtkLZ4DataCompressor

    unpacked = bytearray(size)
    written = vtkLZ4DataCompressor().Uncompress(bytes(packed), len(packed), unpacked, size)
    return bytes(unpacked) if written == size else None


def _askew(direction: np.ndarray) -> str:
    text = " ".join(f"{value:.4g}" for value in direction.ravel())
    return (
        f"the axes of the image (Direction {text}) do not run along x, y, z; resample it onto them, or write the "
        "Direction 1 0 0 0 1 0 0 0 1 for properties along the voxels' own axes"
    )
