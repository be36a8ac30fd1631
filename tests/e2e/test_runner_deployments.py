"""The runner and rotator side by side: values for GitLab's chart, and a compose file for a host."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.cli import cli
from rotator.config.load import load
from rotator.config.targets import FileTargetSettings, KubernetesSecretTargetSettings
from rotator.core.model import Mark, Secret
from rotator.targets import DRIVERS
from tests.fakes.kubernetes import FakeKubernetes
from tests.support import NOW

DEPLOY = Path(__file__).parents[2] / "deploy"
Body = dict[str, Any]


@pytest.fixture
def values() -> Body:
    """What the chart is given."""
    loaded: Body = yaml.safe_load((DEPLOY / "gitlab-runner/values.yaml").read_text())
    return loaded


@pytest.fixture
def compose() -> Body:
    """What compose is given."""
    loaded: Body = yaml.safe_load((DEPLOY / "gitlab-runner/compose.yaml").read_text())
    return loaded


@pytest.fixture
def target(values: Body, tmp_path: Path) -> KubernetesSecretTargetSettings:
    """The only target of the sidecar's configuration, which has no mistake."""
    config = tmp_path / "rotator.yaml"
    config.write_text(extra(values, "ConfigMap")["data"]["rotator.yaml"])
    (rotation,) = load(config, {}).rotations
    (settings,) = rotation.targets
    assert isinstance(settings, KubernetesSecretTargetSettings)
    return settings


def extra(values: Body, kind: str) -> Body:
    """Return the extra object of this kind, which lives where the runner does."""
    (found,) = [one for one in values["extraObjects"] if one["kind"] == kind]
    assert found["metadata"]["namespace"] == "gitlab-runner"
    body: Body = found
    return body


def test_sidecar_is_locked_down(values: Body) -> None:
    """Not root, nothing writable but /tmp, and each mount has its volume."""
    (container,) = values["extraContainers"]
    security = container["securityContext"]
    assert (security["runAsNonRoot"], security["readOnlyRootFilesystem"]) == (True, True)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False
    volumes = {volume["name"]: volume for volume in values["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    writable = [one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")]
    assert writable == ["/tmp"]  # noqa: S108  in the pod, where it is an emptyDir
    assert (
        volumes["rotator-config"]["configMap"]["name"]
        == extra(values, "ConfigMap")["metadata"]["name"]
    )
    assert container["args"][0] in cli.commands
    assert values["replicas"] == 1


def test_jobs_mount_what_is_written(values: Body, target: KubernetesSecretTargetSettings) -> None:
    """The runner's configuration mounts the Secret and the key that the sidecar writes."""
    (runner,) = tomllib.loads(values["runners"]["config"])["runners"]
    (secret,) = runner["kubernetes"]["volumes"]["secret"]
    assert (runner["kubernetes"]["namespace"], secret["name"]) == (target.namespace, target.name)
    assert secret["items"] == {target.key: "config.json"}
    assert secret["mount_path"] in runner["pre_build_script"]
    assert "sub_path" not in secret, "it would not follow"


def test_sidecar_role_is_enough(
    values: Body,
    target: KubernetesSecretTargetSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The target lives with the extra Role alone: each verb used, each verb needed."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": values["serviceAccount"]["name"], "namespace": "gitlab-runner"},
    }
    with FakeKubernetes() as fake:
        fake.objects.namespaces["gitlab-runner"] = "Active"
        rendered = yaml.safe_dump_all([account, *values["extraObjects"]])
        token = fake.apply_manifest(rendered)["gitlab-runner"]
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "kube", token=token)))
        driver = importlib.import_module(DRIVERS[target.type])
        written = driver.build(target, target.policy(), lambda: NOW)
        mark = Mark({}, "hmac:0123456789ab", "dind")
        written.write(Secret('{"auths":{}}'), mark, written.read())
        written.write(Secret("{}"), mark, written.read())
        assert written.read().text == Secret("{}")
        used = {call.verb for call in fake.calls}
    rules = extra(values, "Role")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == used


def test_the_chart_grants_no_more_than_the_runner_needs(values: Body) -> None:
    """Empty rules would grant everything, and so would a star."""
    rules = values["rbac"]["rules"]
    assert rules
    assert "*" not in str(rules)


def test_compose_starts_the_runner_last(compose: Body) -> None:
    """The runner and the daemon wait for the first cycle; jobs' file and secrets are where told."""
    services = compose["services"]
    for name in ("rotator", "gitlab-runner"):
        assert services[name]["depends_on"] == {
            "fill": {"condition": "service_completed_successfully"}
        }
    for name in ("rotator", "fill"):
        service = services[name]
        assert service["command"][0] in cli.commands
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert not service["user"].startswith("0")
    example = load(DEPLOY.parent / "config" / "ecr-to-file.yaml", {}).rotations[0].targets[0]
    assert isinstance(example, FileTargetSettings)
    mounts = [mount.split(":") for mount in services["rotator"]["volumes"]]
    assert [str(example.path.parent)] * 2 in mounts
    assert {mount[0] for mount in mounts if not mount[0].startswith("/")} == compose[
        "volumes"
    ].keys()
    assert set(services["rotator"]["secrets"]) == compose["secrets"].keys()
    assert services["rotator"]["environment"]["CREDENTIALS_DIRECTORY"] == "/run/secrets"
