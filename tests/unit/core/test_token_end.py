"""The end that a token itself holds."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.model import Secret
from rotator.core.token_end import token_end
from tests.simulation.world import World
from tests.support import MARKED
from tests.unit.core.builders import (
    HOST,
    document,
    site,
)


def test_a_token_says_its_own_end() -> None:
    """Then no mark is needed, and no claim is believed."""
    world = World()
    end = world.now + timedelta(hours=5)
    payload = base64.urlsafe_b64encode(json.dumps({"exp": end.timestamp()}).encode()).decode()
    token = f"{MARKED}h.{payload.rstrip('=')}.sig"
    here = site(world)
    world.valid[HOST, token] = end
    here.place.put(document({HOST: token}))
    report = here.cycle()
    assert here.source.fetches == 0
    assert report.safe_until == end - timedelta(hours=1)


@pytest.mark.parametrize(
    "token",
    [
        "x" * 20_000,
        "a.b.c",
        f"a.{base64.b64encode(b'[1]').decode()}.c",
        f"a.{base64.b64encode(b'{}').decode()}.c",
        f"a.{base64.b64encode(json.dumps({'exp': True}).encode()).decode()}.c",
        f"a.{base64.b64encode(json.dumps({'exp': 1e30}).encode()).decode()}.c",
        base64.b64encode(json.dumps({"expiration": "soon"}).encode()).decode(),
    ],
)
def test_most_tokens_say_nothing_of_their_end(token: str) -> None:
    """Whatever they look like."""
    assert token_end(Secret(token)) is None


def test_an_ecr_token_says_its_end() -> None:
    """It is base64 of JSON with the seconds since 1970."""
    token = base64.b64encode(json.dumps({"expiration": 1_700_000_000}).encode()).decode()
    assert token_end(Secret(token)) == datetime.fromtimestamp(1_700_000_000, UTC)
