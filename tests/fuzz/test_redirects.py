"""A server that sends us elsewhere: no secret goes along to whom nobody configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, PermanentError
from tests.fakes.certificates import Pki
from tests.fakes.ecr import key_in_environment
from tests.fuzz.drivers import DRIVERS, PUBLISHED, TOKEN
from tests.fuzz.stub import Reply, Stub, dumped
from tests.integration.vault_tools import token_login, vault_source

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.core.model import Credential

STATUSES = (301, 302, 303, 307, 308)


def to(other: Stub, status: int) -> Reply:
    """Return a redirect to another server, for every path."""
    return Reply(b"{}", status, {"Location": f"{other.url}/v1/secret/data/x"})


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", ["ecr", "gitlab", "kubernetes"])
def test_nobody_else_is_asked(
    kind: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These servers have no reason to redirect an API call: it is an error, and ends there."""
    key_in_environment(monkeypatch)
    with Stub() as server, Stub() as other:
        server.answer = lambda *_: to(other, status)
        with pytest.raises(DriverError):
            DRIVERS[kind](server.url, tmp_path).use()
        assert server.received
        assert other.received == []


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """An authority that Vault's settings trust."""
    return Pki(tmp_path)


def fetch(server: Stub, pki: Pki, folder: Path) -> list[Credential]:
    """Fetch from a Vault at this address."""
    login = token_login(folder, TOKEN)
    settings = {"path": "secret/x", "ca_file": str(pki.ca)}
    return list(vault_source(server.url, login, **settings).fetch([]))


def test_a_standby_sends_to_the_active_node(pki: Pki, tmp_path: Path) -> None:
    """Vault redirects to its active node: another host, over TLS that is trusted as well."""
    with Stub(pki.context()) as standby, Stub(pki.context()) as active:
        good = DRIVERS["vault"](active.url, tmp_path).good
        active.answer = lambda method, path: Reply(dumped(good(method, path)))
        standby.answer = lambda _, path: Reply(b"", 307, {"Location": f"{active.url}{path}"})
        (login,) = fetch(standby, pki, tmp_path)
        assert login.password.reveal() == PUBLISHED


@pytest.mark.parametrize("status", STATUSES)
def test_never_from_tls_to_plain_http(status: int, pki: Pki, tmp_path: Path) -> None:
    """The token would be read on the way."""
    with Stub(pki.context()) as server, Stub() as other:
        server.answer = lambda *_: to(other, status)
        with pytest.raises(PermanentError, match="from TLS to plain HTTP") as caught:
            fetch(server, pki, tmp_path)
        assert caught.value.hint
        assert other.received == []


def test_never_to_tls_that_is_not_trusted(pki: Pki, tmp_path: Path) -> None:
    """Whoever has no certificate of that authority is not asked."""
    (tmp_path / "other").mkdir()
    with Stub(pki.context()) as server, Stub(Pki(tmp_path / "other").context()) as other:
        server.answer = lambda *_: to(other, 307)
        with pytest.raises(DriverError):
            fetch(server, pki, tmp_path)
        assert other.received == []
