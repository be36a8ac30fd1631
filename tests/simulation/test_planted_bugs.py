"""Bugs that were planted on purpose: each is found by some seed, so the simulation can be trusted.

A rule of the core can only be dropped by putting another function in its place. That is done here
and nowhere else in the tests.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from msgspec.structs import replace

from rotator.core import recall, schedule
from rotator.core.cycle import USUAL, Options
from rotator.core.cycle import run as real_run
from tests.simulation.scenario import World, draw, simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rotator.core.model import Held, Mark, Secret
    from rotator.core.record import Record
    from rotator.core.rotation import InHand

MOST_SEEDS = 80


def revoke_at_once(world: World, _: ExitStack) -> None:
    """A replaced lease ends while jobs still use it."""
    for host in world.watch.hosts:
        for source in host.rotation.sources:
            source.revoke_after = timedelta(0)


def merge_without_reading_again(world: World, _: ExitStack) -> None:
    """A write does not care who else wrote since the target was read."""
    for host in world.watch.hosts:
        for target in host.rotation.targets:

            def careless(
                text: Secret,
                mark: Mark,
                replacing: Held,
                target: Any = target,
                write: Any = target.write,
            ) -> Held:
                now: Held = write(text, mark, replace(replacing, version=target.place.version))
                return now

            target.write = careless  # type: ignore[method-assign]


def journal_only_at_the_end(world: World, _: ExitStack) -> None:
    """What a crash interrupts was never written down."""
    for host in world.watch.hosts:

        def late(
            record: Record, journal: Any = host.journal, save: Any = host.journal.save
        ) -> None:
            if record.ended_at != journal.kept.ended_at:
                save(record)

        host.journal.save = late  # type: ignore[method-assign]


def one_end_a_document(world: World, _: ExitStack) -> None:
    """The mark tells the earliest end of all registries for each of them."""
    for host in world.watch.hosts:
        for target in host.rotation.targets:

            def simple(
                text: Secret, mark: Mark, replacing: Held, write: Any = target.write
            ) -> Held:
                ends = [end for end in mark.expires.values() if end is not None]
                earliest = min(ends, default=None)
                done: Held = write(
                    text, replace(mark, expires=dict.fromkeys(mark.expires, earliest)), replacing
                )
                return done

            target.write = simple  # type: ignore[method-assign]


def fetch_before_reading(_: World, stack: ExitStack) -> None:
    """Every cycle fetches, whatever is published."""

    def forced(rotation: Any, memory: Any, ports: Any, options: Options = USUAL) -> Any:
        return real_run(rotation, memory, ports, replace(options, force=True))

    stack.enter_context(mock.patch("rotator.core.cycle.run", forced))


def retry_without_the_life_cap(_: World, stack: ExitStack) -> None:
    """Waits after failures grow up to the maximum, however little life is left."""

    def uncapped(plan: Any, _: object) -> timedelta:
        longest: timedelta = plan.retry_max
        return longest

    stack.enter_context(mock.patch.object(schedule, "_limit", uncapped))


def jitter_drawn_at_each_look(_: World, stack: ExitStack) -> None:
    """A renewal's time is drawn again whenever it is looked at: the earliest draw wins."""
    chance = Random(7)
    real: Callable[[InHand, Record, datetime], bool] = recall._is_over

    def again(mine: InHand, record: Record, now: datetime) -> bool:
        login = mine.credential
        if login.expires_at is None:
            return real(mine, record, now)
        life = login.expires_at - login.issued_at
        return real(mine, record, now) or now >= login.issued_at + chance.random() * 0.5 * life

    stack.enter_context(mock.patch.object(recall, "_is_over", again))


BUGS = [
    revoke_at_once,
    merge_without_reading_again,
    journal_only_at_the_end,
    one_end_a_document,
    fetch_before_reading,
    retry_without_the_life_cap,
    jitter_drawn_at_each_look,
]


# What only costs calls shows where nothing goes wrong: there the budget of calls is tight.
ASKS_TOO_OFTEN = {fetch_before_reading, jitter_drawn_at_each_look}


def calm_seeds() -> list[int]:
    """Return the seeds of worlds without a fault, among many: most have some."""
    return [seed for seed in range(1, 5 * MOST_SEEDS) if not draw(seed).kinds]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_is_found(bug: Callable[[World, ExitStack], None]) -> None:
    """Some seed among the first ones breaks a promise because of it."""
    seeds = calm_seeds() if bug in ASKS_TOO_OFTEN else range(1, MOST_SEEDS)
    for seed in seeds:
        with ExitStack() as stack:
            if simulate(seed, plant=lambda world, s=stack: bug(world, s)).violation is not None:
                return
    pytest.fail("no seed finds it")
