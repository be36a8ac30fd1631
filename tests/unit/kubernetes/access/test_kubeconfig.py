"""The way to the API server that a kubeconfig gives, and how long a connection stays."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from rotator.core.errors import Reason
from rotator.kubernetes.access import Access
from rotator.kubernetes.connection import RefusedError
from tests.fakes.kubernetes import ADMIN, FakeKubernetes
from tests.fakes.kubernetes_rbac import Account
from tests.support import aged
from tests.unit.kubernetes.cluster import ALL, error_of, target

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.certificates import Pki


@pytest.mark.parametrize("inline", [False, True], ids=["files", "inline"])
def test_shows_a_client_certificate(
    secure: FakeKubernetes, pki: Pki, tmp_path: Path, *, inline: bool
) -> None:
    """Certificate, key and authority: as paths beside the kubeconfig or in it."""
    certificate, key = pki.issue("person")
    secure.certificates["person"] = Account("person", ((None, ALL[0]),))
    user = {"client-certificate": certificate, "client-key": key}
    cluster = {"certificate-authority": pki.ca}
    if inline:
        user, cluster = _inline(user), _inline(cluster)
    path = secure.kubeconfig(tmp_path / "config", user=_names(user), cluster=_names(cluster))

    target(Access(path)).read()

    assert [call.user for call in secure.calls] == ["person"]


def _names(files: dict[str, Any]) -> dict[str, str]:
    return {key: getattr(value, "name", value) for key, value in files.items()}


def _inline(files: dict[str, Any]) -> dict[str, Any]:
    import base64  # noqa: PLC0415  a line's worth

    return {
        f"{key}-data": base64.b64encode(path.read_bytes()).decode() for key, path in files.items()
    }


def test_takes_the_context_that_is_named(fake: FakeKubernetes, tmp_path: Path) -> None:
    """Else the current one."""
    path = fake.kubeconfig(tmp_path / "config")

    target(Access(path)).read()
    target(Access(path, "fake")).read()

    assert error_of(Access(path, "nowhere")).reason is Reason.UNREACHABLE
    assert f"--kubeconfig {path} --context nowhere" in error_of(Access(path, "nowhere")).hint


def test_a_context_alone_means_the_default_kubeconfig(
    fake: FakeKubernetes, pod: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even in a pod, which has no contexts."""
    monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "config")))

    target(Access(context="fake", service_account=pod)).read()

    assert len(fake.calls) == 1


def test_reads_a_token_file_beside_the_kubeconfig(fake: FakeKubernetes, tmp_path: Path) -> None:
    """`tokenFile` is relative to the kubeconfig, and read again for each call."""
    (tmp_path / "token").write_text(f"{ADMIN}\n")
    access = Access(fake.kubeconfig(tmp_path / "config", user={"tokenFile": "token"}))
    target(access).read()
    (tmp_path / "token").unlink()

    error = error_of(access)

    assert error.reason is Reason.UNREADABLE
    assert str(tmp_path / "token") in error.detail


def test_a_client_stays_while_its_files_do(pod: Path) -> None:
    """For all targets that are reached in the same way; another token is another client."""
    for file in pod.iterdir():
        aged(file)
    first = Access(service_account=pod).open()
    assert Access(service_account=pod).open() is first
    for file in (pod / "token", pod / "ca.crt"):
        aged(file, 60)
        assert Access(service_account=pod).open() is not first
        first = Access(service_account=pod).open()
        assert Access(service_account=pod).open() is first


def test_a_file_that_the_kubeconfig_names_counts(fake: FakeKubernetes, tmp_path: Path) -> None:
    """Another token beside a kubeconfig that stays the same."""
    token = tmp_path / "token"
    token.write_text(ADMIN)
    access = Access(aged(fake.kubeconfig(tmp_path / "config", user={"tokenFile": "token"})))
    aged(token)
    first = access.open()
    assert access.open() is first
    aged(token, 60)
    assert access.open() is not first


def test_a_client_that_nobody_holds_is_closed(pod: Path) -> None:
    """Its connections don't stay behind when another has taken its place."""
    for file in pod.iterdir():
        aged(file)
    client = Access(service_account=pod).open()
    with suppress(RefusedError):  # there is no such object, which takes a connection to see
        client.send("GET", "/api/v1/namespaces/ci/configmaps/docker")
    (pool,) = client._adapter.poolmanager.pools._container.values()
    (connection,) = [one for one in pool.pool.queue if one is not None]
    del pool
    aged(pod / "token", 60)
    Access(service_account=pod).open()
    assert connection.sock is not None, "it is still in use"
    del client
    assert connection.sock is None
