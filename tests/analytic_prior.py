"""A prior whose samples are known in closed form, and a linear target for them."""

from dataclasses import dataclass, field

import torch

from relaxdesign.materials.channels import AsinhChannels, Properties
from relaxdesign.prior.model import Prior
from relaxdesign.prior.schedule import NoiseSchedule
from relaxdesign.prior.unet import UNetConfig
from relaxdesign.study.objectives import Evaluation, Linearisation

MEAN, DEVIATION = 0.1, 0.15


@dataclass
class FixedPainting:
    """A field that is what it is: no phases to read crisply, nothing to choose from.

    asked: what was asked of it, and with what.
    """

    clean: torch.Tensor
    asked: list

    def field(self, sharpness=1.0):
        self.asked.append(("field", sharpness))
        return self.clean

    def likeliest(self):
        self.asked.append(("likeliest", None))
        return torch.eye(len(self.clean), dtype=torch.bool)

    def restrict(self, allowed):
        self.asked.append(("restrict", allowed))
        return self


class GaussianNetwork(torch.nn.Module):
    """The exact x̂_0 for voxels that are independent N(MEAN, DEVIATION²)."""

    def __init__(self, schedule, poison=None):
        super().__init__()
        self.config = UNetConfig()
        self.schedule = schedule
        self.poison = poison
        self.asked = []
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def paint(self, noisy, time, signal, log_bulk=None):
        t = (time * self.schedule.steps).round().long() - 1
        signal = signal.view(-1, 1, 1, 1)
        variance = signal**2 * DEVIATION**2 + 1 - signal**2
        clean = MEAN + signal * DEVIATION**2 / variance * (noisy - signal * MEAN)
        if self.poison is not None and int(t[0]) < 500:
            clean = clean.clone()
            clean[self.poison], self.poison = torch.nan, None
        return FixedPainting(clean, self.asked)


def gaussian_prior(**options):
    schedule = NoiseSchedule()
    return Prior("gaussian", GaussianNetwork(schedule, **options), schedule, AsinhChannels(), 16)


@dataclass
class MeanTarget:
    """A linear target: the mean over a sample shall be ``goal``."""

    goal: float
    calls: list = field(default_factory=list)

    def unevaluated(self, prior, clean):
        nothing = torch.zeros(len(clean))
        empty = torch.zeros_like(clean)[:, None]
        line = Linearisation(nothing[:, None], empty, torch.ones(1), nothing[:, None][:, :0], empty[:, :0])
        return Evaluation(Properties(nothing, nothing, nothing), {}, {}, line, {})

    def evaluate(self, prior, clean, finished=False):
        self.calls.append(clean.clone())
        mean = clean.flatten(1).mean(1)
        gradient = torch.full_like(clean, 1 / clean[0].numel())[:, None]
        nothing = torch.zeros(len(clean))
        return Evaluation(
            Properties(nothing, nothing, nothing),
            {"K": mean, "density": nothing},
            {"mean": (mean - self.goal) ** 2},
            Linearisation(
                (mean - self.goal)[:, None], gradient, torch.ones(1), nothing[:, None][:, :0], gradient[:, :0]
            ),
            {},
        )

    def keep(self, alive):
        pass


def last(steps):
    *_, step = steps
    return step


def generator(seed=0):
    return torch.Generator().manual_seed(seed)
