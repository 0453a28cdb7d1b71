"""VTI files as VTK writes them, in every encoding: read to the last digit, and refused when a piece is missing."""

from __future__ import annotations

import base64
import re
import struct
import zlib

import numpy as np
import pytest
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

from relaxdesign.io.vti import VtiFile

SHAPE = (5, 4, 3)
RANDOM = np.random.default_rng(0)
ARRAYS = {
    "E": RANDOM.uniform(1, 9, SHAPE),
    "nu": RANDOM.uniform(0, 0.4, SHAPE).astype(np.float32),
    "phase": RANDOM.integers(0, 9, SHAPE),
}
ENCODINGS = {
    "ascii": ("ascii", None, True),
    "base64": ("binary", None, True),
    "base64, zlib": ("binary", "ZLib", True),
    "appended base64": ("appended", None, True),
    "appended base64, zlib": ("appended", "ZLib", True),
    "raw": ("appended", None, False),
    "raw, zlib": ("appended", "ZLib", False),
    "raw, lz4": ("appended", "LZ4", False),
    "raw, lzma": ("appended", "LZMA", False),
    "base64, lz4": ("binary", "LZ4", True),
    "base64, lzma": ("binary", "LZMA", True),
}


def written(tmp_path, encoding="base64", *, start=(0, 0, 0), spacing=0.5, direction=None, **options) -> bytes:
    """A file of VTK's writer; options: names of its Set… methods with their arguments."""
    mode, compressor, encode = ENCODINGS[encoding]
    image = vtkImageData()
    image.SetExtent(*(edge for first, count in zip(start, SHAPE, strict=True) for edge in (first, first + count)))
    image.SetSpacing(spacing, spacing, spacing)
    if direction is not None:
        image.SetDirectionMatrix(*np.ravel(direction))
    for name, values in ARRAYS.items():
        array = numpy_to_vtk(values.ravel(order="F"), deep=True)
        array.SetName(name)
        image.GetCellData().AddArray(array)
    array = numpy_to_vtk(RANDOM.random((image.GetNumberOfPoints(), 3)), deep=True)
    array.SetName("displacement")
    image.GetPointData().AddArray(array)
    writer = vtkXMLImageDataWriter()
    writer.SetInputData(image)
    getattr(writer, f"SetDataModeTo{mode.title()}")()
    getattr(writer, f"SetCompressorTypeTo{compressor or 'None'}")()
    writer.SetEncodeAppendedData(encode)
    for name, arguments in options.items():
        getattr(writer, name)(*arguments)
    writer.SetFileName(str(tmp_path / "image.vti"))
    writer.Write()
    return (tmp_path / "image.vti").read_bytes()


def assert_whole(content: bytes) -> None:
    file = VtiFile(content)
    assert file.names == tuple(ARRAYS) and file.points == ("displacement",) and file.shape == SHAPE
    for name, values in ARRAYS.items():
        assert np.array_equal(file.read(name), values), name
        assert file.read(name).dtype.isnative


def read_all(content: bytes) -> None:
    file = VtiFile(content)
    for name in file.names:
        file.read(name)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_read_whole_and_refused_cut_short(tmp_path, encoding):
    content = written(tmp_path, encoding)
    assert_whole(content)
    for cut in range(2, len(content), 41):  # 1 is the line's end
        with pytest.raises(ValueError, match=r"damaged|not a VTI"):
            read_all(content[:-cut])


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "ascii"])
def test_numbers_that_miss_in_the_middle_are_noticed(tmp_path, encoding):
    """The file's end is there: what VTK's own reader fills up with zeros or memory."""
    content = written(tmp_path, encoding)
    if encoding.startswith(("raw", "appended")):
        end = content.rindex(b"</AppendedData")
        places = [content.rindex(b"_", 0, end) + 200, end - 40]
    else:
        places = [match.start() - 5 for match in re.finditer(rb"\n\s*</DataArray>", content)]
    for place in places:
        for gap in (4, 8, 32):
            with pytest.raises(ValueError, match="damaged"):
                read_all(content[: place - gap] + content[place:])


def test_numbers_that_miss_in_text_are_counted(tmp_path):
    content = written(tmp_path, "ascii")
    last = rb"([\d.]+)(\s+</DataArray>)"
    with pytest.raises(ValueError, match=r"damaged: \w+ holds \d+ numbers, its extent needs"):
        VtiFile(re.sub(last, rb"\2", content, count=1))
    with pytest.raises(ValueError, match=r"damaged: \w+ is not made of numbers"):
        read_all(re.sub(last, rb"x\2", content))


@pytest.mark.parametrize(
    "options",
    [
        {"SetByteOrderToBigEndian": ()},
        {"SetHeaderTypeToUInt64": ()},
        {"SetBlockSize": (32,)},
        {"SetByteOrderToBigEndian": (), "SetHeaderTypeToUInt64": (), "SetBlockSize": (64,)},
    ],
)
@pytest.mark.parametrize("encoding", ["base64", "raw, zlib", "base64, lz4"])
def test_byte_orders_headers_and_blocks(tmp_path, encoding, options):
    assert_whole(written(tmp_path, encoding, **options))


def test_shifted_extents_and_small_spacings(tmp_path):
    content = written(tmp_path, start=(2, -1, 7), spacing=1e-6)
    assert_whole(content)
    assert VtiFile(content).spacing == (1e-6,) * 3


