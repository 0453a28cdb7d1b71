"""Specs plan every combination once, and say in which line they are wrong."""

from __future__ import annotations

import pytest

from relaxdesign.campaign.reading import parse_spec, read_spec, write_spec
from relaxdesign.campaign.spec import MOST_FAULTS, MOST_REQUESTS, CampaignSpec, SpecError, request_hash
from relaxdesign.study.request import DesignRequest

OWN = "id,name,E_GPa,nu,rho_g_cm3,category\na,A,70,0.3,2.7,soft\nb,B,400,0.2,3.2,hard\n"


def plan(text: str) -> list[DesignRequest]:
    return [planned.request for planned in parse_spec(text).plan()]


def test_a_grid_has_every_combination():
    requests = plan(
        """
        name: map
        base: {count: 2, steps: 10}
        vary:
          K: {from: 10, to: 1000, count: 3, scale: log}
          seed: [0, 1]
          guidance.sampler: [ddpm, ddim]
        """
    )
    assert len(requests) == 12
    assert sorted({request.target_bulk for request in requests}) == [10, 100, 1000] or requests[0].target_bulk == 10
    assert {request.guidance.sampler for request in requests} == {"ddpm", "ddim"}
    assert all((request.count, request.steps) == (2, 10) for request in requests)


def test_a_list_is_laid_over_the_base():
    requests = plan(
        """
        name: list
        base: {target_bulk: 50, seed: 3}
        requests:
          - {seed: 4}
          - {objectives: ["G >= 10", "minimise density @ 0.5"], target_bulk: null}
        """
    )
    assert [(request.title, request.seed) for request in requests] == [
        ("K = 50 GPa", 4),
        ("G ≥ 10 GPa, minimise density", 3),
    ]


def test_a_varied_quantity_takes_the_place_of_the_base_target():
    requests = plan("{name: m, base: {objectives: [K = 7, minimise density]}, vary: {K: [20, 30], G: [9]}}")
    assert [request.title for request in requests] == [
        f"minimise density, K = {bulk} GPa, G = 9 GPa" for bulk in (20, 30)
    ]


@pytest.mark.parametrize("base", ["target_bulk: 7", "objectives: [K = 7]"])
@pytest.mark.parametrize("axis", ["K", "target_bulk"])
def test_both_names_of_the_bulk_modulus_are_one_target(base, axis):
    assert [request.title for request in plan(f"{{name: m, base: {{{base}}}, vary: {{{axis}: [20]}}}}")] == [
        "K = 20 GPa"
    ]


def test_the_same_request_is_planned_once():
    text = "{name: m, base: {target_bulk: 50}, vary: {seed: [0, 1, 0]}, requests: [{seed: 1}, {seed: 2}]}"
    assert [request.seed for request in plan(text)] == [0, 1, 2]


def test_hashes_name_what_is_asked_for_and_nothing_else():
    short = DesignRequest.model_validate({"target_bulk": 50, "makeable": "any"})
    spelled = DesignRequest.model_validate(
        {"objectives": [{"quantity": "K", "low": 50, "high": 50}], "seed": 0, "makeable": "any"}
    )
    assert request_hash(short) == request_hash(spelled)
    assert request_hash(short) != request_hash(short.model_copy(update={"seed": 1}))
    assert request_hash(short) != request_hash(short, "other materials")
    assert request_hash(short) == "a59671aa7545408d5a31b179", "it must not change: finished campaigns rely on it"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: m\nbase:\n  target_bulk: 50\n  stps: 4", r"line 4: base.stps: extra inputs are not permitted, got 4"),
        ("name: m\nvary:\n  target_bulk: [50]\n  seed:\n    - 1\n    - -5", r"line 6: vary.seed\[1\]: .*got -5"),
        ("name: m\nvary:\n  K: [50, -3]", r"line 3: vary.K\[1\]: .*-3"),
        ("name: m\nvary:\n  K: {from: 5, to: 9}", r"line 3: vary.K.count: field required"),
        ("name: m\nvary:\n  K: {from: 0, to: 9, count: 3, scale: log}", "line 3: vary.K: a logarithmic scale needs"),
        ("name: m\nvary:\n  K: 5", "line 3: vary.K: input should be a valid list"),
        ("name: m\nvary:\n  K: []", "line 3: vary.K: list should have at least 1 item"),
        (
            "name: m\nrequests:\n  - {target_bulk: 5}\n  - {objectives: [K is 5]}",
            r"line 4: .*cannot read the objective",
        ),
        ("name: m\nbase: {seed: 1}", "line 2: base.objectives: field required"),
        ("name: m\nname: n", "line 2: name is given twice"),
        ("name: m\nbase: [1", "line 2: "),
        ("name: m\nsize: 3", "line 2: size: extra inputs"),
        ("- 1", "a spec is a mapping"),
        ("", "a spec is a mapping"),
        ("name: m\nbase: &a {seed: 1}\nvary: *a", "aliases"),
        ("name: m\nbase: " + "[" * 8000 + "]" * 8000, "line 2: more than 12 fields in one another"),
        ("name: m\nbase: {objectives: [" + "K = 5," * 10_000 + "]}", "should have at most 64 items"),
        ("name: !!python/object/apply:os.system ['echo']", "line 1: could not determine a constructor"),
        (
            "name: m\nmaterials: own.csv\nbase: {target_bulk: 5}",
            "line 2: materials: files are read by the command line",
        ),
        (
            "name: m\nbase:\n  target_bulk: 5\n  categories:\n    - glass\n    - metall",
            r"line 6: base.categories\[1\]: unknown category 'metall'; there are .*glass, metal",
        ),
        (
            "name: m\nbase: {target_bulk: 5}\nvary:\n  categories:\n  - [metal]\n  - [metall]",
            r"line 6: vary.categories\[1\]\[0\]: unknown category 'metall'",
        ),
        (
            "name: m\nbase:\n  target_bulk: 5\n  exclude: [iron!]",
            r"line 4: base.exclude\[0\]: \d+ materials have 'iron!' in their names; .*iron-soft",
        ),
        (
            "name: m\nbase:\n  target_bulk: 5\n  exclude: [copper, unobtainium]",
            r"line 4: base.exclude\[1\]: unknown material 'unobtainium'",
        ),
        (
            "name: m\nbase: {target_bulk: 5}\nvary:\n  prior: [composite-2d-64, composite-2d]",
            r"line 4: vary.prior\[1\]: unknown prior 'composite-2d'; shipped are composite-2d-64",
        ),
        (
            "name: m\nbase: {target_bulk: 5, categories: [metal], materials_csv: id}",
            "line 2: base.materials_csv: missing column",
        ),
    ],
)
def test_errors_name_line_and_field(text, message):
    with pytest.raises(SpecError, match=message):
        parse_spec(text)


