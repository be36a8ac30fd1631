"""What `check` says of ConfigMaps and Secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rotator.kubernetes.place import rules
from tests.fakes.kubernetes import Canned
from tests.unit.checks.described import bad, levels, login_file, look, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Finding
    from tests.fakes.kubernetes import FakeKubernetes

TOKEN = "s3cr3t-least-privilege"


class Cluster:
    """A rotation from a file to one object in the namespace `ci`."""

    def __init__(self, place: Path, fake: FakeKubernetes) -> None:
        self.place, self.fake = place, fake
        fake.objects.namespaces["ci"] = "Active"
        self.settings: dict[str, Any] = {
            "type": "kubernetes_configmap",
            "namespace": "ci",
            "name": "docker",
            "kubeconfig": str(fake.kubeconfig(place / "kubeconfig")),
        }

    def allow(self, *verbs: str) -> None:
        """Let the kubeconfig's user do this with the object, and nothing else."""
        both = {"apiGroups": [""], "resources": ["configmaps", "secrets"]}
        rules = [
            {**both, "verbs": [verb], **({} if verb == "create" else {"resourceNames": ["docker"]})}
            for verb in verbs
        ]
        self.fake.allow(TOKEN, "system:serviceaccount:ci:rotator", rules, "ci")
        self.fake.kubeconfig(self.place / "kubeconfig", token=TOKEN)

    def put(self, plural: str = "configmaps", **content: Any) -> None:
        """Let somebody make the object."""
        self.fake.objects.create(plural, "ci", {"metadata": {"name": "docker"}, **content}, "me")

    def look(self) -> list[Finding]:
        """Return what is found about the object."""
        found = look(self.place, rotation([login_file(self.place)], [self.settings]))
        return [finding for finding in found if finding.about.startswith("kubernetes")]


@pytest.fixture
def cluster(tmp_path: Path, fake_kubernetes: FakeKubernetes) -> Cluster:
    """Give a rotation whose user may do what it needs."""
    cluster = Cluster(tmp_path, fake_kubernetes)
    cluster.allow("get", "create", "patch")
    return cluster


@pytest.mark.parametrize("kind", ["kubernetes_configmap", "kubernetes_secret"])
def test_all_is_well(cluster: Cluster, kind: str) -> None:
    """The least that a Role has to allow is enough; a write is tried, and nothing is written."""
    cluster.settings["type"] = kind
    found = cluster.look()
    assert not bad(found)
    the(found, "ok", "can be read, made and changed")
    the(found, "ok", "`sub_path` keep the document")
    assert cluster.fake.writes() == 0
    assert not cluster.fake.objects.stored


@pytest.mark.parametrize("lost", ["get", "create", "patch"])
def test_verb_is_missing(cluster: Cluster, lost: str) -> None:
    """Each verb is asked for by itself; the rule to add names the object where it can."""
    cluster.allow(*({"get", "create", "patch"} - {lost}))
    found = the(cluster.look(), "failure", f"may not {lost} configmap ci/docker")
    assert f'verbs: ["{lost}"]' in found.todo
    assert ("resourceNames" in found.todo) is (lost != "create")


def test_create_that_is_restricted_to_a_name(cluster: Cluster) -> None:
    """A rule with `resourceNames` never allows a create, whatever the name is."""
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "create", "patch"],
        "resourceNames": ["docker"],
    }
    cluster.fake.allow(TOKEN, "system:serviceaccount:ci:rotator", [rule], "ci")
    the(cluster.look(), "failure", "may not create")


def test_server_that_answers_no_reviews(cluster: Cluster) -> None:
    """Whoever may not ask what they may do finds out by reading."""
    refusal = '{"kind":"Status","status":"Failure","reason":"Forbidden","code":403}'
    cluster.fake.canned.extend([Canned(403, refusal)] * 3)
    assert not bad(cluster.look())


def test_immutable(cluster: Cluster) -> None:
    """An immutable object takes no write; what to type makes it again with all that is in it."""
    cluster.put(data={"config.json": '{"auths":{}}'}, immutable=True)
    assert "replace --force" in the(cluster.look(), "failure", "it is immutable").todo


def test_other_type(cluster: Cluster) -> None:
    """A Secret of another type can't become one of ours."""
    cluster.settings |= {
        "type": "kubernetes_secret",
        "secret_type": "kubernetes.io/dockerconfigjson",
    }
    cluster.put("secrets", type="Opaque")
    the(cluster.look(), "failure", "has the type Opaque")


