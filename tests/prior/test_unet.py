"""The denoiser's symmetries and shapes."""

import pytest
import torch

from relaxdesign.prior.heads import SMALLEST_DEVIATION, Painting, _log_likelihood
from relaxdesign.prior.unet import UNet, UNetConfig, _from_patches, _to_patches

MATERIALS = torch.tensor([[-0.8, -0.5, 0.1], [0.2, 0.3, 0.4], [0.9, 0.7, -0.2]])
WEIGHTS = torch.tensor([1.0, 2.0, 1.0])


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = UNet(UNetConfig(widths=(16, 16, 32))).double()
    network.set_materials(MATERIALS, WEIGHTS)
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
    network.set_materials(MATERIALS, WEIGHTS)
    x = torch.randn(1, 3, 8, 8, 8, requires_grad=True)
    out = network(x, torch.tensor([0.5]), torch.tensor([0.5]))
    assert out.shape == x.shape
    (gradient,) = torch.autograd.grad(out.square().sum(), x)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def head_with(materials, weights):
    """A head without learned corrections, on two half cells that are certain to be two phases."""
    network = UNet(UNetConfig(widths=(16, 32)))
    network.set_materials(materials, weights)
    with torch.no_grad():
        for parameter in network.head.correction[-1].parameters():
            parameter.zero_()
    logits = torch.zeros(1, 3, 16, 16)
    logits[:, 0, :, :8], logits[:, 1, :, 8:] = 50, 50

    def paint(noisy, signal):
        features, time = torch.randn(1, 16, 8, 8), torch.randn(1, 64)
        painted = network.head(noisy, features, logits, time, torch.tensor([signal])).field()
        assert painted[..., :8].flatten(2).std(2).max() < 1e-6  # flat
        assert painted[..., 8:].flatten(2).std(2).max() < 1e-6
        return painted[0, :, 0, 0], painted[0, :, 0, 8]

    return paint


def two_halves(left, right):
    field = torch.empty(1, 3, 16, 16)
    field[..., :8], field[..., 8:] = left.view(1, 3, 1, 1), right.view(1, 3, 1, 1)
    return field


