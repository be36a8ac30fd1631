"""How a login to Vault is kept, renewed and replaced, against a real OpenBao."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.core.errors import LoginRejectedError, PermanentError, Reason
from rotator.core.model import Secret
from tests.fakes.vault_door import VaultDoor
from tests.integration.vault_tools import SetClock, token_login, vault_source
from tests.servers.openbao import ROBOT_PASSWORD, OpenBao

if TYPE_CHECKING:
    from pathlib import Path


PASSWORD = Secret(ROBOT_PASSWORD)


def test_token_file(openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path) -> None:
    """A token from a file reads; another one written there counts from the next fetch on."""
    auth = token_login(tmp_path, openbao.token(kv_policy))
    source = vault_source(openbao, auth, path=f"secret/{kv_secret}")
    assert [each.password for each in source.fetch([])] == [PASSWORD]
    stamp = source.login_stamp()
    token_login(tmp_path, "s3cr3t-wrong-token")
    assert source.login_stamp() != stamp
    with pytest.raises(LoginRejectedError) as caught:
        source.fetch([])
    assert "vault token create" in caught.value.hint
    token_login(tmp_path, openbao.token(kv_policy))
    assert source.fetch([])


def test_token_variable(
    openbao: OpenBao, kv_secret: str, kv_policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token from an environment variable reads; VAULT_TOKEN alone is nobody's setting."""
    monkeypatch.setenv("VAULT_TOKEN", "s3cr3t-not-this-one")
    monkeypatch.setenv("CI_VAULT_TOKEN", openbao.token(kv_policy))
    auth = {"method": "token", "token_env": "CI_VAULT_TOKEN"}
    assert vault_source(openbao, auth, path=f"secret/{kv_secret}").fetch([])


def test_token_end(openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path) -> None:
    """The token's end is known after a fetch; root's is not, as it has none."""
    clock = SetClock()
    auth = token_login(tmp_path, openbao.token(kv_policy, ttl="2h"))
    source = vault_source(openbao, auth, clock, path=f"secret/{kv_secret}")
    assert source.token_expires_at is None
    source.fetch([])
    assert source.token_expires_at is not None
    left = source.token_expires_at - clock.now
    assert timedelta(hours=1, minutes=59) < left <= timedelta(hours=2)
    root = vault_source(openbao, token_login(tmp_path, openbao.root), path=f"secret/{kv_secret}")
    root.fetch([])
    assert root.token_expires_at is None


def test_token_that_may_not_look_at_itself(
    openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path
) -> None:
    """A token without the default policy reads all the same; only its end stays unknown."""
    auth = token_login(tmp_path, openbao.token(kv_policy, no_default_policy=True))
    source = vault_source(openbao, auth, path=f"secret/{kv_secret}")
    assert source.fetch([])
    assert source.token_expires_at is None


def test_periodic_token_is_renewed(
    openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path
) -> None:
    """After a quarter of its life a periodic token is renewed, not before."""
    clock = SetClock()
    with VaultDoor(openbao.url) as door:
        auth = token_login(tmp_path, openbao.token(kv_policy, period="1h"))
        source = vault_source(door.url, auth, clock, path=f"secret/{kv_secret}")
        source.fetch([])
        clock.forward(minutes=10)
        source.fetch([])
        assert door.asked(part="renew-self") == 0
        clock.forward(minutes=10)
        source.fetch([])
        assert door.asked(part="renew-self") == 1
        assert source.token_expires_at == clock.now + timedelta(hours=1)


def approle_login(server: OpenBao, folder: Path, kv_policy: str, **role: Any) -> dict[str, str]:
    """Return the settings of a login with a fresh AppRole role."""
    mount, role_id, secret_id = server.approle([kv_policy], **role)
    file = folder / "secret-id"
    file.write_text(f"{secret_id}\n")
    return {"method": "approle", "mount": mount, "role_id": role_id, "secret_id_file": str(file)}


