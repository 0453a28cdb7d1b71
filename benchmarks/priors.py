"""The priors, measured: the shipped ones, samplers with few steps; architectures and channels at equal training time.

Writes ``benchmarks/results/priors.json`` and generates ``docs/priors.md`` from it (part of ``make bench``).

    python benchmarks/priors.py                         everything (about two hours on one core)
    python benchmarks/priors.py --only samplers         one part anew: shipped, samplers, architectures or channels
    python benchmarks/priors.py --report                write the page from the JSON
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels, LinearChannels
from relaxdesign.prior.metrics import assess
from relaxdesign.prior.model import Prior, load_prior, shipped_priors
from relaxdesign.prior.sampling import draw
from relaxdesign.prior.steps import Sampler
from relaxdesign.prior.training import TrainingConfig, train_prior
from relaxdesign.prior.unet import UNetConfig
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import design

ROOT = Path(__file__).resolve().parents[1]
JSON, PAGE = ROOT / "benchmarks" / "results" / "priors.json", ROOT / "docs" / "priors.md"
PARTS = ("shipped", "samplers", "architectures", "channels")
SEED = 0
STEPS = 50
SAMPLERS: tuple[tuple[Sampler, int], ...] = (
    ("ddpm", 100),
    ("ddpm", 50),
    ("ddpm", 25),
    ("ddim", 25),
    ("ddim", 10),
    ("dpm++", 25),
    ("dpm++", 10),
)
SAMPLER_COUNT = 128
ARCHITECTURES = {
    "full resolution": UNetConfig(patch=1, widths=(16, 32, 64, 128)),
    "patches of 2×2 (shipped)": UNetConfig(patch=2, widths=(32, 64, 128)),
    "patches of 4×4": UNetConfig(patch=4, widths=(64, 128)),
}
CHANNELS = {
    "softened logarithms of K, G, density": AsinhChannels(),
    "E, ν, density, linear (paper)": LinearChannels(),
}
TARGETS = (5.0, 20.0, 120.0, 270.0)
"""GPa, of the guided designs that compare channels."""
GUIDANCE = {"variance": 0.0}
"""Of these designs: corrections of the clean estimate only."""
CANDIDATES = {2: 8, 3: 4}
"""Fields whose forward and backward pass is timed, by dimension."""


def measured(prior: Prior, sampler: Sampler, steps: int, count: int) -> dict:
    """Metrics of ``count`` samples."""
    generator = torch.Generator().manual_seed(SEED)
    drawn = draw(prior, count, steps=steps, sampler=sampler, generator=generator)
    metrics, _ = assess(prior, Catalogue.default().select(), drawn, generator=generator)
    return {"sampler": sampler, "steps": steps} | metrics


def pass_seconds(prior: Prior, repeats: int = 7) -> float:
    """Fastest forward and backward pass for the candidates of a usual design, processor seconds."""
    count = CANDIDATES[prior.dim]
    noisy = torch.randn(count, *prior.field_shape, generator=torch.Generator().manual_seed(SEED)).requires_grad_()
    t = torch.full((count,), 500)
    times = []
    for _ in range(repeats):
        begin = processor_seconds()
        prior.clean_estimate(noisy, t).square().sum().backward()
        times.append(processor_seconds() - begin)
    return min(times)


def shipped() -> list[dict]:
    """What the model cards say (``relaxdesign prior-report --card`` put it there), and the cost of a pass."""
    rows = []
    for name in shipped_priors():
        prior = load_prior(name)
        card = {key: prior.card.get(key) for key in ("steps_trained", "cells_seen")}
        own = {"prior": name, "dim": prior.dim, "pass_seconds": pass_seconds(prior)}
        rows.append(own | card | prior.card["metrics"])
    return rows


def samplers() -> list[dict]:
    prior = load_prior("composite-2d-64")
    return [measured(prior, sampler, steps, SAMPLER_COUNT) for sampler, steps in SAMPLERS]


def architectures(seconds: float) -> Iterator[dict]:
    """Each trained for the same time from scratch, its rate decayed to the end."""
    for name, network in ARCHITECTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            path, trained = train_for(seconds, TrainingConfig(name="timed", network=network, seed=SEED), folder)
            prior = load_prior(path)
        yield (
            {
                "name": name,
                "parameters": sum(p.numel() for p in prior.network.parameters()),
                "pass_seconds": pass_seconds(prior),
            }
            | trained
            | measured(prior, "ddpm", STEPS, SAMPLER_COUNT)
        )


def channels(seconds: float) -> Iterator[dict]:
    """What the relaxed channels bring: each trained for the same time, then designs for a few targets."""
    for name, kind in CHANNELS.items():
        with tempfile.TemporaryDirectory() as folder:
            config = TrainingConfig(name="timed", channels=kind.definition(), seed=SEED)
            path, trained = train_for(seconds, config, folder)
            for target in TARGETS:
                wanted = {"target_bulk": target, "count": CANDIDATES[2], "seed": SEED, "prior": str(path)}
                request = DesignRequest.model_validate(wanted | {"steps": STEPS, "guidance": GUIDANCE})
                designs = design(request).designs
                errors = {
                    stage: [abs(value / target - 1) for d in designs if (value := d.at(stage, "K")) is not None]
                    for stage in ("relaxed", "snapped")
                }
                worst = {f"{stage}_worst": max(values, default=None) for stage, values in errors.items()}
                median = {stage: statistics.median(values) if values else None for stage, values in errors.items()}
                yield {"name": name, "target_GPa": target} | trained | median | worst


def train_for(seconds: float, config: TrainingConfig, folder: str) -> tuple[Path, dict]:
    """Trains for about that time, the learning rate decayed at its end; returns the weights and what was done.

    The time is that of the processor, so that whatever else the machine does favours no one.
    """
    catalogue = Catalogue.default().select()
    steps = _trial_seconds(config, catalogue, folder)
    config = replace(config, steps=max(1, int(seconds / steps)))
    begin = processor_seconds()
    *_, last = train_prior(config, catalogue, folder, checkpoint_every=10**6, sheet_every=0)
    done = {
        "training_steps": config.steps,
        "training_seconds": processor_seconds() - begin,
        "validation_loss": last.validation_loss,
    }
    return Path(folder) / f"{config.name}.safetensors", done


def _trial_seconds(config: TrainingConfig, catalogue: Catalogue, folder: str, steps: int = 25) -> float:
    """Processor seconds per training step, the first ones left out."""
    trial = replace(config, name="trial", steps=5 + steps)
    marks = [processor_seconds() for _ in train_prior(trial, catalogue, folder, checkpoint_every=10**6, sheet_every=0)]
    return (marks[4 + steps] - marks[4]) / steps


def processor_seconds() -> float:
    """Time that the processor spent on this process, per thread."""
    return time.process_time() / torch.get_num_threads()


# ---- The page --------------------------------------------------------------------------------------


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def quality(row: dict) -> list[str]:
    """The cells that all tables share."""
    flat, near, distance = row["flatness"], row["nearest_material"], row["wasserstein"]
    contrast, bulk = distance["contrast, channel units"], distance["ln effective K"]
    return [
        f"{row['two_phase']:.1%}",
        f"{row['misfit'][1]:.2f} ({row['misfit_designs'][1]:.2f})",
        f"{flat['channel_units']:.3f}",
        f"{flat['bulk_relative']:.1%}",
        f"{near['within_3_percent_of_K']:.0%}",
        f"{row['coverage']['relative']:.0%}",
        f"{contrast['samples']:.2f} ({contrast['designs']:.2f})",
        f"{bulk['samples']:.2f} ({bulk['designs']:.2f})",
    ]


QUALITY = ["two phases", "misfit", "within phase", "… of K", "material within 3 %", "coverage", "contrast", "ln K*"]


def text(words: str) -> str:
    """A paragraph written over several lines."""
    return " ".join(words.split())


def page(result: dict) -> str:
    sections = {"shipped": _shipped, "samplers": _samplers, "architectures": _architectures, "channels": _channels}
    threads = f"{result['threads']} thread{'' if result['threads'] == 1 else 's'}"
    parts = [
        "# The priors",
        text(f"""Written by `python benchmarks/priors.py` from `benchmarks/results/priors.json`; change that, not this
        page. Measured on {result["machine"]}, {threads}. `relaxdesign prior-report` makes the same numbers, with
        figures, for any prior."""),
        text("""All of it is about *unguided* samples, read by the projection that designs go through, against as many
        fresh random designs. **Two phases**: share that is read as equal particles in a matrix. **Misfit**: how badly
        equal particles explain the shape, median (in brackets: of random designs). **Within phase**: median standard
        deviation inside a phase in channel units, and of K in phases above 10 GPa. **Material within 3 %**: phases
        whose K is that of a catalogue material to 3 %. **Coverage**: cells of the 10×10×10 property grid that the
        phases occupy, relative to random designs. **Contrast**, **ln K\\***: Wasserstein distance of the distance
        between the phases (channel units) and of ln K of the whole cell; in brackets that between two sets of random
        designs, the least possible."""),
        *(part for name, section in sections.items() if name in result for part in section(result[name])),
    ]
    return "\n\n".join(parts) + "\n"


def _shipped(rows: list[dict]) -> list[str]:
    lines = [
        [row["prior"], str(row["count"]), *quality(row), _passes(row["pass_seconds"], CANDIDATES[row["dim"]])]
        for row in rows
    ]
    return [
        "## Shipped",
        table(["prior", "samples", *QUALITY, "forward + backward"], lines),
        text("""The head paints phases with the materials that the prior holds (those of the catalogue, or of your own:
        `Prior.offer`, which a design does with the materials on offer). The network itself sees materials only as
        channel values, whose scales are constants. So a prior trained on ours can be used with an own catalogue as it
        is; what it has learnt of the shipped one is which *contrasts* are usual. `relaxdesign train --materials own.csv
        --start-from composite-2d-64` adapts it."""),
        *_memorisation([row for row in rows if "unseen" in row]),
    ]


def _memorisation(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    lines = [
        [
            row["prior"],
            f"{unseen['count']}",
            f"{unseen['two_phase']:.1%} ({row['two_phase']:.1%})",
            f"{unseen['misfit'][1]:.2f} ({row['misfit'][1]:.2f})",
            f"{unseen['coverage']['pairs_samples']:.0%} ({unseen['coverage']['pairs_designs']:.0%})",
        ]
        for row in rows
        for unseen in (row["unseen"],)
    ]
    return [
        text(f"""Memorised? The same priors, painting with {rows[0]["unseen"]["materials"]} materials that no training
        has seen (the flagged rows of the catalogue), so no pair of them either. In brackets: with the materials they
        know; of distinct pairs: among as many random designs."""),
        table(["prior", "samples", "two phases", "misfit", "distinct pairs"], lines),
    ]


def _samplers(rows: list[dict]) -> list[str]:
    lines = [[row["sampler"], str(row["steps"]), *quality(row)] for row in rows]
    return [
        "## Fewer steps",
        text(f"""`composite-2d-64`, {rows[0]["count"]} samples each. `ddpm` draws new noise at every step, `ddim` and
        `dpm++` (second order, multistep) draw none. The time is that of the steps: formula and noise cost nothing."""),
        table(["sampler", "steps", *QUALITY], lines),
    ]


def _architectures(rows: list[dict]) -> list[str]:
    lines = [
        [
            row["name"],
            f"{row['parameters'] / 1e6:.1f} M",
            str(row["training_steps"]),
            f"{row['validation_loss']:.4f}",
            *quality(row),
            _passes(row["pass_seconds"], CANDIDATES[2]),
        ]
        for row in rows
    ]
    return [
        "## Architectures",
        text(f"""Networks with the same phase-painting head, trained from scratch for {_minutes(rows)} of processor time
        each, on one thread; {rows[0]["count"]} samples, {STEPS} steps. Guidance through the network pays for a
        forward and a backward pass at every step, hence the last column. So short a training tells which network
        learns fastest, not which is best in the end: patches of 2×2 have the lowest loss, full resolution paints
        the flattest phases at the highest price, patches of 4×4 are cheapest and lead in shapes so far, with the
        coarsest phases. These networks, and those of the next table, were trained and judged before the head
        weighed in each voxel's own likelihood and before phases were read by their medians."""),
        table(["network", "parameters", "training steps", "validation loss", *QUALITY, "forward + backward"], lines),
    ]


