"""Archives that depend on nothing but what is put into them: tar, ar and gzip without a clock."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

EXECUTABLE, PLAIN = 0o755, 0o644


def tar_of(
    folder: Path,
    epoch: int,
    *,
    prefix: str = "./",
    owners: Mapping[str, tuple[int, int]] | None = None,
) -> bytes:
    """Return a folder as tar, in alphabetical order, owned by root, with one time for everything.

    `owners`: user and mode of directories that are not root's, by path.
    """
    return tar((path for path in folder.rglob("*")), folder, epoch, prefix, owners or {})


def tar(
    paths: Iterable[Path],
    folder: Path,
    epoch: int,
    prefix: str,
    owners: Mapping[str, tuple[int, int]],
) -> bytes:
    """Return these files and directories of a folder as tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(paths, key=lambda one: one.relative_to(folder).parts):
            name = path.relative_to(folder).as_posix()
            entry = tarfile.TarInfo(f"{prefix}{name}")
            entry.mtime = epoch
            entry.uname = entry.gname = "root"
            if path.is_symlink():
                entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
                archive.addfile(entry)
            elif path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, EXECUTABLE
                if name in owners:
                    entry.uid, entry.mode = owners[name]
                    entry.gid, entry.uname, entry.gname = entry.uid, "", ""
                archive.addfile(entry)
            else:
                data = path.read_bytes()
                entry.size = len(data)
                entry.mode = EXECUTABLE if path.stat().st_mode & 0o100 else PLAIN
                archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def gz(data: bytes) -> bytes:
    """Return the data compressed, without a file name or a time in it."""
    return gzip.compress(data, 6, mtime=0)


def ar(members: Mapping[str, bytes], epoch: int) -> bytes:
    """Return members in the form that `ar` has, which Debian packages are made of."""
    parts = [b"!<arch>\n"]
    for name, data in members.items():
        header = f"{name:<16}{epoch:<12}{0:<6}{0:<6}{0o100644:<8o}{len(data):<10}`\n"
        parts += [header.encode(), data, b"\n" if len(data) % 2 else b""]
    return b"".join(parts)
