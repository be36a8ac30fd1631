"""What a daemon shows that is not well; the rest is tested with the command itself."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
import structlog
from msgspec.structs import replace

from rotator.config.schema import Configuration
from rotator.core.rotation import Rotation
from rotator.observe.observer import Observer, RotationState
from tests.support import NOW, free_port, made, until
from tests.unit.observe.heard import report
from tests.unit.observe.views import WELL, hours, settings

if TYPE_CHECKING:
    from pathlib import Path

HEALTH = "/healthz"
ROTATION = {
    "name": "dind",
    "sources": [{"type": "credential_helper", "helper": "x", "registries": ["a.example"]}],
    "targets": [{"type": "file", "path": "/nowhere/config.json"}],
}


def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and the body of an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Daemon:
    """As much of a daemon as an observer asks."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.port = free_port()
        self.path = folder / "metrics" / "rotator.prom"
        self.configuration = made(
            Configuration,
            version=1,
            state_dir=folder,
            http={"listen": f"127.0.0.1:{self.port}"},
            metrics_file=self.path,
            rotations=[ROTATION],
        )
        self.log = structlog.testing.LogCapture()
        one = settings(sources=ROTATION["sources"], targets=ROTATION["targets"])
        state = RotationState(one, Rotation("dind", (), ()), WELL, None)
        self.observer = Observer(
            lambda: [state],
            lambda: self.configuration,
            lambda: False,
            lambda: self.now,
            structlog.wrap_logger(None, processors=[self.log]),
        )


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """A daemon whose loop does not turn."""
    return Daemon(tmp_path)


def test_a_loop_that_does_not_turn(daemon: Daemon) -> None:
    """It is unhealthy, and says what to do; where nothing is to be served, nothing is."""
    daemon.observer.start()
    assert get(daemon.port, HEALTH) == (
        503,
        "the loop does not turn, or a rotation has no next cycle: restart rotator\n",
    )
    daemon.configuration = replace(daemon.configuration, http=None)
    daemon.observer.reloaded(True)  # noqa: FBT003  as a listener is called
    with pytest.raises(OSError, match="refused"):
        get(daemon.port, HEALTH)
    daemon.observer.stop()


def test_a_metrics_file_that_cannot_be_written(daemon: Daemon) -> None:
    """It is said once an hour, and written as soon as that is possible."""
    for _ in range(3):
        daemon.observer.add(report())
    daemon.now += hours(1)
    daemon.observer.add(report())
    said = [entry for entry in daemon.log.entries if entry["event"] == "metrics file not written"]
    assert len(said) == 2
    daemon.path.parent.mkdir()
    daemon.observer.add(report())
    until(daemon.path.exists, what="the file")