def test_pieces_are_put_together(tmp_path):
    """Two pieces, the upper one first, as parallel programs write them."""
    values = ARRAYS["phase"]
    pieces = ""
    for low, high in ((2, 3), (0, 2)):
        numbers = " ".join(map(str, values[:, :, low:high].ravel(order="F")))
        array = f'<DataArray type="Int64" Name="phase" format="ascii">{numbers}</DataArray>'
        pieces += f'<Piece Extent="0 5 0 4 {low} {high}"><CellData>{array}</CellData></Piece>'

    def file(body: str) -> bytes:
        image = f'<ImageData WholeExtent="0 5 0 4 0 3">{body}</ImageData>'
        return f'<?xml version="1.0"?><VTKFile type="ImageData">{image}</VTKFile>'.encode()

    assert np.array_equal(VtiFile(file(pieces)).read("phase"), values)
    lower = pieces[pieces.index("<Piece", 1) :]
    for body in (lower, pieces + lower):
        with pytest.raises(ValueError, match="pieces do not fill"):
            VtiFile(file(body))


@pytest.mark.parametrize(
    "direction",
    [
        ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
        ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
        ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
        ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ],
)
def test_directions_along_the_axes_are_honoured(tmp_path, direction):
    """A voxel's value lies where VTK puts its centre."""
    file = VtiFile(written(tmp_path, direction=direction))
    image = vtkImageData()
    image.SetDimensions(*SHAPE)
    image.SetDirectionMatrix(*np.ravel(direction))
    centres = np.array([image.GetPoint(n) for n in range(image.GetNumberOfPoints())])
    centres = np.round(centres - centres.min(axis=0)).astype(int)
    values = file.read("E")
    assert values.shape == tuple(centres.max(axis=0) + 1)
    assert np.array_equal(values[tuple(centres.T)], ARRAYS["E"].ravel(order="F"))


def test_directions_between_the_axes_are_refused(tmp_path):
    turn = np.radians(30)
    askew = ((np.cos(turn), -np.sin(turn), 0), (np.sin(turn), np.cos(turn), 0), (0, 0, 1))
    with pytest.raises(ValueError, match=r"do not run along x, y, z; resample"):
        VtiFile(written(tmp_path, direction=askew)).read("E")


def zipped_vti(shape: tuple[int, int, int], blocks: list[bytes], sizes: tuple[int, int], name="E") -> bytes:
    """A file with one array of Float64 in zlib blocks that claim these sizes (of all, of the last)."""
    packed = [zlib.compress(block) for block in blocks]
    head = struct.pack(f"<{3 + len(packed)}I", len(packed), *sizes, *map(len, packed))
    text = (base64.b64encode(head) + base64.b64encode(b"".join(packed))).decode()
    extent = " ".join(f"0 {n}" for n in shape)
    array = f'<DataArray type="Float64" Name="{name}" format="binary">{text}</DataArray>'
    body = f'<Piece Extent="{extent}"><CellData>{array}</CellData></Piece>'
    image = f'<ImageData WholeExtent="{extent}">{body}</ImageData>'
    return f'<VTKFile type="ImageData" compressor="vtkZLibDataCompressor">{image}</VTKFile>'.encode()


def test_what_unpacks_to_more_than_the_extent_is_refused_unpacked_or_not(monkeypatch):
    whole = np.ones(8).tobytes()
    assert VtiFile(zipped_vti((2, 2, 2), [whole], (64, 0))).read("E").sum() == 8
    bomb = bytes(50_000_000)
    with pytest.raises(ValueError, match="holds 50000000 bytes, its extent needs 64"):
        VtiFile(zipped_vti((2, 2, 2), [bomb], (50_000_000, 0)))
    asked = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self):
            self._stream = real()

        def decompress(self, data, most):
            asked.append(most)
            return self._stream.decompress(data, most)

        @property
        def eof(self):
            return self._stream.eof

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    with pytest.raises(ValueError, match="damaged: E cannot be unpacked"):
        VtiFile(zipped_vti((2, 2, 2), [bomb], (64, 0))).read("E")
    assert asked == [65], "bytes that were unpacked at most"
    with pytest.raises(ValueError, match="at most 7 are read"):
        VtiFile(zipped_vti((2, 2, 2), [whole], (64, 0)), most_voxels=7)


def test_other_files_are_told_apart():
    for content, words in (
        (b"hello", "not a VTI file"),
        (b'<VTKFile type="PolyData"><PolyData/></VTKFile>', "not a VTI file .* but PolyData"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><VTKFile type="ImageData"/>', "not a VTI file"),
        (b'<VTKFile type="ImageData"><ImageData WholeExtent="0 1"/></VTKFile>', "WholeExtent"),
    ):
        with pytest.raises(ValueError, match=words):
            VtiFile(content)


def test_arrays_that_are_no_numbers_per_voxel_are_refused_when_asked_for():
    array = '<DataArray type="Float64" Name="u" NumberOfComponents="3" format="ascii">1 2 3</DataArray>'
    names = '<Array type="String" Name="note" format="ascii">65 66 0</Array>'
    body = f'<Piece Extent="0 1 0 1 0 1"><CellData>{array}{names}</CellData></Piece>'
    file = VtiFile(
        f'<VTKFile type="ImageData"><ImageData WholeExtent="0 1 0 1 0 1">{body}</ImageData></VTKFile>'.encode()
    )
    for name, words in (("u", "it has 3 of type Float64"), ("note", "of type String")):
        with pytest.raises(ValueError, match=words):
            file.read(name)
