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
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation.mutations import MUTATIONS, Mutation

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
# On which the code as it is keeps every promise.
_SEEDS = 100
_FIRST = 5000
_COPIED = ("rotator", "tests", "pyproject.toml", "ARCHITECTURE.md", "README.md")
_CORE = ("tests/simulation/test_what_seeds_seldom_meet.py", "tests/unit/core")
_DAEMON = ("tests/unit/test_daemon.py",)
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
    with tempfile.TemporaryDirectory(prefix="rotator-mutants-") as folder:
        return _try(chosen, Path(folder), wanted.jobs, unit=not wanted.simulation)


def _try(chosen: Sequence[Mutation], folder: Path, jobs: int, *, unit: bool) -> int:
    """Try mutations of the code as it is now, so many at once."""
    as_it_is = folder / "as-it-is"
    _copy(ROOT, as_it_is)
    if problem := found_by(None, as_it_is, unit=unit):
        print(f"nothing is broken, and yet: {problem}")
        return 1
    living = []
    with ThreadPoolExecutor(jobs) as pool:
        tried = {pool.submit(found_by, one, as_it_is, unit=unit): one for one in chosen}
        for done in as_completed(tried):
            mutation, answer = tried[done], done.result()
            print(f"{mutation.name:<75} {answer or 'LIVES'}", flush=True)
            if answer is None:
                living.append(mutation.name)
    print(f"mutations   {len(chosen)}, found {len(chosen) - len(living)}")
    print(f"living      {', '.join(living) or 'none'}")
    return 1 if living else 0


def _copy(source: Path, copy: Path) -> None:
    copy.mkdir(exist_ok=True)
    for name in _COPIED:
        if (source / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source / name, copy / name, ignore=ignored)
        else:
            shutil.copy(source / name, copy)


def found_by(mutation: Mutation | None, as_it_is: Path, *, unit: bool = True) -> str | None:
    """Return what notices a mutation, None where nothing does; without one, the code as it is."""
    with tempfile.TemporaryDirectory(prefix="rotator-mutant-") as folder:
        copy = Path(folder)
        _copy(as_it_is, copy)
        try:
            if mutation is not None:
                mutate(mutation, copy)
        except StaleError as stale:
            print(f"{mutation and mutation.name}: {stale}", file=sys.stderr)
            return None
        daemon = mutation is not None and mutation.file == "slots.py"
        tests = _DAEMON if daemon else _CORE
        seeds = ["--first", str(_FIRST), "--seeds", str(_SEEDS), "--jobs", "1", "--failures", "1"]
        return (_run(copy, [*_PYTEST, *tests]) if unit else None) or _run(
            copy, ["-m", "tests.simulation", *seeds]
        )


def mutate(mutation: Mutation, copy: Path) -> None:
    """Make a mutation in a copy of the package."""
    path = copy / "rotator" / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        raise StaleError(f"{mutation.file} has this text {text.count(mutation.old)} times")
    path.write_text(text.replace(mutation.old, mutation.new))


def _run(copy: Path, arguments: list[str]) -> str | None:
    """Run Python in a copy of the package; return what failed, None where nothing did."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    if ran.returncode == 0:
        return None
    lines = [line for line in ran.stdout.splitlines() if "FAILED" in line or "broke a" in line]
    return (lines or (ran.stdout + ran.stderr).splitlines() or ["it failed"])[-1]


if __name__ == "__main__":
    sys.exit(main())
