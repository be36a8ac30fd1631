"""What is read of an answer in the name of AWS has an end, and the settings reach the SDK."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from rotator.aws.session import LIMIT, Access, new_session
from rotator.config.sources import EcrSourceSettings
from rotator.core.errors import DriverError, Reason
from rotator.sources.ecr import EcrSource
from tests.fakes.ecr import key_in_environment
from tests.fakes.loopback import Handler, Loopback

if TYPE_CHECKING:
    from collections.abc import Iterator


class Answering(Handler):
    """Answers each request as its stub says, and hangs up."""

    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        """Read the request, so that hanging up does not reset the connection."""
        self.body()
        self.send_response(200)
        for name, value in {"Connection": "close", **self.fake.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.fake.content)


class Stub(Loopback):
    """A server whose answer has these headers and this content."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.content = b""
        self.serve(Answering)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({}, b" " * (LIMIT + 1), Reason.MALFORMED),
        ({"Content-Encoding": "gzip"}, b"no gzip", Reason.MALFORMED),
        ({"Transfer-Encoding": "chunked"}, b"x\r\n", Reason.UNREACHABLE),
    ],
    ids=["too long", "not packed", "no chunk"],
)
def test_broken_answers(
    stub: Stub,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    body: bytes,
    reason: Reason,
) -> None:
    """Each is an error of ours, and may pass."""
    key_in_environment(monkeypatch)
    stub.headers, stub.content = headers, body
    settings = EcrSourceSettings(
        name="ecr", region="eu-west-1", endpoint_url=f"http://127.0.0.1:{stub.port}"
    )
    with pytest.raises(DriverError) as caught:
        EcrSource(settings, lambda: datetime.now(UTC), (10.0, 10.0)).fetch([])
    assert caught.value.reason is reason


@pytest.mark.parametrize("wanted", [True, False])
def test_the_kind_of_endpoint_reaches_the_sdk(*, wanted: bool) -> None:
    """The configuration decides before AWS's own environment and profile."""
    access = Access("eu-west-1", use_fips_endpoint=wanted, use_dualstack_endpoint=wanted)
    session = new_session(access)
    for name in ("use_fips_endpoint", "use_dualstack_endpoint"):
        assert session.get_config_variable(name) is wanted
