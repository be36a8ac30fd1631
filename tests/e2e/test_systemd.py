"""The units in systemd/, on a machine that is booted with a real systemd."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.systemd_host import PUBLISHED, UNITS
from tests.support import MARKED, need, until

if TYPE_CHECKING:
    from tests.e2e.systemd_host import Host

pytest_plugins = ["tests.e2e.systemd_fixtures"]
# One worker boots the machine, after making its root where that is not there yet.
pytestmark = pytest.mark.timeout(600)

SERVICES = ("rotator.service", "rotator-once.service", "rotator-failure@.service")
HELPER = """#!/bin/sh
until [ -e /run/go ]; do sleep 0.05; done
echo '{"Username": "robot", "Secret": "s3cr3t-helper"}'
"""


def shared_part(unit: str) -> str:
    """Return what both services have to have alike."""
    text = (UNITS / unit).read_text()
    found = re.search(
        r"^# --- from here.*?\n(.*?)^# --- up to here", text, re.DOTALL | re.MULTILINE
    )
    assert found is not None
    return found[1]


def test_both_services_are_alike() -> None:
    """The emergency command has the daemon's user, secrets, directories and limits."""
    assert shared_part("rotator.service") == shared_part("rotator-once.service")
    assert "LoadCredential=" in shared_part("rotator.service")


