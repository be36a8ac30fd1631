"""Events in systemd's journal: a line for people, and fields for searches."""

from __future__ import annotations

import io
import os
import socket
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from rotator.observe.journald import JournaldLogger, as_event, encoded, fields
from rotator.observe.lean_structlog import structlog
from rotator.observe.log_line import log_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAILED = {
    "rotation": "dind",
    "event": "fetch failed",
    "source": "vault",
    "reason": "login_rejected",
    "detail": "https://vault.example.com refuses the secret id",
    "hint": "give the role a new one",
    "level": "error",
    "timestamp": "2026-11-23T10:00:00Z",
}


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[JournaldLogger]:
    """Give a logger that writes to `journal`, or to its fallback where that is not there."""
    with closing(JournaldLogger(io.StringIO(), tmp_path / "socket")) as made:
        yield made


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    """Give a socket that takes datagrams as the journal does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "socket"))
        there.settimeout(5)
        yield there


def heard(journal: socket.socket) -> dict[str, str]:
    """Return the fields of one event, as the journal reads them."""
    data, ancillary, *_ = journal.recvmsg(1 << 20, socket.CMSG_SPACE(4))
    if ancillary:
        (file,) = struct.unpack("i", ancillary[0][2])
        size = os.fstat(file).st_size
        data = os.pread(file, size, 0)
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


def test_a_line_and_fields(journal: socket.socket, logger: JournaldLogger) -> None:
    """Through structlog, as the daemon logs."""
    log = structlog.wrap_logger(
        logger,
        processors=[structlog.processors.add_log_level, as_event],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    about = {key: value for key, value in FAILED.items() if key not in {"event", "level"}}
    log.error("fetch failed", **about)
    log.debug("not logged at all")
    found = heard(journal)
    assert found["MESSAGE"] == (
        "dind: fetch failed: vault: login_rejected: https://vault.example.com refuses the secret "
        "id. To do: give the role a new one"
    )
    assert (found["PRIORITY"], found["SYSLOG_IDENTIFIER"]) == ("3", "rotator")
    assert found["ROTATOR_REASON"] == "login_rejected"
    assert found["ROTATOR_ROTATION"] == "dind"


def test_several_lines(journal: socket.socket, logger: JournaldLogger) -> None:
    """A traceback keeps its lines, and forges no field."""
    logger.error(event="bug", detail="one\nPRIORITY=0\ntwo", exception="a\nb")
    found = heard(journal)
    assert found["ROTATOR_EXCEPTION"] == "a\nb"
    assert found["PRIORITY"] == "6"
    assert encoded(fields({"event": "x\ny"}))


def test_what_is_too_large(journal: socket.socket, logger: JournaldLogger) -> None:
    """It goes as a file in memory."""
    logger.info(event="large", detail="x" * 600_000)
    assert len(heard(journal)["ROTATOR_DETAIL"]) == 600_000


def test_without_a_journal(tmp_path: Path) -> None:
    """The line goes where logs went before: none is lost."""
    stream = io.StringIO()
    with closing(JournaldLogger(stream, tmp_path / "nothing")) as logger:
        logger.info(**FAILED)
    assert stream.getvalue() == f"{log_line(FAILED)}\n"


def test_lines() -> None:
    """What a person wants to know first comes first; what is not known is left out."""
    ended = {"rotation": "dind", "event": "cycle ended", "outcome": "fresh", "job_safe": True}
    assert log_line({**ended, "safe_until": None}) == (
        "dind: cycle ended (outcome fresh, job_safe yes)"
    )
    noticed = {"rotation": "dind", "event": "noticed", "note": "a\nb", "target": "file:/a"}
    assert log_line(noticed) == "dind: noticed: file:/a: a b"
