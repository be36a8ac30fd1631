"""Writes the log to systemd's journal by its native protocol: a readable line, with fields.

`journalctl -u rotator` then shows sentences, and `journalctl ROTATOR_REASON=login_rejected` finds
events by their fields. https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator.observe.log_line import as_text, log_line

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import TextIO

SOCKET = Path("/run/systemd/journal/socket")

_PATIENCE = 5.0
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "exception": 3, "critical": 2}
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_NOT_FIELDS = {"event", "level", "timestamp", "exc_info"}


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether the stream leads to systemd's journal ($JOURNAL_STREAM in systemd.exec(5))."""
    try:
        about = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it is no file, or closed
        return False
    return environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"


def with_priority(text: str, level: str) -> str:
    """Return the text with its level before each line, as sd-daemon(3) has it for a stream."""
    prefix = f"<{_PRIORITIES[level]}>"
    return "\n".join(prefix + line for line in text.splitlines())


class JournaldLogger:
    """The logger below structlog that takes whole events (`as_event`); each is one datagram.

    An event that the journal does not take is written to `fallback`, as a line with its level.
    """

    def __init__(self, fallback: TextIO, address: Path) -> None:
        self._fallback = fallback
        self._address = str(address)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._takes = True

    def msg(self, **event: Any) -> None:
        """Write an event; structlog calls this by the level's name."""
        # Only the first event waits for a journal that hangs.
        self._socket.settimeout(_PATIENCE if self._takes else 0)
        try:
            self._send(encoded(fields(event)))
            self._takes = True
        except OSError:
            self._takes = False
            line = with_priority(log_line(event), str(event.get("level", "info")))
            print(line, file=self._fallback, flush=True)

    debug = info = warning = warn = error = exception = critical = fatal = msg

    def close(self) -> None:
        """Write no more."""
        self._socket.close()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, self._address)
        except OSError as error:
            if error.errno not in {errno.EMSGSIZE, errno.ENOBUFS}:
                raise
            # Too large for a datagram: a sealed file in memory goes in its place.
            file = os.memfd_create("rotator-event", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            try:
                os.write(file, data)
                fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
                rights = array.array("i", [file]).tobytes()
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
                self._socket.sendmsg([b""], ancillary, 0, self._address)
            finally:
                os.close(file)


def as_event(_: Any, __: str, event: MutableMapping[str, Any]) -> tuple[tuple[()], Any]:
    """Pass an event on whole: the last processor of structlog, in place of a renderer."""
    return (), dict(event)


def fields(event: Mapping[str, Any]) -> dict[str, str]:
    """Return an event as the journal's fields; a field's name tells whose it is."""
    found = {
        "MESSAGE": log_line(event),
        "PRIORITY": str(_PRIORITIES.get(str(event.get("level")), _PRIORITIES["info"])),
        "SYSLOG_IDENTIFIER": "rotator",
        "ROTATOR_EVENT": str(event.get("event", "")),
    }
    for key, value in event.items():
        if key not in _NOT_FIELDS and value is not None:
            found[f"ROTATOR_{key.upper()}"] = as_text(value)
    return found


def encoded(them: Mapping[str, str]) -> bytes:
    """Return fields in the protocol's form; a value with a line end in it has its length before."""
    data = bytearray()
    for key, value in them.items():
        raw = value.encode("utf-8", "replace")
        if b"\n" in raw:
            data += key.encode() + b"\n" + struct.pack("<Q", len(raw)) + raw + b"\n"
        else:
            data += key.encode() + b"=" + raw + b"\n"
    return bytes(data)
