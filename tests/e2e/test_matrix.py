"""Every kind of run through the app: kinds of targets by family, dimension and method, or why the app refuses it.

Presets of applications and other families of particles go through guided diffusion.

A run is set up by a link, as "Re-run with changes" of the library sets it up, started by the button "Design", watched,
looked at in every view of its results, downloaded in every format, and found again in the library.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, get_args

import pytest
import pyvista
import trimesh
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from relaxdesign.library import Store
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import GivenThird
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.presets import APPLICATIONS, KINDS_OF_TARGETS, PRESETS
from relaxdesign.study.request import DesignRequest, Method
from relaxdesign.study.result import Design
from relaxdesign.ui.text import symbol
from tests.e2e.driving import (
    PATIENCE_MS,
    assert_no_errors,
    open_browser,
    running_app,
    settle,
)

RUN_MS = 5 * PATIENCE_MS
COUNT, STEPS = 2, 4
ARTIFACTS = Path(__file__).parent / "artifacts"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Kind:
    """A kind of run: a preset, and what it does not say."""

    preset: str
    family: str
    dim: int
    method: str

    def __str__(self) -> str:
        return f"{self.preset}-{self.family}-{self.dim}D-{self.method}".replace(" ", "_")

    @property
    def request(self) -> DesignRequest:
        own = {"family": self.family, "dim": self.dim, "method": self.method, "count": COUNT, "steps": STEPS}
        if self.family != "free-form":
            own |= {"phases": (), "symmetry": "none", "min_feature": 0.0}  # are of shapes
        if isinstance(FAMILIES[self.family], GivenThird):
            own["third_phase"] = "soda-lime-glass"
        return DesignRequest.model_validate(PRESETS[self.preset].fields | own)

    @property
    def refusal(self) -> str:
        """What the app says of a kind that it does not compute; empty for the others."""
        request = self.request
        if request.phases and (self.method in ("pairs", "genetic", "cma-es", "conditional")):
            return "does not search among shapes of given phases"
        if len(request.phases) == 3 and self.method == "level-set":
            return "between two phases: choose topology or guided"
        if self.method in ("topology", "level-set") and not request.phases:
            return "searches among shapes of given phases"
        if self.method == "pairs" and len(request.targets) > 1:
            return "finds the root of one target"
        if self.method == "conditional" and (request.target_bulk is None or len(request.objectives) > 1):
            return "can be told one value of K and nothing else"
        if self.method == "conditional" and self.dim == 3:
            return "has no prior for 3D"
        if self.family != "free-form" and any(QUANTITIES[target.quantity].directional for target in request.targets):
            return "ask for free-form cells"
        return ""


OTHERS = [name for name in FAMILIES if name not in ("particles", "free-form")]
"""Families of particles that few kinds of targets are tried with."""

_KINDS = [
    *product(KINDS_OF_TARGETS, ("particles", "free-form"), (2, 3), get_args(Method)),
    *(
        (name, family, dim, "guided")
        for name, preset in APPLICATIONS.items()
        for family in (preset.fields.get("family", "particles"), "free-form")
        for dim in (2, 3)
    ),
    *((name, family, 2 + i % 2, "guided") for i, (name, family) in enumerate(product(KINDS_OF_TARGETS, OTHERS))),
]
EVERY = [Kind(*kind) for kind in _KINDS]
SOME = [
    Kind("Stiff along x", "free-form", 2, "guided"),
    Kind("Soft and dense", "free-form", 3, "guided"),
    Kind("Conducts heat", "particles", 2, "conditional"),
    Kind("Bone-like", "free-form", 2, "genetic"),
    Kind("Stiff and light", "particles", 2, "pairs"),
    Kind("Stiff and light", "free-form", 2, "noise"),
    Kind("Soft and dense", "particles", 2, "best-of-n"),
    Kind("Soft and dense", "particles", 2, "random"),
    Kind("Stiff and light", "free-form", 2, "cma-es"),
    Kind("Stiff and light", "particles", 2, "gradient"),
    Kind("Stiff along x", "particles", 2, "guided"),
    Kind("Conducts heat", "particles", 2, "pairs"),
    Kind("Bone-like", "particles", 2, "conditional"),
    Kind("Conducts heat", "free-form", 3, "conditional"),
    Kind("Titanium lattice", "free-form", 2, "guided"),
    Kind("Titanium lattice", "free-form", 2, "genetic"),
    Kind("Titanium lattice", "free-form", 2, "topology"),
    Kind("Titanium lattice", "free-form", 2, "level-set"),
    Kind("Titanium lattice", "free-form", 2, "random"),
    Kind("Stiff and light", "particles", 2, "topology"),
    Kind("Zero-expansion lattice", "free-form", 2, "guided"),
    Kind("Zero-expansion lattice", "free-form", 2, "level-set"),
]
"""Every preset, projection, dimension, method and reason of refusal at least once."""

FIRST = [*(kind for kind in SOME if kind.refusal), SOME[4], SOME[1], SOME[14]]
"""Those that are tried every time: each dimension, each family, each reason of refusal."""

OF_A_RUN = {"All files", "Result", "GIF", "MP4"}
OF_A_DESIGN = {
    *("STL", "VTK", "Abaqus", "CalculiX", "Ansys", "JSON", "CSV", "3MF"),
    *("Figures", "Report PDF", "Report HTML", "All as ZIP"),
}

OPENED_QUICKLY = {"Result", "STL", "VTK", "JSON", "CSV"}
"""Downloads that are opened where the others, which take seconds each and are the same for all kinds, are left out."""
VIEWS = {
    "Local fields": "Per unit strain",
    "Stiffness": "a sphere would be isotropic",
    "Correlation": "two points a shift r apart",
    "Overview": re.compile("^[A-Z][a-z ]+ fills? [0-9.]+ % of the cell"),
}
"""Of the inspector, with words of each."""


@dataclass(frozen=True)
class App:
    """The app of all these tests, as a visitor and as its files know it."""

    page: Page
    address: str
    store: Store
    log: Path

    def open(self, query: str) -> None:
        self.page.goto(f"{self.address}/{query}")
        settle(self.page)

    def assert_healthy(self) -> None:
        assert_no_errors(self.page)
        log = self.log.read_text(errors="replace")
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:4000]


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("matrix")
    log = folder / "server.log"
    with running_app(folder / "library.db", log) as address, open_browser() as page:
        yield App(page, address, Store(f"sqlite:///{folder / 'library.db'}"), log)


@pytest.fixture(autouse=True)
def last_seen(app: App, request) -> Iterator[None]:
    """Keeps what was last seen, for whoever has to find out why a test failed; the next one starts with a clean log."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        ARTIFACTS.mkdir(exist_ok=True)
        app.page.screenshot(path=ARTIFACTS / f"{request.node.name}.png")
        (ARTIFACTS / "server.log").write_bytes(app.log.read_bytes())
    app.page.goto("about:blank")
    app.log.write_bytes(b"")


