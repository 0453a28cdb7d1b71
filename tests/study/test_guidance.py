"""The sampler against an analytic prior, whose guided and unguided samples are known in closed form."""

from collections import Counter

import pytest
import torch

from relaxdesign.prior.model import load_prior
from relaxdesign.prior.sampling import sample
from relaxdesign.prior.schedule import NoiseSchedule
from relaxdesign.prior.steps import ancestral_step
from relaxdesign.study.guidance import step_direction
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.methods.guided import guided_sample
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.objectives import Linearisation, Objectives
from tests.analytic_prior import DEVIATION, MEAN, MeanTarget, gaussian_prior, generator, last


def deviation_of_ddpm(steps):
    """Closed form: every step is linear in x_t, so the variance follows a scalar recursion.

    It tends to DEVIATION as the steps become fine; few steps of DDPM change a Gaussian a little.
    """
    schedule = NoiseSchedule()
    levels, variance = schedule.trailing(steps), 1.0
    for level, following in zip(levels, [*levels[1:], None], strict=True):
        signal, sigma = float(schedule.signal[level]), float(schedule.noise[level])
        gain = signal * DEVIATION**2 / (signal**2 * DEVIATION**2 + sigma**2)
        if following is None:
            return variance**0.5 * gain
        kept = float(schedule.signal[following]) ** 2
        ratio = signal**2 / kept
        on_clean = kept**0.5 * (1 - ratio) / sigma**2
        on_noisy = ratio**0.5 * (1 - kept) / sigma**2
        variance = (on_clean * gain + on_noisy) ** 2 * variance + (1 - ratio)


@pytest.mark.parametrize("steps", [10, 100])
def test_unguided_samples_have_the_closed_form_distribution(steps):
    clean = last(sample(gaussian_prior(), 64, steps=steps, generator=generator()))
    assert float(clean.mean()) == pytest.approx(MEAN, abs=3e-3)
    assert float(clean.std()) == pytest.approx(deviation_of_ddpm(steps), rel=0.02)
    assert deviation_of_ddpm(1000) == pytest.approx(DEVIATION, rel=0.03)


def error_of_deterministic_samples(sampler, steps):
    """The flow of a Gaussian is known: noise z ends at MEAN + DEVIATION z. Relative to DEVIATION."""
    z = torch.randn((4, 3, 16, 16), generator=generator())
    clean = last(sample(gaussian_prior(), 4, steps=steps, sampler=sampler, generator=generator()))
    return float((clean - (MEAN + DEVIATION * z)).square().mean().sqrt()) / DEVIATION


def test_ddim_follows_the_flow_to_first_order():
    errors = [error_of_deterministic_samples("ddim", steps) for steps in (20, 40, 80)]
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.2)


def test_multistep_solver_needs_half_the_steps_of_ddim():
    for steps in (20, 40):
        assert error_of_deterministic_samples("dpm++", steps) < error_of_deterministic_samples("ddim", steps)
    assert error_of_deterministic_samples("dpm++", 40) < error_of_deterministic_samples("ddim", 80)


@pytest.mark.parametrize("sampler", ["ddim", "dpm++"])
def test_deterministic_samplers_take_the_same_guidance(sampler):
    settings = GuidanceSettings(sampler=sampler)
    steps = guided_sample(gaussian_prior(), MeanTarget(0.3), 4, steps=10, settings=settings, generator=generator())
    torch.testing.assert_close(last(steps).clean.flatten(1).mean(1), torch.full((4,), 0.3), atol=1e-4, rtol=0)


def test_zero_weights_are_plain_ddpm():
    settings = GuidanceSettings(sampler="ddpm", mean=0, variance=0)
    plain = last(sample(gaussian_prior(), 4, steps=20, generator=generator(1)))
    guided = last(
        guided_sample(gaussian_prior(), MeanTarget(0.5), 4, steps=20, settings=settings, generator=generator(1))
    )
    assert torch.equal(plain, guided.clean)


def test_left_to_choose_the_sampler_goes_by_the_number_of_steps():
    left, given = GuidanceSettings(), GuidanceSettings(sampler="ddpm")
    assert [left.sampler_at(steps) for steps in (10, 20, 30)] == ["dpm++", "ddim", "ddpm"]
    assert given.sampler_at(10) == "ddpm"


