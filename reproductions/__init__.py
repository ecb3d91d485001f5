"""Published claims as runnable experiments on the public API.

One file per published system, ``NN_slug.py``; each builds a list of `Claim` and hands it to `report`, which prints a
table and writes ``results/NN_slug.json`` with version, seed, size and machine. Nothing there is typed by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import whence
from whence.results import to_jsonable, write_atomically

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Claim:
    """One line of an acceptance list: what must hold, what was measured, whether it holds."""

    text: str
    threshold: str
    measured: Any
    holds: bool


@dataclass(frozen=True)
class Settings:
    """What the command line gave a reproduction."""

    data: Path | None
    full: bool
    seed: int


def main(number: int, slug: str, experiment: Callable[[Settings], Sequence[Claim]]) -> None:
    """Run an experiment from the command line, print its claims, write the results and exit 0 if all hold."""
    parser = argparse.ArgumentParser(description=f"Reproduction {number:02d}: {slug}")
    parser.add_argument("--data", type=Path, default=None, help="folder with data the experiment asks for")
    parser.add_argument("--full", action="store_true", help="full size instead of the one for a small machine")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    claims = experiment(Settings(options.data, options.full, options.seed))
    seconds = time.perf_counter() - started
    for claim in claims:
        verdict = "holds" if claim.holds else "FALLS SHORT"
        print(f"{verdict:>11}  {claim.text}: {_short(claim.measured)} (threshold {claim.threshold})")
    path = write_results(number, slug, claims, seconds, options.full, options.seed)
    print(f"{sum(c.holds for c in claims)} of {len(claims)} claims hold; written to {path}")
    sys.exit(0 if all(claim.holds for claim in claims) else 1)


def write_results(number: int, slug: str, claims: Sequence[Claim], seconds: float, full: bool, seed: int) -> Path:
    """Write the claims with what is needed to judge them: version, size, seed and machine."""
    document = {
        "number": number,
        "slug": slug,
        "whence": whence.__version__,
        "size": "full" if full else "small",
        "seed": seed,
        "seconds": round(seconds, 1),
        "machine": machine(),
        "claims": to_jsonable(list(claims)),
    }
    name = f"{number:02d}_{slug.replace('-', '_')}{'_full' if full else ''}.json"
    return write_atomically(RESULTS / name, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def machine() -> dict[str, Any]:
    """Return what a reader needs to know of the machine; no host name, no paths."""
    return {
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _short(value: Any) -> str:
    text = json.dumps(to_jsonable(value), ensure_ascii=False)
    return text if len(text) <= 160 else text[:157] + "..."
