"""Puts a document in the place of a file, with what the old file had beside its text.

Owner, mode, access list, SELinux label and other extended attributes stay as they were where
nothing else is configured. The new file gets the name only if the old one is still what was read.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core.model import Mark, Secret
from rotator.system import atomic_file, attributes, exchange
from rotator.system.exchange import wait_for_writers
from rotator.system.file_errors import quoted
from rotator.targets import file_access as access

if TYPE_CHECKING:
    from rotator.system.exchange import Version
    from rotator.targets.file_path import Place

LIMIT = 1 << 20  # bytes: a docker config is some kilobytes; what is larger is another file
_WRITERS_GET = 0.2  # seconds, for somebody who has the file open for writing to close it

_RESTORE = {
    attributes.ACCESS_LIST: "setfacl -m u:USER:r {path}",
    "security.selinux": "restorecon -v {path}",
}
_RESTORE_ANY = "setfattr -n {name} -v VALUE {path}"


class Wanted(Struct, frozen=True):
    """What is configured about a file beside its text; `AS_IT_IS`: nothing."""

    mode: int
    uid: int
    gid: int
    durable: bool


class Found(Struct, frozen=True):
    """A file as it was found. Bytes that are no UTF-8 stand in its text as `surrogateescape`."""

    text: Secret
    version: Version
    mode: int
    uid: int
    gid: int
    names: int
    attributes: dict[str, bytes]

    @property
    def data(self) -> bytes:
        """The bytes of the text."""
        return self.text.reveal().encode("utf-8", "surrogateescape")


class Written(Struct, frozen=True):
    """The new file. `published` is false where somebody else wrote since the file was read."""

    published: bool
    version: Version
    mark: Mark | None
    notes: list[str]


def found_in(file: int) -> Found:
    """Return what an open plain file is and holds, up to one byte more than `LIMIT`."""
    status = os.fstat(file)
    return Found(
        Secret(os.pread(file, LIMIT + 1, 0).decode("utf-8", "surrogateescape")),
        exchange.version(status),
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        status.st_nlink,
        attributes.read(file),
    )


def look(place: Place, name: str) -> Found | None:
    """Return what a name in the directory holds; None where that is no plain file, or nothing."""
    try:
        file = place.open(name, os.O_RDONLY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        wait_for_writers(file, _WRITERS_GET)
        return found_in(file)
    finally:
        os.close(file)


def replace(
    place: Place, document: bytes, mark: Mark | None, wanted: Wanted, old: Found | None
) -> Written:
    """Put a document there: in the place of `old`, or where nothing or an empty directory is."""
    name = place.path.name
    with atomic_file.draft(place.directory, name) as draft:
        marked, notes = _fill(draft.file, document, mark, wanted, old, place)
        if old is not None:
            published = exchange.exchange(
                draft, name, old.version, lambda name: look(place, name) == old
            )
        else:
            status = place.status()
            if status is not None and stat.S_ISDIR(status.st_mode):
                os.rmdir(name, dir_fd=place.directory)
                notes.append(
                    f"removed the empty directory {place.path}: Docker makes one when a job "
                    "mounts a file that is missing"
                )
            try:
                draft.create(name)
                published = True
            except FileExistsError:
                published = False
        if published and wanted.durable:
            atomic_file.sync_directory(place.directory)
        return Written(published, exchange.version(os.fstat(draft.file)), marked, notes)


def copy(place: Place, old: Found, name: str, *, durable: bool) -> None:
    """Keep a file's text under another name in its directory, for those who may read the file."""
    wanted = Wanted(access.AS_IT_IS, access.AS_IT_IS, access.AS_IT_IS, durable)
    with atomic_file.draft(place.directory, name) as draft:
        _fill(draft.file, old.data, None, wanted, old, place)
        draft.replace(name)
    if durable:
        atomic_file.sync_directory(place.directory)


def tidy(place: Place, name: str, trust: access.Trust, *, locked: bool) -> None:
    """Remove the drafts of writers that are gone, and finish what they had begun.

    `locked`: we hold the directory's lock, so no other rotator is writing there. A file
    that a stranger has put into a directory like `/tmp` must not get our file's name.
    """
    for found in atomic_file.drafts(place.directory, name):
        status = place.status(found)
        if not exchange.is_under_way(name, found) or not (status and trust.covers(status.st_uid)):
            atomic_file.remove_abandoned(place.directory, found)
        elif locked:
            with suppress(OSError):  # no obstacle to a new document
                exchange.finish(place.directory, name, found)


def _fill(
    file: int, document: bytes, mark: Mark | None, wanted: Wanted, old: Found | None, place: Place
) -> tuple[Mark | None, list[str]]:
    """Write the document and all that goes with it; return the mark that is there, and notes."""
    atomic_file.write_all(file, document)
    mode, uid, gid = wanted.mode, wanted.uid, wanted.gid
    copied: dict[str, bytes] = {}
    if old is not None:
        mode = old.mode & access.MODES if mode == access.AS_IT_IS else mode
        uid = old.uid if uid == access.AS_IT_IS else uid
        gid = old.gid if gid == access.AS_IT_IS else gid
        copied = {k: v for k, v in old.attributes.items() if k != attributes.MARK}
    access_list = copied.pop(attributes.ACCESS_LIST, None)
    refused = attributes.give(file, copied)
    marked = mark if mark is not None and attributes.attach(file, mark) else None
    # The owner first: until access list and mode are set, nobody but the owner can read it.
    if (uid, gid) != (access.AS_IT_IS, access.AS_IT_IS):
        os.fchown(file, uid, gid)
    if access_list is not None:
        refused |= attributes.give(file, {attributes.ACCESS_LIST: access_list})
    elif old is not None:
        attributes.drop_access_list(file)
    os.fchmod(file, access.NEW_FILE_MODE if mode == access.AS_IT_IS else mode)
    if wanted.durable:
        os.fsync(file)
    return marked, _what_is_lost(place, old, mode, refused) if old is not None else []


def _what_is_lost(place: Place, old: Found, mode: int, refused: dict[str, str]) -> list[str]:
    """Return a note for each thing that the old file had and the new one has not."""
    path = quoted(place.path)
    notes = []
    for name, why in refused.items():
        again = _RESTORE.get(name, _RESTORE_ANY).format(name=name, path=path)
        notes.append(f"{place.path} lost its {name} ({why}): set it again: {again}")
    if attributes.ACCESS_LIST in old.attributes and old.mode & ~mode & stat.S_IRWXG:
        notes.append(
            f"the configured mode {mode:04o} takes rights from the access list of {place.path}: "
            f"choose a mode that leaves them: getfacl {path}"
        )
    if old.names > 1:
        notes.append(
            f"{place.path} had {old.names} names (hard links): under the others the old document "
            f"stays: find / -xdev -inum {old.version[0]}"
        )
    return notes
