"""What the doctor says of Vault: a real OpenBao, well and unwell."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rotator.checks.finding import Findings
from rotator.checks.vault_login import CheckSession, token
from rotator.config.sources import VaultSourceSettings
from rotator.core.record import Record, SourceRecord
from rotator.vault.connection import Connection
from rotator.vault.login import Token
from rotator.vault.shared_login import Granted
from tests.fakes.rabbitmq import RabbitMq
from tests.fakes.registry import BasicRegistry
from tests.fakes.vault_door import Answer, VaultDoor
from tests.servers.openbao import ROBOT_PASSWORD, OpenBao, sealed
from tests.support import NOW, free_port, made, until
from tests.unit.checks.room import (
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

    from rotator.checks.finding import Finding

JSON, HTML = {"Content-Type": "application/json"}, {"Content-Type": "text/html"}
LATE = Token(
    renewable=True, ttl=timedelta(hours=8), expires_at=NOW + timedelta(hours=1), policies=("ci",)
)


@pytest.fixture
def registry() -> Iterator[BasicRegistry]:
    """Give a registry that accepts the robot."""
    with BasicRegistry({"robot": ROBOT_PASSWORD}) as one:
        yield one


class Ward:
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
def ward(
    tmp_path: Path, openbao: OpenBao, registry: BasicRegistry, kv_secret: str, kv_policy: str
) -> Ward:
    """Give a rotation that is well."""
    ward = Ward(tmp_path, openbao, registry, f"secret/{kv_secret}")
    ward.give(openbao.token(kv_policy))
    return ward


def test_all_is_well(ward: Ward) -> None:
    """Server, token, policy, secret and registry are told one by one; the token is not renewed."""
    before = ward.server.api("GET", "auth/token/lookup-self", token=ward.file.read_text())
    told = "\n".join(levels(ward.look()))
    for words in ("answers and is unsealed", "the token works", "can be read (kv2)", "accepts"):
        assert words in told
    assert "warning" not in told
    after = ward.server.api("GET", "auth/token/lookup-self", token=ward.file.read_text())
    assert before["data"]["expire_time"] == after["data"]["expire_time"]


def test_sealed(ward: Ward) -> None:
    """A sealed server is the one thing told, with the command."""
    with sealed(ward.server):
        (found,) = ward.look()
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
def test_something_else_there(ward: Ward, rude: Answer, words: str) -> None:
    """A server without a start, and what is no Vault at all."""
    with VaultDoor(ward.server.url) as door:
        door.rude["sys/health"] = rude
        ward.settings["address"] = door.url
        assert the(ward.look(), "failure", words).todo


def test_login_that_cannot_be_ended(ward: Ward, kv_policy: str) -> None:
    """Where the check's own token can't be ended, that is said; it ends by itself."""
    approle(ward, kv_policy)
    with VaultDoor(ward.server.url) as door:
        door.rude["revoke-self"] = Answer(500, '{"errors":["oops"]}', JSON)
        ward.settings["address"] = door.url
        the(ward.look(consume=True), "warning", "own login could not be ended")


def test_login_that_may_ask_nothing(ward: Ward) -> None:
    """Without sys/capabilities-self the read itself tells what the policy allows."""
    with VaultDoor(ward.server.url) as door:
        door.rude["capabilities-self"] = Answer(403, '{"errors":["permission denied"]}', JSON)
        ward.settings["address"] = door.url
        the(ward.look(), "ok", "can be read (kv2)")


def test_nobody_there(ward: Ward) -> None:
    """A refused connection is told in the driver's own words."""
    ward.settings["address"] = f"http://127.0.0.1:{free_port()}"
    (found,) = ward.look()
    assert (found.level, "Connection refused" in found.found) == ("failure", True)
    assert "`address`" in found.todo


def test_wrong_token(ward: Ward) -> None:
    """A token that the server does not know is a failure that says how to make one."""
    ward.give("s3cr3t-wrong")
    assert "vault token create" in the(ward.look(), "failure", "wrong, expired, revoked").todo


def test_policy_is_missing(ward: Ward) -> None:
    """A path that the policy does not allow: the very line to add."""
    ward.give(
        ward.server.token(
            ward.server.policy('path "secret/data/other" { capabilities = ["read"] }')
        )
    )
    found = the(ward.look(), "failure", "may not read")
    assert f'path "{ward.settings["path"].replace("secret/", "secret/data/")}"' in found.todo


def test_secret_is_missing(ward: Ward) -> None:
    """What the driver says of a missing secret is passed on."""
    ward.server.api("DELETE", ward.settings["path"].replace("secret/", "secret/data/"))
    assert "vault kv undelete" in the(ward.look(), "failure", "was deleted").todo


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
    ward: Ward, kv_policy: str, fields: dict[str, Any], level: str, words: str
) -> None:
    """What a given token is worth: its end, and whether it can be renewed."""
    ward.give(ward.server.token(kv_policy, **fields))
    the(ward.look(), level, words)


def test_token_that_nobody_renews(ward: Ward, kv_policy: str) -> None:
    """A token with a minute left of its hour is a warning; the check does not renew it either."""
    made = ward.server.token(kv_policy)
    ward.server.api("POST", "auth/token/renew", {"token": made, "increment": "60s"})
    ward.give(made)
    before = ward.server.api("POST", "auth/token/lookup", {"token": made})["data"]
    assert "rotator status" in the(ward.look(), "warning", "nobody renews it").todo
    after = ward.server.api("POST", "auth/token/lookup", {"token": made})["data"]
    assert after["last_renewal"] == before["last_renewal"]


