"""A rotation and what is in hand for it: who serves what, and which credential is better."""

from __future__ import annotations

from msgspec.structs import replace

from rotator.core.record import Record, SourceRecord
from rotator.core.rotation import DEAD, FOREVER, InHand
from tests.simulation.world import World, WorldSource
from tests.unit.core.builders import HOST, OTHER, login, site


def held(expires_in: float | None, *, adopted: bool = False, vouched: bool = True) -> InHand:
    """Return a credential in hand."""
    return InHand(
        login("s3cr3t-a", expires_in=expires_in),
        "hmac:1",
        "vault",
        adopted=adopted,
        vouched=vouched,
    )


def test_an_end_is_known_never_or_nobody_knows() -> None:
    """An entry without a mark may end at any moment: nothing is promised of it."""
    mine = held(60)
    assert mine.end == mine.credential.expires_at
    assert held(None).end == FOREVER
    assert held(None, vouched=False).end == DEAD


def test_the_later_known_end_is_better_then_ours() -> None:
    """One order for all rotators, so that they agree without talking."""
    worst_to_best = [
        held(900, vouched=False),
        held(60, adopted=True),
        held(60),
        held(61, adopted=True),
        held(None, adopted=True),
        held(None),
    ]
    assert sorted(set(worst_to_best), key=lambda mine: mine.rank) == worst_to_best


def test_registries_come_from_the_configuration_or_from_the_last_fetch() -> None:
    """A source that names none tells them by what it gave last."""
    world = World()
    declared = WorldSource(world, HOST, name="declared")
    asked = WorldSource(world, OTHER, name="asked", declared=False)
    rotation = site(world, sources=[declared, asked]).rotation
    assert rotation.served(Record()) == {HOST: "declared"}
    record = replace(Record(), sources={"asked": SourceRecord(registries=(OTHER,))})
    assert rotation.served(record) == {HOST: "declared", OTHER: "asked"}
