"""What `check` says of Vault: a real OpenBao, with and without trouble."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rotator.config.sources import VaultSourceSettings
from rotator.core.record import Record, SourceRecord
from rotator.vault.inspect import CheckSession, token
from rotator.vault.login import Token
from tests.fakes.rabbitmq import RabbitMq
from tests.fakes.registry import BasicRegistry
from tests.fakes.vault_door import Answer, Request, VaultDoor
from tests.servers.openbao import ROBOT_PASSWORD, OpenBao, sealed
from tests.support import NOW, free_port, made, until
from tests.unit.checks.described import (
    bad,
    case,
    file_target,
    levels,
    login_file,
    look,
    remember,
    rotation,
    the,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rotator.inspection import Finding

JSON, HTML = {"Content-Type": "application/json"}, {"Content-Type": "text/html"}
LATE = Token(
    renewable=True, ttl=timedelta(hours=8), expires_at=NOW + timedelta(hours=1), policies=("ci",)
)


@pytest.fixture
def registry() -> Iterator[BasicRegistry]:
    """Give a registry that accepts the robot."""
    with BasicRegistry({"robot": ROBOT_PASSWORD}) as one:
        yield one


class Rig:
    """A rotation from one Vault to one file; `settings` may be changed before a look."""

    def __init__(self, place: Path, server: OpenBao, registry: BasicRegistry, path: str) -> None:
        self.place, self.server = place, server
        self.file = place / "vault-token"
        self.settings: dict[str, Any] = {
            "type": "vault",
            "address": server.url,
            "auth": {"method": "token", "token_file": str(self.file)},
            "path": path,
            "registry": registry.host,
        }

    def look(self, *, consume: bool = False) -> list[Finding]:
        """Return what is found about the source."""
        one = rotation([self.settings], [file_target(self.place)])
        found = look(self.place, one, consume=consume)
        return [finding for finding in found if finding.about == "vault"]

    def give(self, token: str) -> None:
        """Write the login token."""
        self.file.write_text(token)

    def tokens(self) -> set[str]:
        """Return the accessors of every token that there is."""
        listed = self.server.api("LIST", "auth/token/accessors")
        return set(listed["data"]["keys"])


@pytest.fixture
def rig(
    tmp_path: Path, openbao: OpenBao, registry: BasicRegistry, kv_secret: str, kv_policy: str
) -> Rig:
    """Give a rotation that is well."""
    rig = Rig(tmp_path, openbao, registry, f"secret/{kv_secret}")
    rig.give(openbao.token(kv_policy))
    return rig


def test_all_is_well(rig: Rig) -> None:
    """Server, token, policy, secret and registry are told one by one; the token is not renewed."""
    before = rig.server.api("GET", "auth/token/lookup-self", token=rig.file.read_text())
    reported = "\n".join(levels(rig.look()))
    for words in ("answers and is unsealed", "the token works", "can be read (kv2)", "accepts"):
        assert words in reported
    assert "warning" not in reported
    after = rig.server.api("GET", "auth/token/lookup-self", token=rig.file.read_text())
    assert before["data"]["expire_time"] == after["data"]["expire_time"]


def test_sealed(rig: Rig) -> None:
    """A sealed server is the one thing told, with the command."""
    with sealed(rig.server):
        (found,) = rig.look()
    assert (found.level, found.todo) == ("failure", "unseal the server: vault operator unseal")


@pytest.mark.parametrize(
    ("rude", "words"),
    [
        (Answer(501, '{"initialized":false}', JSON), "is not initialized"),
        (Answer(503, "<html>no backend</html>", HTML), "503"),
        (Answer(200, "<html>log in here</html>", HTML), "the answer is not Vault's"),
    ],
    ids=["new server", "proxy", "login page"],
)
def test_something_else_there(rig: Rig, rude: Answer, words: str) -> None:
    """A server without a start, and what is no Vault at all."""
    with VaultDoor(rig.server.url) as door:
        door.rude["sys/health"] = rude
        rig.settings["address"] = door.url
        assert the(rig.look(), "failure", words).todo


def test_login_that_cannot_be_ended(rig: Rig, kv_policy: str) -> None:
    """Where the check's own token can't be ended, that is said; it ends by itself."""
    approle(rig, kv_policy)
    with VaultDoor(rig.server.url) as door:
        door.rude["revoke-self"] = Answer(500, '{"errors":["oops"]}', JSON)
        rig.settings["address"] = door.url
        the(rig.look(consume=True), "warning", "own login could not be ended")


def test_login_that_may_ask_nothing(rig: Rig) -> None:
    """Without sys/capabilities-self the read itself tells what the policy allows."""
    with VaultDoor(rig.server.url) as door:
        door.rude["capabilities-self"] = Answer(403, '{"errors":["permission denied"]}', JSON)
        rig.settings["address"] = door.url
        the(rig.look(), "ok", "can be read (kv2)")


def test_nobody_there(rig: Rig) -> None:
    """A refused connection is told in the driver's own words."""
    rig.settings["address"] = f"http://127.0.0.1:{free_port()}"
    (found,) = rig.look()
    assert (found.level, "Connection refused" in found.found) == ("failure", True)
    assert "`address`" in found.todo


