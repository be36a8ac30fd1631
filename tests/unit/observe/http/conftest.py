"""A server on a loopback address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from rotator.observe.http import HttpServer
from tests.support import free_port
from tests.unit.observe.http.served import QUICK, ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Return the port of a server on a loopback address."""
    number = free_port()
    server = HttpServer("127.0.0.1", number, ROUTES, structlog.get_logger(), QUICK)
    server.start()
    yield number
    server.stop()
