"""Predictions held against measured composites: how the table is read, what is predicted, how it is judged and told."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import t as student

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.trust import Trust
from relaxdesign.validation.reality import Measured, Results, Settings, predict, read_composites, write_reality
from relaxdesign.validation.reality.cells import cells_of, skeleton
from relaxdesign.validation.reality.composites import MEASURED_COMPOSITES
from relaxdesign.validation.reality.judging import attainable, judged
from relaxdesign.validation.reality.page import told
from relaxdesign.validation.reality.predicting import predictions
from tests.command_line import assert_one_clear_error

COMPOSITES = {each.id: each for each in read_composites()}
ALSIC, EPOXY, TITANIA = (COMPOSITES[name] for name in ("alsic-10", "epoxy-silica-20", "titania-8"))
MACHINE = {"version": "1", "cpu": "a", "cores": 2, "memory_GiB": 24, "torch": "2"}
GRID = 12


def table(tmp_path, **cells):
    """A table whose only row is that of a shipped composite with other cells; None: without that column."""
    with MEASURED_COMPOSITES.open(newline="", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["id"] == "alsic-10")
    row = {column: text for column, text in (row | cells).items() if text is not None}
    path = tmp_path / "own.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    return path


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"fraction": "55"}, ("line 2 (alsic-10)", "fraction is 55", "not per cent")),
        ({"fraction": ""}, ("fraction is empty",)),
        ({"porosity": "2"}, ("porosity is 2", "not per cent")),
        ({"family": "fibres"}, ("family is 'fibres'", "particles, interpenetrating, porous")),
        ({"read": "perhaps"}, ("read is 'perhaps'", "yes or no")),
        ({"E_GPa": "about 200"}, ("E_GPa is 'about 200'", "no number")),
        ({"E_GPa": "-200"}, ("E_GPa is -200", "above 0")),
        ({"matrix_nu": "0.6"}, ("matrix:", "nu is 0.6", "between -1 and 0.5")),
        ({"inclusion_E_GPa": ""}, ("inclusion:", "E_GPa is empty")),
        ({"inclusion_k_W_mK": ""}, ("k_W_mK was measured", "inclusion_k_W_mK is empty")),
        ({"matrix_cte_1e-6_K": ""}, ("cte_1e-6_K was measured", "matrix_cte_1e-6_K is empty")),
        ({"family": "porous"}, ("inclusion_E_GPa is 415", "pores is 0")),
        ({"source": ""}, ("source is empty",)),
        (dict.fromkeys(("E_GPa", "G_GPa", "nu", "k_W_mK", "cte_1e-6_K"), ""), ("nothing was measured", "E_GPa, K_GPa")),
        ({"scatter": None, "url": None}, ("lacks the columns scatter, url", "MATERIALS.md")),
    ],
)
def test_a_table_that_cannot_be_used_says_what_is_wrong(tmp_path, cells, words):
    with pytest.raises(ValueError) as raised:
        read_composites(table(tmp_path, **cells))
    for word in words:
        assert word in f"{raised.value}"


def test_every_bad_row_is_named_and_an_id_is_there_once(tmp_path):
    path = table(tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, lines[1], lines[1].replace(",particles,", ",grit,")]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 3 \(alsic-10\): the id is there twice[^$]*line 4 .*'grit'"):
        read_composites(path)
    path.write_text(lines[0], encoding="utf-8")
    with pytest.raises(ValueError, match="there are no rows"):
        read_composites(path)


@pytest.mark.parametrize(
    ("scatter", "young", "conductivity"),
    [
        ("", 0.03, 0.05),
        ("remembered, 8 %", 0.08, 0.08),
        ("rounded; 2 % of E, 14 % of k", 0.02, 0.14),
        ("7 %, 12.5 % of k", 0.07, 0.125),
        ("9 % of cte", 0.03, 0.05),
    ],
)
def test_the_scatter_of_a_measured_value_is_what_its_row_tells(tmp_path, scatter, young, conductivity):
    (composite,) = read_composites(table(tmp_path, scatter=scatter))
    assert composite.measured["E"].scatter == pytest.approx(young * composite.measured["E"].value)
    assert composite.measured["conductivity"].scatter == pytest.approx(conductivity * 200)


def with_values(composite, values):
    return replace(composite, measured={name: Measured(value, 0.01 * abs(value)) for name, value in values.items()})


def test_a_composite_that_was_simulated_is_covered():
    """Measured on cells that the prediction does not know, with their constituents."""
    _, cells = cells_of(ALSIC, GRID, 2, seed=77)
    truth = {name: trust.value for name, trust in predictions(ALSIC, cells, GRID).items()}
    found = predict(with_values(ALSIC, truth), Settings(GRID, 2))
    assert {each.quantity for each in found.compared} == set(ALSIC.measured)
    for each in found.compared:
        assert each.covered and each.outside == 0 and each.why("a remark") == ""
        assert each.trust is not None and each.trust.value == pytest.approx(each.measured.value, rel=0.05)


def test_an_impossible_value_is_missed_and_outside_the_bounds():
    measured = {"E": 400.0, "conductivity": 100.0}
    above, below = predict(with_values(ALSIC, measured), Settings(GRID, 1)).compared
    assert above.covered is False and above.outside == 1 and "above every geometry" in above.why("")
    assert below.covered is False and below.outside == -1 and "below every geometry" in below.why("")
    assert above.why("the remark of the row") == "the remark of the row"
    assert above.trust and above.trust.placement is None and above.trust.material is not None
    assert above.trust.material > 0 and above.trust.grid > 0


def test_a_miss_within_the_bounds_is_one_of_geometry():
    low, high = attainable(EPOXY, "E")
    (each,) = judged(with_values(EPOXY, {"E": 0.5 * (low + high)}), "spheres", {"E": Trust(low, 0.01 * low)}).compared
    assert each.covered is False and each.outside == 0 and "shape" in each.why("")


def test_the_interval_holds_the_standard_error_over_cells():
    _, cells = cells_of(EPOXY, GRID, 3, seed=0)
    alone = [predictions(EPOXY, [cell], GRID)["E"] for cell in cells]
    together = predictions(EPOXY, cells, GRID)["E"]
    values = np.array([each.value for each in alone])
    assert together.value == pytest.approx(values.mean(), rel=1e-6)
    error = student.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3)
    assert together.placement == pytest.approx(error, rel=1e-3) and error > 0
    assert together.material is not None
    assert together.material == pytest.approx(alone[0].material, rel=1e-6)
    # both constituents' E are uncertain by 4 % and E is homogeneous in them: at most 1.96 times that
    assert 0.5 < together.material / (1.96 * 0.04 * together.value) < 1.0


def test_conductivity_alone_is_what_it_is_beside_moduli():
    """Cells of which nothing else was measured are solved with other moduli."""
    _, cells = cells_of(ALSIC, GRID, 1, seed=0)
    beside = predictions(ALSIC, cells, GRID)["conductivity"]
    alone = predictions(with_values(ALSIC, {"conductivity": 200.0}), cells, GRID)["conductivity"]
    assert alone.value == pytest.approx(beside.value, rel=1e-6)
    assert alone.width == pytest.approx(beside.width, rel=1e-4)


def test_pores_soften_and_leave_the_expansion():
    values = {"E": 192.0, "cte": 7.5}
    young, expansion = predict(with_values(TITANIA, values), Settings(GRID, 1)).compared
    matrix = TITANIA.materials[0]
    assert young.trust.value < (1 - TITANIA.fraction) * matrix.young and young.trust.value < 1.01 * young.high
    assert expansion.trust.value == pytest.approx(matrix.expansion, rel=1e-3)
    assert (expansion.low, expansion.high) == (matrix.expansion, matrix.expansion)


@pytest.mark.parametrize("name", ["E", "K", "G", "nu", "conductivity", "cte"])
def test_bounds_hold_the_constituents_and_close_on_equal_ones(name):
    matrix, inclusion = ALSIC.materials
    known = QUANTITIES[name].of_material
    assert known is not None
    ends = sorted((getattr(matrix, known), getattr(inclusion, known)))
    low, high = attainable(ALSIC, name)
    assert ends[0] < low < high < ends[1]
    alike = replace(ALSIC, materials=(matrix, replace(matrix, id="other")))
    assert attainable(alike, name) == pytest.approx((getattr(matrix, known),) * 2, rel=1e-9)


@pytest.mark.parametrize("fraction", [0.3, 0.7])
def test_a_skeleton_has_its_fraction_and_two_continuous_phases(fraction):
    cell, continuous = skeleton(fraction, 24, torch.Generator().manual_seed(1))
    assert continuous
    for grid in (12, 24):
        assert float(cell.shares(grid).mean()) == pytest.approx(fraction, abs=2e-3)
    labels = (cell.shares(24) > 0.5).numpy()
    assert pieces(labels).spans[0] == pieces(~labels).spans[0] == 3


@pytest.mark.parametrize(
    ("family", "fraction", "words"),
    [
        ("particles", 0.3, "spheres"),
        ("particles", 0.6, "spheres of two sizes"),
        ("particles", 0.7, "two continuous phases, as spheres cannot be packed so densely"),
        ("interpenetrating", 0.5, "two continuous phases"),
        ("porous", 0.2, "spherical pores"),
    ],
)
def test_cells_are_of_the_kind_and_fraction_of_the_composite(family, fraction, words):
    told, cells = cells_of(replace(ALSIC, family=family, fraction=fraction), GRID, 2, seed=0)
    assert told == words and len(cells) == 2
    shares = [cell.shares(24) for cell in cells]
    assert all(float(each.mean()) == pytest.approx(fraction, abs=2e-3) for each in shares)
    assert not torch.equal(*shares)


def test_foams_are_not_predicted_and_do_not_count():
    foam = predict(COMPOSITES["al-foam-alporas"], Settings(GRID, 1))
    assert not foam.predicted and "foam" in foam.geometry
    assert all(each.covered is None and each.difference is None and each.low <= each.high for each in foam.compared)
    assert told([(foam, each) for each in foam.compared]).startswith("0 of 0")


def test_the_page_holds_every_row(tmp_path):
    """Predictions that were not computed: as measured, or three times that of values that were not read."""
    rows = []
    for composite in COMPOSITES.values():
        factor = 1.0 if composite.read else 3.0
        trusts = {name: Trust(factor * each.value, 0.0) for name, each in composite.measured.items()}
        rows.append(judged(composite, "spheres", trusts))
    page = write_reality(Results(rows, Settings(), MACHINE, "2026-01-31"), tmp_path).read_text(encoding="utf-8")
    lines = page.splitlines()
    for composite in COMPOSITES.values():
        assert sum(f"(`{composite.id}`)" in line for line in lines) == 1, "its source"
        values = [line for line in lines if line.startswith(f"| {composite.name} |")]
        assert len(values) == len(composite.measured)
        assert all(composite.remark in line for line in values) == (not composite.read)
    read = sum(len(each.measured) for each in COMPOSITES.values() if each.read)
    count = sum(len(each.measured) for each in COMPOSITES.values())
    assert f"{read} of {count} values ({100 * read / count:.0f} %) are covered" in page
    assert f"| **read** in the source | {read} | {read} | {read} (100 %) | 0 % |" in page
    assert f"{count - read} values are missed" in page
    assert (tmp_path / "figures" / "reality.svg").read_text().count("<path") > count
    kept = json.loads((tmp_path / "results" / "reality.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in kept["composites"]] == list(COMPOSITES)
    assert kept["settings"] == {"grid": 24, "placements": 3, "seed": 0} and "on 2026-01-31 with" in page


def test_what_softens_is_no_cause_of_a_prediction_that_is_too_low(tmp_path):
    """A remark that names an interface and pores explains a conductivity that is too high, not a stiffness too low."""
    composite = replace(COMPOSITES["al-sic-55-asm"], remark="interfaces and pores")
    trusts = {"E": Trust(100.0, 1.0), "conductivity": Trust(300.0, 1.0)}
    rows = [judged(composite, "spheres", trusts)]
    page = write_reality(Results(rows, Settings(), MACHINE, "2026-01-31"), tmp_path).read_text(encoding="utf-8")
    lines = page.split("## Why predictions miss")[1].split("## ")[0].splitlines()
    by_cause = {line.strip("| ").split(" |")[0].split(":")[0]: line for line in lines}
    for cause in ("interface", "pores beside the phases"):
        assert f"{composite.id} (k)" in by_cause[cause] and f"{composite.id} (E)" not in by_cause[cause]
    assert f"{composite.id} (E)" in by_cause["none of these"]


def test_results_are_read_as_they_were_written_but_for_the_table(tmp_path):
    trust = Trust(90.0, 1.0, 2.0, 6.0)
    rows = [judged(with_values(COMPOSITES["a359-sic-20"], {"E": 98.6}), "spheres", {"E": trust})]
    written = Results(rows, Settings(16, 2, 5), MACHINE, "2026-01-31")
    written.write(tmp_path)
    now = replace(COMPOSITES["a359-sic-20"], measured={"E": Measured(300.0, 3.0)})
    found = Results.read(tmp_path, [now])
    assert (found.settings, found.machine, found.date) == (written.settings, written.machine, written.date)
    (value,) = found.judged[0].compared
    assert value.trust == trust and value.measured.value == 300.0 and value.covered is False and value.outside == 1
    with pytest.raises(ValueError, match="a359-sic-20 is not in the table as it was predicted"):
        Results.read(tmp_path, [replace(now, fraction=0.21)])


def test_the_command_writes_the_page_of_the_rows_asked_for(cli, tmp_path):
    chosen = ["--only", "a359-sic-20", "--only", "albemet", "--grid", "16", "--placements", "1"]
    result = cli("reality", *chosen, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    page = (tmp_path / "reality.md").read_text(encoding="utf-8")
    assert "(`a359-sic-20`)" in page and "(`albemet-162`)" in page and page.count("(`") == 2
    (carbide, beryllium) = json.loads((tmp_path / "results" / "reality.json").read_text(encoding="utf-8"))["composites"]
    assert carbide["geometry"] == "spheres" and beryllium["geometry"] == "two continuous phases"
    for value in (*carbide["values"], *beryllium["values"]):
        low, high = value["bounds"]
        assert 0.97 * low < value["predicted"]["value"] < 1.03 * high, "but for the grid's error"
    assert f"of {len(carbide['values']) + len(beryllium['values'])} values are covered" in result.stdout
    (tmp_path / "reality.md").unlink()
    assert cli("reality", "--report", "--out", str(tmp_path)).exit_code == 0
    assert (tmp_path / "reality.md").read_text(encoding="utf-8") == page


def test_the_command_names_a_composite_when_none_matches(cli, tmp_path):
    assert_one_clear_error(cli("reality", "--only", "wood", "--out", str(tmp_path)), "--only", "wood", "alsic-9")
