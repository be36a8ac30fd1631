"""Who has a file mounted: read from `/proc/PID/mountinfo`, as far as we may read it.

https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import os

PROC = Path("/proc")
_DELETED = "//deleted"
_DRAFT = re.compile(r"(?<=/)\.([^/]+)\.rotator-[^/]+$")
_CONTAINER = re.compile(r"[0-9a-f]{64}")
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1 << 1, 1 << 2


class Mount(NamedTuple):
    """One line of a mount table: which part of which device is mounted where.

    `deleted`: the mounted file has lost its name since, as somebody replaced it. `system`: the type
    of its file system.
    """

    device: str
    root: str
    point: str
    deleted: bool = False
    system: str = ""


class Holder(NamedTuple):
    """Somebody with a mount table of their own in which our file, or its directory, is.

    `whole`: the directory is mounted, so that a new file shows there. `stale`: the file was
    replaced since, and they still have the old one. `reads`: their rights let them read it.
    """

    name: str
    whole: bool
    stale: bool
    reads: bool


def table(process: str = "self", proc: Path = PROC) -> list[Mount]:
    """Return a process's mount table; raise `OSError` where it can't be read."""
    mounts = []
    for line in (proc / process / "mountinfo").read_text(errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        fields = [_plain(field) for field in before.split(" ")[2:5]]
        root = fields[1].removesuffix(_DELETED)
        deleted = root != fields[1]
        if deleted:
            # A file that a rotator has replaced had a draft's name when it was removed.
            root = _DRAFT.sub(r"\1", root)
        mounts.append(Mount(fields[0], root, fields[2], deleted, after.partition(" ")[0]))
    return mounts


def points() -> frozenset[str]:
    """Return every path that something is mounted on, such as a single file of the same disk."""
    try:
        return frozenset(mount.point for mount in table())
    except OSError:
        return frozenset()


def place(path: Path, mounts: list[Mount]) -> tuple[str, str] | None:
    """Return the device that a path is on and its path there; None where that is not known."""
    covering = [mount for mount in mounts if path.is_relative_to(mount.point)]
    if not covering:
        return None
    # Of several at one point the last one covers the others.
    mount = max(reversed(covering), key=lambda each: len(each.point))
    return mount.device, str(Path(mount.root) / path.relative_to(mount.point))


def holders(path: Path, status: os.stat_result, proc: Path = PROC) -> tuple[list[Holder], int]:
    """Return who else has a file (with this status) mounted, and how many we may not look at."""
    try:
        where = place(path, table(proc=proc))
    except OSError:  # there is no /proc, or it is another's
        return [], 1
    if where is None:
        return [], 0
    device, inside = where
    found: list[Holder] = []
    hidden = 0
    spaces = {_namespace("self", proc)}
    for process in (entry.name for entry in proc.iterdir() if entry.name.isdecimal()):
        try:
            space = _namespace(process, proc)
            if space in spaces:
                continue
            mounts = table(process, proc)
            spaces.add(space)
            # A mount of `/` is a host's, or a whole container's: not made for our file.
            made_for = (one for one in mounts if one.device == device and one.root != "/")
            mount = next((one for one in made_for if Path(inside).is_relative_to(one.root)), None)
            if mount is not None:
                whole, reads = mount.root != inside, _reads(process, status, proc)
                stale = mount.deleted and not whole
                found.append(Holder(_name(process, proc), whole=whole, stale=stale, reads=reads))
        except PermissionError:
            hidden += 1
        except OSError:
            continue  # it ended meanwhile
    return found, hidden


def _reads(process: str, status: os.stat_result, proc: Path) -> bool:
    """Tell whether a process may read a file, by its ids, capabilities and user namespace.

    https://man7.org/linux/man-pages/man7/user_namespaces.7.html: a capability counts only for files
    whose owner and group have a number in the namespace.
    """
    fields = dict(
        line.split(":\t", 1)
        for line in (proc / process / "status").read_text().splitlines()
        if ":\t" in line
    )
    user, groups = int(fields["Uid"].split()[1]), {int(fields["Gid"].split()[1])}
    groups |= {int(number) for number in fields["Groups"].split()}
    able = int(fields["CapEff"], 16) & (_DAC_OVERRIDE | _DAC_READ_SEARCH)
    if able and all(
        _is_mapped(number, (proc / process / name).read_text())
        for number, name in ((status.st_uid, "uid_map"), (status.st_gid, "gid_map"))
    ):
        return True
    shift = 6 if user == status.st_uid else 3 if status.st_gid in groups else 0
    return bool(status.st_mode >> shift & 4)


def _is_mapped(number: int, mapping: str) -> bool:
    ranges = [[int(field) for field in line.split()] for line in mapping.splitlines()]
    return any(begin <= number < begin + count for _, begin, count in ranges)


def _name(process: str, proc: Path) -> str:
    """Return what a person can look for: a container's id, else the process's number."""
    found = _CONTAINER.search((proc / process / "cgroup").read_text())
    return f"container {found[0][:12]}" if found else f"process {process}"


def _namespace(process: str, proc: Path) -> str:
    return str((proc / process / "ns" / "mnt").readlink())


def _plain(field: str) -> str:
    """Return a field's text: white space and backslashes stand there in octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
