"""Waiting for something that a thread of the server computes, without holding the page.

The browser asks again after a while, as if a button was pressed: the part of the page that waits is drawn anew, and
nothing else. No timed fragment is put into another one for this: where a press takes such a fragment away while it
runs, the browser has no place for what it draws and the page ends blank (streamlit issue 15084).
"""

from __future__ import annotations

import time

from streamlit.components.v2 import component

AGAIN_S = 0.8
"""After so long the browser asks whether it is there."""

_waiting = component(
    "relaxdesign_waiting",
    html='<div class="waiting" role="status"></div>',
    css=".waiting { color: var(--st-gray-text-color, #6b7280); font-size: 0.9rem; text-align: center; }",
    js="""
    export default function ({ data, parentElement, setTriggerValue }) {
      const text = parentElement.querySelector(".waiting");
      const begun = performance.now() - 1000 * data.seconds;
      const tell = () => {
        const seconds = Math.floor((performance.now() - begun) / 1000);
        text.textContent = data.doing ? `${data.doing} … ${seconds} s` : "";
      };
      const stop = () => {
        clearInterval(parentElement.waitingClock);
        clearTimeout(parentElement.waitingQuestion);
      };
      stop();
      tell();
      parentElement.waitingClock = setInterval(tell, 500);
      parentElement.waitingQuestion = setTimeout(() => setTriggerValue("asked", data.token), 1000 * data.again);
      return stop;
    }
    """,
)


def wait(key: str, doing: str = "", since: float | None = None) -> None:
    """Draws what is being done and for how long, and has this part of the page drawn again soon.

    key: of the place, no other on the page has it. doing: e.g. "Solving the six load cases"; empty: nothing is shown.
    since: when it began, of `time.monotonic`; None: now.
    """
    now = time.monotonic()
    data = {"doing": doing, "seconds": now - (now if since is None else since), "again": AGAIN_S, "token": now}
    _waiting(data=data, key=f"waiting-{key}", on_asked_change=lambda: None)
