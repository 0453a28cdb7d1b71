"""Material cards read back give the stiffness that was written; CalculiX itself agrees where it is installed."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from relaxdesign.export import ExportError, Heat, abaqus_card, ansys_card, calculix_card
from relaxdesign.export.cards import material_name

VOIGT = ("11", "22", "33", "23", "13", "12")
# As the manuals list them, written out: nothing here comes from the code under test.
ABAQUS = (
    *("1111", "1122", "2222", "1133", "2233", "3333", "1112", "2212"),
    *("3312", "1212", "1113", "2213", "3313", "1213", "1313", "1123"),
    *("2223", "3323", "1223", "1323", "2323"),
)
ANSYS_COMPONENTS = ("11", "22", "33", "12", "23", "13")  # x, y, z, xy, yz, xz


@pytest.fixture
def C() -> np.ndarray:
    """Fully anisotropic: 21 different constants, GPa."""
    half = np.random.default_rng(5).standard_normal((6, 6))
    return half @ half.T + 10 * np.eye(6)


def numbers(lines: list[str]) -> list[float]:
    return [float(number) for line in lines for number in line.split(",") if number.strip()]


def read_abaqus(card: str, kind: str) -> tuple[np.ndarray, float]:
    """C in MPa in our order, and the density."""
    lines = [line for line in card.splitlines() if not line.startswith("**")]
    start = lines.index(f"*ELASTIC,TYPE={kind}") + 1
    assert [len(line.split(",")) for line in lines[start : start + 3]] == [8, 8, 5]
    D = np.zeros((6, 6))
    for label, value in zip(ABAQUS, numbers(lines[start : start + 3]), strict=True):
        i, j = VOIGT.index(label[:2]), VOIGT.index(label[2:])
        D[i, j] = D[j, i] = value
    assert lines[start + 3] == "*DENSITY"
    return D, float(lines[start + 4])


@pytest.mark.parametrize(("write", "kind"), [(abaqus_card, "ANISOTROPIC"), (calculix_card, "ANISO")])
def test_abaqus_and_calculix_read_the_same_stiffness(C, write, kind):
    card = write(C, 2.7, "any name")
    D, density = read_abaqus(card, kind)
    assert pytest.approx(D, rel=1e-8, abs=1e-6) == 1000 * C
    assert density == pytest.approx(2.7e-9)
    assert "*MATERIAL,NAME=ANY-NAME\n" in card


def test_numbers_fit_the_fields_of_calculix(C):
    """Its reader takes 20 characters of a number and 132 of a line."""
    for line in calculix_card(1e-3 * C, 0.0123).splitlines():
        assert len(line) <= 132
        assert line.startswith("*") or all(len(number) <= 20 for number in line.split(","))


def test_ansys_reads_the_same_stiffness(C):
    lines = ansys_card(C, 7.85).splitlines()
    assert "TB,ANEL,MATID,1,21,0" in lines
    constants = {}
    for line in lines:
        if line.startswith("TBDATA"):
            _, first, *values = line.split(",")
            assert len(values) <= 6  # that is what TBDATA takes
            constants |= {int(first) + n: float(value) for n, value in enumerate(values)}
    assert sorted(constants) == list(range(1, 22))
    D = np.zeros((6, 6))
    places = [(row, column) for row in range(6) for column in range(row, 6)]
    for number, (row, column) in enumerate(places, start=1):
        i, j = VOIGT.index(ANSYS_COMPONENTS[row]), VOIGT.index(ANSYS_COMPONENTS[column])
        D[i, j] = D[j, i] = constants[number]
    assert pytest.approx(D, rel=1e-8, abs=1e-6) == 1000 * C
    assert lines[-1] == "MP,DENS,MATID,7.85e-09"


@pytest.mark.parametrize("write", [abaqus_card, calculix_card, ansys_card])
def test_a_card_says_its_units_and_holds_no_foreign_command(C, write):
    hostile = "Nice\n*INCLUDE,INPUT=/etc/passwd\n/SYS,rm ✓"
    card = write(C, 1.0, hostile, [hostile])
    assert "MPa" in card and "t/mm3" in card
    assert card.isascii()
    commands = [line for line in card.splitlines() if not line.startswith(("**", "!"))]
    assert not any("INCLUDE" in line.replace("NAME=", "") and line.startswith("*INC") for line in commands)
    assert not any(line.startswith("/") for line in commands)


@pytest.mark.parametrize(
    ("change", "density", "words"),
    [
        (lambda C: C[:3, :3], 1.0, "\\(6, 6\\)"),
        (lambda C: -C, 1.0, "positive definite"),
        (lambda C: C + np.triu(np.ones((6, 6)), 1), 1.0, "symmetric"),
        (lambda C: C * np.nan, 1.0, "finite"),
        (lambda C: C, 0.0, "density"),
        (lambda C: C, float("nan"), "density"),
    ],
)
def test_what_is_no_stiffness_is_refused(C, change, density, words):
    with pytest.raises(ExportError, match=words):
        abaqus_card(change(C), density)


@pytest.mark.parametrize(
    ("text", "name"), [("design-03", "DESIGN-03"), ("3 layers", "M-3-LAYERS"), ("", "M"), ("é,x", "E-X")]
)
def test_names_of_materials(text, name):
    assert material_name(text).startswith(name)


EXPANSION = (8.0, 9.0, 10.0, 1.0, -2.0, 3.0)  # 1e-6/K, xx yy zz yz xz xy, engineering shear
CONDUCTIVITY = np.array([[180.0, 4.0, 5.0], [4.0, 200.0, 6.0], [5.0, 6.0, 220.0]])  # W/(m K)


def after(card: str, keyword: str) -> list[float]:
    lines = card.splitlines()
    return numbers([lines[lines.index(keyword) + 1]])


def test_heat_is_in_the_order_of_each_program(C):
    """As the manuals list it; of CalculiX's conductivity, on which the manual is silent, as the program takes it."""
    heat = Heat(EXPANSION, CONDUCTIVITY)
    abaqus, calculix, ansys = (write(C, 2.7, heat=heat) for write in (abaqus_card, calculix_card, ansys_card))
    assert after(calculix, "*EXPANSION,TYPE=ANISO") == pytest.approx([8e-6, 9e-6, 1e-5, 1.5e-6, -1e-6, 0.5e-6])
    assert after(calculix, "*CONDUCTIVITY,TYPE=ANISO") == [180, 200, 220, 4, 5, 6]
    assert after(abaqus, "*CONDUCTIVITY,TYPE=ANISO") == [180, 4, 200, 5, 6, 220]
    assert after(abaqus, "*EXPANSION,TYPE=ORTHO") == pytest.approx([8e-6, 9e-6, 1e-5])
    assert "expansion that are left out (of the tensor): yz 5e-07, xz -1e-06, xy 1.5e-06" in abaqus
    commands = dict(line.rsplit(",", 1) for line in ansys.splitlines() if line.startswith("MP,"))
    assert [float(commands[f"MP,{label},MATID"]) for label in ("ALPX", "ALPY", "ALPZ")] == [8e-6, 9e-6, 1e-5]
    assert [float(commands[f"MP,{label},MATID"]) for label in ("KXX", "KYY", "KZZ")] == [180, 200, 220]
    assert ansys.count("left out") == 2


