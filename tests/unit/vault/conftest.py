"""A Vault server that can be made to answer anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.vault_door import Answer, VaultDoor

if TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def door() -> Iterator[VaultDoor]:
    """Give a server that knows the token and the mount, and nothing else yet."""
    with VaultDoor(NOWHERE) as stub:
        json = {"Content-Type": "application/json"}
        stub.rude["lookup-self"] = Answer(200, '{"data": {"ttl": 0}}', json)
        mount = '{"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}}'
        stub.rude["sys/internal"] = Answer(200, mount, json)
        yield stub
