"""The drivers that speak HTTP, each pointed at a stub, with what it sends in secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml

from rotator.config.sources import EcrSourceSettings, VaultSourceSettings
from rotator.config.targets import (
    GitlabVariableTargetSettings,
    KubernetesSecretTargetSettings,
    VaultKvTargetSettings,
)
from rotator.core.model import Credential, Held, Lease, Mark, Policy, Secret
from rotator.kubernetes.access import Access
from rotator.sources.ecr import EcrSource
from rotator.sources.vault import VaultSource
from rotator.targets.gitlab_variable import GitlabVariableTarget
from rotator.targets.kubernetes import build as build_kubernetes
from rotator.targets.vault_kv import VaultKvTarget
from rotator.vault.session import open_session
from tests.support import MARKED, made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READ_SECONDS = 0.4
TIMEOUTS = (1.0, READ_SECONDS)
HOST = "registry.example.com"
TOKEN = f"{MARKED}token-of-the-driver"
TEXT = '{"auths":{"registry.example.com":{"auth":"Y2k6czNjcjN0LXB1Ymxpc2hlZA=="}}}'
PUBLISHED = f"{MARKED}published"
SECRETS = {"login": TOKEN, "document": TEXT, "password": PUBLISHED}
END = datetime(2030, 1, 1, tzinfo=UTC)
MARK = Mark({HOST: END, "other": None}, "hmac:0123456789ab", "fuzz")


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass
class Driver:
    """One driver: `use` makes it ask the stub for all that it ever asks, or raises."""

    use: Callable[[], object]
    good: Callable[[str, str], Any]
    """What a good server answers to a method and a path."""
    names: list[str]
    """Names that its answers use."""
    slow: bool = False
    """It takes a tenth of a second each time."""


def _vault_answers(_method: str, path: str) -> Any:
    if "lookup-self" in path:
        return {"data": {"ttl": 3600, "creation_ttl": 3600, "renewable": True, "num_uses": 0,
                         "policies": ["ci"]}}  # fmt: skip
    if "ui/mounts" in path:
        return {"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}}
    login = {"username": "ci", "password": PUBLISHED, "end": "2030-01-01T00:00:00Z"}
    metadata = {"version": 3, "created_time": "2026-01-01T00:00:00Z", "destroyed": False,
                "deletion_time": ""}  # fmt: skip
    if "/metadata/" in path:
        return {"data": {"versions": {"1": {"destroyed": False}, "2": {"destroyed": True}}}}
    return {"data": {"data": login, "metadata": metadata, "version": 4}}


def _dynamic_answers(method: str, path: str) -> Any:
    if "ui/mounts" in path:
        return {"data": {"path": "rabbitmq/", "type": "rabbitmq"}}
    if "leases/renew" in path:
        return {"lease_id": "l/1", "lease_duration": 3600, "renewable": True}
    if "/login" in path or "renew-self" in path:
        return {"auth": {"client_token": TOKEN, "lease_duration": 7200, "renewable": True,
                         "policies": ["ci"]}}  # fmt: skip
    if "lookup-self" in path:
        return _vault_answers(method, path)
    data = {"username": "ci", "password": PUBLISHED, "end": 1900000000}
    return {"lease_id": "l/1", "lease_duration": 3600, "renewable": True, "data": data}


def vault(url: str, folder: Path) -> Driver:
    """Return a source that reads a stored login."""
    token = _token(folder)
    settings = made(
        VaultSourceSettings,
        name="vault",
        address=url,
        auth={"method": "token", "token_file": str(token)},
        path="secret/harbor",
        registry=HOST,
        expires_at_field="end",
    )
    source = VaultSource(settings, clock, open_session(settings, clock, 0, TIMEOUTS))
    names = ["data", "errors", "metadata", "password", "username", "version", "options", "type"]
    return Driver(lambda: source.fetch([]), _vault_answers, names)


def vault_dynamic(url: str, folder: Path) -> Driver:
    """Return a source with leases, behind an AppRole login; it renews what it has."""
    secret_id = _token(folder)
    settings = made(
        VaultSourceSettings,
        name="vault",
        address=url,
        auth={"method": "approle", "role_id": "r", "secret_id_file": str(secret_id)},
        path="rabbitmq/creds/ci",
        registry=HOST,
        expires_at_field="end",
    )

    def use() -> object:
        source = VaultSource(settings, clock, open_session(settings, clock, 0, TIMEOUTS))
        first = source.fetch([])
        again = source.fetch(first)
        for one in again:
            if one.lease:
                source.revoke(one.lease)
        lease = Lease("l/1", clock() + timedelta(hours=1), renewable=True)
        old = Credential(HOST, "ci", Secret(PUBLISHED), clock(), lease.expires_at, lease)
        return [*first, *again, *source.fetch([old])]

    names = ["auth", "client_token", "data", "lease_id", "lease_duration", "renewable", "errors"]
    return Driver(use, _dynamic_answers, names)


def vault_kv(url: str, folder: Path) -> Driver:
    """Return a target in KV 2 that also destroys old versions."""
    token = _token(folder)
    settings = made(
        VaultKvTargetSettings,
        name="vault_kv:x",
        address=url,
        auth={"method": "token", "token_file": str(token)},
        path="secret/fleet",
        keep_versions=2,
    )
    target = VaultKvTarget(settings, Policy(), open_session(settings, clock, 0, TIMEOUTS))

    def good(method: str, path: str) -> Any:
        answer = _vault_answers(method, path)
        if "/data/" in path and method == "GET":
            answer["data"]["data"] = {"config.json": TEXT, "rotator/expires": '{"a":null}',
                                      "rotator/fingerprint": "x"}  # fmt: skip
        return answer

    names = ["data", "config.json", "metadata", "version", "versions", "rotator/expires", "errors"]
    return Driver(lambda: _published(target), good, names)


def ecr(url: str, _folder: Path) -> Driver:
    """Return a source at an ECR endpoint; its keys are in the environment."""
    settings = EcrSourceSettings(name="ecr", region="eu-west-1", endpoint_url=url)
    source = EcrSource(settings, clock, TIMEOUTS)
    data = {
        "authorizationToken": "QVdTOnMzY3IzdC1wdWJsaXNoZWQ=",
        "expiresAt": END.timestamp(),
        "proxyEndpoint": f"https://{HOST}",
    }
    names = [*data, "authorizationData", "__type", "message", "Code"]
    return Driver(
        lambda: source.fetch([]), lambda *_: {"authorizationData": [data]}, names, slow=True
    )


def gitlab(url: str, folder: Path) -> Driver:
    """Return a target in a group's variable, which also asks about its token."""
    settings = GitlabVariableTargetSettings(url=url, group="ci", token_file=_token(folder))
    target = GitlabVariableTarget(settings, Policy(), clock, TIMEOUTS)
    good = {
        "key": "DOCKER_AUTH_CONFIG",
        "value": TEXT,
        "variable_type": "env_var",
        "environment_scope": "*",
        "masked": True,
        "hidden": False,
        "protected": False,
        "raw": True,
        "description": f"Kept fresh by rotator (fuzz) until {END.isoformat()}: {HOST}; mark hmac:0",
        "scopes": ["api"],
        "expires_at": "2027-01-01",
        "active": True,
        "name": "rotator",
    }

    def use() -> object:
        token = target.access_token()
        return token, _published(target)

    names = [*good, "message", "error", "error_description"]
    return Driver(use, lambda *_: good, names)


