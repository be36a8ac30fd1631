"""Measures `rotator` against what people use instead: `make bench`.

Prints a line a comparison: both sides, how many times theirs ours is, the goal, and what it was in
the results that are kept with the project (`results.json`, with the machine described in it). A
machine that is busy with something else gives other numbers, and ratios that waver less: nothing
fails unless `--check` asks for it. `--save` keeps the results, and puts the table into
ARCHITECTURE.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator import __version__
from tests.benchmarks import calls, cold, idle, reader, simulated, table, warm
from tests.benchmarks.installed import PLACE
from tests.benchmarks.site import site

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.measure import Row
    from tests.benchmarks.site import Site


# What was measured twice differs by a twentieth.
_WORSE = 1.05


def main() -> int:
    """Run the comparisons that were asked for; return 1 if one is to fail and does."""
    wanted = _arguments()
    earlier = _ratios(wanted.compare) if wanted.compare.exists() else {}
    began = time.monotonic()
    PLACE.mkdir(mode=0o700, exist_ok=True)
    rows: list[Row] = []
    benchmarks = _benchmarks(wanted.rounds, wanted.idle)
    names = wanted.only or list(benchmarks)
    for number, name in enumerate(names, 1):
        _say(f"[{number}/{len(names)}] {name}, after {(time.monotonic() - began) / 60:.1f} minutes")
        place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=PLACE))
        try:
            with site(place) as here:
                for row in benchmarks[name](here):
                    rows.append(row)
                    _tell(row, earlier.get(row.name))
        finally:
            shutil.rmtree(place)
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    document = _document(rows)
    wanted.output.write_text(json.dumps(document, indent=2) + "\n")
    missed = [row.name for row in rows if row.verdict == "missed"]
    worse = [row.name for row in rows if row.ratio > earlier.get(row.name, row.ratio) * _WORSE]
    _say(f"\n{len(rows)} comparisons; missed: {', '.join(missed) or 'none'}")
    _say(f"worse than before by more than 5 %: {', '.join(worse) or 'none'}")
    _say(f"written to {wanted.output}")
    if wanted.save:
        table.keep(document)
    return 1 if wanted.check and (missed or worse) else 0


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
    parser.add_argument("--idle", type=float, default=60, help="seconds to watch the daemons for")
    parser.add_argument("--only", action="append", choices=_benchmarks(0, 0), help="repeatable")
    parser.add_argument("--compare", type=Path, metavar="FILE", default=table.KEPT)
    parser.add_argument("--save", action="store_true", help="keep the results with the project")
    parser.add_argument("--check", action="store_true", help="fail where a goal is missed")
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
        "machine": _machine(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": [{**asdict(row), "ratio": row.ratio, "verdict": row.verdict} for row in rows],
    }


def _machine() -> str:
    """Return what it was measured on, and how busy that was with something else."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} "
        f"processors ({model or 'no model named'}), {memory:.0f} GB; load {os.getloadavg()[2]:.1f}"
    )


def _ratios(file: Path) -> dict[str, float]:
    return {row["name"]: row["ratio"] for row in json.loads(file.read_text())["rows"]}


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  it talks to a person


if __name__ == "__main__":
    sys.exit(main())
