"""Reading .npz files (zips of NumPy arrays): nothing is unpickled, and every array is whole or the file is refused."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

_BYTES_PER_NUMBER = 16  # the widest numbers there are, complex ones
_LONGEST_HEADER = 4096
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class NpzFile:
    """The arrays of an .npz file, read one by one.

    Raises ValueError for a file that is no zip or is cut short, `read` for one that is damaged.

    Attributes:
        names: of the arrays; all have one value per voxel.
        points, spacing: none, as an .npz knows neither (see `relaxdesign.io.vti.VtiFile`).
    """

    points: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None

    def __init__(self, path: Path, most_voxels: int | None = None):
        if not zipfile.is_zipfile(path):
            raise ValueError(
                "not an .npz file (a zip of arrays), or one that is cut short; write it with "
                "numpy.savez(path, E=E, nu=nu)"
            )
        self._path, self._most = path, most_voxels
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        self._entries = {name: entry for name, entry in entries.items() if entry.filename.endswith(".npy")}
        self.names = tuple(self._entries)

    def read(self, name: str) -> np.ndarray:
        """An array, as it is stored. Raises ValueError for one that is too large, pickled or damaged."""
        entry = self._entries[name]
        if self._most is not None and entry.file_size > _BYTES_PER_NUMBER * self._most + _LONGEST_HEADER:
            size = f"{entry.file_size / 2**20:.0f} MB"
            raise ValueError(f"{name} unpacks to {size}; at most {self._most} voxels are read")
        try:
            with zipfile.ZipFile(self._path) as archive:
                self._check_size(name, archive, entry)
                with archive.open(entry) as stream:
                    array = np.lib.format.read_array(stream, allow_pickle=False)
                    stream.read(1)  # at its end, the zip's checksum is compared
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
            if "pickle" in str(error) or "Object arrays" in str(error):
                raise ValueError(
                    "holds pickled objects, which are not read as they can run code; save plain float arrays"
                ) from None
            raise ValueError(f"damaged ({error}); write the file again") from error
        if self._most is not None and array.size > self._most:
            raise ValueError(f"{array.size} voxels; at most {self._most} are read, make the field coarser")
        return array

    @staticmethod
    def _check_size(name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        """Raises ValueError unless the entry holds what its header states, before room is made for it."""
        with archive.open(entry) as stream:
            version = np.lib.format.read_magic(stream)
            if version not in _HEADERS:
                return  # headers with field names in other alphabets: structured arrays, which are refused later
            shape, _, dtype = _HEADERS[version](stream)
            needed = stream.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
        if not dtype.hasobject and entry.file_size != needed:
            raise ValueError(f"{name} of shape {shape} holds {entry.file_size} bytes, it needs {needed}")
