"""Campaigns: many design requests, on the cores of this machine or on a cluster.

::

    from relaxdesign import campaign

    if __name__ == "__main__":  # local workers are processes that import this file
        spec = campaign.read_spec("map.yaml")
        for progress in campaign.run(spec, "runs/map"):
            print(progress.done, "of", progress.total)

Needs the extra ``campaign``: ``pip install "relaxdesign[campaign]"``.
"""

try:
    from relaxdesign.campaign.engine import run_tasks, workers
    from relaxdesign.campaign.evaluating import evaluate_folder
    from relaxdesign.campaign.exporting import MOST_WITH_FILES, archive, csv_bytes, designs_table, parquet_bytes
    from relaxdesign.campaign.folder import CampaignError, Folder
    from relaxdesign.campaign.launching import launch, resume, stop
    from relaxdesign.campaign.reading import parse_spec, read_spec, write_spec
    from relaxdesign.campaign.runner import Progress, run
    from relaxdesign.campaign.spec import CampaignSpec, SpecError, request_hash
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'this needs some more packages: pip install "relaxdesign[campaign]" ({error.name} is missing)', name=error.name
    ) from error

__all__ = [
    "MOST_WITH_FILES",
    "CampaignError",
    "CampaignSpec",
    "Folder",
    "Progress",
    "SpecError",
    "archive",
    "csv_bytes",
    "designs_table",
    "evaluate_folder",
    "launch",
    "parquet_bytes",
    "parse_spec",
    "read_spec",
    "request_hash",
    "resume",
    "run",
    "run_tasks",
    "stop",
    "workers",
    "write_spec",
]
