"""Images of every kind: the axes come out as x, y, z, the spacing as the file has it, and damaged files are refused."""

from __future__ import annotations

import struct

import h5py
import imageio.v3 as imageio
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from scipy.io import savemat

from relaxdesign.io.fields import FieldError, LabelsUnclear
from relaxdesign.io.images import ImageReading, as_labels, is_image, read_image

SHAPE = (6, 4, 5)  # nx, ny, nz: no two alike
VOLUME = np.arange(120, dtype=np.uint16).reshape(SHAPE)
STACK = np.ascontiguousarray(VOLUME.transpose(2, 1, 0))  # pages, rows, columns
SLICE = STACK[0].astype(np.uint8)
STEPS = (0.5, 0.5, 2.0)


def dream3d(path, *, nx_version=False):
    with h5py.File(path, "w") as file:
        if nx_version:
            group = file.create_group("DataStructure/Volume")
            group.attrs["_DIMENSIONS"], group.attrs["_SPACING"] = np.array(SHAPE), np.array(STEPS)
            cells = group.create_group("Cell Data")
        else:
            geometry = file.create_group("DataContainers/Volume/_SIMPL_GEOMETRY")
            geometry["DIMENSIONS"], geometry["SPACING"] = np.array(SHAPE), np.array(STEPS, np.float32)
            cells = file.create_group("DataContainers/Volume/CellData")
        cells["Phases"] = STACK[..., None]
        cells["EulerAngles"] = np.zeros((*STACK.shape, 3), np.float32)
        file["DataContainers/Other/numbers"] = np.zeros((2, 2, 2))


def fans(path, order):
    stored = VOLUME if order == "xyz" else STACK
    lengths = np.array(SHAPE) * STEPS
    with h5py.File(path, "w") as file:
        data = file.create_dataset("sphere/32x32x32/ms", data=stored, compression="gzip")
        data.attrs["permute_order"], data.attrs["L"] = order, lengths if order == "xyz" else lengths[::-1]