def test_what_couples_no_axes_is_orthotropic_and_what_is_unknown_is_not_told(C):
    heat = Heat((8.0, 9.0, 10.0, 1e-4, 0.0, 0.0), np.diag([1.0, 2.0, 3.0]))
    for write in (abaqus_card, calculix_card):
        card = write(C, 2.7, heat=heat)
        assert after(card, "*EXPANSION,TYPE=ORTHO") == [8e-6, 9e-6, 1e-5]
        assert after(card, "*CONDUCTIVITY,TYPE=ORTHO") == [1, 2, 3]
        assert "left out" not in card
        for keyword in ("*EXPANSION", "*CONDUCTIVITY"):
            assert f"\n{keyword}" not in write(C, 2.7)
    with pytest.raises(ExportError, match="conductivity is not positive"):
        ansys_card(C, 1.0, heat=Heat(None, np.diag([1.0, 0.0, 1.0])))
    with pytest.raises(ExportError, match="expansion is not finite"):
        abaqus_card(C, 1.0, heat=Heat([np.nan] * 6))


CORNERS = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)])


def brick(C, heat: Heat) -> str:
    """One element of the card's material."""
    nodes = "".join(f"{n + 1},{x},{y},{z}\n" for n, (x, y, z) in enumerate(CORNERS))
    model = f"*NODE,NSET=NALL\n{nodes}*ELEMENT,TYPE=C3D8,ELSET=EALL\n1,1,2,3,4,5,6,7,8\n"
    return f"{model}{calculix_card(C, 1.0, 'CELL', heat=heat)}*SOLID SECTION,ELSET=EALL,MATERIAL=CELL\n"


