"""structlog without rich: that it is needed, that it hides nothing, and what it saves."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

LEAN = "from rotator.observe.lean_structlog import structlog"
COUNT = "import atexit, sys; atexit.register(lambda: print(len(sys.modules), file=sys.stderr))"


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


def test_what_it_saves(tmp_path: Path) -> None:
    """More than a twentieth of what a whole cold start loads; time is too unsteady to assert."""
    config = tmp_path / "rotator.yaml"
    rotation = {
        "name": "dind",
        "sources": [{"type": "docker_config", "path": "/nowhere/config.json"}],
        "targets": [{"type": "file", "path": str(tmp_path / "config.json")}],
    }
    document = {"version": 1, "state_dir": str(tmp_path / "state"), "rotations": [rotation]}
    config.write_text(yaml.safe_dump(document))

    def loaded(first: str) -> int:
        code = f"{first}; {COUNT}; from rotator.cli import main; main()"
        words = ["--config", str(config), "run-once"]
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return int(done.stderr.splitlines()[-1])

    lean, whole = loaded("pass"), loaded("import structlog")
    assert (whole - lean) / whole > 0.05, (lean, whole)