def test_excluded_materials_may_be_named_and_are_kept_by_id():
    by_name, by_id = (
        parse_spec(f"name: m\nbase: {{target_bulk: 5, exclude: [{name}]}}").plan()
        for name in ("Soda lime glass (SLMS", "soda-lime-slms")
    )
    assert by_name == by_id and by_name[0].request.exclude == ("soda-lime-slms",)


def test_own_materials_of_a_campaign_have_warnings(tmp_path):
    (tmp_path / "own.csv").write_text("id;name;E_GPa;nu;rho_g_cm3;k_W_m_K\na;A;3,5;0,3;1,2;1\nb;B;70;0,3;2,7;2\n")
    (tmp_path / "m.yaml").write_text("name: m\nmaterials: own.csv\nbase: {target_bulk: 20, exclude: []}")
    spec = read_spec(tmp_path / "m.yaml")
    assert len(spec.plan()) == 1 and "did you mean k_W_mK" in spec.warnings()[0]
    assert parse_spec("name: m\nbase: {target_bulk: 20}").warnings() == ()


def test_a_whole_file_is_not_quoted_in_an_error():
    with pytest.raises(SpecError) as refused:
        CampaignSpec.parse({"name": "m", "base": {"target_bulk": 5, "materials_csv": "x" * 1_000_001}})
    assert "1,000,003 characters" in str(refused.value) and len(str(refused.value)) < 500


def test_every_fault_is_told_once_in_the_order_of_the_lines():
    text = """name: m
base: {steps: 0, categories: [metall]}
vary:
  K: {from: 5, to: 300, count: 20}
  seed: [0, -1, -2]
requests:
  - {target_bulk: 5, steps: 9, prior: none, exclude: [iron!]}
"""
    with pytest.raises(SpecError) as refused:
        parse_spec(text, "map.yaml")
    assert [line.split(": ")[:2] for line in str(refused.value).splitlines()] == [
        ["map.yaml, line 2", "base.categories[0]"],
        ["map.yaml, line 2", "base.steps"],
        ["map.yaml, line 5", "vary.seed[1]"],
        ["map.yaml, line 5", "vary.seed[2]"],
        ["map.yaml, line 7", "requests[0].exclude[0]"],
        ["map.yaml, line 7", "requests[0].prior"],
    ]


def test_many_faults_are_cut_short():
    with pytest.raises(SpecError) as refused:
        CampaignSpec.parse({"name": "m", "base": {"target_bulk": 5}, "vary": {"seed": list(range(-100, 0))}})
    assert len(refused.value.faults) == MOST_FAULTS + 1 and "may be more" in str(refused.value)


def test_too_many_requests_are_refused_before_they_are_made():
    seeds = {"from": 1, "to": 9999, "count": 9999}
    with pytest.raises(SpecError, match=f"at most {MOST_REQUESTS}"):
        CampaignSpec.parse({"name": "m", "vary": {"K": seeds, "seed": seeds}})


def test_a_spec_survives_its_file(tmp_path):
    (tmp_path / "own.csv").write_text(OWN)
    (tmp_path / "a.yaml").write_text("name: ü\nvary: {K: {from: 5, to: 9, count: 3}}\nmaterials: own.csv\n")
    spec = read_spec(tmp_path / "a.yaml")
    assert spec.materials == tmp_path / "own.csv", "relative to the spec"
    (tmp_path / "elsewhere").mkdir()
    write_spec(spec, tmp_path / "elsewhere" / "b.yaml")
    assert read_spec(tmp_path / "elsewhere" / "b.yaml").plan() == spec.plan()


def test_own_materials_are_checked_and_have_categories_of_their_own(tmp_path):
    (tmp_path / "own.csv").write_text(OWN)
    path = tmp_path / "a.yaml"
    path.write_text("name: m\nmaterials: own.csv\nbase:\n  target_bulk: 90\n  categories: [soft, metal]")
    with pytest.raises(
        SpecError, match=r"line 5: base.categories\[1\]: unknown category 'metal'; there are hard, soft"
    ):
        read_spec(path)
    (tmp_path / "own.csv").write_text(OWN.replace("70", "much"))
    with pytest.raises(SpecError, match=r"line 2: materials: .*own.csv: line 2 \(a\): E_GPa is 'much'"):
        read_spec(path)
    (tmp_path / "own.csv").unlink()
    with pytest.raises(SpecError, match=r"line 2: materials: .*own.csv: No such file"):
        read_spec(path)


def test_files_that_are_no_specs(tmp_path):
    with pytest.raises(SpecError, match="No such file"):
        read_spec(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="UTF-8"):
        read_spec(tmp_path / "binary.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(SpecError, match="larger than 1 MB"):
        read_spec(tmp_path / "large.yaml")