@pytest.mark.parametrize("settings", [GuidanceSettings(), GuidanceSettings(mean_iterations=3)])
def test_guided_samples_meet_a_linear_target_and_keep_the_rest_of_the_prior(settings):
    steps = guided_sample(gaussian_prior(), MeanTarget(0.3), 32, steps=50, settings=settings, generator=generator())
    clean = last(steps).clean
    means = clean.flatten(1).mean(1)
    torch.testing.assert_close(means, torch.full_like(means, 0.3), atol=1e-4, rtol=0)
    # Orthogonal to the target's gradient (a uniform shift) nothing may change.
    assert float((clean - means[:, None, None, None]).std()) == pytest.approx(deviation_of_ddpm(50), rel=0.02)


@pytest.mark.parametrize("schedule", ["rising", "falling"])
def test_weights_may_rise_or_fall_over_the_sampling(schedule):
    def steps(settings: GuidanceSettings) -> list[torch.Tensor]:
        made = guided_sample(gaussian_prior(), MeanTarget(0.3), 4, steps=10, settings=settings, generator=generator())
        return [step.clean for step in made]

    scheduled, constant = steps(GuidanceSettings(schedule=schedule, begin=1)), steps(GuidanceSettings(begin=1))
    unguided = steps(GuidanceSettings(mean=0, variance=0))
    # The second estimate is the first that a correction can show in: of pure noise, where all or nothing of it acts.
    torch.testing.assert_close(scheduled[1], (unguided if schedule == "rising" else constant)[1])
    assert not torch.allclose(scheduled[5], constant[5])
    torch.testing.assert_close(scheduled[-1].flatten(1).mean(1), torch.full((4,), 0.3), atol=2e-3, rtol=0)


def test_recurrence_repeats_each_level_and_still_meets_the_target():
    once, twice = MeanTarget(0.3), MeanTarget(0.3)
    list(guided_sample(gaussian_prior(), once, 4, steps=10, generator=generator()))
    settings = GuidanceSettings(recurrence=3)
    clean = last(guided_sample(gaussian_prior(), twice, 4, steps=10, settings=settings, generator=generator())).clean
    # One evaluation per step and repeat (none is repeated at the last level), one more for the result.
    assert len(once.calls) == 11 and len(twice.calls) == 9 * 3 + 2
    torch.testing.assert_close(clean.flatten(1).mean(1), torch.full((4,), 0.3), atol=1e-4, rtol=0)


def test_variance_guidance_reaches_the_target_through_the_network():
    settings = GuidanceSettings(mean=0, variance=1)
    unguided = last(sample(gaussian_prior(), 8, steps=50, generator=generator())).flatten(1).mean(1)
    steps = guided_sample(gaussian_prior(), MeanTarget(0.3), 8, steps=50, settings=settings, generator=generator())
    guided = last(steps).clean.flatten(1).mean(1)
    assert (guided - 0.3).abs().max() < 0.02 < (unguided - 0.3).abs().min()


def test_ancestral_step_has_the_posterior_mean_and_the_variance_of_the_forward_step():
    """x_s regressed on (x_0, x_t) over forward trajectories gives the posterior mean that the step must have."""
    prior, level, following = gaussian_prior(), 600, 400
    schedule, g = prior.schedule, generator(3)
    clean = torch.randn(1, 3, 256, 256, generator=g)
    ratio = float(schedule.signal[level] / schedule.signal[following])
    x_s = schedule.add_noise(clean, torch.randn(clean.shape, generator=g), torch.tensor([following]))
    x_t = ratio * x_s + (1 - ratio**2) ** 0.5 * torch.randn(clean.shape, generator=g)
    known = torch.stack((clean.flatten(), x_t.flatten()), 1)
    posterior = torch.linalg.lstsq(known, x_s.flatten()[:, None]).solution
    drawn = ancestral_step(schedule, x_t, clean, level, following, g)
    fitted = torch.linalg.lstsq(known, drawn.flatten()[:, None]).solution
    torch.testing.assert_close(fitted, posterior, atol=0.01, rtol=0)
    noise = drawn.flatten() - (known @ fitted).squeeze(1)
    assert float(noise.var()) == pytest.approx(1 - ratio**2, rel=0.02)


