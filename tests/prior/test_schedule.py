"""The noise schedule: zero terminal SNR, v-prediction identities, trailing steps."""

import pytest
import torch

from relaxdesign.prior.schedule import NoiseSchedule


def test_training_ends_in_pure_noise_and_starts_almost_clean():
    schedule = NoiseSchedule()
    assert float(schedule.signal[-1]) == 0.0
    assert float(schedule.signal[0]) > 0.9999
    assert (schedule.signal.diff() < 0).all()
    torch.testing.assert_close(schedule.signal**2 + schedule.noise**2, torch.ones(1000, dtype=torch.float64))


def test_clean_and_noise_are_recovered_from_the_velocity():
    schedule, generator = NoiseSchedule(), torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 4, 3, 8, 8, generator=generator, dtype=torch.float64)
    t = torch.tensor([0, 300, 700, 999])
    noisy = schedule.add_noise(clean, noise, t)
    velocity = schedule.velocity(clean, noise, t)
    torch.testing.assert_close(schedule.clean_estimate(noisy, velocity, t), clean)


def test_trailing_steps_begin_at_the_last_level():
    schedule = NoiseSchedule()
    for count in (1, 7, 50, 1000):
        steps = schedule.trailing(count)
        assert len(steps) == len(set(steps)) == count
        assert steps[0] == 999 and steps == sorted(steps, reverse=True) and steps[-1] >= 0
    assert schedule.trailing(1000) == list(range(999, -1, -1))
    with pytest.raises(ValueError, match="between 1 and 1000"):
        schedule.trailing(0)
