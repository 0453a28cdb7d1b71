"""The cell in a file that a design is to be like, or begins from: of moduli, of labels, or an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from relaxdesign.io.fields import DEFAULT_LABELS, FieldError, LabelsUnclear, MissingArray, load_field
from relaxdesign.io.images import ImageReading, is_image, read_image
from relaxdesign.io.segmentation import Segmentation, parse_steps, segment
from relaxdesign.materials.material import Material
from relaxdesign.microstructure.mixed_voxels import composite_fields
from relaxdesign.physics.voxel_fields import VoxelFields


def read_like(path: Path, steps: Sequence[str], phases: Sequence[Material]) -> tuple[VoxelFields, tuple[str, ...]]:
    """The cell, and what should be known of it.

    steps: from grey values to phases, as text. phases: the materials of its labels in ascending order; a field of
    moduli has its own. Raises FieldError for a file that cannot be read, or has another number of phases.
    """
    if not (steps or is_image(path)):
        try:
            return load_field(path), ()
        except MissingArray as no_field:
            if not phases:
                raise no_field from None
    found = _segmented(path, steps)
    return fields_of(found, phases, str(path)), found.warnings


def read_phases(path: Path, steps: Sequence[str], count: int) -> np.ndarray:
    """The phase of every voxel, 0 … count - 1 in the order of the labels; the one with the largest share of it.

    steps: from grey values to phases, as text. Raises FieldError for a file that cannot be read or has another number
    of phases; one of moduli has none, unless there are labels (``phase``) beside them, as in exported designs.
    """
    found = _segmented(path, steps)
    if len(found.labels) != count:
        told = found.as_labels().describe()
        raise FieldError(f"{path} has {len(found.labels)} phases, labels {told}; the request has {count}")
    return found.shares.argmax(0).astype(np.uint8)


def _segmented(path: Path, steps: Sequence[str]) -> Segmentation:
    """The phases of labels or an image; of several arrays the one that exported designs have."""
    parsed = parse_steps(steps)
    try:
        try:
            image = read_image(path)
        except LabelsUnclear as error:
            if DEFAULT_LABELS not in error.arrays:
                raise
            image = read_image(path, ImageReading(DEFAULT_LABELS))
        return segment(image, parsed)
    except FieldError as error:
        told = str(error)
        raise FieldError(told if told.startswith(str(path)) else f"{path}: {told}") from None


def fields_of(found: Segmentation, phases: Sequence[Material], name: str) -> VoxelFields:
    """The fields of an image whose labels, ascending, are these phases. Raises FieldError for another number."""
    if len(found.labels) != len(phases):
        labels = found.as_labels().describe()
        told = ", ".join(phase.name for phase in phases) or "none"
        raise FieldError(f"{name} has {len(found.labels)} phases, labels {labels}; given are {len(phases)}: {told}")
    return composite_fields(found.shares, phases, found.edge)
