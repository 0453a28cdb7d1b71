"""Numbers as they are written, colours as they are painted, fields as they are sent."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from relaxdesign.library import Curves
from relaxdesign.library.replay import Frame
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.scene.palette import SOLID, VOID
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.presets import fields_of
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui import text
from relaxdesign.ui.colours import ModulusScale, cividis, rgb, viridis
from relaxdesign.ui.components import ashby, copying, curves, readings
from relaxdesign.ui.components.microstructures import describe, picture
from tests.scripted_study import scripted_step

REQUEST = DesignRequest(target_bulk=120.0, count=3, steps=10)
FRAME = Frame.of(scripted_step(REQUEST, 8))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (118.72, "118.7"),
        (0.0042131, "0.004213"),
        (1052.3, "1052"),
        (12345.6, "12350"),
        (0.00001234, "0.000012"),
        (0, "0"),
        (-1e-12, "0"),
    ],
)
def test_significant_digits_without_exponents(value, shown):
    assert text.significant(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-0.011, "−1.1 %"), (0.0004, "+0.04 %"), (0.00001, "0.00 %"), (-0.00995, "−1.0 %"), (1.5, "+150 %"), (None, "–")],
)
def test_errors_are_signed_percentages(value, shown):
    assert text.percent(value) == shown


def test_what_can_be_had_begins_at_nothing_beside_a_void():
    assert text.span(1.1e-6, 113.8) == "0 – 114" and text.span(0.002, 400) == "0.002 – 400"
    assert text.span(-42.4, 42.4) == "-42.4 – 42.4"


def test_durations():
    assert [text.duration(s) for s in (0.42, 12.3, 75, 3720, None)] == [
        "0.4 s",
        "12 s",
        "1 min 15 s",
        "1 h 02 min",
        "–",
    ]


def test_moments_are_in_the_readers_time_zone():
    now = datetime.now(UTC)
    assert text.moment(now, "UTC") == f"Today {now:%H:%M}"
    assert text.moment(now - timedelta(days=400), "not/a zone").endswith(str((now - timedelta(days=400)).year))


def test_names_cannot_format_the_page():
    shown = text.escape("<img src=x> **bold** $x$ [a](b) :red[c]")
    for character in "<>*$[](:":
        assert all(shown[i - 1] == "\\" for i, c in enumerate(shown) if c == character)


def test_modulus_scale_rises_around_the_young_s_modulus_of_the_target_and_ends_in_the_outermost_colours():
    scale = ModulusScale.of(REQUEST)
    index = scale.index(np.geomspace(scale.low, scale.high, 50))
    assert index.dtype == np.uint8 and (np.diff(index.astype(int)) > 0).all() and (index[0], index[-1]) == (0, 255)
    assert scale.index(np.array([0.0, np.nan, 180.0, 1e9])).tolist() == [0, 0, 128, 255]
    assert (scale.paint(np.array([1e9])) == viridis()[255]).all()


@pytest.mark.parametrize(
    ("objective", "within"),
    [
        ("K >= 100", [30.0, 100.0, 350.0]),  # the softest phase of a stiff composite, and the stiffest materials
        ("K <= 1", [0.1, 1.0, 3.5]),
        ("10 <= K <= 20", [3.0, 15.0, 70.0]),
        ("Ex = 50", [15.0, 50.0, 180.0]),
        ("density <= 3", [5.0, 50.0, 200.0]),
        ("nu = 0.2", [5.0, 50.0, 200.0]),
    ],
)
def test_the_fixed_scale_tells_moduli_apart_whatever_is_asked(objective, within):
    """Nothing that matters has the colour of the scale's end, and no step changes the scale."""
    scale = ModulusScale.of(DesignRequest(objectives=(parse_objective(objective),)))
    index = scale.index(np.array(within)).astype(int)
    assert index[0] > 0 and index[-1] < 255 and (np.diff(index) > 40).all()


def test_the_stretched_scale_spans_the_frame():
    scale = ModulusScale.of(REQUEST).over(FRAME)
    young = FRAME.young[np.isfinite(FRAME.low)]
    assert scale.index(young).min() == 0 and scale.index(young).max() == 255
    nothing = replace(FRAME, low=np.full_like(FRAME.low, np.nan), high=np.full_like(FRAME.high, np.nan))
    assert scale.over(nothing).low > 0


