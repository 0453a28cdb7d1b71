"""Steps from grey values to phases, each a dataclass with a text form that reads back as the same step.

Filters and thresholds are those of scikit-image and SciPy. A step takes a `Stage` and gives the next one with the
numbers that it found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from relaxdesign.io.fields import FieldError
from relaxdesign.io.images.base import Image, as_labels
from relaxdesign.physics.overlaps import overlaps

Found = dict[str, Any]
Spacing = tuple[float, float, float]

_WHOLE = 1e-9  # share of a voxel that counts as none
_STRETCH = 0.01  # of the voxels, from which resampling warns


@dataclass(frozen=True, eq=False)
class Stage:
    """An image on its way to phases.

    values: (nx, ny, nz), grey values, or labels where ``labelled``; None once there are shares. shares: by label, the
    part of every voxel that is of this phase, 0 to 1, or whether it is. spacing: edges of a voxel along x, y, z; None:
    cubes.
    """

    values: np.ndarray | None
    labelled: bool = False
    shares: dict[int, np.ndarray] | None = None
    spacing: Spacing | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along x, y, z."""
        array = next(iter(self.shares.values())) if self.values is None and self.shares else self.values
        assert array is not None
        return array.shape

    @property
    def long(self) -> list[int]:
        """Axes of more than one voxel."""
        return [axis for axis, count in enumerate(self.shape) if count > 1]

    def grey(self, step: Step) -> np.ndarray:
        """The grey values. Raises FieldError where a threshold was set already."""
        if self.values is None or self.labelled:
            raise FieldError(f"the step {step.text!r} is for grey values: put it before the threshold")
        return self.values

    def labels(self, step: Step) -> np.ndarray:
        """The labels. Raises FieldError for grey values, and where voxels hold shares of several phases."""
        if self.values is None:
            raise FieldError(f"the step {step.text!r} is for whole voxels: put it before downsample and cubic")
        if (labels := labels_of(self)) is None:
            raise FieldError(f"the step {step.text!r} is for labels: put a threshold before it, for example otsu")
        return labels

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Stage:
        """The stage with all its arrays changed alike."""
        if self.values is None:
            return replace(self, shares={label: change(share) for label, share in (self.shares or {}).items()})
        return replace(self, values=change(self.values))


class Step(Protocol):
    """What all steps have; ``usage`` is how one is written."""

    usage: ClassVar[str]

    @property
    def text(self) -> str: ...

    def apply(self, stage: Stage) -> tuple[Stage, Found]: ...


@dataclass(frozen=True)
class Crop:
    """Keeps a box of voxels. box: first and last plus one along x, y, z; None: from, or to, the end."""

    box: tuple[tuple[int | None, int | None], ...]
    usage: ClassVar[str] = "crop X0:X1,Y0:Y1,Z0:Z1"

    @property
    def text(self) -> str:
        ends = [["" if end is None else str(end) for end in pair] for pair in self.box]
        return "crop " + ",".join(":".join(pair) for pair in ends)

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        block = []
        for axis, (pair, count) in enumerate(zip(self.box, stage.shape, strict=True)):
            first, last = pair[0] or 0, count if pair[1] is None else pair[1]
            if not 0 <= first < last <= count:
                raise FieldError(f"{self.text}: along {'xyz'[axis]} the image has the voxels 0:{count}")
            block.append(slice(first, last))
        cut = stage.each(lambda array: array[tuple(block)])
        return cut, {"shape": list(cut.shape)}


@dataclass(frozen=True)
class Median:
    """Replaces every grey value by the median of the cube of ``size`` voxels around it."""

    size: int = 3
    usage: ClassVar[str] = "median [SIZE]"

    @property
    def text(self) -> str:
        return f"median {self.size}"

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        from scipy.ndimage import median_filter

        window = [self.size if count > 1 else 1 for count in stage.shape]
        return replace(stage, values=median_filter(stage.grey(self), size=window)), {}


