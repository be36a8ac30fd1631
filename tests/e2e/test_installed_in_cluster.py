"""The chart and the overlays on a real API server: installed, first rotation, upgraded, removed.

Helm itself does it. The pods' containers run on this machine, with the token of their service
account, so that what they may is what the chart's Role says.
"""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from deploy.packaging import chart
from deploy.packaging.source import PROJECT, Source
from rotator import __version__
from tests.e2e.charts import helm, values
from tests.e2e.test_manifests import JOBS, documents, render
from tests.fakes.ecr import ACCESS_KEY, SECRET_KEY
from tests.servers.kubectl import kubectl
from tests.servers.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.ecr import FakeEcr
    from tests.servers.kube_apiserver import KubeApiserver

HERE = "rotator"
SECRET = "docker-client-config"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture
def server(kube_apiserver: KubeApiserver) -> Iterator[KubeApiserver]:
    """Give a cluster that has the jobs' namespace; remove what was installed."""
    kube_apiserver.create_namespace(JOBS)
    try:
        yield kube_apiserver
    finally:
        for namespace in (JOBS, HERE):
            kube_apiserver.delete_namespace(namespace)


@pytest.fixture
def node(root: None, server: KubeApiserver, fake_ecr: FakeEcr, tmp_path: Path) -> Node:
    """Give a node whose containers have an AWS identity."""
    environment = {
        "AWS_ENDPOINT_URL_ECR": fake_ecr.url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    return Node(server, tmp_path, environment)


def archive(place: Path, version: str) -> str:
    """Return the chart's archive as a release has it."""
    (place / version).mkdir()
    source = Source(PROJECT, version, "revision", 1_700_000_000)
    return str(chart.build(source, place / version, place))


def published(server: KubeApiserver) -> set[str]:
    """Return the registries in the Secret that jobs mount."""
    stored = server.api("GET", f"/api/v1/namespaces/{JOBS}/secrets/{SECRET}")["data"]["config.json"]
    return set(json.loads(base64.b64decode(stored))["auths"])


def left(server: KubeApiserver, name: str) -> list[str]:
    """Return which objects of this name there are in both namespaces."""
    kinds = "deployment,cronjob,configmap,serviceaccount,role,rolebinding,networkpolicy"
    cluster = "clusterrole,clusterrolebinding"
    lines = [
        ["get", kinds, "-n", HERE, "-o", "name"],
        ["get", kinds, "-n", JOBS, "-o", "name"],
        ["get", cluster, "-o", "name"],
    ]
    found = "".join(by_hand(server, *line) for line in lines).splitlines()
    return [one for one in found if one.rpartition("/")[2] == name]


def by_hand(server: KubeApiserver, *words: str, text: str | None = None) -> str:
    """Return what kubectl prints, as somebody who may do everything."""
    done = subprocess.run(
        [kubectl(), "--kubeconfig", server.kubeconfig, *words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rights(server: KubeApiserver) -> dict[str, list[str]]:
    """Return the verbs that the chart's account has in the jobs' namespace, by what they are on."""
    who = f"system:serviceaccount:{HERE}:rotator"
    lines = by_hand(server, "auth", "can-i", "--list", "-n", JOBS, "--as", who).splitlines()
    found: dict[str, list[str]] = {}
    for line in lines[1:]:
        what, *columns = line.replace("[]", "").split("  ")
        words = [word.strip() for word in columns if word.strip()]
        if what.startswith(("secrets", "configmaps", "serviceaccounts", "namespaces", "*")):
            found[f"{what} {' '.join(words[:-1])}".strip()] = words[-1].strip("[]").split()
    return found


def good(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a container printed, after a check of its end."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Job-safe" in done.stdout
    return done.stdout


def test_helm(server: KubeApiserver, node: Node, tmp_path: Path) -> None:
    """By the commands of deploy/README.md, whose `--wait` ends when jobs can mount the Secret."""
    release = helm().Config(kubeconfig_path=server.kubeconfig, namespace=HERE)
    first, second = archive(tmp_path, "1.0.0"), archive(tmp_path, "1.1.0")
    given = values("ecr")
    with node.running(HERE):
        release.install(first, HERE, given, create_namespace=True, wait="watcher", timeout=120)
        assert [args for args, _ in node.ran] == [["run-once"]]
        assert "dind: rotated" in good(node.ran[0][1])
        assert published(server) == {REGISTRY}
        assert rights(server) == {
            f"secrets [{SECRET}]": ["get", "patch"],
            "secrets": ["create"],
        }

        given["config"]["rotations"][0]["sources"][0]["accounts"].append("210987654321")
        release.upgrade(second, HERE, given, wait="watcher", timeout=120)
        assert len(node.ran) == 2
        assert published(server) == {REGISTRY, REGISTRY.replace("123456789012", "210987654321")}
        deployment = server.api("GET", f"/apis/apps/v1/namespaces/{HERE}/deployments/rotator")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"].endswith(":1.1.0")
        assert container["args"] == ["run"]

    assert len(left(server, "rotator")) == 6
    release.uninstall(HERE)
    assert left(server, "rotator") == []
    assert len(published(server)) == 2, "jobs go on pulling"


def test_helm_without_a_daemon(server: KubeApiserver, node: Node, tmp_path: Path) -> None:
    """The CronJob's pods fetch only what is due, and repair what somebody took away."""
    release = helm().Config(kubeconfig_path=server.kubeconfig, namespace=HERE)
    with node.running(HERE):
        chart_file = archive(tmp_path, "1.0.0")
        release.install(
            chart_file, HERE, values("cronjob"), create_namespace=True, wait="watcher", timeout=120
        )
    cronjob = server.api("GET", f"/apis/batch/v1/namespaces/{HERE}/cronjobs/rotator")
    template = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    assert "dind: fresh" in good(node.run(HERE, template))
    server.api("DELETE", f"/api/v1/namespaces/{JOBS}/secrets/{SECRET}")
    good(node.run(HERE, template))
    assert published(server) == {REGISTRY}
    release.uninstall(HERE)
    assert left(server, "rotator") == []


def test_helm_for_many_namespaces(server: KubeApiserver, node: Node, tmp_path: Path) -> None:
    """With the ClusterRole of the chart: by labels, with the service accounts of each."""
    for name in ("helm-team-a", "helm-team-b"):
        server.create_namespace(name, ci="helm")
        path = f"/api/v1/namespaces/{name}/serviceaccounts"
        server.api("POST", path, {"metadata": {"name": "default"}})
    given = values("ecr")
    given["config"]["rotations"][0]["targets"] = [
        {
            "type": "kubernetes_secret",
            "namespace_selector": {"ci": "helm"},
            "name": SECRET,
            "secret_type": "kubernetes.io/dockerconfigjson",
            "service_accounts": ["default"],
        }
    ]
    release = helm().Config(kubeconfig_path=server.kubeconfig, namespace=HERE)
    try:
        with node.running(HERE):
            release.install(
                archive(tmp_path, "1.0.0"),
                HERE,
                given,
                create_namespace=True,
                wait="watcher",
                timeout=120,
            )
        good(node.ran[0][1])
        for name in ("helm-team-a", "helm-team-b"):
            root = f"/api/v1/namespaces/{name}"
            assert server.api("GET", f"{root}/secrets/{SECRET}")["type"].endswith("configjson")
            account = server.api("GET", f"{root}/serviceaccounts/default")
            assert account["imagePullSecrets"] == [{"name": SECRET}]
        assert rights(server) == {
            f"secrets [{SECRET}]": ["get", "patch"],
            "secrets": ["create"],
            "serviceaccounts [default]": ["get", "patch"],
            "namespaces": ["list"],
        }
        release.uninstall(HERE)
        assert left(server, f"{HERE}-rotator") == []
    finally:
        for name in ("helm-team-a", "helm-team-b"):
            server.delete_namespace(name)


@pytest.mark.parametrize("variant", ["base", "overlays/cronjob", "overlays/irsa"])
def test_kustomize(server: KubeApiserver, node: Node, variant: str) -> None:
    """By `kubectl apply -k`: applied, waited for, upgraded, deleted."""
    with node.running(HERE):
        by_hand(server, "apply", "-f-", text=render(variant))
        by_hand(server, "-n", HERE, "wait", "--for=condition=complete", "--timeout=60s",
                "job/rotator-fill")  # fmt: skip
    assert [args for args, _ in node.ran] == [["run-once"]]
    assert "dind: rotated" in good(node.ran[0][1])
    assert published(server) == {REGISTRY}
    assert rights(server) == {f"secrets [{SECRET}]": ["get", "patch"], "secrets": ["create"]}
    if variant == "overlays/cronjob":
        (cronjob,) = [one for one in documents(variant) if one["kind"] == "CronJob"]
        template = cronjob["spec"]["jobTemplate"]["spec"]["template"]
        assert "dind: fresh" in good(node.run(HERE, template))
    by_hand(server, "-n", HERE, "delete", "job", "rotator-fill", "--ignore-not-found")
    upgrade = render(variant).replace(f":{__version__}", ":99.0.0")
    assert upgrade != render(variant)
    by_hand(server, "apply", "-f-", text=upgrade)
    by_hand(server, "delete", "--wait=false", "-f-", text=render(variant))
    assert left(server, "rotator") == []
    assert published(server) == {REGISTRY}