def test_step_meets_linearised_targets_and_descends_in_their_null_space():
    g = generator(2)
    targets, minimise = torch.randn(2, 2, 3, 8, 8, generator=g), torch.randn(2, 1, 3, 8, 8, generator=g)
    residual, rate = torch.randn(2, 2, generator=g), torch.full((2, 1), 0.1)
    step = step_direction(Linearisation(residual, targets, torch.ones(2), rate, minimise)).flatten(1)
    moved = (targets.flatten(2) @ step[..., None]).squeeze(-1)
    torch.testing.assert_close(moved, -residual, rtol=1e-3, atol=1e-4)
    plain = step_direction(Linearisation(residual, targets, torch.ones(2), rate[:, :0], minimise[:, :0])).flatten(1)
    change = (minimise.flatten(2) @ (step - plain)[..., None]).squeeze(-1)
    assert (change < 0).all() and (change > -0.1 - 1e-4).all()


def test_a_candidate_that_becomes_nan_is_dropped_and_the_others_finish():
    target = MeanTarget(0.3)
    steps = list(guided_sample(gaussian_prior(poison=1), target, 3, steps=20, generator=generator()))
    # The poisoned position is dropped each time it shows up; sample 1 of the batch goes first.
    assert steps[0].alive.all() and not steps[-1].alive[1]
    assert "non-finite" in steps[-1].messages[1]
    assert torch.isfinite(steps[-1].clean).all() and len(steps[-1].clean) == int(steps[-1].alive.sum())


def test_same_seed_same_samples():
    first, second = (last(sample(gaussian_prior(), 2, steps=10, generator=generator(7))) for _ in range(2))
    assert torch.equal(first, second)


def test_guided_field_reaches_its_bulk_modulus_with_the_real_evaluator():
    steps = list(
        guided_sample(gaussian_prior(), Objectives([parse_objective("K = 40")]), 3, steps=15, generator=generator())
    )
    torch.testing.assert_close(steps[-1].evaluation.bulk, torch.full((3,), 40.0), rtol=5e-3, atol=0)
    assert [step.index for step in steps] == list(range(1, 16))


def test_conflicting_targets_share_the_step_by_their_weights():
    gradient = torch.ones(1, 2, 3, 4, 4)  # the same direction is asked up by one and down by the other
    residual = torch.tensor([[0.1, -0.1]])

    def mean_step(weights):
        empty = residual[:, :0], gradient[:, :0]
        return float(step_direction(Linearisation(residual, gradient, torch.tensor(weights), *empty)).mean())

    assert mean_step([1.0, 1.0]) == pytest.approx(0, abs=1e-7)
    assert mean_step([4.0, 1.0]) < 0 < mean_step([1.0, 4.0])


def test_guidance_can_be_kept_to_a_window_of_noise_levels():
    def steps(**settings: float) -> list[torch.Tensor]:
        made = guided_sample(
            gaussian_prior(),
            MeanTarget(0.3),
            4,
            steps=20,
            settings=GuidanceSettings(**settings),
            generator=generator(),
        )
        return [step.clean for step in made]

    windowed, unguided = steps(begin=0.7), steps(mean=0, variance=0)
    levels = [float(gaussian_prior().schedule.noise[i]) for i in gaussian_prior().schedule.trailing(20)]
    steered = next(i for i, level in enumerate(levels) if level <= 0.7)
    # A correction shows in the estimate after it.
    assert all(torch.equal(windowed[i], unguided[i]) for i in range(steered + 1))
    assert not torch.allclose(windowed[steered + 1], unguided[steered + 1])
    torch.testing.assert_close(windowed[-1].flatten(1).mean(1), torch.full((4,), 0.3), atol=1e-4, rtol=0)


