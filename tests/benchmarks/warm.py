"""Cycles in a process that has run one before: on loopback, with latency, and with many targets."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks import installed
from tests.benchmarks.measure import Row, Spent, in_turn, spend, wall_and_cpu
from tests.benchmarks.scripts import three_script
from tests.benchmarks.site import GROUP
from tests.benchmarks.slow_gitlab import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.site import Site

LATENCY = 0.05
CONNECTIONS = 16
MANY = (100, 1000, 5000)
# Megabytes that so many may add.
_MOST = {100: 20, 1000: 20, 5000: 40}
# Each waits for the one before it: what a target holds is proven (a registry answers with a
# challenge first), then fetched, proven and written.
CHAIN = ("read", "namespace", "challenge", "proof", "fetch", "challenge", "proof", "write")
_MEGABYTE = 1e6


@dataclass
class Cycles:
    """The process that runs cycles of one rotation on request."""

    process: subprocess.Popen[str]
    memory: float = 0.0
    at_first: float = 0.0
    synced: int = 0

    def run(self) -> Spent:
        """Run a cycle and return what it took; `memory` is then what the process holds."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.hear()

    def hear(self) -> Spent:
        """Take the process's next answer."""
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        if not answer.startswith("["):
            raise RuntimeError(f"a cycle failed: {answer}{self.process.stdout.read()}")
        wall, cpu, self.memory, self.synced = json.loads(answer)
        return Spent(wall, cpu)


@contextmanager
def cycles(here: Site, name: str, rotation: dict[str, Any]) -> Iterator[Cycles]:
    """Start the process; its rotation has had one cycle."""
    document = {"version": 1, "state_dir": f"{here.place}/state-{name}", "rotations": [rotation]}
    config = here.write(f"{name}.json", json.dumps(document))
    process = subprocess.Popen(
        [installed.rotator() / "python", "-m", "tests.benchmarks.cycles", config],
        env=here.environment,
        cwd=installed.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Cycles(process)
    try:
        running.hear()
        running.at_first = running.memory
        running.run()
        yield running
    finally:
        process.terminate()
        process.communicate(timeout=30)


def loopback(here: Site, rounds: int) -> list[Row]:
    """Measure a forced cycle, one source and three targets, against the script that does it."""
    script = three_script(here)
    with cycles(here, "warm", here.rotation("three", name="warm")) as ours:
        measured = in_turn(rounds, ours.run, lambda: spend(here, script))
        synced = ours.synced
    cpu = 1000 * median(spent.cpu for spent in measured[0])
    return [
        *wall_and_cpu("warm: ECR → three targets", "the script", (0.1, 0.05), measured),
        Row("warm: CPU of a cycle", "15 ms", "ms", cpu, 15.0, 1.0, rounds),
        Row("warm: syncs of a cycle", "2 for the file, 2 for the journal", "", synced, 4, 1.5),
    ]


def latency(here: Site, rounds: int) -> list[Row]:
    """Measure a forced cycle with latency on every request against its longest chain of them."""
    with cycles(here, "slow", here.rotation("three", name="slow")) as ours, here.slow(LATENCY):
        taken = median(ours.run().wall for _ in range(rounds + 1))
    chain = len(CHAIN) * LATENCY
    return [
        Row("warm: 50 ms a request", f"{len(CHAIN)} in a row", "ms", taken * 1000, chain * 1000,
            1.2, rounds),
    ]  # fmt: skip


def many_variables(here: Site, rounds: int) -> list[Row]:
    """Measure cycles with many variables and latency; the GitLab is a process of its own."""
    rows: list[Row] = []
    walls: dict[int, float] = {}
    for number in MANY:
        few = rounds if number == MANY[0] else 1
        wall, calls, grown = _variables(here, number, few)
        walls[number] = wall
        floor = calls * LATENCY / CONNECTIONS
        is_goal = number == MANY[1]
        rows += [
            Row(f"warm: {number} variables", f"{calls:g} calls at {CONNECTIONS} a time", "s",
                wall, floor, 1.2 if is_goal else None, few),
            Row(f"memory: growth with {number} variables", f"{_MOST[number]} MB", "MB",
                grown / _MEGABYTE, _MOST[number], 1.0 if number > MANY[0] else None),
        ]  # fmt: skip
    rows += [
        Row(f"warm: {more} variables, linear", f"{more // less} times {less} variables", "s",
            walls[more], walls[less] * more / less, 1.1 if more < MANY[-1] else 1.05)
        for less, more in pairwise(MANY)
    ]  # fmt: skip
    return rows


def _variables(here: Site, number: int, rounds: int) -> tuple[float, float, float]:
    """Return seconds and calls of a cycle that writes as many variables, and the memory it added.

    A cycle that takes more than two seconds reads each again before it writes it.
    """
    with _gitlab() as gitlab:
        here.write("many-token", gitlab.token)
        source = here.write("many-source.json", _login(0))
        rotation = {
            "name": f"many-{number}",
            "prove": "off",
            "sources": [{"type": "docker_config", "path": str(source)}],
            "targets": [
                {
                    **here.variable(f"VARIABLE_{n}"),
                    "group": f"{GROUP}/{n % GROUPS}",
                    "url": gitlab.url,
                    "token_file": str(here.place / "many-token"),
                }
                for n in range(number)
            ],
        }
        with cycles(here, f"many-{number}", rotation) as ours:
            taken = []
            for turn in range(rounds):
                source.write_text(_login(turn + 1))
                before = gitlab.calls()
                taken.append((ours.run().wall, gitlab.calls() - before))
            walls, calls = zip(*taken, strict=True)
            return median(walls), median(calls), ours.memory - ours.at_first


@dataclass
class _Gitlab:
    """The slow GitLab's process, and where it listens."""

    process: subprocess.Popen[str]
    url: str
    token: str

    def calls(self) -> int:
        """Return how many requests it has had."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def _gitlab() -> Iterator[_Gitlab]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.slow_gitlab", str(LATENCY)],
        cwd=installed.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield _Gitlab(process, **json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _login(turn: int) -> str:
    return json.dumps({"auths": {"registry.example.com": {"auth": _AUTHS[turn % 2]}}})


_AUTHS = ("cm9ib3Q6czNjcjN0LW9uZQ==", "cm9ib3Q6czNjcjN0LXR3bw==")
