"""What a source learned of its engine saves a question after a restart, and misleads nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rotator.core.errors import DriverError, Reason
from rotator.vault.engines import Engine
from tests.fakes.vault_door import Answer
from tests.integration.vault_tools import token_login, vault_source

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.sources.vault import VaultSource
    from tests.fakes.vault_door import VaultDoor

LOGIN = {"username": "robot", "password": "s3cr3t-one"}
QUESTION = "sys/internal/ui/mounts/secret/harbor"
KV2, KV1, DYNAMIC = "kv2 secret", "kv1 secret", "dynamic secret"


def answer(document: object, status: int = 200) -> Answer:
    """Return a JSON answer of the server."""
    return Answer(status, json.dumps(document), {"Content-Type": "application/json"})


def source(door: VaultDoor, place: Path, learned: str) -> VaultSource:
    """Return a source that starts with what an earlier one learned; its secret is in KV 2."""
    door.rude["secret/data/harbor"] = answer({"data": {"data": LOGIN, "metadata": {"version": 1}}})
    door.rude["secret/harbor"] = answer({"errors": []}, 404)
    made = vault_source(door.url, token_login(place, "s3cr3t-token"), path="secret/harbor")
    made.learned = learned
    return made


def asked(door: VaultDoor) -> list[str]:
    """Return the paths that were asked for, but for the login."""
    return [each.path for each in door.seen if "lookup-self" not in each.path]


def test_a_cold_start_with_a_known_engine_asks_for_the_secret_alone(
    door: VaultDoor, tmp_path: Path
) -> None:
    """One login, one read."""
    source(door, tmp_path, KV2).fetch([])
    assert asked(door) == ["secret/data/harbor"]
    assert len(door.seen) == 2


def test_the_engine_is_learned(door: VaultDoor, tmp_path: Path) -> None:
    """The first fetch asks for the mount, and remembers the answer."""
    first = source(door, tmp_path, "")
    first.fetch([])
    assert asked(door) == [QUESTION, "secret/data/harbor"]
    assert first.learned == KV2


@pytest.mark.parametrize("learned", [KV1, DYNAMIC])
def test_another_engine_is_mounted_now(door: VaultDoor, tmp_path: Path, learned: str) -> None:
    """The same fetch asks, and reads what there is."""
    moved = source(door, tmp_path, learned)
    assert [one.username for one in moved.fetch([])] == ["robot"]
    assert asked(door) == ["secret/harbor", QUESTION, "secret/data/harbor"]
    assert moved.learned == KV2


def test_an_engine_that_makes_credentials_is_mounted_now(door: VaultDoor, tmp_path: Path) -> None:
    """A leased answer is not taken for a stored one: it ends."""
    moved = source(door, tmp_path, KV1)
    leased = {"data": LOGIN, "lease_id": "registry/creds/1", "lease_duration": 3600}
    door.rude["secret/harbor"] = answer(leased)
    door.rude["sys/internal"] = answer({"data": {"path": "secret/", "type": "registry"}})
    assert [one.lease is not None for one in moved.fetch([])] == [True]
    assert moved.learned == DYNAMIC


def test_the_engine_is_the_same_and_the_secret_is_gone(door: VaultDoor, tmp_path: Path) -> None:
    """It is read once, not again after the question."""
    gone = source(door, tmp_path, KV2)
    door.rude["secret/data/harbor"] = answer({"errors": []}, 404)
    with pytest.raises(DriverError) as caught:
        gone.fetch([])
    assert caught.value.reason is Reason.NOT_FOUND
    assert asked(door) == ["secret/data/harbor", QUESTION]


@pytest.mark.parametrize(
    ("learned", "wanted"),
    [
        ("", "auto"),
        ("kv3 secret", "auto"),
        ("kv2 other", "auto"),
        ("kv2 secret/har", "auto"),
        ("kv1 secret", "kv2"),
    ],
)
def test_what_does_not_fit_the_configuration_is_not_used(learned: str, wanted: str) -> None:
    """Path and engine may have been changed since."""
    assert Engine.learned(learned, "secret/harbor", wanted) is None  # type: ignore[arg-type]


def test_what_is_learned_is_read_again() -> None:
    """A mount may have several parts."""
    engine = Engine("kv2", "team/kv", "a/b")
    assert Engine.learned(engine.as_learned(), "team/kv/a/b", "auto") == engine
