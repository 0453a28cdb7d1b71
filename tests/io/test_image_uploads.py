"""Uploaded images: read in the child, with its limits; hostile files end in one sentence."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import h5py
import numpy as np
import pytest
import tifffile

from relaxdesign.io.images import ImageReading
from relaxdesign.io.uploads import ImageUpload, LabelsAsked, UploadError, UploadLimits, read_image_upload

GREY = np.clip(np.random.default_rng(0).normal(np.where(np.arange(12) < 3, 190, 70), 15, (6, 8, 12)), 0, 255)


def tiff(stack: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, stack, compression="zlib", photometric="minisblack")
    return buffer.getvalue()


def hdf5(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip")
    return buffer.getvalue()


def test_a_scan_comes_in_as_phases_with_its_steps():
    how = ImageUpload(ImageReading(spacing=(0.5,)), ("median 3", "otsu", "downsample 2"), mirror=True)
    found = read_image_upload("C:\\fakepath\\My scan.TIF", tiff(GREY.astype(np.uint8)), how)
    assert found.shape == (12, 8, 6) and found.edge == 1.0 and not found.whole
    assert found.fractions[1] == pytest.approx(0.25, abs=0.01)
    assert [done.step for done in found.steps] == ["median 3", "otsu", "downsample 2", "mirror"]
    assert 80 < found.steps[1].found["thresholds"][0] < 160


def test_several_arrays_are_asked_for():
    with pytest.raises(LabelsAsked, match="Which array is the image") as asked:
        read_image_upload("a.h5", hdf5(one=GREY, two=GREY))
    assert asked.value.arrays == ["one", "two"]


def test_a_volume_of_itk_is_read_within_the_memory(tmp_path):
    import SimpleITK as sitk

    sitk.WriteImage(sitk.GetImageFromArray((GREY > 130).astype(np.uint8)), str(tmp_path / "a.nii.gz"))
    found = read_image_upload("a.nii.gz", (tmp_path / "a.nii.gz").read_bytes())
    assert found.shape == (12, 8, 6) and found.whole


def bomb_nii() -> bytes:
    """A NIfTI header of 4 x 4 x 4 voxels before a gigabyte of zeros."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 4, 4, 4, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as stream:
        stream.write(bytes(header))
        for _ in range(256):
            stream.write(bytes(2**22))
    return buffer.getvalue()


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name.replace("__", "/") + ".tif", content)
    return buffer.getvalue()


HOSTILE = {
    "no.zip": lambda: b"PK" + bytes(500),
    "empty.zip": lambda: zipped(),
    "two.zip": lambda: zipped(a__1=tiff(GREY[0].astype(np.uint8)), b__1=tiff(GREY[0].astype(np.uint8))),
    "bomb.zip": lambda: zipped(a__1=bytes(2**29)),
    "cut.zip": lambda: zipped(a__1=tiff(GREY[0].astype(np.uint8)))[:-40],
    "noise.zip": lambda: zipped(a__1=b"no image at all"),
    "noise.tif": lambda: b"II*\0" + np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes(),
    "cut.h5": lambda: hdf5(image=GREY)[:3000],
    "bomb.nii.gz": bomb_nii,
    "zeros.mat": lambda: bytes(5000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_in_one_sentence(name):
    with pytest.raises(UploadError) as refused:
        read_image_upload(name, HOSTILE[name]())
    assert str(refused.value).startswith("This file cannot be used: ") and "upload." not in str(refused.value)


def test_limits_are_told():
    limits = UploadLimits(image_voxels=100, voxels=100)
    with pytest.raises(UploadError, match="has 6 x 8 x 12 = 576 voxels; at most 100 are read"):
        read_image_upload("a.tif", tiff(GREY.astype(np.uint8)), limits=limits)
    limits = UploadLimits(voxels=100)
    with pytest.raises(UploadError, match="576 voxels are left; at most 100 are computed: add a step 'crop'"):
        read_image_upload("a.tif", tiff((GREY > 130).astype(np.uint8)), limits=limits)
    for name, words in (("a.nhdr", "Files of this kind are not read; give .tif"), ("a.tif", "The file is empty")):
        with pytest.raises(UploadError, match=words):
            read_image_upload(name, b"")


def test_a_zipped_folder_is_a_stack_in_the_order_of_its_numbers_and_writes_nothing_outside():
    pages = (GREY > 130).astype(np.uint8)
    names = [f"..__scan__slice {z}" for z in range(6)]
    found = read_image_upload("a.zip", zipped(**{name: tiff(page) for name, page in zip(names, pages, strict=True)}))
    assert found.shape == (12, 8, 6) and (found.values == pages.transpose(2, 1, 0)).all()
