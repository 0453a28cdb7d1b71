"""The denoiser's symmetries and shapes."""

import pytest
import torch

from relaxdesign.prior.unet import UNet, UNetConfig, _from_patches, _to_patches


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = UNet(UNetConfig(widths=(16, 16, 32))).double()
    with torch.no_grad():  # some layers start at zero: excite them all
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def test_patches_are_inverted_exactly():
    for dim in (2, 3):
        x = torch.randn(2, 3, *(8,) * dim)
        patches = _to_patches(x, 2)
        assert patches.shape == (2, 3 * 2**dim, *(4,) * dim)
        assert torch.equal(_from_patches(patches, 2, dim), x)


def test_translation_of_the_periodic_cell_translates_the_output(network):
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    t = torch.tensor([0.3, 0.9], dtype=torch.float64)
    shift = (8, 16)  # multiples of the coarsest stride
    moved = network(x.roll(shift, (2, 3)), t, t)
    torch.testing.assert_close(moved, network(x, t, t).roll(shift, (2, 3)), rtol=1e-9, atol=1e-9)


def test_samples_of_a_batch_do_not_influence_each_other(network):
    x = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    t = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    torch.testing.assert_close(network(x, t, t)[1:2], network(x[1:2], t[1:2], t[1:2]))


def test_3d_network_keeps_the_shape_and_passes_gradients():
    network = UNet(UNetConfig(dim=3, widths=(8, 16)))
    x = torch.randn(1, 3, 8, 8, 8, requires_grad=True)
    out = network(x, torch.tensor([0.5]), torch.tensor([0.5]))
    assert out.shape == x.shape
    (gradient,) = torch.autograd.grad(out.square().sum(), x)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def test_head_paints_flat_phases_whose_values_follow_the_noisy_mean():
    """With certain labels each phase is one value, and near t = 0 that value is the mean of the input over it."""
    network = UNet(UNetConfig(widths=(16, 32)))
    with torch.no_grad():
        for parameter in network.head.correction[-1].parameters():
            parameter.zero_()
    logits = torch.zeros(1, 3, 16, 16)
    logits[:, 0, :, :8], logits[:, 1, :, 8:] = 50, 50
    noisy, features = torch.randn(1, 3, 16, 16), torch.randn(1, 16, 8, 8)
    painted = network.head(noisy, features, logits, torch.randn(1, 64), torch.ones(1))
    for half, source in ((painted[..., :8], noisy[..., :8]), (painted[..., 8:], noisy[..., 8:])):
        assert half.flatten(2).std(2).max() < 1e-6
        torch.testing.assert_close(half.mean((2, 3)), source.mean((2, 3)), rtol=0.02, atol=0.01)
