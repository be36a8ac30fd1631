"""A kubeconfig means what kubectl takes it for: the real server sees the same account or none."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml

from rotator.core.errors import DriverError
from rotator.kubernetes.access import Access
from rotator.kubernetes.connection import RefusedError
from tests.fakes.far_away import FarAway
from tests.servers.kube_apiserver import ADMIN
from tests.servers.kubectl import kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cluster import Cluster

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


def seen_by_kubectl(environment: dict[str, str], *options: str) -> dict[str, Any] | None:
    """Return whom the server takes kubectl for; None where it does not come that far."""
    done = subprocess.run(
        [kubectl(), *options, "--request-timeout=10s", "auth", "whoami", "-o", "json"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)["status"]["userInfo"] if done.returncode == 0 else None


def seen_by_us(access: Access) -> dict[str, Any] | None:
    """Return whom the server takes rotator for; None where it does not come that far."""
    try:
        answer = access.open().send("POST", REVIEWS, REVIEW)
    except (DriverError, RefusedError, requests.RequestException):
        return None
    user: dict[str, Any] = answer["status"]["userInfo"]
    user.pop("extra", None) if not user.get("extra") else None
    return user


class Files:
    """What kubeconfigs of this server can name."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.place, pki = cluster, cluster.place, cluster.server.pki
        cluster.put("serviceaccounts", "reader")
        self.token = cluster.server.token(cluster.namespace, "reader")
        (self.place / "token").write_text(f"{self.token}\n")
        self.certificate, self.key = pki.issue("person")
        self.ca = pki.ca
        self.plugin = self.write_plugin("plugin", {"token": self.token})
        status = {
            "clientCertificateData": self.certificate.read_text(),
            "clientKeyData": self.key.read_text(),
        }
        self.certifying = self.write_plugin("certifying", status)

    def write_plugin(self, name: str, status: dict[str, str]) -> Path:
        """Write a login plugin, which notes what it gets to know; return its path."""
        answer = {"kind": "ExecCredential", "apiVersion": PLUGIN["apiVersion"], "status": status}
        (self.place / f"{name}.answer").write_text(json.dumps(answer))
        path = self.place / name
        path.write_text(f"""#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" > {path}.told
exec cat {path}.answer
""")
        path.chmod(0o755)
        return path

    def cases(self) -> dict[str, dict[str, Any]]:
        """Return users and clusters by what is tried with them."""

        def encoded(path: Path) -> str:
            return base64.b64encode(path.read_bytes()).decode()

        port = self.cluster.server.url.rpartition(":")[2]
        local = {"server": f"https://localhost:{port}"}
        admin = {"token": ADMIN}
        inline = {
            "client-certificate-data": encoded(self.certificate),
            "client-key-data": encoded(self.key),
        }
        files = {"client-certificate": str(self.certificate), "client-key": str(self.key)}
        whole = {
            "as": "bob",
            "as-uid": "7",
            "as-groups": ["a", "b c"],
            "as-user-extra": {"example.com/scopes": ["one", "two"], "Z%": ["1"]},
        }
        users: dict[str, Any] = {
            "token": admin,
            "token of an account": {"token": self.token},
            "wrong token": {"token": "s3cr3t-wrong"},
            "token file": {"tokenFile": "token"},
            "token file beside a token": {"tokenFile": "token", **admin},
            "no token file": {"tokenFile": "none"},
            "certificate": files,
            "certificate inline": inline,
            "certificate inline beside files": {**inline, "client-certificate": "none.crt"},
            "certificate and token": {**files, **admin},
            "certificate of nobody": {**files, "client-certificate": str(self.ca)},
            "as": {**admin, "as": "bob"},
            "as with all": {**admin, **whole},
            "as an account": {**admin, "as": f"system:serviceaccount:{self.cluster.namespace}:x"},
            "as, without the right": {"token": self.token, "as": "bob"},
            "groups alone": {**admin, "as-groups": ["a"]},
            "plugin": {"exec": {**PLUGIN, "command": str(self.plugin)}},
            "plugin by a relative path": {"exec": {**PLUGIN, "command": "./plugin"}},
            "plugin with a certificate": {"exec": {**PLUGIN, "command": str(self.certifying)}},
            "plugin and as": {**whole, "exec": {**PLUGIN, "command": "./plugin"}},
            "plugin that is missing": {"exec": {**PLUGIN, "command": "/none"}},
            "plugin of another version": {
                "exec": {
                    **PLUGIN,
                    "apiVersion": f"{PLUGIN['apiVersion']}beta1",
                    "command": "./plugin",
                }
            },
            "plugin with a terminal": {
                "exec": {**PLUGIN, "interactiveMode": "Always", "command": "./plugin"}
            },
            "provider": {"auth-provider": {"name": "gcp"}},
            "nobody": {},
        }
        clusters: dict[str, Any] = {
            "localhost": local,
            "tls-server-name": {**local, "tls-server-name": "127.0.0.1"},
            "wrong tls-server-name": {"tls-server-name": "kube.internal"},
            "authority inline": {
                "certificate-authority": "none.crt",
                "certificate-authority-data": encoded(self.ca),
            },
            "other authority": {"certificate-authority": str(self.certificate)},
            "no authority": {"certificate-authority": ""},
            "insecure": {"certificate-authority": "", "insecure-skip-tls-verify": True, **local},
            "insecure, with an authority": {"insecure-skip-tls-verify": True},
            "plain HTTP": {"server": self.cluster.server.url.replace("https", "http")},
            "proxy that is down": {"proxy-url": "http://127.0.0.1:9"},
            "no compression": {"disable-compression": True},
            "path": {"server": f"{self.cluster.server.url}/none"},
        }
        return {name: {"user": user} for name, user in users.items()} | {
            name: {"cluster": one} for name, one in clusters.items()
        }


