"""What it costs to watch a run in 3D, and how often its pictures are renewed: a real server, a real browser.

The same run is computed with nobody looking and with its page open, in turns, in one go; the ratio of the times of its
denoising steps is what drawing costs, the browser's own share included (it draws in software on the same cores; on a
machine of its own it costs the run nothing). Writes ``benchmarks/results/drawing.json`` and prints its table.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the browser is driven as in the tests

from playwright.sync_api import Page  # noqa: E402
from sqlalchemy.engine import make_url  # noqa: E402

from relaxdesign.library.replay import Replays  # noqa: E402
from tests.e2e.driving import open_browser, running_server, set_number, settle, start_design  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "drawing.json"
COUNT, STEPS = 4, 60
POLL_S = 0.05
# Notes which steps the scene in focus and the tiles show, and when the first changed.
WATCH = """root => {
    window.scenes = []; window.tiles = {};
    const note = () => {
        const surface = root.querySelector(".surface"), now = performance.now();
        const scene = Number(surface?.dataset.scene ?? 0);
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


def run(page: Page, address: str, replays: Replays, seed: int, *, watched: bool) -> tuple[float, dict[str, float]]:
    """Seconds of the steps; if it was watched, how often pictures were renewed."""
    page.goto(address)
    page.get_by_text("3D", exact=True).first.click()
    settle(page)
    set_number(page, "Seed", seed)
    run_id = start_design(page, count=COUNT, steps=STEPS)
    if not watched:
        page.goto("about:blank")
        return seconds_of_steps(replays, run_id), {}
    page.locator(".denoising .surface[data-scene]").wait_for()
    page.locator(".denoising").evaluate(WATCH)
    seconds = seconds_of_steps(replays, run_id)
    scenes, tiles = page.evaluate("[window.scenes, window.tiles]")
    span = (scenes[-1][1] - scenes[0][1]) / 1000
    gaps = [after - before for steps in tiles.values() for before, after in itertools.pairwise(steps)]
    return seconds, {
        "scenes in focus, per second": (len(scenes) - 1) / span,
        "steps from picture to picture of a tile, mean": statistics.mean(gaps),
        "steps from picture to picture of a tile, most": max(gaps),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    alone: list[float] = []
    watched: list[float] = []
    seen: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "library.db"
        replays = Replays.beside(make_url(f"sqlite:///{database}"))
        with running_server(database, Path(folder) / "server.log") as server, open_browser() as page:
            run(page, server.address, replays, 0, watched=True)  # everything is loaded and drawn once
            for seed in range(options.repeats):
                alone.append(run(page, server.address, replays, seed, watched=False)[0])
                page.wait_for_timeout(20_000)  # verification ends
                seconds, rates = run(page, server.address, replays, seed, watched=True)
                watched.append(seconds)
                page.wait_for_timeout(20_000)
                for name, value in rates.items():
                    seen.setdefault(name, []).append(value)
    slower = [with_page / without for with_page, without in zip(watched, alone, strict=True)]
    rows = {"seconds per step, alone": [seconds / (STEPS - 1) for seconds in alone]}
    rows |= {"seconds per step, watched": [seconds / (STEPS - 1) for seconds in watched]}
    rows |= {"watched / alone": slower} | seen
    table = {name: {"median": statistics.median(v), "least": min(v), "most": max(v)} for name, v in rows.items()}
    print("| what | median | least | most |\n|---|---|---|---|")
    for name, row in table.items():
        print(f"| {name} | {row['median']:.3g} | {row['least']:.3g} | {row['most']:.3g} |")
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "browser": "software WebGL, same machine"}
    record = {"machine": machine, "candidates": COUNT, "steps": STEPS, "repeats": options.repeats, "rows": table}
    options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