def test_some_kinds_have_every_value_of_every_setting():
    plain = [kind for kind in EVERY if kind.preset in KINDS_OF_TARGETS and kind.family not in OTHERS]
    for name in ("preset", "family", "dim", "method", "refusal"):
        assert {getattr(kind, name) for kind in SOME} == {getattr(kind, name) for kind in plain}


@pytest.mark.parametrize("kind", FIRST, ids=str)
def test_a_kind_of_run(app: App, kind: Kind):
    go_through(app, kind, quick=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in SOME if kind not in FIRST], ids=str)
def test_another_kind_of_run(app: App, kind: Kind):
    go_through(app, kind, quick=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", EVERY, ids=str)
def test_every_kind_of_run(app: App, kind: Kind):
    """Files depend on the design and not on how it was found: those of guided diffusion are all opened."""
    go_through(app, kind, quick=kind.method != "guided")


def go_through(app: App, kind: Kind, *, quick: bool = False) -> None:
    """The journey of one kind of run. quick: without what takes seconds and is the same for all kinds."""
    page = app.page
    app.open(f"?from={draft(app.store, kind.request)}")
    button = page.locator(".st-key-design button")
    if kind.refusal:
        expect(page.get_by_test_id("stSidebar").get_by_text(kind.refusal)).to_be_visible(timeout=PATIENCE_MS)
        expect(button).to_be_disabled(timeout=PATIENCE_MS)
        app.assert_healthy()
        return
    expect(button).to_be_enabled(timeout=PATIENCE_MS)
    button.click()
    page.wait_for_url(lambda url: "run=" in url, timeout=PATIENCE_MS)
    run_id = page.url.partition("run=")[2]
    watch(page)
    designs = app.store.designs(run_id)
    assert app.store.run(run_id).status == "finished" and len(designs) == COUNT
    verified = [design for design in designs if design.ok]
    results(page, run_id, kind, verified)
    app.assert_healthy()
    for design in verified:
        compare(page, run_id, design, len(verified))
    if verified:
        inspect(page, run_id, verified[-1], ("Overview",) if quick else tuple(VIEWS))
    app.assert_healthy()
    download(page, verified, OPENED_QUICKLY if quick else OF_A_RUN | OF_A_DESIGN)
    app.assert_healthy()
    find_again(page, run_id)
    app.assert_healthy()


def draft(store: Store, request: DesignRequest) -> str:
    """A run of the library that was stopped before its first step: its link fills the controls."""
    run_id = store.create_run(request)
    store.stop(run_id, "cancelled")
    return run_id


def watch(page: Page) -> None:
    """The steps are shown while they are computed, as what they are, until the run has ended; some take no second."""
    live = page.locator(".st-key-live")
    finished = page.get_by_role("heading").filter(has_text="Finished")
    for shown in (live.locator(".denoising[data-frame]"), live.get_by_text("designs say what is met"), finished):
        expect(shown.or_(finished).first).to_be_visible(timeout=RUN_MS)
    settle(page)


def results(page: Page, run_id: str, kind: Kind, verified: list[Design]) -> None:
    """The result line counts what is on target and names what is missed; cards, table and charts are drawn."""
    close = sum(abs(design.error or 0.0) <= 0.01 for design in verified)
    expect(page.get_by_text(outcome(kind, len(verified), close))).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("The nearest, candidate")).to_have_count(int(bool(verified) and not close))
    expect(page.locator("[class*='st-key-card-']")).to_have_count(COUNT, timeout=PATIENCE_MS)
    for design in verified:
        card = page.locator(f".st-key-card-{run_id}-{design.index}")
        for quantity in design.misses:
            expect(card).to_contain_text(f"{symbol(quantity)} = ", timeout=PATIENCE_MS)
        expect(card).to_contain_text(re.compile(rf"[0-9] % {design.phases[-1].lower()}"))
        expect(card.get_by_text(re.compile("iameter 0[.]"))).to_have_count(int("diameter" in design.parameters))
    choose(page, "Table")
    expect(page.get_by_test_id("stDataFrame")).to_have_count(1, timeout=PATIENCE_MS)
    choose(page, "Charts")
    if verified:
        expect(page.locator("[class*='st-key-parallel-'] .js-plotly-plot")).to_be_visible(timeout=PATIENCE_MS)
    choose(page, "Cards")
    assert_no_errors(page)