def test_root_token(ward: Ward) -> None:
    """The root token is a warning with the command that makes a lesser one."""
    ward.give(ward.server.root)
    assert "vault token create" in the(ward.look(), "warning", "root token").todo


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
    session, findings = CheckSession(settings, lambda: NOW), Findings("vault")
    session.login._granted = Granted(worth, 1, Connection(session.login.server), 0.0)
    one = case(rotation([login_file(tmp_path)], [file_target(tmp_path)]))
    assert token(session, settings, one, findings) is not bool(worth.uses)
    the(findings.all, level, words)


def test_counted_token_is_spared(ward: Ward, kv_policy: str) -> None:
    """A token with a number of uses loses one to the look at it, and no more without --consume."""
    made = ward.server.token(kv_policy, num_uses=5)
    ward.give(made)
    assert len(bad(ward.look())) == 1
    left = ward.server.api("POST", "auth/token/lookup", {"token": made})["data"]["num_uses"]
    assert left == 4
    assert "can be read" in str(levels(ward.look(consume=True)))


def test_wrapping_token_is_not_used(ward: Ward) -> None:
    """A wrapping token in the file is named and stays good, even with --consume."""
    answer = requests.post(
        f"{ward.server.url}/v1/auth/token/create",
        json={},
        headers={"X-Vault-Token": ward.server.root, "X-Vault-Wrap-TTL": "60s"},
        timeout=10,
    )
    wrapping = answer.json()["wrap_info"]["token"]
    ward.give(wrapping)
    for consume in (False, True):
        assert "vault unwrap" in the(ward.look(consume=consume), "failure", "wrapping token").todo
    ward.server.api("POST", "sys/wrapping/lookup", {"token": wrapping})


def approle(ward: Ward, policy: str, **fields: Any) -> None:
    """Let the ward log in with a secret id."""
    mount, role, secret = ward.server.approle([policy], **fields)
    ward.give(secret)
    ward.settings["auth"] = {
        "method": "approle",
        "mount": mount,
        "role_id": role,
        "secret_id_file": str(ward.file),
    }


def test_secret_id_is_not_used(ward: Ward, kv_policy: str) -> None:
    """A secret id may be good for one login, so none is made; that is said, with what to type."""
    approle(ward, kv_policy, secret_id_num_uses=1)
    before = ward.tokens()
    assert "--consume" in the(ward.look(), "warning", "not logged in").todo
    assert ward.tokens() == before
    remember(ward.place, Record(sources={"vault": SourceRecord(fetched_at=NOW)}))
    the(ward.look(), "ok", "the last fetch worked")
    found = ward.look(consume=True)
    the(found, "ok", "the login with approle works")
    the(found, "ok", "can be read")
    assert ward.tokens() == before, "the check's own login is still there"
    the(ward.look(consume=True), "failure", "cannot log in")


@contextmanager
def dynamic(ward: Ward) -> Iterator[RabbitMq]:
    """Let the ward's path make a RabbitMQ user each time that it is read."""
    with RabbitMq() as rabbitmq:
        mount = ward.server.enable_engine("rabbitmq")
        connection = {
            "connection_uri": rabbitmq.url,
            "username": "admin",
            "password": "s3cr3t-admin",
            "verify_connection": False,
        }
        ward.server.api("POST", f"{mount}/config/connection", connection)
        ward.server.api("POST", f"{mount}/roles/ci", {"vhosts": '{"/": {"read": ".*"}}'})
        ward.settings["path"] = f"{mount}/creds/ci"
        yield rabbitmq


def test_credential_made_on_request(ward: Ward) -> None:
    """Nothing is made without --consume; with it one is made, shown and ended: no lease is left."""
    with dynamic(ward) as rabbitmq:
        rules = [
            f'path "{ward.settings["path"]}" {{ capabilities = ["read"] }}',
            'path "sys/leases/revoke" { capabilities = ["update"] }',
        ]
        ward.give(ward.server.token(ward.server.policy("\n".join(rules))))
        assert "--consume" in the(ward.look(), "warning", "was not read").todo
        assert rabbitmq.made == 0
        found = ward.look(consume=True)
        the(found, "failure", "rejects what it gives")
        the(found, "ok", "was ended again")
        assert rabbitmq.made == 1
        until(lambda: not rabbitmq.users, 10, "the user to go")


def test_lease_that_may_not_be_ended(ward: Ward) -> None:
    """Where the policy lets nobody revoke, that is said before and after."""
    with dynamic(ward):
        rule = f'path "{ward.settings["path"]}" {{ capabilities = ["read"] }}'
        ward.give(ward.server.token(ward.server.policy(rule)))
        assert "sys/leases/revoke" in the(ward.look(), "warning", "not ended early").todo
        assert (
            "vault lease revoke" in the(ward.look(consume=True), "warning", "is still there").todo
        )


def test_lease_ends_with_the_login(ward: Ward) -> None:
    """Where the check logged in itself, ending its login ends the lease, whatever the policy."""
    with dynamic(ward) as rabbitmq:
        policy = ward.server.policy(f'path "{ward.settings["path"]}" {{ capabilities = ["read"] }}')
        approle(ward, policy)
        before = ward.tokens()
        the(ward.look(consume=True), "ok", "ends with the check's login")
        assert rabbitmq.made == 1
        until(lambda: not rabbitmq.users, 10, "the user to go")
        assert ward.tokens() == before


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