def kubernetes(url: str, folder: Path) -> Driver:
    """Return a target in a Secret."""
    kubeconfig = folder / "kubeconfig"
    here = {"server": url, "insecure-skip-tls-verify": True}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": here}],
                "users": [{"name": "u", "user": {"token": TOKEN}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    settings = KubernetesSecretTargetSettings(namespace="ci", name="pull")
    access = Access(kubeconfig, connect_seconds=1, read_seconds=READ_SECONDS)
    target = build_kubernetes(settings, Policy(), clock, access)
    good = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": "pull",
            "namespace": "ci",
            "resourceVersion": "7",
            "annotations": {"rotator/expires": "{}", "rotator/fingerprint": "x"},
        },
        "data": {"config.json": "e30="},
        "immutable": False,
    }
    names = [*good, "config.json", "status", "reason", "message", "details", "causes", "code",
             "resourceVersion", "annotations", "field"]  # fmt: skip
    return Driver(lambda: _published(target), lambda *_: good, names)


DRIVERS = {
    "vault": vault,
    "vault_dynamic": vault_dynamic,
    "vault_kv": vault_kv,
    "ecr": ecr,
    "gitlab": gitlab,
    "kubernetes": kubernetes,
}


def _token(folder: Path) -> Path:
    file = folder / "token"
    file.write_text(TOKEN)
    return file


def _published(target: Any) -> Held:
    held = target.read()
    written: Held = target.write(Secret(TEXT), MARK, held)
    return written
