"""The sections of the page of results, each of one set of cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from relaxdesign.study.methods import METHODS
from relaxdesign.validation import cells
from relaxdesign.validation.cases import BATCH, FIRST_SEED, HELD_OUT_SEED
from relaxdesign.validation.cells import UNKNOWN, beside, in_standard_errors, median, number, percent, share
from relaxdesign.validation.summary import Summary

Section = Callable[[Sequence[Summary], Sequence[Summary]], str]
"""Writes the cases of a set; the second ones are those that they are compared with."""


def _range(summaries: Sequence[Summary], default: Sequence[Summary]) -> str:
    lines = ["## Guided diffusion over the whole range"]
    for dim in sorted({s.dim for s in summaries}):
        written = cells.table(
            sorted((s for s in summaries if s.dim == dim), key=lambda s: s.quantile),
            ("quantile", lambda s: f"{100 * s.quantile:g} %"),
            ("target", cells.targets),
            ("designs", cells.designs),
            ("relaxed ≤ 0.5 %", share("relaxed", "0.005")),
            ("snapped: median", median("snapped")),
            ("snapped ≤ 5 %", share("snapped", "0.05")),
            ("refined ≤ 1 %", share("refined", "0.01")),
            ("realised ≤ 1 %", share("realised", "0.01")),
            ("pairs", lambda s: f"{s.pairs}"),
            ("coverage", lambda s: percent(s.coverage)),
            ("established", cells.made("established")),
            ("at least plausible", cells.made("plausible")),
            ("s per design", cells.seconds),
        )
        lines += [f"### {dim}D", written]
    return "\n\n".join(lines)


def _density(summaries: Sequence[Summary], default: Sequence[Summary]) -> str:
    def change(s: Summary) -> str:
        plain = next((p for p in default if p is not s and (p.dim, p.quantile) == (s.dim, s.quantile)), None)
        if plain is None or not plain.density_median or not s.density_median:
            return UNKNOWN
        return f"{100 * (s.density_median / plain.density_median - 1):+.0f} %"

    return "## Low density at equal accuracy\n\n" + cells.table(
        _by_target((*default, *summaries)),
        ("", cells.dimension),
        ("target", lambda s: s.targets[0]),
        ("setting", lambda s: s.name),
        ("designs", cells.designs),
        ("median, g/cm³", lambda s: number(s.density_median, ".3g")),
        ("change", change),
        ("realised ≤ 1 %", share("realised", "0.01")),
        ("hypervolume (error, density)", lambda s: f"{s.hypervolume:.2f}"),
    )


def _several(title: str) -> Section:
    def write(summaries: Sequence[Summary], default: Sequence[Summary]) -> str:
        return f"## {title}\n\n" + cells.table(
            _by_target(summaries),
            ("", cells.dimension),
            ("targets", cells.targets),
            ("designs", cells.designs),
            ("relaxed ≤ 2 %", share("relaxed", "0.02")),
            ("realised ≤ 2 %", share("realised", "0.02")),
            ("median", median("realised")),
            ("pairs", lambda s: f"{s.pairs}"),
            ("s per design", cells.seconds),
        )

    return write


def _expansion(summaries: Sequence[Summary], default: Sequence[Summary]) -> str:
    text = (
        "Met: every wanted value within 2 %, every interval kept within 0.1 %, both on a grid twice as fine as that of "
        "the design. `relaxdesign protocol --only expansion` measures this table."
    )
    written = cells.table(
        sorted(summaries, key=lambda s: s.dim),
        ("", cells.dimension),
        ("name", lambda s: s.name),
        ("targets", cells.targets),
        ("designs", cells.designs),
        ("met", lambda s: percent(s.met)),
        ("median", median("realised")),
        ("pairs", lambda s: f"{s.pairs}"),
        ("s per design", cells.seconds),
    )
    return "\n\n".join(("## Thermal expansion with other targets", text, written))


def _baselines(summaries: Sequence[Summary], default: Sequence[Summary]) -> str:
    summaries = [*default, *summaries]
    names = list(dict.fromkeys(s.name for s in summaries))
    text = (
        "The same request, evaluator, refinement and number of simulated cells per candidate before refinement (but "
        "for *conditional*, whose prior is told the bulk modulus and simulates nothing). "
        "*Without refinement* is the snapped stage, *with* the realised one. Whatever the method, refinement takes "
        "kinds of materials first that other designs of the request have not, and of those the nearest to the sample. "
        "Coverage counts these kinds: with refinement it says how many of the materials on offer serve, without it how "
        "varied the samples are themselves, as the standard deviation of their volume fractions does. "
        + " ".join(f"**{name}**: {METHODS[name].description}." for name in names if name in METHODS)
    )
    written = cells.table(
        sorted(summaries, key=lambda s: (s.dim, s.quantile, names.index(s.name))),
        ("", cells.dimension),
        ("target", lambda s: s.targets[0]),
        ("method", lambda s: s.name),
        ("designs", cells.designs),
        ("without refinement ≤ 5 %", share("snapped", "0.05")),
        ("median", median("snapped")),
        ("with ≤ 1 %", share("realised", "0.01")),
        (f"without: pairs of {BATCH}", lambda s: number(s.snapped and s.snapped.pairs, ".3g")),
        ("coverage", cells.snapped_coverage),
        ("deviation of volume fraction", lambda s: number(s.snapped and s.snapped.share_deviation, ".2f")),
        (f"with: pairs of {BATCH}", lambda s: f"{s.group_pairs:.3g}"),
        ("coverage", cells.coverage),
        ("cells solved", lambda s: number(s.sampling_load_cases, ".0f")),
        ("with refinement", lambda s: number(s.load_cases, ".0f")),
        ("s per design", cells.seconds),
    )
    return "\n\n".join(["## Against other methods", text, _closest(summaries), written])


def _closest(summaries: Sequence[Summary]) -> str:
    """Which method is closest before refinement, and how often."""
    cases: dict[tuple[int, float], list[Summary]] = {}
    for s in summaries:
        if s.stages["snapped"].median is not None:
            cases.setdefault((s.dim, s.quantile), []).append(s)
    best = Counter(min(of, key=lambda s: s.stages["snapped"].median or 0.0).name for of in cases.values())
    counted = ", ".join(f"{name} at {count}" for name, count in best.most_common())
    return (
        f"Closest before refinement, of {len(cases)} targets: {counted}. Every method is offered by the app and by "
        f"`--method`. Pairs and coverage are those of the {BATCH} designs of a request: with a standard error "
        "means over requests, else of the only one."
    )


def _settings(title: str, text: str) -> Section:
    def write(summaries: Sequence[Summary], default: Sequence[Summary]) -> str:
        """One row per setting; the error at every target."""
        summaries = [*default, *summaries]
        tables = [_settings_table([s for s in summaries if s.dim == dim]) for dim in sorted({s.dim for s in summaries})]
        return "\n\n".join([f"## {title}", text, *tables])

    return write


def _settings_table(summaries: Sequence[Summary]) -> str:
    by_name: dict[str, list[Summary]] = {}
    for s in summaries:
        by_name.setdefault(s.name, []).append(s)
    targets = {s.quantile: s.targets[0] for s in sorted(summaries, key=lambda s: s.quantile)}

    def snapped_at(q: float) -> Callable[[list[Summary]], str]:
        return lambda of: next((median("snapped")(s) for s in of if s.quantile == q), UNKNOWN)

    return cells.table(
        by_name.values(),
        ("", lambda of: cells.dimension(of[0])),
        ("setting", lambda of: of[0].name),
        ("designs", lambda of: cells.designs(min(of, key=lambda s: s.designs))),
        ("relaxed ≤ 0.5 %, least", lambda of: percent(min(s.stages["relaxed"].within["0.005"] for s in of))),
        *((f"snapped, median: {target}", snapped_at(q)) for q, target in targets.items()),
        ("snapped ≤ 5 %, mean", lambda of: percent(cells.mean([s.stages["snapped"].within["0.05"] for s in of]))),
        ("realised ≤ 1 %, least", lambda of: percent(min(s.stages["realised"].within["0.01"] for s in of))),
        (
            f"snapped: coverage of {BATCH}, mean",
            lambda of: percent(cells.mean([s.snapped and s.snapped.coverage for s in of])),
        ),
        (f"realised: coverage of {BATCH}, mean", lambda of: percent(cells.mean([s.group_coverage for s in of]))),
        ("s sampling", lambda of: number(cells.mean([s.sampling_seconds for s in of]), ".2f")),
        ("s per design", lambda of: number(cells.mean([s.seconds for s in of]), ".1f")),
    )


def _confirm(summaries: Sequence[Summary], searched: Sequence[Summary]) -> str:
    """Each case beside the one of the same name, dimension and target that has the seeds of the search."""
    known = {(s.name, s.dim, s.quantile): s for s in reversed(searched)}
    text = (
        f"Numbers found by search (`relaxdesign/study/tuning.py`) were found on requests with the seeds {FIRST_SEED}, "
        f"{FIRST_SEED + 1}, …; no search has seen those from {HELD_OUT_SEED} on. Left of the arrow what the former "
        "gave, right of it the latter. σ: the change of a share in standard errors of the difference; beyond 2 it is "
        "more than chance. `relaxdesign protocol --only confirm` measures this table."
    )
    written = cells.table(
        [(known.get((s.name, s.dim, s.quantile)), s) for s in _by_target(summaries)],
        ("", lambda both: cells.dimension(both[1])),
        ("target", lambda both: cells.targets(both[1])),
        ("setting", lambda both: both[1].name),
        ("designs", beside(cells.designs)),
        ("snapped: median", beside(median("snapped"))),
        ("snapped ≤ 5 %", beside(share("snapped", "0.05"))),
        ("σ", in_standard_errors("snapped", "0.05")),
        ("realised ≤ 1 %", beside(share("realised", "0.01"))),
        ("σ", in_standard_errors("realised", "0.01")),
        (f"snapped: coverage of {BATCH}", beside(lambda s: percent(s.snapped and s.snapped.coverage))),
        ("realised: coverage", beside(lambda s: percent(s.group_coverage))),
        ("density, g/cm³", beside(lambda s: number(s.density_median, ".3g"))),
    )
    return "\n\n".join(("## On seeds that no search has seen", text, written))


def _by_target(summaries: Sequence[Summary]) -> list[Summary]:
    return sorted(summaries, key=lambda s: (s.dim, s.quantile))


SECTIONS: dict[str, Section] = {
    "range": _range,
    "density": _density,
    "two-targets": _several("Two targets at once"),
    "directional": _several("A direction-dependent target, free-form cells"),
    "expansion": _expansion,
    "baselines": _baselines,
    "many-steps": _settings(
        "Settings of the guidance",
        "Each differs from *guided* (30 steps of ddpm, corrections of the clean estimate and, half as much, "
        "through the network, of the noisy sample) in one thing. Least and mean are over the targets.",
    ),
    "few-steps": _settings(
        "Settings for few steps",
        "Beside *guided*, which takes 30.",
    ),
    "confirm": _confirm,
}
"""By the set of cases, in the order of the page."""
