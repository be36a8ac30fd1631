"""`rotator run` in this process, and what it serves."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from rotator.commands.run import execute
from rotator.config.load import load
from tests.support import free_port, until
from tests.unit.commands.conftest import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.commands.conftest import Site

_SET_DUMPABLE = 4
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give this process back what a daemon changes in it."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, 1, 0, 0, 0)


@contextmanager
def meanwhile(steps: Callable[[], None], end: int = signal.SIGTERM) -> Iterator[None]:
    """Take these steps in a thread while the block runs a daemon, and then end that."""
    failed: list[BaseException] = []

    def take() -> None:
        try:
            steps()
        except BaseException as error:  # noqa: BLE001  raised again below
            failed.append(error)
        os.kill(os.getpid(), end)

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failed:
        raise failed[0]


def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and the body of an answer; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def run(site: Site) -> int:
    """Run the daemon with the configuration as it is."""
    site.write()
    return execute(lambda: load(site.config, {}))


def test_until_a_signal(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """It publishes and ends with 0; on a terminal it says what comes next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        with meanwhile(lambda: until(site.file.exists, what="the first cycle")):
            assert run(site) == 0
    printed = capsys.readouterr().err
    assert "Ctrl-C stops rotator" in printed
    assert "1 rotation, all fresh and job-safe; next: dind in" in printed


def test_ctrl_c(site: Site) -> None:
    """It ends as for a signal, and it is told that somebody pressed it."""
    ends = pytest.raises(KeyboardInterrupt, match="every cycle that had begun has ended")
    with meanwhile(lambda: until(site.file.exists, what="a cycle"), signal.SIGINT), ends:
        run(site)


def test_what_it_serves(site: Site) -> None:
    """Metrics, health, readiness and page; a reload changes what is served, and counts."""
    port, other, metrics = free_port(), free_port(), site.folder / "rotator.prom"
    site.more = {"http": {"listen": f"127.0.0.1:{port}"}, "metrics_file": str(metrics)}

    def steps() -> None:
        until(lambda: get(port, "/readyz")[0] == 200, what="the first cycle")
        assert get(port, "/healthz") == (200, "ok\n")
        assert HOST in get(port, "/?q=dind")[1]
        assert json.loads(get(port, "/api/status")[1])["health"] == "green"
        until(lambda: 'rotator_job_safe{rotation="dind"} 1.0' in metrics.read_text())
        site.more["http"] = {"listen": f"127.0.0.1:{other}", "status_page": False}
        site.more["metrics_file"] = str(site.folder / "nowhere" / "rotator.prom")
        site.rotation["targets"][0]["path"] = str(site.folder / "nowhere" / "config.json")
        site.write()
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: get(other, "/readyz")[0] == 503, what="the new address")
        [rotation] = json.loads(get(other, "/readyz")[1])["rotations"]
        assert (rotation["name"], bool(rotation["reasons"][0]["hint"])) == ("dind", True)
        assert (get(other, "/")[0], get(port, "/healthz")[0]) == (404, 0)
        site.config.write_text("version: 2\n")
        os.kill(os.getpid(), signal.SIGHUP)
        bad = "rotator_config_last_reload_successful 0.0"
        until(lambda: bad in get(other, "/metrics")[1], what="the bad reload")

    with meanwhile(steps):
        assert run(site) == 0
