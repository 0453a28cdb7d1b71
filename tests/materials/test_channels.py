"""Channel maps: round trips, ranges and what a step in channel units means."""

import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels, LinearChannels, Properties, channels_from_definition
from relaxdesign.physics.fem import bulk_shear_from_young_poisson


@pytest.mark.parametrize("channels", [AsinhChannels(), LinearChannels()], ids=lambda c: c.name)
def test_round_trip_of_engineering_materials(channels):
    properties = Properties(
        *(torch.tensor(v, dtype=torch.float64) for v in ([2.0, 70.0, 250.0], [1.0, 26.0, 160.0], [1.2, 2.7, 3.9]))
    )
    back = channels.decode(channels.encode(properties, axis=-1), axis=-1)
    for name in ("bulk", "shear", "density", "young", "poisson"):
        torch.testing.assert_close(getattr(back, name), getattr(properties, name), rtol=1e-9, atol=0)


def test_asinh_round_trip_holds_for_the_whole_catalogue():
    properties, channels = Catalogue.default().properties, AsinhChannels()
    encoded = channels.encode(properties, axis=-1)
    assert encoded.abs().max() < 1
    back = channels.decode(encoded, axis=-1)
    torch.testing.assert_close(back.bulk, properties.bulk, rtol=1e-9, atol=0)
    torch.testing.assert_close(back.shear, properties.shear, rtol=1e-9, atol=0)


def test_equal_channel_noise_is_equal_relative_error_above_the_scale():
    channels = AsinhChannels()
    bulk = torch.tensor([25.0, 75.0, 200.0], dtype=torch.float64)
    field = channels.encode(Properties(bulk, bulk / 2, bulk / 50), axis=-1)
    moved = channels.decode(field + 0.01, axis=-1).bulk / bulk - 1
    assert moved.max() / moved.min() < 1.03
    # The linear map makes the same noise many times worse for the soft one.
    linear = LinearChannels()
    young = Properties(bulk, bulk / 2, bulk / 50)
    moved = linear.decode(linear.encode(young, axis=-1) + torch.tensor([0.01, 0, 0]), axis=-1).young / young.young - 1
    assert moved.max() / moved.min() > 7


def test_decode_never_gives_a_void_or_infinite_stiffness():
    for channels in (AsinhChannels(), LinearChannels()):
        for value in (-5.0, -1.0, 1.0, 5.0):
            decoded = channels.decode(torch.full((1, 3, 2, 2), value))
            for name in ("bulk", "shear", "density"):
                field = getattr(decoded, name)
                assert torch.isfinite(field).all() and (field > 0).all()


@pytest.mark.parametrize("poisson", [-0.9, -0.6, 0.0, 0.3])
def test_asinh_channels_carry_aerogels_and_auxetic_foams_in_single_precision(poisson):
    """From E 0.1 MPa and 3 mg/cm³ on; guided fields are float32."""
    young, density = torch.tensor([1e-4, 1e-3, 1.0]), torch.tensor([0.003, 0.1, 1.0])
    bulk, shear = bulk_shear_from_young_poisson(young, torch.full_like(young, poisson))
    decoded = AsinhChannels().decode(AsinhChannels().encode(Properties(bulk, shear, density)))
    torch.testing.assert_close(decoded.bulk, bulk, rtol=0.03, atol=0)
    torch.testing.assert_close(decoded.poisson, torch.full_like(young, poisson), rtol=0, atol=0.02)
    torch.testing.assert_close(decoded.density, density, rtol=1e-3, atol=0)


def test_linear_channels_refuse_what_they_cannot_hold():
    auxetic = Properties(*(torch.tensor([value]) for value in (1.0, 3.0, 0.1)))
    AsinhChannels().check(auxetic)
    with pytest.raises(ValueError, match=r"hold 0 to 0\.5"):
        LinearChannels().check(auxetic)


@pytest.mark.parametrize("channels", [AsinhChannels(), LinearChannels()], ids=lambda c: c.name)
def test_a_field_at_the_floor_has_a_way_back(channels):
    field = torch.full((1, 3, 2, 2), -1.0, dtype=torch.float64, requires_grad=True)
    decoded = channels.decode(field)
    for name in ("bulk", "shear", "density"):
        (slope,) = torch.autograd.grad(getattr(decoded, name).sum(), field, retain_graph=True)
        assert (slope.amax(1) > 0).all()


def test_definition_rebuilds_channels_and_refuses_unknown_ones():
    channels = AsinhChannels(scale=(4.0, 2.0, 1.0))
    assert channels_from_definition(channels.definition()) == channels
    with pytest.raises(ValueError, match="asinh, linear"):
        channels_from_definition({"name": "log"})
    with pytest.raises(ValueError, match="does not fit"):
        channels_from_definition({"name": "asinh", "slope": [1]})
