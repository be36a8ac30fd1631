"""Measures `rotator` against what people use instead: `make bench`.

Prints a line a comparison: both sides, how many times theirs ours is, and the goal; and writes the
same as JSON. `--compare FILE` shows the ratios of an earlier run beside these. Nothing is asserted:
a machine that is busy with something else gives other numbers, and ratios that waver less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator import __version__
from tests.benchmarks import calls, cold, idle, reader, simulated, warm
from tests.benchmarks.installed import PLACE
from tests.benchmarks.site import site

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.measure import Row
    from tests.benchmarks.site import Site


def main() -> int:
    """Run the comparisons that were asked for and return 0, whatever they say."""
    wanted = _arguments()
    earlier = _ratios(wanted.compare) if wanted.compare else {}
    PLACE.mkdir(mode=0o700, exist_ok=True)
    rows: list[Row] = []
    benchmarks = _benchmarks(wanted.rounds, wanted.idle)
    for name in wanted.only or benchmarks:
        place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=PLACE))
        try:
            with site(place) as here:
                for row in benchmarks[name](here):
                    rows.append(row)
                    _tell(row, earlier.get(row.name))
        finally:
            shutil.rmtree(place)
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    wanted.output.write_text(json.dumps(_document(rows), indent=2) + "\n")
    missed = sum(row.verdict == "missed" for row in rows)
    _say(f"\n{len(rows)} comparisons, {missed} missed; written to {wanted.output}")
    return 0


def _benchmarks(rounds: int, seconds: float) -> dict[str, Callable[[Site], list[Row]]]:
    return {
        "version": partial(cold.shortest, rounds=rounds),
        "vault": partial(cold.vault_to_file, rounds=rounds),
        "ecr": partial(cold.ecr_to_file, rounds=rounds),
        "three": partial(cold.three_targets, rounds=rounds),
        "warm": partial(warm.loopback, rounds=rounds),
        "latency": partial(warm.latency, rounds=rounds),
        "variables": partial(warm.many_variables, rounds=rounds),
        "idle": partial(idle.idle, seconds=seconds),
        "rotations": partial(idle.many_rotations, seconds=seconds),
        "calls": calls.calls,
        "reader": reader.reader,
        "fleet": lambda _: simulated.fleet(),
        "simulation": lambda _: simulated.years(),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="runs of each side, at least 7")
    parser.add_argument("--idle", type=float, default=120, help="seconds to watch the daemons for")
    parser.add_argument("--only", action="append", choices=_benchmarks(0, 0), help="repeatable")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="what an earlier run wrote")
    parser.add_argument("--output", type=Path, metavar="FILE", default=PLACE / "results.json")
    return parser.parse_args()


def _tell(row: Row, earlier: float | None) -> None:
    goal = "" if row.goal is None else f"≤ {row.goal:g}: {row.verdict}"
    was = "" if earlier is None else f"  was {earlier:.2f}"
    both = f"{row.ours:9.1f} {row.unit} : {row.theirs:.1f} {row.unit} ({row.against})"
    _say(f"{row.name:38} {row.ratio:6.2f}  {goal:16}{was}  {both}")


def _document(rows: list[Row]) -> dict[str, Any]:
    return {
        "version": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": [{**asdict(row), "ratio": row.ratio, "verdict": row.verdict} for row in rows],
    }


def _ratios(file: Path) -> dict[str, float]:
    return {row["name"]: row["ratio"] for row in json.loads(file.read_text())["rows"]}


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  it talks to a person


if __name__ == "__main__":
    sys.exit(main())
