"""What can be taken along from a campaign; files are made when they are asked for."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from relaxdesign.campaign import MOST_WITH_FILES, archive, csv_bytes, designs_table, parquet_bytes
from relaxdesign.export.names import safe_name
from relaxdesign.library import CampaignRecord
from relaxdesign.ui import server
from relaxdesign.ui.components.downloads import Download, buttons
from relaxdesign.ui.text import plural


def draw(record: CampaignRecord, chosen: pd.DataFrame, front: pd.DataFrame) -> None:
    """Buttons for the table of the selected designs, or of all, and for the files of some.

    chosen, front: rows of the map's table, selected and on the front.
    """
    store, name = server.store(), safe_name(record.name)
    with_files = (front if chosen.empty else chosen).head(MOST_WITH_FILES)

    def table() -> pa.Table:
        return designs_table(store, record.id) if chosen.empty else pa.Table.from_pandas(chosen, preserve_index=False)

    def whole() -> bytes:
        designs = zip(with_files["run_id"], with_files["index"].tolist(), strict=True)
        return archive(record, store, table(), designs, name)

    rows = "All designs" if chosen.empty else f"The {plural(len(chosen), 'selected design')}"
    which = f"{len(with_files)} {'on the front' if chosen.empty else 'selected'}"
    note = f"{rows} as a table, the spec, and STL, VTI, material cards and JSON of {which}: takes about a second each"
    row, parquet = f"{rows}, a row each", "application/vnd.apache.parquet"
    files = [
        Download("CSV", lambda: csv_bytes(table()), f"{name}.csv", "text/csv", row),
        Download("Parquet", lambda: parquet_bytes(table()), f"{name}.parquet", parquet, row),
        Download("ZIP", whole, f"{name}.zip", "application/zip", note),
    ]
    buttons(files, "campaign")
