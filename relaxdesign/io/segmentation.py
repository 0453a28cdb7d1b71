"""From an image to the phases of its voxels: the steps that were asked for, and what they found."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from relaxdesign.io.fields import FieldError
from relaxdesign.io.image_steps import (
    Crop,
    Cubic,
    Downsample,
    Found,
    Median,
    Mirror,
    NonLocalMeans,
    Otsu,
    RemovePieces,
    Stage,
    Step,
    Threshold,
    labels_of,
    otsu_thresholds,
)
from relaxdesign.io.images.base import Image, is_cubic
from relaxdesign.io.labels import MOST_LABELS, Labels

_LOOSE = 1.5  # times the difference of neighbouring slices, from which opposite faces do not fit each other


@dataclass(frozen=True)
class StepDone:
    """A step as it was written, and the numbers that it found."""

    step: str
    found: Found


@dataclass(frozen=True)
class Seam:
    """How well the cell repeats along an axis: the part of its faces (voxels) where two slices have another phase.

    faces: of the first and the last slice. neighbours: of slices that follow each other, on average.
    """

    axis: str
    faces: float
    neighbours: float

    @property
    def open(self) -> bool:
        """Whether the faces differ by more than slices inside do."""
        return self.faces > _LOOSE * self.neighbours and self.faces > 0.0


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The phases of cubic voxels.

    Args:
        labels: of the phases that occur, ascending.
        shares: (phases, nx, ny, nz), the part of every voxel that is of each phase; 0 and 1 where ``whole``.
        whole: whether every voxel is of one phase.
        edge: of a voxel in the file's unit; None: not told.
        steps: what was done.
        note: what was read.
    """

    labels: tuple[int, ...]
    shares: np.ndarray
    whole: bool
    edge: float | None
    steps: tuple[StepDone, ...]
    note: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along x, y, z."""
        return self.shares.shape[1:]

    @property
    def values(self) -> np.ndarray:
        """Of every voxel the label that has the largest share of it, (nx, ny, nz)."""
        return np.array(self.labels)[self.shares.argmax(0)]

    @cached_property
    def fractions(self) -> dict[int, float]:
        """Volume fractions by label."""
        means = self.shares.mean(axis=(1, 2, 3), dtype=np.float64)
        return dict(zip(self.labels, means.tolist(), strict=True))

    def as_labels(self) -> Labels:
        """The label that has the largest share of every voxel, with the volume fractions of the shares."""
        return Labels("the image", self.values, self.edge, self.fractions)

    @cached_property
    def seams(self) -> tuple[Seam, ...]:
        """How well it repeats along every axis of more than two voxels."""
        found = []
        for axis, count in enumerate(self.shape):
            if count > 2:
                change = abs(np.diff(self.shares, axis=1 + axis)).mean(dtype=np.float64)
                ends = abs(self.shares.take(0, 1 + axis) - self.shares.take(-1, 1 + axis)).mean(dtype=np.float64)
                half = 0.5 * len(self.labels)  # every difference counts in two phases
                found.append(Seam("xyz"[axis], float(half * ends), float(half * change)))
        return tuple(found)

    @property
    def open(self) -> bool:
        """Whether it does not repeat."""
        return any(seam.open for seam in self.seams)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known of the cell: seams that do not fit, and what resampling did."""
        found = [done.found["warning"] for done in self.steps if "warning" in done.found]
        if seams := [seam for seam in self.seams if seam.open]:
            told = ", ".join(
                f"along {seam.axis} the first and the last slice differ in {100 * seam.faces:.3g} % of their voxels, "
                f"neighbouring ones in {100 * seam.neighbours:.3g} %"
                for seam in seams
            )
            found.append(
                f"the image is not periodic ({told}): periodic values are a working estimate, those under linear "
                "displacements (kubc) an upper one; mirrored or embedded it has no such seams"
            )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, for reports."""
        return {
            "read": self.note,
            "shape": list(self.shape),
            "edge": self.edge,
            "steps": [{"step": done.step, **done.found} for done in self.steps],
            "composite_voxels": not self.whole,
            "volume_fractions": {str(label): value for label, value in self.fractions.items()},
            "seams": [
                {"axis": seam.axis, "faces": seam.faces, "neighbours": seam.neighbours, "open": seam.open}
                for seam in self.seams
            ],
        }


def segment(image: Image, steps: Sequence[Step] = (), *, mirror: bool = False) -> Segmentation:
    """The phases of an image.

    Voxels that are no cubes are resampled as the last step but ``mirror``, see `relaxdesign.io.image_steps.Cubic`.

    Raises FieldError for grey values without a threshold, with the one that Otsu's method finds, and for a step that
    does not fit where it stands.
    """
    stage, done = Stage(image.values, spacing=image.spacing), []
    for step in steps:
        stage = _applied(step, stage, done)
    _check_labelled(stage)
    if not is_cubic(stage.spacing, stage.shape):
        stage = _applied(Cubic(), stage, done)
    if mirror:
        stage = _applied(Mirror(), stage, done)
    labels, shares, whole = _shares(stage)
    edge = None if stage.spacing is None else max(stage.spacing[axis] for axis in stage.long or [0])
    return Segmentation(labels, shares, whole, edge, tuple(done), image.note)


def _applied(step: Step, stage: Stage, done: list[StepDone]) -> Stage:
    stage, found = step.apply(stage)
    done.append(StepDone(step.text, found))
    return stage


def _check_labelled(stage: Stage) -> None:
    """Raises FieldError for grey values."""
    if stage.values is not None and labels_of(stage) is None:
        grey = stage.values
        (threshold,) = otsu_thresholds(grey, 2)
        above = 100 * float(np.mean(grey > threshold))
        raise FieldError(
            f"the image has grey values from {grey.min():.6g} to {grey.max():.6g}, no labels (at most {MOST_LABELS} "
            f"whole numbers): add a step such as 'otsu', which divides it at {threshold:.6g} with {above:.3g} % of the "
            f"voxels above, or 'threshold {threshold:.4g}'"
        )


def _shares(stage: Stage) -> tuple[tuple[int, ...], np.ndarray, bool]:
    """Labels, shares (phases, nx, ny, nz) as float32, and whether voxels are whole."""
    if stage.shares is not None and stage.values is None:
        stack = np.stack([np.asarray(share, dtype=np.float32) for share in stage.shares.values()])
        whole = bool(((stack == 0.0) | (stack == 1.0)).all())
        return tuple(stage.shares), stack, whole
    values = labels_of(stage)
    assert values is not None  # checked before
    labels = tuple(np.unique(values).tolist())
    return labels, np.stack([(values == label).astype(np.float32) for label in labels]), True


# ---- Steps as text ---------------------------------------------------------------------------------


def parse_steps(texts: Sequence[str]) -> tuple[Step, ...]:
    """Steps from texts. Raises FieldError that says how steps are written."""
    return tuple(parse_step(text) for text in texts)


def parse_step(text: str) -> Step:
    """A step from text such as ``median 3``. Raises FieldError that says how steps are written."""
    name, _, rest = text.strip().partition(" ")
    known = ", ".join(usage for usage, _ in _PARSERS.values())
    if name not in _PARSERS:
        raise FieldError(f"unknown step {text!r}; known are {known}")
    usage, make = _PARSERS[name]
    try:
        return make(rest.split())
    except (ValueError, IndexError):
        raise FieldError(f"the step {text!r} is not understood; write {usage}") from None


def _number(words: Sequence[str], default: float | None, kind: Callable[[str], float], least: float) -> Any:
    """The one number of a step, at least so large. Raises ValueError for another number of them."""
    if len(words) > 1 or (not words and default is None):
        raise ValueError
    value = kind(words[0]) if words else default
    if value is None or not least <= value < math.inf:
        raise ValueError
    return value


def _threshold(words: Sequence[str]) -> Threshold:
    values = tuple(float(part) for part in ",".join(words).split(",") if part)
    if not values or list(values) != sorted(set(values)) or not all(map(math.isfinite, values)):
        raise ValueError
    return Threshold(values)


def _crop(words: Sequence[str]) -> Crop:
    pairs = [part.split(":") for part in "".join(words).split(",")]
    if len(pairs) not in (2, 3) or any(len(pair) != 2 for pair in pairs):
        raise ValueError
    ends = [tuple(int(end) if end else None for end in pair) for pair in pairs]
    ends += [(None, None)] * (3 - len(ends))
    return Crop(tuple((first, last) for first, last in ends))


def _cubic(words: Sequence[str]) -> Cubic:
    return Cubic(_number(words, None, float, 1e-12) if words else None)


def _mirror(words: Sequence[str]) -> Mirror:
    if words:
        raise ValueError
    return Mirror()


_PARSERS: dict[str, tuple[str, Callable[[Sequence[str]], Step]]] = {
    "crop": (Crop.usage, _crop),
    "median": (Median.usage, lambda words: Median(_number(words, 3, int, 2))),
    "nlm": (NonLocalMeans.usage, lambda words: NonLocalMeans(_number(words, 0.8, float, 1e-3))),
    "otsu": (Otsu.usage, lambda words: Otsu(_number(words, 2, int, 2))),
    "threshold": (Threshold.usage, _threshold),
    "remove": (RemovePieces.usage, lambda words: RemovePieces(_number(words, None, int, 1))),
    "downsample": (Downsample.usage, lambda words: Downsample(_number(words, None, int, 2))),
    "cubic": (Cubic.usage, _cubic),
    "mirror": (Mirror.usage, _mirror),
}
USAGES = tuple(usage for usage, _ in _PARSERS.values())
"""How the steps are written."""
