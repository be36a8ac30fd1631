"""How quotas and standbys are waited for within one fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.config.sources import VaultSourceSettings
from rotator.core.errors import LoginRejectedError, Reason, TemporaryError
from rotator.sources.vault import VaultSource
from rotator.vault.patience import Patience
from rotator.vault.server import Server
from rotator.vault.session import VaultSession
from rotator.vault.shared_login import SharedLogin
from tests.fakes.vault_door import Answer, Request, VaultDoor, refusal
from tests.support import NOW, made

if TYPE_CHECKING:
    from pathlib import Path

SECRET = '{"data": {"data": {"username": "robot", "password": "s3cr3t-x"}, "metadata": {}}}'
TOKEN = '{"auth": {"client_token": "s3cr3t-token", "lease_duration": 3600}}'
JSON = {"Content-Type": "application/json"}


class Time:
    """A clock that a sleep moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.slept.append(seconds)
        self.now += seconds


def source(door: VaultDoor, folder: Path, time: Time, seconds: float = 30) -> VaultSource:
    """Return a source with an AppRole login that waits on this clock."""
    (folder / "secret-id").write_text("s3cr3t-id")
    settings = made(
        VaultSourceSettings,
        address=door.url,
        auth={"method": "approle", "role_id": "r", "secret_id_file": str(folder / "secret-id")},
        path="secret/harbor",
        engine="kv2",
        registry="registry.example.com",
    )
    login = SharedLogin(Server.of(settings), lambda: NOW)
    patience = Patience(seconds, time.sleep, time, lambda: 0.5)
    return VaultSource(settings, lambda: NOW, VaultSession(settings, login, patience))


class Then:
    """Answers so many times otherwise, and then well."""

    def __init__(self, times: int, first: Answer, then: str) -> None:
        self.times = times
        self.first = first
        self.then = Answer(200, then, {**JSON, "X-Vault-Index": "the-index"})

    def __call__(self, _: Request) -> Answer:
        """Return the next answer."""
        self.times -= 1
        return self.first if self.times >= 0 else self.then


SOON = {
    "a quota": refusal(429, "rate limit quota exceeded"),
    "behind": refusal(412, "required index state not present"),
    "readonly": refusal(400, "cannot write to readonly storage"),
    "performance standby": refusal(473),
    "DR secondary": refusal(472),
    "no leader": refusal(500, "local node not active but active cluster node not found"),
}


@pytest.mark.parametrize("first", SOON.values(), ids=SOON)
@pytest.mark.parametrize("where", ["login", "secret"])
def test_asked_again(door: VaultDoor, tmp_path: Path, first: Answer, where: str) -> None:
    """Each is asked again in the same fetch, at the login and after it."""
    time = Time()
    door.rude = {
        "login": Then(3 if where == "login" else 0, first, TOKEN),
        "secret/data": Then(3 if where == "secret" else 0, first, SECRET),
    }
    assert source(door, tmp_path, time).fetch([])
    assert len(time.slept) == 3
    assert time.slept == sorted(time.slept)


def test_retry_after_is_obeyed(door: VaultDoor, tmp_path: Path) -> None:
    """The server's own wish counts."""
    time = Time()
    slow = refusal(429, "quota", headers={"Retry-After": "7"})
    door.rude = {"login": Then(2, slow, TOKEN), "secret/data": Then(0, slow, SECRET)}
    assert source(door, tmp_path, time).fetch([])
    assert time.slept == [7, 7]


def test_the_bound(door: VaultDoor, tmp_path: Path) -> None:
    """What stays is an error after half a minute, and each fetch has its own half minute."""
    time = Time()
    door.rude["login"] = refusal(429, "quota")
    made_source = source(door, tmp_path, time)
    for most in (30, 60):
        with pytest.raises(TemporaryError) as caught:
            made_source.fetch([])
        assert caught.value.reason is Reason.THROTTLED
        assert most - 5 < time.now <= most
    door.rude["login"] = refusal(429, "quota", headers={"Retry-After": "31"})
    with pytest.raises(TemporaryError) as caught:
        made_source.fetch([])
    assert caught.value.retry_after == 31
    assert time.now <= 60


@pytest.mark.parametrize("answer", [refusal(503, "Vault is sealed"), Answer(403, "<html>")])
def test_not_waited_for(door: VaultDoor, tmp_path: Path, answer: Answer) -> None:
    """A sealed server or a firewall does not change within seconds."""
    time = Time()
    door.rude["login"] = answer
    with pytest.raises(TemporaryError):
        source(door, tmp_path, time).fetch([])
    assert time.slept == []


def test_a_wrong_secret_is_not_waited_for(door: VaultDoor, tmp_path: Path) -> None:
    """It is offered once."""
    time = Time()
    door.rude["login"] = refusal(400, "invalid role or secret ID")
    with pytest.raises(LoginRejectedError):
        source(door, tmp_path, time).fetch([])
    assert door.asked(part="login") == 1


def test_index_headers(door: VaultDoor, tmp_path: Path) -> None:
    """What the login's answer says of the state that is needed goes with the next requests."""
    door.rude = {"login": Then(0, SOON["behind"], TOKEN), "secret": Then(0, SOON["behind"], SECRET)}
    source(door, tmp_path, Time()).fetch([])
    first, second = door.seen
    assert "X-Vault-Index" not in first.headers
    assert second.headers["X-Vault-Index"] == "the-index"
    assert second.headers["X-Vault-Inconsistent"] == "forward-active-node"


def test_new_token_that_a_standby_does_not_know(door: VaultDoor, tmp_path: Path) -> None:
    """Right after the login a bare refusal is asked again; no second login is made."""
    time = Time()
    unknown = refusal(403, "permission denied")
    door.rude = {"login": Then(0, unknown, TOKEN), "secret/data": Then(2, unknown, SECRET)}
    assert source(door, tmp_path, time).fetch([])
    assert door.asked(part="login") == 1
