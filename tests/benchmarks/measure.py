"""Measures whole processes: wall time, CPU time and memory, as the kernel accounts for them."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.benchmarks.site import Site


@dataclass(frozen=True)
class Spent:
    """What one run took: seconds on the clock, seconds of CPU (user and system, children too)."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Row:
    """One comparison. `goal` is what `ours` divided by `theirs` should be at most.

    `name` stays the same from release to release. A goal of None is reported only.
    """

    name: str
    against: str
    unit: str
    ours: float
    theirs: float
    goal: float | None = None
    rounds: int = 1

    @property
    def ratio(self) -> float:
        """How many times theirs ours is."""
        if self.theirs:
            return self.ours / self.theirs
        return 0.0 if not self.ours else float("inf")

    @property
    def verdict(self) -> str:
        """Whether the goal is reached, in a word."""
        if self.goal is None:
            return ""
        # Half a digit of what is printed.
        return "reached" if self.ratio <= self.goal + 0.005 else "missed"


def spend(here: Site, command: Sequence[str | os.PathLike[str]]) -> Spent:
    """Run a command to its end; raise where it fails, because that would be quick."""
    output = here.place / "output"
    begun = time.perf_counter()
    with output.open("wb") as log:
        process = subprocess.Popen(
            command, env=here.environment, cwd=here.place, stdout=log, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}: {output.read_text()}")
    return Spent(wall, usage.ru_utime + usage.ru_stime)


def in_turn(
    rounds: int, ours: Callable[[], Spent], theirs: Callable[[], Spent]
) -> tuple[list[Spent], list[Spent]]:
    """Return what both took, measured one after the other as often as asked, after one warm-up.

    In turn, because a machine's speed drifts: what disturbs one side disturbs the other.
    """
    ours(), theirs()
    both = [(ours(), theirs()) for _ in range(rounds)]
    return [mine for mine, _ in both], [other for _, other in both]


def wall_and_cpu(
    name: str,
    against: str,
    goals: tuple[float | None, float | None],
    measured: tuple[list[Spent], list[Spent]],
) -> list[Row]:
    """Return a row for the wall time and one for the CPU time: medians, in milliseconds."""
    ours, theirs = measured
    rows = []
    for what, goal in zip(("wall", "cpu"), goals, strict=True):
        mine, other = (1000 * median(getattr(s, what) for s in side) for side in (ours, theirs))
        rows.append(Row(f"{name}: {what}", against, "ms", mine, other, goal, len(ours)))
    return rows


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], place: Path, output: Path | None = None
) -> Iterator[int]:
    """Run a command for the block and yield its process id; its output goes to a file, if any."""
    with (output or Path(os.devnull)).open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=place, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        process.wait(30)


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds, with what it shares."""
    return _kilobytes(f"/proc/{pid}/status", "VmRSS:")


def private_bytes(pid: int) -> int:
    """Return the memory that would be free without this process."""
    file = f"/proc/{pid}/smaps_rollup"
    return _kilobytes(file, "Private_Clean:") + _kilobytes(file, "Private_Dirty:")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, ended threads included; finer than /proc tells."""
    # The clock of another process, as clock_getcpuclockid(3) makes it on Linux.
    return time.clock_gettime((~pid << 3) | 2)


def wake_ups(pid: int) -> int:
    """Return how often the threads of a process have gone to sleep by themselves."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # the thread has ended
            lines = (task / "status").read_text().splitlines()
            found += int(next(x for x in lines if x.startswith("voluntary")).split()[1])
    return found


def _kilobytes(file: str, key: str) -> int:
    lines = Path(file).read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))
