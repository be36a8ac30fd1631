"""Breaks each rule of the core, one at a time, and asks whether the tests notice.

`python -m tests.simulation.mutants`: each mutation is made in a process of its own, which imports
the one changed module and runs the core's unit tests, those first that are about this module, and
the simulation where these notice nothing. Each mutation must be found.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import re
import shutil
import sys
import tempfile
import time
from importlib.abc import MetaPathFinder, SourceLoader
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.simulation.mutations import MUTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from tests.simulation.mutations.mutation import Mutation

ROOT = Path(__file__).parents[2]
_SEEDS = 100
_COPIED = ("rotator", "tests", "pyproject.toml", "ARCHITECTURE.md", "README.md")
_PYTEST = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
# Hypothesis is imported before pytest could rewrite its assertions, to be imported only once.
_IMPORTED = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]


class Mutated(MetaPathFinder, SourceLoader):
    """Finds one module of the package, and gives another source for it."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self.name = name
        self.path = str(path)
        self.source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module comes from; None for all others."""
        del path, target
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_filename(self, fullname: str) -> str:
        """Return the file that tracebacks name."""
        del fullname
        return self.path

    def get_data(self, path: str) -> bytes:
        """Return the source; there is no bytecode of it."""
        if path != self.path:
            raise OSError(path)
        return self.source.encode()


def main() -> int:
    """Try the mutations, print what found each, and return 1 where one lives."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these (parts of their names)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="of the simulation; 0: none")
    wanted = parser.parse_args()
    chosen = [m for m in MUTATIONS if not wanted.names or any(n in m.name for n in wanted.names)]
    began, living = time.perf_counter(), []
    for name, answer in _answers([None, *chosen], wanted.jobs, wanted.seeds):
        if not name and answer is not None:
            print(f"nothing is broken, and yet: {answer}")
            return 1
        if name:
            print(f"{name:<79} {answer or 'LIVES'}", flush=True)
        if name and answer is None:
            living.append(name)
    took = time.perf_counter() - began
    print(f"mutations   {len(chosen)}, found {len(chosen) - len(living)}, in {took:.0f} s")
    print(f"living      {', '.join(living) or 'none'}")
    return 1 if living else 0


def _answers(
    chosen: Sequence[Mutation | None], jobs: int, seeds: int
) -> Iterator[tuple[str, str | None]]:
    """Yield the name of each mutation and what finds it; each is tried in a fork of this process.

    Without a name: the code as it is.
    """
    with tempfile.TemporaryDirectory(prefix="rotator-mutants-") as folder:
        copy = Path(folder)
        _copy(copy)
        import hypothesis  # noqa: F401, PLC0415  each fork finds it imported

        with get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
            tasks = [(one, copy, seeds) for one in chosen]
            yield from pool.imap_unordered(_tried, tasks)


def _copy(copy: Path) -> None:
    """Copy what the tests need, so that the code can be edited meanwhile."""
    for name in _COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy)


def _tried(task: tuple[Mutation | None, Path, int]) -> tuple[str, str | None]:
    """Return a mutation's name and what notices it, None where nothing does."""
    mutation, copy, seeds = task
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    if mutation is not None:
        path = copy / "rotator" / mutation.file
        text = path.read_text()
        if text.count(mutation.old) != 1:
            sys.exit(f"{mutation.name}: its text is there {text.count(mutation.old)} times")
        module = f"rotator.{mutation.file.removesuffix('.py').replace('/', '.')}"
        found = text.replace(mutation.old, mutation.new)
        sys.meta_path.insert(0, Mutated(module, path, found))
    answer = _found_by_tests(_tests(mutation, copy))
    # That the code as it is keeps every promise for these seeds is a test of its own.
    if answer is None and mutation is not None:
        answer = _found_by_seeds(seeds)
    return mutation.name if mutation is not None else "", answer


def _tests(mutation: Mutation | None, copy: Path) -> list[str]:
    """Return the test files that are asked, those first that are named as what is broken.

    Properties are asked last, as Hypothesis looks for the smallest example of what it found.
    """
    if mutation is not None and mutation.file == "slots.py":
        return ["tests/unit/daemon"]
    stem = Path(mutation.file).stem if mutation is not None else ""
    stem = "choose" if stem == "candidate" else stem
    found = sorted((copy / "tests/unit/core").glob("test_*.py"))
    found.sort(key=lambda path: ("properties" in path.name, stem not in path.name))
    return [*map(str, found), "tests/simulation/test_what_seeds_seldom_meet.py"]


def _found_by_tests(tests: Sequence[str]) -> str | None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([*_PYTEST, *_IMPORTED, *tests])
    if code == 0:
        return None
    lines = said.getvalue().splitlines()
    failed = [line for line in lines if re.match("(FAILED|ERROR) ", line)]
    return (failed or lines or [f"pytest ended with {code}"])[-1][:160]


def _found_by_seeds(count: int) -> str | None:
    from tests.simulation.scenario import simulate  # noqa: PLC0415  the core is mutated now
    from tests.simulation.test_seeds import CYCLES, FIRST  # noqa: PLC0415

    for seed in range(FIRST, FIRST + count):
        violation = simulate(seed, most_cycles=CYCLES).violation
        if violation is not None:
            return f"seed {seed}: {violation}"
    return None


if __name__ == "__main__":
    sys.exit(main())
