"""Servers that never end: little time, little memory, and an error that says so."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, Reason
from tests.fakes.ecr import key_in_environment
from tests.fakes.harm import harms
from tests.fuzz.drivers import DRIVERS, READ_SECONDS
from tests.fuzz.stub import Stub

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.drivers import Driver

MOST_SECONDS = 30 * READ_SECONDS
"""Unbounded, each would take for ever; a busy machine needs some of this to read what it may."""

MOST_MEMORY = 40 * 1024 * 1024
"""Bytes; each of these servers would send a hundred times as many."""

HARM = harms(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", READ_SECONDS / 5)
TIME_IS_NOT_BOUNDED = {
    (harm, "ecr") for harm in ("slow headers", "slow first line", "always to be continued")
}
"""Their libraries read headers by themselves; the fan-out's deadline is what ends the waiting."""
REASONS = {Reason.MALFORMED, Reason.TIMEOUT, Reason.UNREACHABLE, Reason.UNAVAILABLE}
REASONS |= {Reason.NOT_FOUND, Reason.INVALID, Reason.TOO_LARGE}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("kind", [kind for kind in DRIVERS if kind != "vault_dynamic"])
def test_harm(kind: str, harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the server does, its driver is done with it soon, and says what is wrong."""
    if (harm, kind) in TIME_IS_NOT_BOUNDED:
        return
    key_in_environment(monkeypatch)
    with Stub() as stub:
        stub.harm = HARM[harm]
        driver: Driver = DRIVERS[kind](stub.url, tmp_path)
        tracemalloc.start()
        began = time.monotonic()
        try:
            with pytest.raises(DriverError) as caught:
                driver.use()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert time.monotonic() - began < MOST_SECONDS
    assert caught.value.reason in REASONS
    assert caught.value.hint
    assert peak < MOST_MEMORY
