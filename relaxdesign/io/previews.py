"""Previews of what steps make of an image: a few slices of it, before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relaxdesign.io.fields import FieldError
from relaxdesign.io.image_steps import Crop, Downsample, NonLocalMeans, Stage, Step, labels_of
from relaxdesign.io.images.base import Image
from relaxdesign.io.segmentation import parse_steps

AROUND = 4
"""Slices to either side of the one that is shown: what median filters and pieces see of them."""

LARGEST = 384
"""Voxels along x and y; of larger slices the middle is shown."""

BINS = 128
"""Of the histogram."""

_SAMPLE = 2**22  # grey values that a histogram counts, evenly over the image


@dataclass(frozen=True, eq=False)
class Slab:
    """Slices of an image around one of them.

    values: (nx, ny, slices). first: voxel of the image at its corner. shape: of the image. index: the slice that is
    shown, counted in the image. counts, edges: histogram of the grey values of the image. labels: volume fractions by
    label where it has few whole numbers; empty for grey values. note: what was read.
    """

    values: np.ndarray
    first: tuple[int, int, int]
    shape: tuple[int, int, int]
    index: int
    counts: np.ndarray
    edges: np.ndarray
    labels: dict[int, float]
    spacing: tuple[float, float, float] | None
    note: str

    @property
    def shown(self) -> np.ndarray:
        """The slice itself, (nx, ny)."""
        return self.values[:, :, self.index - self.first[2]]

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays that `of` reads."""
        told = {
            "first": self.first,
            "shape": self.shape,
            "index": self.index,
            "labels": {str(label): share for label, share in self.labels.items()},
            "spacing": self.spacing,
            "note": self.note,
        }
        arrays = {"values": self.values, "counts": self.counts, "edges": self.edges}
        return arrays | {"told": np.array(json.dumps(told))}

    @staticmethod
    def of(arrays: Mapping[str, np.ndarray]) -> Slab:
        """From `arrays`."""
        told = json.loads(str(arrays["told"]))
        three = {name: tuple(told[name]) for name in ("first", "shape")}
        labels = {int(label): share for label, share in told["labels"].items()}
        spacing = None if told["spacing"] is None else tuple(told["spacing"])
        return Slab(
            arrays["values"],
            three["first"],
            three["shape"],
            told["index"],
            arrays["counts"],
            arrays["edges"],
            labels,
            spacing,
            told["note"],
        )


@dataclass(frozen=True, eq=False)
class Preview:
    """What steps make of the slice of a slab.

    after: (nx, ny), grey values or, where ``labelled``, the label of the largest share. found: of every step, its text
    and the numbers that it found in the slab. problem: why a step could not be taken; empty where all were.
    """

    after: np.ndarray
    labelled: bool
    found: tuple[dict[str, Any], ...]
    problem: str = ""

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays that `of` reads."""
        told = {"labelled": self.labelled, "found": self.found, "problem": self.problem}
        return {"after": self.after, "told": np.array(json.dumps(told))}

    @staticmethod
    def of(arrays: Mapping[str, np.ndarray]) -> Preview:
        """From `arrays`."""
        told = json.loads(str(arrays["told"]))
        return Preview(arrays["after"], told["labelled"], tuple(told["found"]), told["problem"])


def slab_of(image: Image, index: int | None = None) -> Slab:
    """The slab around a slice along z; index: None: the middle one."""
    values, (nx, ny, nz) = image.values, image.values.shape
    shown: int = nz // 2 if index is None else min(max(0, index), nz - 1)
    x, y, z = max(0, (nx - LARGEST) // 2), max(0, (ny - LARGEST) // 2), max(0, shown - AROUND)
    cut = np.ascontiguousarray(values[x : x + LARGEST, y : y + LARGEST, z : shown + AROUND + 1])
    found = labels_of(Stage(values))
    labels = {}
    if found is not None:
        names, counts = np.unique(found, return_counts=True)
        labels = dict(zip(names.tolist(), (counts / found.size).tolist(), strict=True))
    some = values.ravel()[:: max(1, values.size // _SAMPLE)]
    bins, edges = np.histogram(some, BINS)
    return Slab(cut, (x, y, z), (nx, ny, nz), shown, bins, edges, labels, image.spacing, image.note)


def preview(slab: Slab, texts: Sequence[str]) -> Preview:
    """Takes the steps on the slab as far as they go. Raises nothing for steps that do not fit: they are told."""
    place, stage, found = slab.index - slab.first[2], Stage(slab.values, spacing=slab.spacing), []
    first, problem = list(slab.first), ""
    try:
        steps = parse_steps(texts)
        if any(isinstance(step, NonLocalMeans) for step in steps):  # takes minutes in 3D
            stage, place = replace(stage, values=slab.values[:, :, place : place + 1]), 0
            first[2] = slab.index
    except FieldError as error:
        steps, problem = (), str(error)
    for number, step in enumerate(steps, 1):
        try:
            made, numbers, place = _taken(step, stage, place, first)
        except FieldError as error:
            problem = f"step {number}, {error}"
            break
        stage = made
        found.append({"step": step.text, **numbers})
    labels = labels_of(stage)
    if stage.values is None:
        shares = stage.shares or {}
        names, stack = np.array(list(shares)), np.stack([share[:, :, place] for share in shares.values()])
        return Preview(names[stack.argmax(0)], True, tuple(found), problem)
    shown = stage.values if labels is None else labels
    return Preview(np.ascontiguousarray(shown[:, :, place]), labels is not None, tuple(found), problem)


def _taken(step: Step, stage: Stage, place: int, first: list[int]) -> tuple[Stage, dict[str, Any], int]:
    """The stage after a step, its numbers, and where the slice is then. first: corner of the slab, moved by crops."""
    before = stage.shape
    if isinstance(step, Crop):
        step = _within(step, stage, place, first)
        place -= step.box[2][0] or 0
    made, numbers = step.apply(stage)
    if isinstance(step, Crop):
        return made, {}, place
    if isinstance(step, Downsample):
        first[:] = [each // step.factor for each in first]
    return made, numbers, min(place * made.shape[2] // before[2], made.shape[2] - 1)


def _within(step: Crop, stage: Stage, place: int, first: list[int]) -> Crop:
    """The crop in the voxels of the slab. Raises FieldError where it leaves nothing of the slice that is shown."""
    box = []
    for axis, ((low, high), count) in enumerate(zip(step.box, stage.shape, strict=True)):
        begin = max(0, (low or 0) - first[axis])
        end = count if high is None else min(count, high - first[axis])
        if begin >= end or (axis == 2 and not begin <= place < end):
            raise FieldError(f"{step.text}: leaves nothing of what is shown; show another slice")
        first[axis] = max(0, first[axis] - (low or 0))
        box.append((begin, end))
    return Crop(tuple(box))
