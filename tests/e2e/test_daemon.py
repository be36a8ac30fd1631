"""`rotator run` as systemd runs it: the installed command, its signals and its messages."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.e2e.running import Daemon
from tests.fakes.vault_door import VaultDoor
from tests.servers.openbao import unique
from tests.support import MARKED, until

if TYPE_CHECKING:
    from tests.e2e.site import Site


@pytest.fixture
def site(site: Site) -> Site:
    """A site whose targets are looked at every second."""
    site.rotation["schedule"] = {"poll": "1s"}
    return site


def test_start_publishes_and_stop_is_orderly(site: Site) -> None:
    """READY comes when the first cycle has ended; SIGTERM ends it with exit code 0."""
    with Daemon(site) as daemon:
        daemon.ready()
        assert site.published().keys() == {site.registry.host, site.ecr.host}
        until(lambda: any("job-safe" in m for m in daemon.messages()), 10, "a VIEW sentence")
        until(lambda: "WATCHDOG=1" in daemon.messages(), 10, "the watchdog to be fed")
        assert daemon.end() == 0
        assert "STOPPING=1" in daemon.messages()


def test_a_changed_password_is_picked_up(site: Site) -> None:
    """A new password in Vault is published within `poll`, without asking ECR again."""
    with Daemon(site) as daemon:
        daemon.ready()
        calls = site.ecr.calls
        site.put(f"{MARKED}harbor-2")
        until(lambda: site.published()[site.registry.host][1] == site.password, 20, "the new one")
        assert site.ecr.calls == calls


def test_drift_is_repaired_without_a_fetch(site: Site) -> None:
    """A file that somebody emptied or removed is back within `poll`, from memory."""
    with Daemon(site) as daemon:
        daemon.ready()
        calls, good = site.ecr.calls, site.published()
        site.file.write_text("")
        until(site.file.read_text, 20, "the emptied file to be repaired")
        assert site.published() == good
        site.file.unlink()
        until(site.file.exists, 20, "the removed file to be back")
        assert site.published() == good
        assert site.ecr.calls == calls


def test_an_old_document_applied_again_is_drift(site: Site) -> None:
    """A login that died with its rotation is none; the same, put back by somebody, is."""
    metrics = site.place / "rotator.prom"
    site.top["metrics_file"] = str(metrics)
    repairs = f'rotator_drift_repairs_total{{rotation="site",target="file:{site.file}"}}'
    with Daemon(site) as daemon:
        daemon.ready()
        old = site.file.read_bytes()
        site.put(f"{MARKED}harbor-2")
        rotated = 'rotator_cycles_total{outcome="rotated",rotation="site"} 2.0'
        until(lambda: rotated in metrics.read_text(), 20, "the new one")
        assert f"{repairs} 0.0" in metrics.read_text()
        site.file.write_bytes(old)
        until(lambda: f"{repairs} 1.0" in metrics.read_text(), 20, "the repair")
        assert [one["why"] for one in daemon.events("published")][2:] == ["rejected", "rejected"]


def test_a_restart_fetches_nothing(site: Site) -> None:
    """What is published and fresh is adopted from the file: a restart costs no token."""
    with Daemon(site) as daemon:
        daemon.ready()
        daemon.end()
    calls, inode = site.ecr.calls, site.file.stat().st_ino
    with Daemon(site) as daemon:
        daemon.ready()
        daemon.end()
    assert (site.ecr.calls, site.file.stat().st_ino) == (calls, inode)


def test_reload_takes_a_good_file_and_refuses_a_bad_one(site: Site, tmp_path: Path) -> None:
    """SIGHUP swaps in what is right; what is wrong is reported with its line, the old goes on."""
    second = tmp_path / "docker" / "second.json"
    with Daemon(site) as daemon:
        daemon.ready()
        (site.place / "rotator.yaml").write_text("version: 1\nrotatoins: []\n")
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.events("configuration not reloaded"), 10, "the refusal")
        assert "rotator.yaml:2:1" in str(daemon.events("configuration not reloaded")[0]["problems"])
        site.put(f"{MARKED}harbor-2")
        until(lambda: site.published()[site.registry.host][1] == site.password, 20, "the old one")
        site.rotation["targets"] = [site.target, {"type": "file", "path": str(second)}]
        site.write()
        daemon.signal(signal.SIGHUP)
        until(second.exists, 20, "the new target")
        assert daemon.end() == 0


def test_a_second_daemon_is_refused(site: Site) -> None:
    """One daemon a state directory: the second exits 75 and names the first."""
    with Daemon(site) as daemon:
        daemon.ready()
        assert daemon.process is not None
        result = site.command("run")
        assert result.code == 75
        assert str(daemon.process.pid) in result.err


def test_run_once_beside_the_daemon(site: Site) -> None:
    """The emergency command shares the journal: the daemon does not fetch again after it."""
    with Daemon(site) as daemon:
        daemon.ready()
        site.put(f"{MARKED}harbor-2")
        assert site.run().code == 0
        calls = site.ecr.calls
        cycles = len(daemon.events("cycle ended"))
        site.put(f"{MARKED}harbor-3")
        until(lambda: len(daemon.events("cycle ended")) > cycles, 20, "another cycle")
        assert site.ecr.calls == calls


def test_killed_at_any_time(site: Site) -> None:
    """SIGKILL costs nothing: the document stays whole, and the next start goes on."""
    site.run()
    for tenths in range(6):
        with Daemon(site) as daemon:
            assert daemon.process is not None
            with pytest.raises(subprocess.TimeoutExpired):
                daemon.process.wait(0.05 + tenths * 0.15)
            daemon.signal(signal.SIGKILL)
            daemon.process.wait(10)
            assert site.published().keys() == {site.registry.host, site.ecr.host}
    with Daemon(site) as daemon:
        daemon.ready()
    assert [path.name for path in site.file.parent.iterdir()] == [site.file.name]


def test_a_new_login_secret_is_tried_at_once(site: Site) -> None:
    """A rejected login waits for its file to change, and is then offered without delay."""
    site.rotation["sources"] = [site.vault]
    site.top["log"] = {"level": "debug"}
    good = site.token.read_text()
    site.token.write_text(f"{MARKED}wrong")
    with Daemon(site) as daemon:
        daemon.ready()
        assert daemon.events("fetch failed")[0]["reason"] == "login_rejected"
        until(lambda: len(daemon.events("cycle ended")) > 2, 20, "more cycles")
        assert len(daemon.events("fetch failed")) == len(daemon.events("held back")) == 1
        site.token.write_text(good)
        until(site.file.exists, 40, "the new token to be tried")


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_a_corrected_login_is_tried_at_once(site: Site, how: str) -> None:
    """Where the secret is right and the configuration was not, or it stands in a variable."""
    policy = site.bao.policy(f'path "{site.path}" {{ capabilities = ["read"] }}')
    mount, role_id, secret_id = site.bao.approle([policy])
    auth = {"method": "approle", "mount": mount, "role_id": role_id, "secret_id_env": "SECRET_ID"}
    wrong = {"role_id": f"{MARKED}wrong"} if how == "reload" else {}
    site.rotation["sources"] = [{**site.vault, "auth": {**auth, **wrong}}]
    site.environment["SECRET_ID"] = secret_id if how == "reload" else f"{MARKED}wrong"
    with Daemon(site) as daemon:
        daemon.ready()
        assert daemon.events("fetch failed")[0]["reason"] == "login_rejected"
        if how == "reload":
            site.rotation["sources"] = [{**site.vault, "auth": auth}]
            site.write()
            daemon.signal(signal.SIGHUP)
            until(site.file.exists, 40, "the login that was corrected")
        assert daemon.end() == 0
    site.environment["SECRET_ID"] = secret_id
    with Daemon(site):
        until(site.file.exists, 40, "the secret that was corrected")


def test_a_target_does_not_offer_a_refused_login_again(site: Site) -> None:
    """A few wrong secret ids lock the role for everybody; a new one is tried at once."""
    policy = site.bao.policy('path "secret/*" { capabilities = ["create", "read", "update"] }')
    mount, role_id, secret_id = site.bao.approle([policy])
    file = site.place / "secret-id"
    file.write_text(f"{MARKED}wrong")
    file.chmod(0o600)
    auth = {"method": "approle", "mount": mount, "role_id": role_id, "secret_id_file": "secret-id"}
    with VaultDoor(site.bao.url) as door:
        hub = {"type": "vault_kv", "address": door.url, "auth": auth, "path": unique("secret/hub")}
        site.rotation |= {"sources": [site.vault], "targets": [site.target, hub]}
        site.top["log"] = {"level": "debug"}
        with Daemon(site) as daemon:
            daemon.ready()
            until(lambda: len(daemon.events("cycle ended")) > 5, 40, "more cycles")
            assert len(daemon.events("read failed")) == 1
            assert door.asked(part="login") == 1
            file.write_text(secret_id)
            until(lambda: len(daemon.events("published")) == 2, 40, "the new secret id")


def test_memory_is_private(site: Site) -> None:
    """The daemon writes no core dump, and other processes of its user can't look into it."""
    # Root may look into everybody, unless he has given that up.
    before = ["setpriv", "--bounding-set", "-sys_ptrace"] if os.geteuid() == 0 else []

    def look_into(process: int) -> bytes:
        """Open the memory of a process, and return what the kernel says against it."""
        command = [*before, "head", "-c", "0", f"/proc/{process}/mem"]
        return subprocess.run(command, capture_output=True, check=False).stderr

    with subprocess.Popen([*before, "cat"], stdin=subprocess.PIPE) as other:
        until(lambda: look_into(other.pid) == b"", 10, "any other process to be open")
        assert other.stdin is not None
        other.stdin.close()
    with Daemon(site, before) as daemon:
        daemon.ready()
        assert daemon.process is not None
        limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
        assert b"Permission denied" in look_into(daemon.process.pid)


def test_config_errors_end_the_start(site: Site) -> None:
    """A configuration that is wrong at the start is exit code 2, with every line."""
    site.write()
    (site.place / "rotator.yaml").write_text(yaml.safe_dump({"version": 2}))
    result = site.command("run")
    assert result.code == 2
    assert "rotator.yaml:1:" in result.err
