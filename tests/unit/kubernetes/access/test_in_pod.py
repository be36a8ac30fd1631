"""The way to the API server from a pod, and which server is trusted."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import PermanentError, Reason
from rotator.kubernetes.access import Access
from rotator.kubernetes.connection import Connection, _trust
from rotator.kubernetes.kubeconfig import Cluster, Selected
from rotator.kubernetes.login import Login
from tests.fakes.certificates import Pki
from tests.unit.kubernetes.cluster import ALL, NEXT_TOKEN, TOKEN, error_of, target

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.kubernetes import FakeKubernetes


def test_uses_the_pod_s_account(secure: FakeKubernetes, pod: Path) -> None:
    """In a pod nothing needs to be configured; the namespace is the target's."""
    target(Access(service_account=pod)).read()

    assert [call.user for call in secure.calls] == ["system:serviceaccount:ci:rotator"]


def test_takes_up_a_rotated_token(secure: FakeKubernetes, pod: Path) -> None:
    """The kubelet replaces the token on disk; the same target uses the new one with one request."""
    one = target(Access(service_account=pod))
    one.read()
    secure.tokens[NEXT_TOKEN] = secure.tokens.pop(TOKEN)
    (pod / "token").write_text(NEXT_TOKEN)

    one.read()

    assert len(secure.calls) == 2


def test_says_that_a_token_is_dead(secure: FakeKubernetes, pod: Path) -> None:
    """A token that the server does not take needs a person."""
    secure.tokens.clear()

    error = error_of(Access(service_account=pod))

    assert (type(error), error.reason) == (PermanentError, Reason.LOGIN_REJECTED)


def test_trusts_only_the_cluster_s_authority(
    secure: FakeKubernetes, pod: Path, tmp_path: Path
) -> None:
    """A server with somebody else's certificate gets no token."""
    (tmp_path / "other").mkdir()
    (pod / "ca.crt").write_bytes(Pki(tmp_path / "other").ca.read_bytes())

    error = error_of(Access(service_account=pod))

    assert (type(error), error.reason) == (PermanentError, Reason.UNREACHABLE)
    assert "no TLS connection" in error.detail
    assert secure.url in error.detail
    assert not secure.calls


def test_says_that_a_server_speaks_no_tls(fake: FakeKubernetes, tmp_path: Path) -> None:
    """An https address of something that speaks plain HTTP."""
    server = {"server": fake.url.replace("http", "https")}
    path = fake.kubeconfig(tmp_path / "config", cluster=server)

    error = error_of(Access(path))

    assert (type(error), error.reason) == (PermanentError, Reason.UNREACHABLE)


def test_says_how_to_configure_it_without_a_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without service account and kubeconfig the hint names both."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    error = error_of(Access(service_account=tmp_path))

    assert error.reason is Reason.UNREADABLE
    assert "service account" in error.hint


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("https://kube.example.com", "http://proxy.example.com:3128"),
        ("https://127.0.0.1:6443", None),
        ("https://localhost:6443", None),
        ("https://[::1]:6443", None),
        ("https://kube.internal", None),
    ],
)
def test_the_environment_s_proxy(
    monkeypatch: pytest.MonkeyPatch, server: str, expected: str | None
) -> None:
    """It holds but for this machine and what $NO_PROXY names, as with kubectl."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", "kube.internal")
    selected = Selected(Cluster(server, insecure_skip_tls_verify=True))
    assert Connection(selected, Login(), connect=1, read=1)._proxies.get("https") == expected


def test_an_authority_without_extensions_is_trusted() -> None:
    """Newer Pythons refuse many clusters' authorities, which kubectl takes."""
    context = _trust(Cluster("https://kube.example.com"))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_certificate_that_counts_for_nothing(
    secure: FakeKubernetes, pki: Pki, tmp_path: Path
) -> None:
    """The server takes us for nobody, as behind a proxy that ends TLS: no Role is the answer."""
    certificate, key = pki.issue("unknown")
    path = secure.kubeconfig(
        tmp_path / "config",
        user={"client-certificate": str(certificate), "client-key": str(key)},
        cluster={"certificate-authority": str(pki.ca)},
    )

    error = error_of(Access(path))

    assert error.reason is Reason.LOGIN_REJECTED
    assert "takes us for nobody" in error.detail
    assert "Role" not in error.hint


def test_an_account_that_may_not_impersonate(fake: FakeKubernetes, tmp_path: Path) -> None:
    """That is another lack than that of a verb on the object."""
    fake.allow(TOKEN, "weak", ALL[:0], "ci")
    path = fake.kubeconfig(tmp_path / "config", user={"token": TOKEN, "as": "bob"})

    error = error_of(Access(path))

    assert error.reason is Reason.FORBIDDEN
    assert "weak may not impersonate anybody" in error.detail
    assert 'verbs: ["impersonate"]' in error.hint
