"""The page ``reality.md``, its figure and its numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.validation.cells import UNKNOWN, number, percent, table
from relaxdesign.validation.reality.composites import FAMILIES, SCATTER
from relaxdesign.validation.reality.figure import draw_ratios
from relaxdesign.validation.reality.judging import Compared, Judged
from relaxdesign.validation.reality.results import Results

Pair = tuple[Judged, Compared]
"""A composite and one of its values."""

CAUSES = {
    "interface: it resists heat, or is soft or open": r"interface",
    "pores beside the phases": r"and pores|residual pores|some porosity",
    "constituents or fraction: not those of the specimen": r"impur|conducts? (less|better)|alloy|smoothed|fraction",
    "shape: angular, flat, touching or clustered; cracks": r"platelet|angular|irregular|flat|crack|chain|agglom|touch",
}
"""What remarks name as causes of misses, by the words that tell it; a remark may name several."""
_LOWERING = tuple(CAUSES)[:2]
"""Those that make a composite softer and conduct less, and so are no cause of a prediction that is too low."""


def write_reality(results: Results, out: Path) -> Path:
    """Writes ``reality.md``, ``figures/reality.svg`` and ``results/reality.json`` below ``out``; the page's path."""
    judged = results.judged
    results.write(out)
    draw_ratios(judged, out / "figures" / "reality.svg")
    known = {**results.machine, **results.settings.to_dict(), "date": results.date}
    head = _HEAD.format(rows=len(judged), scatter=_scatter(), skipped=_skipped(judged), **known)
    pairs = [(row, each) for row in judged for each in row.compared]
    page = out / "reality.md"
    sections = (head, _summary(pairs), _causes(pairs), *_tables(pairs), _sources(judged))
    page.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return page


def _scatter() -> str:
    return ", ".join(f"{100 * share:g} % for {_symbol(name)}" for name, share in SCATTER.items())


def _skipped(judged: Sequence[Judged]) -> str:
    skipped = [f"- {row.composite.name} is {row.geometry}." for row in judged if not row.predicted]
    return "\n\n".join(["", "\n".join(skipped)]) if skipped else ""


def told(pairs: Sequence[Pair]) -> str:
    """``40 of 52 values (77 %)`` are covered, of those that are predicted."""
    known = [each for _, each in pairs if each.trust is not None]
    count = sum(each.covered is True for each in known)
    return f"{count} of {len(known)} values ({percent(count / len(known) if known else None)})"


def _summary(pairs: Sequence[Pair]) -> str:
    groups: dict[str, Sequence[Pair]] = {}
    for name in SCATTER:
        groups[f"**{_symbol(name)}**, {QUANTITIES[name].label}"] = _of(pairs, lambda _, e, n=name: e.quantity == n)
    for family in FAMILIES:
        groups[f"**{family}**"] = _of(pairs, lambda row, _, f=family: row.composite.family == f)
    groups["**read** in the source"] = _of(pairs, lambda row, _: row.composite.read)
    groups["**not read**, remembered or from the catalogue"] = _of(pairs, lambda row, _: not row.composite.read)
    groups["**all**"] = pairs
    written = table(
        [(name, of) for name, of in groups.items() if of],
        ("", lambda group: group[0]),
        ("values", lambda group: f"{len(group[1])}"),
        ("predicted", lambda group: f"{len(_known(group[1]))}"),
        ("covered", lambda group: _share(group[1], lambda each: each.covered is True)),
        ("median difference, absolute", lambda group: _median(group[1])),
        ("outside all bounds", lambda group: f"{sum(each.outside != 0 for _, each in group[1])}"),
        ("covered, of those within bounds", lambda group: _share(_within(group[1]), lambda each: each.covered is True)),
    )
    return "\n\n".join(["## In short", f"{told(pairs)} are covered.", written, _PLOT, _WORDS])


def _of(pairs: Sequence[Pair], belongs: Callable[[Judged, Compared], bool]) -> list[Pair]:
    return [(row, each) for row, each in pairs if belongs(row, each)]


def _known(pairs: Sequence[Pair]) -> list[Compared]:
    return [each for _, each in pairs if each.trust is not None]


def _within(pairs: Sequence[Pair]) -> list[Pair]:
    return _of(pairs, lambda _, each: each.outside == 0)


def _share(pairs: Sequence[Pair], holds: Callable[[Compared], bool]) -> str:
    known = _known(pairs)
    return f"{sum(map(holds, known))} ({percent(float(np.mean([holds(e) for e in known])))})" if known else UNKNOWN


