"""A rotation and its candidates: whose registry is whose, and which credential is better."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from rotator.core.candidate import DEAD, FOREVER, Candidate
from rotator.core.record import Record, SourceRecord
from tests.simulation.world import World, WorldSource
from tests.unit.core.builders import HOST, OTHER, login, site


def candidate(
    expires_in: float | None, *, foreign: bool = False, end_known: bool = True
) -> Candidate:
    """Return a candidate."""
    return Candidate(
        login("s3cr3t-a", expires_in=expires_in),
        "hmac:1",
        "vault",
        foreign=foreign,
        end_known=end_known,
    )


def test_an_end_is_known_never_or_nobody_knows() -> None:
    """An entry without a mark may end at any moment: nothing is promised of it."""
    mine = candidate(60)
    assert mine.end == mine.credential.expires_at
    assert candidate(None).end == FOREVER
    assert candidate(None, end_known=False).end == DEAD


def test_the_later_known_end_is_better_then_ours() -> None:
    """One order for all rotators, so that they agree without talking."""
    worst_to_best = [
        candidate(900, end_known=False),
        candidate(60, foreign=True),
        candidate(60),
        candidate(61, foreign=True),
        candidate(None, foreign=True),
        candidate(None),
    ]
    assert sorted(set(worst_to_best), key=lambda mine: mine.rank) == worst_to_best


def test_registries_come_from_the_configuration_or_from_the_last_fetch() -> None:
    """A source that names none has those that it gave last."""
    world = World()
    declared = WorldSource(world, HOST, name="declared")
    asked = WorldSource(world, OTHER, name="asked", declared=False)
    rotation = site(world, sources=[declared, asked]).rotation
    assert rotation.sources_by_registry(Record()) == {HOST: "declared"}
    record = replace(Record(), sources={"asked": SourceRecord(registries=(OTHER,))})
    assert rotation.sources_by_registry(record) == {HOST: "declared", OTHER: "asked"}


def test_a_registry_has_all_of_settle_and_no_longer() -> None:
    """A clock that went back does not make it longer: the wait would have no known end."""
    world = World()
    rotation = site(world, settle=timedelta(seconds=60)).rotation
    now = world.now
    since = [now - timedelta(seconds=s) for s in (61, 60, 59, 0, -1)]
    assert [rotation.within_settle(one, now) for one in since] == [False, False, True, True, False]
