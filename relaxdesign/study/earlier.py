"""Requests and designs that version 0.1 wrote, in today's form."""

from __future__ import annotations

from typing import Any

FAMILIES_OF_VERSION_0_1 = {"statistical": "particles", "geometric": "free-form"}


def request_of_version_0_1(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request, of which version 0.1 called the family by how a sample is read: ``projection``."""
    if "projection" not in values:
        return values
    values = dict(values)
    named = values.pop("projection")
    return {"family": FAMILIES_OF_VERSION_0_1.get(named, named)} | values


def request_before_makeable(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request; one that an earlier version wrote in full took any pair of materials."""
    written = "version" in values or values.keys() >= _ALWAYS_WRITTEN
    return {"makeable": "any"} | values if written else values


def of_version_0_1(values: dict[str, Any]) -> dict[str, Any]:
    """The JSON form of a design, from that of version 0.1.

    It knew two phases, ``matrix`` and ``particle``, of which the second was of one ``diameter`` unless the cell had a
    free form; it kept the bulk modulus of the stages apart, as ``K``, at first alone, for one ``target_bulk``.
    """
    materials = [values[role] for role in ("matrix", "particle") if values.get(role) is not None]
    share, diameter = values.get("volume_fraction"), values.get("diameter")
    target = values.get("target_bulk")
    objectives = values.get("objectives") or [{"quantity": "K", "low": target, "high": target}]
    stages = values.get("stages") or {
        stage: {"K": value} for stage, value in (values.get("K") or {}).items() if value is not None
    }
    properties = values.get("properties")
    if properties is None and "realised" in stages:
        properties = stages["realised"] | ({} if values.get("density") is None else {"density": values["density"]})
    free = bool(materials) and diameter is None
    return {
        "family": "free-form" if free else "particles",
        "message": "",
        "phases": [
            {"material": material, "volume_fraction": fraction}
            for material, fraction in zip(materials, (None if share is None else 1 - share, share), strict=False)
        ],
        "parameters": {} if diameter is None else {"diameter": diameter},
        "spread": None,
        "bounds": None,
        "stiffness": None,
        "iterations": None,
        "residual": None,
        "load_cases": None,
        **{name: value for name, value in values.items() if name not in _GONE},
        "objectives": objectives,
        "stages": stages,
        "properties": properties,
    }


_ALWAYS_WRITTEN = {"objectives", "dim", "count", "steps", "seed", "flagged", "boundary", "refine", "start_noise"}
_GONE = {"matrix", "particle", "volume_fraction", "diameter", "K", "target_bulk", "density"}
