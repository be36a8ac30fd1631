"""The manifests in deploy/kubernetes: rendered, checked against the API's schema, and tried."""

from __future__ import annotations

import importlib
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from msgspec.structs import replace

from rotator.config.kubernetes_targets import KubernetesTargetSettings
from rotator.config.load import load
from rotator.config.sources import VaultSourceSettings
from rotator.config.vault_auth import KubernetesAuthSettings
from rotator.core.model import Mark, Secret
from rotator.targets import DRIVERS
from tests.contract.kubernetes_benches import GIVEN
from tests.fakes.kubernetes import FakeKubernetes
from tests.servers.kubectl import kubectl
from tests.servers.kubernetes_account import account
from tests.support import NOW, missing

if TYPE_CHECKING:
    from tests.servers.kube_apiserver import KubeApiserver

ROOT = Path(__file__).parents[2] / "deploy/kubernetes"
VARIANTS = ("base", "overlays/cronjob", "overlays/irsa", "overlays/vault-kubernetes-auth")
JOBS = "gitlab-runner"

Body = dict[str, Any]


@cache
def render(variant: str) -> str:
    """Return what `kubectl apply -k` would apply."""
    done = subprocess.run(
        [kubectl(), "kustomize", str(ROOT / variant)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def documents(variant: str) -> list[Body]:
    """Return the rendered objects."""
    return list(yaml.safe_load_all(render(variant)))


def one(variant: str, kind: str) -> Body:
    """Return the only object of this kind."""
    (found,) = [document for document in documents(variant) if document["kind"] == kind]
    return found


def pods(variant: str) -> dict[str, Body]:
    """Return the pods' specifications, by the kind of what makes them."""
    found = {}
    for document in documents(variant):
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found[document["kind"]] = spec["template"]["spec"]
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_is_what_the_api_takes(variant: str) -> None:
    """Each object has a schema, and no field that is not in it."""
    try:
        schemas = importlib.import_module("kubernetes_validate")
    except ImportError:
        missing("kubernetes-validate", "pip install kubernetes-validate")

    for document in documents(variant):
        schemas.validate(document, schemas.latest_version(), strict=True)


@pytest.mark.parametrize(
    ("variant", "kinds"),
    [(variant, {"Deployment", "Job"}) for variant in VARIANTS if variant != "overlays/cronjob"]
    + [("overlays/cronjob", {"CronJob", "Job"})],
)
def test_runs_in_one_way(variant: str, kinds: set[str]) -> None:
    """A Deployment or a CronJob, never both, and the Job that fills the object first."""
    assert set(pods(variant)) == kinds


@pytest.mark.parametrize("variant", VARIANTS)
def test_is_restricted(variant: str) -> None:
    """The pods are what PodSecurity `restricted` lets in, and can write to /tmp alone."""
    labels = one(variant, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in pods(variant).values():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        kinds = {key for volume in pod["volumes"] for key in volume} - {"name"}
        assert kinds <= {"configMap", "emptyDir", "projected"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
        mounts = container["volumeMounts"]
        writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
        assert writable == ["/tmp"]  # noqa: S108  in the pod, where it is an emptyDir


@pytest.mark.parametrize("variant", VARIANTS)
def test_its_configuration_is_right(variant: str, tmp_path: Path) -> None:
    """Every pod mounts the generated ConfigMap, whose configuration has no mistake."""
    config = one(variant, "ConfigMap")
    path = tmp_path / "rotator.yaml"
    path.write_text(config["data"]["rotator.yaml"])

    configuration = load(path, {})

    assert configuration.state_dir == Path("/tmp/rotator")  # noqa: S108  an emptyDir
    for pod in pods(variant).values():
        named = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
        assert named == [config["metadata"]["name"]]
        mounts = {
            mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]
        }
        assert mounts["config"] == "/etc/rotator"


def configured(variant: str, folder: Path) -> KubernetesTargetSettings:
    """Return the settings of the variant's only target."""
    path = folder / "rotator.yaml"
    path.write_text(one(variant, "ConfigMap")["data"]["rotator.yaml"])
    (settings,) = load(path, {}).rotations[0].targets
    assert isinstance(settings, KubernetesTargetSettings)
    return settings


def publish(settings: KubernetesTargetSettings) -> None:
    """Create the object and change it, as the first two rotations do."""
    driver = importlib.import_module(DRIVERS[settings.type].module)
    target = driver.build(settings, settings.policy(), lambda: NOW)
    mark = Mark({}, "hmac:0123456789ab", "dind")

    target.write(Secret('{"auths":{}}'), mark, target.read())
    target.write(Secret("{}"), mark, target.read())

    assert target.read().text == Secret("{}")


@pytest.mark.parametrize("variant", VARIANTS)
def test_its_role_is_enough(variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configured target lives with the rendered Role: each verb used, each verb needed."""
    settings = configured(variant, tmp_path)
    with FakeKubernetes() as fake:
        fake.objects.namespaces[JOBS] = "Active"
        token = fake.apply_manifest(render(variant))["rotator"]
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "kube", token=token)))
        publish(settings)
        used = {call.verb for call in fake.calls}
    role = one(variant, "Role")
    assert role["metadata"]["namespace"] == JOBS
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == used
    for rule in role["rules"]:
        assert rule.get("resourceNames") == (
            None if rule["verbs"] == ["create"] else [settings.name]
        )


@pytest.fixture
def admin(request: pytest.FixtureRequest) -> Path:
    """Return a kubeconfig that may do everything, of a real API server."""
    return Path(GIVEN) if GIVEN else request.getfixturevalue("kube_apiserver").kubeconfig


@pytest.mark.parametrize("variant", VARIANTS)
def test_its_role_is_enough_on_a_real_server(variant: str, admin: Path, tmp_path: Path) -> None:
    """With the rendered Role the target is written there, and nothing else is allowed."""
    settings = configured(variant, tmp_path)
    with account(render(variant), kubectl(), admin, tmp_path) as one_account:
        place = {"namespace": one_account.namespaces[JOBS]}
        publish(replace(settings, kubeconfig=one_account.kubeconfig, **place))

        rights = {
            (verb, what): one_account.may(verb, what, JOBS)
            for verb in ("get", "patch", "update", "delete", "list", "watch", "create")
            for what in (f"secrets/{settings.name}", "secrets/another", "configmaps")
        }
    allowed = {right for right, may in rights.items() if may and right[0] != "create"}
    assert allowed == {(verb, f"secrets/{settings.name}") for verb in ("get", "patch")}
    assert rights["create", f"secrets/{settings.name}"]
    assert not rights["create", "configmaps"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_real_server_takes_all_of_it(variant: str, kube_apiserver: KubeApiserver) -> None:
    """Each object as it is rendered, without a warning, and again without a change."""
    objects = [one for one in documents(variant) if one["kind"] != "Namespace"]
    namespaces = sorted({one["metadata"]["namespace"] for one in objects})
    kube_apiserver.create_namespace(JOBS)
    try:
        for said in ("created", "unchanged"):
            done = subprocess.run(
                [kubectl(), "--kubeconfig", kube_apiserver.kubeconfig, "apply", "-f-"],
                input=render(variant),
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, "")
            lines = done.stdout.splitlines()
            assert len(lines) == len(documents(variant))
            assert all(said in line for line in lines)
    finally:
        for namespace in namespaces:
            kube_apiserver.delete_namespace(namespace)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "overlays/cronjob"])
def test_probes_ask_for_health_alone(variant: str, tmp_path: Path) -> None:
    """At the port where the configuration listens: what is down elsewhere restarts nothing."""
    path = tmp_path / "rotator.yaml"
    path.write_text(one(variant, "ConfigMap")["data"]["rotator.yaml"])
    (container,) = pods(variant)["Deployment"]["containers"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert probes == [{"path": "/healthz", "port": "http"}] * 3
    assert container["ports"] == [{"name": "http", "containerPort": 9465}]
    assert yaml.safe_load(path.read_text())["http"]["listen"] == "0.0.0.0:9465"


def test_cron_jobs_do_not_pile_up() -> None:
    """One at a time, and one that hangs is ended before the next is due."""
    spec = one("overlays/cronjob", "CronJob")["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["schedule"] == "*/30 * * * *"
    assert 0 < spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 30 * 60
    (container,) = pods("overlays/cronjob")["CronJob"]["containers"]
    assert container["args"] == ["run-once", "--only-due"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_network_is_closed_but_for_what_it_needs(variant: str) -> None:
    """The policy selects every pod; in come metrics alone, out goes what is needed."""
    policy = one(variant, "NetworkPolicy")["spec"]
    labels = policy["podSelector"]["matchLabels"]
    makers = [one(variant, kind) for kind in pods(variant)]
    for maker in makers:
        spec = maker["spec"].get("jobTemplate", maker)["spec"]
        assert spec["template"]["metadata"]["labels"] == labels
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"protocol": "TCP", "port": 9465}]]
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    vault = {8200} if "vault" in variant else set()
    assert ports == {53, 80, 443, 6443} | vault


def test_vault_gets_a_token_of_its_own(tmp_path: Path) -> None:
    """A token for the audience `vault`, where the configuration looks for it, in every pod."""
    variant = "overlays/vault-kubernetes-auth"
    path = tmp_path / "rotator.yaml"
    path.write_text(one(variant, "ConfigMap")["data"]["rotator.yaml"])
    (source,) = load(path, {}).rotations[0].sources
    assert isinstance(source, VaultSourceSettings)
    assert isinstance(source.auth, KubernetesAuthSettings)
    for pod in pods(variant).values():
        (volume,) = [volume for volume in pod["volumes"] if "projected" in volume]
        (mount,) = [
            mount
            for mount in pod["containers"][0]["volumeMounts"]
            if mount["name"] == volume["name"]
        ]
        (token,) = [entry["serviceAccountToken"] for entry in volume["projected"]["sources"]]
        assert token["audience"] == "vault"
        assert Path(mount["mountPath"], token["path"]) == source.auth.jwt_file


def test_irsa_is_an_annotation() -> None:
    """EKS does the rest."""
    account = one("overlays/irsa", "ServiceAccount")
    role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert role.startswith("arn:aws:iam::")
