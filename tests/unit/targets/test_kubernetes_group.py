"""One configured target for an object in each of many namespaces, over the fake API server."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from rotator.config.kubernetes_targets import KubernetesSecretTargetSettings
from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.model import Policy
from rotator.kubernetes.access import Access
from rotator.system.each import ThreadedEach
from rotator.targets.kubernetes import build
from tests.fakes.kubernetes import Canned, FakeKubernetes
from tests.fakes.kubernetes_world import MARK, TEXT
from tests.support import NOW, made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rotator.core.ports import Target


@pytest.fixture
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as fake:
        fake.objects.namespaces = dict.fromkeys(["team-a", "team-b", "ops", "steam-a"], "Active")
        yield fake


@pytest.fixture
def group(fake: FakeKubernetes, tmp_path: Path) -> Callable[..., Target]:
    """Return what makes a group as the configuration does."""

    def make(**where: Any) -> Target:
        settings = made(KubernetesSecretTargetSettings, name="docker", **where)
        access = Access(fake.kubeconfig(tmp_path / "kubeconfig"))
        return build(settings, Policy(), lambda: NOW, access)

    return make


def names(target: Target) -> list[str]:
    """Return the namespaces of the members."""
    return [one.name.partition(":")[2].partition("/")[0] for one in target.members()]


def test_patterns(group: Callable[..., Target]) -> None:
    """A star stands for any letters; a name is a member whether it is there or not."""
    assert names(group(namespaces=["team-*", "gone"])) == ["gone", "team-a", "team-b"]
    assert names(group(namespaces=["*-a"])) == ["steam-a", "team-a"]


def test_nothing_fits(fake: FakeKubernetes, group: Callable[..., Target]) -> None:
    """A page without any namespace is an answer, the first one as well as the last."""
    assert names(group(namespace_selector={"nobody": "has"})) == []
    assert names(group(namespaces=["*"])) == ["ops", "steam-a", "team-a", "team-b"]
    fake.objects.namespaces.clear()
    assert names(group(namespaces=["*"])) == []


def test_a_page_that_is_asked_for_too_late(
    fake: FakeKubernetes, group: Callable[..., Target]
) -> None:
    """The list has changed meanwhile, so it is asked for again, once."""
    fake.canned.append(Canned(410))
    assert names(group(namespaces=["team-*"])) == ["team-a", "team-b"]
    fake.canned += [Canned(410), Canned(410)]
    with pytest.raises(DriverError):
        names(group(namespaces=["team-*"]))


def test_an_answer_that_is_no_list(fake: FakeKubernetes, group: Callable[..., Target]) -> None:
    """A proxy's page takes no namespace away."""
    fake.canned.append(Canned(200, "{}"))
    with pytest.raises(PermanentError, match="no Kubernetes API server"):
        names(group(namespaces=["team-*"]))


def test_names_ask_for_no_list(fake: FakeKubernetes, group: Callable[..., Target]) -> None:
    """Where each namespace is named, no right beyond the object is needed."""
    assert names(group(namespaces=["ops", "team-a"])) == ["ops", "team-a"]
    assert not fake.calls


def test_labels(fake: FakeKubernetes, group: Callable[..., Target]) -> None:
    """All of them have to be there."""
    fake.objects.labels = {"ops": {"ci": "yes"}, "team-a": {"ci": "yes", "tier": "a"}}
    assert names(group(namespace_selector={"ci": "yes"})) == ["ops", "team-a"]
    assert names(group(namespace_selector={"ci": "yes", "tier": "a"})) == ["team-a"]


def test_members_come_and_go(fake: FakeKubernetes, group: Callable[..., Target]) -> None:
    """One that stays is the same target, so that a call that hangs on it is known."""
    target = group(namespaces=["team-*"])
    first = target.members()
    fake.objects.namespaces |= {"team-b": "Terminating", "team-c": "Active"}
    assert names(target) == ["team-a", "team-c"]
    assert target.members()[0] is first[0]


def test_members_say_whose_they_are(group: Callable[..., Target]) -> None:
    """By the configured target's name; a namespace of its own stands for itself."""
    target = group(namespaces=["team-*"])
    assert {one.group for one in target.members()} == {"kubernetes_secret:team-*/docker"}
    assert target.name == "kubernetes_secret:team-*/docker"
    assert group(namespace="ops").group is None


def test_a_list_that_is_not_allowed(fake: FakeKubernetes, tmp_path: Path) -> None:
    """The rule to add is one of a ClusterRole."""
    fake.allow("s3cr3t-weak", "weak", [], None)
    settings = made(KubernetesSecretTargetSettings, name="docker", namespaces=["team-*"])
    access = Access(fake.kubeconfig(tmp_path / "weak", token="s3cr3t-weak"))
    with pytest.raises(PermanentError) as caught:
        build(settings, Policy(), lambda: NOW, access).members()
    assert caught.value.reason is Reason.FORBIDDEN
    assert "add to its ClusterRole: " in caught.value.hint
    assert 'resources: ["namespaces"], verbs: ["list"]' in caught.value.hint
    assert caught.value.hint.endswith("auth can-i list namespaces")


def test_five_hundred_namespaces(
    fake: FakeKubernetes, group: Callable[..., Target], record_property: Callable[..., None]
) -> None:
    """Two requests each and one for each page of the list, in bounded memory."""
    fake.objects.namespaces = {f"team-{number:03}": "Active" for number in range(500)}
    target = group(namespaces=["team-*"])
    tracemalloc.start()
    began = time.monotonic()
    members = target.members()
    each = ThreadedEach()
    held = dict(zip(members, each(lambda one: one.read(), members, 15), strict=True))
    written = each(lambda one: one.write(TEXT, MARK, held[one]), members, 15)
    seconds = time.monotonic() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [one.text for one in written] == [TEXT] * 500
    assert len(fake.calls) == 2 + 2 * 500
    record_property("500 namespaces, seconds", round(seconds, 1))
    record_property("500 namespaces, MB at most", round(peak / 1e6, 1))
    assert peak < 20e6
