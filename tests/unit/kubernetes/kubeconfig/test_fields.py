"""Each field of a kubeconfig is honoured or refused: the reference as a table."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import PermanentError, TemporaryError
from rotator.kubernetes.access import Access
from tests.fakes.kubernetes import ADMIN
from tests.unit.kubernetes.cluster import error_of, target
from tests.unit.kubernetes.kubeconfig.room import EVERY, FIELDS, Room, server
from tests.unit.kubernetes.test_login import write_plugin

if TYPE_CHECKING:
    from collections.abc import Callable


REFERENCE = {
    "cluster": "server tls-server-name insecure-skip-tls-verify certificate-authority "
    "certificate-authority-data proxy-url disable-compression extensions",
    "user": "client-certificate client-certificate-data client-key client-key-data token tokenFile "
    "as as-uid as-groups as-user-extra username password auth-provider exec extensions",
    "exec": "command args env apiVersion installHint provideClusterInfo interactiveMode",
    "context": "cluster user namespace extensions",
}
"""The fields as Kubernetes 1.36 has them: client-go/tools/clientcmd/api/v1/types.go."""


def test_the_table_is_the_reference() -> None:
    """No field is missing, and none is made up."""
    assert {section: set(fields) for section, fields in FIELDS.items()} == {
        section: set(names.split()) for section, names in REFERENCE.items()
    }


def tls_server_name(room: Room) -> None:
    """It, not the host in `server`, is the name that the certificate has to have."""
    trust = {"certificate-authority": str(room.pki.ca)}
    local = {"server": room.secure.url.replace("127.0.0.1", "localhost"), **trust}
    assert "mismatch" in room.error(tls=True, cluster={**trust, "tls-server-name": "kube.internal"})
    assert "mismatch" in room.error(tls=True, cluster=local)
    assert not room.secure.calls
    room.read(tls=True, cluster={**local, "tls-server-name": "127.0.0.1"})


def insecure(room: Room) -> None:
    """Whatever the certificate; with an authority it is a contradiction, for kubectl too."""
    assert "no TLS connection" in room.error(tls=True)
    room.read(tls=True, cluster={"insecure-skip-tls-verify": True})
    both = {"insecure-skip-tls-verify": True, "certificate-authority": str(room.pki.ca)}
    assert "`insecure-skip-tls-verify`" in room.error(tls=True, cluster=both)


def authority(room: Room) -> None:
    """Relative to the kubeconfig; a file that is missing is named."""
    room.read(tls=True, cluster={"certificate-authority": room.pki.ca.name})
    missing = room.error(tls=True, cluster={"certificate-authority": "none.crt"})
    assert f"`certificate-authority` {room.place / 'none.crt'} does not exist" in missing


def authority_data(room: Room) -> None:
    """It overrides the file, and what is no certificate is said."""
    data = base64.b64encode(room.pki.ca.read_bytes()).decode()
    both = {"certificate-authority": "none.crt", "certificate-authority-data": data}
    room.read(tls=True, cluster=both)
    junk = {"certificate-authority-data": base64.b64encode(b"s3cr3t-junk").decode()}
    assert "`certificate-authority-data`" in room.error(tls=True, cluster=junk)


def proxy_url(room: Room) -> None:
    """Requests go through it; one that is not supported is refused, and never gone past."""
    behind = {"server": "http://127.0.0.1:1"}
    room.read(cluster={**behind, "proxy-url": room.fake.url})
    assert room.fake.path.startswith("http://127.0.0.1:1/api/v1/")
    refusing = {"server": "https://127.0.0.1:1", "proxy-url": room.fake.url}
    path = room.fake.kubeconfig(room.place / "config", cluster=refusing)
    with pytest.raises(TemporaryError, match="the proxy does not let it through") as caught:
        target(Access(path)).read()
    assert "`proxy-url`" in caught.value.hint
    for wrong in ("socks5://127.0.0.1:1080", "proxy.example.com:3128"):
        assert "`proxy-url`" in room.error(cluster={"proxy-url": wrong})


def compression(room: Room) -> None:
    """Answers are asked for without, whether it is set or not."""
    for choice in (True, False):
        room.read(cluster={"disable-compression": choice})
        assert room.header("Accept-Encoding") == ["identity"]


def extensions(room: Room) -> None:
    """They are for tools: minikube and others leave notes there."""
    notes = [{"name": "context_info", "extension": {"provider": "minikube.sigs.k8s.io"}}]
    room.read(cluster={"extensions": notes}, context={"extensions": notes})
    room.read(user={"token": ADMIN, "extensions": notes})


def client_certificate(room: Room) -> None:
    """Files beside the kubeconfig."""
    for name, pem in room.certified().items():
        (room.place / name).write_bytes(pem)
    files = {"client-certificate": "certificate", "client-key": "key"}
    room.read(tls=True, user=files, cluster={"certificate-authority": str(room.pki.ca)})
    assert [call.user for call in room.secure.calls] == ["person"]
    alone = room.error(user={"client-certificate": "certificate"})
    assert "`client-certificate`" in alone
    assert "`client-key`" in alone


def client_certificate_data(room: Room) -> None:
    """In the kubeconfig itself."""
    inline = {
        f"client-{name}-data": base64.b64encode(pem).decode()
        for name, pem in room.certified().items()
    }
    room.read(tls=True, user=inline, cluster={"certificate-authority": str(room.pki.ca)})
    assert [call.user for call in room.secure.calls] == ["person"]


def token(room: Room) -> None:
    """One that no header can carry is refused; with a password beside it there are two logins."""
    room.read(user={"token": ADMIN})
    assert room.header("Authorization") == [f"Bearer {ADMIN}"]
    assert "token" in room.error(user={"token": "s3cr3t-\nHost: x"})
    assert "`token`" in room.error(user={"token": "s3cr3t-t", "username": "u"})


def token_file(room: Room) -> None:
    """Its content counts before `token`; a missing one is named."""
    (room.place / "token").write_text(f"{ADMIN}\n")
    room.read(user={"tokenFile": "token", "token": "s3cr3t-old"})
    assert str(room.place / "none") in room.error(user={"tokenFile": "none"})


def password(room: Room) -> None:
    """They are sent as a proxy before the server may want them; the server takes none."""
    assert room.error(user={"username": "u", "password": "s3cr3t-p"})
    sent = base64.b64encode(b"u:s3cr3t-p").decode()
    assert room.header("Authorization") == [f"Basic {sent}"]


def impersonation(room: Room) -> None:
    """Each value goes in a header of its own; the key of an extra is escaped as client-go does."""
    user = {
        "token": ADMIN,
        "as": "system:serviceaccount:ci:rotator",
        "as-uid": "7",
        "as-groups": ["a, b", "c"],
        "as-user-extra": {"example.com/scopes": ["x", "y"]},
    }
    assert "lacks the verb get" in room.error(user=user)
    assert room.header("Impersonate-User") == ["system:serviceaccount:ci:rotator"]
    assert room.header("Impersonate-Uid") == ["7"]
    assert room.header("Impersonate-Group") == ["a, b", "c"]
    assert room.header("Impersonate-Extra-example.com%2Fscopes") == ["x", "y"]
    for name, value in user.items():
        if name.startswith("as-"):
            assert f"`{name}` without `as`" in room.error(user={"token": ADMIN, name: value})
    assert "`as`" in room.error(user={"token": ADMIN, "as": "a\nX-Evil: 1"})
    extra = {"example.com/scopes": "no list"}
    assert "`as-user-extra`" in room.error(user={"token": ADMIN, "as": "a", "as-user-extra": extra})


def auth_provider(room: Room) -> None:
    """These are gone, and which login comes in their place is said."""
    said = room.error(user={"auth-provider": {"name": "gcp"}})
    assert "`auth-provider`" in said
    assert "`exec`" in said


def plugin(room: Room) -> None:
    """Command, arguments and environment; the command is relative to the kubeconfig."""
    user = write_plugin(room.place)
    room.read(user=user)
    assert (room.place / "runs").read_text() == "eu get-token"
    for wrong in ("x", ["x"], [{"value": "v"}], [{"name": "n", "value": 1}]):
        assert "`env`" in room.error(user={"exec": {**user["exec"], "env": wrong}})
    del user["exec"]["command"]
    assert "`command`" in room.error(user=user)


def plugin_version(room: Room) -> None:
    """An old or missing one is refused."""
    for version in ("client.authentication.k8s.io/v1alpha1", None):
        user = write_plugin(room.place)
        user["exec"]["apiVersion"] = version
        assert "`apiVersion`" in room.error(user=user)


def install_hint(room: Room) -> None:
    """It is what to do where the plugin is missing."""
    user = write_plugin(room.place)
    (room.place / "plugin").unlink()
    error = error_of(Access(room.fake.kubeconfig(room.place / "config", user=user)))
    assert error.hint == "apt-get install plugin"


def cluster_info(room: Room) -> None:
    """The plugin gets to know the cluster, with the authority's content and its own extension."""
    user = write_plugin(room.place)
    given = room.place / "given"
    script = (room.place / "plugin").read_text()
    keep = f"pathlib.Path({str(given)!r}).write_text(json.dumps(asked['spec']))\nprint("
    (room.place / "plugin").write_text(script.replace("print(", keep))
    own = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    cluster = {"certificate-authority": str(room.pki.ca), "extensions": [own]}
    for wanted in (False, True):
        user["exec"]["provideClusterInfo"] = wanted
        path = room.secure.kubeconfig(room.place / "config", user=user, cluster=cluster)
        target(Access(path)).read()
        assert ("cluster" in json.loads(given.read_text())) is wanted
    gone = {"certificate-authority": "none.crt"}
    assert "none.crt is unreadable" in room.error(tls=True, user=user, cluster=gone)
    assert json.loads(given.read_text())["cluster"] == {
        "server": room.secure.url,
        "certificate-authority-data": base64.b64encode(room.pki.ca.read_bytes()).decode(),
        "config": {"audience": "a"},
    }


