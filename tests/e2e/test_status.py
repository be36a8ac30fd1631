"""What a daemon shows of itself, and what `rotator status` tells when it is dead."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.e2e.watched import PROGRAM, REGISTRY, Watched
from tests.support import MARKED, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.site import Site


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A daemon that has had its first cycle."""
    with Watched(tmp_path) as watched:
        yield watched


def test_every_address_answers(watched: Watched) -> None:
    """Health, readiness, metrics, the page and the same as JSON; and no secret in any."""
    answers = {
        path: watched.get(path) for path in ("/healthz", "/readyz", "/metrics", "/", "/api/status")
    }
    assert {status for status, _ in answers.values()} == {200}
    assert json.loads(answers["/readyz"][1]) == {"ready": True, "rotations": []}
    assert 'rotator_job_safe{rotation="dind"} 1.0' in answers["/metrics"][1]
    assert REGISTRY in answers["/"][1]
    assert not any(MARKED in body for _, body in answers.values())


def test_the_same_from_the_daemon_and_from_the_command(watched: Watched) -> None:
    """`/api/status` has what `status --json` prints; the command reads the journal."""
    exported = json.loads(watched.get("/api/status")[1])
    printed = json.loads(watched.command("status", "--json").stdout)
    assert printed["daemon"] == exported["daemon"] == "running"
    assert printed.keys() == exported.keys()
    assert printed["rotations"][0].keys() == exported["rotations"][0].keys()
    ours, theirs = (one["rotations"][0]["credentials"][0] for one in (printed, exported))
    assert ours.keys() == theirs.keys()
    assert (ours["registry"], ours["fingerprint"]) == (theirs["registry"], theirs["fingerprint"])


def test_not_ready_and_why(tmp_path: Path) -> None:
    """503 with what is wrong and what to do, until jobs are safe; healthy all the while."""
    watched = Watched(tmp_path)
    watched.source.unlink()
    with watched:
        status, body = watched.get("/readyz")
        assert status == 503
        [rotation] = json.loads(body)["rotations"]
        assert (rotation["name"], rotation["outcome"]) == ("dind", "failed")
        assert {reason["reason"] for reason in rotation["reasons"]} == {"not_found"}
        assert all(reason["hint"] for reason in rotation["reasons"])
        assert watched.get("/healthz") == (200, "ok\n")
        assert "Not job-safe: dind" in watched.get("/")[1]
        watched.put(f"{MARKED}2")
        until(lambda: watched.get("/readyz")[0] == 200, what="the source's return")


SLOW = """#!/bin/sh
until [ -e "$(dirname "$0")/go" ]; do sleep 0.05; done
echo '{"Username": "robot", "Secret": "s3cr3t-helper"}'
"""