def _median(pairs: Sequence[Pair]) -> str:
    differences = [abs(each.difference) for each in _known(pairs) if each.difference is not None]
    return f"{100 * float(np.median(differences)):.0f} %" if differences else UNKNOWN


def _causes(pairs: Sequence[Pair]) -> str:
    missed = _of(pairs, lambda _, each: each.covered is False)
    named = {cause: _of(missed, lambda row, each, c=cause: _names(row, each, c)) for cause in CAUSES}
    named["none of these"] = _of(missed, lambda row, each: not any(_names(row, each, cause) for cause in CAUSES))
    written = table(
        [(cause, of) for cause, of in named.items() if of],
        ("what the remark of the row names", lambda line: line[0]),
        ("misses", lambda line: f"{len(line[1])}"),
        ("outside all bounds", lambda line: f"{sum(each.outside != 0 for _, each in line[1])}"),
        ("which", lambda line: ", ".join(f"{row.composite.id} ({_symbol(each.quantity)})" for row, each in line[1])),
    )
    return f"## Why predictions miss\n\n{_CAUSES_WORDS.format(count=len(missed))}\n\n{written}"


def _names(row: Judged, each: Compared, cause: str) -> bool:
    """Whether the remark of a row names a cause that can be one of this miss."""
    opposite = cause in _LOWERING and (each.difference or 0.0) < 0.0
    return not opposite and re.search(CAUSES[cause], row.composite.remark) is not None


def _tables(pairs: Sequence[Pair]) -> list[str]:
    sections = []
    for name in SCATTER:
        of = _of(pairs, lambda _, each, n=name: each.quantity == n)
        if of:
            unit = QUANTITIES[name].unit
            title = f"## {_symbol(name)}: {QUANTITIES[name].label}{f', {unit}' if unit else ''}"
            sections.append(f"{title}\n\n{told(of)} are covered.\n\n{_table(of)}")
    return sections


def _table(pairs: Sequence[Pair]) -> str:
    return table(
        pairs,
        ("composite", lambda p: p[0].composite.name),
        ("family", lambda p: p[0].composite.family),
        ("fraction", lambda p: f"{p[0].composite.fraction:.3g}"),
        ("measured", lambda p: _plus_minus(p[1].measured.value, p[1].measured.scatter)),
        ("predicted", lambda p: UNKNOWN if p[1].trust is None else _plus_minus(p[1].trust.value, p[1].trust.width)),
        ("difference", lambda p: UNKNOWN if p[1].difference is None else f"{100 * p[1].difference:+.0f} %"),
        ("bounds", lambda p: f"{_short(p[1].low)} – {_short(p[1].high)}"),
        ("measured lies", lambda p: ("below", "within", "above")[p[1].outside + 1]),
        ("covered", lambda p: {None: UNKNOWN, True: "yes", False: "**no**"}[p[1].covered]),
        ("why", lambda p: p[1].why(p[0].composite.remark)),
    )


def _plus_minus(value: float, width: float) -> str:
    return f"{value:.4g} ± {float(f'{width:.2g}'):g}"


def _short(value: float) -> str:
    """A bound; those that a void leaves are 0."""
    return "0" if 0 < value < 1e-4 else number(value, ".4g")


def _sources(judged: Sequence[Judged]) -> str:
    written = table(
        [row.composite for row in judged],
        ("composite", lambda c: f"{c.name} (`{c.id}`)"),
        ("measured values", lambda c: f"[{_cell(c.source)}]({c.url})" if c.url else _cell(c.source)),
        ("read", lambda c: "yes" if c.read else "no"),
        ("constituents", lambda c: f"{c.materials[0].name}, {c.materials[1].name}: {_cell(c.constituents_source)}"),
        ("porosity", lambda c: UNKNOWN if c.porosity is None else f"{100 * c.porosity:.1f} %"),
        ("remark", lambda c: _cell(c.remark)),
        ("predicted as", lambda c: next(_cell(row.geometry) for row in judged if row.composite is c)),
    )
    return f"## Where the numbers are from\n\n{written}"


def _cell(text: str) -> str:
    return text.replace("|", "/")


def _symbol(name: str) -> str:
    return {"conductivity": "k", "cte": "α", "nu": "ν"}.get(name, name)


