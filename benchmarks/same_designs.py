"""Whether the same requests still give the same designs, to the last bit: two dozen, of all kinds.

``--record`` writes what they give to ``benchmarks/results/same_designs.json``; without it they are computed again and
compared. Bits agree on one kind of machine with one version of torch and one number of threads, which the file names.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import torch

from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import design

RESULTS = Path(__file__).parent / "results" / "same_designs.json"
OWN = """id,name,E_GPa,nu,rho_g_cm3,price_per_kg
resin,Resin,3.0,0.36,1.2,4
glass,Glass,72,0.22,2.5,2
alloy,Alloy,110,0.33,4.5,25
oxide,Oxide,370,0.23,3.9,12
foam,Foam,0.2,0.3,0.1,
"""


def target(name: str, low: float | None, high: float | None, **more) -> dict:
    return {"quantity": name, "low": low, "high": high} | more


def exactly(name: str, value: float) -> dict:
    return target(name, value, value)


def extreme(sense: str, name: str, weight: float = 1.0) -> dict:
    return {"quantity": name, "sense": sense, "weight": weight}


K = exactly("K", 60)
SHORT = {"objectives": [K], "count": 2, "steps": 8, "seed": 11}
REQUESTS: dict[str, dict] = {
    "K": {"objectives": [exactly("K", 10)], "count": 4, "steps": 12},
    "K, more steps": {"objectives": [exactly("K", 120)], "count": 3, "steps": 25, "seed": 7},
    "K, low density": {"objectives": [exactly("K", 50), extreme("minimise", "density")], "count": 3, "steps": 12},
    "G and density": {"objectives": [exactly("G", 20), target("density", None, 3)], "count": 3, "steps": 12, "seed": 3},
    "E and conductivity": {
        "objectives": [target("E", 10, 20), extreme("maximise", "conductivity")],
        "count": 3,
        "steps": 12,
    },
    "K, low price": {
        "objectives": [exactly("K", 30), extreme("minimise", "price", 0.5)],
        "count": 2,
        "steps": 12,
        "materials_csv": OWN,
    },
    "K without refinement": {"objectives": [exactly("K", 30)], "count": 2, "steps": 12, "refine": False},
    "K, kubc": {"objectives": [exactly("K", 40)], "count": 2, "steps": 12, "boundary": "kubc"},
    "same pairs": {"objectives": [exactly("K", 80)], "count": 2, "steps": 12, "distinct": False, "seed": 5},
    "own catalogue": {"objectives": [exactly("K", 20)], "count": 2, "steps": 12, "materials_csv": OWN},
    "geometric": {
        "objectives": [exactly("K", 20), target("Ex/Ey", 1.2, None)],
        "count": 3,
        "steps": 12,
        "projection": "geometric",
    },
    "geometric, entries of C": {
        "objectives": [exactly("C11", 40), exactly("C22", 25)],
        "count": 2,
        "steps": 12,
        "projection": "geometric",
        "seed": 2,
    },
    "geometric without refinement": {
        "objectives": [exactly("K", 25)],
        "count": 2,
        "steps": 12,
        "projection": "geometric",
        "refine": False,
    },
    **{
        method: SHORT | {"method": method}
        for method in ("noise", "best-of-n", "random", "pairs", "genetic", "cma-es", "gradient", "conditional")
    },
    "3D": {"objectives": [exactly("K", 30)], "dim": 3, "count": 2, "steps": 6},
    "3D, G and density": {
        "objectives": [exactly("G", 8), target("density", None, 3)],
        "dim": 3,
        "count": 1,
        "steps": 6,
    },
    "3D, geometric": {
        "objectives": [exactly("K", 20), target("Ex/Ez", 1.1, None)],
        "dim": 3,
        "count": 1,
        "steps": 6,
        "projection": "geometric",
    },
}


def outcome(request: dict) -> list[dict]:
    """Pair, volume fraction and quantities of every design; floats as hexadecimal numbers, to the last bit."""
    result = design(DesignRequest.model_validate(request))
    return [
        {
            "message": made.message,
            "pair": [material.id for material in made.materials] or [None, None],
            "share": made.shares[1].hex() if made.shares else None,
            "stages": {
                stage: {name: float(value).hex() for name, value in sorted(values.items())}
                for stage, values in made.stages.items()
            },
        }
        for made in result.designs
    ]


def machine() -> dict:
    return {"processor": platform.machine(), "threads": torch.get_num_threads(), "torch": torch.__version__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", default="", help="part of a request's name")
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"machine": machine(), "designs": {}}
    if known["machine"] != machine():
        print(f"recorded on {known['machine']}, this is {machine()}: the last bits may differ")
    differ = []
    for name, request in REQUESTS.items():
        if options.only not in name:
            continue
        begin = time.monotonic()
        made = outcome(request)
        verdict = "recorded"
        if options.record:
            known["designs"][name] = made
        else:
            same = made == known["designs"].get(name)
            verdict = "the same" if same else "DIFFERENT"
            differ += [] if same else [name]
        print(f"{name}: {verdict}, {time.monotonic() - begin:.0f} s", flush=True)
        if verdict == "DIFFERENT":
            print(json.dumps({"was": known["designs"].get(name), "is": made}, indent=1))
    if options.record:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