def test_beside_a_void_the_solid_fades_into_the_page():
    lattice = DesignRequest.model_validate({"dim": 2, **fields_of("Titanium lattice")})
    scale = ModulusScale.of(lattice)
    assert scale.fading and scale.high == pytest.approx(113.8) and scale.low == pytest.approx(0.1138)
    opacity = scale.palette[:, 3].astype(int)
    assert opacity[0] < 5 and opacity[-1] == 255 and (np.diff(opacity) >= 0).all()
    assert (scale.palette[:, :3] == rgb(SOLID)).all() and (scale.paint(np.array([113.8])) == rgb(SOLID)).all()
    assert np.abs(scale.colours[0].astype(int) - rgb(VOID)).max() <= 2, "where no page is seen through"
    middle = (rgb(SOLID).astype(int) + rgb(VOID)) / 2
    assert np.abs(scale.paint(np.array([0.1138])) - middle).max() <= 1, "no surface is as light as a void"
    assert scale.over(FRAME).fading, "the stretched scale has the same colours"
    solids = lattice.model_copy(update={"phases": ("epoxy-unfilled", "alumina-ad-995")})
    assert not ModulusScale.of(solids).fading and (ModulusScale.of(solids).palette[:, 3] == 255).all()


@pytest.mark.parametrize("colours", [viridis, cividis])
def test_brightness_of_a_map_rises(colours):
    luminance = colours().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert colours().shape == (256, 3) and (np.diff(luminance) > -0.8).all()


def test_picture_has_x_to_the_right_and_y_upwards():
    field = np.zeros((4, 3, 1))
    field[3, 0] = 1  # largest x, smallest y
    assert picture(field).shape == (3, 4)
    assert picture(field)[2, 3] == 1


def test_browser_gets_codes_extremes_and_what_a_step_measured():
    described = describe(FRAME)
    first, dropped, _ = described["tiles"]
    codes = np.frombuffer(base64.b64decode(first["pixels"]), np.uint8).reshape(FRAME.codes.shape[1:3])
    np.testing.assert_array_equal(codes, picture(FRAME.codes[0]))
    assert first["low"] == FRAME.low[0] and dropped["low"] is None
    solid = replace(FRAME, codes=np.repeat(FRAME.codes, 4, axis=3))
    assert describe(solid)["tiles"][0] == first | {"pixels": None}, "fields in 3D are drawn, not sent"


def test_curves_are_thinned_but_keep_the_newest_step():
    request = REQUEST.model_copy(update={"steps": 1000})
    taken = Curves()
    for step in range(1, 998):
        taken.append(scripted_step(request, step))
    sent = curves.describe(taken, request)
    assert len(sent["step"]) <= curves.MOST_POINTS and sent["step"][-1] == 997
    bulk, loss = sent["panels"]
    assert len(bulk["series"]) == 3 and all(len(line) == len(sent["step"]) for line in bulk["series"])
    assert bulk["target"] == pytest.approx([118.8, 121.2]) and loss["target"] is None
    assert bulk["series"][1][-1] is None, "the second candidate was dropped"


def test_every_quantity_asked_for_has_its_panel_and_band():
    wanted = [
        {"quantity": "K", "low": 100, "high": 100},
        {"quantity": "nu", "low": 0.2, "high": 0.3},
        {"quantity": "G", "low": 40},
        {"quantity": "density", "sense": "minimise"},
    ]
    request = DesignRequest.model_validate({"objectives": wanted, "count": 3, "steps": 10})
    taken = Curves()
    taken.append(replace(scripted_step(request, 1), values={"nu": np.array([0.25, np.nan, 0.26])}))
    panels = curves.describe(taken, request)["panels"]
    quantities = [panel for panel in panels if panel["floor"] is None]
    assert [panel["target"] for panel in quantities] == [[99, 101], [0.2, 0.3], [40, None], None]
    assert [panel["log"] for panel in quantities] == [True, False, True, True]
    assert quantities[1]["series"] == [[0.25], [None], [0.26]] and quantities[2]["series"] == [[], [], []]
    assert quantities[3]["series"][0] == [2.8]
    folds = [panel["fold"] for panel in panels]
    assert folds[0] == "Bulk modulus" and folds == sorted(folds, key=folds.index), "what belongs together stands so"