def interactive(room: Room) -> None:
    """There is nobody to ask, so a plugin that needs somebody is not even run."""
    user = write_plugin(room.place)
    for mode in ("Never", "IfAvailable"):
        user["exec"]["interactiveMode"] = mode
        room.read(user=user)
    (room.place / "runs").unlink()
    for mode in ("Always", "Sometimes"):
        user["exec"]["interactiveMode"] = mode
        assert "`interactiveMode`" in room.error(user=user)
    assert not (room.place / "runs").exists()


def parts_of_a_context(room: Room) -> None:
    """Those it names have to be there."""
    for key in ("cluster", "user"):
        with pytest.raises(PermanentError, match=f"'gone' in its `{key}s`"):
            room.read(context={key: "gone"})


def namespace(room: Room) -> None:
    """It is the target's that counts."""
    room.read(context={"namespace": "elsewhere"})
    assert "/namespaces/ci/" in room.fake.path


CASES: dict[str, Callable[[Room], None]] = {
    "cluster.server": server,
    "cluster.tls-server-name": tls_server_name,
    "cluster.insecure-skip-tls-verify": insecure,
    "cluster.certificate-authority": authority,
    "cluster.certificate-authority-data": authority_data,
    "cluster.proxy-url": proxy_url,
    "cluster.disable-compression": compression,
    "cluster.extensions": extensions,
    "user.client-certificate": client_certificate,
    "user.client-certificate-data": client_certificate_data,
    "user.client-key": client_certificate,
    "user.client-key-data": client_certificate_data,
    "user.token": token,
    "user.tokenFile": token_file,
    "user.username": password,
    "user.password": password,
    "user.as": impersonation,
    "user.as-uid": impersonation,
    "user.as-groups": impersonation,
    "user.as-user-extra": impersonation,
    "user.auth-provider": auth_provider,
    "user.exec": plugin,
    "user.extensions": extensions,
    "exec.command": plugin,
    "exec.args": plugin,
    "exec.env": plugin,
    "exec.apiVersion": plugin_version,
    "exec.installHint": install_hint,
    "exec.provideClusterInfo": cluster_info,
    "exec.interactiveMode": interactive,
    "context.cluster": parts_of_a_context,
    "context.user": parts_of_a_context,
    "context.namespace": namespace,
    "context.extensions": extensions,
}


@pytest.mark.parametrize("field", EVERY)
def test_each_field_means_what_it_says(room: Room, field: str) -> None:
    """It is honoured or refused; see the case's own text."""
    CASES[field](room)
