"""Waiting for something that a thread of the server computes, without holding the page and without drawing it anew.

The browser looks for a file that appears among the app's static ones when the work is done, and only then asks, as if a
button was pressed, for the part of the page that waits. No timed fragment is put into another one for this, which can
end in a blank page (streamlit issue 15084). Nor is the part drawn again and again: presses and downloads at such a
moment may be lost.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from concurrent.futures import Future
from pathlib import Path

from streamlit.components.v2 import component

from relaxdesign.ui.vtkjs import STATIC

READY = STATIC / "ready"
LOOK_S = 0.4
AGAIN_S = 10.0
"""The page is asked for after so long all the same, for a server that cannot serve files."""
KEPT_S = 3600.0

_waiting = component(
    "relaxdesign_waiting",
    html='<div class="waiting" role="status"></div>',
    css=".waiting { color: var(--st-gray-text-color, #6b7280); font-size: 0.9rem; text-align: center; }",
    js="""
    export default function ({ data, parentElement, setTriggerValue }) {
      const text = parentElement.querySelector(".waiting");
      const begun = performance.now();
      const address = new URL(data.address, document.baseURI);
      let asked = false;
      const ask = () => {
        if (!asked) setTriggerValue("asked", data.token);
        asked = true;
      };
      const look = async () => {
        const seconds = data.seconds + (performance.now() - begun) / 1000;
        text.textContent = data.doing ? `${data.doing} … ${Math.floor(seconds)} s` : "";
        if (performance.now() - begun > 1000 * data.again) return ask();
        const answer = await fetch(address, { method: "HEAD", cache: "no-store" }).catch(() => null);
        if (answer?.ok) ask();
      };
      clearInterval(parentElement.waitingClock);
      parentElement.waitingClock = setInterval(look, 1000 * data.look);
      look();
      return () => clearInterval(parentElement.waitingClock);
    }
    """,
)


def wait(key: str, future: Future, doing: str = "", since: float | None = None) -> None:
    """Draws what is being done and for how long, and has this part of the page drawn again when the future is done.

    key: of the place, no other on the page has it. doing: e.g. "Solving the six load cases"; empty: nothing is shown.
    since: when it began, of `time.monotonic`; None: now.
    """
    now = time.monotonic()
    data = {
        "doing": doing,
        "seconds": now - (now if since is None else since),
        "address": f"app/static/{READY.name}/{_marker(future)}",
        "look": LOOK_S,
        "again": AGAIN_S,
        "token": now,
    }
    _waiting(data=data, key=f"waiting-{key}", on_asked_change=lambda: None)


def _marker(future: Future) -> str:
    """Name of the file that appears when the future is done."""
    name = getattr(future, "marker", None)
    if name is None:
        name = future.marker = secrets.token_hex(8)  # type: ignore[attr-defined]
        future.add_done_callback(lambda _: _publish(name))
    return name


def _publish(name: str, folder: Path = READY) -> None:
    """Puts the file there, and takes old ones away; a page that misses it asks by itself a little later."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if time.time() - old.stat().st_mtime > KEPT_S:
                old.unlink(missing_ok=True)
        (folder / name).write_bytes(b"")
