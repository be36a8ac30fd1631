"""Checks the target `file`: can it be replaced, does a job see it, and may the job read it."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.core.errors import DriverError
from rotator.http.reading import object_in
from rotator.inspection import Case, Found, failed, failure, ok, warning
from rotator.observe.times import duration_text, few
from rotator.system import atomic_file, mounts
from rotator.system.file_errors import WRITE, explaining, obstacle
from rotator.targets import file_access as access
from rotator.targets.file import build

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rotator.config.targets import FileTargetSettings
    from rotator.system.mounts import Holder

_MOST_NAMES = 3
_EVERYBODY, _OTHERS = 0o044, 0o004
DOCKER_DAEMON = Path("/etc/docker/daemon.json")


def inspect(settings: FileTargetSettings, case: Case) -> Iterator[Found]:
    """Read the file, and find what a write and a job would meet."""
    held = build(settings, settings.policy(), case.clock).read()
    path = Path(os.path.realpath(settings.path))
    yield from _is_writable(path, settings)
    for note in held.notes:
        found, _, todo = note.rpartition(": ")
        yield warning(found, todo)
    status = path.stat() if path.is_file() else None
    yield from _mode(settings, status)
    if status is not None:
        yield from _jobs(path, status, settings, case)
    yield held


def _is_writable(path: Path, settings: FileTargetSettings) -> Iterator[Found]:
    in_place = settings.write == "in_place"
    mounted = str(path) in mounts.points()
    try:
        with explaining(path, WRITE):
            if problem := _problem(path, in_place=in_place, mounted=mounted):
                raise OSError(problem, os.strerror(problem))
    except DriverError as error:
        yield failed(error)
        return
    wanted = access.uid_of(settings.owner)
    if os.geteuid() and wanted not in (access.AS_IT_IS, os.geteuid()):
        yield failure(
            f"only root can give the file to `owner: {settings.owner}`",
            "run rotator as root, or leave `owner` out",
        )
    elif in_place and mounted:
        yield warning(
            f"{path} is a mount point and is written in place: a job can read a part of it",
            f"mount the directory {path.parent} instead, and leave `write: in_place` out",
        )
    elif in_place and path.exists():
        yield warning(
            f"{path} is no mount point, and yet is written in place, which is not atomic",
            "leave `write: in_place` out",
        )
    else:
        yield ok(f"{path} can be replaced, and its directory is nobody else's")


def _problem(path: Path, *, in_place: bool, mounted: bool) -> int:
    """Return the error number that a write would meet; 0: none that shows from here."""
    written = path if in_place and path.exists() else path.parent
    found = obstacle(written)
    if in_place or found == errno.EROFS:
        return found
    if mounted:
        return errno.EBUSY
    name = os.fsencode(atomic_file.draft_name(path.name))
    return errno.ENAMETOOLONG if len(name) > os.statvfs(written).f_namemax else found


def _mode(
    settings: FileTargetSettings, status: os.stat_result | None, daemon: Path = DOCKER_DAEMON
) -> Iterator[Found]:
    """Say who may read the file by its mode, as far as that matters to jobs."""
    mode = stat.S_IMODE(status.st_mode) if status else settings.mode or access.NEW_FILE_MODE
    if mode & _EVERYBODY:
        who = "everybody on this machine" if mode & _OTHERS else "its group"
        yield ok(f"mode {mode:04o}: {who} can read it")
        return
    try:
        remapped = str(object_in(json.loads(daemon.read_text())).get("userns-remap") or "")
    except (OSError, ValueError):
        remapped = ""
    if remapped:
        yield warning(
            f"mode {mode:04o}, and {daemon} has `userns-remap: {remapped}`: root in a job is "
            "another user here, who can't read it",
            f"let that user's group read it: `group: {remapped.partition(':')[0]}` and "
            '`mode: "0640"`',
        )
    else:
        yield ok(f"mode {mode:04o}: jobs that run as root can read it, others can't")


def _jobs(
    path: Path, status: os.stat_result, settings: FileTargetSettings, case: Case
) -> Iterator[Found]:
    """Say what running containers have mounted of it."""
    found, unknown = mounts.holders(path, status)
    if single := [holder for holder in found if not holder.whole]:
        yield from _single(single, path, settings, case)
    elif found:
        yield ok(f"its directory is mounted by {_names(found)}: each new document appears there")
    if blind := [holder for holder in found if not holder.reads]:
        yield warning(
            f"{_names(blind)} can't read it (mode {stat.S_IMODE(status.st_mode):04o}, owner "
            f"{status.st_uid}): a non-root job, or a user namespace",
            'let the job\'s group read it: `group: GID` and `mode: "0640"`',
        )
    if unknown:
        several = "processes" if unknown > 1 else "process"
        todo = "sudo rotator check shows them too" if os.geteuid() else ""
        yield ok(f"{unknown} {several} can't be searched for mounts of it", todo)


def _single(
    single: Sequence[Holder], path: Path, settings: FileTargetSettings, case: Case
) -> Iterator[Found]:
    stale = [holder for holder in single if holder.stale]
    already = f" ({_names(stale)}: already an old one)" if stale else ""
    todo = f"mount the directory {path.parent} instead of the file"
    if settings.follows:
        yield warning(
            f"`follows: true`, but this single file is mounted by {_names(single)}, and never "
            f"changes there{already}",
            f"{todo}, or take `follows` out",
        )
    else:
        yield warning(
            f"this single file is mounted by {_names(single)}: jobs that run longer than "
            f"{duration_text(case.rotation.longest_job)} keep the old file{already}",
            f"{todo}; fine as it is where no job runs that long",
        )


def _names(holders: Sequence[Holder]) -> str:
    return few(sorted({holder.name for holder in holders}), _MOST_NAMES)
