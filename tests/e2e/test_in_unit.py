"""What root types on a host with the installed unit runs as the unit does."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from rotator.signals import ENDING
from tests.e2e.systemd_host import PUBLISHED
from tests.servers.debian_root import PROJECT
from tests.support import MARKED, until

if TYPE_CHECKING:
    import signal

    from tests.e2e.systemd_host import Host

pytest_plugins = ["tests.e2e.systemd_fixtures"]
# On the machine that test_systemd.py boots.
pytestmark = pytest.mark.timeout(600)

JOURNAL = "/var/lib/rotator/host.json"


def as_json(host: Host, *words: str) -> dict[str, Any]:
    """Return what a command says of the one rotation; nothing else is on standard output."""
    command = host.machine.command("rotator", *words, "--json")
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    (rotation,) = json.loads(done.stdout)["rotations"]
    return dict(rotation)


def test_run_once(host: Host, vault_login: str) -> None:
    """It publishes with the unit's secrets and user, prints here, and leaves nothing failed."""
    host.start()
    host.run("rm", PUBLISHED)
    said = host.run("rotator", "run-once")
    assert set(host.published().values()) == {f"{MARKED}extra", f"{MARKED}vault"}
    assert "extra.example.com" in said
    assert "failed" not in said
    for path in (PUBLISHED, JOURNAL):
        assert host.status_of(path) == "rotator:rotator 600"
    assert as_json(host, "status")["job_safe"]
    assert host.run("systemctl", "list-units", "--all", "--no-legend", "rotator-command*") == ""


def test_json_is_json(host: Host) -> None:
    """Standard output is the document alone, and standard input reaches the command."""
    host.configure()
    assert as_json(host, "run-once")["outcome"] == "rotated"


def test_check(host: Host, vault_login: str) -> None:
    """`check` sees the unit's secrets and what the unit may write."""
    host.start()
    said = host.run("rotator", "check")
    assert "0 failures" in said


def test_status_live(host: Host, vault_login: str) -> None:
    """The targets are read as the daemon reads them."""
    host.start()
    targets = as_json(host, "status", "--live")["targets"]
    assert {e["entry"] for t in targets for e in t["live"]["entries"]} == {"current"}


def test_check_document(host: Host) -> None:
    """A document that only root may read is judged; it is given to the unit, not its name."""
    host.start()
    host.put("/root/job.json", host.file(PUBLISHED).read_text())
    for words in (["--document", "/root/job.json"], ["--document=/root/job.json"]):
        code, said = host.machine.attempt("rotator", "check", *words)
        assert code == 0, said
        assert "what rotator wrote last" in said
        assert "/root/job.json" in said
    code, said = host.machine.attempt("rotator", "check", "--document", "/root/none.json")
    assert (code, "cannot read /root/none.json" in said) == (2, True)


def test_exit_codes_pass(host: Host) -> None:
    """A failure, a wrong name and a wrong configuration end as they do elsewhere."""
    host.run("rm", "/etc/rotator/extra.json")
    host.configure()
    assert host.machine.attempt("rotator", "run-once")[0] == 1
    assert host.machine.attempt("rotator", "run-once", "hots")[0] == 2
    host.put("/etc/rotator/rotator.yaml", "version: 2\n", mode=0o644)
    assert host.machine.attempt("rotator", "run-once")[0] == 2


def test_others_have_to_ask_root(host: Host) -> None:
    """Another user, and even the unit's own, lacks the secrets: nothing is touched."""
    host.start()
    for user in ("nobody", "rotator"):
        for words in (["run-once"], ["check"], ["status", "--live"]):
            code, said = host.machine.attempt("rotator", *words, user=user)
            assert code == 2, said
            assert f"sudo rotator {' '.join(words)}" in said
    code, said = host.machine.attempt("rotator", "status", user="nobody")
    assert code != 0
    assert "no cycle yet" not in said
    assert "sudo rotator status" in said


