"""How the API server is reached: kubeconfigs with login plugins."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.core.errors import PermanentError, Reason, TemporaryError
from rotator.kubernetes.access import Access
from tests.fakes.kubernetes import ADMIN, FakeKubernetes
from tests.fakes.kubernetes_rbac import Account
from tests.support import aged
from tests.unit.kubernetes.cluster import ALL, error_of, target

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.certificates import Pki

PLUGIN = """#!{python}
import json, os, sys, pathlib
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert asked["spec"]["interactive"] is False
pathlib.Path({directory!r}, "runs").open("a").write(" ".join([os.environ["ZONE"], *sys.argv[1:]]))
print(json.dumps({{"apiVersion": asked["apiVersion"], "kind": "ExecCredential",
    "status": {status}}}))
"""


def write_plugin(directory: Path, status: str = f'{{"token": "{ADMIN}"}}') -> dict[str, Any]:
    """Write a login plugin, and return the user of a kubeconfig that runs it."""
    plugin = directory / "plugin"
    plugin.write_text(PLUGIN.format(python=sys.executable, directory=str(directory), status=status))
    plugin.chmod(0o700)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "./plugin",
            "args": ["get-token"],
            "env": [{"name": "ZONE", "value": "eu"}],
            "interactiveMode": "IfAvailable",
            "installHint": "apt-get install plugin",
        }
    }


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_logs_in_with_a_plugin(fake: FakeKubernetes, tmp_path: Path, version: str) -> None:
    """Its arguments and environment are given, its path is relative to the kubeconfig."""
    user = write_plugin(tmp_path)
    user["exec"]["apiVersion"] = f"client.authentication.k8s.io/{version}"
    access = Access(fake.kubeconfig(tmp_path / "config", user=user))

    target(access).read()

    assert (tmp_path / "runs").read_text() == "eu get-token"
    assert [call.user for call in fake.calls] == ["admin"]


def runs(place: Path) -> int:
    """Return how often the plugin ran."""
    return (place / "runs").read_text().count("get-token")


@pytest.mark.parametrize(
    ("end", "expected"),
    [(timedelta(hours=1), 1), (timedelta(seconds=2), 3), (None, 1)],
    ids=["an hour", "almost over", "not said"],
)
def test_a_plugin_s_login_is_good_until_it_ends(
    fake: FakeKubernetes, tmp_path: Path, end: timedelta | None, expected: int
) -> None:
    """Many targets, and a cycle's reads and writes, don't run it each time."""
    status: dict[str, Any] = {"token": ADMIN}
    if end is not None:
        status["expirationTimestamp"] = (datetime.now(UTC) + end).isoformat()
    user = write_plugin(tmp_path, json.dumps(status))
    access = Access(aged(fake.kubeconfig(tmp_path / "config", user=user)))
    for _ in range(3):
        target(access).read()
    assert runs(tmp_path) == expected


def test_a_plugin_runs_again_when_its_login_is_refused(
    fake: FakeKubernetes, tmp_path: Path
) -> None:
    """The next call asks it for another one, though the first would last."""
    access = Access(aged(fake.kubeconfig(tmp_path / "config", user=write_plugin(tmp_path))))
    target(access).read()
    account = fake.tokens.pop(ADMIN)
    assert error_of(access).reason is Reason.LOGIN_REJECTED
    fake.tokens[ADMIN] = account
    target(access).read()
    assert runs(tmp_path) == 2


def test_a_plugin_may_give_a_certificate(secure: FakeKubernetes, pki: Pki, tmp_path: Path) -> None:
    """Certificate and key in place of a token."""
    certificate, key = pki.issue("person")
    secure.certificates["person"] = Account("person", ((None, ALL[0]),))
    status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    path = secure.kubeconfig(
        tmp_path / "config",
        user=write_plugin(tmp_path, json.dumps(status)),
        cluster={"certificate-authority": str(pki.ca)},
    )

    target(Access(path)).read()

    assert [call.user for call in secure.calls] == ["person"]


PLUGIN_TROUBLES: dict[str, tuple[str | None, Reason, str]] = {
    "missing": (None, Reason.NOT_FOUND, "apt-get install plugin"),
    "fails": ("echo s3cr3t-token; exit 3", Reason.LOGIN_REJECTED, "auth whoami"),
    "silent": ("exit 0", Reason.MALFORMED, "auth whoami"),
    "no token": ("echo '{\"status\": {}}'", Reason.MALFORMED, "auth whoami"),
    "no object": ("echo '{\"status\": null}'", Reason.MALFORMED, "auth whoami"),
    "endless": ("exec yes s3cr3t-token", Reason.MALFORMED, "auth whoami"),
}


@pytest.mark.parametrize("name", PLUGIN_TROUBLES)
def test_explains_a_plugin_s_failure(fake: FakeKubernetes, tmp_path: Path, name: str) -> None:
    """What it printed may be a token, so it is not said; how to see it is."""
    script, reason, hint = PLUGIN_TROUBLES[name]
    user = write_plugin(tmp_path)
    plugin = tmp_path / "plugin"
    plugin.unlink()
    if script is not None:
        plugin.write_text(f"#!/bin/sh\n{script}\n")
        plugin.chmod(0o700)

    error = error_of(Access(fake.kubeconfig(tmp_path / "config", user=user)))

    assert (type(error), error.reason) == (PermanentError, reason)
    assert hint in error.hint
    assert str(plugin) in error.detail


def test_does_not_wait_for_a_plugin_for_ever(fake: FakeKubernetes, tmp_path: Path) -> None:
    """One that asks a person something never ends by itself."""
    user = write_plugin(tmp_path)
    (tmp_path / "plugin").write_text("#!/bin/sh\nexec sleep 60\n")
    path = fake.kubeconfig(tmp_path / "config", user=user)

    error = error_of(Access(path, plugin_seconds=0.1))

    assert (type(error), error.reason) == (TemporaryError, Reason.TIMEOUT)
