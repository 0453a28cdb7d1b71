"""Writes designs as files for ParaView, CAD and finite element programs, and reads one back."""

from __future__ import annotations

from pathlib import Path

import relaxdesign as rd


def main(folder: str | Path = "designs", count: int = 2, steps: int = 30) -> list[Path]:
    """Returns the files of ``count`` designs with K = 120 GPa, cells of 2 mm edge, in ``folder``."""
    result = rd.design(K=120, count=count, steps=steps)
    files = rd.write(result, folder, formats=("vti", "stl", "abaqus", "json"), edge_mm=2.0, thickness_mm=0.5)
    for path in files:
        print(f"{path} ({path.stat().st_size:,} bytes)")

    for path in (path for path in files if path.suffix == ".vti"):
        print(f"{path}: K = {rd.evaluate(path).bulk:.2f} GPa, as computed anew from the file")
    return files


if __name__ == "__main__":
    main()
