"""Credentials that a real OpenBao makes on request: leased, renewed, replaced, revoked."""

from __future__ import annotations

import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.model import Secret
from rotator.system.each import ThreadedEach
from tests.fakes.rabbitmq import RabbitMq
from tests.fakes.vault_door import VaultDoor
from tests.integration.vault_tools import SetClock, token_login, vault_source
from tests.support import MARKED, free_port, need, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.openbao import OpenBao

EXAMPLES = Path(__file__).parents[2] / "config" / "vault-dynamic.yaml"
FIELDS = {"engine", "username", "username_field", "password_field", "expires_at_field"}


@pytest.fixture
def auth(openbao: OpenBao, tmp_path: Path) -> dict[str, str]:
    """Return a login that may do everything."""
    return token_login(tmp_path, openbao.root)


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMq]:
    """Give the stand-in for RabbitMQ."""
    with RabbitMq() as fake:
        yield fake


@pytest.fixture
def role(openbao: OpenBao, rabbitmq: RabbitMq) -> str:
    """Return the path that makes a RabbitMQ user with a lease of an hour, three at most."""
    mount = openbao.enable_engine("rabbitmq")
    connection = {
        "connection_uri": rabbitmq.url,
        "username": "admin",
        "password": "s3cr3t-admin",
        "verify_connection": False,
    }
    openbao.api("POST", f"{mount}/config/connection", connection)
    openbao.api("POST", f"{mount}/config/lease", {"ttl": "1h", "max_ttl": "3h"})
    openbao.api("POST", f"{mount}/roles/ci", {"vhosts": '{"/": {"read": ".*"}}'})
    return f"{mount}/creds/ci"


def test_lease(openbao: OpenBao, auth: dict[str, str], rabbitmq: RabbitMq, role: str) -> None:
    """A credential made on request works, ends with its lease, and goes when that is revoked."""
    clock = SetClock()
    source = vault_source(openbao, auth, clock, path=role)
    (credential,) = source.fetch([])
    assert Secret(rabbitmq.users[credential.username]) == credential.password
    assert credential.lease is not None
    assert credential.lease.renewable
    assert credential.expires_at == credential.lease.expires_at == clock.now + timedelta(hours=1)
    assert not source.changes_early
    source.revoke(credential.lease)
    until(lambda: credential.username not in rabbitmq.users, 10, "the user to go")
    source.revoke(credential.lease)


def test_lease_is_renewed(
    openbao: OpenBao, auth: dict[str, str], rabbitmq: RabbitMq, role: str
) -> None:
    """A lease that the server lengthens in full keeps its credential; no new user is made."""
    clock = SetClock()
    source = vault_source(openbao, auth, clock, path=role)
    first = source.fetch([])
    made = rabbitmq.made
    clock.forward(minutes=30)
    (renewed,) = source.fetch(first)
    assert (renewed.username, renewed.password) == (first[0].username, first[0].password)
    assert (renewed.issued_at, renewed.expires_at) == (clock.now, clock.now + timedelta(hours=1))
    assert rabbitmq.made == made


def test_lease_near_its_last_end(
    openbao: OpenBao, auth: dict[str, str], rabbitmq: RabbitMq, role: str
) -> None:
    """Where a renewal comes back short, a new credential is taken instead."""
    mount = role.partition("/")[0]
    openbao.api("POST", f"{mount}/config/lease", {"ttl": "1h", "max_ttl": "1h"})
    source = vault_source(openbao, auth, path=role)
    (first,) = source.fetch([])
    openbao.api("POST", f"{mount}/config/lease", {"ttl": "1h", "max_ttl": "30m"})
    (second,) = source.fetch([first])
    assert second.username != first.username


