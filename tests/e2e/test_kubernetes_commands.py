"""The installed command at a real API server: what it finds before and after a write."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from rotator.kubernetes.place import rules
from tests.e2e.kubernetes_rotation import Rotation
from tests.e2e.watched import Watched
from tests.support import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cluster import Cluster


def refused_by(cluster: Cluster, tmp_path: Path, trouble: str) -> tuple[Rotation, str]:
    """Return a rotation whose first write would fail, and what is to be said of it."""
    target: dict[str, Any] = {"namespace": cluster.namespace}
    allowed = rules("secrets", "docker")
    said = ""
    if trouble == "quota":
        cluster.quota("count/secrets")
        said = "the quota few is used up"
    elif trouble == "policy":
        deny = {"expression": "false", "message": "not here"}
        cluster.policy("Validating", failurePolicy="Fail", validations=[deny], of="secrets")
        said = "not here"
    elif trouble == "mutation":
        change = {
            "patchType": "ApplyConfiguration",
            "applyConfiguration": {"expression": 'Object{stringData: {"config.json": "changed"}}'},
        }
        cluster.policy(
            "Mutating",
            reinvocationPolicy="Never",
            failurePolicy="Fail",
            mutations=[change],
            of="secrets",
        )
        said = "would change config.json"
    elif trouble == "verb":
        allowed = [one for one in allowed if one["verbs"] != ["create"]]
        said = "create secret"
    elif trouble == "namespace":
        target["namespace"] = "not-there"
        said = "the namespace not-there does not exist"
    elif trouble == "going":
        target["namespace"] = cluster.make_namespace("going")
        cluster.server.terminate_namespace(target["namespace"])
        said = "is being deleted"
    elif trouble == "account":
        target |= {
            "secret_type": "kubernetes.io/dockerconfigjson",
            "service_accounts": ["nobody"],
        }
        allowed = rules("secrets", "docker", ["nobody"])
        said = "there is no serviceaccount"
    rotation = Rotation(cluster, tmp_path / "place", **target)
    rotation.act_as(cluster.account(*allowed, everywhere=True))
    return rotation, said


TROUBLES = ("quota", "policy", "mutation", "verb", "namespace", "going", "account")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_a_write_would_meet_is_found_before(
    cluster: Cluster, tmp_path: Path, trouble: str
) -> None:
    """By a dry run and by `check`, which change nothing; and nothing is job-safe before."""
    rotation, said = refused_by(cluster, tmp_path, trouble)
    until(lambda: said in rotation.either("check"), 30, said)
    assert said in rotation.run("check", code=1)
    dry = rotation.json("run-once", "--dry-run", code=1)
    assert (dry["job_safe"], dry["targets"][0]["outcome"]) == (False, "failed")
    assert said in dry["targets"][0]["detail"] or trouble == "verb"
    path = cluster.path("secrets", "docker")
    assert cluster.server.answer("GET", path).status_code == 404


def test_a_dry_run_is_not_job_safe_before_it_is_published(cluster: Cluster, tmp_path: Path) -> None:
    """It says what it would do; `check` has nothing against it and does not say it was there."""
    rotation = Rotation(cluster, tmp_path / "place")
    for words in (["run-once", "--dry-run"], ["run-once", "--dry-run", "--only-due"]):
        dry = rotation.json(*words, code=0)
        assert (dry["job_safe"], dry["targets"][0]["outcome"]) == (False, "planned")
        assert "Not job-safe" in rotation.run(*words, code=0)
    assert "nothing is published in it yet" in rotation.run("check", code=0)
    rotation.run("run-once", code=0)
    assert rotation.json("run-once", "--dry-run", code=0)["job_safe"]


def test_what_the_server_changed_is_no_success(cluster: Cluster, tmp_path: Path) -> None:
    """A policy that changes what is written: failed, with that word, and never job-safe."""
    rotation = Rotation(cluster, tmp_path / "place")
    rotation.run("run-once", code=0)
    refused_by(cluster, tmp_path / "more", "mutation")
    found: list[dict[str, Any]] = []

    def changed() -> bool:
        rotation.put()
        found.append(rotation.json_of("run-once"))
        return found[-1]["outcome"] != "rotated"

    until(changed, 30, "the policy to hold")
    for one in (found[-1], rotation.json("run-once", code=1), rotation.json("status", code=1)):
        assert (one["job_safe"], one["targets"][0]["outcome"]) == (False, "failed")
        assert "changed it" in one["targets"][0]["detail"]


SECRET_IN = {"type": "kubernetes_secret", "namespace": "ci", "name": "docker"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": {"a b": "x"}},
        {"labels": {"a": "not a label!"}},
        {"labels": {"a": "x" * 64}},
        {"annotations": {"/a": "x"}},
        {"name": "Docker"},
        {"name": "a..b"},
        {"namespace": "a.b"},
        {"namespace": "Team"},
        {"key": ".."},
        {"key": "a/b"},
        {"namespace": None, "namespaces": ["team-?"]},
        {"namespace": None, "namespaces": ["Team-*"]},
        {"namespace": None, "namespaces": []},
        {"namespace": None, "namespaces": ["a", "a"]},
        {"namespace": None, "namespace_selector": {"a": "b c"}},
        {"namespace": None, "namespace_selector": {}},
        {"namespaces": ["b"]},
        {"secret_type": "Opaque", "service_accounts": ["default"]},
        {"secret_type": "kubernetes.io/dockerconfigjson", "service_accounts": ["De fault"]},
        {"secret_type": "kubernetes.io/dockerconfigjson", "service_accounts": []},
    ],
    ids=str,
)
def test_what_no_server_takes_is_found_without_one(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """`check --offline` names the place, and what is wanted there."""
    watched = Watched(tmp_path)
    one = {key: value for key, value in {**SECRET_IN, **wrong}.items() if value is not None}
    watched.configuration["rotations"][0]["targets"] = [one]
    watched.write()
    done = watched.command("check", "--offline")
    assert done.returncode == 2, done.stdout
    assert re.match(r"\S+/rotator\.yaml:\d+:\d+: ", done.stderr)


def test_another_manager_takes_the_key_back(rotation: Rotation) -> None:
    """After the second repair: its name and the line for its rules, and not job-safe."""
    cluster = rotation.cluster
    theirs: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "docker", "namespace": cluster.namespace},
        "data": {"config.json": "e30="},
    }

    def takes_back() -> None:
        cluster.server.apply(theirs, manager="argocd-controller")

    takes_back()
    first = rotation.json("run-once", "--only-due", code=0)
    assert first["targets"][0]["outcome"] == "written"
    assert "argocd" not in str(first), "once may be an accident"
    takes_back()
    said = rotation.run("run-once", "--only-due", code=10)
    for part in ("argocd-controller", "ignoreDifferences", "/data/config.json", "Not job-safe"):
        assert part in said
    assert '"level": "warning"' in said
    status = rotation.run("status", code=10)
    assert "argocd-controller" in status
    assert "ignoreDifferences" in status
    assert "Not job-safe" in status
    assert rotation.json("run-once", "--only-due", code=0)["job_safe"], "it was found there"


def test_namespaces_that_come_later_are_filled(cluster: Cluster, tmp_path: Path) -> None:
    """Within `poll`, by a running daemon; those that go are forgotten, and none is left behind."""
    first = cluster.make_namespace("team-a")
    rotation = Rotation(cluster, tmp_path / "place", namespaces=[f"team-*-{cluster.unique}"])

    def is_filled(namespace: str) -> bool:
        path = f"/api/v1/namespaces/{namespace}/secrets/docker"
        return cluster.server.answer("GET", path).ok

    def objects() -> int:
        (target,) = rotation.json_of("status")["targets"]
        return int(target["objects"])

    with rotation.daemon():
        until(lambda: is_filled(first), 30, "the first to be filled")
        later = cluster.make_namespace("team-b")
        until(lambda: is_filled(later), 30, "the later one to be filled")
        until(lambda: objects() == 2, 30, "both in the status")
        cluster.server.delete_namespace(first)
        until(lambda: objects() == 1, 30, "one to be forgotten")
        assert rotation.json("status", code=0)["job_safe"]
        cluster.server.delete_namespace(later)
        until(lambda: not rotation.json_of("status")["job_safe"], 30, "nothing to be safe")


def test_the_printed_role_is_enough_for_many_namespaces(cluster: Cluster, tmp_path: Path) -> None:
    """Whoever runs the cluster pastes the line, and the account may do what it has to."""
    one = cluster.make_namespace("team-a", role="printed")
    rotation = Rotation(
        cluster,
        tmp_path / "place",
        namespace_selector={"role": "printed", "test": cluster.unique},
        secret_type="kubernetes.io/dockerconfigjson",
        service_accounts=["default"],
    )
    path = f"/api/v1/namespaces/{one}/serviceaccounts"
    cluster.server.api("POST", path, {"metadata": {"name": "default"}})
    lists = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}
    rotation.act_as(cluster.account(lists, everywhere=True))
    said = str(json.loads(rotation.run("check", "--json", code=1)))
    found = re.search(
        r"as an account that may: echo '(\{.*?\})' \| kubectl ", said.replace("\\'", "'")
    )
    assert found, said
    role = json.loads(found[1])
    assert role["kind"] == "ClusterRole"
    rotation.act_as(cluster.account(*role["rules"], everywhere=True))
    assert "the object can be read, made and changed" in rotation.run("check", code=0)
    rotation.run("run-once", code=0)
    account = cluster.server.api("GET", f"{path}/default")
    assert account["imagePullSecrets"] == [{"name": "docker"}]
