"""Threads may use a type for the first time at once; with msgspec alone that crashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_ONCE = """
import threading, msgspec
from typing import Optional, Dict, List
from rotator import decoding

def types(k):
    prev = int
    for i in range(60):
        fields = [("a", Optional[prev], None), ("b", Optional[List[prev]], None),
                  ("c", Optional[Dict[str, prev]], None)]
        prev = msgspec.defstruct(f"S{k}_{i}", fields)
    return prev

for k in range(100):
    last, gate = types(k), threading.Barrier(4)
    def use():
        gate.wait()
        USE
    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


@pytest.mark.parametrize(
    "use", ["decoding.convert({'a': None}, last)", "decoding.decode_json('{}', last)"]
)
def test_threads_at_once(use: str) -> None:
    """A type that four threads begin to use together is built once."""
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE.replace("USE", use)],
        env={"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"-11 is a crash of the interpreter:\n{done.stderr}"


@pytest.mark.parametrize(
    "line",
    [
        "msgspec.convert({}, Record)",
        "msgspec.json.decode(b'', type=Record)",
        "msgspec.json.Decoder(Record)",
        "msgspec.yaml.decode(b'', type=Record)",
        "importlib.import_module('rotator.targets.file')",
    ],
)
def test_no_other_way(line: str) -> None:
    """The linter refuses what goes around the lock."""
    code = f"import importlib\n\nimport msgspec\n\n{line}\n"
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--stdin-filename", "rotator/core/x.py", "-"],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "rotator.decoding" in done.stdout, done.stdout