def test_approle(openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path) -> None:
    """One login serves many fetches; a wrong secret id is a rejected login, said with the fix.

    It is offered when the next login is due, not before.
    """
    with VaultDoor(openbao.url) as door:
        auth = approle_login(openbao, tmp_path, kv_policy)
        clock = SetClock()
        source = vault_source(door.url, auth, clock, path=f"secret/{kv_secret}")
        for _ in range(3):
            assert source.fetch([])
        (tmp_path / "secret-id").write_text("s3cr3t-wrong")
        assert source.fetch([])
        assert door.asked(part="login") == 1
        clock.forward(hours=2)
        with pytest.raises(LoginRejectedError) as caught:
            source.fetch([])
        assert door.asked(part="login") == 2
    assert "secret-id" in caught.value.hint
    assert "invalid role or secret ID" in caught.value.detail


def test_approle_without_secret_id(openbao: OpenBao, kv_secret: str, kv_policy: str) -> None:
    """A role that is bound to addresses instead of a secret id needs none."""
    role = {"bind_secret_id": False, "token_bound_cidrs": "127.0.0.0/8"}
    mount = openbao.enable_auth("approle")
    path = f"auth/{mount}/role/ci"
    openbao.api("POST", path, {"token_policies": [kv_policy], **role})
    role_id = openbao.api("GET", f"{path}/role-id")["data"]["role_id"]
    auth = {"method": "approle", "mount": mount, "role_id": role_id}
    assert vault_source(openbao, auth, path=f"secret/{kv_secret}").fetch([])


def test_revoked_token(openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path) -> None:
    """A login token that was revoked leads to one fresh login in the same fetch."""
    with VaultDoor(openbao.url) as door:
        auth = approle_login(openbao, tmp_path, kv_policy)
        source = vault_source(door.url, auth, path=f"secret/{kv_secret}")
        source.fetch([])
        openbao.revoke_token(door.seen[-1].headers["X-Vault-Token"])
        assert source.fetch([])
        assert door.asked(part="login") == 2


def test_denied_leads_to_one_login(
    openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path
) -> None:
    """Where the policy denies, a fetch logs in once more at most, then says which line is missing.

    A fetch that has just logged in does not do so again.
    """
    with VaultDoor(openbao.url) as door:
        auth = approle_login(openbao, tmp_path, kv_policy)
        source = vault_source(door.url, auth, path=f"secret/{kv_secret}")
        source.fetch([])
        openbao.policy('path "elsewhere/*" { capabilities = ["read"] }', kv_policy)
        for logins in (2, 3):
            with pytest.raises(PermanentError) as caught:
                source.fetch([])
            assert caught.value.reason is Reason.FORBIDDEN
            assert (
                f'path "secret/data/{kv_secret}" {{ capabilities = ["read"] }}' in caught.value.hint
            )
            assert door.asked(part="login") == logins
        fresh = vault_source(door.url, auth, path=f"secret/{kv_secret}")
        with pytest.raises(PermanentError):
            fresh.fetch([])
        assert door.asked(part="login") == 4


def test_login_token_is_replaced_before_its_end(
    openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path
) -> None:
    """A token that can't be renewed further is replaced in the second half of its life."""
    clock = SetClock()
    with VaultDoor(openbao.url) as door:
        auth = approle_login(
            openbao, tmp_path, kv_policy, token_ttl="1h", token_max_ttl="1h", token_type="batch"
        )
        source = vault_source(door.url, auth, clock, path=f"secret/{kv_secret}")
        source.fetch([])
        clock.forward(minutes=35)
        source.fetch([])
        assert door.asked(part="login") == 2
        assert source.token_expires_at == clock.now + timedelta(hours=1)


def test_missing_login_mount(openbao: OpenBao) -> None:
    """The server does not tell a mount that is not there from a wrong secret: both are named."""
    auth = {"method": "approle", "mount": "nowhere", "role_id": "x"}
    with pytest.raises(PermanentError) as caught:
        vault_source(openbao, auth, path="secret/x").fetch([])
    assert "`mount`" in caught.value.hint


def test_secret_file_that_appears(
    openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path
) -> None:
    """A secret that somebody writes later changes the stamp, so a login is tried at once."""
    auth = {"method": "token", "token_file": str(tmp_path / "later")}
    source = vault_source(openbao, auth, path=f"secret/{kv_secret}")
    with pytest.raises(PermanentError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.UNREADABLE
    assert str(tmp_path / "later") in caught.value.detail
    stamp = source.login_stamp()
    (tmp_path / "later").write_text(openbao.token(kv_policy))
    assert source.login_stamp() != stamp
    assert source.fetch([])