def test_before_a_reload_it_names_the_line_to_type(host: Host) -> None:
    """Where systemd has not read the unit, or has no D-Bus, nothing is touched."""
    host.configure()
    for away, line in (
        ("/run/systemd/generator/rotator-command-.service.d", "systemctl daemon-reload"),
        ("/run/dbus/system_bus_socket", "systemctl start rotator-once"),
    ):
        host.run("mv", away, "/run/away")
        code, said = host.machine.attempt("rotator", "run-once")
        host.run("mv", "/run/away", away)
        assert (code, line in said) == (2, True), said
    assert host.machine.attempt("test", "-e", JOURNAL)[0] != 0


def test_changes_to_the_unit_count(host: Host) -> None:
    """A drop-in for the daemon is one for what root types, and its own keys are left out."""
    host.drop_in(
        "[Service]\nWatchdogSec=7s\nRestart=no\nExecStartPre=/bin/sh \\\n  -c 'touch /run/pre'\n"
        "Environment=ROTATOR_CONFIG=/etc/rotator/other.yaml\n"
    )
    host.rotation["name"] = "other"
    host.configure()
    host.run("mv", "/etc/rotator/rotator.yaml", "/etc/rotator/other.yaml")
    assert as_json(host, "run-once")["name"] == "other"
    assert host.machine.attempt("test", "-e", "/run/pre")[0] != 0


def test_another_configuration_runs_here(host: Host) -> None:
    """What root brings a configuration of its own for is none of the unit's business."""
    host.configure()
    own = host.file("/etc/rotator/rotator.yaml").read_text()
    own = own.replace(PUBLISHED, "/root/docker/config.json") + "state_dir: /root/state\n"
    host.put("/root/own.yaml", own)
    host.run("mkdir", "-p", "/root/docker")
    host.run("rotator", "--config", "/root/own.yaml", "run-once")
    assert host.status_of("/root/docker/config.json") == "root:root 600"


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_reaches_it(host: Host, number: signal.Signals) -> None:
    """What ends it here ends the command in the unit, with the same exit code, and is said."""
    slow = "#!/bin/sh\nexec sleep 45\n"
    host.put("/usr/local/bin/docker-credential-slow", slow, mode=0o755)
    host.rotation["sources"] = [
        {"type": "credential_helper", "helper": "slow", "timeout": "40s", "registries": ["s.test"]}
    ]
    host.configure()
    # A shell's background job ignores SIGINT unless it is told otherwise.
    typed = "env --default-signal rotator run-once & echo $! >/run/typed; wait $!"
    command = host.machine.command("sh", "-c", typed)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: "sleep 45" in commands(host), 30, "the helper to run")
        host.run("sh", "-c", f"kill -{number:d} $(cat /run/typed)")
        said = running.communicate(timeout=30)[1]
    line = f"interrupted by {number.name}"
    assert (running.returncode, line in said) == (128 + number, True), said
    assert commands(host) == ""


def commands(host: Host) -> str:
    """Return the units of commands that run, with their processes."""
    return host.machine.attempt("systemctl", "status", "--no-pager", "rotator-command-*")[1]


def readme_configuration() -> str:
    """Return the example of the README, word for word."""
    text = (PROJECT / "README.md").read_text()
    found = re.search(r"```yaml\n(version: 1\n.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_readmes_configuration(host: Host) -> None:
    """Its secret is found under its own name, and `check` names the step that is missing."""
    host.put("/etc/rotator/rotator.yaml", readme_configuration(), mode=0o644)
    host.run("systemctl", "daemon-reload")
    said = host.machine.attempt("rotator", "check", "--consume")[1]
    assert "/etc/credstore/secret-id" in " ".join(said.split())
    host.put("/etc/credstore/secret-id", f"{MARKED}secret-id")
    host.run("systemctl", "start", "rotator")
    credential = "/run/credentials/rotator.service/secret-id"
    assert host.run("cat", credential) == f"{MARKED}secret-id"
    for said in (
        host.machine.attempt("rotator", "check", "--consume")[1],
        host.journal("--unit=rotator"),
    ):
        assert "secret file" not in said
        assert "vault.example.com" in said
