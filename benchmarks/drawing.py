"""What it costs to watch a run in 3D, and how often its pictures are renewed: a real server, a real browser.

The same run is computed with nobody looking, with its page open elsewhere (a client that asks for all that a browser
asks for, and draws nothing), and with its page open in a browser on the same cores, which draws in software: in turns,
in one go. The ratio of the times of its denoising steps is what drawing costs. Writes
``benchmarks/results/drawing.json`` and prints its table.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the browser is driven as in the tests

from playwright.sync_api import Page  # noqa: E402
from sqlalchemy.engine import make_url  # noqa: E402
from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: E402
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from relaxdesign.library.replay import Replays  # noqa: E402
from tests.e2e.driving import open_browser, running_server, set_number, settle, start_design  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "drawing.json"
COUNT, STEPS = 4, 60
POLL_S = 0.05
ALONE, ELSEWHERE, HERE = "alone", "watched elsewhere", "watched on the same cores"
# Notes which steps the focus (a scene, or a picture of it) and the tiles show, and when the first changed.
WATCH = """root => {
    window.scenes = []; window.tiles = {};
    const note = () => {
        const focus = root.querySelector(".focus"), now = performance.now();
        const scene = Number(focus?.dataset.scene ?? 0);
        if (scene && window.scenes.at(-1)?.[0] !== scene) window.scenes.push([scene, now]);
        root.querySelectorAll(".tile").forEach((tile, i) => {
            const step = Number(tile.dataset.pictured ?? 0), seen = (window.tiles[i] ??= []);
            if (step && seen.at(-1) !== step) seen.push(step);
        });
    };
    new MutationObserver(note).observe(root, { subtree: true, attributeFilter: ["data-scene", "data-pictured"] });
}"""


def steps_done(replays: Replays, run_id: str) -> int:
    replay = replays.open(run_id)
    return 0 if replay is None else len(replay)


def seconds_of_steps(replays: Replays, run_id: str) -> float:
    """Seconds from the first denoising step to the last, as the server writes them."""
    while not steps_done(replays, run_id):
        time.sleep(POLL_S)
    since = time.monotonic()
    while steps_done(replays, run_id) < STEPS:
        time.sleep(POLL_S)
    return time.monotonic() - since


@contextmanager
def watched_elsewhere(address: str, run_id: str) -> Iterator[None]:
    """Keeps the page of a run open as a browser does that draws on a machine of its own: it redraws the parts that
    ask for it, as often as they ask."""
    ended = threading.Event()

    def ask(socket, fragment: str = "") -> None:
        message = BackMsg()
        message.rerun_script.query_string = f"run={run_id}"
        message.rerun_script.fragment_id = fragment
        socket.send(message.SerializeToString())

    def watch() -> None:
        stream = address.replace("http", "ws") + "/_stcore/stream"
        with connect(stream, subprotocols=["streamlit"], max_size=None, origin=address) as socket:
            ask(socket)
            due: dict[str, tuple[float, float]] = {}  # per part: when, and every how many seconds
            while not ended.is_set():
                for fragment, (when, interval) in due.items():
                    if time.monotonic() >= when:
                        ask(socket, fragment)
                        due[fragment] = (time.monotonic() + interval, interval)
                with contextlib.suppress(TimeoutError):
                    answer = ForwardMsg.FromString(socket.recv(timeout=POLL_S))
                    if answer.WhichOneof("type") == "auto_rerun":
                        timer = answer.auto_rerun
                        due.setdefault(timer.fragment_id, (time.monotonic() + timer.interval, timer.interval))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def run(page: Page, address: str, replays: Replays, seed: int, where: str) -> tuple[float, dict[str, float]]:
    """Seconds of the steps; where it was watched in the browser, how often pictures were renewed."""
    page.goto(address)
    page.get_by_text("3D", exact=True).first.click()
    settle(page)
    set_number(page, "Seed", seed)
    run_id = start_design(page, count=COUNT, steps=STEPS)
    if where != HERE:
        page.goto("about:blank")
        with watched_elsewhere(address, run_id) if where == ELSEWHERE else contextlib.nullcontext():
            return seconds_of_steps(replays, run_id), {}
    page.locator(".denoising .focus[data-scene]").wait_for()
    page.locator(".denoising").evaluate(WATCH)
    seconds = seconds_of_steps(replays, run_id)
    scenes, tiles = page.evaluate("[window.scenes, window.tiles]")
    span = (scenes[-1][1] - scenes[0][1]) / 1000
    shown = [after - before for (before, _), (after, _) in itertools.pairwise(scenes)]
    gaps = [after - before for steps in tiles.values() for before, after in itertools.pairwise(steps)]
    return seconds, {
        "scenes in focus, per second": (len(scenes) - 1) / span,
        "steps from scene to scene in focus, mean": statistics.mean(shown),
        "steps from picture to picture of a tile, mean": statistics.mean(gaps),
        "steps from picture to picture of a tile, most": max(gaps),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    taken: dict[str, list[float]] = {ALONE: [], ELSEWHERE: [], HERE: []}
    seen: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "library.db"
        replays = Replays.beside(make_url(f"sqlite:///{database}"))
        with running_server(database, Path(folder) / "server.log") as server, open_browser() as page:
            run(page, server.address, replays, 0, HERE)  # everything is loaded and drawn once
            for seed, where in itertools.product(range(options.repeats), taken):
                page.wait_for_timeout(20_000)  # verification ends
                seconds, rates = run(page, server.address, replays, seed, where)
                taken[where].append(seconds)
                for name, value in rates.items():
                    seen.setdefault(name, []).append(value)
    rows = {f"seconds per step, {where}": [s / (STEPS - 1) for s in seconds] for where, seconds in taken.items()}
    for where in (ELSEWHERE, HERE):
        rows[f"{where} / alone"] = [a / b for a, b in zip(taken[where], taken[ALONE], strict=True)]
    rows |= seen
    table = {name: {"median": statistics.median(v), "least": min(v), "most": max(v)} for name, v in rows.items()}
    print("| what | median | least | most |\n|---|---|---|---|")
    for name, row in table.items():
        print(f"| {name} | {row['median']:.3g} | {row['least']:.3g} | {row['most']:.3g} |")
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "browser": "software WebGL, same machine"}
    record = {"machine": machine, "candidates": COUNT, "steps": STEPS, "repeats": options.repeats, "rows": table}
    options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
