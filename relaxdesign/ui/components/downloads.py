"""Download buttons whose files are made when they are asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from relaxdesign.server import new_error_id

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Download:
    """A button. make: contents of the file, called when it is pressed. note: what the file is for."""

    label: str
    make: Callable[[], bytes | str]
    file_name: str
    mime: str
    note: str = ""
    primary: bool = False


def buttons(downloads: Sequence[Download], key: str) -> None:
    """The buttons side by side, in as many rows as the page needs."""
    with st.container(horizontal=True, gap="small"):
        for item in downloads:
            button(item, key)


def button(item: Download, key: str) -> None:
    """One of them."""
    st.download_button(
        item.label, _logged(item.make), item.file_name, item.mime, key=f"download-{item.label}-{key}",
        help=item.note or None, icon=":material/download:", on_click="ignore",
        type="primary" if item.primary else "secondary",
    )  # fmt: skip


def _logged(make: Callable[[], bytes | str]) -> Callable[[], bytes | str]:
    """The file's contents when they are asked for; a failure is logged with an id."""

    def make_file() -> bytes | str:
        try:
            return make()
        except Exception as error:
            error_id = new_error_id()
            logger.error("a download failed: error %s", error_id, exc_info=error)
            raise RuntimeError(f"The file could not be written (error id {error_id}).") from None

    return make_file