@pytest.mark.parametrize("how", ["revoked", "another process", "another login"])
def test_lease_that_cannot_be_renewed(
    openbao: OpenBao, tmp_path: Path, rabbitmq: RabbitMq, role: str, how: str
) -> None:
    """A lease that is gone, or that an earlier login made, is replaced, not renewed."""
    policy = openbao.policy(f'path "{role}" {{ capabilities = ["read"] }}')
    auth = token_login(tmp_path, openbao.token(policy))
    source = vault_source(openbao, auth, path=role)
    (first,) = source.fetch([])
    assert first.lease is not None
    if how == "revoked":
        openbao.api("POST", "sys/leases/revoke", {"lease_id": first.lease.id})
    elif how == "another process":
        source = vault_source(openbao, auth, path=role)
    else:
        token_login(tmp_path, openbao.token(policy))
    (second,) = source.fetch([first])
    assert second.username != first.username
    assert second.username in rabbitmq.users


def test_lease_ends_with_its_login(openbao: OpenBao, tmp_path: Path, role: str) -> None:
    """Where the login token ends before the lease, so does the credential."""
    clock = SetClock()
    auth = token_login(tmp_path, openbao.token("root", ttl="20m", renewable=False))
    source = vault_source(openbao, auth, clock, path=role)
    (credential,) = source.fetch([])
    assert credential.expires_at == source.token_expires_at
    assert credential.expires_at is not None
    assert credential.expires_at - clock.now <= timedelta(minutes=20)


def test_leases_ended_together_log_in_once(
    openbao: OpenBao, tmp_path: Path, rabbitmq: RabbitMq, role: str
) -> None:
    """After a restart many leases may be due to end: they share one login, one after another."""
    policy = openbao.policy('path "sys/leases/revoke" { capabilities = ["update"] }')
    mount, role_id, secret_id = openbao.approle([policy])
    file = tmp_path / "secret-id"
    file.write_text(secret_id)
    auth = {"method": "approle", "role_id": role_id, "secret_id_file": str(file), "mount": mount}
    issuer = vault_source(openbao, token_login(tmp_path, openbao.root), path=role)
    issued = [issuer.fetch([])[0] for _ in range(8)]
    with VaultDoor(openbao.url) as door:
        source = vault_source(door.url, auth, path=role)
        leases = [each.lease for each in issued if each.lease is not None]
        answers = ThreadedEach()(source.revoke, leases, 30)
        assert answers == [None] * 8
        assert door.asked(part="login") == 1
    gone = {each.username for each in issued}
    until(lambda: not gone & set(rabbitmq.users), 10, "the users to go")


def test_revoking_needs_a_policy(openbao: OpenBao, tmp_path: Path, role: str) -> None:
    """The default policy allows to renew a lease, not to revoke it: the hint has the line."""
    policy = openbao.policy(f'path "{role}" {{ capabilities = ["read"] }}')
    source = vault_source(openbao, token_login(tmp_path, openbao.token(policy)), path=role)
    (credential,) = source.fetch([])
    assert credential.lease is not None
    with pytest.raises(PermanentError) as caught:
        source.revoke(credential.lease)
    assert caught.value.reason is Reason.FORBIDDEN
    assert 'path "sys/leases/revoke" { capabilities = ["update"] }' in caught.value.hint


def test_no_lease_is_left_behind(
    openbao: OpenBao, auth: dict[str, str], rabbitmq: RabbitMq, role: str
) -> None:
    """A credential that lacks the configured field is ended at once: nobody else knows of it."""
    before = set(rabbitmq.users)
    source = vault_source(openbao, auth, path=role, password_field="token")
    with pytest.raises(DriverError) as caught:
        source.fetch([])
    assert caught.value.reason is Reason.FIELD_MISSING
    assert "`password`, `username`" in caught.value.detail
    until(lambda: set(rabbitmq.users) <= before, what="the user to go")


def test_written_with_parameters(openbao: OpenBao, auth: dict[str, str]) -> None:
    """`method: write` sends the parameters: here a one-time password for SSH, without renewal."""
    mount = openbao.enable_engine("ssh")
    body = {"key_type": "otp", "default_user": "ubuntu", "cidr_list": "127.0.0.0/8"}
    openbao.api("POST", f"{mount}/roles/ci", body)
    settings: dict[str, Any] = {"path": f"{mount}/creds/ci", "password_field": "key"}
    parameters = {"ip": "127.0.0.1"}
    source = vault_source(openbao, auth, method="write", parameters=parameters, **settings)
    (credential,) = source.fetch([])
    assert credential.username == "ubuntu"
    assert credential.lease is not None
    assert not credential.lease.renewable
    with pytest.raises(PermanentError) as caught:
        vault_source(openbao, auth, **settings).fetch([])
    assert caught.value.reason is Reason.INVALID
    assert "`method`" in caught.value.hint


