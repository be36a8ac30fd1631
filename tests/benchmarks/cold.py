"""Cold starts: `rotator run-once` and the shortest commands, as a timer or a person starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import installed
from tests.benchmarks.measure import Row, in_turn, spend, wall_and_cpu
from tests.benchmarks.scripts import agent, ecr_script, three_script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.site import Site


def three_targets(here: Site, rounds: int) -> list[Row]:
    """Measure ECR to a file, a ConfigMap and a group variable against the script for it."""
    config = here.configuration("three", here.rotation("three"))
    return _against(
        here, rounds, "cold: ECR → three targets", config, three_script(here), (1.12, 1.12)
    )


def ecr_to_file(here: Site, rounds: int) -> list[Row]:
    """Measure ECR to a file against `aws ecr get-login-password`, with and without the proof."""
    proven = here.configuration("ecr", here.rotation("ecr"))
    bare = here.configuration("ecr-bare", here.rotation("ecr", prove="off"))
    script = ecr_script(here)
    return [
        *_against(here, rounds, "cold: ECR → file", proven, script, (0.7, 0.7)),
        *_against(here, rounds, "cold: ECR → file, prove: off", bare, script, (0.75, 0.75)),
    ]


def vault_to_file(here: Site, rounds: int) -> list[Row]:
    """Measure Vault KV 2 to a file against the agent with `exit_after_auth`."""
    config = here.configuration("vault", here.rotation("vault"))
    return _against(here, rounds, "cold: Vault → file", config, agent(here, once=True), (1.8, 1.8))


def shortest(here: Site, rounds: int) -> list[Row]:
    """Measure `--version`, `--help` and `status` against a Python that does nothing."""
    config = here.configuration("status", here.rotation("vault"))
    spend(here, _run_once(config))
    program, python = (str(installed.rotator() / name) for name in ("rotator", "python"))
    rows = []
    for what, words, goal in (
        ("--version", ["--version"], 3.5),
        ("--help", ["--help"], 4.9),
        ("status", ["--config", str(config), "status"], 6.0),
    ):
        measured = in_turn(
            rounds,
            lambda words=words: spend(here, [program, *words]),  # type: ignore[misc]
            lambda: spend(here, [python, "-c", "pass"]),
        )
        rows += wall_and_cpu(f"rotator {what}", "python -c pass", (goal, goal), measured)
    return rows


def _run_once(config: Path) -> list[str]:
    return [str(installed.rotator() / "rotator"), "--config", str(config), "run-once"]


def _against(
    here: Site,
    rounds: int,
    name: str,
    config: Path,
    other: list[str],
    goals: tuple[float, float],
) -> list[Row]:
    measured = in_turn(rounds, lambda: spend(here, _run_once(config)), lambda: spend(here, other))
    return wall_and_cpu(name, "bao agent" if "agent" in other else "the script", goals, measured)