def outcome(kind: Kind, verified: int, close: int) -> str:
    """How the sentence on top counts the designs that are on target."""
    wanted = "the target" if len(kind.request.targets) == 1 else "all targets"
    if not verified:
        return "No candidate became a design"
    if verified == 1:
        return f"{'' if close else 'not '}within 1 % of {wanted}"
    counted = "all" if close == verified else f"{close or 'none'} of them"
    return f"{counted} within 1 % of {wanted}"


def choose(page: Page, view: str) -> None:
    page.get_by_role("radio", name=view).click()
    settle(page)


def compare(page: Page, run_id: str, design: Design, count: int) -> None:
    """Marks a design; two of them stand side by side with all numbers."""
    page.locator(f".st-key-compare-{run_id}-{design.index} button").click()
    settle(page)
    choose(page, "Compare")
    side = page.locator(".st-key-comparison")
    expect(side.get_by_role("button", name="Take out").nth(0)).to_be_visible(timeout=PATIENCE_MS)
    if count == COUNT and design.index == COUNT - 1:
        expect(side.locator("table")).to_contain_text("K, realised cell", timeout=PATIENCE_MS)


def inspect(page: Page, run_id: str, design: Design, views: Collection[str]) -> None:
    """The title says what is reached of every target; the views draw."""
    page.locator(f".st-key-inspect-{run_id}-{design.index} button").click()
    settle(page)
    inspector = page.locator(".st-key-inspector")
    title = inspector.locator("h3")
    expect(title).to_contain_text(f"Candidate {design.index + 1}: ", timeout=PATIENCE_MS)
    for quantity in design.misses:
        expect(title).to_contain_text(f"{symbol(quantity)} = ", timeout=PATIENCE_MS)
    expect(inspector.locator("table")).to_contain_text("Realised cell", timeout=PATIENCE_MS)
    for view in views:
        choose(page, view)
        expect(inspector.get_by_text(VIEWS[view])).to_be_visible(timeout=RUN_MS)
        assert_no_errors(page)