def test_wrong_token(rig: Rig) -> None:
    """A token that the server does not know is a failure that says how to make one."""
    rig.give("s3cr3t-wrong")
    assert "vault token create" in the(rig.look(), "failure", "wrong, expired, revoked").todo


def test_policy_is_missing(rig: Rig) -> None:
    """A path that the policy does not allow: the very line to add."""
    rig.give(
        rig.server.token(rig.server.policy('path "secret/data/other" { capabilities = ["read"] }'))
    )
    found = the(rig.look(), "failure", "may not read")
    assert f'path "{rig.settings["path"].replace("secret/", "secret/data/")}"' in found.todo


def test_secret_is_missing(rig: Rig) -> None:
    """What the driver says of a missing secret is passed on."""
    rig.server.api("DELETE", rig.settings["path"].replace("secret/", "secret/data/"))
    assert "vault kv undelete" in the(rig.look(), "failure", "was deleted").todo


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


def approle(rig: Rig, policy: str, **fields: Any) -> None:
    """Let the ward log in with a secret id."""
    mount, role, secret = rig.server.approle([policy], **fields)
    rig.give(secret)
    rig.settings["auth"] = {
        "method": "approle",
        "mount": mount,
        "role_id": role,
        "secret_id_file": str(rig.file),
    }


def test_secret_id_is_not_used(rig: Rig, kv_policy: str) -> None:
    """A secret id may be good for one login, so none is made; that is said, with what to type."""
    approle(rig, kv_policy, secret_id_num_uses=1)
    before = rig.tokens()
    assert "--consume" in the(rig.look(), "warning", "not logged in").todo
    assert rig.tokens() == before
    remember(rig.place, Record(sources={"vault": SourceRecord(fetched_at=NOW)}))
    the(rig.look(), "ok", "the last fetch worked")
    found = rig.look(consume=True)
    the(found, "ok", "the login with approle works")
    the(found, "ok", "can be read")
    assert rig.tokens() == before, "the check's own login is still there"
    the(rig.look(consume=True), "failure", "cannot log in")


def test_sources_share_the_login(rig: Rig, kv_policy: str) -> None:
    """Two sources with one secret id, good for one login: both are checked, and it ends last."""
    approle(rig, kv_policy, secret_id_num_uses=1)
    before = rig.tokens()
    with VaultDoor(rig.server.url) as door:
        rig.settings["address"] = door.url
        other = {**rig.settings, "name": "other", "registry": "other.example.com"}
        reads, ended = count(), Event()
        early: list[bool] = []

        def read(_: Request) -> None:
            if next(reads):  # the first check has time to end the login of the second one
                early.append(ended.wait(1))

        door.rude |= {"secret/data": read, "revoke-self": lambda _: ended.set()}
        one = rotation([rig.settings, other], [file_target(rig.place)])
        found = look(rig.place, one, consume=True)
        assert door.asked(part="/login") == 1
        assert early == [False], "the first check ended the login"
    for source in ("vault", "other"):
        mine = [finding for finding in found if finding.about == source]
        the(mine, "ok", "the login with approle works")
        the(mine, "ok", "can be read")
    assert rig.tokens() == before, "the checks' login is still there"


