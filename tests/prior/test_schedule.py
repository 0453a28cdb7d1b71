"""The noise schedule: zero terminal SNR, noise levels, trailing steps."""

import pytest
import torch

from relaxdesign.prior.schedule import NoiseSchedule


def test_training_ends_in_pure_noise_and_starts_almost_clean():
    schedule = NoiseSchedule()
    assert float(schedule.signal[-1]) == 0.0
    assert float(schedule.signal[0]) > 0.9999
    assert (schedule.signal.diff() < 0).all()
    torch.testing.assert_close(schedule.signal**2 + schedule.noise**2, torch.ones(1000, dtype=torch.float64))


def test_noised_fields_have_the_variance_of_the_level():
    schedule, generator = NoiseSchedule(), torch.Generator().manual_seed(0)
    clean, noise = torch.zeros(4, 3, 64, 64), torch.randn(4, 3, 64, 64, generator=generator)
    t = torch.tensor([0, 300, 700, 999])
    noisy = schedule.add_noise(clean, noise, t)
    torch.testing.assert_close(noisy.flatten(1).std(1), schedule.noise[t].float(), rtol=0.02, atol=0)
    assert torch.equal(schedule.add_noise(clean + 1, noise, t)[3], noise[3])  # nothing of the signal is left


def test_trailing_steps_begin_at_the_last_level():
    schedule = NoiseSchedule()
    for count in (1, 7, 50, 1000):
        steps = schedule.trailing(count)
        assert len(steps) == len(set(steps)) == count
        assert steps[0] == 999 and steps == sorted(steps, reverse=True) and steps[-1] >= 0
    assert schedule.trailing(1000) == list(range(999, -1, -1))
    with pytest.raises(ValueError, match="between 1 and 1000"):
        schedule.trailing(0)
