"""Designs with materials of one's own, read from a CSV table instead of the shipped catalogue."""

from __future__ import annotations

import relaxdesign as rd

MATERIALS = """\
id,name,category,E (GPa),nu,rho (g/cm3)
resin,Cast resin,polymer,3.1,0.36,1.15
foam,Rigid foam,foam,0.12,0.30,0.20
glass,Glass beads,glass,72,0.22,2.50
alumina,Alumina beads,ceramic,380,0.23,3.90
"""
"""Columns that are needed: id, name, E, nu, density; the shipped table in assets/materials.csv shows the others."""


def main(count: int = 3, steps: int = 30) -> rd.DesignResult:
    """Returns ``count`` designs with E = 12 GPa of these four materials; the same two may serve more than once."""
    own = rd.Catalogue.from_text(MATERIALS)  # or from_csv("own.csv")
    print(f"{len(own)} materials: {', '.join(material.name for material in own.materials)}")

    # As materials_csv they become part of the request, so that the written result can be repeated from its files.
    result = rd.design(E=12, materials_csv=MATERIALS, count=count, steps=steps, distinct=False)
    for design in result.designs:
        if design.ok and design.properties:
            matrix, particles = design.materials
            print(f"{particles.name} in {matrix.name}: E = {design.properties['E']:.2f} GPa")
    return result


if __name__ == "__main__":
    main()
