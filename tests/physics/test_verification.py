"""The studies of docs/verification.md at small sizes: physics asserted, page and numbers written and read back."""

import pytest
import torch

from benchmarks.verification import conduction, contrast, dilute, exact_cells, grids, invariance, locking, second_code
from benchmarks.verification.fits import fit_order, order_by_halving, richardson
from benchmarks.verification.model import Study, at_most, load, save, table, within
from benchmarks.verification.registry import STUDIES
from benchmarks.verification.report import machine, page

pytest.importorskip("skfem")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def values(study: Study) -> dict[str, float]:
    return {check.what: check.value for check in study.checks}


# ---- physics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["homogeneous", "laminate", "fibres", "symmetry", "averages", "loadcases", "conduction-laminate"]
)
def test_exact_cells_pass_to_round_off(key):
    study = STUDIES[key].run(**STUDIES[key].quick)
    assert study.verdict == "pass", study.checks


def test_equal_shear_moduli_extrapolate_to_hill():
    study = exact_cells.equal_shear(repeats=(2, 4, 8), seeds=(0, 1))
    assert study.verdict == "pass", study.checks
    assert all(1.5 < order < 2.0 for order in study.series["orders"])


def test_fibres_have_the_dilute_slope():
    study = dilute.fibres(
        ((32, 4.0), (32, 8.0), (64, 6.0), (64, 12.0), (96, 16.0)), samples=4, pairs=("100 × stiffer",)
    )
    assert max(values(study).values()) < 0.01


def test_conducting_spheres_have_maxwells_slope():
    study = conduction.sphere(((24, 4.0), (24, 6.0), (32, 4.0), (32, 6.0), (32, 8.0)), samples=1, limit=0.02)
    assert study.verdict == "pass", study.checks


def test_checkerboard_converges_at_the_order_of_its_corners():
    study = conduction.duality(sizes=(8, 16, 32, 64))
    assert study.verdict == "pass", study.checks


def test_discs_converge_at_first_order():
    study = grids.disc(sizes=(16, 24, 32, 48, 64, 96, 128), samples=4)
    orders = [value for what, value in values(study).items() if "order" in what]
    assert len(orders) == 3 and all(0.85 < order < 1.15 for order in orders), orders


def test_gradients_of_every_boundary():
    study = invariance.gradients(shapes=((3, 2, 2), (3, 3, 1)), voxels=2)
    assert study.verdict == "pass", study.checks


def test_second_code_tells_the_two_elements_apart():
    study = second_code.second_code(size=5)
    assert study.verdict == "pass", study.checks
    for row in study.tables[0].rows:
        assert max(row[1:]) > 1e-4 > 1e-8 > min(row[1:])


def test_iterations_level_off():
    study = contrast.grid_independence(sizes_3d=(8, 12, 16), sizes_2d=(16, 32, 64))
    assert "FAIL" not in {check.verdict for check in study.checks}


def test_shear_of_a_nearly_incompressible_matrix_does_not_lock():
    sizes = {"sizes_2d": (8, 16, 32, 64), "sizes_3d": (), "standard_2d": 16, "quadratic_2d": 12}
    study = locking.locking((0.3, 0.4999), **sizes)
    assert study.verdict == "pass", study.checks
    errors = study.series["2D"]["errors"]["0.4999"]
    assert errors["standard"][1] > 10.0 > 0.1 > errors[locking.WORST][1] > 0


# ---- fits ------------------------------------------------------------------------------------------


def test_fits_recover_a_known_order():
    sizes = [8, 12, 16, 24, 32, 48]
    numbers = [3.0 - 5.0 * n**-1.3 for n in sizes]
    for fit in (fit_order(sizes, numbers), order_by_halving(sizes, numbers)):
        assert fit.order == pytest.approx(1.3, abs=1e-4)
        assert fit.limit == pytest.approx(3.0, rel=1e-5)
        assert fit.at(100) == pytest.approx(3.0 - 5.0 * 100**-1.3, rel=1e-5)
    limit, order = richardson(numbers[0], numbers[2], numbers[4])
    assert (limit, order) == (pytest.approx(3.0), pytest.approx(1.3))


# ---- the page --------------------------------------------------------------------------------------


def test_verdicts():
    assert at_most("a", -0.5, 1.0).verdict == "pass"
    assert at_most("a", float("nan"), 1.0).verdict == "FAIL"
    assert at_most("a", 2.0, 1.0, limitation=True).verdict == "limitation"
    assert within("a", 0.5, 1.0, 2.0).verdict == "FAIL"
    bad = at_most("a", 2.0, 1.0)
    assert Study((at_most("a", 0.0, 1.0), bad)).verdict == "FAIL"
    assert Study(()).verdict == "not available"


def test_every_study_explains_itself():
    for key, entry in STUDIES.items():
        assert entry.title and not entry.title.endswith("."), key
        assert len(entry.text) > 80 and "{" not in entry.text, key


def test_numbers_are_read_back_and_the_page_shows_them(tmp_path):
    rows = [("a", 0.123456, None)]
    study = Study(
        (at_most("largest error", 0.02, 0.01, "%"), at_most("shear", 3.0, 1.0, limitation=True)),
        (table("Errors", {"cell": "{}", "K*": "{:.2f} %", "G*": "{:.1f}"}, rows),),
        {"sizes": [1, 2]},
        ("A note.",),
    )
    save(tmp_path / "numbers.json", {"run": "test", **machine()}, {"homogeneous": study})
    about, studies = load(tmp_path / "numbers.json")
    assert studies == {"homogeneous": study}
    text = page(about, studies, "figures")
    for part in ("| a | 0.12 % | – |", "- **FAIL** – largest error: 2 % (≤ 1 %)", "### Known limitations", "A note."):
        assert part in text


def test_figures_are_drawn_from_stored_numbers(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.verification.figures import draw

    draw({"equal-shear": exact_cells.equal_shear(repeats=(1, 2, 4), seeds=(0,))}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["verification-equal-shear.svg"]
