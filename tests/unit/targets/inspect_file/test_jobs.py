"""What `check` says of the jobs that read a file: their mounts, and whether they may."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from rotator.inspection import Finding
from rotator.system import mounts
from rotator.targets import inspect_file as file
from tests.privileges import obey_modes
from tests.support import missing, need
from tests.unit.checks.described import bad, case, login_file, rotation, the
from tests.unit.targets.inspect_file.rig import MOUNTINFO, Rig

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@contextmanager
def job(script: str, *places: Path) -> Iterator[None]:
    """Run a shell in a mount table of its own, as a container has it; $1, $2… are the places."""
    if os.geteuid():
        missing(
            "root, who may mount", "sudo .venv/bin/pytest tests/unit/targets/test_inspect_file.py"
        )
    command = [
        need("unshare", "util-linux"),
        "--mount",
        "sh",
        "-ec",
        f"{script}; echo ready; read _",
    ]
    process = subprocess.Popen(
        [*command, "sh", *map(str, places)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.communicate("\n", timeout=10)


BIND = 'mkdir -p "$2" && rmdir "$2" && touch "$2" && mount --bind "$1" "$2"'

BIND_FOLDER = 'mkdir -p "$2" && mount --bind "$1" "$2"'


def test_single_file_mounted(rig: Rig) -> None:
    """A running job that mounts the single file keeps the old one, before and after a publish."""
    with job(BIND, rig.file, rig.place / "inside"):
        found = the(rig.look(), "warning", "jobs that run longer than 1 h keep the old file")
        assert f"mount the directory {rig.folder}" in found.todo
        assert "already" not in found.found
        rig.renew()
        the(rig.look(), "warning", "already an old one")
        found = the(rig.look(follows=True), "warning", "`follows: true`, but this single file")
        assert "take `follows` out" in found.todo
    assert not bad(rig.look())


def test_directory_mounted(rig: Rig) -> None:
    """A job that mounts the directory sees each new document: nothing to warn of."""
    with job(BIND_FOLDER, rig.folder, rig.place / "inside"):
        rig.renew()
        found = rig.look()
        assert not bad(found)
        the(found, "ok", "its directory is mounted by")


def test_job_that_is_not_root(rig: Rig) -> None:
    """A job of another user can't read a file of mode 0600; a mode with a group mends that."""
    script = f"{BIND_FOLDER}; exec setpriv --reuid 1234 --regid 1234 --clear-groups sh -c"
    script += " 'echo ready; read _'"
    with job(script, rig.folder, rig.place / "inside"):
        assert '`mode: "0640"`' in the(rig.look(), "warning", "can't read it (mode 0600").todo
        os.chown(rig.file, 0, 1234)
        rig.file.chmod(0o640)
        assert not bad(rig.look())


ALL, REMAPPED = "0 0 4294967295\n", "0 100000 65536\n"

IDS = "Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\n"

VIEW = f"Name:\tsh\n{IDS}Groups:\t\nCapEff:\t{{able}}\n"


@pytest.mark.parametrize(
    ("uid", "able", "maps", "reads"),
    [
        pytest.param(0, "1ffffffffff", (ALL, ALL), True, id="root"),
        pytest.param(1000, "0", (ALL, ALL), False, id="a user"),
        pytest.param(100000, "1ffffffffff", (REMAPPED, REMAPPED), False, id="remapped root"),
        pytest.param(100000, "1ffffffffff", (ALL, REMAPPED), False, id="remapped group"),
        pytest.param(1000, "1ffffffffff", (ALL, ALL), True, id="a capable user"),
    ],
)
def test_who_reads(
    tmp_path: Path, uid: int, able: str, maps: tuple[str, str], *, reads: bool
) -> None:
    """Capabilities count only where the owner has a number in the job's user namespace."""
    config = tmp_path / "config.json"
    config.touch()
    config.chmod(0o600)
    root = list(config.stat())
    root[4] = root[5] = 0
    process = tmp_path / "7"
    (process / "ns").mkdir(parents=True)
    (process / "status").write_text(VIEW.format(uid=uid, able=able))
    for name, mapping in zip(("uid_map", "gid_map"), maps, strict=True):
        (process / name).write_text(mapping)
    assert mounts._reads("7", os.stat_result(root), tmp_path) is reads


def test_containers_are_named(tmp_path: Path) -> None:
    """A process in a container is called by the container's short id."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(f"0::/system.slice/docker-{'ab' * 32}.scope\n")
    assert mounts._name("7", tmp_path) == "container abababababab"


def test_nobody_looks_into_others(tmp_path: Path) -> None:
    """Processes that we may not look at are counted, those that have ended are not."""
    config = tmp_path / "config.json"
    config.touch()
    for process, space in (("self", "mnt:[1]"), ("7", "mnt:[2]"), ("8", "")):
        (tmp_path / process / "ns").mkdir(parents=True)
        if space:
            (tmp_path / process / "ns" / "mnt").symlink_to(space)
        (tmp_path / process / "mountinfo").write_text(MOUNTINFO)
    (tmp_path / "7" / "mountinfo").chmod(0)
    obey_modes(on=True)
    try:
        assert mounts.holders(config, config.stat(), tmp_path) == ([], 1)
    finally:
        obey_modes(on=False)


def test_as_a_user_who_may_less() -> None:
    """Who is not root can't give a file away, and sees no mounts of others: said, with the way."""
    with TemporaryDirectory() as folder, as_nobody(Path(folder)):
        rig = Rig(Path(folder))
        found = rig.look(owner="root")
        the(found, "failure", "only root can give the file to `owner: root`")
        assert the(found, "ok", "can't be searched for mounts").todo.startswith("sudo rotator")


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Be a user who may little, in a folder of theirs, if this is root."""
    if os.geteuid():
        yield
        return
    os.chown(folder, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_remapped_docker(rig: Rig, tmp_path: Path) -> None:
    """Docker's userns-remap makes root in a job somebody else, who can't read mode 0600."""
    one = case(rotation([login_file(tmp_path)], [rig.settings]))
    target = one.rotation.targets[0]
    daemon = tmp_path / "daemon.json"
    for text, level in (('{"userns-remap": "ci:ci"}', "warning"), ("garbage", "ok"), ("[]", "ok")):
        daemon.write_text(text)
        [found] = file._mode(target, rig.file.stat(), daemon)  # type: ignore[arg-type]
        assert isinstance(found, Finding)
        assert found.level == level