_HEAD = """# Measured composites

How near predictions from constituents alone come to what others measured, of {rows} composites of the literature
([the table](../assets/measured_composites.csv), [its columns](../assets/MATERIALS.md#measured-composites)). Tables and
figure are written by `relaxdesign reality`, and nothing was fitted to any measurement. All numbers:
`results/reality.json`.

Last computed on {date} with version {version} on {cpu}, {cores} cores, PyTorch {torch}. Cells per composite:
{placements}, on {grid}³ voxels and on twice as many per edge, seed {seed}.

**Predicted** is the mean of statistically equal cells of the two constituents at the stated volume fraction, perfectly
bonded and without pores, each at the limit of two grids. *Particles* are equal spheres placed at random, above 0.5 of
two sizes; *interpenetrating* composites are Gaussian random fields cut at a level, both phases continuous unless one
fills but a tenth; the pores of *porous* materials are spheres.{skipped}

**±** of a prediction (95 %) joins what the grid leaves, the standard error of the mean over the cells (a specimen holds
many) and the uncertainty of the constituents' numbers, which all count as those of handbooks: 4 % of E and twice as
much of k and of the expansion, as standard deviations. That of the fraction and of the constituents' ν is not in it.
± of a measured value is what its row tells, else {scatter}.

**Covered** means that both intervals meet. **Bounds** are those of Hashin and Shtrikman for the same constituents and
fraction: what lies beyond them with its scatter is explained by *no* geometry of bonded phases, so that constituents,
fraction or interface must be others than assumed. A covered value may lie outside, as the bounds know nothing of the
uncertainty of the constituents. **Difference** is predicted over measured value, minus 1."""

_PLOT = """![Predicted over measured stiffness, conductivity and expansion](figures/reality.svg)

Bars join both ±: those that reach the line are covered. Poisson's ratio is not drawn."""

_WORDS = """**Where the model holds.** Stiffness of dense, well-bonded composites whose constituents are known:
aluminium with up to 40 % of carbide or oxide, epoxy with up to 30 % of silica, tungsten–copper, aluminium–silicon and
aluminium–beryllium, hardmetals up to 16 % of cobalt, iron with graphite, ceramics with round pores. Expansion of
nearly all that was measured. Beside stiff particles predicted moduli are rather too low: grit is angular, while
spheres give nearly the least stiffness that a fraction allows, close to the lower bound.

**Where it does not**, and in which direction:

- *Heat through interfaces: far too high.* Nearly all conductivities that are missed lie below every bound, so no
  arrangement of bonded phases explains them. Diamond and carbide conduct well, and what a metal hands over to them
  passes an interface that resists (Kapitza). Its share grows as particles get smaller: the same mixtures are measured
  with particles of 7 and 250 µm and of 30 and 200 µm, and the coarse ones come near the prediction. The model has no
  interface and no size; what it says is what perfect interfaces would reach.
- *Conductivity of impure phases: too high.* Grit, casting alloys, silicon that is dissolved in aluminium and copper
  with sinter aids conduct less than the pure phases of the table.
- *Soft matrices whose stiff (or conducting) particles touch or cluster: far too low.* Between the bounds, so geometry
  explains it; separate spheres are the wrong one. Here the bounds are a factor of four and more apart.
- *Pores that are not round, and cracks: too stiff.* The voids between sintered particles and flat pores or cracks at
  grain boundaries take one and a half to two and a half times as much stiffness as round pores of the same volume.
- *Foams* are not predicted: their walls and struts are none of the families here.

**What the shares mean.** Intervals of conductivity and expansion are 10 to 15 % wide to either side, nearly all of it
the constituents' numbers of handbooks; so the median difference tells more of the model than the share covered does.
Of Poisson's ratio the interval lacks the largest part, that of the constituents' own. Data differ, too: two makers of
aluminium with 55 % of carbide tell 167 and 200 GPa, one below the prediction, the other above it. Rows that were read
are covered less often than those that were not: they come from studies of interfaces, fine particles and pores, the
others from makers' tables of established materials; and who remembers numbers prefers plausible ones. The rows are no
random sample of anything."""

_CAUSES_WORDS = """{count} values are missed. What a remark names is no proof. The remarks stood in the table before
anything was predicted, but for five that were added to when their rows were looked at: AlSiC-12, aluminium with 55 %
SiC (electronic grade), Cu with W-coated diamond of 180 µm, WC-24Co and Mo-30Cu. The expansion of silicon carbide in
AlSiC was corrected then, too, from a mean up to 700 °C to one of the temperatures of the measurement; this covered no
value more."""
