"""Through OpenBao's own agent and proxy, which add their token, over TCP and a Unix socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import PermanentError, Reason, TemporaryError
from rotator.core.model import Secret
from tests.integration.vault_tools import vault_source
from tests.servers.openbao import ROBOT_PASSWORD, OpenBao
from tests.servers.openbao_agent import OpenBaoApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AGENT = {"method": "agent"}


def login(server: OpenBao, folder: Path, policy: str) -> dict[str, str]:
    """Return the agent's own AppRole login."""
    mount, role_id, secret_id = server.approle([policy])
    (folder / "secret-id").write_text(secret_id)
    return {"mount": mount, "role_id": role_id, "secret_id_file": str(folder / "secret-id")}


@pytest.fixture(params=["agent", "proxy"])
def api(
    request: pytest.FixtureRequest, openbao: OpenBao, kv_policy: str, tmp_path: Path
) -> Iterator[OpenBaoApi]:
    """Give each of the two, logged in."""
    auth = login(openbao, tmp_path, kv_policy)
    with OpenBaoApi(request.param, tmp_path, openbao.url, auth) as made:
        yield made


def test_secret_through_it(
    api: OpenBaoApi, kv_secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways lead to the secret without a login of ours; a proxy setting changes nothing."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for address in (api.url, api.socket):
        source = vault_source(address, AGENT, path=f"secret/{kv_secret}")
        assert [one.password for one in source.fetch([])] == [Secret(ROBOT_PASSWORD)]
        assert source.token_expires_at is None


def test_denied_through_it(api: OpenBaoApi) -> None:
    """What the agent's own token may not do is said as usual, naming the socket."""
    with pytest.raises(PermanentError) as caught:
        vault_source(api.socket, AGENT, path="secret/other", engine="kv2").fetch([])
    assert caught.value.reason is Reason.FORBIDDEN
    assert api.socket in caught.value.detail
    assert "use_auto_auth_token" in caught.value.hint


def test_it_adds_no_token(openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path) -> None:
    """A proxy that adds no token is told to."""
    auth = login(openbao, tmp_path, kv_policy)
    with OpenBaoApi("proxy", tmp_path, openbao.url, auth, adds_token=False) as api:
        with pytest.raises(PermanentError) as caught:
            vault_source(api.socket, AGENT, path=f"secret/{kv_secret}").fetch([])
        assert caught.value.reason is Reason.FORBIDDEN
        assert "use_auto_auth_token" in caught.value.hint


def test_socket_that_is_not_there(tmp_path: Path) -> None:
    """It is unreachable, in the system's words."""
    source = vault_source(f"unix://{tmp_path}/none.sock", AGENT, path="secret/x")
    with pytest.raises(TemporaryError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.UNREACHABLE
    assert "No such file" in caught.value.detail
    assert f"unix://{tmp_path}/none.sock" in caught.value.detail
