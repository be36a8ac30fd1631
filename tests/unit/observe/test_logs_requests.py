"""What `-vv` shows of requests: an event for each, and nothing that could hold a secret."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from rotator.observe.logs import show_requests

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shown() -> Iterator[structlog.testing.LogCapture]:
    """Give the log that they go into; the loggers are as they were afterwards."""
    logger = logging.getLogger("urllib3.connectionpool")
    level, handlers = logger.level, list(logger.handlers)
    captured = structlog.testing.LogCapture()
    # A daemon reads its configuration at the start and at each reload.
    for _ in range(2):
        show_requests(structlog.wrap_logger(None, processors=[captured]))
    yield captured
    logger.setLevel(level)
    logger.handlers[:] = handlers


def test_a_request(shown: structlog.testing.LogCapture) -> None:
    """Method, address and status, once, as any event is; a query may hold a token."""
    log = logging.getLogger("urllib3.connectionpool")
    log.debug(
        '%s://%s:%s "%s %s %s" %s %s',
        "https",
        "vault.example.com",
        8200,
        "GET",
        "/v1/secret/data/x?token=s3cr3t-q",
        "HTTP/1.1",
        200,
        346,
    )
    assert shown.entries == [
        {
            "event": "request",
            "log_level": "debug",
            "detail": 'https://vault.example.com:8200 "GET /v1/secret/data/x?… HTTP/1.1" 200 346',
        }
    ]


def test_nothing_else(shown: structlog.testing.LogCapture) -> None:
    """What else the libraries log may quote headers."""
    log = logging.getLogger("urllib3.connectionpool")
    log.debug("Incremented Retry for (url=%r): %r", "/x?s3cr3t-q", "headers {s3cr3t-h}")
    logging.getLogger("botocore.auth").debug("Authorization: s3cr3t-a")
    assert shown.entries == []
