"""The proof against servers that mean harm, or speak no HTTP."""

from __future__ import annotations

import socket
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.core.model import Verdict
from rotator.registry.prover import RegistryProver
from tests.fakes.harm import MUCH, harms, sending
from tests.integration.registry_servers import CHALLENGE, QUICK, answer, server
from tests.unit.registry.stand_in import SECRET, credential

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event


def after_login(send: Callable[[socket.socket, Event], None]) -> Callable[..., None]:
    """Challenge first; do harm once the credential was offered."""

    def act(connection: socket.socket, request: bytes, closing: Event) -> None:
        if b"Authorization:" in request:
            send(connection, closing)
        else:
            connection.sendall(answer("401 Unauthorized", CHALLENGE))

    return act


HARM = harms(b"HTTP/1.1 403 Forbidden\r\n", 0.1)


@pytest.mark.parametrize("harm", HARM)
def test_survives_harm(harm: str) -> None:
    """Whatever a server does once it has the credential: little time, little memory, unknown."""
    with server(after_login(HARM[harm])) as found:
        tracemalloc.start()
        began = time.monotonic()
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
        took = time.monotonic() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.detail
    assert SECRET not in proof.detail
    assert took < QUICK.overall + 1
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("harm", ["broken gzip", "slow body", "cut off"])
def test_a_rejection_is_one_whatever_comes_after_it(harm: str) -> None:
    """A 401 says all; its body only says it again."""
    with server(after_login(harms(b"HTTP/1.1 401 No\r\n", 0.1)[harm])) as found:
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
    assert proof.verdict is Verdict.REJECTED


def test_reads_what_is_packed() -> None:
    """A registry that compresses without being asked is understood."""
    errors = zlib.compress(b'{"errors": [{"code": "DENIED"}]}', wbits=31)

    def packed_errors(connection: socket.socket, _closing: Event) -> None:
        connection.sendall(answer("403 Forbidden", "Content-Encoding: gzip\r\n", errors))

    with server(after_login(packed_errors)) as found:
        assert RegistryProver().prove(credential(found.host)).verdict is Verdict.REJECTED


def test_reads_no_more_of_an_accepted_login() -> None:
    """A 200 whose body never ends is still an acceptance, read to 64 KiB and no further."""
    with server(after_login(sending(b"HTTP/1.1 200 OK\r\n\r\n", MUCH))) as found:
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
    assert proof.verdict is Verdict.ACCEPTED


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(garbage=st.binary(max_size=300), status=st.sampled_from([b"", b"HTTP/1.1 401 No\r\n"]))
def test_survives_garbage(garbage: bytes, status: bytes) -> None:
    """Any bytes for an answer leave the proof unknown, and the credential at home."""

    def act(connection: socket.socket, _request: bytes, _closing: Event) -> None:
        connection.sendall(status + garbage)
        connection.shutdown(socket.SHUT_RDWR)

    with server(act) as found:
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
    assert proof.verdict is Verdict.UNKNOWN
    assert not any(b"Authorization" in request for request in found.requests)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(challenge=st.text(alphabet=st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_survives_garbage_challenges(challenge: str) -> None:
    """Any challenge is either met with the credential, at the registry, or not at all."""

    def act(connection: socket.socket, request: bytes, _closing: Event) -> None:
        status = "200 OK" if b"Authorization" in request else "401 Unauthorized"
        header = b"WWW-Authenticate: " + challenge.encode("latin-1") + b"\r\n"
        head, _, tail = answer(status).partition(b"\r\n")
        connection.sendall(head + b"\r\n" + header + tail)

    with server(act) as found:
        proof = RegistryProver(limits=QUICK).prove(credential(found.host))
    assert proof.verdict in (Verdict.UNKNOWN, Verdict.ACCEPTED)
