"""How the API server is reached: kubeconfigs, certificates, a pod's service account."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rotator.core.errors import PermanentError, Reason
from rotator.kubernetes.access import Access
from rotator.kubernetes.connection import Connection, RefusedError, _trust
from rotator.kubernetes.kubeconfig import Cluster, Selected
from rotator.kubernetes.login import Login
from tests.fakes.certificates import Pki
from tests.fakes.kubernetes import ADMIN, FakeKubernetes
from tests.fakes.kubernetes_rbac import Account
from tests.support import aged
from tests.unit.kubernetes.cluster import ALL, NEXT_TOKEN, TOKEN, error_of, target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pod(pki: Pki, secure: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a pod has: the service account's directory and the server's address."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", secure.url.rpartition(":")[2])
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "ca.crt").write_bytes(pki.ca.read_bytes())
    (account / "namespace").write_text("elsewhere")
    (account / "token").write_text(TOKEN)
    secure.allow(TOKEN, "system:serviceaccount:ci:rotator", ALL, "ci")
    return account


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


BROKEN: dict[str, tuple[str | None, Reason, str]] = {
    "missing": (None, Reason.UNREADABLE, "No such file"),
    "no YAML": ("users: [s3cr3t-token: }", Reason.MALFORMED, "is not YAML"),
    "empty": ("", Reason.MALFORMED, "`current-context`"),
    "a list": ("- 1", Reason.MALFORMED, "no kubeconfig"),
    "no contexts": (
        "{current-context: a, clusters: []}",
        Reason.MALFORMED,
        "'a' in its `contexts`",
    ),
    "no current context": ("{clusters: [], contexts: []}", Reason.MALFORMED, "`current-context`"),
    "unknown cluster": (
        "{current-context: a, clusters: [], contexts: [{name: a, context: {cluster: prod}}]}",
        Reason.MALFORMED,
        "'prod' in its `clusters`",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_explains_a_broken_kubeconfig(tmp_path: Path, name: str) -> None:
    """The error names the file and what is wrong, and repeats nothing of it."""
    text, reason, what = BROKEN[name]
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)

    error = error_of(Access(path))

    assert (type(error), error.reason) == (PermanentError, reason)
    assert str(path) in error.detail
    assert what in error.detail
    assert f"kubectl --kubeconfig {path} config view" in error.hint


USERS: dict[str, tuple[dict[str, Any], Reason]] = {
    "no file": ({"client-certificate": "none.crt", "client-key": "none.key"}, Reason.UNREADABLE),
    "no PEM": ({"client-certificate": "junk", "client-key": "junk"}, Reason.MALFORMED),
    "no base64": ({"client-certificate-data": "s3cr3t", "client-key-data": "*"}, Reason.MALFORMED),
    "no key": ({"client-certificate": "junk"}, Reason.MALFORMED),
    "old provider": ({"auth-provider": {"name": "gcp"}}, Reason.MALFORMED),
}


@pytest.mark.parametrize("name", USERS)
def test_explains_an_unusable_user(fake: FakeKubernetes, tmp_path: Path, name: str) -> None:
    """Certificates that are not there or are none, and logins of another time."""
    user, reason = USERS[name]
    (tmp_path / "junk").write_text("s3cr3t-junk")

    error = error_of(Access(fake.kubeconfig(tmp_path / "config", user=user)))

    assert (type(error), error.reason) == (PermanentError, reason)


def test_a_context_without_user_is_anonymous(fake: FakeKubernetes, tmp_path: Path) -> None:
    """As with kubectl: the server decides what that may do, and a Role is never the answer."""
    path = fake.kubeconfig(tmp_path / "config")
    config = yaml.safe_load(path.read_text())
    del config["contexts"][0]["context"]["user"]
    path.write_text(yaml.safe_dump(config))

    error = error_of(Access(path))

    assert error.reason is Reason.LOGIN_REJECTED
    assert "no login was sent" in error.detail
    assert "Role" not in error.hint


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
