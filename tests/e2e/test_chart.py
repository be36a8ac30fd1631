"""The Helm chart: what it renders is what the overlays have, and what the API takes."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator import __version__
from rotator.config.load import load
from tests.e2e.charts import PROJECT, Body, only, render, values
from tests.e2e.test_manifests import documents
from tests.support import missing

ALERTS = PROJECT / "deploy/prometheus/alerts.yaml"

OVERLAYS = {
    "ecr": "base",
    "cronjob": "overlays/cronjob",
    "irsa": "overlays/irsa",
    "vault-kubernetes-auth": "overlays/vault-kubernetes-auth",
}
"""Which of the chart's examples renders what which overlay renders."""

ADDED = re.compile(r"helm\.sh/|checksum/|app\.kubernetes\.io/(?!name$)")


def pods(bodies: list[Body]) -> list[Body]:
    """Return every pod's specification."""
    specs = [body.get("spec", {}) for body in bodies]
    specs = [spec.get("jobTemplate", {}).get("spec", spec) for spec in specs]
    return [spec["template"]["spec"] for spec in specs if "template" in spec]


def plain(body: Body, folder: Path) -> Body:
    """Return an object without what Helm or kustomize adds for itself; a configuration, loaded."""
    found: Body = stripped(body)
    found["metadata"].pop("labels", None)
    if found["kind"] == "ConfigMap":
        path = folder / "rotator.yaml"
        path.write_text(found["data"]["rotator.yaml"])
        found["data"] = repr(load(path, {}))
        found["metadata"]["name"] = "rotator"
    return found


def stripped(node: Any) -> Any:
    """Return a part of an object without labels and annotations of the tools that made it."""
    if isinstance(node, list):
        return [stripped(one) for one in node]
    if not isinstance(node, dict):
        return node
    left = {key: stripped(value) for key, value in node.items() if not ADDED.match(key)}
    if "configMap" in left:  # kustomize's have a hash in their name
        left["configMap"] = {"name": "rotator"}
    return {key: value for key, value in left.items() if key != "annotations" or value}


@pytest.mark.parametrize("example", OVERLAYS)
def test_renders_what_the_overlay_renders(example: str, tmp_path: Path) -> None:
    """Every object of the overlay but the namespace, which Helm does not make, field by field."""
    image = {"repository": "registry.example.com/rotator", "tag": __version__}
    ours = [plain(body, tmp_path) for body in render(values(example, image=image))]
    theirs = [
        plain(body, tmp_path)
        for body in documents(OVERLAYS[example])
        if body["kind"] != "Namespace"
    ]

    def by_name(bodies: list[Body]) -> dict[str, Body]:
        return {f"{body['kind']}/{body['metadata']['name']}": body for body in bodies}

    assert by_name(ours) == by_name(theirs)


EVERYTHING: Body = {
    "credentials": {"secretName": "rotator-secrets"},
    "vaultToken": {"enabled": True},
    "metrics": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    "networkPolicy": {"extraEgress": [{"ports": [{"protocol": "TCP", "port": 3128}]}]},
    "image": {"digest": f"sha256:{'0' * 64}", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "pull"}],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "corporate-ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/corporate-ca", "readOnly": True}],
    "podAnnotations": {"example.com/team": "ci"},
    "podLabels": {"team": "ci"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "system-cluster-critical",
}

CASES = {
    **{example: values(example) for example in (*OVERLAYS, "sidecar")},
    "everything, daemon": values("ecr", **EVERYTHING),
    "everything, cronjob": values("cronjob", **EVERYTHING),
}


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_is_what_the_api_takes(given: Body) -> None:
    """Each object has a schema, and no field that is not in it."""
    try:
        schemas = importlib.import_module("kubernetes_validate")
    except ImportError:
        missing("kubernetes-validate", "pip install kubernetes-validate")
    for body in render(given):
        if not body["apiVersion"].startswith("monitoring.coreos.com/"):  # no kind of the API's own
            schemas.validate(body, schemas.latest_version(), strict=True)


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_is_restricted(given: Body) -> None:
    """The pods are what PodSecurity `restricted` lets in."""
    for pod in pods(render(given)):
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        kinds = {key for volume in pod["volumes"] for key in volume} - {"name"}
        assert kinds <= {"configMap", "emptyDir", "projected", "secret"}


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_its_configuration_is_right(given: Body, tmp_path: Path) -> None:
    """What the pod reads has no mistake, and the probes' port is where it listens."""
    path = tmp_path / "rotator.yaml"
    path.write_text(only(render(given), "ConfigMap")["data"]["rotator.yaml"])
    configuration = load(path, {})
    assert configuration.http is not None
    assert configuration.state_dir == Path("/tmp/rotator")  # noqa: S108  an emptyDir


def test_everything_arrives() -> None:
    """Each switch changes the object that it is about."""
    bodies = render(values("ecr", **EVERYTHING))
    pod = pods([only(bodies, "Deployment")])[0]
    (container,) = pod["containers"]
    assert container["image"] == f"registry.example.com/rotator@sha256:{'0' * 64}"
    named = {one["name"]: one.get("value") for one in container["env"]}
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert named["CREDENTIALS_DIRECTORY"] == mounts["credentials"]
    assert named["HTTPS_PROXY"].endswith(":3128")
    assert mounts["ca"] == "/etc/corporate-ca"
    assert {"nodeSelector", "tolerations", "affinity", "priorityClassName"} <= pod.keys()
    ports = [port["port"] for rule in only(bodies, "NetworkPolicy")["spec"]["egress"]
             for port in rule["ports"]]  # fmt: skip
    assert {8200, 3128} <= set(ports)


def test_monitoring() -> None:
    """The alerts are those that promtool tests, and they find the job by its name."""
    bodies = render(values("ecr", **EVERYTHING))
    monitor = only(bodies, "PodMonitor")
    labels = only(bodies, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels[monitor["spec"]["jobLabel"]] == "rotator"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert only(bodies, "PrometheusRule")["spec"] == yaml.safe_load(ALERTS.read_text())
    assert not [body for body in render(values("ecr")) if "monitoring" in body["apiVersion"]]


def test_the_sidecar_is_the_one_of_the_runner_values() -> None:
    """The container for GitLab's chart is the tested one, and mounts this chart's ConfigMap."""
    sidecar = values("gitlab-runner-sidecar")
    runner = yaml.safe_load((PROJECT / "deploy/gitlab-runner/values.yaml").read_text())
    assert sidecar == {key: runner[key] for key in ("extraContainers", "volumes")}
    bodies = render(values("sidecar"), namespace="gitlab-runner")
    assert {body["kind"] for body in bodies} == {"ConfigMap", "Role", "RoleBinding"}
    names = [volume["configMap"]["name"] for volume in sidecar["volumes"] if "configMap" in volume]
    assert names == [only(bodies, "ConfigMap")["metadata"]["name"]]
    (subject,) = only(bodies, "RoleBinding")["subjects"]
    assert subject["name"] == runner["serviceAccount"]["name"]
