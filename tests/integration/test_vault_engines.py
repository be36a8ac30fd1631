"""What the Vault source reads from KV 1 and KV 2 in a real OpenBao."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import PermanentError, Reason, TemporaryError
from rotator.core.mark import to_annotations
from rotator.core.model import Mark, Secret
from tests.fakes.vault_door import VaultDoor, refusal
from tests.integration.vault_tools import REGISTRY, SetClock, token_login, vault_source
from tests.servers.openbao import OpenBao, sealed, unique

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = {"username": "robot", "password": "s3cr3t-harbor"}


@pytest.fixture
def auth(openbao: OpenBao, tmp_path: Path) -> dict[str, str]:
    """Return a login that may do everything."""
    return token_login(tmp_path, openbao.root)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("mount", ["kv", "team/apps/kv"])
def test_kv(openbao: OpenBao, auth: dict[str, str], version: int, mount: str) -> None:
    """Both versions of KV are told apart, also on a mount of several parts."""
    mount = openbao.enable_kv(version, f"{unique('x')}/{mount}")
    data = openbao.api  # written through the API's own path
    body = {"data": LOGIN} if version == 2 else LOGIN
    data("POST", f"{mount}/{'data/' if version == 2 else ''}ci/harbor", body)
    source = vault_source(openbao, auth, path=f"{mount}/ci/harbor")
    (credential,) = source.fetch([])
    assert (credential.registry, credential.username) == (REGISTRY, "robot")
    assert credential.password == Secret("s3cr3t-harbor")
    assert (credential.expires_at, credential.lease) == (None, None)
    assert source.changes_early


def test_engine_given(openbao: OpenBao, tmp_path: Path) -> None:
    """With `engine` given, a server that tells nothing of its mounts is read all the same."""
    openbao.put("secret/data/given", LOGIN)
    with VaultDoor(openbao.url) as door:
        door.rude["sys/internal"] = refusal(403, "permission denied")
        auth = token_login(tmp_path, openbao.root)
        assert vault_source(door.url, auth, path="secret/given", engine="kv2").fetch([])
        with pytest.raises(PermanentError) as caught:
            vault_source(door.url, auth, path="secret/given").fetch([])
    assert 'path "secret/data/given"' in caught.value.hint


def test_engine_is_asked_for_once(openbao: OpenBao, tmp_path: Path) -> None:
    """What answers at the path is asked once, and again after a failed read."""
    name = unique("harbor")
    openbao.put(f"secret/data/{name}", LOGIN)
    with VaultDoor(openbao.url) as door:
        auth = token_login(tmp_path, openbao.root)
        source = vault_source(door.url, auth, path=f"secret/{name}")
        for _ in range(3):
            source.fetch([])
        assert door.asked(part="sys/internal") == 1
        openbao.api("DELETE", f"secret/metadata/{name}")
        with pytest.raises(PermanentError):
            source.fetch([])
        openbao.put(f"secret/data/{name}", LOGIN)
        source.fetch([])
        assert door.asked(part="sys/internal") == 2


@pytest.mark.parametrize("version", [1, 2])
def test_engine_given_is_not_asked_for(openbao: OpenBao, tmp_path: Path, version: int) -> None:
    """A login and a read: the mount is taken to be the first part of the path."""
    mount = openbao.enable_kv(version, unique("kv"))
    read = f"{mount}/{'data/' if version == 2 else ''}harbor"
    openbao.api("POST", read, {"data": LOGIN} if version == 2 else LOGIN)
    with VaultDoor(openbao.url) as door:
        auth = token_login(tmp_path, openbao.root)
        source = vault_source(door.url, auth, path=f"{mount}/harbor", engine=f"kv{version}")
        source.fetch([])
        assert [each.path for each in door.seen] == ["auth/token/lookup-self", read]


def test_engine_given_on_a_longer_mount(openbao: OpenBao, tmp_path: Path) -> None:
    """It is asked for once the first part turns out not to be it; the login is not blamed."""
    mount = openbao.enable_kv(2, f"{unique('team')}/kv")
    openbao.api("POST", f"{mount}/data/harbor", {"data": LOGIN})
    token = openbao.token(openbao.policy(f'path "{mount}/data/*" {{ capabilities = ["read"] }}'))
    with VaultDoor(openbao.url) as door:
        source = vault_source(
            door.url, token_login(tmp_path, token), path=f"{mount}/harbor", engine="kv2"
        )
        source.fetch([])
        assert len(door.seen) == 4
        assert door.asked(part="auth/") == 1
        source.fetch([])
        assert door.seen[-1].path == f"{mount}/data/harbor"
        assert len(door.seen) == 5


def test_version_pin(openbao: OpenBao, auth: dict[str, str]) -> None:
    """A pinned version is read however many follow; one that is not there is said."""
    name = unique("harbor")
    for password in ("s3cr3t-one", "s3cr3t-two"):
        openbao.put(f"secret/data/{name}", {**LOGIN, "password": password})
    source = vault_source(openbao, auth, path=f"secret/{name}", kv_version_pin=1)
    assert [each.password for each in source.fetch([])] == [Secret("s3cr3t-one")]
    missing = vault_source(openbao, auth, path=f"secret/{name}", kv_version_pin=7)
    with pytest.raises(PermanentError) as caught:
        missing.fetch([])
    assert caught.value.reason is Reason.NOT_FOUND
    assert "version 7" in caught.value.detail
    assert f"vault kv metadata get -mount=secret {name}" in caught.value.hint


def test_deleted_and_destroyed(openbao: OpenBao, auth: dict[str, str]) -> None:
    """A deleted version can be restored with the command in the hint; a destroyed one can't."""
    name = unique("harbor")
    openbao.put(f"secret/data/{name}", LOGIN)
    source = vault_source(openbao, auth, path=f"secret/{name}")
    openbao.api("DELETE", f"secret/data/{name}")
    with pytest.raises(PermanentError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.DELETED
    assert caught.value.hint == f"vault kv undelete -mount=secret -versions=1 {name}"
    openbao.api("PUT", f"secret/undelete/{name}", {"versions": [1]})
    assert source.fetch([])
    openbao.api("PUT", f"secret/destroy/{name}", {"versions": [1]})
    with pytest.raises(PermanentError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.DELETED
    assert "can't be restored" in caught.value.detail


@pytest.mark.parametrize(
    ("path", "reason", "hint"),
    [
        pytest.param("secret/no/such", Reason.NOT_FOUND, "vault kv list -mount=secret no", id="no"),
        pytest.param("secret/data/x", Reason.NOT_FOUND, "`path: secret/x`", id="path of the API"),
        pytest.param("nowhere/x", Reason.FORBIDDEN, "vault secrets list", id="no mount"),
    ],
)
def test_missing(
    openbao: OpenBao, auth: dict[str, str], path: str, reason: Reason, hint: str
) -> None:
    """What is not there is said with the way to find it."""
    with pytest.raises(PermanentError) as caught:
        vault_source(openbao, auth, path=path).fetch([])
    assert caught.value.reason is reason
    assert hint in caught.value.hint


def test_sealed_and_gone(openbao: OpenBao, auth: dict[str, str]) -> None:
    """A sealed server is said to be sealed, and read again when it is not."""
    openbao.put("secret/data/sealed", LOGIN)
    source = vault_source(openbao, auth, path="secret/sealed")
    source.fetch([])
    with sealed(openbao), pytest.raises(TemporaryError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.UNAVAILABLE
    assert "vault operator unseal" in caught.value.hint
    assert source.fetch([])


def test_issued_when_written(openbao: OpenBao, auth: dict[str, str]) -> None:
    """A KV 2 secret's life began when its version was written, never in our future."""
    openbao.put("secret/data/written", LOGIN)
    clock = SetClock()
    clock.forward(hours=1)
    source = vault_source(openbao, auth, clock, path="secret/written")
    (credential,) = source.fetch([])
    assert timedelta(minutes=59) < clock.now - credential.issued_at
    clock.forward(days=-3)
    (credential,) = source.fetch([])
    assert credential.issued_at == clock.now


def test_whole_docker_config(openbao: OpenBao, auth: dict[str, str]) -> None:
    """A docker config in one field gives every login in it, with the ends in a rotator's mark."""
    document = {
        "auths": {
            host: {"auth": base64.b64encode(f"ci:s3cr3t-{host}".encode()).decode()}
            for host in ("a.example.com", "b.example.com", "c.example.com")
        }
    }
    end = datetime(2027, 1, 31, 12, tzinfo=UTC)
    mark = Mark({"a.example.com": end, "b.example.com": None}, "hmac:0123456789ab", "hub")
    for value in (document, json.dumps(document)):
        openbao.put("secret/data/hub", {"config.json": value, **to_annotations(mark)})
        source = vault_source(openbao, auth, path="secret/hub", docker_config_field="config.json")
        ends = {each.registry: each.expires_at for each in source.fetch([])}
        assert ends == {"a.example.com": end, "b.example.com": None, "c.example.com": None}
