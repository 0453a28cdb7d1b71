"""A new campaign: a base request and what is varied, as a form or as YAML."""

from __future__ import annotations

import os
from typing import Any

import streamlit as st
import yaml
from pydantic import ValidationError

from relaxdesign.campaign import CampaignSpec, SpecError, launch, parse_spec
from relaxdesign.library import UnknownRun
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.server import JobLimit, check_names_no_file
from relaxdesign.study.request import DesignRequest, problems
from relaxdesign.ui import navigation, server, visitor
from relaxdesign.ui.components import controls, settings
from relaxdesign.ui.text import escape, plural

RECENT = 30
SETTINGS = "settings"  # to start from, where a run has its id


def draw() -> None:
    """The form; starting leads to the campaign's page."""
    name = st.text_input("Name", "Map", max_chars=200, key="campaign_name")
    as_yaml = st.toggle("Write it as YAML", key="campaign_yaml", help="Everything a spec can hold, see docs/scaling.md")
    try:
        spec = _from_text(name) if as_yaml else CampaignSpec.parse(_from_form(name))
        plan = spec.plan()
        for request in {(p.request.start, p.request.prior): p.request for p in plan}.values():
            check_names_no_file(request)
    except (SpecError, JobLimit) as error:
        faults = "\n".join(f"- {escape(line)}" for line in str(error).splitlines())
        st.warning(faults if "\n" in faults else faults.removeprefix("- "), icon=":material/info:")
        return
    text, count, button = st.columns([2.6, 1.2, 1.2], vertical_alignment="bottom")
    candidates = sum(planned.request.count for planned in plan)
    text.markdown(f"**{plural(len(plan), 'request')}**, {plural(candidates, 'candidate')} in all")
    cores = os.cpu_count() or 1
    workers = count.number_input(
        "Workers", 1, cores, max(1, cores - 1), key="campaign_workers", help="Processes; each keeps one core busy."
    )
    if button.button("Start", type="primary", icon=":material/play_arrow:", width="stretch", key="campaign_start"):
        campaign_id = launch(spec, server.store(), count=int(workers), private=visitor.wants_private())
        st.switch_page(navigation.CAMPAIGNS, query_params={"campaign": campaign_id})
    st.download_button(
        "Spec for the command line",
        yaml.safe_dump(spec.to_dict(), sort_keys=False, allow_unicode=True),
        "campaign.yaml",
        "application/yaml",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key="campaign_spec",
        help="relaxdesign campaign campaign.yaml computes the same, here or on a cluster",
    )


def _from_form(name: str) -> dict[str, Any]:
    base = _base()
    quantity, low, high, count, scale = st.columns([1.4, 1, 1, 1, 1], vertical_alignment="bottom")
    named = quantity.selectbox(
        "Vary the target of",
        list(QUANTITIES),
        format_func=lambda key: QUANTITIES[key].title,
        key="campaign_quantity",
    )
    unit = f", {QUANTITIES[named].unit}" if QUANTITIES[named].unit else ""
    span = {
        "from": low.number_input(f"From{unit}", value=20.0, key="campaign_from", format="%.5g"),
        "to": high.number_input(f"To{unit}", value=200.0, key="campaign_to", format="%.5g"),
        "count": int(count.number_input("Values", 1, 1000, 5, key="campaign_values")),
        "scale": "log" if scale.toggle("Equal ratios", True, key="campaign_log") else "linear",
    }
    seeds, subsets, candidates = st.columns([1, 2.4, 1], vertical_alignment="bottom")
    seed_count = int(seeds.number_input("Seeds", 1, 1000, 1, key="campaign_seeds"))
    chosen = subsets.multiselect(
        "Each of these material categories alone",
        _catalogue(base).categories,
        format_func=str.capitalize,
        placeholder="No: as in the base",
        key="campaign_categories",
    )
    base["count"] = int(candidates.number_input("Candidates each", *settings.bounds("count"), 4, key="campaign_count"))
    vary: dict[str, Any] = {named: span if span["count"] > 1 else [span["from"]]}
    if seed_count > 1:
        first = base.pop("seed", 0)
        vary["seed"] = list(range(first, first + seed_count))
    if chosen:
        vary["categories"] = [[category] for category in chosen]
    return {"name": name, "base": base, "vary": vary}


def _base() -> dict[str, Any]:
    """Fields of the request to start from: the settings of the design page, or a run (``?from=ID``)."""
    runs = {run.id: run for run in server.store().list_runs(RECENT)}
    asked = st.query_params.get("from", SETTINGS)
    if asked != SETTINGS and asked not in runs:
        try:
            runs[asked] = server.store().run(asked)
        except UnknownRun:
            st.caption("The run to start from has been removed.")
            asked = SETTINGS
    choices = [SETTINGS, *runs]
    chosen = st.selectbox(
        "Start from",
        choices,
        choices.index(asked),
        format_func=lambda key: runs[key].name if key in runs else "The settings of the design page",
        key="campaign_base",
    )
    request = runs[chosen].request if chosen in runs else _settings()
    base = request.model_dump(mode="json", exclude_defaults=True)
    base.pop("count", None)
    st.caption(f"{escape(request.title)} · {request.dim}D · {request.steps} steps · seed {request.seed}")
    return base


def _settings() -> DesignRequest:
    """What is set on the design page. Raises SpecError."""
    try:
        return controls.current()
    except ValidationError as error:
        raise SpecError(*(f"The settings of the design page: {problem}" for problem in problems(error))) from None


def _catalogue(base: dict[str, Any]) -> Catalogue:
    """The materials that the base has on offer."""
    own = base.get("materials_csv")
    return server.catalogue() if own is None else server.own_catalogue(own)


def _from_text(name: str) -> CampaignSpec:
    example = {
        "name": name,
        "base": {"dim": 2, "count": 4, "objectives": ["minimise density"]},
        "vary": {"K": {"from": 20, "to": 200, "count": 5, "scale": "log"}, "seed": [0, 1]},
    }
    text = st.text_area("Spec", yaml.safe_dump(example, sort_keys=False), height=260, key="campaign_text")
    return parse_spec(text)
