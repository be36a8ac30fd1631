"""A real API server: what a write and its dry run meet, and what is said of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from rotator.core.errors import DriverError, GoneError, PermanentError, Reason
from rotator.core.model import Secret
from tests.fakes.kubernetes_world import MARK, TEXT
from tests.integration.cluster import only
from tests.support import until

if TYPE_CHECKING:
    from tests.integration.cluster import Cluster


def test_what_a_policy_changes_is_what_a_write_returns(cluster: Cluster) -> None:
    """So that it can be compared with what was sent; a dry run says so before."""
    patch = 'Object{data: {"config.json": "changed"}}'
    cluster.policy(
        "Mutating",
        reinvocationPolicy="Never",
        failurePolicy="Fail",
        mutations=[
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": patch}}
        ],
    )
    target = cluster.target()
    found: list[DriverError] = []

    def refused() -> bool:
        with suppress(AssertionError):
            try:
                target.probe_write(TEXT, MARK, target.read())
            except PermanentError as error:
                found.append(error)
        return bool(found)

    until(refused, 30, "the policy to hold")
    assert found[0].reason is Reason.INVALID
    assert "would change config.json" in found[0].detail
    assert target.write(TEXT, MARK, target.read()).text == Secret("changed")


def test_a_dry_run_finds_what_a_write_would_meet(cluster: Cluster) -> None:
    """A namespace or a verb that is missing; nothing is written."""
    for said, target in (
        ("does not exist", cluster.target(namespace="none")),
        ("lacks the verb create", cluster.target(access=cluster.account(*only("get", "patch")))),
    ):
        with pytest.raises(PermanentError, match=said):
            target.probe_write(TEXT, MARK, target.read())


def test_a_dry_run_changes_nothing(cluster: Cluster) -> None:
    """Neither a missing object nor one that is there, whose quota is full."""
    target = cluster.target()
    target.probe_write(TEXT, MARK, target.read())
    assert target.read().version is None
    held = target.write(TEXT, MARK, target.read())
    cluster.quota("count/configmaps")
    target.probe_write(Secret("{}"), MARK, held)
    assert target.read() == held


def test_a_webhook_that_allows_no_dry_run_is_no_failure(cluster: Cluster) -> None:
    """It can't be asked, so nothing is said of it; the write itself meets it."""
    cluster.webhook("https://127.0.0.1:1/x", sideEffects="NoneOnDryRun")
    target = cluster.target()
    cluster.until_refused(target, "can't reach its admission webhook")


def test_an_object_that_is_being_deleted_is_gone(cluster: Cluster) -> None:
    """Its finalizers hold it back; jobs lose it, and it is not written again before it is gone."""
    cluster.put(metadata={"finalizers": ["example.com/hold"]}, data={"config.json": "{}"})
    cluster.server.answer("DELETE", cluster.path("configmaps", "docker"))
    with pytest.raises(GoneError) as caught:
        cluster.target().read()
    assert caught.value.reason is Reason.DELETED
    assert "example.com/hold" in caught.value.detail
    cluster.server.api(
        "PATCH",
        cluster.path("configmaps", "docker"),
        {"metadata": {"finalizers": None}},
        kind="application/merge-patch+json",
    )
    target = cluster.target()
    assert target.write(TEXT, MARK, target.read()).text == TEXT


@pytest.mark.parametrize(
    ("manager", "advice"),
    [
        ("argocd-controller", "ignoreDifferences"),
        ("kustomize-controller", "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent"),
        ("helm", "helm.sh/resource-policy=keep"),
        ("somebody", "--show-managed-fields"),
    ],
)
def test_another_manager_is_named(cluster: Cluster, manager: str, advice: str) -> None:
    """Who wrote or took out the key after us, by its own name, and what makes it stop."""
    target = cluster.target()
    held = target.write(TEXT, MARK, target.read())
    assert target.other_manager(held) is None
    theirs: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "docker", "namespace": cluster.namespace},
        "data": {"config.json": "{}"},
    }
    cluster.server.apply(theirs, manager=manager)
    held = target.read()
    assert target.other_manager(held) == manager
    assert advice in target.manager_advice(manager)
    assert target.other_manager(target.write(TEXT, MARK, held)) is None
    theirs["data"] = {"config.json": TEXT.reveal()}
    cluster.server.apply(theirs, manager=manager)
    assert target.other_manager(target.read()) is None, "who wants what we wrote is no other"


def test_a_manager_that_takes_the_key_out_is_named(cluster: Cluster) -> None:
    """Nobody has the key then, so it is who wrote last."""
    target = cluster.target()
    target.write(TEXT, MARK, target.read())
    cluster.server.api(
        "PATCH",
        cluster.path("configmaps", "docker"),
        {"data": {"config.json": None, "other": "x"}},
        kind="application/merge-patch+json",
        manager="argocd-controller",
    )
    held = target.read()
    assert held.text is None
    assert target.other_manager(held) == "argocd-controller"


@pytest.mark.parametrize("kind", ["configmap", "secret"])
def test_an_undecodable_text_is_set_aside(cluster: Cluster, kind: str) -> None:
    """Under a key of its own; a write that builds on the answer replaces the text itself."""
    target = cluster.target(kind)
    broken = Secret('{"auths": s3cr3t-')
    held = target.write(broken, MARK, target.read())
    aside = target.set_aside(held)
    assert (aside.text, aside.version) != (None, held.version)
    target.write(TEXT, MARK, aside)
    assert target.read().text == TEXT
    data = cluster.look(f"{kind}s")["data"]
    assert set(data) == {"config.json", "config.json.broken"}
    with pytest.raises(DriverError):
        target.set_aside(held)