@dataclass(frozen=True)
class NonLocalMeans:
    """Averages over places that look alike. strength: in standard deviations of the noise, which is estimated."""

    strength: float = 0.8
    usage: ClassVar[str] = "nlm [STRENGTH]"

    @property
    def text(self) -> str:
        return f"nlm {self.strength:g}"

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        from skimage.restoration import denoise_nl_means, estimate_sigma

        grey = stage.grey(self).astype(np.float64).squeeze()
        noise = float(np.mean(estimate_sigma(grey)))
        if noise == 0.0:
            return stage, {"noise": 0.0}
        clean = denoise_nl_means(grey, patch_size=5, patch_distance=6, h=self.strength * noise, sigma=noise)
        return replace(stage, values=clean.reshape(stage.shape)), {"noise": noise}


@dataclass(frozen=True)
class Otsu:
    """Labels 0, 1, … by the thresholds between ``classes`` that leave the least variance inside them."""

    classes: int = 2
    usage: ClassVar[str] = "otsu [CLASSES]"

    @property
    def text(self) -> str:
        return "otsu" if self.classes == 2 else f"otsu {self.classes}"

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        grey = stage.grey(self)
        thresholds = otsu_thresholds(grey, self.classes)
        return _divided(stage, grey, thresholds), {"thresholds": thresholds}


@dataclass(frozen=True)
class Threshold:
    """Labels 0, 1, … by thresholds; a value that equals one is still below it."""

    values: tuple[float, ...]
    usage: ClassVar[str] = "threshold VALUE[,VALUE…]"

    @property
    def text(self) -> str:
        return "threshold " + ",".join(f"{value:.10g}" for value in self.values)

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        grey = stage.grey(self)
        low, high = grey.min(), grey.max()
        if outside := [value for value in self.values if not low <= value < high]:
            raise FieldError(
                f"{self.text}: the grey values go from {low:g} to {high:g}, nothing is divided at {outside[0]:g}"
            )
        return _divided(stage, grey, list(self.values)), {"thresholds": list(self.values)}


@dataclass(frozen=True)
class RemovePieces:
    """Gives connected pieces of less than ``voxels`` voxels to the phase that is nearest."""

    voxels: int
    usage: ClassVar[str] = "remove VOXELS"

    @property
    def text(self) -> str:
        return f"remove {self.voxels}"

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        from scipy.ndimage import distance_transform_edt
        from skimage.measure import label

        labels, small, pieces = stage.labels(self), np.zeros(stage.shape, dtype=bool), 0
        for phase in np.unique(labels):
            connected: Any = label(labels == phase, connectivity=1)
            sizes = np.bincount(connected.ravel())
            lost = (sizes < self.voxels) & (np.arange(len(sizes)) > 0)
            pieces += int(lost.sum())
            small |= lost[connected]
        if small.all():
            raise FieldError(f"{self.text}: no piece has {self.voxels} voxels; remove smaller ones only")
        if pieces:
            nearest: Any = distance_transform_edt(small, return_distances=False, return_indices=True)
            labels = labels[nearest[0], nearest[1], nearest[2]]
        found = {"pieces": pieces, "voxels": int(small.sum())}
        return replace(stage, values=labels, labelled=True), found


