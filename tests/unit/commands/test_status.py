"""`rotator status`: by the journal, and with `--live` by the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotator.system.lock import cycle_lock, daemon_lock
from tests.privileges import obey_modes
from tests.unit.commands.conftest import HOST

if TYPE_CHECKING:
    from tests.unit.commands.conftest import Site


def test_before_and_after_a_cycle(site: Site) -> None:
    """Exit codes 1 and 0; a daemon that runs is said, and none too."""
    done = site.type("status")
    assert (done.code, "no daemon is running" in done.out) == (1, True)
    assert site.type("run-once", "-q").code == 0
    document = site.type("status", "--json").json
    assert (document["daemon"], document["rotations"][0]["job_safe"]) == ("stopped", True)
    assert site.type("status", "-q").out == ""
    with daemon_lock(site.folder / "state", pytest.fail):
        assert "the daemon is running" in site.type("status").out


@pytest.mark.parametrize("change", ["nothing", "edited", "removed"])
def test_live(site: Site, change: str) -> None:
    """What a target holds now beats what the journal says of it."""
    site.type("run-once")
    if change == "edited":
        site.file.write_text('{"auths":{}}')
    elif change == "removed":
        site.file.unlink()
    done = site.type("status", "--live", "--json")
    [target] = done.json["rotations"][0]["targets"]
    found = "current" if change == "nothing" else "missing"
    assert [(one["registry"], one["entry"]) for one in target["live"]["entries"]] == [(HOST, found)]
    assert done.code == (0 if change == "nothing" else 10)


def test_live_before_anything_was_published(site: Site) -> None:
    """Nothing tells ours from another's: it is said what to type."""
    done = site.type("status", "--live")
    assert (done.code, f"rotator --config {site.config} run-once" in done.err) == (1, True)


def test_live_of_namespaces_that_cannot_be_listed(site: Site) -> None:
    """Their failure is what was found."""
    site.type("run-once")
    kubeconfig = site.folder / "kubeconfig"
    place = {"namespaces": ["team-*"], "name": "docker", "kubeconfig": str(kubeconfig)}
    site.rotation["targets"] = [{"type": "kubernetes_secret", **place}]
    done = site.type("status", "--live", "--json")
    [target] = done.json["rotations"][0]["targets"]
    assert target["live"]["reason"] == "unreadable"
    assert str(kubeconfig) in target["live"]["detail"]


def test_a_journal_that_is_none(site: Site) -> None:
    """It is said, the rest is shown, and the file is left as it is."""
    site.type("run-once")
    record = site.folder / "state" / "dind.json"
    record.write_text("{")
    done = site.type("status")
    assert (done.code, "the record of dind cannot be read" in done.err) == (1, True)
    assert record.read_text() == "{"


def test_a_journal_of_somebody_else(site: Site) -> None:
    """As whom to ask is said."""
    site.type("run-once")
    (site.folder / "state").chmod(0)
    obey_modes(on=True)
    try:
        done = site.type("status")
    finally:
        obey_modes(on=False)
    assert (done.code, "type this: sudo" in done.err) == (1, True)


def test_a_cycle_that_runs(site: Site) -> None:
    """A failure that is recorded before each fetch does not count meanwhile."""
    site.type("run-once")
    with cycle_lock(site.folder / "state", "dind", 0, pytest.fail):
        assert site.type("status").code == 0


def test_a_configuration_that_changed_since_the_cycle(site: Site) -> None:
    """What is configured now is judged, and not what the last cycle found of the former."""
    site.rotation["targets"][0]["name"] = "jobs"
    site.type("run-once")
    assert site.type("status").code == 0
    before = site.rotation
    other = {"type": "credential_helper", "helper": "x", "registries": ["other.example"]}
    for changed, said in (
        ({"targets": [{"type": "file", "path": f"{site.file}.2"}]}, "no cycle has read"),
        ({"targets": [{**before["targets"][0], "path": f"{site.file}.2"}]}, "no cycle has read"),
        ({"sources": [*before["sources"], other]}, "no cycle has asked credential_helper"),
        (
            {"sources": [*before["sources"], {**before["sources"][0], "path": "/x"}]},
            "docker_config-2",
        ),
    ):
        site.rotation = {**before, **changed}
        done = site.type("status")
        assert (done.code, said in done.out) == (10, True), done.out
        assert "Not job-safe" in done.out
