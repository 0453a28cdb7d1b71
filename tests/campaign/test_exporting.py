"""What is taken along from a campaign is all of it, and harmless in spreadsheets."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest

from relaxdesign.campaign import archive, csv_bytes, designs_table, exporting, parquet_bytes
from relaxdesign.campaign.folder import Folder
from relaxdesign.library import CampaignRecord, Campaigns, RunSearch, Store
from tests.scripted_study import scripted_design


@pytest.fixture
def campaign(store, make_design, make_result) -> CampaignRecord:
    """Three runs of three candidates each, the last of which failed; conductivities are known in the last run only."""
    campaigns = Campaigns(store)
    campaign_id = campaigns.create("A map", {"name": "A map"}, "nowhere", 3)
    for number in range(3):
        designs = [make_design(index=index, grid=16) for index in range(2)]
        known = {"G": 5.0 + number} | ({"conductivity": 30.0} if number == 2 else {})
        designs = [replace(design, properties=known) for design in designs]
        failed = scripted_design(2, 10.0, failed=True)
        campaigns.add_result(campaign_id, str(number), f"=run {number}", make_result((*designs, failed)))
    return campaigns.get(campaign_id)


def runs_of(store: Store, campaign: CampaignRecord) -> list[str]:
    return [run.id for run in store.list_runs(search=RunSearch(campaign=campaign.id))]


@pytest.mark.parametrize("part", [1, 4, 100])
def test_the_table_has_every_design_and_every_number(store, campaign, part, monkeypatch):
    monkeypatch.setattr(exporting, "_PART", part)
    table = designs_table(store, campaign.id).to_pandas()
    assert len(table) == 6 and not table.duplicated(["run_id", "index"]).any()
    assert table.K.unique() == pytest.approx([10.01]) and sorted(set(table.G)) == [5.0, 6.0, 7.0]
    assert table.conductivity.count() == 2 and "K_voigt" in table.columns
    assert {"volume_fraction", "diameter", "matrix", "particle"} <= set(table.columns)
    assert set(table.matrix + table.particle) == {"Époxy β <& test>carbide"}
    assert len(designs_table(store, campaign.id, 3)) == 3
    assert len(designs_table(store, "nobody")) == 0


def test_families_have_columns_of_their_own(store, make_design, make_result):
    campaigns = Campaigns(store)
    campaign_id = campaigns.create("A map", {"name": "A map"}, "nowhere", 1)
    designs = make_design(grid=16), replace(make_design(index=1, grid=16), family="free-form", parameters={})
    campaigns.add_result(campaign_id, "0", "run", make_result(designs))
    table = designs_table(store, campaign_id).to_pandas().set_index("index")
    assert table.volume_fraction.notna().all() and table.diameter.notna().tolist() == [True, False]
    assert table.loc[0, "particle"] == table.loc[1, "inclusion"] == "carbide"
    assert pd.isna(table.loc[0, "inclusion"]) and pd.isna(table.loc[1, "particle"])


def test_tables_survive_their_files_and_hold_no_formulas(store, campaign):
    table = designs_table(store, campaign.id)
    assert pd.read_parquet(io.BytesIO(parquet_bytes(table))).equals(table.to_pandas())
    content = csv_bytes(table)
    assert content.startswith("\ufeff".encode()) and b"'=run 0" in content
    read = pd.read_csv(io.BytesIO(content))
    assert list(read.columns) == table.column_names
    assert read.K.to_numpy() == pytest.approx(table.column("K").to_numpy(), rel=1e-15)
    assert read.conductivity.isna().sum() == 4, "unknown numbers are empty"


def test_the_archive_holds_table_spec_and_the_files_of_the_chosen(store, campaign):
    first, second, _ = runs_of(store, campaign)
    chosen = [(first, 1), (second, 0), (first, 0), ("removed", 0)]
    content = archive(campaign, store, designs_table(store, campaign.id), chosen, "a-map")
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert names[:3] == ["a-map/spec.yaml", "a-map/designs.csv", "a-map/designs.parquet"]
    folders = {tuple(name.split("/")[2:4]) for name in names[3:] if name.count("/") == 4}
    assert {run for run, _ in folders} == {first, second} and len(folders) == 3
    assert sum(name.endswith(".stl") for name in names) == 6 and sum(name.endswith("design.vti") for name in names) == 3


def test_a_file_of_a_request_has_the_numbers_of_all_its_candidates(tmp_path, make_result):
    """Also where the first one failed and has none."""
    folder = Folder(tmp_path / "c")
    folder.prepare()
    designs = (scripted_design(0, 10.0, failed=True), scripted_design(1, 10.0))
    folder.write("a", make_result(designs), samples=False)
    assert folder.collect() == 2
    table = pd.read_parquet(folder.table)
    assert table.K_voigt.dropna().tolist() == [13.0] and table.ok.tolist() == [False, True]
    assert folder.read("a").designs[1].labels is not None


def test_empty_tables_have_files_too():
    assert csv_bytes(pa.table({})).strip() in (b"", "\ufeff".encode())
    assert parquet_bytes(pa.table({}))
