"""The values for GitLab's chart: rendered by Helm, checked against the API's schema, and tried.

GitLab's own chart is rendered where ROTATOR_TEST_RUNNER_CHART leads to it, else the one in chart/,
which reads the same values in the same ways.
"""

from __future__ import annotations

import importlib
import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.cli import cli
from rotator.config.kubernetes_targets import KubernetesSecretTargetSettings
from rotator.config.load import load
from rotator.core.model import Mark, Secret
from rotator.targets import DRIVERS
from tests.fakes.kubernetes import FakeKubernetes
from tests.support import NOW, missing

VALUES = Path(__file__).parents[2] / "deploy/gitlab-runner/values.yaml"
CHART = os.environ.get("ROTATOR_TEST_RUNNER_CHART", str(Path(__file__).with_name("chart")))
JOBS = "gitlab-runner"
Body = dict[str, Any]


def values() -> Body:
    """Return what the chart is given."""
    loaded: Body = yaml.safe_load(VALUES.read_text())
    return loaded


@cache
def rendered() -> list[Body]:
    """Return what `helm install` would apply."""
    try:
        helm = importlib.import_module("helm_python")
    except ImportError:
        missing("Helm", "pip install helm-python-sdk")
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values(), name="gitlab-runner", namespace=JOBS)
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


def one(kind: str, name: str) -> Body:
    """Return the object of this kind and name, which lives where the runner does."""
    named = [
        body for body in rendered() if (body["kind"], body["metadata"]["name"]) == (kind, name)
    ]
    (found,) = named
    assert found["metadata"]["namespace"] == JOBS
    return found


def pod() -> Body:
    """Return the specification of the runner's pods."""
    spec: Body = one("Deployment", "gitlab-runner")["spec"]["template"]["spec"]
    return spec


def sidecar() -> Body:
    """Return rotator's container in that pod."""
    (found,) = [container for container in pod()["containers"] if container["name"] == "rotator"]
    body: Body = found
    return body


@pytest.fixture
def target(tmp_path: Path) -> KubernetesSecretTargetSettings:
    """The only target of the sidecar's configuration, which has no mistake."""
    config = tmp_path / "rotator.yaml"
    config.write_text(one("ConfigMap", "rotator")["data"]["rotator.yaml"])
    (rotation,) = load(config, {}).rotations
    (settings,) = rotation.targets
    assert isinstance(settings, KubernetesSecretTargetSettings)
    return settings


def test_is_what_the_api_takes() -> None:
    """Each object has a schema, and no field that is not in it."""
    try:
        schemas = importlib.import_module("kubernetes_validate")
    except ImportError:
        missing("kubernetes-validate", "pip install kubernetes-validate")
    for body in rendered():
        schemas.validate(body, schemas.latest_version(), strict=True)


def test_nothing_was_read_as_a_template() -> None:
    """What the chart reads as a template arrives as it is written in the values."""
    for body in values()["extraObjects"]:
        assert one(body["kind"], body["metadata"]["name"]) == body
    template = one("ConfigMap", "gitlab-runner")["data"]["config.template.toml"]
    assert template.strip() == values()["runners"]["config"].strip()


def test_every_value_arrives() -> None:
    """A value with a name that the chart doesn't know would be left out without a word."""
    given, deployment = values(), one("Deployment", "gitlab-runner")["spec"]
    assert (deployment["replicas"], given["replicas"]) == (1, 1)
    key = "terminationGracePeriodSeconds"
    assert pod()[key] == given[key]
    assert [volume for volume in given["volumes"] if volume not in pod()["volumes"]] == []
    assert [sidecar()] == given["extraContainers"]
    runner = pod()["containers"][0]
    assert {"name": "CI_SERVER_URL", "value": given["gitlabUrl"]} in runner["env"]
    account = one("ServiceAccount", given["serviceAccount"]["name"])
    assert account["metadata"]["annotations"] == given["serviceAccount"]["annotations"]
    assert pod()["serviceAccountName"] == account["metadata"]["name"]
    assert one("Role", "gitlab-runner")["rules"] == given["rbac"]["rules"]


def test_the_token_has_the_keys_that_the_pod_mounts() -> None:
    """A pod waits for ever for a key that is missing: the command in the comment makes each."""
    (projected,) = [volume["projected"] for volume in pod()["volumes"] if "projected" in volume]
    (secret,) = [source["secret"] for source in projected["sources"]]
    text = VALUES.read_text()
    assert f"create secret generic {secret['name']} " in text
    made = set(re.findall(r"--from-(?:literal|file)=([a-z-]+)=", text))
    assert made == {item["key"] for item in secret["items"]}


def test_sidecar_is_locked_down() -> None:
    """Not root, nothing writable but /tmp, and each mount has its volume."""
    container = sidecar()
    security = container["securityContext"]
    assert (security["runAsNonRoot"], security["readOnlyRootFilesystem"]) == (True, True)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys()
    writable = [one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")]
    assert writable == ["/tmp"]  # noqa: S108  in the pod, where it is an emptyDir
    assert volumes["rotator-config"]["configMap"] == {"name": "rotator"}
    assert container["args"][0] in cli.commands


def test_names_are_the_sidecars_own() -> None:
    """Containers, ports and volumes of one pod must not have the same name twice."""
    ports = [port for one in pod()["containers"] for port in one["ports"]]
    for named in (pod()["containers"], pod()["volumes"], ports):
        names = [one["name"] for one in named]
        assert len(set(names)) == len(names)
    assert len({port["containerPort"] for port in ports}) == len(ports)


def test_jobs_mount_what_is_written(target: KubernetesSecretTargetSettings) -> None:
    """The runner's configuration mounts the Secret and the key that the sidecar writes."""
    template = one("ConfigMap", "gitlab-runner")["data"]["config.template.toml"]
    (runner,) = tomllib.loads(template)["runners"]
    (secret,) = runner["kubernetes"]["volumes"]["secret"]
    assert (runner["kubernetes"]["namespace"], secret["name"]) == (target.namespace, target.name)
    assert secret["items"] == {target.key: "config.json"}
    assert secret["mount_path"] in runner["pre_build_script"]
    assert "sub_path" not in secret, "it would not follow"


def test_sidecar_role_is_enough(
    target: KubernetesSecretTargetSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target lives with the extra Role alone: each verb used, each verb needed."""
    account = one("ServiceAccount", "gitlab-runner")
    role = one("Role", "rotator")
    with FakeKubernetes() as fake:
        fake.objects.namespaces[JOBS] = "Active"
        manifest = yaml.safe_dump_all([account, role, one("RoleBinding", "rotator")])
        token = fake.apply_manifest(manifest)["gitlab-runner"]
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "kube", token=token)))
        driver = importlib.import_module(DRIVERS[target.type].module)
        written = driver.build(target, target.policy(), lambda: NOW)
        mark = Mark({}, "hmac:0123456789ab", "dind")
        written.write(Secret('{"auths":{}}'), mark, written.read())
        written.write(Secret("{}"), mark, written.read())
        assert written.read().text == Secret("{}")
        used = {call.verb for call in fake.calls}
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == used


def test_the_chart_grants_no_more_than_the_runner_needs() -> None:
    """Empty rules would grant everything, and so would a star."""
    rules = one("Role", "gitlab-runner")["rules"]
    assert rules
    assert "*" not in str(rules)
