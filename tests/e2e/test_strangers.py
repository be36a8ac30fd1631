"""Something else listens where a server should: that is said, and what to look at."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_special_files import GITLAB, SECRET, VAULT, said_by, sourced, targeted
from tests.e2e.watched import Watched
from tests.support import MARKED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GREETING = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
PLAIN = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
PLAIN += b"Client sent an HTTP request to an HTTPS server.\n"


@contextmanager
def stranger(greeting: bytes) -> Iterator[str]:
    """Listen, and send the same to everybody; give `host:port`."""

    class Greets(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.recv(65536)
                self.request.sendall(greeting)
                self.request.shutdown(socket.SHUT_WR)
                while self.request.recv(65536):  # what is unread would reset it
                    pass

    with ThreadingTCPServer(("127.0.0.1", 0), Greets) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def kubernetes(url: str) -> Callable[[Watched], None]:
    """Let the rotation write a Secret of this cluster."""

    def change(watched: Watched) -> None:
        document = {
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": ""}}],
            "current-context": "x",
        }
        (watched.place / "kubeconfig").write_text(json.dumps(document))
        targeted({**SECRET, "kubeconfig": str(watched.place / "kubeconfig")})(watched)

    return change


SERVERS: dict[str, Callable[[str], Callable[[Watched], None]]] = {
    "vault": lambda url: sourced({**VAULT, "address": url}),
    "gitlab": lambda url: targeted({**GITLAB, "url": url}),
    "kubernetes": kubernetes,
    "ecr": lambda url: sourced({"type": "ecr", "region": "eu-west-1", "endpoint_url": url}),
}


@pytest.mark.parametrize("server", SERVERS)
def test_ssh(tmp_path: Path, server: str) -> None:
    """It is named by how it begins, and `unreachable` is not said of it; TLS is missed there."""
    watched = Watched(tmp_path)
    with stranger(GREETING) as address:
        for scheme, sentence in (("http", "begins with `SSH-2.0`"), ("https", "TLS")):
            SERVERS[server](f"{scheme}://{address}")(watched)
            watched.write()
            said = said_by(watched, "run-once")
            assert sentence in said, said
            assert scheme == "https" or "unreachable" not in said, said


@pytest.mark.parametrize("server", ["vault", "gitlab", "kubernetes"])
def test_tls_is_wanted(tmp_path: Path, server: str) -> None:
    """The server says so itself, and the scheme is what to correct."""
    watched = Watched(tmp_path)
    with stranger(PLAIN) as address:
        SERVERS[server](f"http://{address}")(watched)
        watched.write()
        assert "https://" in said_by(watched, "run-once").partition("To do:")[2]


def test_a_registry(tmp_path: Path) -> None:
    """`check` says it of a registry too."""
    watched = Watched(tmp_path)
    with stranger(GREETING) as address:
        watched.source.write_text(
            json.dumps({"auths": {address: {"username": "u", "password": f"{MARKED}p"}}})
        )
        watched.configuration["rotations"][0]["prove"] = "lenient"
        watched.write()
        said = said_by(watched, "check")
        assert "begins with `SSH-2.0`" in said, said[:900]
