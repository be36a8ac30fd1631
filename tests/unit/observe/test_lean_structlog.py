"""structlog without rich: that it is needed, that it hides nothing, and what it saves."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

LEAN = "from rotator.observe.lean_structlog import structlog"
MAIN = "from rotator.cli import main; main()"
RUNS = 3


def said(code: str) -> str:
    """Return what a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_structlog_still_loads_rich() -> None:
    """Once it does not, `lean_structlog` can go."""
    assert said("import sys, structlog; print('rich' in sys.modules)") == "True"


def test_rich_is_neither_loaded_nor_hidden() -> None:
    """Who wants rich afterwards gets it."""
    code = f"{LEAN}; import sys; print('rich' in sys.modules); import rich.table; print('there')"
    assert said(code).split() == ["False", "there"]


def processor_seconds(code: str, *words: str) -> float:
    """Return the processor time of a command, which waits for nobody."""
    null = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, null, number) for number in (1, 2)]
    command = [sys.executable, "-c", code, *words]
    process = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
    os.close(null)
    used = os.wait4(process, 0)[2]
    return used.ru_utime + used.ru_stime


def test_what_it_saves(tmp_path: Path) -> None:
    """More than a twentieth of a whole cold start; about a fifth when this was written."""
    config = tmp_path / "rotator.yaml"
    rotation = {
        "name": "dind",
        "sources": [{"type": "docker_config", "path": "/nowhere/config.json"}],
        "targets": [{"type": "file", "path": str(tmp_path / "config.json")}],
    }
    document = {"version": 1, "state_dir": str(tmp_path / "state"), "rotations": [rotation]}
    config.write_text(yaml.safe_dump(document))
    words = ("--config", str(config), "run-once")
    # In turn, so that whatever else the machine does slows both.
    pairs = [
        (processor_seconds(MAIN, *words), processor_seconds(f"import structlog; {MAIN}", *words))
        for _ in range(RUNS)
    ]
    lean, whole = (median(times) for times in zip(*pairs, strict=True))
    assert (whole - lean) / whole > 0.05, (lean, whole)
