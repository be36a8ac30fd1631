"""What `check` makes at a Vault, and ends again: logins and credentials."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from threading import Event
from typing import TYPE_CHECKING, Any

from rotator.core.record import Record, SourceRecord
from tests.fakes.rabbitmq import RabbitMq
from tests.fakes.vault_door import Answer, Request, VaultDoor
from tests.support import NOW, until
from tests.unit.checks.described import file_target, look, remember, rotation, the
from tests.unit.vault.inspect.rig import JSON, Rig

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_login_that_cannot_be_ended(rig: Rig, kv_policy: str) -> None:
    """Where the check's own token can't be ended, that is said; it ends by itself."""
    approle(rig, kv_policy)
    with VaultDoor(rig.server.url) as door:
        door.rude["revoke-self"] = Answer(500, '{"errors":["oops"]}', JSON)
        rig.settings["address"] = door.url
        the(rig.look(consume=True), "warning", "own login could not be ended")


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
