"""What `-vv` shows of requests: the line of each, and nothing that could hold a secret."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest

from rotator.observe.logs import show_requests

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def shown() -> Iterator[io.StringIO]:
    """Give what is shown; the loggers are as they were afterwards."""
    stream = io.StringIO()
    loggers = [logging.getLogger(name) for name in ["urllib3.connectionpool"]]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    show_requests(stream)
    yield stream
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_a_request(shown: io.StringIO) -> None:
    """Method, address and status; a query is left out, as it may hold a token."""
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
    assert (
        shown.getvalue()
        .rstrip()
        .endswith(
            'request https://vault.example.com:8200 "GET /v1/secret/data/x?… HTTP/1.1" 200 346'
        )
    )


def test_nothing_else(shown: io.StringIO) -> None:
    """What else the libraries log may quote headers."""
    log = logging.getLogger("urllib3.connectionpool")
    log.debug("Incremented Retry for (url=%r): %r", "/x?s3cr3t-q", "headers {s3cr3t-h}")
    logging.getLogger("botocore.auth").debug("Authorization: s3cr3t-a")
    assert shown.getvalue() == ""
