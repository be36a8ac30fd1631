"""What `make install` puts on a host, keeps, and takes away again."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rotator.cli import cli
from tests.e2e.systemd_host import Host
from tests.fixtures.version_0_1_0 import put_0_1_0
from tests.servers.debian_root import PROJECT, install
from tests.support import need

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.systemd_machine import SystemdMachine

pytest_plugins = ["tests.e2e.systemd_fixtures"]
# On the machine that test_systemd.py boots.
pytestmark = pytest.mark.timeout(600)


def test_upgrade_keeps_the_configuration(installed: Path, tmp_path: Path) -> None:
    """`make install` over 0.1.0 changes no configuration and no drop-in, and leaves no module."""
    root = tmp_path / "root"
    shutil.copytree(installed, root, symlinks=True)
    yours = (
        root / "etc/rotator/rotator.yaml",
        root / "etc/systemd/system/rotator.service.d/mine.conf",
    )
    for path in yours:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# mine\n")
    page = root / "usr/local/share/man/man1/rotator.1"
    page.unlink()
    put_0_1_0(root / "opt/rotator")
    (packages,) = root.glob("opt/rotator/lib/python3*/site-packages")
    assert (packages / "rotator/core/looking.py").exists()
    install(root)
    assert not (packages / "rotator/core/looking.py").exists()
    assert (packages / "rotator/cli.py").exists()
    assert [path.read_text() for path in yours] == ["# mine\n"] * 2
    assert page.exists()
    shutil.rmtree(root)


def test_uninstall_leaves_what_is_yours(installed: Path, tmp_path: Path) -> None:
    """`make uninstall` leaves configuration, drop-ins, journal and what was published."""
    root = tmp_path / "root"
    shutil.copytree(
        installed, root, symlinks=True, ignore=shutil.ignore_patterns("lib64", "python*")
    )
    yours = {
        "etc/rotator/rotator.yaml",
        "etc/systemd/system/rotator.service.d/mine.conf",
        "var/lib/rotator/host.json",
        "opt/.docker/config.json",
    }
    for path in yours:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("mine\n")
    assert make("uninstall", root).returncode == 0
    left = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert left == yours


def test_uninstall_stops_what_runs(other_machine: SystemdMachine) -> None:
    """On a host: daemon and timer are gone at once, and jobs keep their file."""
    machine = other_machine
    Host(machine).start()
    # What the timer started may be stopped half way, which systemd takes for a failure.
    dropin = "/run/systemd/system/rotator-once.service.d"
    fails = "printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n'"
    machine.run("sh", "-c", f"mkdir {dropin} && {fails} >{dropin}/fails.conf")
    machine.run("systemctl", "daemon-reload")
    assert machine.attempt("systemctl", "start", "rotator-once")[0] != 0
    machine.run("systemctl", "enable", "--now", "rotator", "rotator-once.timer")
    machine.installer("uninstall")
    left = machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "rotator*")
    assert left == ""
    assert machine.attempt("sh", "-c", "command -v rotator")[0] != 0
    assert machine.run("find", "/etc/systemd/system", "-name", "rotator*", "-type", "l") == ""
    for stored in (
        "/opt/.docker/config.json",
        "/etc/rotator/rotator.yaml",
        "/var/lib/rotator/host.json",
    ):
        machine.run("test", "-s", stored)
    machine.run("id", "rotator")


def make(target: str, root: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `make install` or `make uninstall` where there are no packages to be had."""
    reach = {"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    words = [f"{name}={value}" for name, value in {"DESTDIR": root, **variables}.items()]
    command = ["make", target, *words]
    return subprocess.run(
        command, cwd=PROJECT, env=reach, capture_output=True, text=True, check=False
    )


def test_a_shared_prefix_is_refused(tmp_path: Path) -> None:
    """Removing it would remove what others put there."""
    (tmp_path / "usr/local/bin").mkdir(parents=True)
    done = make("install", tmp_path, PREFIX="/usr/local")
    assert done.returncode != 0
    assert "PREFIX=/opt/rotator" in done.stderr
    assert [path.name for path in (tmp_path / "usr/local").iterdir()] == ["bin"]


def test_somebody_elses_environment_is_left(tmp_path: Path) -> None:
    """A virtual environment in PREFIX that rotator did not make is neither used nor removed."""
    theirs = tmp_path / "opt/theirs/pyvenv.cfg"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("home = /usr/bin\nprompt = 'theirs'\n")
    assert "holds something else" in make("install", tmp_path, PREFIX="/opt/theirs").stderr
    make("uninstall", tmp_path, PREFIX="/opt/theirs")
    assert theirs.exists()


def test_what_was_interrupted_can_be_typed_again(tmp_path: Path) -> None:
    """The second time says what the first one did: it is not in its own way."""
    first, second = (make("install", tmp_path) for _ in range(2))
    assert first.returncode != 0
    assert (tmp_path / "opt/rotator").is_dir()
    assert "No matching distribution" in first.stderr
    assert "No matching distribution" in second.stderr
    make("uninstall", tmp_path)
    assert not (tmp_path / "opt/rotator").exists()


def test_manual_page(installed: Path) -> None:
    """It names every command and option, and `man` finds no mistake in it."""
    path = installed / "usr/local/share/man/man1/rotator.1"
    done = subprocess.run(
        [need("man", "man-db"), "--warnings", "--local-file", path],
        env={"LC_ALL": "C.UTF-8", "MANWIDTH": "100", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    options = [option for one in [cli, *cli.commands.values()] for option in one.params]
    words = {word for option in options for word in option.opts if word.startswith("-")}
    assert {word for word in words | cli.commands.keys() if word not in done.stdout} == set()


def test_completion(host: Host) -> None:
    """The installed completion answers in a real shell, on the machine."""
    script = (
        ". /usr/local/share/bash-completion/completions/rotator\n"
        "COMP_WORDS=(rotator run-once --on) COMP_CWORD=2\n"
        '_rotator_completion rotator; echo "${COMPREPLY[@]}"\n'
    )
    assert host.run("bash", "-s", text=script).strip() == "--only-due"


def test_example_is_right(host: Host) -> None:
    """The installed program is content with the configuration that the installation brings."""
    example = "/usr/local/share/doc/rotator/config/ecr-to-file.yaml"
    assert "is right" in host.run("rotator", "--config", example, "check", "--offline")


@pytest.mark.parametrize(
    ("programs", "start"),
    [
        (["systemctl", "systemd-sysusers", "systemd-tmpfiles"], "systemctl enable --now rotator"),
        ([], "rotator run"),
    ],
    ids=["systemd", "none"],
)
def test_what_a_debian_package_says(tmp_path: Path, programs: list[str], start: str) -> None:
    """Where there is no systemd, the next command is none of its; an upgrade says nothing."""
    for name in ("python3", *programs):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    said = []
    for old in ("", "0.1.0"):
        done = subprocess.run(
            ["/bin/sh", PROJECT / "deploy/debian/postinst", "configure", old],
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout + done.stderr)
    assert f"rotator check --offline && {start}\n" in said[0]
    assert (bool(programs), "no systemd here" in said[0]) in {(True, False), (False, True)}
    assert said[0].count("systemctl") == bool(programs)
    assert said[1] == ""