def _channels(rows: list[dict]) -> list[str]:
    lines = [
        [
            row["name"],
            str(row["training_steps"]),
            f"{row['target_GPa']:g} GPa",
            *(f"{row[key]:.2%}" for key in ("relaxed", "relaxed_worst", "snapped", "snapped_worst")),
        ]
        for row in rows
    ]
    return [
        "## Channels",
        text(f"""The same network, trained from scratch for {_minutes(rows)} of processor time each in our channels
        and in those of the paper; then {CANDIDATES[2]} candidates per target, {STEPS} steps, guided on the clean
        estimate only. Error of K of the relaxed fields and after snapping to catalogue materials, before any
        refinement."""),
        table(["channels", "training steps", "target", "relaxed, median", "worst", "snapped, median", "worst"], lines),
    ]


def _minutes(rows: list[dict]) -> str:
    return f"{max(row['training_seconds'] for row in rows) / 60:.0f} minutes"


def _passes(seconds: float, count: int) -> str:
    return f"{1000 * seconds:.0f} ms for {count}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--seconds", type=float, default=900.0, help="processor time of each training")
    parser.add_argument("--report", action="store_true", help="write the page without measuring")
    options = parser.parse_args()
    result = json.loads(JSON.read_text()) if JSON.exists() else {}
    if not options.report:
        result |= {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "threads": torch.get_num_threads()}
        for part in (options.only,) if options.only else PARTS:
            if part in ("shipped", "samplers"):
                result[part] = shipped() if part == "shipped" else samplers()
            else:
                rows = architectures(options.seconds) if part == "architectures" else channels(options.seconds)
                result[part] = list(rows)
            JSON.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(page(result), encoding="utf-8")
    print("written", PAGE)


if __name__ == "__main__":
    main()