def test_tiles_tell_every_target_and_how_far_it_is_off():
    """Of the entries of a stiffness, which are one, see `test_directions`."""
    wanted = [
        {"quantity": "K", "low": 100, "high": 100},
        {"quantity": "nu", "low": 0.2, "high": 0.3},
        {"quantity": "density", "sense": "minimise"},
        {"quantity": "G", "low": 40},
    ]
    request = DesignRequest.model_validate({"objectives": wanted, "count": 2, "steps": 10})
    taken = Curves([2, 4], [1.0, 0.5], [[50.0, None], [103.0, 100.5]], [[2.0, 2.5], [2.8, 2.9]])
    taken.values["nu"] = [[0.4, None], [0.25, 0.1]]
    assert readings.at_step(taken, request, 1) == [[], []], "nothing was measured before"
    first, second = readings.at_step(taken, request, 5)
    assert [each["name"] for each in first] == ["K", "ν", "ρ"], "G was not measured"
    assert first[0] | {"place": 0.12} == {
        "name": "K", "text": "103 GPa", "short": "103", "off": "+3.0 %", "place": 0.12, "state": "near",
    }  # fmt: skip
    assert first[0]["place"] == pytest.approx(0.03 / readings.GAUGE, abs=0.01)
    assert (first[1]["off"], first[1]["place"], first[1]["state"]) == ("", 0.0, "on"), "within the interval"
    assert first[2]["place"] is None, "as small as possible: there is nothing to be off"
    assert second[0]["state"] == "on" and (second[1]["state"], second[1]["off"]) == ("far", "−0.1")
    (early, _) = readings.at_step(taken, request, 3)
    assert early[0]["place"] == -1.0, "beyond the end of the gauge"


@pytest.mark.parametrize(
    ("wanted", "bands", "lines", "name"),
    [
        ((120.0, 120.0), [], [120], "target 120 GPa"),
        ((120.0, 200.0), [(120, 200)], [120, 200], "target 120 to 200 GPa"),
        ((120.0, None), [(120, None)], [120], "target at least 120 GPa"),
        ((None, 5.0), [(None, 5)], [5], "target at most 5 GPa"),
        ((0.0, 0.0), [], [], None),
    ],
)
def test_chart_of_materials_shades_what_is_wanted(wanted, bands, lines, name):
    materials = Catalogue.default()
    figure = ashby.chart("K", materials, materials, (0.01, 400.0), {"K": wanted, "nu": (0.3, 0.3)})
    rim = [10**end for end in figure.layout.xaxis.range]
    drawn = [(s.x0, s.x1) for s in figure.layout.shapes if s.x0 != s.x1]
    ends = [tuple(side if end is None else end for end, side in zip(band, rim, strict=True)) for band in bands]
    assert drawn[0] == (0.01, 400) and drawn[1:] == [pytest.approx(end) for end in ends]
    assert [s.x0 for s in figure.layout.shapes if s.x0 == s.x1] == lines
    assert [text.text.strip() for text in figure.layout.annotations] == ([name] if name else [])
    assert rim[0] < min(m.bulk for m in materials.materials) and rim[1] > max(m.bulk for m in materials.materials)


def test_density_wanted_is_a_band_across_the_chart():
    materials = Catalogue.default()
    figure = ashby.chart("E", materials, materials, (1.0, 2.0), {"density": (None, 3.0)})
    band, line = figure.layout.shapes[1:]
    assert band.y1 == 3 and band.xref == "x domain" and (line.y0, line.y1) == (3, 3)
    assert figure.layout.xaxis.title.text == "Young's modulus E, GPa"


def test_a_stiffness_is_copied_as_it_was():
    C = np.diag([3.0, 2.0, 1.0, 1.0, 1.0, 1e6]) + 1e-7
    of = copying.of_matrix(C)
    read = {}
    exec(of["Python"], {"np": np}, read)
    wanted = np.diag([3.0, 2.0, 1.0, 1.0, 1.0, 1e6])
    np.testing.assert_allclose(read["C"], wanted, rtol=1e-6)
    for kind, sign in (("CSV", ","), ("Matrix", "\t")):
        rows = [[float(value) for value in line.split(sign)] for line in of[kind].splitlines()]
        np.testing.assert_allclose(rows, wanted, rtol=1e-6)
