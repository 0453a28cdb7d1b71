"""A campaign in a process of its own, which goes on when whoever started it has gone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from relaxdesign.campaign.folder import Folder
from relaxdesign.campaign.reading import write_spec
from relaxdesign.campaign.spec import CampaignSpec
from relaxdesign.library import Campaigns, Store


def launch(
    spec: CampaignSpec, store: Store, *, count: int | None = None, home: Path | None = None, private: bool = False
) -> str:
    """Starts a campaign in a new folder; returns its id in the library. It belongs to the store's viewer.

    count: local workers. home: where the folder is made; None: ``RELAXDESIGN_CAMPAIGNS`` or the user's data directory.
    private: seen by its owner and administrators only, where there is a login.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", spec.name.lower()).strip("-")[:40] or "campaign"
    home = home or default_home()
    home.mkdir(parents=True, exist_ok=True)
    number = 1
    while (path := home / (slug if number == 1 else f"{slug}-{number}")).exists():
        number += 1
    folder = Folder(path)
    campaign_id = folder.prepare()
    write_spec(spec, folder.spec)
    total, values = len(spec.plan()), spec.to_dict()
    Campaigns(store).create(spec.name, values, str(folder.path), total, id=campaign_id, private=private)
    _start(folder, store, count, retry_failed=False)
    return campaign_id


def resume(campaign_id: str, store: Store, *, count: int | None = None, retry_failed: bool = False) -> None:
    """Goes on with a campaign that was cancelled or interrupted. Raises UnknownCampaign and NotYours."""
    campaigns = Campaigns(store)
    folder = Folder(campaigns.check(campaign_id).directory)
    folder.clear_cancel()
    campaigns.update(campaign_id, status="running", error="")
    _start(folder, store, count, retry_failed)


def stop(campaign_id: str, store: Store) -> None:
    """Asks a campaign to end; what it has is kept. Raises UnknownCampaign and NotYours."""
    Folder(Campaigns(store).check(campaign_id).directory).cancel()


def default_home() -> Path:
    """The folder of campaigns that were started without one."""
    if configured := os.environ.get("RELAXDESIGN_CAMPAIGNS", "").strip():
        return Path(configured).expanduser()
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "relaxdesign" / "campaigns"


def _start(folder: Folder, store: Store, count: int | None, retry_failed: bool) -> None:
    command = [sys.executable, "-m", "relaxdesign.cli", "campaign", str(folder.spec), "--out", str(folder.path)]
    command += ["--workers", str(count)] if count else []
    command += ["--retry-failed"] if retry_failed else []
    url = store.engine.url.render_as_string(hide_password=False)
    with folder.log.open("ab") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"RELAXDESIGN_DB": url},
            start_new_session=True,
        )
