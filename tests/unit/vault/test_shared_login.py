"""A login that is renewed, replaced, shared and refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, PermanentError, TemporaryError
from tests.fakes.vault_door import Answer, Request, VaultDoor, refusal
from tests.integration.vault_tools import SetClock, token_login, vault_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JSON = {"Content-Type": "application/json"}
SECRET = Answer(200, '{"data": {"data": {"username": "u", "password": "s3cr3t-x"}}}', JSON)
REFUSED = refusal(403, "permission denied")


def approle(folder: Path) -> dict[str, str]:
    """Return the settings of an AppRole login."""
    (folder / "id").write_text("s3cr3t-id")
    return {"method": "approle", "role_id": "r", "secret_id_file": str(folder / "id")}


def login(number: int) -> Answer:
    """Return a login whose token lasts 100 seconds and can be renewed."""
    auth = {"client_token": f"s3cr3t-{number}", "lease_duration": 100, "renewable": True}
    return Answer(200, json.dumps({"auth": auth}), JSON)


def only_for(token: str) -> Callable[[Request], Answer]:
    """Return what gives the secret to one token alone."""
    return lambda request: SECRET if request.headers["X-Vault-Token"] == token else REFUSED


def test_who_is_refused_uses_the_newer_login_of_another(door: VaultDoor, tmp_path: Path) -> None:
    """Two sources share a token that is revoked: one of them logs in again, for both."""
    clock, auth = SetClock(), approle(tmp_path)
    sources = [vault_source(door.url, auth, clock, path=f"secret/{name}") for name in ("a", "b")]
    door.rude |= {"approle/login": login(1), "secret/data": only_for("s3cr3t-1")}
    for source in sources:
        source.fetch([])
    door.rude |= {"approle/login": login(2), "secret/data": only_for("s3cr3t-2")}
    for source in sources:
        source.fetch([])
    assert door.asked(part="approle/login") == 2


def test_an_agents_token_is_not_ours_to_replace(door: VaultDoor) -> None:
    """No login is tried; the hint names the Agent's configuration."""
    source = vault_source(door.url, {"method": "agent"}, path="secret/a")
    door.rude["secret/data"] = SECRET
    source.fetch([])
    door.rude["secret/data"] = REFUSED
    with pytest.raises(PermanentError) as caught:
        source.fetch([])
    assert "use_auto_auth_token" in caught.value.hint
    assert door.asked(part="login") == 0


def test_a_renewal_that_fails(door: VaultDoor, tmp_path: Path) -> None:
    """A server in trouble is waited for; where it does not renew, another login is made in time."""
    clock = SetClock()
    source = vault_source(door.url, approle(tmp_path), clock, path="secret/a")
    door.rude |= {"approle/login": login(1), "secret/data": SECRET}
    source.fetch([])
    clock.forward(seconds=60)
    door.rude["renew-self"] = refusal(503, "sealed")
    with pytest.raises(TemporaryError):
        source.fetch([])
    door.rude["renew-self"] = refusal(400, "lease is not renewable")
    source.fetch([])
    assert door.asked(part="approle/login") == 2


def test_a_server_that_cannot_tell_of_its_token_now(door: VaultDoor, tmp_path: Path) -> None:
    """It is not rejected for that."""
    door.rude["lookup-self"] = refusal(503, "sealed")
    with pytest.raises(TemporaryError):
        vault_source(door.url, token_login(tmp_path, "s3cr3t-t"), path="secret/a").fetch([])


def test_a_question_for_the_mount_that_fails(door: VaultDoor, tmp_path: Path) -> None:
    """Only a refusal is taken for a missing right."""
    door.rude["sys/internal"] = refusal(400, "odd")
    with pytest.raises(DriverError) as caught:
        vault_source(door.url, token_login(tmp_path, "s3cr3t-t"), path="secret/a").fetch([])
    assert "policy" not in caught.value.hint