@pytest.fixture
def files(cluster: Cluster) -> Files:
    """Return what kubeconfigs can name."""
    return Files(cluster)


def test_is_what_kubectl_takes_it_for(files: Files) -> None:
    """The same name, groups, uid and extra; and where kubectl gets nowhere, nor do we."""
    given = {
        name: files.cluster.server.kubeconfig_for(files.place / f"{number}.kubeconfig", **case)
        for number, (name, case) in enumerate(files.cases().items())
    }
    theirs = {name: seen_by_kubectl({"KUBECONFIG": str(path)}) for name, path in given.items()}
    ours = {name: seen_by_us(Access(path)) for name, path in given.items()}
    both = {name: (theirs[name], ours[name]) for name in given if theirs[name] != ours[name]}
    # The reference says that data overrides a file; kubectl wants one of the two.
    assert both.keys() == {"certificate inline beside files", "authority inline"}, both
    assert len({str(one) for one in ours.values()}) > 6


def test_a_proxy_is_used(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubeconfig's, and never past it; the environment's is none of this machine's."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    port = int(files.cluster.server.url.rpartition(":")[2])
    path = files.cluster.server.kubeconfig_for(files.place / "direct")
    assert seen_by_us(Access(path)) == seen_by_kubectl({"KUBECONFIG": str(path)}) is not None
    with FarAway(port, 0.0) as far:
        there = {"server": f"https://127.0.0.1:{far.port}"}
        path = files.cluster.server.kubeconfig_for(files.place / "far", cluster=there)
        assert seen_by_us(Access(path)) is not None


@pytest.mark.parametrize("order", ["a:b", "b:a", "none:a:b", "b", "a"])
@pytest.mark.parametrize("context", [None, "first", "second", "third"])
def test_several_are_merged_as_kubectl_does(
    files: Files, order: str, context: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that has a name wins, whole; the current context likewise."""
    one = yaml.safe_load(files.cluster.server.kubeconfig.read_text())
    cluster = one["clusters"][0]["cluster"]

    def config(current: str, users: dict[str, Any], contexts: dict[str, str]) -> str:
        return yaml.safe_dump(
            {
                "current-context": current,
                "clusters": [{"name": "real", "cluster": cluster}],
                "users": [{"name": name, "user": user} for name, user in users.items()],
                "contexts": [
                    {"name": name, "context": {"cluster": "real", "user": user}}
                    for name, user in contexts.items()
                ],
            }
        )

    admin, bob = {"token": ADMIN}, {"token": ADMIN, "as": "bob"}
    (files.place / "a").write_text(config("first", {"u": admin}, {"first": "u", "third": "v"}))
    (files.place / "b").write_text(
        config("second", {"u": {"tokenFile": "token"}, "v": bob}, {"second": "u", "third": "u"})
    )
    paths = ":".join(str(files.place / name) for name in order.split(":"))
    monkeypatch.setenv("KUBECONFIG", paths)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    options = ["--context", context] if context else []
    assert seen_by_us(Access(context=context)) == seen_by_kubectl({"KUBECONFIG": paths}, *options)


def test_a_plugin_gets_to_know_the_cluster(files: Files) -> None:
    """What kubectl tells it, where `provideClusterInfo` asks for it."""
    user = {"exec": {**PLUGIN, "command": "./plugin", "provideClusterInfo": True}}
    extension = [{"name": "client.authentication.k8s.io/exec", "extension": {"a": 1}}]
    cluster = {"tls-server-name": "127.0.0.1", "extensions": extension}
    path = files.cluster.server.kubeconfig_for(files.place / "asks", user=user, cluster=cluster)
    told = files.place / "plugin.told"
    assert seen_by_kubectl({"KUBECONFIG": str(path)})
    theirs = json.loads(told.read_text())
    told.unlink()
    assert seen_by_us(Access(path))
    assert json.loads(told.read_text()) == theirs
    assert theirs["spec"]["cluster"]["config"] == {"a": 1}
