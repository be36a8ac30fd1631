"""Whose each entry of a document is, and how old; what the targets hold now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.checks.document import judge
from tests.fakes.kubernetes import FakeKubernetes
from tests.support import MARKED
from tests.unit.checks.described import case, file_target, levels, login_file, rotation, the
from tests.unit.checks.document.documents import NEW, OLD, document, prove, reported

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.inspection import Case


def test_the_newest(known: Case) -> None:
    """A document as published: ours, the newest, accepted, and the same everywhere."""
    found = reported(document(harbor=NEW) + "\n", known)
    the(found, "ok", "it is what rotator wrote last to the file, 1 h ago")
    the(found, "ok", "the newest), fetched 1 h ago, ends in 4 h; its registry accepts it now")
    the(found, "ok", "the file publishes the same")


def test_an_older_one(known: Case) -> None:
    """A job that outlived its document: which one it was, and what to do about the mount."""
    found = reported(document(harbor=OLD), known)
    assert "mount the directory" in the(found, "warning", "and a newer one 1 h ago").todo
    entry = the(found, "failure", "replaced since), fetched 5 h ago, ended 1 h ago")
    assert "rejects it now: it answers 401" in entry.found
    assert "mount the directory" in entry.todo
    the(found, "ok", "publishes another one now (ours, fetched 1 h ago")


def test_a_foreign_one(known: Case) -> None:
    """Somebody else's document, and what is published for its registry."""
    found = reported(document(harbor=f"{MARKED}theirs", down=NEW), known)
    the(found, "ok", "no document that rotator wrote as a whole")
    assert "find who wrote this one" in the(found, "failure", "and a foreign entry").todo
    other = the(reported(document(harbor=NEW, other=OLD), known), "failure", "a foreign entry")
    assert other.todo == "its writer has to log in again"
    the(found, "warning", "its registry can't be asked: connection refused")


def test_target_that_lost_it(known: Case, tmp_path: Path) -> None:
    """A target that holds nothing for the entry's registry: publish again."""
    (tmp_path / "docker" / "config.json").unlink()
    found = the(
        reported(document(harbor=NEW), known), "warning", "the file holds nothing for it now"
    )
    assert found.todo == "rotator run-once dind"


def test_target_that_cannot_be_read(known: Case, tmp_path: Path) -> None:
    """What can't be compared is said with the driver's own hint."""
    (tmp_path / "docker").chmod(0o777)
    found = the(
        reported(document(harbor=NEW), known), "warning", "it is not known what it publishes now"
    )
    assert "chmod" in found.todo


def test_target_in_many_namespaces(tmp_path: Path) -> None:
    """Each member is read by itself, and a list of namespaces that can't be had is said."""
    with FakeKubernetes() as fake:
        for namespace in ("team-a", "team-b"):
            fake.objects.namespaces[namespace] = "Active"
        body = {"metadata": {"name": "docker"}, "data": {"config.json": document(harbor=NEW)}}
        fake.objects.create("configmaps", "team-a", body, "kubectl")
        target = {
            "type": "kubernetes_configmap",
            "namespaces": ["team-*"],
            "name": "docker",
            "kubeconfig": str(fake.kubeconfig(tmp_path / "kubeconfig")),
        }
        one = case(rotation([login_file(tmp_path)], [target]), prove=prove)
        found = reported(document(harbor=NEW), one)
        fake.allow("s3cr3t-weak", "weak", [], None)
        fake.kubeconfig(tmp_path / "kubeconfig", token="s3cr3t-weak")
        unlisted = reported(document(harbor=NEW), one)
    where = f"/docker@{tmp_path}/kubeconfig"
    the(found, "ok", f"kubernetes_configmap:team-a{where} publishes the same")
    the(found, "warning", f"kubernetes_configmap:team-b{where} holds nothing for it now")
    gone = the(unlisted, "warning", "weak lacks the verb list on namespaces")
    assert gone.about == f"kubernetes_configmap:team-*{where}"


def test_malformed_target(known: Case, tmp_path: Path) -> None:
    """A target that holds no docker config has nothing for the registry."""
    (tmp_path / "docker" / "config.json").write_text("garbage")
    the(reported(document(harbor=NEW), known), "warning", "the file holds nothing for it now")


def test_without_a_journal(tmp_path: Path) -> None:
    """Where nothing was published from here, everything is foreign and yet judged."""
    one = case(rotation([login_file(tmp_path)], [file_target(tmp_path)]), prove=prove)
    found = judge(document(harbor=NEW).encode(), "job.json", [one])
    assert any("foreign entry" in reported for reported in levels(found))
