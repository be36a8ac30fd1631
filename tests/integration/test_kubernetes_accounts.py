"""A real API server: service accounts, as whom rotator acts, and whom it trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import PermanentError, Reason
from rotator.kubernetes.place import rules
from tests.fakes.certificates import Pki
from tests.fakes.kubernetes_world import MARK, PULL_SECRET, TEXT, error_of_write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cluster import Cluster


def test_service_accounts_pull_with_the_secret(cluster: Cluster) -> None:
    """The name is added to what is there, in its order; an account that has it stays as it is."""
    before = [{"name": "zulu"}, {"name": "alpha"}]
    cluster.put("serviceaccounts", "puller", imagePullSecrets=before)
    cluster.put("serviceaccounts", "has-it", imagePullSecrets=[{"name": "docker"}, *before])
    same = cluster.look("serviceaccounts", "has-it")
    target = cluster.target(
        "secret", secret_type=PULL_SECRET, service_accounts=["puller", "has-it"]
    )
    held = target.write(TEXT, MARK, target.read())

    assert cluster.look("serviceaccounts", "puller")["imagePullSecrets"] == [
        *before,
        {"name": "docker"},
    ]
    assert cluster.look("serviceaccounts", "has-it") == same
    cluster.server.api(
        "PATCH",
        cluster.path("serviceaccounts", "puller"),
        {"imagePullSecrets": before},
        kind="application/merge-patch+json",
    )
    target.complete(held)
    assert {"name": "docker"} in cluster.look("serviceaccounts", "puller")["imagePullSecrets"]


def test_a_service_account_that_is_missing_is_named(cluster: Cluster) -> None:
    """The Secret is published all the same."""
    target = cluster.target("secret", secret_type=PULL_SECRET, service_accounts=["nobody"])
    error = error_of_write(target)
    assert (type(error), error.reason) == (PermanentError, Reason.NOT_FOUND)
    assert "serviceaccount" in error.detail
    assert "create serviceaccount nobody" in error.hint
    assert target.read().text == TEXT


def test_acts_as_whom_the_kubeconfig_says(cluster: Cluster) -> None:
    """Not as the administrator behind it; and who may not impersonate gets to know it."""
    cluster.put("serviceaccounts", "weak")
    weak = f"system:serviceaccount:{cluster.namespace}:weak"
    access = cluster.account(*rules("configmaps", "docker"))
    token = cluster.server.token(cluster.namespace, "weak")
    for user, said in (
        ({"token": "s3cr3t-cluster-admin", "as": weak}, f"{weak} lacks the verb get"),
        ({"token": token, "as": "bob"}, "may not impersonate anybody"),
        (
            {
                "token": "s3cr3t-cluster-admin",
                "as": "nobody",
                "as-uid": "1",
                "as-groups": ["x", "system:masters"],
                "as-user-extra": {"example.com/a": ["b"]},
            },
            "",
        ),
    ):
        path = cluster.server.kubeconfig_for(cluster.place / "as.kubeconfig", user=user)
        target = cluster.target(access=type(access)(path))
        if said:
            with pytest.raises(PermanentError, match=said):
                target.read()
        else:
            target.read()


def test_shows_a_client_certificate(cluster: Cluster) -> None:
    """The server knows the account by it."""
    certificate, key = cluster.server.pki.issue("person")
    files = {"client-certificate": str(certificate), "client-key": str(key)}
    path = cluster.server.kubeconfig_for(cluster.place / "person.kubeconfig", user=files)
    with pytest.raises(PermanentError, match="person lacks the verb get"):
        cluster.target(access=type(cluster.access)(path)).read()


def test_trusts_no_other_authority(cluster: Cluster, tmp_path: Path) -> None:
    """And says which setting is wrong."""
    (tmp_path / "other").mkdir()
    other = {"certificate-authority": str(Pki(tmp_path / "other").ca)}
    path = cluster.server.kubeconfig_for(tmp_path / "other.kubeconfig", cluster=other)
    with pytest.raises(PermanentError, match="no TLS connection") as caught:
        cluster.target(access=type(cluster.access)(path)).read()
    assert "`certificate-authority`" in caught.value.hint
