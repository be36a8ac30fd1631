"""The drop-ins in systemd/drop-ins, each doing what it is for on a real systemd."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.e2e.systemd_host import EXTRA, PUBLISHED, UNITS
from tests.support import MARKED, until

if TYPE_CHECKING:
    from tests.e2e.systemd_host import Host

pytest_plugins = ["tests.e2e.systemd_fixtures"]
# On the machine that test_systemd.py boots.
pytestmark = pytest.mark.timeout(600)


def drop_in(name: str) -> str:
    """Return the text of an example."""
    return (UNITS / "drop-ins" / name).read_text()


def test_encrypted_secret(host: Host, vault_login: str) -> None:
    """The drop-in for a secret that lies encrypted on the disk works as its comments say."""
    text = drop_in("encrypted-secret.conf")
    host.drop_in(text.replace("secret-id", "vault-token"))
    host.run("rm", "/etc/credstore/vault-token")
    sealed = "/etc/credstore.encrypted/vault-token"
    host.run("mkdir", "-p", "/etc/credstore.encrypted")
    host.run("systemd-creds", "setup")
    host.run(
        *("systemd-creds", "encrypt", "--with-key=host", "--name=vault-token", "-", sealed),
        text=vault_login,
    )
    assert vault_login.encode() not in host.file(sealed).read_bytes()
    host.start()
    assert f"{MARKED}vault" in host.published().values()


def test_more_places(host: Host) -> None:
    """With its drop-in the daemon and the emergency command write there too."""
    place = "/srv/runner-b/.docker"
    host.run("install", "-d", "-o", "rotator", "-g", "rotator", place, "/var/lib/node_exporter")
    host.rotation["targets"].append({"type": "file", "path": f"{place}/config.json"})
    host.top["metrics_file"] = "/var/lib/node_exporter/rotator.prom"
    host.configure()
    assert host.machine.attempt("systemctl", "start", "rotator-once")[0] != 0
    host.drop_in(drop_in("more-places.conf"))
    for unit in ("rotator-once", "rotator"):
        host.run("rm", "-f", f"{place}/config.json", host.top["metrics_file"])
        host.start(unit)
        assert host.status_of(f"{place}/config.json") == "rotator:rotator 600"
        until(lambda: host.file(host.top["metrics_file"]).exists(), 20, "the metrics")


def test_proxy(host: Host) -> None:
    """With its drop-in a registry is asked through the proxy."""
    heard: list[bytes] = []

    def proxy() -> None:
        connection, _ = server.accept()
        with connection:
            heard.append(connection.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=proxy, daemon=True)
        thread.start()
        text = drop_in("proxy.conf").replace(",.example.com", "")
        here = f"127.0.0.1:{server.getsockname()[1]}"
        host.drop_in(text.replace("proxy.example.com:3128", here))
        host.rotation["prove"] = "lenient"
        host.start("rotator-once")
        thread.join(20)
    assert heard[0].startswith(b"CONNECT extra.example.com:443 ")


def test_root_owned(host: Host) -> None:
    """With its drop-in the file is root's, mode 0600, and the daemon still is not root."""
    host.drop_in(drop_in("root-owned.conf"))
    host.rotation["targets"][0].update(owner="root", group="root", mode="0600")
    host.start()
    assert host.status_of(PUBLISHED) == "root:root 600"
    changed = {"auths": {"new.example.com": EXTRA["auths"]["extra.example.com"]}}
    host.put("/etc/rotator/extra.json", json.dumps(changed), owner="rotator")
    host.run("systemctl", "start", "rotator-once")
    assert "new.example.com" in host.published()
    assert host.status_of(PUBLISHED) == "root:root 600"
    assert "0" not in host.facts()["Uid"].split()
    assert not host.events("write failed")
    inside = ["nsenter", f"--target={host.main_pid()}", "--mount"]
    assert host.run(*inside, "cat", "/etc/shadow") == ""


def test_runner_group(host: Host) -> None:
    """With its drop-in a group can read the file, without any capability."""
    host.run("groupadd", "--force", "--system", "gitlab-runner")
    host.drop_in(drop_in("runner-group.conf"))
    host.rotation["targets"][0].update(group="gitlab-runner", mode="0640")
    host.start()
    assert host.status_of(PUBLISHED) == "rotator:gitlab-runner 640"
