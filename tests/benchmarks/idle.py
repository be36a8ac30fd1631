"""What the daemon holds and burns between two cycles, against Vault's agent in the same minutes."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import installed
from tests.benchmarks.measure import Row
from tests.benchmarks.scripts import agent
from tests.support import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.site import Site

GOALS = {"vault": 0.65, "ecr": 0.8, "everything": 1.0}
_SETTLE = 10.0
_MEGABYTE = 1e6


def idle(here: Site, seconds: float) -> list[Row]:
    """Measure three daemons and the agent at once: memory, then the CPU time of that many s."""
    everything = here.rotation("three", name="everything")
    everything["sources"] = [here.vault_source, here.ecr_source]
    everything["targets"][0] = here.file("everything")
    configurations = {
        "vault": here.configuration("idle-vault", here.rotation("vault")),
        "ecr": here.configuration("idle-ecr", here.rotation("ecr")),
        "everything": here.configuration(
            "idle-everything", everything, http={"listen": f"127.0.0.1:{free_port()}"}
        ),
    }
    with _running(here, agent(here, once=False)) as theirs:
        until((here.place / "docker" / "agent.json").exists, 60, "the agent's file")
        with (
            _daemon(here, configurations["vault"], "idle-vault", "vault") as vault,
            _daemon(here, configurations["ecr"], "idle-ecr", "ecr") as ecr,
            _daemon(here, configurations["everything"], "idle-everything", "everything") as all_,
        ):
            ours = {"vault": vault, "ecr": ecr, "everything": all_}
            time.sleep(_SETTLE)
            pids = {**ours, "agent": theirs}
            memory = {name: _memory(pid) / _MEGABYTE for name, pid in pids.items()}
            begun = {name: _cpu(pid) for name, pid in pids.items()}
            time.sleep(seconds)
            burnt = {name: (_cpu(pid) - begun[name]) * 60 / seconds for name, pid in pids.items()}
    return [
        *(
            Row(f"memory idle: {name}", "bao agent", "MB", memory[name], memory["agent"], goal)
            for name, goal in GOALS.items()
        ),
        *(
            Row(f"CPU idle: {name}", "bao agent", "ms/min", burnt[name] * 1000,
                burnt["agent"] * 1000, 2.0)
            for name in GOALS
        ),
    ]  # fmt: skip


@contextmanager
def _daemon(here: Site, config: Path, state: str, rotation: str) -> Iterator[int]:
    record = here.place / f"state-{state}" / f"{rotation}.json"
    with _running(
        here, [str(installed.rotator() / "rotator"), "--config", str(config), "run"]
    ) as pid:
        until(
            lambda: record.exists() and '"outcome":"rotated"' in record.read_text(), 60, "a cycle"
        )
        yield pid


@contextmanager
def _running(here: Site, command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(
        command,
        env=here.environment,
        cwd=here.place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        process.wait(30)


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a process, ended threads included; finer than /proc tells."""
    # The clock of another process, as clock_getcpuclockid(3) makes it on Linux.
    return time.clock_gettime((~pid << 3) | 2)
