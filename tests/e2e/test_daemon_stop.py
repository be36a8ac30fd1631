"""`rotator run` stops within 10 s with exit code 0, whatever hangs, and starts again from there."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from rotator.system.lock import cycle_lock
from tests.e2e.running import Daemon
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site


@contextmanager
def mute() -> Iterator[tuple[str, socket.socket]]:
    """Listen, and never answer; give `host:port` and the socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        yield f"127.0.0.1:{server.getsockname()[1]}", server


def asked_for(server: socket.socket, stack: ExitStack) -> bool:
    """Tell whether somebody has come; the connection stays."""
    try:
        stack.enter_context(server.accept()[0])
    except TimeoutError:
        return False
    return True


HUNG = {"fetch": "address", "proof": "registry"}
"""What in the source leads to a server that never answers."""


@pytest.mark.parametrize("phase", ["fetch", "proof", "lock"])
def test_stop_while_something_hangs(site: Site, phase: str) -> None:
    """SIGTERM, and again: it says that it waits, ends in time, and the next start goes on."""
    site.rotation["sources"] = [site.vault]
    good = dict(site.vault)
    with ExitStack() as stack:
        if phase == "lock":
            stack.enter_context(cycle_lock(site.place / "state", "site", 0, pytest.fail))
            daemon = stack.enter_context(Daemon(site))
            until(
                lambda: any("STATUS" in reported for reported in daemon.messages()), 30, "the start"
            )
        else:
            address, server = stack.enter_context(mute())
            site.vault[HUNG[phase]] = f"http://{address}" if phase == "fetch" else address
            daemon = stack.enter_context(Daemon(site))
            until(lambda: asked_for(server, stack), 30, f"the {phase} to begin")
        daemon.signal(signal.SIGTERM)
        until(lambda: "STOPPING=1" in daemon.messages(), 10, "STOPPING=1")
        assert daemon.end() == 0
        assert len(daemon.events("still stopping")) == 1
    site.vault.update(good)
    with Daemon(site) as daemon:
        until(lambda: site.file.exists() and site.registry.host in site.published(), 60, "the file")
        assert daemon.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stop_until_it_has_stopped(site: Site, number: int) -> None:
    """Whatever comes until the process is gone, it ends well."""
    with Daemon(site) as daemon:
        daemon.ready()
        daemon.signal(signal.SIGTERM)
        assert daemon.process is not None
        while daemon.process.poll() is None:
            daemon.signal(number)
        assert daemon.process.returncode == 0
        assert daemon.events("stopped")
