"""The Helm chart: rendered by Helm, checked against the API's schema, and beside the overlays."""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator import __version__
from rotator.config.load import load
from tests.e2e.test_manifests import documents
from tests.support import missing

PROJECT = Path(__file__).parents[2]
CHART = PROJECT / "deploy/helm/registry-rotator"
ALERTS = PROJECT / "deploy/prometheus/alerts.yaml"
OVERLAYS = {
    "ecr": "base",
    "cronjob": "overlays/cronjob",
    "irsa": "overlays/irsa",
    "vault-kubernetes-auth": "overlays/vault-kubernetes-auth",
}
"""Which of the chart's examples renders what which overlay renders."""

ADDED = re.compile(r"helm\.sh/|checksum/|app\.kubernetes\.io/(?!name$)")

Body = dict[str, Any]


def values(example: str, **more: Any) -> Body:
    """Return an example's values with these keys changed."""
    loaded: Body = yaml.safe_load((CHART / f"examples/{example}.yaml").read_text())
    return {**loaded, **more}


@cache
def helm() -> Any:
    """Return Helm itself, which this package brings as a library."""
    try:
        return importlib.import_module("helm_python")
    except ImportError:
        missing("Helm", "pip install helm-python-sdk")


def render(given: Body, name: str = "rotator", namespace: str = "rotator") -> list[Body]:
    """Return what `helm install` would apply; fail where the values don't fit their schema."""
    return [
        one
        for path, text in files(given, name, namespace).items()
        if path.endswith(".yaml")
        for one in yaml.safe_load_all(text)
        if one
    ]


def files(given: Body, name: str = "rotator", namespace: str = "rotator") -> dict[str, str]:
    """Return what each template becomes."""
    with helm().Chart.load(str(CHART)) as chart:
        merged = chart.merge_values(given)
        chart.validate_schema(merged)
        rendered: dict[str, str] = chart.render(given, name=name, namespace=namespace)
    return rendered


def only(bodies: list[Body], kind: str) -> Body:
    """Return the only object of this kind."""
    (found,) = [body for body in bodies if body["kind"] == kind]
    return found


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


def rights(bodies: list[Body]) -> dict[str, set[tuple[str, str, str]]]:
    """Return what each Role, by its namespace, or ClusterRole allows: verb, resource, name."""
    return {
        body["metadata"].get("namespace", "*"): {
            (verb, resource, name)
            for rule in body["rules"]
            for verb in rule["verbs"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", ["*"])
        }
        for body in bodies
        if body["kind"] in {"Role", "ClusterRole"}
    }


def with_targets(*targets: Body) -> Body:
    """Return values with these targets."""
    given = values("ecr")
    given["config"]["rotations"][0]["targets"] = list(targets)
    return given


SECRET = {"type": "kubernetes_secret", "namespace": "a", "name": "one"}
FILE = {"type": "gitlab_variable", "url": "https://gitlab.example.com", "group": "g"}


def test_the_role_is_the_least_for_the_targets() -> None:
    """One Role a namespace, with the objects that targets name there, and no more."""
    given = with_targets(
        SECRET,
        {**SECRET, "name": "two", "service_accounts": ["default"]},
        {"type": "kubernetes_configmap", "namespaces": ["a", "b"], "name": "three"},
        FILE,
    )
    named = {("get", "configmaps", "three"), ("patch", "configmaps", "three")}
    create = ("create", "configmaps", "*")
    assert rights(render(given)) == {
        "a": {
            *(("get", "secrets", name) for name in ("one", "two")),
            *(("patch", "secrets", name) for name in ("one", "two")),
            ("create", "secrets", "*"),
            ("get", "serviceaccounts", "default"),
            ("patch", "serviceaccounts", "default"),
            *named,
            create,
        },
        "b": {*named, create},
    }
    without = render({**given, "rbac": {"createObjects": False}})
    assert not [right for found in rights(without).values() for right in found
                if right[0] == "create"]  # fmt: skip
    assert rights(render({**given, "rbac": {"create": False}})) == {}
    assert rights(render(with_targets(FILE))) == {}


@pytest.mark.parametrize(
    "where",
    [{"namespaces": ["team-*"]}, {"namespace_selector": {"ci": "yes"}}],
    ids=["a pattern", "labels"],
)
def test_unknown_namespaces_take_a_cluster_role(where: Body) -> None:
    """Where nobody knows the namespaces before, the objects' names still bound what it may."""
    bodies = render(with_targets({"type": "kubernetes_secret", "name": "one", **where}))
    assert rights(bodies) == {
        "*": {
            ("list", "namespaces", "*"),
            ("get", "secrets", "one"),
            ("patch", "secrets", "one"),
            ("create", "secrets", "*"),
        }
    }
    binding = only(bodies, "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == only(bodies, "ClusterRole")["metadata"]["name"]


NUMBER = with_targets(SECRET)
NUMBER["config"]["rotations"][0]["sources"][0]["accounts"] = [123456789012]
WRONG = {
    "no rotation": {"config": {"rotations": []}},
    "no configuration": {},
    "an account as a number": NUMBER,
    "a key that is not there": values("ecr", replicas=2),
    "a key within": values("ecr", image={"name": "rotator"}),
    "a mode": values("ecr", mode="daemon"),
    "no namespace": with_targets({"type": "kubernetes_secret", "name": "one"}),
    "two kinds of namespaces": with_targets({**SECRET, "namespaces": ["b"]}),
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_wrong_values_are_refused(given: Body) -> None:
    """`helm install` says what is wrong, before anything is applied."""
    with pytest.raises(helm().HelmError):
        render(given)


def test_lint() -> None:
    """Helm has nothing to say against it."""
    found = helm().lint(str(CHART), values=values("ecr"))
    assert [one for one in found["messages"] if "icon" not in one["error"]] == []


@pytest.mark.parametrize("example", ["ecr", "cronjob", "sidecar"])
def test_notes_name_three_commands(example: str) -> None:
    """After the installation: what to type next, for what was installed."""
    text = files(values(example), "ci", "tools")["registry-rotator/templates/NOTES.txt"]
    commands = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    assert len(commands) == 3
    assert all("tools" in command for command in commands if command.startswith("kubectl"))


def test_a_name_of_its_own() -> None:
    """Two releases in one namespace share nothing."""
    first, second = (
        {f"{body['kind']}/{body['metadata']['name']}" for body in render(values("ecr"), name)}
        for name in ("first", "second")
    )
    assert not first & second


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
