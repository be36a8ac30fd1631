"""`rotator run-once` as a user runs it: the installed command on real and stand-in servers."""

from __future__ import annotations

import fcntl
import json
from typing import TYPE_CHECKING

from tests.support import MARKED

if TYPE_CHECKING:
    from tests.e2e.site import Site


def test_first_run_publishes_both_registries(site: Site) -> None:
    """A password from Vault and a token from ECR end up in one document."""
    result = site.run()
    assert (result.code, result.json["outcome"]) == (0, "rotated")
    assert result.json["job_safe"] is True
    assert [c["proof"] for c in result.json["credentials"]] == ["accepted", "accepted"]
    published = site.published()
    assert published[site.registry.host] == ("robot$ci", site.password)
    assert published[site.ecr.host][0] == "AWS"
    assert site.file.stat().st_mode & 0o777 == 0o600


def test_only_due_right_after_does_nothing(site: Site) -> None:
    """What is fresh is neither fetched nor written again: the inode stays."""
    site.run()
    before, calls = site.file.stat(), site.ecr.calls
    result = site.run("--only-due")
    assert (result.code, result.json["outcome"]) == (0, "fresh")
    assert {c["outcome"] for c in result.json["credentials"]} == {"fresh"}
    assert result.json["targets"][0]["outcome"] == "unchanged"
    assert (site.file.stat().st_ino, site.file.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )
    assert site.ecr.calls == calls


def test_forced_run_picks_up_a_new_password(site: Site) -> None:
    """`run-once` fetches whatever the schedule says; only what changed is written."""
    site.run()
    site.put(f"{MARKED}harbor-2")
    result = site.run()
    assert result.code == 0
    assert site.published()[site.registry.host] == ("robot$ci", f"{MARKED}harbor-2")


def test_dry_run_writes_nothing(site: Site) -> None:
    """A dry run proves and plans; neither target nor journal appears."""
    result = site.run("--dry-run")
    assert (result.code, result.json["targets"][0]["outcome"]) == (0, "planned")
    assert not site.file.exists()
    assert not (site.place / "state" / "site.json").exists()


def test_foreign_entries_survive(site: Site) -> None:
    """Other people's entries and keys stay; one that no client can decode is left out and said."""
    foreign = {"auth": "dTpw"}
    broken = {"auth": "bm9jb2xvbg=="}
    document = {"auths": {"other.example.com": foreign, "bad.example.com": broken}, "x": [1]}
    site.file.write_text(json.dumps(document))
    result = site.run()
    written = json.loads(site.file.read_text())
    assert result.code == 0
    assert written["auths"]["other.example.com"] == foreign
    assert written["x"] == [1]
    assert "bad.example.com" not in written["auths"]
    assert any("bad.example.com" in note for note in result.json["targets"][0]["notes"])


def test_one_source_of_two_fails(site: Site) -> None:
    """The other registry is refreshed, the failed one's published entry stays, exit 10."""
    site.run()
    old = site.published()
    site.ecr.trouble = "garbage"
    site.put(f"{MARKED}harbor-2")
    result = site.run()
    assert (result.code, result.json["outcome"]) == (10, "partial")
    assert site.published()[site.ecr.host] == old[site.ecr.host]
    assert site.published()[site.registry.host][1] == f"{MARKED}harbor-2"
    outcomes = {c["registry"]: c["outcome"] for c in result.json["credentials"]}
    assert outcomes == {site.registry.host: "fetched", site.ecr.host: "kept"}


def test_lock_held_by_another(site: Site) -> None:
    """Another rotator's lock is waited for, and then is exit code 75."""
    site.run()
    with (site.place / "state" / "site.cycle.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = site.run("--wait", "0.2")
    assert result.code == 75
    assert "another rotator" in result.err
    assert site.run("--only-due").code == 0


def test_table_at_80_columns(site: Site) -> None:
    """Without --json people get a table that fits 80 columns and says what to do."""
    site.ecr.trouble = "garbage"
    site.environment["COLUMNS"] = "80"
    result = site.run(as_json=False)
    assert result.code == 10
    assert "To do:" in result.out
    assert max(len(line) for line in result.out.splitlines()) <= 80


def test_a_paused_rotation_does_nothing(site: Site) -> None:
    """`enabled: false` fetches and writes nothing, and is no failure."""
    site.rotation["enabled"] = False
    result = site.run()
    assert (result.code, result.json["outcome"]) == (0, "paused")
    assert site.ecr.calls == 0
    assert not site.file.exists()


def test_two_rotations_share_one_fetch(site: Site) -> None:
    """The same source in two rotations is asked once; another region would be another source."""
    second = site.place / "docker" / "second.json"
    site.rotation["sources"] = [site.aws]
    other = {
        "name": "other",
        "sources": [{**site.aws, "name": "same-by-another-name"}],
        "targets": [{"type": "file", "path": str(second)}],
    }
    site.others.append(other)
    assert site.run().code == 0
    assert site.ecr.calls == 1
    assert second.read_text() == site.file.read_text()
    other["sources"] = [{**site.aws, "region": "eu-central-1"}]
    assert site.run().code == 0
    assert site.ecr.calls == 3