def download(page: Page, verified: Sequence[Design], opened: AbstractSet[str]) -> None:
    """All files are offered; those of some labels are opened."""
    settle(page)
    labels = downloads(page, opened)
    wanted = set(OF_A_RUN)
    if verified:
        page.get_by_role("button", name="More files").click()
        labels |= downloads(page, opened)
        page.keyboard.press("Escape")
        wanted |= OF_A_DESIGN | {f"STL {verified[0].phases[0]}"}
    assert not wanted.difference(labels), labels


def downloads(page: Page, opened: AbstractSet[str]) -> set[str]:
    """Labels of the buttons that are in view; files of some of them are opened."""
    popover = page.get_by_test_id("stPopoverBody")
    part = popover if popover.count() else page.get_by_test_id("stMain")
    offered = part.get_by_test_id("stDownloadButton").get_by_role("button")
    offered.first.wait_for()
    labels = [button.inner_text().splitlines()[-1] for button in offered.all()]
    for label, button in zip(labels, offered.all(), strict=True):
        every_phase = label.startswith("STL ") and opened > OPENED_QUICKLY
        if (label in opened or every_phase) and button.is_enabled():
            open_file(*downloaded(page, button))
    return set(labels)


def downloaded(page: Page, button: Locator) -> tuple[str, bytes]:
    with page.expect_download(timeout=RUN_MS) as pending:
        button.click()
    return pending.value.suggested_filename, Path(pending.value.path()).read_bytes()


def open_file(name: str, content: bytes) -> None:
    """Reads a file as its own kind; those of an archive, too."""
    assert content, f"{name} is empty"
    kind = name.rpartition(".")[2]
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None and archive.namelist()
            for member in archive.namelist():
                open_file(member, archive.read(member))
    elif kind == "json":
        assert json.loads(content, parse_constant=lambda word: pytest.fail(f"{name} holds {word}"))
    elif kind == "stl":
        mesh: Any = trimesh.load(io.BytesIO(content), file_type="stl")
        assert mesh.is_watertight and mesh.volume > 0, f"{name} is not a closed body"
    elif kind == "vti":
        with NamedTemporaryFile(suffix=".vti") as file:
            file.write(content)
            file.flush()
            assert {"E", "nu", "rho", "phase"} <= set(pyvista.read(file.name).cell_data)
    elif kind in ("png", "gif"):
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            assert min(picture.size) > 100 and (kind == "png" or picture.n_frames == STEPS)
    elif kind == "pdf":
        assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    elif kind == "3mf":
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            assert package.testzip() is None and "3D/3dmodel.model" in package.namelist()
    elif kind == "mp4":
        assert content[4:8] == b"ftyp"
    else:
        text = content.decode("utf-8-sig")
        assert not re.search(r"\bNone\b(?! of \d)", text) and "nan" not in text.lower().replace("nano", "").split(), (
            name
        )


def find_again(page: Page, run_id: str) -> None:
    """The library lists the run and opens it; its designs are listed, too."""
    page.get_by_role("link", name="Library").click()
    row = page.locator(f".st-key-run-{run_id}")
    expect(row).to_contain_text(f"of {COUNT}", timeout=PATIENCE_MS)
    page.get_by_role("radio", name="Designs").click()
    settle(page)
    assert_no_errors(page)
    page.get_by_role("radio", name="Runs").click()
    settle(page)
    row.get_by_role("button", name="Open").click()
    page.wait_for_url(lambda url: run_id in url, timeout=PATIENCE_MS)
    expect(page.get_by_text("within 1 %")).to_be_visible(timeout=PATIENCE_MS)