def mat73(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file["image"] = STACK  # as MATLAB writes an array (nx, ny, nz)


def itk(path):
    image = sitk.GetImageFromArray(STACK)
    image.SetSpacing(STEPS)
    sitk.WriteImage(image, str(path), useCompression=path.suffix != ".nhdr")


def vtk(path, cells=True, binary=True):
    nx, ny, nz = (n + 1 for n in SHAPE) if cells else SHAPE
    data = STACK.astype(">u2").tobytes() if binary else " ".join(map(str, STACK.ravel())).encode()
    head = (
        f"# vtk DataFile Version 3.0\nlabels\n{'BINARY' if binary else 'ASCII'}\nDATASET STRUCTURED_POINTS\n"
        f"DIMENSIONS {nx} {ny} {nz}\nORIGIN 0 0 0\nSPACING 0.5 0.5 2\n"
        f"{'CELL' if cells else 'POINT'}_DATA 120\nSCALARS phase unsigned_short 1\nLOOKUP_TABLE default\n"
    )
    path.write_bytes(head.encode() + data + b"\n")


VOLUMES = {
    "stack.tif": lambda p: tifffile.imwrite(p, STACK),
    "packed.tiff": lambda p: tifffile.imwrite(p, STACK, compression="zlib", photometric="minisblack"),
    "lzw.tif": lambda p: tifffile.imwrite(p, STACK, compression="lzw", predictor=True, photometric="minisblack"),
    "float.tif": lambda p: tifffile.imwrite(p, STACK.astype(np.float32), photometric="minisblack", metadata=None),
    "own.npy": lambda p: np.save(p, VOLUME),
    "fortran.npy": lambda p: np.save(p, np.asfortranarray(VOLUME)),
    "own.npz": lambda p: np.savez(p, image=VOLUME),
    "v5.mat": lambda p: savemat(p, {"image": VOLUME, "name": "a text", "scale": 2.0}, do_compression=True),
    "v73.mat": mat73,
    "nf.raw": lambda p: STACK.astype(">u2").tofile(p),
}
SPACED = {
    "imagej.tif": lambda p: tifffile.imwrite(
        p, STACK, imagej=True, resolution=(2, 2), metadata={"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    ),
    "ome.ome.tif": lambda p: tifffile.imwrite(
        p, STACK, metadata={"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    ),
    "six.dream3d": dream3d,
    "nx.h5": lambda p: dream3d(p, nx_version=True),
    "fans_zyx.h5": lambda p: fans(p, "zyx"),
    "fans_xyz.h5": lambda p: fans(p, "xyz"),
    "own.nrrd": itk,
    "own.nhdr": itk,
    "own.mha": itk,
    "own.mhd": itk,
    "own.nii": itk,
    "own.nii.gz": itk,
    "cells.vtk": vtk,
    "points.vtk": lambda p: vtk(p, cells=False, binary=False),
}


@pytest.mark.parametrize("name", [*VOLUMES, *SPACED])
def test_axes_are_x_y_z(tmp_path, name):
    path = tmp_path / name
    (VOLUMES | SPACED)[name](path)
    how = ImageReading(size=SHAPE, dtype=">u2") if path.suffix == ".raw" else ImageReading()
    image = read_image(path, how)
    assert np.array_equal(image.values, VOLUME) and image.note
    if name in SPACED:
        assert image.spacing == pytest.approx(STEPS) and not image.cubic
    else:
        assert image.spacing is None and image.cubic


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_a_picture_is_one_slice(tmp_path, name):
    imageio.imwrite(tmp_path / name, SLICE)
    assert np.array_equal(read_image(tmp_path / name).values, SLICE.T[..., None])


def test_pictures_have_16_bits_or_are_lossy(tmp_path):
    imageio.imwrite(tmp_path / "deep.png", STACK[0] * 300)
    assert np.array_equal(read_image(tmp_path / "deep.png").values[..., 0], STACK[0].T * 300)
    wide = np.repeat(np.array([40, 200], np.uint8), [8, 16])[None, :].repeat(16, axis=0)
    imageio.imwrite(tmp_path / "lossy.jpg", wide)
    values = read_image(tmp_path / "lossy.jpg").values
    assert values.shape == (24, 16, 1) and np.abs(values[..., 0] - wide.T.astype(float)).max() < 20


def test_colours_become_grey_and_palettes_indices(tmp_path):
    from PIL import Image

    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0, 0] = 255, 0, 0
    imageio.imwrite(tmp_path / "colours.png", colours)
    image = read_image(tmp_path / "colours.png")
    assert image.values[0, 0, 0] == 76 and "luminance" in image.note  # 0.299 of 255
    imageio.imwrite(tmp_path / "equal.png", np.repeat(SLICE[..., None], 3, axis=2))
    assert np.array_equal(read_image(tmp_path / "equal.png").values[..., 0], SLICE.T)
    palette = Image.fromarray(SLICE % 2, mode="L").convert("P")
    palette.putdata((SLICE % 2).ravel())
    palette.putpalette([200, 0, 0, 0, 200, 0])
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(read_image(tmp_path / "palette.png").values[..., 0], (SLICE % 2).T)


def test_a_folder_of_slices_is_ordered_by_number(tmp_path):
    for z in range(12):
        imageio.imwrite(tmp_path / f"slice{z}.png", np.full((4, 3), z, np.uint8))
    image = read_image(tmp_path)
    assert image.values.shape == (3, 4, 12) and image.values[0, 0].tolist() == list(range(12))
    assert image.note == "12 slices, slice0.png to slice11.png"
    (tmp_path / "tiffs").mkdir()
    for z, page in enumerate(STACK):
        tifffile.imwrite(tmp_path / "tiffs" / f"{z:03}.tif", page)
    assert np.array_equal(read_image(tmp_path / "tiffs").values, VOLUME)
    imageio.imwrite(tmp_path / "slice12.png", np.zeros((5, 3), np.uint8))
    with pytest.raises(FieldError, match=r"slice12.png is a slice of \(5, 3\).*leave nothing but the slices"):
        read_image(tmp_path)


def test_told_axes_and_spacing_go_before_the_usual(tmp_path):
    np.save(tmp_path / "z_first.npy", STACK)
    image = read_image(tmp_path / "z_first.npy", ImageReading(axes="zyx", spacing=(2.0,)))
    assert np.array_equal(image.values, VOLUME) and image.spacing == (2.0, 2.0, 2.0)
    STACK.tofile(tmp_path / "own.raw")
    VOLUME.tofile(tmp_path / "c.raw")
    for name, axes in (("own.raw", "zyx"), ("c.raw", "xyz")):
        told = ImageReading(size=SHAPE, dtype="uint16", axes=axes)
        assert np.array_equal(read_image(tmp_path / name, told).values, VOLUME)


def test_models_of_chfem_name_the_size_of_their_raw(tmp_path):
    """Written as chfem.io.export_for_chfem does: for every z the transposed slice of an array (x, y, z)."""
    with (tmp_path / "model.raw").open("wb") as file:
        for z in range(SHAPE[2]):
            VOLUME[:, :, z].T.astype(np.uint8).tofile(file)
    (tmp_path / "model.nf").write_text(
        "%type_of_analysis\n1\n%voxel_size\n0.5\n%image_dimensions\n6 4 5\n%refinement\n1"
    )
    image = read_image(tmp_path / "model.nf")
    assert np.array_equal(image.values, VOLUME) and image.spacing == (0.5, 0.5, 0.5)
    (tmp_path / "flat.nf").write_text("%image_dimensions\n4 3 0\n%refinement\n1")
    np.arange(12, dtype=np.uint8).tofile(tmp_path / "flat.raw")
    assert read_image(tmp_path / "flat.nf").values[:, 1, 0].tolist() == [4, 5, 6, 7]


def test_several_arrays_are_listed(tmp_path):
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["scan/grey"], file["scan/mask"], file["table"] = VOLUME, VOLUME > 9, np.zeros((4, 2))
    with pytest.raises(LabelsUnclear, match=r"which array is the image\? There are scan/grey, scan/mask") as unclear:
        read_image(tmp_path / "two.h5")
    assert unclear.value.arrays == ("scan/grey", "scan/mask")
    mask = read_image(tmp_path / "two.h5", ImageReading(array="/scan/mask"))
    assert np.array_equal(mask.values, VOLUME > 9) and mask.values.dtype == np.uint8
    with pytest.raises(FieldError, match="no array scan of an image; there are scan/grey, scan/mask"):
        read_image(tmp_path / "two.h5", ImageReading(array="scan"))
    savemat(tmp_path / "two.mat", {"a": VOLUME, "b": VOLUME})
    with pytest.raises(LabelsUnclear, match="There are a, b"):
        read_image(tmp_path / "two.mat")


PACKED = ("packed.tiff", "stack.tif", "own.npy", "own.npz", "v5.mat", "v73.mat", "six.dream3d", "own.nrrd", "own.mha")


@pytest.mark.parametrize("name", [*PACKED, "own.nii.gz", "cells.vtk", "points.vtk", "nf.raw"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.97])
def test_files_cut_short_are_refused(tmp_path, name, part):
    path = tmp_path / name
    (VOLUMES | SPACED)[name](path)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    how = ImageReading(size=SHAPE, dtype=">u2") if path.suffix == ".raw" else ImageReading()
    with pytest.raises(FieldError):
        image = read_image(path, how)
        assert np.array_equal(image.values, VOLUME), "read as if it were whole"
        raise FieldError("whole all the same")  # what was cut off held nothing


@pytest.mark.parametrize("name", [*VOLUMES, *SPACED, "a.png", "a.jpg"])
def test_noise_is_refused_in_words(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes())
    with pytest.raises(FieldError, match=path.name):
        read_image(path)


def test_large_images_are_refused_before_they_are_read(tmp_path):
    for name in ("stack.tif", "own.npy", "own.npz", "v5.mat", "six.dream3d", "own.mha", "cells.vtk"):
        path = tmp_path / name
        (VOLUMES | SPACED)[name](path)
        with pytest.raises(FieldError, match="at most"):
            read_image(path, most_voxels=7)
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_dataset("huge", (4096, 4096, 4096), "u8", chunks=(64, 64, 64), compression="gzip")
    with pytest.raises(FieldError, match="huge has 4096 x 4096 x 4096 = 68719476736 voxels; at most 1073741824"):
        read_image(tmp_path / "empty.h5")


def test_nothing_outside_the_file_is_opened(tmp_path):
    STACK.tofile(tmp_path / "secret.bin")
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file.create_dataset("image", STACK.shape, "u2", external=[(str(tmp_path / "secret.bin"), 0, 240)])
    with pytest.raises(FieldError, match="lies in another file"):
        read_image(tmp_path / "outside.h5")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["image"] = h5py.ExternalLink("outside.h5", "image")
    with pytest.raises(FieldError, match="no array of an image"):
        read_image(tmp_path / "link.h5")
    for name, line in (("a.nhdr", "data file: ../secret.bin"), ("a.mhd", "ElementDataFile = /etc/passwd")):
        (tmp_path / name).write_text(f"NRRD0004\n{line}\n")
        with pytest.raises(FieldError, match="only one file in the same folder is opened"):
            read_image(tmp_path / name)
    objects = np.array([[{"a": 1}]], dtype=object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    with pytest.raises(FieldError, match="pickled objects"):
        read_image(tmp_path / "objects.npy")


@pytest.mark.parametrize(
    ("name", "how", "words"),
    [
        ("a.raw", ImageReading(), "does not tell its size; give it as nx,ny,nz"),
        ("a.raw", ImageReading(size=(6, 4, 5)), "have 120 bytes, the file has 240; check the size and the type"),
        ("a.raw", ImageReading(size=(6, 4, 5), dtype="grey"), "unknown type 'grey'"),
        ("a.raw", ImageReading(size=(6, 4, 5), dtype="u2", axes="xyw"), "the axes 'xyw' are not known"),
        ("missing.tif", ImageReading(), "there is no such file"),
        ("a.czi", ImageReading(), "unknown kind of file '.czi'; images are read from .tif"),
    ],
)
def test_errors_say_what_helps(tmp_path, name, how, words):
    for other in ("a.raw", "a.czi"):
        STACK.tofile(tmp_path / other)
    with pytest.raises(FieldError, match=words):
        read_image(tmp_path / name, how)


def test_values_are_finite_numbers(tmp_path):
    np.save(tmp_path / "nan.npy", np.array([[[1.0, np.nan]]]))
    np.save(tmp_path / "complex.npy", np.ones((2, 2), complex))
    with pytest.raises(FieldError, match=r"the value at voxel \(0, 0, 1\) is nan"):
        read_image(tmp_path / "nan.npy")
    with pytest.raises(FieldError, match="have the type complex128"):
        read_image(tmp_path / "complex.npy")
    (tmp_path / "bomb.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + b"\xff" * 64)
    with pytest.raises(FieldError, match=r"bomb\.tif"):
        read_image(tmp_path / "bomb.tif")


def test_few_whole_numbers_are_labels(tmp_path):
    np.save(tmp_path / "labels.npy", (VOLUME % 3) * 100.0)
    labels = as_labels(read_image(tmp_path / "labels.npy", ImageReading(spacing=(0.25,))))
    assert labels is not None and set(labels.shares) == {0, 100, 200} and labels.edge == 0.25
    np.save(tmp_path / "grey.npy", VOLUME)
    assert as_labels(read_image(tmp_path / "grey.npy")) is None
    assert is_image(tmp_path / "grey.npy") and not is_image(tmp_path / "field.vti") and not is_image(tmp_path)
