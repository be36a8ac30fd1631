"""A file on this machine, such as the docker config that every job mounts.

The file is replaced at one instant, so a job that starts now reads the old document or the new one.
Where the path is itself a mount point the kernel refuses that (EBUSY); `in_place` then writes over
the old text. A job that runs sees the change only if it has the directory mounted, not the file.

Three things keep others' writes from being lost: rotators lock each other out with the directory's
lock, the file is compared with what was read, and so is what comes out of its place.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rotator.core.errors import ConflictError, GoneError, PermanentError, Reason
from rotator.core.model import Content, Held, Mark, Policy, Secret
from rotator.core.ports import Clock, Target
from rotator.system import attributes, exchange
from rotator.system.file_errors import READ, WRITE, explaining, quoted
from rotator.system.lock import directory_lock
from rotator.targets import file_access as access
from rotator.targets import file_path
from rotator.targets.file_replace import LIMIT, Found, Wanted, copy, found_in, look, replace, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.config.targets import FileTargetSettings
    from rotator.targets.file_path import Place

_LOCK_WAIT = 3.0


def build(settings: FileTargetSettings, policy: Policy, clock: Clock) -> Target:  # noqa: ARG001  every driver is built alike
    """Return the target that the settings describe."""
    return FileTarget(settings, policy)


class FileTarget(Target):
    """Reads and replaces one file; its version is inode, mtime (ns) and size (bytes)."""

    local = True
    sets_aside = True

    def __init__(self, settings: FileTargetSettings, policy: Policy) -> None:
        super().__init__(settings.name, policy)
        self._settings = settings
        self._path = self.watched = settings.path
        self._in_place = settings.write == "in_place"
        # `$(cat FILE)` with a user name or password in it drops line ends, but no spaces.
        self._padding = " " if policy.content is Content.DOCKER_CONFIG else "\n"

    def read(self) -> Held:
        """Return the document without the line end that files have; see `Target.read`."""
        trust = self._trust()
        with file_path.opened(self._path, trust) as place, explaining(place.path, READ):
            status = place.status()
            if status is None:
                return Held(None)
            if stat.S_ISDIR(status.st_mode):
                place.check_empty()
                return Held(None)
            with open(place.path.name, "rb", buffering=0, opener=place.open) as stream:
                status = os.fstat(stream.fileno())
                access.check_file(place.path, status, trust, owners_link=place.owners_link)
                access.check_entry(place.path, status, os.fstat(place.directory), trust)
                found = found_in(stream.fileno())
                mark = attributes.mark_on(stream.fileno())
        wanted = self._wanted()
        notes = access.differences(place.path, status, wanted.mode, wanted.uid, wanted.gid)
        return Held(Secret(self._text(found)), mark, found.version, notes=tuple(notes))

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Replace the file, or write over it (`in_place`); see `Target.write`."""
        document = text.reveal()
        if len(document.encode()) >= LIMIT:
            raise self._too_large("the document for it", PermanentError)
        with self._locked_place() as place:
            status = place.status()
            exists = status is not None and not stat.S_ISDIR(status.st_mode)
            if exists and self._in_place:
                return self._overwrite(place, text, mark, replacing)
            old = self._still(look(place, place.path.name), replacing) if exists else None
            if old is None and replacing.version is not None:
                raise self._conflict()
            written = replace(place, f"{document}\n".encode(), mark, self._wanted(), old)
            if not written.published:
                raise self._conflict()
            return Held(text, written.mark, written.version, notes=tuple(written.notes))

    def set_aside(self, replacing: Held) -> Held:
        """Keep the text that is there as `PATH.broken`, with the same mode and owner.

        What an earlier damage left there stays as `PATH.broken.1`: two texts, however many come.
        """
        name = f"{self._path.name}.broken"
        with self._locked_place() as place:
            tidy(place, name, self._trust(), locked=False)
            old = self._still(look(place, place.path.name), replacing)
            note = f"the text that nobody can decode is now in {place.path.with_name(name)}"
            past, earlier = look(place, name), f"{name}.1"
            if past is not None and past.data != old.data:
                with suppress(OSError):  # a directory, or a name too long: no obstacle to a repair
                    os.rename(name, earlier, src_dir_fd=place.directory, dst_dir_fd=place.directory)
                    note += f", and the one before it in {place.path.with_name(earlier)}"
            copy(place, old, name, durable=self._settings.durable)
        return Held(replacing.text, replacing.mark, replacing.version, notes=(note,))

    def _overwrite(self, place: Place, text: Secret, mark: Mark, replacing: Held) -> Held:
        wanted = self._wanted()
        with open(place.path.name, "r+b", buffering=0, opener=place.open) as stream:
            file = stream.fileno()
            # Readers that open the file now have to wait, where the kernel can do that. Elsewhere
            # they can read a text that is not whole.
            with exchange.alone(file):
                size = self._still(found_in(file), replacing).version[2]
                if wanted.mode != access.AS_IT_IS:
                    os.fchmod(file, wanted.mode)
                if (wanted.uid, wanted.gid) != (access.AS_IT_IS, access.AS_IT_IS):
                    os.fchown(file, wanted.uid, wanted.gid)
                data, padding = text.reveal().encode(), self._padding.encode()
                data += padding * (size - len(data) - 1) + b"\n"
                # Padding makes the room first: readers never find an empty file, only the old text
                # and spaces after it, and a full disk is noticed while the old text is still whole.
                _write_at(file, padding * (len(data) - size), size)
                _write_at(file, data, 0)
                marked = mark if attributes.attach(file, mark) else None
            if self._settings.durable:
                os.fsync(file)
            return Held(text, marked, exchange.version(os.fstat(file)))

    @contextmanager
    def _locked_place(self) -> Iterator[Place]:
        """Open the place for a write, with other rotators locked out and nothing left of them."""
        with (
            file_path.opened(self._path, self._trust()) as place,
            explaining(place.path, WRITE),
            directory_lock(place.directory, _LOCK_WAIT) as locked,
        ):
            tidy(place, place.path.name, self._trust(), locked=locked)
            yield place

    def _trust(self) -> access.Trust:
        return access.Trust(access.uid_of(self._settings.owner))

    def _wanted(self) -> Wanted:
        settings = self._settings
        mode = access.AS_IT_IS if settings.mode is None else settings.mode
        uid, gid = access.uid_of(settings.owner), access.gid_of(settings.group)
        return Wanted(mode, uid, gid, settings.durable)

    def _still(self, found: Found | None, replacing: Held) -> Found:
        """Return what was found if it is what was read, which was a plain file and ours."""
        if found is None or found.version != replacing.version:
            raise self._conflict()
        before = f"{replacing.text.reveal()}\n" if replacing.text is not None else None
        if before and self._stripped(found.text.reveal()) != self._stripped(before):
            raise self._conflict()
        return found

    def _text(self, found: Found) -> str:
        text = found.text.reveal()
        if len(found.data) > LIMIT:
            raise self._too_large(str(self._path), GoneError)
        try:
            text.encode()
        except UnicodeEncodeError:
            path = quoted(self._path)
            raise GoneError(
                Reason.MALFORMED,
                f"{self._path} is no text in UTF-8",
                f"look at it, then move it away: mv {path} {path}.old",
            ) from None
        return self._stripped(text)

    def _stripped(self, text: str) -> str:
        text = text.removesuffix("\n")
        return text.rstrip(self._padding) if self._in_place else text

    def _conflict(self) -> ConflictError:
        return ConflictError(f"{self._path} changed since it was read")

    def _too_large(self, what: str, kind: type[PermanentError]) -> PermanentError:
        return kind(
            Reason.TOO_LARGE,
            f"{what} is larger than {LIMIT >> 20} MiB, and a docker config never is",
            f"see whether `path` is the right file: ls -l {quoted(self._path)}",
        )


def _write_at(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written
