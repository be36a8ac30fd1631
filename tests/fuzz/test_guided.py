"""The guided fuzzing runs; whoever wants it to find something gives it minutes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="there is no atheris for this Python"
)
def test_it_runs(tmp_path: Path) -> None:
    """Its tests are there, and one of them is reached and breaks on nothing that is tried first."""
    words = ["challenge", "-runs=30", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Done 30 runs" in done.stderr