@pytest.mark.parametrize("unit", SERVICES)
def test_exposure(unit: str) -> None:
    """`systemd-analyze security` gives 1.5 at most (0: locked away, 10: free to do anything)."""
    analyze = need("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=15", "--no-pager", UNITS / unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_units_are_right(host: Host) -> None:
    """Every key is known and every program found, with each drop-in of the examples."""
    units = ("rotator.service", "rotator-once.service", "rotator-once.timer")
    for example in sorted((UNITS / "drop-ins").glob("*.conf")):
        host.drop_in(example.read_text())
        printed = host.run(
            "systemd-analyze", "verify", "--man=no", *units, "rotator-failure@x.service"
        )
        assert printed == "", example.name


def test_start_waits_for_the_first_cycle(host: Host) -> None:
    """What must have its file before it starts waits; then it is there, and rotator's own."""
    host.put("/usr/local/bin/docker-credential-slow", HELPER, mode=0o755)
    host.rotation["sources"] = [
        {"type": "credential_helper", "helper": "slow", "registries": ["slow.example.com"]}
    ]
    host.configure()
    host.run("systemctl", "start", "--no-block", "rotator", "gitlab-runner")
    until(lambda: host.show("StatusText").startswith("starting"), 30, "the daemon to start")
    assert host.show("ActiveState") == "activating"
    assert host.show("ActiveState", "gitlab-runner") == "inactive"
    host.run("touch", "/run/go")
    until(lambda: host.show("ActiveState", "gitlab-runner") == "active", 30, "the runner to start")
    assert host.published() == {"slow.example.com": f"{MARKED}helper"}
    assert host.status_of(PUBLISHED) == "rotator:rotator 600"
    assert host.status_of("/var/lib/rotator") == "rotator:rotator 700"
    until(lambda: "job-safe" in host.show("StatusText"), 20, "the sentence")
    assert "all fresh and job-safe" in host.run("systemctl", "status", "--no-pager", "rotator")


def test_reload(host: Host) -> None:
    """A good configuration is taken; a bad one fails the reload, with its line."""
    host.start()
    pid = host.main_pid()
    good = host.file("/etc/rotator/rotator.yaml").read_text()
    host.put("/etc/rotator/rotator.yaml", "version: 1\nrotatoins: []\n", mode=0o644)
    code, _ = host.machine.attempt("systemctl", "reload", "rotator")
    assert code != 0
    assert "rotator.yaml:2:1" in host.journal("--unit=rotator")
    assert not host.events("configuration not reloaded"), "the daemon was bothered"
    host.put("/etc/rotator/rotator.yaml", good.replace("name: host", "name: other"), mode=0o644)
    host.run("systemctl", "reload", "rotator")
    until(lambda: host.events("configuration reloaded"), 20, "the reload")
    assert (host.main_pid(), host.show("ActiveState")) == (pid, "active")


def test_watchdog(host: Host) -> None:
    """A daemon that hangs is ended and started again, and says where it hung."""
    host.drop_in("[Service]\nWatchdogSec=7s\nRestartSec=100ms\n")
    host.start()
    pid = host.main_pid()
    host.kill("STOP", pid)
    until(lambda: host.show("NRestarts") == "1", 30, "the restart")
    until(lambda: host.show("ActiveState") == "active", 30, "the daemon to be up again")
    assert host.main_pid() != pid
    assert "Watchdog timeout" in host.journal("--unit=rotator")
    until(lambda: "daemon.py" in host.journal("--unit=rotator"), 30, "the place where it hung")


def test_secrets_are_private(host: Host, vault_login: str) -> None:
    """What LoadCredential gives is read by the daemon, and by nobody else."""
    host.start()
    assert set(host.published().values()) == {f"{MARKED}extra", f"{MARKED}vault"}
    path = "/run/credentials/rotator.service/vault-token"
    assert host.run("cat", path) == vault_login
    for others in (
        ["cat", path],
        ["ls", "/var/lib/rotator"],
        ["cat", "/etc/credstore/vault-token"],
    ):
        assert host.machine.attempt(*others, user="nobody")[0] != 0, others
    pid = host.main_pid()
    assert vault_login not in host.run("cat", f"/proc/{pid}/environ")
    for hidden in ("environ", "mem", "fd/0"):
        path = f"/proc/{pid}/{hidden}"
        assert host.machine.attempt("head", "-c1", path, user="rotator")[0] != 0, path


def test_a_new_secret_counts_from_the_restart_on(host: Host, vault_login: str) -> None:
    """As the units say; whether a reload reads it depends on systemd's version."""
    host.start()
    host.put("/etc/credstore/vault-token", f"{MARKED}new")
    host.run("systemctl", "restart", "rotator")
    assert host.run("cat", "/run/credentials/rotator.service/vault-token") == f"{MARKED}new"


def test_nothing_else_is_writable(host: Host) -> None:
    """Inside the unit, its user can write in the declared places alone."""
    host.start()
    inside = ["nsenter", f"--target={host.main_pid()}", "--mount"]
    user = ["setpriv", "--reuid=rotator", "--regid=rotator", "--init-groups"]
    find = (
        "find / -path /proc -prune -o -writable ! -type l ! -type c ! -type s -print 2>/dev/null; :"
    )
    places = set(host.run(*inside, *user, "sh", "-c", find).splitlines())
    declared = ("/opt/.docker", "/var/lib/rotator", "/tmp", "/var/tmp")  # noqa: S108  its own
    assert {path for path in places if not path.startswith(declared)} == set()
    assert set(declared) <= places


def test_it_is_not_root(host: Host) -> None:
    """No uid 0, no capability, and no way to get one."""
    host.start()
    facts = host.facts()
    assert "0" not in facts["Uid"].split()
    assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")


def test_stop(host: Host) -> None:
    """It ends within 10 s even while a source hangs, and counts as ended well."""
    host.put("/usr/local/bin/docker-credential-slow", HELPER, mode=0o755)
    host.start()
    source = {"type": "credential_helper", "helper": "slow", "timeout": "50s"}
    host.rotation["sources"] = [{**source, "registries": ["slow.example.com"]}]
    host.configure()
    host.run("systemctl", "reload", "rotator")
    until(lambda: "docker-credential" in host.tree(), 20, "the helper to run")
    begun = time.monotonic()
    host.run("systemctl", "stop", "rotator")
    assert time.monotonic() - begun < 10
    assert (host.show("Result"), host.show("ActiveState")) == ("success", "inactive")
    assert "docker-credential" not in host.tree()


def test_journal(host: Host) -> None:
    """Each event is a line that a person reads, and has fields to search by."""
    host.start()
    (event,) = host.events("published")
    assert event["ROTATOR_REGISTRY"] == "extra.example.com"
    assert event["ROTATOR_TARGET"] == f"file:{PUBLISHED}"
    assert {"ROTATOR_ROTATION", "ROTATOR_WHY", "ROTATOR_AFTER"} <= event.keys()
    assert event["MESSAGE"].startswith(f"host: published: extra.example.com, file:{PUBLISHED} (")
    assert (event["_TRANSPORT"], event["SYSLOG_IDENTIFIER"]) == ("journal", "rotator")
    assert event["_SYSTEMD_UNIT"] == "rotator.service"


def test_journal_in_json(host: Host) -> None:
    """Who asks for JSON gets one document a line."""
    host.top["log"] = {"format": "json"}
    host.start()
    lines = [line for line in host.journal("--unit=rotator").splitlines() if line[:1] == "{"]
    assert "published" in {json.loads(line)["event"] for line in lines}


def test_priorities(host: Host) -> None:
    """`journalctl --priority=` finds what matters: errors, warnings, a wrong configuration."""
    away = {"type": "docker_config", "path": "/etc/rotator/not-there.json"}
    host.rotation["sources"].append({**away, "registries": ["away.example.com"]})
    host.start()
    until(lambda: host.events("published"), 20, "the first cycle")
    unit = "--unit=rotator"
    loud = host.journal(unit, "--priority=warning")
    assert "not-there.json" in loud
    assert "published" not in loud
    assert "published" in host.journal(unit, "--priority=info..info")
    host.put("/etc/rotator/rotator.yaml", "version: 1\nrotatoins: []\n", mode=0o644)
    assert host.machine.attempt("systemctl", "reload", "rotator")[0] != 0
    assert "rotator.yaml:2:1" in host.journal(unit, "--priority=err")


def test_the_emergency_command(host: Host, vault_login: str) -> None:
    """It publishes with the daemon's secrets, beside the daemon or without it."""
    host.start("rotator-once")
    assert set(host.published().values()) == {f"{MARKED}extra", f"{MARKED}vault"}
    assert host.status_of(PUBLISHED) == "rotator:rotator 600"
    assert "extra.example.com" in host.journal("--unit=rotator-once")
    host.start()
    host.run("systemctl", "start", "rotator-once")
    assert host.show("ActiveState") == "active"


def test_the_emergency_command_says_that_it_failed(host: Host) -> None:
    """A source that fails is in systemctl's answer and in the journal, with what to do."""
    host.run("rm", "/etc/rotator/extra.json")
    host.configure()
    code, _ = host.machine.attempt("systemctl", "start", "rotator-once")
    assert code != 0
    assert host.show("ExecMainStatus", "rotator-once") == "1"
    said = host.journal("--unit=rotator-once")
    assert "/etc/rotator/extra.json" in said
    assert "To do:" in said


def test_the_timer_fetches_what_is_due(host: Host) -> None:
    """Started by the timer it leaves alone what is fresh; started by hand it does not."""
    del host.rotation["schedule"]
    host.start("rotator-once")
    host.start("rotator-once")
    assert len(host.events("cycle ended", "rotator-once")) == 2
    host.drop_in("[Timer]\nRandomizedDelaySec=0\n", "rotator-once.timer")
    ended = host.show("ExecMainExitTimestampMonotonic", "rotator-once")
    host.run("systemctl", "start", "rotator-once.timer")
    until(
        lambda: host.show("ExecMainExitTimestampMonotonic", "rotator-once") not in {ended, "0"},
        what="the timer",
    )
    assert host.show("Result", "rotator-once") == "success"
    # A cycle that finds everything fresh is told on the level debug alone.
    assert len(host.events("cycle ended", "rotator-once")) == 2


def test_failure_is_announced(host: Host) -> None:
    """A configuration that is wrong ends the start, is not tried again, and is said loudly."""
    host.put("/etc/rotator/rotator.yaml", "version: 2\n", mode=0o644)
    code, _ = host.machine.attempt("systemctl", "start", "rotator")
    assert code != 0
    until(lambda: "go stale" in host.journal("--priority=crit"), 20, "the failure unit")
    assert (host.show("ActiveState"), host.show("NRestarts")) == ("failed", "0")
    assert "systemctl status rotator" in host.journal("--priority=crit")


def test_a_crash_is_not_the_end(host: Host) -> None:
    """Killed, it is started again, for ever."""
    host.drop_in("[Service]\nRestartSec=10ms\n")
    host.start()
    for number in range(1, 8):
        pid = host.main_pid()
        host.kill("KILL", pid)
        until(lambda n=number: host.show("NRestarts") == str(n), 30, "the restart")
        until(lambda: host.show("ActiveState") == "active", 30, "the daemon to be up")
