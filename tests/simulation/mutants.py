"""Breaks each rule of the core, one at a time, and asks whether the tests notice.

`python -m tests.simulation.mutants`: each mutation is made in a copy of the package, on which the
core's unit tests run, and the simulation where these notice nothing. Each must be found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.simulation.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
_SEEDS = 150
_FIRST = 1
_COPIED = ("rotator", "tests", "pyproject.toml")
_PYTEST = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]


class StaleError(Exception):
    """The text that a mutation replaces is not there exactly once."""


def main() -> int:
    """Try the mutations, print what found each, and return 1 where one lives."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these (parts of their names)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument("--simulation", action="store_true", help="ask the simulation alone")
    wanted = parser.parse_args()
    chosen = [m for m in MUTATIONS if not wanted.names or any(n in m.name for n in wanted.names)]
    living = []
    with ThreadPoolExecutor(wanted.jobs) as pool:
        answers = pool.map(lambda one: found_by(one, unit=not wanted.simulation), chosen)
        for mutation, answer in zip(chosen, answers, strict=True):
            print(f"{mutation.name:<58} {answer or 'LIVES'}", flush=True)
            if answer is None:
                living.append(mutation.name)
    print(f"mutations   {len(chosen)}, found {len(chosen) - len(living)}")
    print(f"living      {', '.join(living) or 'none'}")
    return 1 if living else 0


def found_by(mutation: Mutation, *, unit: bool = True) -> str | None:
    """Return what notices a mutation; None where nothing does."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="rotator-mutant-") as folder:
        copy = Path(folder)
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "go")
                )
            else:
                shutil.copy(source, copy)
        try:
            mutate(mutation, copy)
        except StaleError as stale:
            print(f"{mutation.name}: {stale}", file=sys.stderr)
            return None
        tests = (
            "tests/unit/core" if mutation.file.startswith("core/") else "tests/unit/test_daemon.py"
        )
        if unit and _run(copy, [*_PYTEST, tests]) != 0:
            return f"unit tests, {time.perf_counter() - began:.0f} s"
        seeds = ["--first", str(_FIRST), "--seeds", str(_SEEDS), "--jobs", "1", "--failures", "1"]
        if _run(copy, ["-m", "tests.simulation", *seeds]) != 0:
            return f"simulation, {time.perf_counter() - began:.0f} s"
    return None


def mutate(mutation: Mutation, copy: Path) -> None:
    """Make a mutation in a copy of the package."""
    path = copy / "rotator" / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        raise StaleError(f"{mutation.file} has this text {text.count(mutation.old)} times")
    path.write_text(text.replace(mutation.old, mutation.new))


def _run(copy: Path, arguments: list[str]) -> int:
    """Run Python in a copy of the package."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
