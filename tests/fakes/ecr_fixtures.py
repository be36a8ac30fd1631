"""ECR and STS for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.ecr import FakeEcr

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake_ecr() -> Iterator[FakeEcr]:
    """Return an ECR endpoint with one known key."""
    with FakeEcr() as fake:
        yield fake


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    """Return the address of moto's STS, which checks signatures."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  slow, and only for some

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
