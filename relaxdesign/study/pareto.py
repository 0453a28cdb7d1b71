"""The Pareto front of designs with several objectives, and the targets that designs miss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from relaxdesign.physics.quantities import QUANTITIES, format_value
from relaxdesign.study.objective import Objective
from relaxdesign.study.result import Design


def pareto_front(x: ArrayLike, y: ArrayLike, *, small_x: bool, small_y: bool) -> np.ndarray:
    """Indices of the points that no other betters in one quantity without being worse in the other, by rising x.

    x, y: (n,); points with a NaN are never on the front. small_x, small_y: whether small values are the good ones.
    One sweep after sorting, O(n log n) (Kung, Luccio & Preparata 1975, doi:10.1145/321906.321910).
    """
    a = np.asarray(x, float) * (1 if small_x else -1)
    b = np.asarray(y, float) * (1 if small_y else -1)
    order = np.lexsort((b, a))  # by a, then b; NaN last
    order = order[np.isfinite(a[order]) & np.isfinite(b[order])]
    before = np.concatenate([[np.inf], np.minimum.accumulate(b[order])[:-1]]) if len(order) else np.empty(0)
    front = order[b[order] < before]
    return front if small_x else front[::-1]


def best_designs(designs: Iterable[Design]) -> list[Design]:
    """The designs that no other betters in every objective (size of the miss; value of what is small or large)."""
    done = [design for design in designs if design.ok and design.properties is not None]
    scores = [_scores(design) for design in done]

    def dominated(score: tuple[float, ...]) -> bool:
        return any(other != score and all(a <= b for a, b in zip(other, score, strict=True)) for other in scores)

    return [design for design, score in zip(done, scores, strict=True) if not dominated(score)]


def trade_offs(designs: Iterable[Design]) -> list[Design]:
    """The `best_designs` where there is more than one objective to weigh, else none."""
    found = best_designs(designs)
    return found if found and len(found[0].objectives) > 1 else []


def missed(designs: Iterable[Design]) -> str:
    """Which targets the realised designs miss and by how much, on one line; empty if they meet all.

    E.g. "none of 8 designs meets both K ≥ 100 GPa and density ≤ 1 g/cm³: K −19 %, density +38 … +42 %". Ranges are over
    the designs that miss the quantity; of quantities without a relative miss they are of its values.
    """
    done = [design for design in designs if design.ok]
    off = [design for design in done if design.off_target]
    if not off:
        return ""
    targets = done[0].targets
    ranges = (_range(target, [design for design in off if target.quantity in design.off_target]) for target in targets)
    told = ", ".join(filter(None, ranges))
    if len(off) < len(done):
        return f"{len(off)} of {len(done)} designs {'misses' if len(off) == 1 else 'miss'} a target: {told}"
    wanted = " and ".join(str(target) for target in targets)
    wanted = {1: wanted, 2: f"both {wanted}"}.get(len(targets), f"all of {wanted}")
    who = "the design does not meet" if len(done) == 1 else f"none of {len(done)} designs meets"
    return f"{who} {wanted}: {told}"


def conflict(designs: Iterable[Design]) -> str:
    """Tells, for several targets that no design meets all, what is `missed` and the best designs; else empty."""
    done = [design for design in designs if design.ok]
    if not done or len(done[0].misses) < 2 or any(design.on_target for design in done):
        return ""
    numbers = ", ".join(str(design.index + 1) for design in best_designs(done))
    return f"{missed(done)}; candidates that no other betters in everything: {numbers}"


def _range(target: Objective, designs: Sequence[Design]) -> str:
    """How far designs are off one target, "K −19 … −12 %"; empty without any."""
    if not designs:
        return ""
    name = target.quantity
    if not QUANTITIES[name].positive:
        values = sorted(design.stages["realised"][name] for design in designs)
        ends = dict.fromkeys(format_value(name, value) for value in (values[0], values[-1]))
        return f"{name} {' … '.join(ends)}"
    misses = sorted(100 * design.off_target[name] for design in designs)
    ends = dict.fromkeys(f"{miss:+.{0 if abs(miss) >= 10 else 1}f}" for miss in (misses[0], misses[-1]))
    return f"{name} {' … '.join(ends)} %".replace("-", "−")


def _scores(design: Design) -> tuple[float, ...]:
    """One number per objective, smaller is better."""
    properties = design.properties or {}
    return tuple(
        abs(o.miss(properties[o.quantity]))
        if o.sense == "reach"
        else o.sign * float(QUANTITIES[o.quantity].coordinate(properties[o.quantity]))
        for o in design.objectives
    )