def test_phases_keep_their_contrast_as_the_noisiest_levels_are_not_steered():
    """Towards a stiff target: a step that is the same for all voxels would make the phases equal."""

    def contrast(settings: GuidanceSettings) -> float:
        objectives = Objectives([parse_objective("K = 220")])
        prior = load_prior("composite-2d-64")
        steps = guided_sample(prior, objectives, 8, steps=15, settings=settings, generator=generator())
        return float(prior.decode(last(steps).clean).bulk.flatten(1).log().std(1).mean())

    assert contrast(GuidanceSettings()) > 1.5 * contrast(GuidanceSettings(begin=1))


@pytest.mark.parametrize(("commit", "start", "expected"), [(0.5, None, 0.5), (0.0, None, None), (1.0, 0.3, 0.3)])
def test_candidates_keep_to_their_materials_from_a_noise_level_on(commit, start, expected):
    """Once, and not at the first level: what is to be met by other materials must have had a step to change them."""
    prior = gaussian_prior()
    settings = GuidanceSettings(commit=commit, sharpness=3)
    begin = start and (torch.full((3, 16, 16), 0.1), start)
    list(guided_sample(prior, MeanTarget(0.3), 2, steps=30, settings=settings, start=begin, generator=generator()))
    asked = prior.network.asked
    noise = [float(prior.schedule.noise[level]) for level in prior.schedule.trailing(30)]
    visited = [value for value in noise if start is None or value <= start]
    restricted = [value for value in visited[1:] if expected is not None and value <= expected]
    times = Counter(question for question, _ in asked)
    assert sum(entry == ("field", 3.0) for entry in asked) == len(visited)
    assert times["likeliest"] == (expected is not None)
    assert times["restrict"] == len(restricted)


def test_materials_stay_with_their_candidates_when_one_is_dropped():
    prior = gaussian_prior(poison=1)  # below half the levels
    settings = GuidanceSettings(commit=0.999)
    list(guided_sample(prior, MeanTarget(0.3), 3, steps=20, settings=settings, generator=generator()))
    restrictions = [allowed for question, allowed in prior.network.asked if question == "restrict"]
    everyone = torch.eye(3, dtype=torch.bool)
    assert torch.equal(restrictions[0], everyone)
    assert torch.equal(restrictions[-1], everyone[[0, 2]])


def test_a_start_at_low_noise_is_kept_and_at_high_noise_forgotten():
    start = torch.full((3, 16, 16), 0.6)
    near, far = (
        last(
            guided_sample(
                gaussian_prior(),
                MeanTarget(0.3),
                8,
                steps=50,
                settings=GuidanceSettings(mean=0, variance=0),
                start=(start, noise),
                generator=generator(),
            )
        ).clean
        for noise in (0.1, 1.0)
    )
    assert float(near.mean()) > 0.3 > float(far.mean())


def test_a_start_below_all_levels_takes_the_lowest():
    settings = GuidanceSettings(mean=0, variance=0)
    start = torch.full((3, 16, 16), 0.6)
    run = guided_sample(
        gaussian_prior(), MeanTarget(0.3), 1, steps=4, settings=settings, start=(start, 0.01), generator=generator()
    )
    assert [step.index for step in run] == [4]


def test_reused_gradients_save_solves_and_still_reach_the_target():
    prior = gaussian_prior()
    every, third = (Objectives([parse_objective("K = 40")], reuse=reuse) for reuse in (1, 3))
    results = [
        last(guided_sample(prior, objectives, 3, steps=15, generator=generator())) for objectives in (every, third)
    ]
    assert third.load_cases < 0.5 * every.load_cases
    for result in results:
        torch.testing.assert_close(result.evaluation.bulk, torch.full((3,), 40.0), rtol=2e-2, atol=0)


def test_a_field_at_the_end_of_its_channels_still_reaches_its_target():
    """Half of it as soft as can be: those voxels are held, or come back where the way leads inwards."""
    prior = gaussian_prior()
    field = torch.full((3, 16, 16), -0.999)
    field[:, :8] = -1.0
    for target in ("K = 0.0016", "K = 0.005"):
        objectives = Objectives([parse_objective(target)])
        found = last(
            guided_sample(prior, objectives, 1, steps=4, start=(field, 1e-3), generator=generator())
        ).evaluation
        assert float(found.linearisation.target_residual.abs()) < 2e-3
