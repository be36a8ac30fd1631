"""A stand-in for the socket of systemd's journal: it reads datagrams as the journal does."""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class Journal:
    """Takes events at a path for the length of a block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self._socket.bind(str(self.path))
        self._socket.settimeout(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def is_empty(self) -> bool:
        """Tell whether nothing has come."""
        return not select.select([self._socket], [], [], 0)[0]

    def event(self) -> dict[str, str]:
        """Return the fields of the next event."""
        data, ancillary, *_ = self._socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        if ancillary:
            (file,) = struct.unpack("i", ancillary[0][2])
            data = os.pread(file, os.fstat(file).st_size, 0)
            os.close(file)
        found = {}
        while data:
            line, _, data = data.partition(b"\n")
            key, equals, value = line.partition(b"=")
            if not equals:
                length = struct.unpack("<Q", data[:8])[0]
                value, data = data[8 : 8 + length], data[8 + length + 1 :]
            found[key.decode()] = value.decode()
        return found
