"""Refinement and realisation land on target with real materials, verified by the evaluator."""

import numpy as np
import pytest
import torch

from relaxdesign.catalogue import Catalogue
from relaxdesign.channels import AsinhChannels
from relaxdesign.estimates import pair_estimates
from relaxdesign.fem import bulk_modulus
from relaxdesign.projection import Projection
from relaxdesign.refinement import (
    RefinementError,
    crowded,
    material_properties,
    rank_pairs,
    realise,
    refine,
)

CHANNELS = AsinhChannels()
CATALOGUE = Catalogue.default().select()


def projection_near(matrix: str, particle: str, volume_fraction: float, diameter: float) -> Projection:
    values = CHANNELS.encode(CATALOGUE.properties, axis=-1)
    ids = [m.id for m in CATALOGUE.materials]
    return Projection(
        matrix=values[ids.index(matrix)],
        particle=values[ids.index(particle)],
        labels=np.zeros((64, 64), dtype=bool),
        volume_fraction=volume_fraction,
        diameter=diameter,
        misfit=0.0,
        within_phase_deviation=0.0,
    )


def some(category: str, young: float) -> str:
    return min(
        (m for m in CATALOGUE.materials if m.category == category), key=lambda m: abs(np.log(m.young / young))
    ).id


@pytest.mark.parametrize(
    ("target", "matrix", "particle"),
    [
        (5.0, some("polymer", 3), some("glass", 70)),
        (120.0, some("metal", 110), some("ceramic", 400)),
        (0.05, some("foam", 0.05), some("polymer", 2)),
        (260.0, some("ceramic", 450), some("metal", 200)),
    ],
)
def test_refined_mean_and_realised_cell_meet_the_target(target, matrix, particle):
    projection = projection_near(matrix, particle, 0.3, 0.25)
    generator = torch.Generator().manual_seed(0)
    refined = refine(projection, CATALOGUE, CHANNELS, target, 2, 64, generator=generator)
    assert refined.bulk.mean == pytest.approx(target, rel=0.011)
    assert refined.bulk.mean == pytest.approx(float(refined.per_placement.mean()))
    realised = realise(refined, CATALOGUE, target, 64)
    assert realised.bulk == pytest.approx(target, rel=0.01)
    assert float(realised.result.residual[0]) <= 1e-8
    assert realised.packing.largest_diameter() >= realised.packing.diameter

    # What is exported is what was measured: solve the phase map again from scratch.
    m, p = (material_properties(CATALOGUE.materials[i]) for i in (refined.matrix, refined.particle))
    phase = realised.phase[None, ..., None]
    again = bulk_modulus(torch.where(phase, p.bulk, m.bulk), torch.where(phase, p.shear, m.shear))
    assert float(again.value[0]) == pytest.approx(realised.bulk, rel=1e-9)


def test_ranked_pairs_prefer_the_sample_and_light_materials_when_asked():
    projection = projection_near(some("metal", 110), some("ceramic", 400), 0.3, 0.25)
    near = rank_pairs(projection, CATALOGUE, CHANNELS, 150.0, 0.0, 2, 64)
    light = rank_pairs(projection, CATALOGUE, CHANNELS, 150.0, 5.0, 2, 64)
    density = CATALOGUE.properties.density

    def mean_density(pairs):
        return np.mean([float((1 - vf) * density[m] + vf * density[p]) for m, p, vf in pairs[:10]])

    assert mean_density(light) < 0.8 * mean_density(near)
    assert all(0.05 <= vf <= 0.5 for _, _, vf in near)
    values = CHANNELS.encode(CATALOGUE.properties, axis=-1)
    distance = [
        float((values[m] - projection.matrix).norm() + (values[p] - projection.particle).norm()) for m, p, _ in near
    ]
    assert np.mean(distance[:10]) < 0.3 < np.mean(distance[-10:])


def test_taken_pairs_are_not_offered_again():
    projection = projection_near(some("metal", 110), some("ceramic", 400), 0.3, 0.25)
    first, *_ = rank_pairs(projection, CATALOGUE, CHANNELS, 150.0, 0.0, 2, 64)
    refined = refine(
        projection, CATALOGUE, CHANNELS, 150.0, 2, 64, taken={first[:2]}, generator=torch.Generator().manual_seed(0)
    )
    assert (refined.matrix, refined.particle) != first[:2]


def test_unreachable_targets_are_refused():
    projection = projection_near(some("metal", 110), some("ceramic", 400), 0.3, 0.25)
    with pytest.raises(RefinementError, match="no two materials on offer reach 590"):
        refine(projection, CATALOGUE, CHANNELS, 590.0, 2, 64, generator=torch.Generator())


def test_pairs_that_the_grid_cannot_resolve_come_later():
    """Alumina in epoxy where the spheres would nearly touch: first choice on a fine grid, not on a coarse one."""
    sample = projection_near("epoxy-unfilled", "alumina-ad-995", 0.46, 0.2)
    pair = tuple([m.id for m in CATALOGUE.materials].index(name) for name in ("epoxy-unfilled", "alumina-ad-995"))
    target = float(pair_estimates(CATALOGUE, np.array([0.46]), 3)[0][pair])
    place = {
        grid: [found[:2] for found in rank_pairs(sample, CATALOGUE, CHANNELS, target, 0.0, 3, grid)].index(pair)
        for grid in (32, 512)
    }
    assert place[512] == 0 < place[32]


def test_crowding_needs_both_a_narrow_gap_and_contrast():
    assert crowded(0.5, 100.0) and not crowded(1.5, 100.0) and not crowded(0.5, 5.0)
