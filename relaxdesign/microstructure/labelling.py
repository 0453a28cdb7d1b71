"""The two phases of a relaxed field: which voxels belong together, and what they are made of."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.microstructure.base import FitError

# Phases closer than this (channel units) are one material: about 5 % in K.
_SAME_MATERIAL = 0.02
# A phase must hold at least this share of voxels.
_SMALLEST_SHARE = 0.01
# Of relabelling by the nearest median; a handful is usual.
_MOST_ROUNDS = 20


def label_phases(clean: Tensor, seed: int = 0) -> tuple[NDArray[np.bool_], dict[bool, Tensor], float]:
    """Two phases of a relaxed field (channels, *grid): labels (*grid), channel medians by label, and the standard
    deviation within the phases.

    Raises FitError for a homogeneous field.
    """
    channels, *grid = clean.shape
    voxels = clean.detach().double().reshape(channels, -1).T.cpu()
    if 2 * float((voxels - voxels.mean(0)).norm(dim=1).max()) < _SAME_MATERIAL:
        raise FitError(
            f"the sample is a homogeneous material: its voxels differ by less than {_SAME_MATERIAL} channel units"
        )
    from sklearn.mixture import GaussianMixture  # seconds to import: not before it is used

    mixture = GaussianMixture(2, covariance_type="spherical", reg_covar=1e-6, random_state=seed)
    labels = mixture.fit_predict(voxels.numpy()).reshape(grid).astype(bool)
    share = float(labels.mean())
    if min(share, 1 - share) < _SMALLEST_SHARE:
        raise FitError("the sample is a homogeneous material: less than 1 % of it differs from the rest")
    labels, medians = _by_nearest_median(voxels, torch.from_numpy(labels.ravel()))
    distance = float((medians[True] - medians[False]).norm())
    if distance < _SAME_MATERIAL:
        raise FitError(f"the sample is a homogeneous material: its phases differ by {distance:.3f} channel units")
    within = torch.cat([part - part.mean(0) for part in (voxels[labels], voxels[~labels])])
    return labels.reshape(grid).numpy(), medians, float(within.square().mean().sqrt())


def _by_nearest_median(voxels: Tensor, labels: Tensor) -> tuple[Tensor, dict[bool, Tensor]]:
    """Labels and medians (channels,) of two phases such that every voxel is nearest to the median of its own.

    A mixture gives all blends at interfaces to the phase that varies more; halfway between the phases is where a blend
    changes sides. voxels: (n, channels). labels: bool (n,), to begin with.
    """
    for _ in range(_MOST_ROUNDS):
        medians = {label: voxels[labels == label].median(0).values for label in (False, True)}
        nearer = (voxels - medians[True]).norm(dim=1) < (voxels - medians[False]).norm(dim=1)
        if torch.equal(nearer, labels) or nearer.all() or not nearer.any():
            break
        labels = nearer
    return labels, medians
