"""One login for all that log in the same way, quotas and namespaces, against a real OpenBao."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rotator.config.sources import VaultSourceSettings
from rotator.config.targets import VaultKvTargetSettings
from rotator.core.errors import LoginRejectedError, PermanentError, Reason
from rotator.core.model import Mark, Policy, Secret
from rotator.sources import vault as vault_source_module
from rotator.system.each import ThreadedEach
from rotator.targets import vault_kv as vault_kv_module
from tests.fakes.vault_door import VaultDoor
from tests.integration.vault_tools import SetClock, token_login, vault_source
from tests.servers.openbao import OpenBao, unique
from tests.support import made

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.sources.vault import VaultSource


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def approle(server: OpenBao, folder: Path, policy: str, **role: Any) -> dict[str, str]:
    """Return the settings of a login with a fresh role."""
    mount, role_id, secret_id = server.approle([policy], **role)
    (folder / "secret-id").write_text(secret_id)
    file = str(folder / "secret-id")
    return {"method": "approle", "mount": mount, "role_id": role_id, "secret_id_file": file}


def secrets(server: OpenBao, count: int) -> list[str]:
    """Write so many secrets; return their paths."""
    names = [unique("shared") for _ in range(count)]
    for name in names:
        server.put(f"secret/data/{name}", {"username": "robot", "password": f"s3cr3t-{name}"})
    return [f"secret/{name}" for name in names]


def sources(url: str, auth: dict[str, str], paths: list[str], **more: Any) -> list[VaultSource]:
    """Return the sources as the application builds them."""
    return [
        vault_source_module.build(
            made(
                VaultSourceSettings,
                name=path,
                address=url,
                auth=auth,
                path=path,
                registry=f"r{number}.example.com",
                **more,
            ),
            clock,
        )
        for number, path in enumerate(paths)
    ]


def fetched(drivers: list[VaultSource]) -> list[Any]:
    """Fetch from all at once, as a cycle does."""
    return ThreadedEach()(lambda source: source.fetch([]), drivers, 60.0)


def test_a_single_use_secret_id_serves_all(openbao: OpenBao, tmp_path: Path) -> None:
    """Two sources and a target: one login, one question for the mount, and each its request."""
    policy = openbao.policy('path "secret/*" { capabilities = ["read", "create", "update"] }')
    paths = secrets(openbao, 2)
    with VaultDoor(openbao.url) as door:
        auth = approle(openbao, tmp_path, policy, secret_id_num_uses=1)
        drivers = sources(door.url, auth, paths)
        assert [len(answer) for answer in fetched(drivers)] == [1, 1]
        settings = made(
            VaultKvTargetSettings, address=door.url, auth=auth, path=f"secret/{unique('kv')}"
        )
        target = vault_kv_module.build(settings, Policy(), clock)
        held = target.read()
        target.write(Secret('{"auths":{}}'), Mark({}, "hmac:0", "r"), held)
        assert door.asked(part="login") == 1
        assert door.asked(part="sys/internal") == 1
        assert len(door.seen) == 6


def test_others_log_in_themselves(openbao: OpenBao, tmp_path: Path) -> None:
    """Another role is another login."""
    policy = openbao.policy('path "secret/*" { capabilities = ["read"] }')
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = secrets(openbao, 2)
    with VaultDoor(openbao.url) as door:
        one = sources(door.url, approle(openbao, tmp_path / "a", policy), [first])
        two = sources(door.url, approle(openbao, tmp_path / "b", policy), [second])
        assert all(isinstance(answer, list) for answer in fetched(one + two))
        assert door.asked(part="login") == 2


def test_a_wrong_secret_is_offered_once(openbao: OpenBao, tmp_path: Path) -> None:
    """Thirty sources do not lock the role; each is told, and the right secret counts at once."""
    policy = openbao.policy('path "secret/*" { capabilities = ["read"] }')
    paths = secrets(openbao, 30)
    with VaultDoor(openbao.url) as door:
        auth = approle(openbao, tmp_path, policy)
        right = (tmp_path / "secret-id").read_text()
        (tmp_path / "secret-id").write_text("s3cr3t-wrong")
        drivers = sources(door.url, auth, paths)
        assert all(isinstance(answer, LoginRejectedError) for answer in fetched(drivers))
        assert door.asked(part="login") == 1
        (tmp_path / "secret-id").write_text(right)
        assert all(isinstance(answer, list) for answer in fetched(drivers))


def test_one_that_is_denied_does_not_spoil_the_login(openbao: OpenBao, tmp_path: Path) -> None:
    """Its second login fails, as the secret id is used up; the others go on with the first."""
    good, bad = secrets(openbao, 2)
    name = good.removeprefix("secret/")
    policy = openbao.policy(f'path "secret/data/{name}" {{ capabilities = ["read"] }}')
    auth = approle(openbao, tmp_path, policy, secret_id_num_uses=1)
    first, second = sources(openbao.url, auth, [good, bad], engine="kv2")
    assert first.fetch([])
    for _ in range(2):
        with pytest.raises(PermanentError) as caught:
            second.fetch([])
        assert caught.value.reason is Reason.FORBIDDEN
        assert first.fetch([])


def test_thirty_sources_and_a_rate_quota(openbao: OpenBao, tmp_path: Path) -> None:
    """Five requests a second: the first cycle publishes everything within a minute."""
    policy = openbao.policy('path "limited/*" { capabilities = ["read"] }')
    openbao.enable_kv(2, "limited")
    names = [unique("q") for _ in range(30)]
    for name in names:
        openbao.put(f"limited/data/{name}", {"username": "robot", "password": "s3cr3t-q"})
    auth = approle(openbao, tmp_path, policy)
    quota = "sys/quotas/rate-limit/limited"
    openbao.api("POST", quota, {"path": "limited/", "rate": 5, "interval": "1s"})
    try:
        begun = time.monotonic()
        drivers = sources(openbao.url, auth, [f"limited/{name}" for name in names])
        answers = fetched(drivers)
        assert [answer for answer in answers if isinstance(answer, Exception)] == []
        assert time.monotonic() - begun < 60
    finally:
        openbao.api("DELETE", quota)


@pytest.fixture(scope="module")
def child(openbao: OpenBao) -> str:
    """Return a namespace with KV 2 at `secret` and a robot's login in it."""
    name = unique("team")
    openbao.api("POST", f"sys/namespaces/{name}")
    openbao.api("POST", f"{name}/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
    openbao.put_when_ready(f"{name}/secret/data/harbor", {"username": "u", "password": "s3cr3t-n"})
    return name


def test_login_in_the_parent_secret_in_the_child(
    openbao: OpenBao, child: str, tmp_path: Path
) -> None:
    """`auth.namespace` says where the login is, in source and target."""
    policy = openbao.policy(
        f'path "{child}/secret/*" {{ capabilities = ["read", "create", "update"] }}'
    )
    auth = {**approle(openbao, tmp_path, policy), "namespace": "root"}
    (source,) = sources(openbao.url, auth, ["secret/harbor"], namespace=child)
    (credential,) = source.fetch([])
    assert credential.password == Secret("s3cr3t-n")
    settings = made(
        VaultKvTargetSettings,
        address=openbao.url,
        auth=auth,
        namespace=child,
        path="secret/published",
    )
    target = vault_kv_module.build(settings, Policy(), clock)
    target.write(Secret('{"auths":{}}'), Mark({}, "hmac:0", "r"), target.read())
    answer = openbao.api("GET", f"{child}/secret/data/published")
    assert answer["data"]["data"]["config.json"] == '{"auths":{}}'
    (elsewhere,) = sources(openbao.url, {**auth, "namespace": child}, ["secret/harbor"])
    with pytest.raises(PermanentError):
        elsewhere.fetch([])


def test_wrapping_token_as_a_secret_id(openbao: OpenBao, kv_policy: str, tmp_path: Path) -> None:
    """It is said to be that, and what to do."""
    auth = approle(openbao, tmp_path, kv_policy)
    wrapped = requests.post(
        f"{openbao.url}/v1/auth/token/create",
        json={},
        headers={"X-Vault-Token": openbao.root, "X-Vault-Wrap-TTL": "60s"},
        timeout=10,
    ).json()["wrap_info"]["token"]
    (tmp_path / "secret-id").write_text(wrapped)
    with pytest.raises(LoginRejectedError) as caught:
        vault_source(openbao, auth, path="secret/x").fetch([])
    assert "wrapping token" in caught.value.detail
    assert "vault unwrap" in caught.value.hint


def test_path_of_the_api(openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path) -> None:
    """`secret/data/…` is said to be the API's, also where the policy hides whether it is there."""
    for token in (openbao.root, openbao.token(kv_policy)):
        auth = token_login(tmp_path, token)
        source = vault_source(openbao, auth, SetClock(), path=f"secret/data/{kv_secret}")
        with pytest.raises(PermanentError) as caught:
            source.fetch([])
        assert f"`path: secret/{kv_secret}`, without `data/`" in caught.value.hint


def test_batch_and_counted_tokens(
    openbao: OpenBao, kv_secret: str, kv_policy: str, tmp_path: Path
) -> None:
    """A batch token reads; one limited in uses is said to be perhaps used up when it is."""
    batch = openbao.token(kv_policy, type="batch")
    assert vault_source(openbao, token_login(tmp_path, batch), path=f"secret/{kv_secret}").fetch([])
    auth = token_login(tmp_path, openbao.token(kv_policy, num_uses=2))
    source = vault_source(openbao, auth, path=f"secret/{kv_secret}")
    assert source.fetch([])
    with pytest.raises(LoginRejectedError) as caught:
        source.fetch([])
    assert "used up" in caught.value.detail


def test_target_path_of_the_api(openbao: OpenBao, tmp_path: Path) -> None:
    """A target at `secret/data/…` would write where nobody reads: it is said before."""
    settings = made(
        VaultKvTargetSettings,
        address=openbao.url,
        auth=token_login(tmp_path, openbao.root),
        path=f"secret/data/{unique('kv')}",
    )
    held = vault_kv_module.build(settings, Policy(), clock).read()
    assert "`path: secret/kv-" in held.notes[0]
