"""What `check` says of a file: can it be replaced, who has it mounted, who can read it."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from rotator.inspection import Finding
from rotator.system import mounts
from rotator.system.mounts import Mount
from rotator.targets import inspect_file as file
from tests.privileges import obey_modes
from tests.support import missing, need
from tests.unit.checks.described import bad, case, file_target, login_file, look, rotation, the
from tests.unit.targets.file.desk import publish

if TYPE_CHECKING:
    from collections.abc import Iterator


DOCUMENT = '{"auths":{}}\n'
NOBODY = 65534


class Rig:
    """A rotation to one file, which is there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.settings = file_target(place)
        self.folder = place / "docker"
        self.file = self.folder / "config.json"
        self.file.write_text(DOCUMENT)
        self.file.chmod(0o600)

    def look(self, **more: Any) -> list[Finding]:
        """Return what is found about the file."""
        one = rotation([login_file(self.place)], [self.settings | more])
        return [f for f in look(self.place, one) if f.about == "the file"]

    def renew(self) -> None:
        """Replace the file, as a cycle does."""
        publish(self.file, DOCUMENT)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Give a file that is well."""
    tmp_path.chmod(0o755)
    yield Rig(tmp_path)
    obey_modes(on=False)


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


def test_all_is_well(rig: Rig) -> None:
    """A file that can be replaced and read is told to be so; it is the same file afterwards."""
    before = rig.file.stat()
    found = rig.look()
    assert not bad(found)
    the(found, "ok", "can be replaced")
    the(found, "ok", "mode 0600: jobs that run as root")
    after = rig.file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert [one.name for one in rig.folder.iterdir()] == ["config.json"]


def test_no_directory(rig: Rig) -> None:
    """A missing directory: the command that makes it."""
    rig.file.unlink()
    rig.folder.rmdir()
    assert "mkdir -p" in the(rig.look(), "failure", "No such file").todo


def test_unsafe_directory(rig: Rig) -> None:
    """A directory where others can write is refused, by the driver's own rule."""
    rig.folder.chmod(0o777)
    assert "chmod go-w" in the(rig.look(), "failure", "others can write").todo


def test_directory_of_others(rig: Rig) -> None:
    """A directory that we may not write in is found out without a write."""
    rig.folder.chmod(0o555)
    obey_modes(on=True)
    # capabilities are a thread's own: asked here, and not in the fan-out's threads
    one = case(rotation([login_file(rig.place)], [rig.settings]))
    found = file.inspect(one.rotation.targets[0], one)  # type: ignore[arg-type]
    findings = [each for each in found if isinstance(each, Finding)]
    assert "ls -ld" in the(findings, "failure", "Permission denied").todo


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o640, "its group can read it"), (0o644, "everybody on this machine can read it")],
)
def test_mode(rig: Rig, mode: int, words: str) -> None:
    """What the mode means for jobs is told; one that is not as configured is a warning."""
    rig.file.chmod(mode)
    found = rig.look(mode="0600")
    the(found, "ok", words)
    assert the(found, "warning", "another mode").todo == f"chmod 0600 {rig.file}"


def test_in_place_without_need(rig: Rig) -> None:
    """Writing in place where a rename would do is not atomic, and said."""
    the(rig.look(write="in_place"), "warning", "is no mount point")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("eyJhdXRocyI6e319", "it is base64"),
        ('DOCKER_AUTH_CONFIG={"auths":{}}', "`DOCKER_AUTH_CONFIG=` is in front"),
        ("'{\"auths\":{}}'", "it is in single quotes"),
    ],
    ids=["base64", "name", "quotes"],
)
def test_a_document_with_something_around_it(rig: Rig, text: str, words: str) -> None:
    """No client reads it: what is around it is said."""
    rig.file.write_text(text)
    found = rig.look()
    the(found, "ok", words)
    the(found, "failure", "the docker config cannot be read")


def test_malformed_document(rig: Rig) -> None:
    """A file that is no docker config is a failure."""
    rig.file.write_text('{"auths": ')
    the(rig.look(), "failure", "not JSON")


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


def test_path_is_a_mount_point(rig: Rig) -> None:
    """A path that is itself a mount can't be replaced; in place it can be written, not safely."""
    with mounted(rig):
        assert "mount the directory" in the(rig.look(), "failure", "resource busy").todo
        the(rig.look(write="in_place"), "warning", "can read a part of it")


@contextmanager
def mounted(rig: Rig) -> Iterator[None]:
    """Mount the file over itself in our own mount table."""
    if os.geteuid():
        missing(
            "root, who may mount", "sudo .venv/bin/pytest tests/unit/targets/test_inspect_file.py"
        )
    subprocess.run(["mount", "--bind", rig.file, rig.file], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", rig.file], check=True)


MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 27 8:2 /@opt /opt rw,relatime - btrfs /dev/sdb rw
63 43 8:2 /@opt/my\040dir/config.json//deleted /root/.docker/config.json rw - btrfs /dev/sdb rw
"""


def test_mount_table(tmp_path: Path) -> None:
    """Spaces, subvolumes and replaced files are read as the kernel writes them."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "mountinfo").write_text(MOUNTINFO)
    table = mounts.table("7", tmp_path)
    assert table[-1] == Mount(
        "8:2", "/@opt/my dir/config.json", "/root/.docker/config.json", deleted=True, system="btrfs"
    )
    path = tmp_path.__class__("/opt/my dir/config.json")
    assert mounts.place(path, table) == ("8:2", "/@opt/my dir/config.json")


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
