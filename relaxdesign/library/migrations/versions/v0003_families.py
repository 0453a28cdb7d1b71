"""Designs of any family of microstructures: materials by phase, parameters by name."""

import json

import sqlalchemy as sa
from alembic import op

from relaxdesign.library.migrations.passing import batches, update_designs

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "phases",
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True),
        sa.Column("phase", sa.Integer, primary_key=True),
        sa.Column("material", sa.String, nullable=False),
        sa.ForeignKeyConstraint(["run_id", "index"], ["designs.run_id", "designs.index"], ondelete="CASCADE"),
    )
    op.add_column("designs", sa.Column("family", sa.String, nullable=False, server_default="particles"))
    op.add_column("designs", sa.Column("parameters", sa.JSON, nullable=False, server_default="{}"))
    _carry_over()
    op.create_index("ix_phases_material", "phases", ["material", "run_id", "index"])
    for name in ("matrix", "particle"):
        op.drop_index(f"ix_designs_{name}", "designs")
    for name in ("matrix", "particle", "volume_fraction", "diameter"):
        op.drop_column("designs", name)


def _carry_over() -> None:
    designs = sa.table("designs", *map(sa.column, ("run_id", "index", "family")), sa.column("parameters", sa.JSON))
    phases = sa.table("phases", *map(sa.column, ("run_id", "index", "phase", "material")))
    data, connection = sa.table("design_data", *map(sa.column, ("run_id", "index", "design"))), op.get_bind()
    for rows in batches(connection, sa.select(data.c.run_id, data.c.index, data.c.design)):
        values, made = [], []
        for run_id, index, text in rows:
            family, parameters, materials = _described(json.loads(text) if isinstance(text, str) else text)
            values.append({"of_run": run_id, "of_index": index, "family": family, "parameters": parameters})
            made += [dict(run_id=run_id, index=index, phase=n, material=name) for n, name in enumerate(materials)]
        update_designs(connection, designs, values)
        if made:
            connection.execute(sa.insert(phases), made)


def _described(design: dict) -> tuple[str, dict[str, float], list[str]]:
    """Family, parameters with the volume fraction, and names of the materials, of a design that 0.1 or 0.2 wrote."""
    if "phases" in design:
        family, known, phases = design["family"], design["parameters"], design["phases"]
        share = sum(phase["volume_fraction"] for phase in phases[1:]) if phases else None
        materials = [phase["material"]["name"] for phase in phases]
    else:
        known, share = {"diameter": design["diameter"]}, design["volume_fraction"]
        materials = [design[role]["name"] for role in ("matrix", "particle") if design[role]]
        family = "free-form" if materials and design["diameter"] is None else "particles"
    parameters = {"volume_fraction": share} | known
    return family, {name: value for name, value in parameters.items() if value is not None}, materials
