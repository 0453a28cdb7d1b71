"""What all sessions of a server share: the job queue, the catalogue, and what was found out at start.

Light to import: what loads torch is imported by the start-up thread, and pages call ``wait`` before they use it.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from relaxdesign.library import Store
    from relaxdesign.materials.catalogue import Catalogue
    from relaxdesign.materials.compatibility import Makeable
    from relaxdesign.server import JobManager, Visit
    from relaxdesign.server.timing import Estimate
    from relaxdesign.study.request import DesignRequest
    from relaxdesign.study.together import Together

from relaxdesign.ui import gateway, visitor
from relaxdesign.ui.vtkjs import publish_vtk

logger = logging.getLogger(__name__)

_PRELOADED = (
    "plotly.graph_objects",
    "relaxdesign.study.run",
    *(f"relaxdesign.ui.components.{name}" for name in ("controls", "live", "results")),
)
"""Modules that the first page needs: by name, as they themselves need this one."""


@st.cache_resource(show_spinner=False)
def _start() -> dict[str, Future]:
    # One after the other, so that they do not compete; the page paints meanwhile.
    pool = ThreadPoolExecutor(1, thread_name_prefix="relaxdesign-start")
    return {
        "modules": pool.submit(_import_modules),
        "vtk": pool.submit(publish_vtk),
        "rendering": pool.submit(_probe_rendering),
        "pairs": pool.submit(_pair_up, 3),
    }


def warm_up() -> None:
    """Starts loading what pages need later; returns at once."""
    _start()


def wait() -> None:
    """Holds the page until the solver's modules are loaded: seconds for the first visitor of a server, else nothing."""
    modules = _start()["modules"]
    if not modules.done():
        with st.spinner("Loading the solver and the material catalogue …"):
            modules.exception()  # waits; an error is raised, and shown, where the catalogue is used


@st.cache_resource(show_spinner=False)
def jobs() -> JobManager:
    """The queue of this server; its runs outlive the sessions that started them."""
    from relaxdesign.library import Store
    from relaxdesign.server import JobManager, close_with_process

    manager = JobManager(Store())
    gateway.at_the_end(manager.close)
    close_with_process(manager)  # where no gateway is in front
    return manager


def store() -> Store:
    """The library as whoever looks at the page may see it."""
    return jobs().store.seen_by(visitor.viewer())


def visit() -> Visit:
    """The queue as whoever looks at the page may use it."""
    from relaxdesign.server import Visit

    return Visit(jobs(), visitor.viewer(), visitor.user(), private=visitor.wants_private())


def catalogue() -> Catalogue:
    """The materials on offer."""
    return _start()["modules"].result()


def submit(request: DesignRequest) -> str:
    """Queues a run in the name of whoever looks at the page, who takes turns with others. Raises JobLimit."""
    return visit().submit(request)


def vtk_address() -> str | None:
    """Where the browser finds vtk.js; None if it cannot be served."""
    return _start()["vtk"].result()


def can_render() -> bool:
    """Whether this machine can render with PyVista (without GL libraries VTK would end the process)."""
    return _start()["rendering"].result()


@st.cache_resource(show_spinner=False, max_entries=20)
def own_catalogue(csv: str) -> Catalogue:
    """A visitor's own materials. Raises CatalogueError."""
    from relaxdesign.materials.catalogue import Catalogue

    return Catalogue.from_text(csv)


@st.cache_data(show_spinner=False, max_entries=200)
def reachable(
    quantity: str,
    categories: tuple[str, ...] | None,
    flagged: bool,
    dim: int,
    family: str = "particles",
    csv: str | None = None,
    exclude: tuple[str, ...] = (),
    phases: tuple[str, ...] = (),
    makeable: Makeable = "any",
    third: tuple[str, float] = ("", 0.0),
) -> tuple[float, float]:
    """Smallest and largest effective value of a quantity that pairs of these materials can reach.

    csv: the visitor's own materials instead of the shipped ones. exclude: ids of those left out. phases: those that
    are given; then no others are on offer. makeable: least level of the pairs. third: material and amount of the third
    phase, of families that have one. Raises ValueError if the quantity is unknown of the rest, or fewer than two are
    left.
    """
    from relaxdesign.study.attainable import attainable
    from relaxdesign.study.family import beside, third_of
    from relaxdesign.study.objective import Objective
    from relaxdesign.study.selection import with_known_properties

    materials = catalogue() if csv is None else own_catalogue(csv)
    wanted = Objective(quantity=quantity, sense="minimise")
    if phases:
        selected = materials.of_phases(phases)
    else:
        selected = materials.select(categories=categories, flagged=flagged, exclude=exclude)
    selected = with_known_properties(beside(selected, third_of(family, *third, materials)), [wanted])
    if not phases:
        selected = selected.combinable(makeable, dim)
    intervals = attainable(selected, dim, quantity, family)
    return intervals[0][0], intervals[-1][1]


