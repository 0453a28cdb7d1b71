"""A request with settings that no interface was told of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from relaxdesign.study.fields import Ui
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.request import DesignRequest


class BiggerGuidance(GuidanceSettings):
    patience: Annotated[int, Field(ge=1, description="Steps until it gives up."), Ui("Patience", "guidance")] = 9


class BiggerRequest(DesignRequest):
    feature: Annotated[
        float | None, Field(ge=0.1, le=5, description="Smallest wall."), Ui("Feature size", "search", unit="mm")
    ] = None
    mirrored: Annotated[bool, Field(description="Mirror the cell."), Ui("Mirrored", "search", tooltip=False)] = False
    solver: Annotated[Literal["cg", "direct"], Field(description="How it is solved."), Ui("Solver", "search")] = "cg"
    outline: Annotated[
        str,
        Field(description="Of the registry."),
        Ui(
            "Outline",
            "search",
            segmented=True,
            registry=lambda: {"cube": "ice", "star": "snow", "ring": "smoke"},
        ),
    ] = "cube"
    hidden: Annotated[int, Field(description="Has no control.")] = 1
    guidance: BiggerGuidance = BiggerGuidance()