def test_the_first_cycle_may_be_slow(tmp_path: Path) -> None:
    """Until it has ended nothing has crashed: not on the page, not in /readyz, not in `status`."""
    watched = Watched(tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    helper = programs / "docker-credential-slow"
    helper.write_text(SLOW)
    helper.chmod(0o755)
    source = {"type": "credential_helper", "helper": "slow", "registries": ["slow.example.com"]}
    watched.configuration["rotations"][0]["sources"] = [source]
    watched.write()
    command = [PROGRAM, "--config", str(tmp_path / "rotator.yaml"), "run"]
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as daemon:
        try:
            record = tmp_path / "state" / "dind.json"
            until(lambda: record.exists() and "attempted_at" in record.read_text())
            status, body = watched.get("/readyz")
            (rotation,) = json.loads(body)["rotations"]
            assert (status, rotation["in_cycle"], rotation["reasons"]) == (503, True, [])
            assert "Starting, the first cycle is running" in watched.get("/")[1]
            printed = watched.command("status").stdout
            assert "the first cycle is running" in printed
            assert "bug" not in printed
        finally:
            (programs / "go").touch()
            daemon.terminate()


def test_a_failing_run_once_beside_the_daemon_is_shown(tmp_path: Path) -> None:
    """At once, and not with the daemon's next cycle."""
    watched = Watched(tmp_path)
    watched.configuration["rotations"][0]["schedule"]["poll"] = "1h"
    watched.write()
    with watched:
        assert json.loads(watched.get("/api/status")[1])["health"] == "green"
        watched.source.unlink()
        assert watched.command("run-once").returncode != 0
        shown = json.loads(watched.get("/api/status")[1])
        assert shown["health"] != "green"
        assert "not_found" in watched.get("/")[1]


def test_drift_is_counted(watched: Watched) -> None:
    """An entry that somebody takes out comes back, and the repair is counted."""
    watched.target.write_text("{}")
    counted = f'rotator_drift_repairs_total{{rotation="dind",target="file:{watched.target}"}} 1.0'
    until(lambda: counted in watched.get("/metrics")[1], what="the repair")
    assert REGISTRY in watched.target.read_text()


def test_reload(watched: Watched) -> None:
    """A bad configuration is counted and the old one kept; a good one can move the address."""
    old = watched.port
    rotations = watched.configuration.pop("rotations")
    watched.write()
    watched.reload()
    bad = "rotator_config_last_reload_successful 0.0"
    until(lambda: bad in watched.get("/metrics")[1], what="the bad reload")
    assert watched.get("/readyz")[0] == 200
    other = free_port()
    watched.configuration |= {"rotations": rotations, "http": {"listen": f"127.0.0.1:{other}"}}
    watched.write()
    watched.reload()
    watched.port = other
    until(watched.is_up, what="the new address")
    assert "rotator_config_last_reload_successful 1.0" in watched.get("/metrics")[1]
    watched.port = old
    until(lambda: not watched.is_up(), what="the end of the old address")


def test_metrics_file(watched: Watched) -> None:
    """It is there after a cycle, readable for the collector, and written by `run-once` too."""
    until(watched.metrics_file.exists, what="the file, which is written when the cycle is counted")
    assert 'rotator_job_safe{rotation="dind"} 1.0' in watched.metrics_file.read_text()
    assert watched.metrics_file.stat().st_mode & 0o777 == 0o644
    until(lambda: not list(watched.place.glob("*.rotator-*")), what="the end of the next write")


def test_last_success_survives_a_restart(tmp_path: Path) -> None:
    """It is that of the journal, where the daemon has had no success of its own."""
    watched = Watched(tmp_path)
    with watched:
        pass
    watched.source.unlink()
    watched.target.unlink()
    record = json.loads((tmp_path / "state" / "dind.json").read_text())
    succeeded = datetime.fromisoformat(record["succeeded_at"]).timestamp()
    with watched:
        metrics = watched.get("/metrics")[1]
    [line] = [one for one in metrics.splitlines() if one.startswith("rotator_last_success")]
    assert float(line.rpartition(" ")[2]) == succeeded


def test_off_loopback_only_metrics_and_health(tmp_path: Path) -> None:
    """The page is for this machine, unless the configuration says otherwise."""
    watched = Watched(tmp_path)
    watched.configuration["http"]["listen"] = f"0.0.0.0:{watched.port}"
    watched.write()
    with watched:
        statuses = {
            p: watched.get(p)[0] for p in ("/metrics", "/healthz", "/readyz", "/", "/api/status")
        }
    assert statuses == {
        "/metrics": 200,
        "/healthz": 200,
        "/readyz": 200,
        "/": 404,
        "/api/status": 404,
    }


def test_status_when_the_daemon_is_dead(tmp_path: Path) -> None:
    """The journal tells, and the first line says that it does; no colour in a pipe."""
    with Watched(tmp_path) as watched:
        alive = watched.command("status")
    dead = watched.command("status", columns=60)
    assert "the daemon is running" in alive.stdout
    assert "no daemon is running" in dead.stdout
    assert (alive.returncode, dead.returncode) == (0, 0)
    assert "\x1b" not in alive.stdout
    assert max(map(len, dead.stdout.splitlines())) <= 60
    assert "✓ →  file:" in alive.stdout


def test_status_changes_nothing(tmp_path: Path) -> None:
    """Before anything ran it makes no file, and afterwards none is touched."""
    watched = Watched(tmp_path)
    first = watched.command("status")
    assert first.returncode == 1
    assert "no cycle yet" in first.stdout
    assert not (tmp_path / "state").exists()
    assert watched.command("status", "--live").returncode == 1
    watched.command("run-once")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert watched.command("status", "--live").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_live(tmp_path: Path) -> None:
    """The targets themselves are read: what somebody changed since is seen at once."""
    watched = Watched(tmp_path)
    watched.command("run-once")
    assert "now: as published" in watched.command("status", "--live").stdout
    watched.target.write_text("{}")
    assert f"now missing: {REGISTRY}" in watched.command("status", "--live").stdout
    live = json.loads(watched.command("status", "--live", "--json").stdout)
    assert live["rotations"][0]["targets"][0]["live"]["entries"] == [
        {"registry": REGISTRY, "entry": "missing", "expires_at": None}
    ]


def test_trouble_is_shown_with_its_hint(site: Site) -> None:
    """What failed, since when, and what to do; the exit code says that not all is well."""
    site.run()
    site.ecr.trouble = "garbage"
    site.run()
    result = site.command("status")
    assert result.code == 10
    assert "To do:" in result.out
    assert "! site: partial" in result.out
    named = site.command("status", "stie")
    assert named.code == 2
    assert "did you mean site?" in named.err