def test_head_recognises_the_materials_under_noise():
    signal = 0.8
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    noisy = signal * two_halves(MATERIALS[0], MATERIALS[2]) + (1 - signal**2) ** 0.5 * noise
    left, right = head_with(MATERIALS, WEIGHTS)(noisy, signal)
    torch.testing.assert_close(left, MATERIALS[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(right, MATERIALS[2], rtol=0, atol=1e-4)


def test_head_is_bayes_rule_over_the_materials():
    """Between two materials the blend follows the Gaussian likelihoods, with the error of a mean over 128 voxels."""
    signal = 0.15
    materials, weights = torch.tensor([[-0.1, 0.0, 0.0], [0.1, 0.0, 0.0]]), torch.tensor([3.0, 1.0])
    measured = 0.05
    left, _ = head_with(materials, weights)(two_halves(torch.full((3,), measured * signal), torch.zeros(3)), signal)
    gain = signal**2 / (signal**2 + 0.01)
    deviation = ((1 - signal**2) / (signal**2 + 0.01) / 128) ** 0.5 + SMALLEST_DEVIATION
    log_likelihood = -0.5 * ((gain * measured - materials[:, 0]) / deviation) ** 2
    posterior = (weights / weights.sum() * log_likelihood.exp()).double()
    expected = (posterior / posterior.sum() * materials[:, 0]).sum()
    assert left[0].item() == pytest.approx(expected.item(), abs=2e-3)
    assert abs(left[0]) < 0.09  # a real blend


def test_likelihood_of_a_voxel_is_that_of_its_noise():
    """Up to a constant per voxel: ln N(x_t; √ᾱ v, (1-ᾱ) I), in 2D and 3D."""
    generator = torch.Generator().manual_seed(0)
    signal = torch.tensor([0.3, 0.95], dtype=torch.float64)
    values = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    for grid in ((4, 6), (2, 4, 6)):
        noisy = torch.randn(2, 3, *grid, generator=generator, dtype=torch.float64)
        spread = (1 - signal.square()).sqrt()[:, None, None]
        normal = torch.distributions.Normal(signal[:, None, None] * values, spread)
        exact = normal.log_prob(noisy.flatten(2).movedim(2, 0)[:, :, None]).sum(-1).movedim(0, 2).unflatten(2, grid)
        found = _log_likelihood(noisy, values, signal)
        torch.testing.assert_close(found - found[:, :1], exact - exact[:, :1])


def test_a_voxel_decides_where_the_network_does_not_know(monkeypatch):
    """Half cells that are certain, but for a strip in the middle: its voxels go to the phase they look like."""
    network = UNet(UNetConfig(widths=(16, 32)))
    network.set_materials(MATERIALS, WEIGHTS)
    with torch.no_grad():
        for parameter in network.head.correction[-1].parameters():
            parameter.zero_()
    logits = torch.zeros(1, 3, 16, 16)
    logits[:, 0, :, :7], logits[:, 1, :, 9:], logits[:, 2] = 50, 50, -50
    clean = two_halves(MATERIALS[0], MATERIALS[2])
    noisy = 0.99 * clean
    signal = torch.tensor([0.99])
    painted = network.head(noisy, torch.zeros(1, 16, 8, 8), logits, torch.zeros(1, 64), signal).field()
    torch.testing.assert_close(painted, clean, rtol=0, atol=1e-3)
    monkeypatch.setattr("relaxdesign.prior.heads.EVIDENCE", 0.0)
    painted = network.head(noisy, torch.zeros(1, 16, 8, 8), logits, torch.zeros(1, 64), signal).field()
    assert (painted - clean)[..., 7:9].abs().max() > 0.1  # undecided without it


def certain_painting(materials, log_posterior):
    """Two half cells and, between them, two voxels that could be either."""
    logits = torch.zeros(1, 3, 16, 16)
    logits[:, 0, :, :7], logits[:, 1, :, 9:], logits[:, 2] = 50, 50, -50
    logits[:, 0, :, 7:9] = 0.5
    return Painting(torch.zeros(1, 3, 16, 16), torch.zeros(1), logits, materials, log_posterior)


def test_a_crisp_reading_leaves_each_voxel_one_phase():
    values = torch.tensor([[0.0, -50.0, -50.0], [-50.0, -50.0, 0.0], [-50.0, 0.0, -50.0]])[None]
    painting = certain_painting(MATERIALS, values)
    between = [float(painting.field(sharpness)[0, 0, 0, 7]) for sharpness in (1, 4, 1000)]
    odds = [torch.tensor(0.5 * sharpness).sigmoid().item() for sharpness in (1, 4, 1000)]  # by the definition
    left, right = MATERIALS[0, 0].item(), MATERIALS[2, 0].item()
    assert between == pytest.approx([p * left + (1 - p) * right for p in odds], abs=1e-5)
    for sharpness in (1, 4):
        assert float(painting.field(sharpness)[0, 0, 0, 0]) == pytest.approx(left)


def test_a_restricted_painting_has_the_likeliest_materials_of_the_phases_that_are_there():
    # The left half is likely the first material, the right the third; no voxel is the label of the second.
    values = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 9.0, 0.0]])[None]
    painting = certain_painting(MATERIALS, values)
    allowed = painting.likeliest()
    assert allowed.tolist() == [[True, False, True]]
    field = painting.restrict(allowed).field()
    shares = torch.tensor([1.0, 0.0]).softmax(0)
    torch.testing.assert_close(field[0, :, 0, 0], shares @ MATERIALS[[0, 2]])
    torch.testing.assert_close(field[0, :, 0, 15], shares @ MATERIALS[[2, 0]])
    only = painting.restrict(torch.tensor([[False, True, False]])).field()
    torch.testing.assert_close(only, MATERIALS[1].view(1, 3, 1, 1).expand_as(only))


def test_other_materials_can_be_put_in_without_training(network):
    x, t = torch.randn(1, 3, 32, 32, dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    other = torch.tensor([[0.5, 0.5, 0.5], [0.6, 0.6, 0.6]])
    network.set_materials(other, torch.ones(2))
    painted = network(x, t, t)
    assert painted.min() >= 0.5 - 1e-9 and painted.max() <= 0.6 + 1e-6
