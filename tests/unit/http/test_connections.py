"""Connections end in time, also where the name server does not answer."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from rotator.core.model import Verdict
from rotator.http.client import Limits
from rotator.http.connections import look_up
from rotator.registry.prover import RegistryProver
from tests.unit.registry.stand_in import Registry, basic, credential

if TYPE_CHECKING:
    from tests.fakes.name_server import NameServer

QUICK = Limits(connect=0.3, read=0.3, overall=0.6)


def test_a_name_server_that_hangs(name_server: NameServer) -> None:
    """It costs a proof its own time and no more, and is said."""
    began = time.monotonic()
    proof = RegistryProver(limits=QUICK).prove(credential("registry.hangs"))
    assert time.monotonic() - began < 2
    assert (proof.verdict, proof.detail) == (
        Verdict.UNKNOWN,
        "the name server does not answer in time",
    )


def test_one_look_up_a_name(name_server: NameServer) -> None:
    """However often a name is asked for meanwhile, one thread waits for it."""
    for _ in range(3):
        with pytest.raises(TimeoutError):
            look_up("one.hangs", 443, time.monotonic())
    assert name_server.asked == ["one.hangs"]
    name_server.answers.set()
    found = look_up("one.hangs", 443, time.monotonic() + 5)
    assert found[0][4] == ("127.0.0.1", 443)


def test_failed_look_ups_are_not_cached() -> None:
    """A name that is not known is asked for again the next time."""
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            look_up("registry.invalid", 443, time.monotonic() + 20)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_needs_no_name_server(host: str, name_server: NameServer) -> None:
    """No thread is made for what is no name."""
    before = threading.active_count()
    assert look_up(host, 80, 0.0)[0][4][:2] == (host, 80)
    assert threading.active_count() == before


def test_tries_every_address(name_server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an address that nobody listens at is reached at its next one."""
    real = socket.getaddrinfo

    def two(host: str, port: int, *args: Any) -> Any:
        return [*real("127.0.0.2", port, *args), *real("127.0.0.1", port, *args)]

    with Registry() as registry:
        registry.respond = basic(200)
        monkeypatch.setattr(socket, "getaddrinfo", two)
        name = f"registry.test:{registry.port}"
        proof = RegistryProver(insecure=[name]).prove(credential(name))
    assert proof.verdict is Verdict.ACCEPTED


def test_no_address_answers(name_server: NameServer) -> None:
    """All addresses together get the time of one connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        proof = RegistryProver(limits=QUICK).prove(credential(f"registry.test:{port}"))
        for one in waiting:
            one.close()
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.detail == "no connection within 0.3 s"
    assert time.monotonic() - began < 2
