"""A file on this machine, such as the docker config that every job mounts.

The file is replaced by a rename, so a job that starts reads the old document or the new one. Where
the path is itself a mount point the kernel refuses a rename (EBUSY); `in_place` then writes over
the old text, which a reader can catch half done. A job that runs sees the change only if it has
the directory mounted, not the file.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core.errors import ConflictError, GoneError, PermanentError, Reason
from rotator.core.model import Content, Held, Secret
from rotator.core.ports import Target
from rotator.system import atomic_file, file_mark
from rotator.targets import file_access as access

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rotator.config.targets import FileTargetSettings
    from rotator.core.model import Mark, Policy
    from rotator.core.ports import Clock

LIMIT = 1 << 20
"""Bytes: a docker config is some kilobytes, and what is larger is some other file."""


def build(settings: FileTargetSettings, policy: Policy, clock: Clock) -> Target:  # noqa: ARG001  every driver is built alike
    """Return the target that the settings describe."""
    return FileTarget(settings, policy)


class _Place(Struct, frozen=True):
    """An open directory and a name in it; `path` is for people. Nothing here follows a link."""

    path: Path
    directory: int

    def status(self) -> os.stat_result | None:
        """Return the status of what has the name now; None where nothing has."""
        try:
            return os.stat(self.path.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int) -> int:
        """Open a name without waiting for the other end of a pipe; for `open(opener=…)`."""
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=self.directory)

    def check_empty(self) -> None:
        """Raise `OSError` (ENOTEMPTY) if the directory that has the name holds anything."""
        inner = self.open(self.path.name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(inner) as entries:
                if any(entries):
                    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        finally:
            os.close(inner)


class FileTarget(Target):
    """Reads and replaces one file; its version is inode, mtime (ns) and size (bytes)."""

    def __init__(self, settings: FileTargetSettings, policy: Policy) -> None:
        super().__init__(settings.name, policy)
        self._path = settings.path
        self._mode = settings.mode
        self._owner = settings.owner
        self._group = settings.group
        self._in_place = settings.write == "in_place"
        self._durable = settings.durable
        # `$(cat FILE)` with a user name or password in it drops line ends, but no spaces.
        self._padding = b" " if policy.content is Content.DOCKER_CONFIG else b"\n"

    def read(self) -> Held:
        """Return the document without the line end that files have; see `Target.read`."""
        with self._place() as place, access.told(place.path, "read"):
            existing = place.status()
            if existing is None:
                return Held(None)
            if stat.S_ISDIR(existing.st_mode):
                place.check_empty()
                return Held(None)
            with open(place.path.name, "rb", opener=place.open) as stream:
                status = os.fstat(stream.fileno())
                parent = os.fstat(place.directory)
                access.check_file(place.path, status, parent, self._trusted())
                data = stream.read(LIMIT + 1)
                mark = file_mark.attached(stream.fileno())
        notes = access.differences(place.path, status, *self._configured())
        return Held(Secret(self._text(data)), mark, _version(status), notes=tuple(notes))

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Replace the file, or write over it (`in_place`); see `Target.write`."""
        document = text.reveal()
        if len(document.encode()) >= LIMIT:
            raise self._too_large("the document for it", PermanentError)
        with self._place() as place, access.told(place.path, "write"):
            existing = place.status()
            if existing is None or stat.S_ISDIR(existing.st_mode):
                held = self._replace(place, document, mark, replacing, None)
            elif self._in_place:
                held = self._overwrite(place, document, mark, replacing)
            else:
                held = self._replace(place, document, mark, replacing, existing)
        return replace(held, text=text)

    def _replace(
        self,
        place: _Place,
        document: str,
        mark: Mark,
        replacing: Held,
        existing: os.stat_result | None,
    ) -> Held:
        mode, uid, gid = self._configured()
        if existing is not None:
            kept = stat.S_IMODE(existing.st_mode) & access.MODES
            mode = kept if mode == access.AS_IT_IS else mode
            uid = existing.st_uid if uid == access.AS_IT_IS else uid
            gid = existing.st_gid if gid == access.AS_IT_IS else gid
        marked: list[Mark] = []
        notes: list[str] = []

        def prepare(file: int) -> None:
            if file_mark.attach(file, mark):
                marked.append(mark)

        def make_way() -> None:
            now = place.status()
            self._check_version(now, replacing)
            if now is not None and stat.S_ISDIR(now.st_mode):
                os.rmdir(place.path.name, dir_fd=place.directory)
                notes.append(
                    f"removed the empty directory {place.path}: Docker makes one when a job "
                    "mounts a file that is missing"
                )

        status = atomic_file.write(
            place.directory,
            place.path.name,
            f"{document}\n",
            mode=access.NEW_FILE_MODE if mode == access.AS_IT_IS else mode,
            uid=uid,
            gid=gid,
            durable=self._durable,
            prepare=prepare,
            check=make_way,
        )
        return Held(None, next(iter(marked), None), _version(status), notes=tuple(notes))

    def _overwrite(self, place: _Place, document: str, mark: Mark, replacing: Held) -> Held:
        mode, uid, gid = self._configured()
        with open(place.path.name, "r+b", buffering=0, opener=place.open) as stream:
            file = stream.fileno()
            status = os.fstat(file)
            self._check_version(status, replacing)
            if mode != access.AS_IT_IS:
                os.fchmod(file, mode)
            if (uid, gid) != (access.AS_IT_IS, access.AS_IT_IS):
                os.fchown(file, uid, gid)
            data = document.encode()
            data += self._padding * (status.st_size - len(data) - 1) + b"\n"
            # Padding makes the room first: readers never see an empty file, only the old text and
            # spaces after it, and a full disk is noticed while the old text is still whole.
            _write_at(file, self._padding * (len(data) - status.st_size), status.st_size)
            _write_at(file, data, 0)
            marked = mark if file_mark.attach(file, mark) else None
            if self._durable:
                os.fsync(file)
            return Held(None, marked, _version(os.fstat(file)))

    @contextmanager
    def _place(self) -> Iterator[_Place]:
        path = access.followed(self._path)
        with ExitStack() as stack:
            with access.told(path, "open the directory of"):
                directory = stack.enter_context(atomic_file.directory(path.parent))
                status = os.fstat(directory)
            access.check_directory(path.parent, status, self._trusted())
            yield _Place(path, directory)

    def _configured(self) -> tuple[int, int, int]:
        """Return mode, uid and gid; `AS_IT_IS` for those that nobody configured."""
        mode = access.AS_IT_IS if self._mode is None else self._mode
        return mode, access.uid_of(self._owner), access.gid_of(self._group)

    def _trusted(self) -> set[int]:
        return {0, os.geteuid(), access.uid_of(self._owner)}

    def _check_version(self, status: os.stat_result | None, replacing: Held) -> None:
        # The same version is the same file, which the read has found to be a plain one and ours.
        if _version(status) != replacing.version:
            raise ConflictError(f"{self._path} changed since it was read")

    def _text(self, data: bytes) -> str:
        if len(data) > LIMIT:
            raise self._too_large(str(self._path), GoneError)
        data = data.removesuffix(b"\n")
        if self._in_place:
            data = data.rstrip(self._padding)
        try:
            return data.decode()
        except UnicodeDecodeError:
            path = access.quoted(self._path)
            raise GoneError(
                Reason.MALFORMED,
                f"{self._path} is no text in UTF-8",
                f"look at it, then move it away: mv {path} {path}.old",
            ) from None

    def _too_large(self, what: str, kind: type[PermanentError]) -> PermanentError:
        return kind(
            Reason.TOO_LARGE,
            f"{what} is larger than {LIMIT >> 20} MiB, and a docker config never is",
            f"see whether `path` is the right file: ls -l {access.quoted(self._path)}",
        )


def _version(status: os.stat_result | None) -> tuple[int, int, int] | None:
    """Return what changes when the file does; None where there is none (a directory is none)."""
    if status is None or stat.S_ISDIR(status.st_mode):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _write_at(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written
