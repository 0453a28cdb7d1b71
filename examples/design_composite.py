"""Designs composites of a wanted bulk modulus that are light, and prints what they are made of."""

from __future__ import annotations

import relaxdesign as rd


def main(count: int = 4, steps: int = 30) -> rd.DesignResult:
    """Returns ``count`` designs with K = 60 GPa and at most 5 g/cm³; the lighter one is preferred."""
    result = rd.design(
        K=60,  # GPa
        density=(None, 5.0),  # g/cm³, no lower limit
        objectives=["minimise density @ 0.5"],
        count=count,
        steps=steps,
        seed=0,
    )
    for design in result.designs:
        if not (design.ok and design.properties):
            print(f"{design.index + 1}: {design.message}")
            continue
        matrix, particles = design.materials
        print(
            f"{design.index + 1}: {design.shares[1]:.0%} {particles.name} in {matrix.name}, "
            f"K = {design.properties['K']:.2f} GPa, {design.properties['density']:.2f} g/cm³"
        )
    return result


if __name__ == "__main__":
    main()
