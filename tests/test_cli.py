"""The command line: right numbers, clean streams, clear errors. Physics of the stages is tested elsewhere."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from typer.testing import CliRunner

from relaxdesign import __version__
from relaxdesign.cli import app
from relaxdesign.events import DesignEvent, FinishedEvent
from relaxdesign.fields_io import load_field
from relaxdesign.request import DesignRequest
from relaxdesign.result import Design, DesignResult, StageBulk
from tests.scripted_study import scripted_study

EVALUATE_KEYS = {"K", "G", "E", "nu", "C", "density", "bounds", "iterations", "residual", "boundary", "seconds"}


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def scripted(monkeypatch):
    """Replaces the study by a script, for tests of what the command makes of its events."""

    def use(run=None):
        monkeypatch.setattr("relaxdesign.study.run", run or scripted_study())

    return use


def ended(request, designs, status):
    return DesignResult(request, tuple(designs), status, 1.0, "scripted", 9, datetime.now(UTC), "0.0")


def save_field(path, E, nu, **more):
    np.savez(path, E=np.asarray(E, float), nu=np.asarray(nu, float), **more)
    return path


@pytest.fixture
def laminate(tmp_path):
    """Layers normal to z, E 1 and 100 GPa in equal shares, nu 0.3."""
    E = np.ones((2, 2, 4))
    E[..., 2:] = 100
    return save_field(tmp_path / "laminate.npz", E, np.full(E.shape, 0.3))


def assert_one_clear_error(result, *words, code=2):
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("Error") == 1
    for word in words:
        assert word in " ".join(result.stderr.split())


# ---- the frame -------------------------------------------------------------------------------------


def test_version_and_help_are_quick_and_do_not_load_torch():
    code = (
        "import sys; from relaxdesign.cli import app\n"
        "try: app(['--version'])\n"
        "except SystemExit as end: print(end.code)\n"
        "print('torch' in sys.modules or 'vtkmodules' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["relaxdesign", __version__, "0", "False"]


@pytest.mark.parametrize("command", ["design", "evaluate", "sample", "train", "materials"])
def test_every_command_explains_itself(cli, command):
    result = cli(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_defaults_are_those_of_the_request():
    from relaxdesign.cli.design import design

    fields = DesignRequest.model_fields
    for name, parameter in inspect.signature(design).parameters.items():
        if name in fields and name != "target_bulk":
            assert (parameter.default or None) == (fields[name].default or None), name


def test_training_defaults_are_those_of_the_configuration():
    from relaxdesign.cli.train import train
    from relaxdesign.prior.training import TrainingConfig

    defaults = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()}
    config = TrainingConfig()
    for name in ("grid", "steps", "batch", "learning_rate", "seed", "device"):
        assert defaults[name] == getattr(config, name), name
    assert defaults["widths"] == ",".join(map(str, config.network.widths))
    assert (defaults["dim"], defaults["patch"]) == (config.network.dim, config.network.patch)


# ---- evaluate --------------------------------------------------------------------------------------


def test_evaluate_a_homogeneous_cell(cli, tmp_path):
    shape = (3, 4, 5)
    path = save_field(tmp_path / "f.npz", np.full(shape, 70.0), np.full(shape, 0.33), rho=np.full(shape, 2.7))
    result = cli("evaluate", path, "--json", "--gradient", "g.npz")
    report = json.loads(result.stdout)
    assert set(report) == EVALUATE_KEYS
    K = 70 / (3 * (1 - 2 * 0.33))
    assert report["K"] == pytest.approx(K, rel=1e-10)
    assert report["G"] == pytest.approx(70 / (2 * 1.33), rel=1e-10)
    assert (report["E"], report["nu"]) == pytest.approx((70, 0.33), rel=1e-9)
    assert report["density"] == pytest.approx(2.7)
    assert set(report["bounds"]) == {"voigt", "reuss", "hs_lower", "hs_upper"}
    assert list(report["bounds"].values()) == pytest.approx([K] * 4)
    assert report["boundary"] == "periodic"
    # Every voxel has the same share: dK/dE = K / (E N), dK/dnu = 2K / ((1 - 2 nu) N).
    with np.load(tmp_path / "g.npz") as gradient:
        assert gradient["dK_dE"] == pytest.approx(np.full(shape, K / 70 / 60), rel=1e-8)
        assert gradient["dK_dnu"] == pytest.approx(np.full(shape, 2 * K / 0.34 / 60), rel=1e-8)


def test_evaluate_a_laminate(cli, laminate):
    report = json.loads(cli("evaluate", laminate, "--json").stdout)
    C = np.array(report["C"])
    E, nu = np.array([1.0, 100.0]), 0.3
    G, C33 = E / 2 / (1 + nu), E * (1 - nu) / (1 + nu) / (1 - 2 * nu)
    # Backus 1962: harmonic means across the layers, arithmetic ones of the shear along them.
    assert C[2, 2] == pytest.approx(1 / np.mean(1 / C33), rel=1e-8)
    assert C[3, 3] == pytest.approx(1 / np.mean(1 / G), rel=1e-8)
    assert C[5, 5] == pytest.approx(np.mean(G), rel=1e-8)
    assert report["K"] == pytest.approx(C[:3, :3].sum() / 9, rel=1e-12)
    assert report["bounds"]["reuss"] < report["K"] < report["bounds"]["voigt"]
    assert report["density"] is None


def test_evaluate_bulk_alone_agrees(cli, laminate, tmp_path):
    full = json.loads(cli("evaluate", laminate, "--json", "--gradient", "full.npz").stdout)
    bulk = json.loads(cli("evaluate", laminate, "--json", "--only", "bulk", "--gradient", "bulk.npz").stdout)
    assert set(bulk) == EVALUATE_KEYS - {"C"}
    assert bulk["K"] == pytest.approx(full["K"], rel=1e-9)
    assert bulk["iterations"] < full["iterations"]
    with np.load(tmp_path / "full.npz") as one, np.load(tmp_path / "bulk.npz") as other:
        for name in ("dK_dE", "dK_dnu"):
            assert one[name] == pytest.approx(other[name], rel=1e-6)


def test_the_gradient_is_the_derivative(cli, tmp_path):
    rng = np.random.default_rng(3)
    E, nu = rng.uniform(1, 50, (3, 3, 3)), rng.uniform(0.1, 0.4, (3, 3, 3))
    tight = ("--json", "--only", "bulk", "--tol", "1e-11")
    cli("evaluate", save_field(tmp_path / "f.npz", E, nu), *tight, "--gradient", "g.npz")
    direction = {"E": rng.standard_normal(E.shape), "nu": 0.1 * rng.standard_normal(E.shape)}
    with np.load(tmp_path / "g.npz") as gradient:
        predicted = (gradient["dK_dE"] * direction["E"] + gradient["dK_dnu"] * direction["nu"]).sum()
    step = 1e-4
    high, low = (
        json.loads(
            cli(
                "evaluate",
                save_field(tmp_path / "f.npz", E + sign * step * direction["E"], nu + sign * step * direction["nu"]),
                *tight,
            ).stdout
        )["K"]
        for sign in (1, -1)
    )
    assert (high - low) / (2 * step) == pytest.approx(predicted, rel=1e-6)


def test_evaluate_prints_a_table_for_people(cli, laminate):
    result = cli("evaluate", laminate)
    assert result.exit_code == 0
    assert "bulk modulus K" in result.stdout
    assert "periodic" in result.stdout


def test_evaluate_refuses_what_it_cannot_use(cli, tmp_path, laminate):
    assert_one_clear_error(cli("evaluate", "gone.npz"), "gone.npz", "no such file")
    ones = np.ones((2, 2, 2))
    assert_one_clear_error(cli("evaluate", save_field(tmp_path / "a.npz", -ones, 0.3 * ones)), "E is -1.0", "(0, 0, 0)")
    assert_one_clear_error(cli("evaluate", save_field(tmp_path / "b.npz", ones, 0.5 * ones)), "nu is 0.5")
    assert_one_clear_error(cli("evaluate", save_field(tmp_path / "c.npz", ones, ones[:1])), "make them the same")
    assert_one_clear_error(cli("evaluate", laminate, "--boundary", "glued"), "glued", "periodic")
    assert_one_clear_error(cli("evaluate", laminate, "--tol", "2"), "tol is 2")
    assert_one_clear_error(cli("evaluate", laminate, "--gradient", "g.txt"), "must end in .npz")
    assert_one_clear_error(cli("evaluate", laminate, "--gradient", "gone/g.npz"), "gone/g.npz", "No such file")
    assert_one_clear_error(cli("evaluate", laminate, "--only", "shear"), "bulk")


# ---- design: what the command makes of the study's events ------------------------------------------


def test_design_writes_its_files_and_prints_a_table(cli, scripted, tmp_path):
    scripted()
    result = cli("design", "--target-bulk", 100, "--count", 3, "--out", "out", "--cell-size", 2, "--thickness", 0.5)
    assert result.exit_code == 0, result.output
    for text in ("Silicon carbide", "realised", "+0.20 %", "2 of 3 within 1 %", "1 different material pair", "out"):
        assert text in result.stdout
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [design["ok"] for design in record["designs"]] == [True, False, True]
    assert record["designs"][0]["files"]["stl"] == "design-00/design.stl"
    assert load_field(tmp_path / "out" / "design-02" / "design.vti").E.shape == (16, 16, 1)


def test_design_json_is_json_and_nothing_else(cli, scripted):
    scripted()
    result = cli("design", "--target-bulk", 100, "--count", 2, "--out", "out", "--json")
    record = json.loads(result.stdout)
    assert record["request"]["target_bulk"] == 100
    first = record["designs"][0]
    assert {"matrix", "particle", "volume_fraction", "diameter", "K", "density", "bounds", "files"} <= set(first)
    assert set(first["K"]) == {"relaxed", "projected", "snapped", "refined", "realised"}
    assert all(os.path.isfile(path) for path in first["files"].values())
    assert "Denoising" in result.stderr


def test_design_passes_every_option_on(cli, scripted, tmp_path):
    seen = {}

    def run(request, *, catalogue=None, cancel):
        seen.update(request=request, catalogue=catalogue)
        yield from scripted_study()(request, cancel=cancel)

    scripted(run)
    (tmp_path / "own.csv").write_text("id,name,E_GPa,nu,rho_g_cm3\na,A,3,0.3,1.2\nb,B,300,0.2,3\n")
    result = cli(
        *("design", "--target-bulk", 50, "--dim", 3, "--count", 2, "--steps", 4, "--seed", 7, "--density-weight", 0.5),
        *("--category", "metal", "--category", "glass", "--exclude", "a", "--flagged", "--prior", "mine"),
        *("--materials", "own.csv"),
    )
    assert result.exit_code == 0, result.output
    assert seen["request"] == DesignRequest(
        target_bulk=50, dim=3, count=2, steps=4, seed=7, density_weight=0.5, categories=("metal", "glass"),
        exclude=("a",), flagged=True, prior="mine",
    )  # fmt: skip
    assert [material.id for material in seen["catalogue"].materials] == ["a", "b"]
    assert (tmp_path / "runs" / "bulk-50-3d-seed-7" / "result.json").exists()


def test_a_second_run_replaces_the_first(cli, scripted, tmp_path):
    scripted()
    cli("design", "--target-bulk", 100, "--count", 3, "--out", "out")
    cli("design", "--target-bulk", 100, "--count", 1, "--out", "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["design-00", "result.json"]


@pytest.mark.parametrize("at", ["step", "design"])
def test_ctrl_c_keeps_what_there_is(cli, scripted, tmp_path, at):
    def run(request, *, catalogue=None, cancel):
        designs = []
        for event in scripted_study()(request, cancel=cancel):
            yield event
            if isinstance(event, DesignEvent):
                designs.append(event.design)
                if at == "design":
                    os.kill(os.getpid(), signal.SIGINT)
            elif at == "step":
                os.kill(os.getpid(), signal.SIGINT)
            if cancel():
                yield FinishedEvent(ended(request, designs, "cancelled"))
                return

    scripted(run)
    before = signal.getsignal(signal.SIGINT)
    result = cli("design", "--target-bulk", 100, "--count", 3, "--out", "out", "--json")
    assert result.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before
    record = json.loads(result.stdout)
    assert record["status"] == "cancelled"
    assert len(record["designs"]) == (1 if at == "design" else 0)
    assert json.loads((tmp_path / "out" / "result.json").read_text())["status"] == "cancelled"


def test_no_design_at_all_is_exit_code_1(cli, scripted):
    def run(request, *, catalogue=None, cancel):
        failed = Design(0, request.target_bulk, StageBulk(), "No two phases were found.")
        yield FinishedEvent(ended(request, [failed], "finished"))

    scripted(run)
    result = cli("design", "--target-bulk", 100, "--count", 1, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["designs"][0]["ok"] is False
    assert "no design was realised. No two phases were found." in " ".join(result.stderr.split())


def test_design_refuses_what_it_cannot_use(cli, scripted, tmp_path):
    scripted()
    assert_one_clear_error(cli("design", "--target-bulk", "-3", "--dim", 4), "--target-bulk", "greater than 0", "--dim")
    assert_one_clear_error(cli("design", "--target-bulk", "nan"), "--target-bulk", "finite")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--cell-size", 0), "cell size is 0.0 mm")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--dim", 3, "--thickness", 1), "2D cells")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--materials", "gone.csv"), "gone.csv", "No such file")
    (tmp_path / "bad.csv").write_text("id,name,E_GPa,nu,rho_g_cm3\na,A,-3,0.3,1.2\n")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--materials", "bad.csv"), "line 2 (a)", "E_GPa is -3")
    (tmp_path / "file").write_text("")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--out", "file"), "file", "exists")
    assert not (tmp_path / "runs").exists()


def test_design_refuses_unreachable_targets_and_unknown_priors(cli):
    """The real study, up to the point where it would start to work."""
    assert_one_clear_error(cli("design", "--target-bulk", 599, "--prior", "gone"), "599 GPa is out of reach")
    assert_one_clear_error(cli("design", "--target-bulk", 50, "--prior", "gone"), "no prior at gone")
    assert_one_clear_error(cli("design", "--target-bulk", 50, "--category", "cheese"), "cheese")
    assert_one_clear_error(cli("design", "--target-bulk", 50, "--exclude", "cheese"), "cheese")


def test_a_small_design_with_the_shipped_prior(cli, tmp_path):
    """From a target to files, nothing replaced: what is in the VTI has the bulk modulus that was reported."""
    result = cli("design", "--target-bulk", 60, "--count", 2, "--steps", 10, "--seed", 1, "--out", "out", "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    realised = [design for design in record["designs"] if design["ok"]]
    assert realised
    for design in realised:
        assert design["bounds"]["reuss"] <= design["K"]["realised"] <= design["bounds"]["voigt"]
        again = json.loads(cli("evaluate", design["files"]["vti"], "--only", "bulk", "--json").stdout)
        assert again["K"] == pytest.approx(design["K"]["realised"], rel=1e-6)
        assert again["density"] == pytest.approx(design["density"], rel=1e-6)
    assert min(abs(design["error"]) for design in realised) < 0.05


# ---- train, sample, materials ----------------------------------------------------------------------


def test_a_prior_is_trained_resumed_and_sampled(cli, tmp_path):
    small = ("--grid", 8, "--widths", "8,16", "--batch", 4, "--out", "p", "--name", "tiny", "--device", "cpu")
    result = cli("train", "--steps", 2, *small)
    assert result.exit_code == 0, result.output
    assert "tiny.safetensors" in result.stderr
    assert cli("train", "--steps", 3, "--resume", *small).exit_code == 0
    assert json.loads((tmp_path / "p" / "tiny.json").read_text())["steps_trained"] == 3

    sampling = ("sample", "--prior", "p/tiny.safetensors", "--count", 3, "--steps", 2)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        result = cli(*sampling, "--seed", seed, "--out", f"{name}.npz")
        assert result.exit_code == 0, result.output
    fields = {name: np.load(tmp_path / f"{name}.npz") for name in "abc"}
    for name in ("E", "nu", "rho"):
        assert fields["a"][name].shape == (3, 8, 8, 1)
        assert np.isfinite(fields["a"][name]).all()
    assert np.array_equal(fields["a"]["E"], fields["b"]["E"])
    assert not np.array_equal(fields["a"]["E"], fields["c"]["E"])


def test_training_refuses_what_it_cannot_use(cli):
    assert_one_clear_error(cli("train", "--resume", "--out", "gone"), "nothing to resume")
    assert_one_clear_error(cli("train", "--widths", "8,x"), "--widths", "multiples of 8")
    assert_one_clear_error(cli("train", "--grid", 30), "divisible")


def test_sampling_refuses_what_it_cannot_use(cli):
    assert_one_clear_error(cli("sample", "--out", "x.npy"), "must end in .npz")
    assert_one_clear_error(cli("sample", "--out", "x.npz", "--prior", "gone"), "no prior at gone")


def test_materials_are_listed(cli):
    listed = json.loads(cli("materials", "--json").stdout)
    assert len(listed) >= 300
    assert all(material["young"] > 0 and not material["flag"] for material in listed)
    assert len(json.loads(cli("materials", "--json", "--flagged").stdout)) > len(listed)
    category = listed[0]["category"]
    assert cli("materials", "--category", category).stdout.count(category) > 1
    assert_one_clear_error(cli("materials", "--category", "cheese"), "cheese")
