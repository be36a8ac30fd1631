"""`status --live` at a real API server: what is there, and whether jobs are safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rotator.kubernetes.place import rules
from tests.e2e.kubernetes_rotation import Rotation
from tests.e2e.watched import REGISTRY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cluster import Cluster

MERGE = "application/merge-patch+json"


def is_unsafe(rotation: Rotation) -> None:
    """Check that `status --live` says so, in words and as JSON."""
    assert "Not job-safe" in rotation.run("status", "--live", code=10)
    live = rotation.json("status", "--live", code=10)
    assert (live["job_safe"], live["safe_until"], live["health"]) == (False, None, "red")


def test_a_namespace_that_is_being_deleted_is_not_job_safe(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Whatever is asked, and with the rights of the Role alone."""
    dying = cluster.make_namespace("dying")
    rotation = Rotation(cluster, tmp_path / "place", namespace=dying)
    rotation.act_as(cluster.account(*rules("secrets", "docker"), everywhere=True))
    rotation.run("run-once", code=0)
    assert "Job-safe" in rotation.run("status", "--live", code=0)
    cluster.server.terminate_namespace(dying)
    said = f"the namespace {dying} is being deleted"
    is_unsafe(rotation)
    assert said in rotation.run("status", "--live", code=10)
    assert said in rotation.run("check", code=1)
    assert said in rotation.run("run-once", "--dry-run", code=1)
    assert rotation.json("status", code=0)["job_safe"], "a dry run records nothing"
    after = rotation.json("run-once", code=1)
    assert (after["job_safe"], after["targets"][0]["outcome"]) == (False, "failed")
    assert after["targets"][0]["reason"] == "not_found"
    assert said in rotation.run("run-once", "--only-due", code=1)


def test_a_deleted_object_is_not_job_safe(rotation: Rotation) -> None:
    """`status` knows the journal alone; `--live` reads; the next cycle makes it again."""
    rotation.cluster.server.api("DELETE", rotation.cluster.path("secrets", "docker"))
    assert "Job-safe" in rotation.run("status", code=0)
    is_unsafe(rotation)
    assert f"now missing: {REGISTRY}" in rotation.run("status", "--live", code=10)
    rotation.run("run-once", "--only-due", code=0)
    assert "now: as published" in rotation.run("status", "--live", code=0)


@pytest.mark.parametrize(
    "data", [{"config.json": None}, {"config.json": ""}, {"config.json": "e30="}]
)
def test_an_emptied_object_is_not_job_safe(rotation: Rotation, data: dict[str, Any]) -> None:
    """Without the key, with nothing in it, with an empty document."""
    path = rotation.cluster.path("secrets", "docker")
    rotation.cluster.server.api("PATCH", path, {"data": data}, kind=MERGE)
    is_unsafe(rotation)


def test_an_object_that_is_being_deleted_is_not_job_safe(rotation: Rotation) -> None:
    """A finalizer holds it back; nothing is written to it meanwhile."""
    path = rotation.cluster.path("secrets", "docker")
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    rotation.cluster.server.api("PATCH", path, held, kind=MERGE)
    rotation.cluster.server.api("DELETE", path)
    is_unsafe(rotation)
    for command in (["check"], ["status", "--live"], ["run-once", "--dry-run"], ["run-once"]):
        code = 10 if command[0] == "status" else 1
        assert "is being deleted" in rotation.run(*command, code=code)
    assert not rotation.json("status", code=1)["job_safe"]
    rotation.cluster.server.api("PATCH", path, {"metadata": {"finalizers": None}}, kind=MERGE)
    assert rotation.json("run-once", code=0)["job_safe"]


def test_a_server_that_is_out_of_reach_leaves_what_jobs_read(rotation: Rotation) -> None:
    """Then what was published counts until its end: only we can't read it."""
    rotation.act_as(rotation.cluster.account())
    live = rotation.json("status", "--live", code=10)
    assert (live["job_safe"], live["health"]) == (True, "amber")
    assert live["targets"][0]["live"]["reason"] == "forbidden"


def test_live_reads_each_namespace(cluster: Cluster, tmp_path: Path) -> None:
    """One line for all, and those that differ by name."""
    one, two = cluster.make_namespace("team-a"), cluster.make_namespace("team-b")
    rotation = Rotation(cluster, tmp_path / "place", namespaces=[f"team-*-{cluster.unique}"])
    rotation.run("run-once", code=0)
    said = rotation.run("status", "--live", code=0)
    assert "(2 objects)" in said
    assert "now: 2 of 2 objects as published" in said
    cluster.server.api("DELETE", f"/api/v1/namespaces/{one}/secrets/docker")
    assert "it is empty, though rotator has published in it" in rotation.run("check", code=0)
    later = cluster.make_namespace("team-c")
    is_unsafe(rotation)
    said = rotation.run("status", "--live", code=10)
    assert "now: 1 of 3 objects as published" in said
    assert said.count(f": now missing: {REGISTRY}") == 2
    (target,) = rotation.json("status", "--live", code=10)["targets"]
    assert (target["objects"], target["live"]["objects"]) == (2, 3)
    differing = [other["name"].partition("/")[0] for other in target["live"]["differing"]]
    assert differing == [f"kubernetes_secret:{place}" for place in (one, later)]
    rotation.run("run-once", "--only-due", code=0)
    cluster.server.terminate_namespace(two)
    said = rotation.run("status", "--live", code=0)
    assert "now: 2 of 2 objects as published" in said, "nothing is published where it goes"
    rotation.act_as(cluster.account())
    said = rotation.run("status", "--live", code=10)
    assert "lacks the verb list on namespaces" in said
