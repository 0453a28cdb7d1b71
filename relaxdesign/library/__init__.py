"""The library of runs and designs in a database: SQLite by default, any SQLAlchemy URL.

A run is stored when it is queued; its curves follow while it computes and every design is stored the moment it
is verified, so that a killed server loses nothing that was shown. ``RELAXDESIGN_DB`` names another database,
e.g. ``postgresql+psycopg://user@host/relaxdesign``. A database of an earlier version is brought up to date when it
is opened.
"""

from relaxdesign.library.campaigns import CampaignRecord, Campaigns, UnknownCampaign
from relaxdesign.library.catalogues import CatalogueRecord, Catalogues, UnknownCatalogue
from relaxdesign.library.database import StoreError, default_url
from relaxdesign.library.leases import Heartbeat, Leases
from relaxdesign.library.ownership import NotYours, Viewer
from relaxdesign.library.records import END_STATES, LIVE_STATES, Curves, DesignRecord, LostRun, RunRecord, UnknownRun
from relaxdesign.library.searching import DesignSearch, RunSearch
from relaxdesign.library.store import Store

__all__ = [
    "END_STATES",
    "LIVE_STATES",
    "CampaignRecord",
    "Campaigns",
    "CatalogueRecord",
    "Catalogues",
    "Curves",
    "DesignRecord",
    "DesignSearch",
    "Heartbeat",
    "Leases",
    "LostRun",
    "NotYours",
    "RunRecord",
    "RunSearch",
    "Store",
    "StoreError",
    "UnknownCampaign",
    "UnknownCatalogue",
    "UnknownRun",
    "Viewer",
    "default_url",
]