@contextmanager
def dynamic(rig: Rig) -> Iterator[RabbitMq]:
    """Let the ward's path make a RabbitMQ user each time that it is read."""
    with RabbitMq() as rabbitmq:
        mount = rig.server.enable_engine("rabbitmq")
        connection = {
            "connection_uri": rabbitmq.url,
            "username": "admin",
            "password": "s3cr3t-admin",
            "verify_connection": False,
        }
        rig.server.api("POST", f"{mount}/config/connection", connection)
        rig.server.api("POST", f"{mount}/roles/ci", {"vhosts": '{"/": {"read": ".*"}}'})
        rig.settings["path"] = f"{mount}/creds/ci"
        yield rabbitmq


def test_credential_made_on_request(rig: Rig) -> None:
    """Nothing is made without --consume; with it one is made, shown and ended: no lease is left."""
    with dynamic(rig) as rabbitmq:
        rules = [
            f'path "{rig.settings["path"]}" {{ capabilities = ["read"] }}',
            'path "sys/leases/revoke" { capabilities = ["update"] }',
        ]
        rig.give(rig.server.token(rig.server.policy("\n".join(rules))))
        assert "--consume" in the(rig.look(), "warning", "was not read").todo
        assert rabbitmq.made == 0
        found = rig.look(consume=True)
        the(found, "failure", "rejects what it gives")
        the(found, "ok", "was ended again")
        assert rabbitmq.made == 1
        until(lambda: not rabbitmq.users, 10, "the user to go")


def test_lease_that_may_not_be_ended(rig: Rig) -> None:
    """Where the policy lets nobody revoke, that is said before and after."""
    with dynamic(rig):
        rule = f'path "{rig.settings["path"]}" {{ capabilities = ["read"] }}'
        rig.give(rig.server.token(rig.server.policy(rule)))
        assert "sys/leases/revoke" in the(rig.look(), "warning", "not ended early").todo
        assert "vault lease revoke" in the(rig.look(consume=True), "warning", "is still there").todo


def test_lease_ends_with_the_login(rig: Rig) -> None:
    """Where the check logged in itself, ending its login ends the lease, whatever the policy."""
    with dynamic(rig) as rabbitmq:
        policy = rig.server.policy(f'path "{rig.settings["path"]}" {{ capabilities = ["read"] }}')
        approle(rig, policy)
        before = rig.tokens()
        the(rig.look(consume=True), "ok", "ends with the check's login")
        assert rabbitmq.made == 1
        until(lambda: not rabbitmq.users, 10, "the user to go")
        assert rig.tokens() == before


@pytest.mark.parametrize("may_write", [True, False], ids=["may write", "may only read"])
def test_kv_target(tmp_path: Path, openbao: OpenBao, kv_secret: str, *, may_write: bool) -> None:
    """A target in KV needs to read and to write; nothing is written to find that out."""
    path = f"secret/data/{kv_secret}"
    able = '["read", "create", "update"]' if may_write else '["read"]'
    policy = openbao.policy(f'path "{path}" {{ capabilities = {able} }}')
    (tmp_path / "token").write_text(openbao.token(policy))
    target = {
        "type": "vault_kv",
        "name": "hub",
        "address": openbao.url,
        "auth": {"method": "token", "token_file": str(tmp_path / "token")},
        "path": f"secret/{kv_secret}",
        "keep_versions": 3,
    }
    found = look(tmp_path, rotation([login_file(tmp_path)], [target]))
    hub = [finding for finding in found if finding.about == "hub"]
    if may_write:
        the(hub, "ok", "can be read and written")
        the(hub, "ok", "nothing is published in it yet")
        the(hub, "warning", "old versions are not destroyed")
    else:
        assert '"create", "update"' in the(hub, "failure", "may not write").todo
    assert openbao.api("GET", path)["data"]["metadata"]["version"] == 1
