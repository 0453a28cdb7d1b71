"""The command line: right numbers, clean streams, clear errors. Physics of the stages is tested elsewhere."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from relaxdesign import __version__
from relaxdesign.io.fields import load_field
from relaxdesign.library import Catalogues, Leases, Store, Viewer
from relaxdesign.library.replay import Replays
from relaxdesign.study.events import DesignEvent, FinishedEvent
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, DesignResult
from tests.command_line import assert_one_clear_error
from tests.scripted_study import scripted_design, scripted_step, scripted_study


@pytest.fixture
def scripted(monkeypatch):
    """Replaces the study by a script, for tests of what the command makes of its events."""

    def use(run=None):
        monkeypatch.setattr("relaxdesign.study.run.run", run or scripted_study())

    return use


@pytest.fixture
def library(cli) -> Store:
    """The one that the command uses."""
    return Store()


def ended(request, designs, status):
    return DesignResult(request, tuple(designs), status, 1.0, "scripted", 9, datetime.now(UTC), "0.0")


# ---- the frame -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["campaign", "map.yaml"],
        ["evaluate", ".", "--out", "table.parquet"],
        ["protocol", "--quick", "--work", "work", "--out", "docs"],
    ],
)
def test_a_missing_extra_is_named(cli, monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "distributed", None)
    for name in [name for name in sys.modules if name.startswith("relaxdesign.campaign")]:
        monkeypatch.delitem(sys.modules, name)
    assert_one_clear_error(cli(*command), 'pip install "relaxdesign[campaign]"', "distributed is missing", code=1)


def test_protocol_names_a_case_when_none_matches(cli, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "relaxdesign.validation.cases.targets", lambda dim, cache: {"K": {"0.05": 5, "0.5": 50, "0.95": 90}}
    )
    result = cli("protocol", "--quick", "--match", "4d", "--work", str(tmp_path))
    assert_one_clear_error(result, "--match", "'4d'", "range-guided-2d-q5")


def test_protocol_of_shapes_says_what_it_lacks(cli, tmp_path):
    bones = cli("protocol", "--family", "free-form", "--only", "bones", "--work", str(tmp_path))
    assert_one_clear_error(bones, "--bones")
    unknown = cli("protocol", "--family", "free-form", "--only", "range", "--work", str(tmp_path))
    assert_one_clear_error(unknown, "unknown range", "held-out", "auxetic")
    assert_one_clear_error(cli("protocol", "--family", "fibres", "--work", str(tmp_path)), "'fibres'", "free-form")


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


def test_training_defaults_are_those_of_the_configuration():
    from relaxdesign.cli.train import train
    from relaxdesign.prior.training import TrainingConfig

    defaults = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()}
    config = TrainingConfig()
    for name in ("grid", "steps", "batch", "learning_rate", "seed", "device"):
        assert defaults[name] == getattr(config, name), name
    assert defaults["widths"] == ",".join(map(str, config.network.widths))
    assert (defaults["dim"], defaults["patch"]) == (config.network.dim, config.network.patch)


# ---- design: what the command makes of the study's events ------------------------------------------


def test_design_writes_its_files_and_prints_a_table(cli, scripted, tmp_path):
    scripted()
    result = cli("design", "--target-bulk", 100, "--count", 3, "--out", "out", "--cell-size", 2, "--thickness", 0.5)
    assert result.exit_code == 0, result.output
    for text in ("Silicon carbide", "realised", "+0.20 %", "2 of 3 within 1 %", "1 different material pair", "out"):
        assert text in result.stdout
    assert "02: No two phases" in result.stdout and "│ 03 │" in result.stdout, "as the folders are numbered"
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [design["ok"] for design in record["designs"]] == [True, False, True]
    assert record["designs"][0]["files"]["stl"] == "design-01/design.stl"
    assert load_field(tmp_path / "out" / "design-03" / "design.vti").E.shape == (16, 16, 1)


def test_what_is_missed_is_told_while_it_runs():
    """One target is met at the cost of the other: no number alone may pass for both."""
    from relaxdesign.cli.showing import _step_note

    request = DesignRequest(objectives=[parse_objective("K = 100"), parse_objective("density <= 2")], count=2, steps=4)
    step = scripted_step(DesignRequest(target_bulk=100, count=2, steps=4), 1)
    values = {"K": np.array([100.0, 81.0]), "density": np.array([2.84, 2.6])}
    note = _step_note(replace(step, values=values), request)
    assert note == "K 81…100 GPa, best off: K -19.0 %, density +30.0 %"
    lost = {name: np.full(2, np.nan) for name in values}
    assert _step_note(replace(step, values=lost), request) == ""


def test_the_table_and_the_lines_below_it_tell_what_is_missed(capsys):
    from relaxdesign.cli.showing import print_result

    objectives = parse_objective("K = 100"), parse_objective("density <= 2")
    values = {"K": 99.5, "density": 2.84}
    off = replace(scripted_design(0), objectives=objectives, stages={"realised": values}, properties=values)
    request = DesignRequest(objectives=objectives, count=8)
    print_result(ended(request, [off] * 8, "finished"))
    told = capsys.readouterr().out
    assert "density +42.00 %" in told and "\n0 of 8 within 1 % of all targets" in told
    assert "\nNone of 8 designs meets both K = 100 GPa and density ≤ 2 g/cm³: density +42 %; candidates" in told
    assert "Pareto" not in told, "said once"


def test_design_json_is_json_and_nothing_else(cli, scripted):
    scripted()
    result = cli("design", "--target-bulk", 100, "--count", 2, "--out", "out", "--json")
    record = json.loads(result.stdout)
    assert record["request"]["objectives"][0] == {
        "quantity": "K", "sense": "reach", "low": 100, "high": 100, "weight": 1, "scale": None,
    }  # fmt: skip
    first = record["designs"][0]
    assert record["schema_version"] == 2
    assert {"family", "phases", "parameters", "stages", "properties", "bounds", "files"} <= set(first)
    assert set(first["stages"]) == {"relaxed", "projected", "snapped", "refined", "realised"}
    assert all(os.path.isfile(path) for path in first["files"].values())
    assert "Denoising" in result.stderr


def test_design_passes_every_option_on(cli, scripted, tmp_path):
    seen = {}

    def run(request, *, cancel, finished=()):
        seen.update(request=request)
        yield from scripted_study()(request, cancel=cancel)

    scripted(run)
    own = "id,name,E_GPa,nu,rho_g_cm3\na,A,3,0.3,1.2\nb,B,300,0.2,3\n"
    (tmp_path / "own.csv").write_text(own)
    result = cli(
        *("design", "--target-bulk", 50, "--dim", 3, "--count", 2, "--steps", 4, "--seed", 7, "--density-weight", 0.5),
        *("--category", "metal", "--category", "glass", "--exclude", "a", "--flagged", "--prior", "mine"),
        *("--materials", "own.csv", "--same-pairs", "--guidance", "mean=0.5", "--guidance", "recurrence = 2"),
        *("--sampler", "ddim"),
    )
    assert result.exit_code == 0, result.output
    assert seen["request"] == DesignRequest(
        target_bulk=50, dim=3, count=2, steps=4, seed=7, density_weight=0.5, categories=("metal", "glass"),
        exclude=("a",), flagged=True, prior="mine", materials_csv=own, distinct=False,
        guidance=GuidanceSettings(mean=0.5, recurrence=2, sampler="ddim"),
    )  # fmt: skip
    assert (tmp_path / "runs" / "K-50-3d-seed-7" / "result.json").exists()
    (tmp_path / "r.json").write_text('{"target_bulk": 60, "count": 1, "steps": 3}')
    assert cli("design", "--request", "r.json", "--materials", "own.csv").exit_code == 0
    assert seen["request"] == DesignRequest(target_bulk=60, count=1, steps=3, materials_csv=own)


def test_options_replace_fields_of_a_request_file(cli, scripted, tmp_path):
    seen = {}

    def run(request, *, cancel, finished=()):
        seen.update(request=request)
        yield from scripted_study()(request, cancel=cancel)

    scripted(run)
    filed = DesignRequest(
        target_bulk=60, count=2, steps=3, seed=1, distinct=False, flagged=True, exclude=("epoxy-unfilled",),
        guidance=GuidanceSettings(mean=0.5, recurrence=2),
    )  # fmt: skip
    (tmp_path / "r.json").write_text(filed.model_dump_json())
    assert cli("design", "--request", "r.json", "--out", "out").exit_code == 0
    assert seen["request"] == filed, "options that are not given leave the file's fields as they are"
    # The defaults too replace a field where they are given.
    result = cli(
        *("design", "--request", "r.json", "--seed", 5, "--count", 8, "--no-flagged", "--distinct", "--out", "out"),
        *("--exclude", "alumina-ad-995", "--sampler", "ddim", "--guidance", "mean=0.7"),
    )
    assert result.exit_code == 0, result.output
    assert seen["request"] == filed.model_copy(
        update={
            "seed": 5, "count": 8, "flagged": False, "distinct": True, "exclude": ("alumina-ad-995",),
            "guidance": GuidanceSettings(mean=0.7, recurrence=2, sampler="ddim"),
        }
    )  # fmt: skip
    assert_one_clear_error(cli("design", "--request", "r.json", "--steps", 1), "steps: ", "got 1")


def test_a_second_run_replaces_the_first(cli, scripted, tmp_path):
    scripted()
    cli("design", "--target-bulk", 100, "--count", 3, "--out", "out")
    cli("design", "--target-bulk", 100, "--count", 1, "--out", "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["design-01", "result.json"]


def test_design_enters_the_library(cli, scripted, library):
    scripted()
    done = cli("design", "--target-bulk", 100, "--count", 3, "--steps", 4, "--out", "out")
    (run,) = library.list_runs()
    assert f"relaxdesign export {run.id}" in done.stdout
    assert (run.status, run.design_count, run.request.count) == ("finished", 2, 3)
    assert library.curves(run.id).step == [1, 2, 3, 4]
    assert [frame.step for frame in Replays.beside(library.engine.url).open(run.id)] == [1, 2, 3, 4]
    assert library.designs(run.id)[0].to_dict() == scripted_design(0, 100.0).to_dict()
    left_out = cli("design", "--target-bulk", 100, "--count", 1, "--no-library", "--json")
    assert json.loads(left_out.stdout)["run"] is None and library.count_runs() == 1
    assert json.loads(cli("design", "--target-bulk", 100, "--count", 1, "--json").stdout)["run"] != run.id
    assert library.count_runs() == 2


def test_a_library_that_fails_costs_no_design(cli, scripted, library, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    scripted()
    with monkeypatch.context() as patch:
        patch.setattr("relaxdesign.library.Store.save_design", full)
        late = cli("design", "--target-bulk", 100, "--count", 3, "--out", "late")
    monkeypatch.setenv("RELAXDESIGN_DB", "no database")
    never = cli("design", "--target-bulk", 100, "--count", 3, "--out", "never")
    for result, folder, why in ((late, "late", "No space left"), (never, "never", "RELAXDESIGN_DB")):
        assert result.exit_code == 0, result.output
        assert result.stderr.count("Not kept in the library") == 1 and why in result.stderr
        assert "relaxdesign export" not in result.stdout
        assert load_field(tmp_path / folder / "design-03" / "design.vti").E.shape == (16, 16, 1)


def test_a_library_that_cannot_be_written_any_more_leaves_no_run_that_seems_to_be_computed(
    cli, scripted, library, monkeypatch
):
    def full(*_, **__):
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    scripted()
    with monkeypatch.context() as patch:
        patch.setattr("relaxdesign.library.Store.save_design", full)
        ended = cli("design", "--target-bulk", 100, "--count", 3, "--out", "ended")
        patch.setattr("relaxdesign.library.Store.end", full)
        never = cli("design", "--target-bulk", 100, "--count", 3, "--out", "never")
    assert ended.exit_code == never.exit_code == 0, ended.output + never.output
    assert "make room on its disk" in ended.stderr and "could not be ended" not in ended.stderr
    second, first = library.list_runs()
    assert first.status == "failed" and "database or disk is full" in first.error
    assert f"relaxdesign resume {second.id}" in never.stderr and "within a minute" in never.stderr
    later = Store(library.engine.url.render_as_string(), clock=lambda: datetime(2100, 1, 1))
    assert later.run(second.id).status == "interrupted"


def test_a_full_disk_for_the_files_is_told_before_anything_is_computed(cli, scripted, library, small_disk, monkeypatch):
    disk, fill = small_disk
    monkeypatch.setenv("RELAXDESIGN_FREE_MB", "1")
    fill(left=2**19)
    scripted()
    refused = cli("design", "--target-bulk", 100, "--count", 3, "--out", disk / "out")
    assert_one_clear_error(refused, str(disk / "out"), "0.5 MB are free", "name another folder with --out")
    assert library.count_runs() == 0 and not (disk / "out").exists()


@pytest.mark.parametrize(("at", "left", "designs"), [(2, 2**17, 0), (4, 2**14, 1)])
def test_a_disk_that_fills_up_loses_no_design(
    cli, scripted, library, small_disk, monkeypatch, tmp_path, at, left, designs
):
    disk, fill = small_disk
    monkeypatch.setenv("RELAXDESIGN_FREE_MB", "1")

    def run(request, *, cancel, finished=()):
        for number, event in enumerate(scripted_study()(request, cancel=cancel), 1):
            if number == at:
                fill(left)
            yield event

    scripted(run)
    words = ("design", "--target-bulk", 100, "--count", 3, "--steps", 3, "--out", disk / "out")
    broken = cli(*words)
    assert broken.exit_code == 2 and str(disk / "out") in broken.stderr and "make room there" in broken.stderr
    (run,) = library.list_runs()
    assert (run.status, run.design_count) == ("failed", designs) and str(disk / "out") in run.error
    assert f"relaxdesign resume {run.id}" in broken.stderr
    assert not list(disk.rglob("*.partial"))
    if designs:
        assert cli("export", run.id, "--format", "json", "--out", tmp_path / "elsewhere").exit_code == 0
    else:
        assert "MB are free" in broken.stderr


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("a reason"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_a_run_that_breaks_off_can_be_resumed(cli, scripted, library, error, status):
    def broken(request, *, cancel, finished=()):
        for event in scripted_study()(request, cancel=cancel):
            yield event
            if isinstance(event, DesignEvent):
                raise error

    scripted(broken)
    assert cli("design", "--target-bulk", 100, "--count", 3, "--out", "out").exit_code != 0
    (run,) = library.list_runs()
    assert (run.status, run.error, run.design_count) == (status, str(error), 1)

    given = []

    def whole(request, *, cancel, finished):
        given.extend(finished)
        yield from scripted_study()(request, cancel=cancel)

    scripted(whole)
    resumed = cli("resume", run.id[:6])
    assert resumed.exit_code == 0, resumed.output
    assert [design.index for design in given] == [0], "it need not be made again"
    assert "Silicon carbide" in resumed.stdout and run.id in resumed.stdout
    assert library.run(run.id).status == "finished" and len(library.designs(run.id)) == 3
    assert_one_clear_error(cli("resume", run.id), "is finished", "nothing to resume")
    assert_one_clear_error(cli("resume", "zzz"), "no run", "relaxdesign runs")


def test_a_run_that_an_ended_server_left_in_its_queue_can_be_taken(cli, scripted, library):
    scripted()
    run_id = library.create_run(DesignRequest(target_bulk=100.0, count=1, steps=2))
    assert_one_clear_error(cli("resume", run_id), "is queued", "nothing to resume")
    Leases(library).release([run_id])
    assert cli("resume", run_id).exit_code == 0
    assert library.run(run_id).status == "finished"


def test_a_run_that_the_app_stops_keeps_what_there_is(cli, scripted, library):
    def run(request, *, cancel, finished=()):
        designs = []
        for event in scripted_study()(request, cancel=lambda: False):
            yield event
            if isinstance(event, DesignEvent):
                designs.append(event.design)
                assert not cancel()
                (running,) = library.list_runs()
                library.stop(running.id, "cancelled")  # as a server does, see JobManager.cancel
                assert cancel()
                yield FinishedEvent(ended(request, designs, "cancelled"))
                return

    scripted(run)
    result = cli("design", "--target-bulk", 100, "--count", 3, "--out", "out", "--json")
    assert json.loads(result.stdout)["status"] == "cancelled"
    (kept,) = library.list_runs()
    assert kept.status == "cancelled" and len(library.designs(kept.id)) == 1


@pytest.mark.parametrize("at", ["step", "design"])
def test_ctrl_c_keeps_what_there_is(cli, scripted, library, tmp_path, at):
    def run(request, *, cancel, finished=()):
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
    (run,) = library.list_runs()
    assert run.status == "cancelled" and len(library.designs(run.id)) == len(record["designs"])


def test_no_design_at_all_is_exit_code_1(cli, scripted):
    def run(request, *, cancel, finished=()):
        failed = Design(0, request.objectives, message="No two phases were found.")
        yield FinishedEvent(ended(request, [failed], "finished"))

    scripted(run)
    result = cli("design", "--target-bulk", 100, "--count", 1, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["designs"][0]["ok"] is False
    assert "no design was realised. No two phases were found." in " ".join(result.stderr.split())


def test_design_refuses_what_it_cannot_use(cli, scripted, tmp_path):
    scripted()
    assert_one_clear_error(cli("design", "--target-bulk", "-3", "--dim", 4), "bulk modulus must be above 0", "dim: ")
    assert_one_clear_error(cli("design", "--target-bulk", "nan"), "bulk modulus must be a finite number")
    assert_one_clear_error(cli("design"), "at least one target")
    assert_one_clear_error(cli("design", "-o", "K about 9"), "cannot read the objective 'K about 9'")
    assert_one_clear_error(cli("design", "-o", "Q = 9"), "unknown quantity 'Q'")
    assert_one_clear_error(cli("design", "-o", "9 <= K <= 5"), "swap them")
    assert_one_clear_error(cli("design", "-o", "minimise density"), "at least one target")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "-o", "K >= 5"), "more than one target for K")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--method", "magic"), "method: ")
    for objective in (("--target-bulk", 9), ("-o", "G = 20"), ("--density-weight", 0)):
        assert_one_clear_error(cli("design", *objective, "--request", "r.json"), "objectives", "not both")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--guidance", "mean=3"), "mean: ", "got '3'")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--guidance", "means=1"), "NAME=VALUE", "recurrence")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--guidance", "mean"), "NAME=VALUE")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--cell-size", 0), "cell size is 0.0 mm")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--dim", 3, "--thickness", 1), "2D cells")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--materials", "gone.csv"), "gone.csv", "No such file")
    (tmp_path / "bad.csv").write_text("id,name,E_GPa,nu,rho_g_cm3\na,A,-3,0.3,1.2\n")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--materials", "bad.csv"), "line 2 (a)", "E_GPa is -3")
    (tmp_path / "file").write_text("")
    assert_one_clear_error(cli("design", "--target-bulk", "9", "--out", "file"), "file", "exists")
    assert not (tmp_path / "runs").exists() and not (tmp_path / "library.db").exists()


def test_design_refuses_unreachable_targets_and_unknown_priors(cli, tmp_path):
    """The real study, up to the point where it would start to work."""
    assert_one_clear_error(cli("design", "--target-bulk", 599, "--prior", "gone"), "599 GPa is out of reach")
    assert_one_clear_error(cli("design", "-o", "Ex/Ey = 1.5"), "out of reach", "free-form")
    own = tmp_path / "own.csv"
    own.write_text("id,name,E_GPa,nu,rho_g_cm3\na,A,3,0.3,1\nb,B,70,0.3,3\n")
    unknown = cli("design", "-o", "price <= 3", "-o", "K = 9", "--materials", str(own))
    assert_one_clear_error(unknown, "price of A and B is not known")
    assert_one_clear_error(cli("design", "--target-bulk", 50, "--prior", "gone"), "no prior at gone")
    assert_one_clear_error(cli("design", "--target-bulk", 50, "--category", "cheese"), "cheese")
    assert_one_clear_error(cli("design", "--target-bulk", 50, "--exclude", "cheese"), "cheese")
    refused = cli("design", "--target-bulk", 50, "--start", "elsewhere/gone.npz")
    assert_one_clear_error(refused, "gone.npz: there is no such file")
    assert "elsewhere" not in refused.stderr


def test_a_small_design_with_the_shipped_prior(cli, tmp_path):
    """From a target to files, nothing replaced: what is in the VTI has the bulk modulus that was told of the voxels."""
    result = cli("design", "--target-bulk", 60, "--count", 2, "--steps", 10, "--seed", 1, "--out", "out", "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    realised = [design for design in record["designs"] if design["ok"]]
    assert realised
    for design in realised:
        assert design["bounds"]["reuss"] <= design["properties"]["K"] <= design["bounds"]["voigt"]
        again = json.loads(cli("evaluate", design["files"]["vti"], "--only", "bulk", "--json").stdout)
        assert again["K"] == pytest.approx(design["voxels"]["K"], rel=1e-5)
        assert again["density"] == pytest.approx(design["voxels"]["density"], rel=1e-6)
        assert again["K"] == pytest.approx(design["properties"]["K"], rel=0.05)
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


OWN = "id;name;E (MPa);nu;rho_g_cm3;k_W_m_K\nstahl;Stahl;210000;0,3;7,85;50\nepoxid;Epoxid;3500;0,35;1,2;0,2\n"


def test_own_materials_are_checked_and_what_was_understood_is_told(cli, tmp_path):
    (tmp_path / "own.csv").write_text(OWN)
    checked = cli("materials", "--materials", "own.csv", "--json")
    assert checked.exit_code == 0
    assert [(m["id"], m["young"], m["density"]) for m in json.loads(checked.stdout)] == [
        ("epoxid", 3.5, 1.2),
        ("stahl", 210.0, 7.85),
    ]
    told = " ".join(checked.stderr.split())
    assert "2 materials; columns separated by semicolon, decimal comma" in told
    assert "E (MPa) is read as E_GPa, times 0.001" in told
    assert "Warning: own.csv: column 'k_W_m_K' is not known and not used; did you mean k_W_mK?" in told
    (tmp_path / "bad.csv").write_text(OWN.replace("0,3;", "0,7;"))
    assert_one_clear_error(cli("materials", "--materials", "bad.csv"), "1 problem(s)", "line 2 (stahl): nu is 0,7")
    assert_one_clear_error(cli("materials", "--materials", "gone.csv"), "gone.csv")


@pytest.mark.parametrize("command", ["design", "evaluate", "train", "materials"])
def test_the_option_of_own_materials_has_one_name(cli, command):
    help = cli(command, "--help").stdout
    assert "--materials" in help and "--catalogue" not in help


def test_own_materials_may_be_a_catalogue_of_the_library(cli, library, tmp_path):
    assert_one_clear_error(cli("materials", "--materials", "Mine"), "no such file", "its catalogues are: none")
    table = "id,name,E_GPa,nu,rho_g_cm3\na,{},3,0.3,1.2\nb,Beta,300,0.2,3\n"
    Catalogues(library).save("My steels", table.format("Kept"))
    kept = json.loads(cli("materials", "--materials", "my  Steels", "--json").stdout)
    assert [material["name"] for material in kept] == ["Kept", "Beta"]
    assert_one_clear_error(cli("materials", "--materials", "My steel"), "My steel", "its catalogues are: 'My steels'")
    (tmp_path / "My steels").write_text(table.format("Written"))
    written = json.loads(cli("materials", "--materials", "My steels", "--json").stdout)
    assert written[0]["name"] == "Written", "a file that is there wins"


def test_warnings_of_own_materials_reach_whoever_designs(cli, scripted, tmp_path):
    seen = {}

    def run(request, *, cancel, finished=()):
        seen.update(request=request)
        yield from scripted_study()(request, cancel=cancel)

    scripted(run)
    (tmp_path / "own.csv").write_bytes(OWN.encode("utf-16"))
    done = cli("design", "--target-bulk", 50, "--materials", "own.csv", "--exclude", "Epoxid", "--count", 2)
    assert done.exit_code == 0 and "did you mean k_W_mK?" in done.stderr
    assert seen["request"].materials_csv == OWN and seen["request"].exclude == ("epoxid",)
    (tmp_path / "r.json").write_text(seen["request"].model_dump_json())
    again = cli("design", "--request", "r.json")
    assert again.exit_code == 0 and "Warning: r.json: column 'k_W_m_K'" in again.stderr
    assert_one_clear_error(cli("design", "--target-bulk", 50, "--exclude", "steel"), "13 materials have 'steel'")


def test_too_many_own_materials_are_refused_without_printing_them(cli, tmp_path):
    text = "id,name,E_GPa,nu,rho_g_cm3\n" + "".join(f"m{i},Material {i},-5,0.3,2\n" for i in range(50_000))
    (tmp_path / "own.csv").write_text(text)
    refused = cli("design", "--target-bulk", 50, "--materials", "own.csv")
    assert_one_clear_error(refused, f"{len(text):,} characters", "at most 1,000,000")
    (tmp_path / "r.json").write_text(json.dumps({"target_bulk": 50, "materials_csv": text}))
    refused = cli("design", "--request", "r.json")
    assert_one_clear_error(refused, "materials_csv", "at most 1000000 characters")
    assert len(refused.stderr) < 1000
    refused = cli("materials", "--materials", "own.csv")
    assert_one_clear_error(refused, "50000 problem(s)", "and 49990 more")
    assert len(refused.stderr.splitlines()) == 12


def test_materials_are_written_to_be_edited_and_read_back(cli, tmp_path):
    listed = json.loads(cli("materials", "--json", "--flagged").stdout)
    written = cli("materials", "--flagged", "--out", "all.csv")
    assert written.exit_code == 0 and f"all.csv: {len(listed)} materials" in " ".join(written.stderr.split())
    again = json.loads(cli("materials", "--materials", "all.csv", "--json", "--flagged").stdout)
    assert len(again) == len(listed)
    found = {material["id"]: material for material in again}
    for before in listed:
        after = found[before["id"]]
        assert (before["name"], before["price"], before["young"]) == (after["name"], after["price"], after["young"])
        assert before["bulk"] == pytest.approx(after["bulk"], rel=1e-5)
    text = cli("materials", "--csv", "--category", "glass").stdout
    edited = text.replace("glass,", "my glass,").replace("\r\n", "\n")
    (tmp_path / "glass.csv").write_text(edited)
    assert json.loads(cli("materials", "--materials", "glass.csv", "--json").stdout)[0]["category"] == "my glass"
    assert_one_clear_error(cli("materials", "--out", "gone/all.csv"), "gone/all.csv")


def test_materials_are_listed(cli):
    listed = json.loads(cli("materials", "--json").stdout)
    assert len(listed) >= 300
    assert all(material["young"] > 0 and not material["flag"] for material in listed)
    assert len(json.loads(cli("materials", "--json", "--flagged").stdout)) > len(listed)
    category = listed[0]["category"]
    assert cli("materials", "--category", category).stdout.count(category) > 1
    assert_one_clear_error(cli("materials", "--category", "cheese"), "cheese")


def test_a_login_whose_packages_are_missing_is_told_at_the_start(cli, monkeypatch):
    monkeypatch.setenv("RELAXDESIGN_LOGIN", "oidc")
    monkeypatch.setitem(sys.modules, "authlib", None)
    assert_one_clear_error(cli("app"), "RELAXDESIGN_LOGIN=oidc", "pip install", "relaxdesign[login]")


def test_a_name_that_several_catalogues_have_is_not_guessed(cli, tmp_path):
    library = Store(f"sqlite:///{tmp_path / 'library.db'}")
    for name in ("anna", "ben"):
        Catalogues(library.seen_by(Viewer(name, known=True))).save("Alloys", "id,name", private=True)
    result = cli("design", "-o", "K = 50", "--materials", "Alloys")
    assert_one_clear_error(result, "several catalogues have this name, of anna, ben")
