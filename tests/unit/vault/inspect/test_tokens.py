"""What `check` says of a Vault token that is given."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rotator.config.sources import VaultSourceSettings
from rotator.vault.inspect import CheckSession, token
from rotator.vault.login import Token
from tests.support import NOW, made
from tests.unit.checks.described import bad, case, file_target, levels, login_file, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.vault.inspect.rig import Rig


LATE = Token(
    renewable=True, ttl=timedelta(hours=8), expires_at=NOW + timedelta(hours=1), policies=("ci",)
)


def test_wrong_token(rig: Rig) -> None:
    """A token that the server does not know is a failure that says how to make one."""
    rig.give("s3cr3t-wrong")
    assert "vault token create" in the(rig.look(), "failure", "wrong, expired, revoked").todo


@pytest.mark.parametrize(
    ("fields", "level", "words"),
    [
        pytest.param({"renewable": False}, "warning", "can't be renewed", id="not renewable"),
        pytest.param({"period": "24h"}, "ok", "periodic", id="periodic"),
        pytest.param({"no_default_policy": True}, "warning", "may not look at itself", id="blind"),
        pytest.param({}, "ok", "until its last end", id="renewable"),
    ],
)
def test_token_kinds(
    rig: Rig, kv_policy: str, fields: dict[str, Any], level: str, words: str
) -> None:
    """What a given token is worth: its end, and whether it can be renewed."""
    rig.give(rig.server.token(kv_policy, **fields))
    the(rig.look(), level, words)


def test_token_that_nobody_renews(rig: Rig, kv_policy: str) -> None:
    """A token with a minute left of its hour is a warning; the check does not renew it either."""
    made = rig.server.token(kv_policy)
    rig.server.api("POST", "auth/token/renew", {"token": made, "increment": "60s"})
    rig.give(made)
    before = rig.server.api("POST", "auth/token/lookup", {"token": made})["data"]
    assert "rotator status" in the(rig.look(), "warning", "nobody renews it").todo
    after = rig.server.api("POST", "auth/token/lookup", {"token": made})["data"]
    assert after["last_renewal"] == before["last_renewal"]


def test_root_token(rig: Rig) -> None:
    """The root token is a warning with the command that makes a lesser one."""
    rig.give(rig.server.root)
    assert "vault token create" in the(rig.look(), "warning", "root token").todo


@pytest.mark.parametrize(
    ("worth", "level", "words"),
    [
        (LATE, "warning", "nobody renews"),
        (Token(policies=("ci",)), "ok", "never ends"),
        (Token(policies=("ci",), uses=3), "warning", "3 uses left"),
    ],
    ids=["late", "endless", "counted"],
)  # fmt: skip
def test_token_worth(tmp_path: Path, worth: Token, level: str, words: str) -> None:
    """A token near its end that should have been renewed, one without end, one that is used up."""
    settings = made(
        VaultSourceSettings,
        address="http://127.0.0.1:1",
        auth={"method": "token", "token_env": "NOBODY"},
        path="a/b",
        registry="r.example.com",
    )
    session = CheckSession(settings, lambda: NOW)
    one = case(rotation([login_file(tmp_path)], [file_target(tmp_path)]))
    the([token(session, worth, settings, one)], level, words)


def test_counted_token_is_spared(rig: Rig, kv_policy: str) -> None:
    """A token with a number of uses loses one to the look at it, and no more without --consume."""
    made = rig.server.token(kv_policy, num_uses=5)
    rig.give(made)
    assert len(bad(rig.look())) == 1
    left = rig.server.api("POST", "auth/token/lookup", {"token": made})["data"]["num_uses"]
    assert left == 4
    assert "can be read" in str(levels(rig.look(consume=True)))


def test_wrapping_token_is_not_used(rig: Rig) -> None:
    """A wrapping token in the file is named and stays good, even with --consume."""
    answer = requests.post(
        f"{rig.server.url}/v1/auth/token/create",
        json={},
        headers={"X-Vault-Token": rig.server.root, "X-Vault-Wrap-TTL": "60s"},
        timeout=10,
    )
    wrapping = answer.json()["wrap_info"]["token"]
    rig.give(wrapping)
    for consume in (False, True):
        assert "vault unwrap" in the(rig.look(consume=consume), "failure", "wrapping token").todo
    rig.server.api("POST", "sys/wrapping/lookup", {"token": wrapping})
