"""What the daemon holds and burns between two cycles, against Vault's agent in the same minutes."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.benchmarks import installed
from tests.benchmarks.measure import Row, cpu_seconds, resident_bytes, running, wake_ups
from tests.benchmarks.scripts import agent
from tests.support import free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.site import Site

GOALS = {"vault": 0.65, "ecr": 0.8, "everything": 1.0}
_SETTLE = 10.0
_MANY = 30
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
    with running(agent(here, once=False), here.environment, here.place) as theirs:
        until((here.place / "docker" / "agent.json").exists, 60, "the agent's file")
        with (
            _daemon(here, configurations["vault"], "idle-vault", "vault") as vault,
            _daemon(here, configurations["ecr"], "idle-ecr", "ecr") as ecr,
            _daemon(here, configurations["everything"], "idle-everything", "everything") as all_,
        ):
            ours = {"vault": vault, "ecr": ecr, "everything": all_}
            time.sleep(_SETTLE)
            pids = {**ours, "agent": theirs}
            memory = {name: resident_bytes(pid) / _MEGABYTE for name, pid in pids.items()}
            begun = {name: cpu_seconds(pid) for name, pid in pids.items()}
            time.sleep(seconds)
            burnt = {
                name: (cpu_seconds(pid) - begun[name]) * 60 / seconds for name, pid in pids.items()
            }
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


def many_rotations(here: Site, seconds: float) -> list[Row]:
    """Measure a daemon with 30 rotations and nothing due beside one with 1 rotation."""
    login = {"auths": {"registry.example.com": {"username": "robot", "password": "s3cr3t-idle"}}}
    source = {"type": "docker_config", "path": str(here.write("idle.json", json.dumps(login)))}
    few, many = (
        here.configuration(
            f"idle-{number}",
            *(
                {
                    "name": f"idle-{n}",
                    "prove": "off",
                    "schedule": {"poll": "12h"},
                    "sources": [source],
                    "targets": [here.file(f"idle-{number}-{n}")],
                }
                for n in range(number)
            ),
        )
        for number in (1, _MANY)
    )
    with (
        _daemon(here, few, "idle-1", "idle-0") as one,
        _daemon(here, many, f"idle-{_MANY}", f"idle-{_MANY - 1}") as all_,
    ):
        time.sleep(_SETTLE)
        begun = {pid: (cpu_seconds(pid), wake_ups(pid)) for pid in (one, all_)}
        time.sleep(seconds)
        ended = {pid: (cpu_seconds(pid), wake_ups(pid)) for pid in (one, all_)}
    cpu = {pid: (ended[pid][0] - begun[pid][0]) * 60_000 / seconds for pid in begun}
    wakes = {pid: (ended[pid][1] - begun[pid][1]) * 60 / seconds for pid in begun}
    return [
        Row(f"CPU idle: {_MANY} rotations", "1 rotation", "ms/min", cpu[all_], cpu[one], 2.0),
        Row(f"wake-ups idle: {_MANY} rotations", "1 rotation", "a minute", wakes[all_],
            wakes[one], 1.1),
    ]  # fmt: skip


@contextmanager
def _daemon(here: Site, config: Path, state: str, rotation: str) -> Iterator[int]:
    record = here.place / f"state-{state}" / f"{rotation}.json"
    command = [str(installed.rotator() / "rotator"), "--config", str(config), "run"]
    with running(command, here.environment, here.place) as pid:
        until(
            lambda: record.exists() and '"outcome":"rotated"' in record.read_text(), 60, "a cycle"
        )
        yield pid
