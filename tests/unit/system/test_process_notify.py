"""What systemd is told, over the socket that it names."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from rotator.system.process import Notify

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_each_message_arrives(tmp_path: Path, kind: str) -> None:
    """The socket may have a path, or a name that begins with a NUL, which systemd writes as @."""
    named = str(tmp_path / "notify")
    address = named if kind == "path" else f"@{named}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        notify = Notify({"NOTIFY_SOCKET": address})
        notify.ready()
        notify.reloading()
        notify.alive()
        notify.status("all is well")
        notify.stopping()
        got = [manager.recv(100).decode() for _ in range(5)]
    assert got.pop(1).startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert got == ["READY=1", "WATCHDOG=1", "STATUS=all is well", "STOPPING=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_where_nobody_listens_nothing_happens(environ: dict[str, str]) -> None:
    """Nothing depends on a message but the manager's picture."""
    Notify(environ).ready()