def test_follows_and_sub_path(cluster: Cluster) -> None:
    """`follows` is believed with a caveat: a sub_path mount never follows."""
    cluster.settings["follows"] = True
    assert (
        "without `sub_path`"
        in the(cluster.look(), "warning", "`sub_path` mount never changes").todo
    )


def test_login_is_rejected(cluster: Cluster) -> None:
    """A token that the server does not know is said once, as the driver says it."""
    cluster.fake.kubeconfig(cluster.place / "kubeconfig", token="s3cr3t-revoked")
    (found,) = cluster.look()
    assert (found.level, "auth whoami" in found.todo) == ("failure", True)


def test_nobody_there(cluster: Cluster) -> None:
    """A server that is gone is said once."""
    cluster.fake.stop()
    assert len(bad(cluster.look())) == 1


def test_malformed_document(cluster: Cluster) -> None:
    """What stands there and is no docker config is a failure that quotes nothing."""
    cluster.put(data={"config.json": '{"auths": s3cr3t-'})
    assert "not JSON" in str(levels(cluster.look()))


def test_broken_neighbour(cluster: Cluster) -> None:
    """An entry that no client can decode is named; the good ones are judged all the same."""
    cluster.put(data={"config.json": '{"auths":{"bad.example.com":{"auth":"bm9jb2xvbg=="}}}'})
    found = cluster.look()
    the(found, "warning", "the entry bad.example.com can't be decoded")
    the(found, "ok", "holds nothing for harbor.example.com yet")


def test_a_write_that_would_fail(cluster: Cluster) -> None:
    """It is tried as a dry run, so that a policy, a quota or a namespace is found before."""
    cluster.fake.deny = 'admission webhook "no.docker" denied the request: ask platform'
    found = the(cluster.look(), "failure", "a write would fail")
    assert "ask platform" in found.found
    del cluster.fake.objects.namespaces["ci"]
    cluster.fake.deny = None
    assert "create namespace ci" in the(cluster.look(), "failure", "does not exist").todo
    cluster.fake.objects.namespaces["ci"] = "Terminating"
    assert "wait until it is gone" in the(cluster.look(), "failure", "is being deleted").todo


def test_service_accounts_need_two_verbs(cluster: Cluster) -> None:
    """On their own names; without them the Secret is published and nobody pulls with it."""
    cluster.settings |= {
        "type": "kubernetes_secret",
        "secret_type": "kubernetes.io/dockerconfigjson",
        "service_accounts": ["default"],
    }
    found = cluster.look()
    for verb in ("get", "patch"):
        rule = the(found, "failure", f"may not {verb} serviceaccount ci/default").todo
        assert 'resourceNames: ["default"]' in rule


def many(cluster: Cluster, *rules: dict[str, Any], namespace: str | None = None) -> None:
    """Let the target be one for `team-*`, and its account have these rules."""
    del cluster.settings["namespace"]
    cluster.settings["namespaces"] = ["team-*"]
    cluster.fake.objects.namespaces |= dict.fromkeys([f"team-{n:02}" for n in range(40)], "Active")
    cluster.fake.allow(TOKEN, "system:serviceaccount:ci:rotator", rules, namespace)


LIST = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}


def test_many_namespaces(cluster: Cluster) -> None:
    """Some of them are asked, and how many fit is said."""
    many(cluster, *rules("configmaps", "docker", lists=True))
    found = cluster.look()
    assert not bad(found)
    the(found, "ok", "40 namespaces fit now, and in 16 of them the object can be read")
    assert not cluster.fake.objects.stored


def test_many_namespaces_that_may_not_be_listed(cluster: Cluster) -> None:
    """Then nothing else is known."""
    many(cluster)
    todo = the(cluster.look(), "failure", "we may not list namespaces").todo
    assert todo.startswith("add to its ClusterRole")


def test_many_namespaces_without_rights(cluster: Cluster) -> None:
    """What is alike in all of them is said once, with the whole role that is needed."""
    many(cluster, LIST)
    found = cluster.look()
    the(found, "failure", "we may not get configmap team-00/docker (and 15 more like it)")
    todo = the(found, "failure", "lacks rights in some of the namespaces").todo
    role = json.loads(todo.partition("echo '")[2].partition("' | ")[0])
    assert role["rules"] == rules("configmaps", "docker", lists=True)
    assert len(bad(found)) == 4


def test_no_namespace_fits(cluster: Cluster) -> None:
    """That is a warning: they may come."""
    many(cluster, LIST)
    cluster.settings["namespaces"] = ["nobody-*"]
    assert "get namespaces" in the(cluster.look(), "warning", "no namespace fits").todo