def refusal(request: DesignRequest) -> str:
    """Why a request cannot be met with its materials and its method; empty if it can."""
    return _refusal(request.model_dump_json())


@st.cache_data(show_spinner=False, max_entries=200)
def _refusal(request: str) -> str:
    from relaxdesign.study import run as study
    from relaxdesign.study.request import DesignRequest

    try:
        study.check_request(DesignRequest.model_validate_json(request))
    except ValueError as error:
        return str(error)
    return ""


def together(request: DesignRequest) -> Together | None:
    """What the materials on offer can have of several objectives at once; None where there is no estimate of it.

    The request is one that `refusal` lets pass.
    """
    fields = request.model_dump(mode="json", include=_OF_MATERIALS)
    return _together(json.dumps(fields, sort_keys=True))


_OF_MATERIALS = {
    "objectives", "dim", "family", "categories", "exclude", "flagged", "makeable", "materials_csv", "phases",
    "third_phase", "third_amount",
}  # fmt: skip
"""Fields of a request on which depends what can be had."""


@st.cache_resource(show_spinner=False, max_entries=20)
def _together(fields: str) -> Together | None:
    from relaxdesign.study import run as study
    from relaxdesign.study.request import DesignRequest
    from relaxdesign.study.together import together as of_request

    request = DesignRequest.model_validate_json(fields)
    return of_request(request, study.materials_on_offer(request))


def estimated(request: DesignRequest) -> Estimate | None:
    """About how long a request takes on this machine; None while that is being measured."""
    from relaxdesign.server import timing
    from relaxdesign.study import run as study

    prior = (study.SHAPE_PRIORS if request.phases else study.DEFAULT_PRIORS)[request.dim]
    measured = _calibrations().get(prior)
    if measured is None or request.prior not in (None, prior) or not measured.done():
        return None
    return None if measured.exception() else timing.estimated(request, measured.result())


@st.cache_resource(show_spinner=False)
def _calibrations() -> dict[str, Future]:
    """Timings of the machine by prior, one after the other in the background."""
    from relaxdesign.server import timing
    from relaxdesign.study import run as study

    priors = [names[dim] for names in (study.DEFAULT_PRIORS, study.SHAPE_PRIORS) for dim in dimensions()]
    measured: dict[str, Future] = {prior: Future() for prior in priors}

    def measure() -> None:
        for prior, future in measured.items():
            try:
                future.set_result(timing.calibration_of(prior))
            except Exception as error:  # told where the estimate is asked for
                future.set_exception(error)

    # No pool: the end of the process would wait for it.
    threading.Thread(target=measure, name="relaxdesign-timing", daemon=True).start()
    return measured


@st.cache_data(show_spinner=False, ttl=60)
def dimensions() -> tuple[int, ...]:
    """Dimensions that a shipped prior covers."""
    from relaxdesign.prior.model import shipped_priors
    from relaxdesign.study.run import DEFAULT_PRIORS

    return tuple(dim for dim, name in DEFAULT_PRIORS.items() if name in shipped_priors())


@st.cache_data(show_spinner=False)
def grid_of_shapes(dim: int) -> int:
    """Voxels per edge of shapes of given phases."""
    from relaxdesign.prior.model import load_prior
    from relaxdesign.study.run import SHAPE_PRIORS

    return load_prior(SHAPE_PRIORS[dim]).grid


def _pair_up(dim: int) -> None:
    """Finds out which substances go together, as settings ask at first; it takes a second and is kept."""
    from relaxdesign.materials.catalogue import Catalogue

    _ = Catalogue.default().combinable("plausible", dim).usual_share


def _import_modules() -> Catalogue:
    for name in _PRELOADED:
        importlib.import_module(name)
    from relaxdesign.materials.catalogue import Catalogue

    found = Catalogue.default()
    _pair_up(2)  # as the first page asks
    gc.freeze()  # Streamlit collects after every script: all that was imported would cost a fifth of a second each time
    return found


def _probe_rendering() -> bool:
    from relaxdesign.scene.stills import can_render

    return can_render()