@dataclass(frozen=True)
class Downsample:
    """Joins blocks of ``factor`` voxels per axis: labels become shares of phases, grey values their mean."""

    factor: int
    usage: ClassVar[str] = "downsample FACTOR"

    @property
    def text(self) -> str:
        return f"downsample {self.factor}"

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        stage, factors = _shared(stage), [self.factor if count > 1 else 1 for count in stage.shape]
        counts = [count // factor for count, factor in zip(stage.shape, factors, strict=True)]
        if 0 in counts:
            raise FieldError(f"{self.text}: the image has only {' x '.join(map(str, stage.shape))} voxels")
        kept = tuple(slice(0, count * factor) for count, factor in zip(counts, factors, strict=True))
        blocks = [n for pair in zip(counts, factors, strict=True) for n in pair]
        coarse = stage.each(lambda array: array[kept].reshape(blocks).mean(axis=(1, 3, 5)))
        found: Found = {"shape": counts}
        if lost := [n - count * factor for n, count, factor in zip(stage.shape, counts, factors, strict=True)]:
            found |= {"cut_off": lost} if any(lost) else {}
        steps = stage.spacing
        if steps is not None:
            x, y, z = (step * factor for step, factor in zip(steps, factors, strict=True))
            coarse = replace(coarse, spacing=(x, y, z))
        return coarse, found


@dataclass(frozen=True)
class Cubic:
    """Turns voxels that are no cubes into cubes that hold shares of phases. edge: None: the shortest one there is."""

    edge: float | None = None
    usage: ClassVar[str] = "cubic [EDGE]"

    @property
    def text(self) -> str:
        return "cubic" if self.edge is None else f"cubic {self.edge:.10g}"

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        if stage.spacing is None:
            raise FieldError(f"{self.text}: the file does not tell the edges of a voxel; give the spacing")
        if stage.values is not None and labels_of(stage) is None:
            raise FieldError(f"the step {self.text!r} is for labels: put a threshold before it, for example otsu")
        whole, long, spacing = _shared(stage), stage.long, stage.spacing
        edge = min((spacing[axis] for axis in long), default=spacing[0]) if self.edge is None else self.edge
        weights = {
            axis: overlaps(count := stage.shape[axis], max(1, round(count * spacing[axis] / edge))) for axis in long
        }

        def resampled(array: np.ndarray) -> np.ndarray:
            for axis, weight in weights.items():
                array = np.moveaxis(np.tensordot(weight, array.astype(np.float64), (1, axis)), 0, axis)
            return array

        made = replace(whole.each(resampled), spacing=(edge, edge, edge))
        stretch = max((abs(stage.shape[a] * spacing[a] / (made.shape[a] * edge) - 1.0) for a in long), default=0.0)
        found: Found = {"edge": edge, "shape": list(made.shape), "stretch": stretch}
        if stretch > _STRETCH:
            found["warning"] = f"the cell was stretched by {100 * stretch:.2g} % to a whole number of cubic voxels"
        return _unshared(made), found


@dataclass(frozen=True)
class Mirror:
    """Appends the mirror image along every axis, which makes any image a periodic cell of eight (2D: four) times."""

    usage: ClassVar[str] = "mirror"

    @property
    def text(self) -> str:
        return "mirror"

    def apply(self, stage: Stage) -> tuple[Stage, Found]:
        def mirrored(array: np.ndarray) -> np.ndarray:
            for axis in stage.long:
                array = np.concatenate([array, np.flip(array, axis)], axis)
            return array

        made = stage.each(mirrored)
        return made, {"shape": list(made.shape)}


def otsu_thresholds(grey: np.ndarray, classes: int) -> list[float]:
    """Thresholds by Otsu's method. Raises FieldError for an image without so many different values."""
    from skimage.filters import threshold_multiotsu, threshold_otsu

    try:
        return [float(threshold_otsu(grey))] if classes == 2 else threshold_multiotsu(grey, classes).tolist()
    except ValueError as error:
        raise FieldError(f"the grey values cannot be divided into {classes} classes ({error})") from None


def _divided(stage: Stage, grey: np.ndarray, thresholds: list[float]) -> Stage:
    """Labels: how many of the thresholds a value is above."""
    return replace(stage, values=np.digitize(grey, thresholds, right=True).astype(np.uint8), labelled=True)


def labels_of(stage: Stage) -> np.ndarray | None:
    """The values if they are labels: set by a step, or few whole numbers from the start."""
    if stage.labelled or stage.values is None:
        return stage.values
    found = as_labels(Image(stage.values))
    return None if found is None else found.values


def _shared(stage: Stage) -> Stage:
    """Labels as shares 0 and 1 of their phases; grey values stay."""
    if (labels := labels_of(stage)) is None:
        return stage
    return replace(stage, values=None, shares={int(label): labels == label for label in np.unique(labels)})


def _unshared(stage: Stage) -> Stage:
    """Labels again, where no voxel holds more than one phase."""
    shares = stage.shares or {}
    if any(((share > _WHOLE) & (share < 1.0 - _WHOLE)).any() for share in shares.values()):
        return stage
    labels = sum(label * (share > 0.5).astype(np.int64) for label, share in shares.items())
    return replace(stage, values=np.asarray(labels), labelled=True, shares=None)
