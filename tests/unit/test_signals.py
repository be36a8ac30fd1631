"""A signal ends a command in one way, whenever it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rotator.signals import ENDING

if TYPE_CHECKING:
    from pathlib import Path

KILL = "import os; os.kill(os.getpid(), {:d})"


def start(
    folder: Path, package: str, number: int, words: list[str], before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command that gets a signal when it loads a package."""
    fake = folder / package / "__init__.py"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(KILL.format(number))
    return subprocess.run(
        [*before, sys.executable, "-m", "rotator", *words],
        env={**os.environ, "PYTHONPATH": f"{folder}:{os.getcwd()}"},  # noqa: PTH109
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("number", ENDING)
def test_while_it_loads(tmp_path: Path, number: signal.Signals) -> None:
    """Nothing was done yet, and no traceback says so."""
    done = start(tmp_path, "click", number, ["check"])
    said = f"rotator: interrupted by {number.name}: nothing was done yet\n"
    assert (done.returncode, done.stderr) == (128 + number, said)


def test_the_daemon_while_it_loads(tmp_path: Path) -> None:
    """A stop is a good end, a reload is none."""
    done = start(tmp_path, "apscheduler", signal.SIGTERM, ["run"])
    assert (done.returncode, done.stderr) == (0, "")
    done = start(tmp_path, "apscheduler", signal.SIGHUP, ["--config", "/nowhere.yaml", "run"])
    assert "interrupted" not in done.stderr


def test_what_is_to_be_ignored(tmp_path: Path) -> None:
    """`nohup` and a shell's background job go on."""
    ignoring = ("sh", "-c", 'trap "" HUP INT; exec "$@"', "sh")
    for number in (signal.SIGHUP, signal.SIGINT):
        done = start(tmp_path, "click", number, ["schema"], ignoring)
        assert "interrupted" not in done.stderr
