"""What the doctor says of ConfigMaps and Secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.kubernetes import Canned
from tests.unit.checks.room import bad, levels, login_file, look, rotation, the

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.checks.finding import Finding
    from tests.fakes.kubernetes import FakeKubernetes

TOKEN = "s3cr3t-least-privilege"


class Ward:
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
def ward(tmp_path: Path, fake_kubernetes: FakeKubernetes) -> Ward:
    """Give a rotation whose user may do what it needs."""
    ward = Ward(tmp_path, fake_kubernetes)
    ward.allow("get", "create", "patch")
    return ward


@pytest.mark.parametrize("kind", ["kubernetes_configmap", "kubernetes_secret"])
def test_all_is_well(ward: Ward, kind: str) -> None:
    """The least that a Role has to allow is enough, and nothing is written."""
    ward.settings["type"] = kind
    found = ward.look()
    assert not bad(found)
    the(found, "ok", "can be read, made and changed")
    the(found, "ok", "`sub_path` keep the document")
    assert ward.fake.writes() == 0
    assert not ward.fake.objects.stored


@pytest.mark.parametrize("lost", ["get", "create", "patch"])
def test_verb_is_missing(ward: Ward, lost: str) -> None:
    """Each verb is asked for by itself; the rule to add names the object where it can."""
    ward.allow(*({"get", "create", "patch"} - {lost}))
    found = the(ward.look(), "failure", f"may not {lost} configmap ci/docker")
    assert f'verbs: ["{lost}"]' in found.todo
    assert ("resourceNames" in found.todo) is (lost != "create")


def test_create_that_is_restricted_to_a_name(ward: Ward) -> None:
    """A rule with `resourceNames` never allows a create, whatever the name is."""
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "create", "patch"],
        "resourceNames": ["docker"],
    }
    ward.fake.allow(TOKEN, "system:serviceaccount:ci:rotator", [rule], "ci")
    the(ward.look(), "failure", "may not create")


def test_server_that_answers_no_reviews(ward: Ward) -> None:
    """Whoever may not ask what they may do finds out by reading."""
    refusal = '{"kind":"Status","status":"Failure","reason":"Forbidden","code":403}'
    ward.fake.canned.extend([Canned(403, refusal)] * 3)
    assert not bad(ward.look())


def test_immutable(ward: Ward) -> None:
    """An immutable object takes no write; what to type deletes it."""
    ward.put(data={"config.json": '{"auths":{}}'}, immutable=True)
    assert "delete configmap docker" in the(ward.look(), "failure", "it is immutable").todo


def test_other_type(ward: Ward) -> None:
    """A Secret of another type can't become one of ours."""
    ward.settings |= {
        "type": "kubernetes_secret",
        "secret_type": "kubernetes.io/dockerconfigjson",
    }
    ward.put("secrets", type="Opaque")
    the(ward.look(), "failure", "has the type Opaque")


def test_follows_and_sub_path(ward: Ward) -> None:
    """`follows` is believed with a caveat: a sub_path mount never follows."""
    ward.settings["follows"] = True
    assert (
        "without `sub_path`" in the(ward.look(), "warning", "`sub_path` mount never changes").todo
    )


def test_login_is_rejected(ward: Ward) -> None:
    """A token that the server does not know is told once, in the driver's words."""
    ward.fake.kubeconfig(ward.place / "kubeconfig", token="s3cr3t-revoked")
    (found,) = ward.look()
    assert (found.level, "auth whoami" in found.todo) == ("failure", True)


def test_nobody_there(ward: Ward) -> None:
    """A server that is gone is told once."""
    ward.fake.stop()
    assert len(bad(ward.look())) == 1


def test_malformed_document(ward: Ward) -> None:
    """What stands there and is no docker config is a failure that quotes nothing."""
    ward.put(data={"config.json": '{"auths": s3cr3t-'})
    assert "not JSON" in str(levels(ward.look()))


def test_broken_neighbour(ward: Ward) -> None:
    """An entry that no client can decode is named; the good ones are judged all the same."""
    ward.put(data={"config.json": '{"auths":{"bad.example.com":{"auth":"bm9jb2xvbg=="}}}'})
    found = ward.look()
    the(found, "warning", "the entry bad.example.com can't be decoded")
    the(found, "ok", "holds nothing for harbor.example.com yet")
