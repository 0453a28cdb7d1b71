"""What interfaces read of a request."""

from __future__ import annotations

from typing import Annotated, get_args

import pytest
from pydantic import BaseModel, Field

from relaxdesign.microstructure import FAMILIES
from relaxdesign.study.fields import Group, Ui, describe
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.request import DesignRequest, Method
from tests.bigger_request import BiggerRequest

SETTINGS = {setting.name: setting for setting in describe(DesignRequest)}


def test_every_field_is_described_in_order():
    nested = list(GuidanceSettings.model_fields)
    assert (
        list(SETTINGS)
        == [name for name in DesignRequest.model_fields if name not in ("objectives", "guidance")] + nested
    )
    assert all(setting.description.endswith((".", "…")) for setting in SETTINGS.values())


def test_types_bounds_and_choices_are_those_of_the_fields():
    assert (SETTINGS["count"].kind, SETTINGS["count"].bounds, SETTINGS["count"].default) == ("whole", (1, 64), 8)
    assert SETTINGS["seed"].bounds == (0, 2**63 - 1), "the largest that is accepted"
    assert SETTINGS["start_noise"].kind == "number" and SETTINGS["refine"].kind == "switch"
    assert SETTINGS["categories"].kind == "texts" and SETTINGS["categories"].optional
    assert list(SETTINGS["method"].choices) == list(get_args(Method))
    assert SETTINGS["sampler"].choices["auto"] == "by the number of steps"
    assert SETTINGS["sampler"].choices["ddim"] == "ddim", "words only where they differ"
    assert not SETTINGS["count"].choices


def test_values_are_read_and_written_where_they_lie():
    request = DesignRequest.model_validate({"target_bulk": 60, "guidance": {"mean": 0.5}})
    assert SETTINGS["mean"].of(request) == 0.5 and SETTINGS["count"].of(request) == 8
    values = request.model_dump()
    SETTINGS["mean"].put(values, 0.7)
    SETTINGS["count"].put(values, 2)
    changed = DesignRequest.model_validate(values)
    assert (changed.count, changed.guidance.mean, changed.guidance.variance) == (2, 0.7, request.guidance.variance)


def test_choices_of_a_registry_are_asked_for_when_they_are_shown():
    outline = next(setting for setting in describe(BiggerRequest) if setting.name == "outline")
    assert outline.kind == "choice" and list(outline.choices) == ["cube", "star", "ring"]
    assert outline.help == "Of the registry. cube: ice; star: snow; ring: smoke."
    family = SETTINGS["family"]
    assert list(family.choices) == list(FAMILIES) and family.default == next(iter(FAMILIES))


def test_two_settings_of_one_name_are_refused():
    class Clash(BaseModel):
        mean: Annotated[float, Field(description="Another one."), Ui()] = 1.0
        guidance: GuidanceSettings = GuidanceSettings()

    with pytest.raises(ValueError, match="more than one setting is named mean"):
        describe(Clash)


def test_every_control_stands_in_a_part_of_the_form():
    assert {setting.ui.group for setting in SETTINGS.values() if setting.ui.label} == set(get_args(Group))
