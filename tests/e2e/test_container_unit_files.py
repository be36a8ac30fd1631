"""What the units that run the image say: Podman's quadlets and Docker's are alike, and right."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_container_units import UNITS, below, lines
from tests.support import need

if TYPE_CHECKING:
    from pathlib import Path


def test_both_quadlets_are_alike() -> None:
    """Daemon and emergency command have the same user, secrets and directories."""
    parts = [
        re.findall(
            r"from here on the same in \S+ ---\n(.*?)# --- up to here", path.read_text(), re.DOTALL
        )
        for path in sorted(UNITS.glob("podman/*.container"))
    ]
    assert len(parts) == 2
    assert parts[0] == parts[1] != []


def test_both_docker_units_are_alike() -> None:
    """All containers are started with the same options."""
    texts = [path.read_text() for path in sorted(UNITS.glob("docker/*.service"))]
    runs = [line for text in texts for key in ("ExecStart", "ExecStartPre")
            for line in lines(text, key) if " run " in line]  # fmt: skip
    options = {re.sub(r"--name \S+|\S*rotator:\S+ .*", "", line).split(" ", 1)[1] for line in runs}
    assert len(runs) == 3
    assert len({" ".join(one.split()) for one in options}) == 1


@pytest.mark.parametrize("name", ["rotator", "rotator-once"])
def test_the_docker_units_are_right(name: str) -> None:
    """Systemd knows every key."""
    unit = UNITS / f"docker/{name}.service"
    done = subprocess.run(
        [need("systemd-analyze", "systemd"), "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if str(unit) in line or name in line]
    assert [line for line in said if "docker.service" not in line
            and "/usr/bin/docker is not executable" not in line] == []  # fmt: skip


@pytest.mark.parametrize("unit", sorted(UNITS.glob("podman/*")) + sorted(UNITS.glob("docker/*")))
def test_only_its_own_secrets_are_copied(tmp_path: Path, unit: Path) -> None:
    """Other services' stay root's; the copy is in a directory that systemd removes at the stop."""
    store = tmp_path / "etc/credstore"
    store.mkdir(parents=True)
    names = {"secret-id", "vault.token", "quoted", "kube.conf", "aws-credentials"}
    others = {"secret", "token", "secret-id-2", "postgres", "id", "passwd"}
    for name in names | others:
        (store / name).touch(mode=0o600)
    (store / "folder").mkdir()
    (tmp_path / "etc/rotator").mkdir()
    (tmp_path / "etc/rotator/rotator.yaml").write_text(
        "secret_id_file: secret-id\nauth: {token_file: vault.token}\n"
        "'a_file': \"quoted\"\njwt_file: /etc/passwd\n"
        "kubeconfig: /run/credentials/rotator/kube.conf\n"
    )
    text = unit.read_text()
    for line in lines(text, "ExecStartPre"):
        if "/usr/bin/docker" not in line:
            subprocess.run(shlex.split(below(tmp_path, line)), check=True)
    copies = tmp_path / "run/rotator-credentials"
    assert {path.name for path in copies.iterdir()} == names
    assert {path.stat().st_mode & 0o777 for path in copies.iterdir()} == {0o400}
    assert lines(text, "RuntimeDirectory") == ["rotator-credentials"]
    assert "/run/%N-credentials:" in text