def example(name: str) -> dict[str, Any]:
    """Return the fields that an example in config/ names for an engine."""
    (rotation,) = yaml.safe_load(EXAMPLES.read_text())["rotations"]
    (source,) = (one for one in rotation["sources"] if one["name"] == name)
    return {key: source[key] for key in source if key in FIELDS}


@pytest.mark.parametrize(
    ("engine", "answer", "username"),
    [
        pytest.param(
            "artifactory",
            {"username": "ci", "access_token": "s3cr3t-artifactory", "expires_in": 3600},
            "ci",
        ),
        pytest.param(
            "google",
            {"token": "s3cr3t-gcp", "expires_at_seconds": 1900000000, "token_ttl": 3599},
            "oauth2accesstoken",
        ),
        pytest.param(
            "azure", {"client_id": "5f5f4e0c", "client_secret": "s3cr3t-azure"}, "5f5f4e0c"
        ),
        pytest.param(
            "harbor",
            {"robot_account_name": "robot$ci", "robot_account_secret": "s3cr3t-harbor"},
            "robot$ci",
        ),
    ],
)
def test_fields_of_known_engines(
    openbao: OpenBao, auth: dict[str, str], engine: str, answer: dict[str, Any], username: str
) -> None:
    """The examples fit what the engines that people use for registries answer."""
    mount = openbao.enable_kv(1)
    openbao.api("POST", f"{mount}/token/ci", answer)
    source = vault_source(openbao, auth, path=f"{mount}/token/ci", **example(engine))
    (credential,) = source.fetch([])
    assert credential.username == username
    assert credential.password.reveal() in answer.values()
    assert credential.password.reveal().startswith(MARKED)
    assert credential.lease is None
    end = answer.get("expires_at_seconds")
    assert credential.expires_at == (datetime.fromtimestamp(end, UTC) if end else None)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[int]:
    """Give the port of a real redis-server with an administrator."""
    port = free_port()
    command = [
        *(need("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1"),
        *("--save", "", "--dir", str(tmp_path)),
        *("--user", "admin", "on", "+@all", "~*", ">s3cr3t-redis-admin"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until(lambda: _redis_says(port, b"PING") != b"", 10, "redis to answer")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _redis_says(port: int, *lines: bytes) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.sendall(b"".join(line + b"\r\n" for line in lines))
            return connection.recv(200)
    except OSError:
        return b""


def test_database(openbao: OpenBao, auth: dict[str, str], redis: int) -> None:
    """A user made by the database engine logs in to a real Redis, until its lease is revoked."""
    mount = openbao.enable_engine("database")
    config = {
        "plugin_name": "valkey-database-plugin",
        "host": "127.0.0.1",
        "port": redis,
        "username": "admin",
        "password": "s3cr3t-redis-admin",
        "allowed_roles": "*",
    }
    openbao.api("POST", f"{mount}/config/redis", config)
    body = {
        "db_name": "redis",
        "creation_statements": '["+@all", "~*"]',
        "default_ttl": "1h",
        "max_ttl": "2h",
    }
    openbao.api("POST", f"{mount}/roles/ci", body)
    source = vault_source(openbao, auth, path=f"{mount}/creds/ci")
    (credential,) = source.fetch([])
    login = f"AUTH {credential.username} {credential.password.reveal()}".encode()
    assert _redis_says(redis, login).startswith(b"+OK")
    assert credential.lease is not None
    source.revoke(credential.lease)
    until(lambda: _redis_says(redis, login).startswith(b"-WRONGPASS"), 10, "the user to go")