def calculix(folder, deck: str) -> list[list[float]]:
    """The numbers that CalculiX prints, line by line."""
    (folder / "cell.inp").write_text(deck)
    subprocess.run(["ccx", "cell"], cwd=folder, check=True, capture_output=True, timeout=60)
    rows = [line.split() for line in (folder / "cell.dat").read_text().splitlines()]
    return [[float(number) for number in row] for row in rows if row and row[0].isdigit()]


@pytest.mark.skipif(shutil.which("ccx") is None, reason="CalculiX is not installed")
def test_calculix_expands_a_free_cube_and_conducts_as_the_card_says(C, tmp_path):
    """One brick heated by a kelvin, then three gradients of temperature."""
    model = brick(C, Heat(EXPANSION, CONDUCTIVITY))
    deck = "*INITIAL CONDITIONS,TYPE=TEMPERATURE\nNALL,0.\n*STEP\n*STATIC\n*BOUNDARY\n1,1,3\n2,2,3\n4,3\n"
    rows = calculix(tmp_path, f"{model}{deck}*TEMPERATURE\nNALL,1.\n*NODE PRINT,NSET=NALL\nU\n*END STEP\n")
    moved = np.array(rows)[:, 1:]
    xx, yy, zz, yz, xz, xy = 1e-6 * np.array(EXPANSION)
    # Nodes 1, 2 and 4 are held so that the cube does not turn: edges stay in their planes.
    assert moved[1] == pytest.approx([xx, 0, 0], rel=1e-5, abs=1e-11)
    assert moved[3] == pytest.approx([xy, yy, 0], rel=1e-5, abs=1e-11)
    assert moved[4] == pytest.approx([xz, yz, zz], rel=1e-5, abs=1e-11)
    for direction in range(3):
        held = "".join(f"{n + 1},11,11,{corner[direction]}\n" for n, corner in enumerate(CORNERS))
        step = f"*STEP\n*HEAT TRANSFER,STEADY STATE\n*BOUNDARY\n{held}*EL PRINT,ELSET=EALL\nHFL\n*END STEP\n"
        for row in calculix(tmp_path, model + step):
            assert row[2:5] == pytest.approx(-CONDUCTIVITY[direction], rel=1e-5)


@pytest.mark.skipif(shutil.which("ccx") is None, reason="CalculiX is not installed")
def test_calculix_computes_the_stress_that_the_stiffness_gives(C, tmp_path):
    """One brick under each unit strain in turn, by the program the card is for."""
    model = brick(C, Heat())
    strain = 1e-3
    for component, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        tensor = np.zeros((3, 3))
        tensor[i, j] += strain / 2
        tensor[j, i] += strain / 2
        moved = CORNERS @ tensor
        held = "".join(f"{n + 1},{d + 1},{d + 1},{moved[n, d]:.9g}\n" for n in range(8) for d in range(3))
        (tmp_path / "cell.inp").write_text(
            f"{model}*STEP\n*STATIC\n*BOUNDARY\n{held}*EL PRINT,ELSET=EALL\nS\n*END STEP\n"
        )
        subprocess.run(["ccx", "cell"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
        rows = [line.split() for line in (tmp_path / "cell.dat").read_text().splitlines()]
        xx, yy, zz, xy, xz, yz = next(
            [float(number) for number in row[2:8]] for row in rows if row[:1] == ["1"] and len(row) >= 8
        )
        assert np.array([xx, yy, zz, yz, xz, xy]) / strain == pytest.approx(1000 * C[:, component], rel=1e-4, abs=1)
