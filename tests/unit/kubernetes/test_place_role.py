"""The Role that people are to use: enough for a target, and nothing in it is idle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from rotator.core.errors import PermanentError, Reason
from rotator.core.model import Mark, Secret
from rotator.kubernetes.access import Access
from rotator.kubernetes.place import rules
from tests.fakes.kubernetes import FakeKubernetes
from tests.fakes.kubernetes_world import kubernetes_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.kubernetes.place import Rule

POLICIES = Path(__file__).parents[3] / "deploy/policies"
MANIFEST = POLICIES / "kubernetes-role.yaml"
EVERYWHERE = POLICIES / "kubernetes-cluster-role.yaml"
MARK = Mark({}, "hmac:0123456789ab", "dind")
NAMESPACE = "gitlab-runner"


@pytest.fixture
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as fake:
        fake.objects.namespaces[NAMESPACE] = "Active"
        yield fake


def live(
    fake: FakeKubernetes, directory: Path, manifest: str, name: str = "docker-client-config"
) -> None:
    """Read, create, read again and change the Secret as the manifest's service account."""
    token = fake.apply_manifest(manifest)["rotator"]
    access = Access(fake.kubeconfig(directory / "kubeconfig", token=token))
    target = kubernetes_target(access, "Opaque", NAMESPACE, name=name)
    target.write(Secret("{}"), MARK, target.read())
    target.write(Secret('{"auths":{}}'), MARK, target.read())


def test_is_enough(fake: FakeKubernetes, tmp_path: Path) -> None:
    """The object is read, created and changed."""
    live(fake, tmp_path, MANIFEST.read_text())

    assert {call.verb for call in fake.calls} == {"get", "create", "patch"}


@pytest.mark.parametrize("verb", ["get", "patch", "create"])
def test_each_verb_is_needed(fake: FakeKubernetes, tmp_path: Path, verb: str) -> None:
    """Without any one of them something fails, and the error names it."""
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    for rule in documents[1]["rules"]:
        rule["verbs"] = [one for one in rule["verbs"] if one != verb]

    with pytest.raises(PermanentError) as caught:
        live(fake, tmp_path, yaml.safe_dump_all(documents))

    assert caught.value.reason is Reason.FORBIDDEN
    assert f"lacks the verb {verb} on secrets" in caught.value.detail


def test_gives_no_more(fake: FakeKubernetes, tmp_path: Path) -> None:
    """Another Secret can't be read, and no verb but the three is there."""
    with pytest.raises(PermanentError) as caught:
        live(fake, tmp_path, MANIFEST.read_text(), name="another")

    assert caught.value.reason is Reason.FORBIDDEN
    role = next(one for one in yaml.safe_load_all(MANIFEST.read_text()) if one["kind"] == "Role")
    assert sorted(verb for rule in role["rules"] for verb in rule["verbs"]) == [
        "create",
        "get",
        "patch",
    ]


@pytest.mark.parametrize(
    ("path", "kind", "needed"),
    [
        (MANIFEST, "Role", rules("secrets", "docker-client-config")),
        (
            EVERYWHERE,
            "ClusterRole",
            rules("secrets", "docker-client-config", ["default"], lists=True),
        ),
    ],
    ids=["role", "cluster role"],
)
def test_is_what_check_shows(path: Path, kind: str, needed: list[Rule]) -> None:
    """The shipped files and what `check` says are the same rules."""
    role = next(one for one in yaml.safe_load_all(path.read_text()) if one["kind"] == kind)
    assert role["rules"] == needed
