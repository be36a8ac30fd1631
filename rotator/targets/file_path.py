"""Opens the directory of a file one component after the other, and says where that leads.

Each directory is opened relative to the one before and never by following a link, so nobody can
swap one for another in between. A link is read and then walked in the same way, if only root or we
could have put it there. Where the configured owner could have, what it leads to must be the
owner's: otherwise they could have root write into root's files, and be given them.

A directory that somebody else could change is refused with reason `unsafe_path`.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core.errors import DriverError, GoneError, Reason
from rotator.system.file_errors import OPEN, explaining, quoted, user_name
from rotator.targets import file_access as access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.targets.file_access import Trust

_MOST_LINKS = 40
_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC


class Place(Struct, frozen=True):
    """An open directory and a name in it. `owners_link`: a link of the owner may have led here."""

    path: Path
    directory: int
    owners_link: bool

    def status(self, name: str = "") -> os.stat_result | None:
        """Return the status of what has the name now (ours by default); None where nothing has."""
        try:
            return os.stat(name or self.path.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int) -> int:
        """Open a name without waiting for the other end of a pipe; for `open(opener=…)`."""
        try:
            return os.open(name, flags | os.O_NONBLOCK | _SAFELY, dir_fd=self.directory)
        except BlockingIOError:  # another rotator is replacing it right now: it lets us in soon
            return os.open(name, flags | _SAFELY, dir_fd=self.directory)

    def check_empty(self) -> None:
        """Raise `OSError` (ENOTEMPTY) if the directory that has the name holds anything."""
        inner = self.open(self.path.name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(inner) as entries:
                if any(entries):
                    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        finally:
            os.close(inner)


class _Directory(Struct, frozen=True):
    """An open directory on the way. `owners`: the configured owner could have put it there."""

    path: Path
    file: int
    status: os.stat_result
    owners: bool


@contextmanager
def opened(path: Path, trust: Trust) -> Iterator[Place]:
    """Open the place of the file; raise what `file_errors` makes of an error, or `unsafe_path`."""
    with ExitStack() as stack:
        with explaining(path, OPEN):
            way = _Way(path, trust, stack)
            chain = way.walk(path.parent, ())
            directory = chain[-1]
            access.check_directory(directory.path, directory.status, trust, last=True)
            name = way.final_name(chain)
            way.check_owners_link(directory)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            file = os.open(".", flags, dir_fd=directory.file)
            stack.callback(os.close, file)
        yield Place(directory.path / name, file, way.owners_link is not None)


class _Way:
    """The way to one file; every directory that it opens is closed with the stack."""

    def __init__(self, path: Path, trust: Trust, stack: ExitStack) -> None:
        self._path = path
        self._trust = trust
        self._stack = stack
        self._links = 0
        self.owners_link: Path | None = None

    def walk(self, path: Path, chain: tuple[_Directory, ...]) -> tuple[_Directory, ...]:
        """Return the directories from `/` to where the path leads from the last one of `chain`."""
        for part in path.parts:
            if part.startswith("/"):
                chain = (self._entered(Path("/"), os.open("/", os.O_PATH | _SAFELY), owners=False),)
            elif part == "..":
                chain = chain[:-1] or chain
            else:
                chain = self._step(part, chain)
        return chain

    def final_name(self, chain: tuple[_Directory, ...]) -> str:
        """Return the name of the file itself, which a link in its own directory may lead to."""
        name = self._path.name
        while True:
            try:
                target = self._read_link(name, chain[-1])
            except (FileNotFoundError, NotADirectoryError):
                return name  # there is nothing yet, or no link
            if target.name in ("", "..") or not self._leads_to(target.parent, chain):
                raise self._leads_elsewhere()
            name = target.name

    def check_owners_link(self, directory: _Directory) -> None:
        """Refuse a link that the owner could have made and that leads to what is not theirs."""
        owner = self._trust.owner
        if self.owners_link is None or directory.status.st_uid == owner:
            return
        raise GoneError(
            Reason.UNSAFE_PATH,
            f"{self.owners_link} is a symbolic link that {user_name(owner)} could have made, and "
            f"leads to {directory.path}, which belongs to {user_name(directory.status.st_uid)}",
            f"set `path` to where it leads: {directory.path / self._path.name}; "
            f"or remove the link: rm {quoted(self.owners_link)}",
        )

    def _step(self, name: str, chain: tuple[_Directory, ...]) -> tuple[_Directory, ...]:
        here = chain[-1]
        access.check_directory(here.path, here.status, self._trust, last=False)
        try:
            flags = os.O_PATH | os.O_DIRECTORY | _SAFELY
            file = os.open(name, flags, dir_fd=here.file)
        except NotADirectoryError:
            return self.walk(self._read_link(name, here), chain)
        entered = self._entered(here.path / name, file, owners=here.owners)
        access.check_entry(entered.path, entered.status, here.status, self._trust)
        if self._is_owners(entered.status, here):
            entered = replace(entered, owners=True)
        return (*chain, entered)

    def _entered(self, path: Path, file: int, *, owners: bool) -> _Directory:
        self._stack.callback(os.close, file)
        return _Directory(path, file, os.fstat(file), owners)

    def _read_link(self, name: str, here: _Directory) -> Path:
        """Return what a link holds; raise `NotADirectoryError` where it is no link."""
        link = os.open(name, os.O_PATH | _SAFELY, dir_fd=here.file)
        try:
            status = os.fstat(link)
            if not stat.S_ISLNK(status.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            target = os.readlink("", dir_fd=link)
        finally:
            os.close(link)
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        access.check_entry(here.path / name, status, here.status, self._trust)
        if self._is_owners(status, here):
            self.owners_link = here.path / name
        return Path(target)

    def _is_owners(self, status: os.stat_result, here: _Directory) -> bool:
        """Tell whether the owner could have put an entry with this status into a directory."""
        by_them = self._trust.is_only_the_owner
        theirs = access.is_sticky(here.status) and by_them(status.st_uid)
        return here.owners or by_them(here.status.st_uid) or theirs

    def _leads_to(self, path: Path, chain: tuple[_Directory, ...]) -> bool:
        """Tell whether a path leads from the last directory of the chain to that same one."""
        try:
            there = self.walk(path, chain)[-1]
        except (DriverError, FileNotFoundError, NotADirectoryError, PermissionError):
            return False
        return os.path.samestat(there.status, chain[-1].status)

    def _leads_elsewhere(self) -> GoneError:
        real = Path(os.path.realpath(self._path))
        hint = f"remove the link: rm {quoted(self._path)}"
        if not real.exists() or real.is_file():
            hint = f"set `path` to the file itself: {real}; or {hint}"
        what = f"{self._path} is a symbolic link to {real}, which is in another directory"
        return GoneError(Reason.UNSAFE_PATH, what, hint)
