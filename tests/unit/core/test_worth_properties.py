"""What holds of every entry's worth: it is what clients find, and it never grows by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume, event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from rotator.core.candidate import DEAD, FOREVER
from rotator.core.docker_entry import is_decodable, login_text
from rotator.core.errors import GoneError, LoginRejectedError, PermanentError, Reason
from rotator.core.failure import Failure
from rotator.core.model import Secret
from rotator.core.plan import plan
from rotator.core.record import Record
from rotator.core.situation import Keep, Situation, Write
from rotator.core.worth import safe_until, worth_of_target
from rotator.core.write import Handled
from tests.simulation import document
from tests.simulation.world import World, WorldSource
from tests.unit.core.builders import HOST, HOUR, OTHER, Site, down, site
from tests.unit.core.drivers import Place
from tests.unit.core.strategies import (
    FINGERPRINT,
    Kind,
    is_spelled_otherwise,
    new_examples,
    situations,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidate

Worth = dict[str, "datetime"]


def worth(s: Situation, written: Handled | None, record: Record | None = None) -> Worth:
    """Return what each registry's entry is worth after a target was dealt with."""
    registries = dict.fromkeys(s.registries, "vault")
    candidates, past = s.candidates, record or Record(targets={"target": s.past})
    return worth_of_target(s.observation, written, registries, candidates, past, s.chosen, s.now)


def text_after(s: Situation, written: Handled) -> str | None:
    """Return what is in the target when the cycle is over."""
    decision = written.decision
    if isinstance(decision, Write) and written.failure is None:
        return decision.text.reveal()
    return s.held.text.reveal() if s.held.text else None


def is_back(one: Candidate) -> bool:
    """Tell whether its owner, another rotator, replaced this one: it is good after the next read.

    As long as this cycle only meant to put it there, it is worth nothing.
    """
    return one.foreign and one.superseded


def carried_out(s: Situation, *, fails: bool) -> Handled:
    """Return what a cycle did with a target."""
    return Handled(s, plan(s), Failure.of(down()) if fails else None)


@new_examples(80)
@given(situations(Kind.DOCUMENT, Kind.DOCUMENT, Kind.DAMAGED, Kind.NOTHING))
def test_an_entry_is_worth_what_clients_find(s: Situation) -> None:
    """Missing, undecodable, hidden by a helper, rejected or of unknown end: nothing."""
    # That a neighbour counts is a test of its own in `test_worth.py`, which fails today.
    assume(
        all(map(is_decodable, s.observation.config.auths.values() if s.observation.config else ()))
    )
    for written in (Handled(s, Keep()), carried_out(s, fails=False), carried_out(s, fails=True)):
        event(type(written.decision).__name__)
        if isinstance(written.decision, Keep) and written.decision.stale:
            continue  # it counts as what was read before
        found = document.read(text_after(s, written))
        for registry, end in worth(s, written).items():
            login = found.login(registry)
            name = FINGERPRINT(login_text(login[0], Secret(login[1]))) if login else ""
            one = s.candidates.get((registry, name))
            if end == DEAD:
                continue
            assert login is not None
            if one is None:  # another rotator wrote it since the registries were asked
                assert s.foreign_mark is not None
                assert registry in s.foreign_mark.expires
            else:
                assert not one.rejected
                assert end == one.end


@new_examples(50)
@given(situations(Kind.DOCUMENT))
def test_what_was_written_is_worth_what_was_chosen(s: Situation) -> None:
    """Unless a helper of somebody else stands before it."""
    assume(not is_spelled_otherwise(s))
    written = carried_out(s, fails=False)
    helped = document.read(text_after(s, written)).rest.get("credsStore")
    if isinstance(written.decision, Write) and not helped:
        ends = worth(s, written)
        for registry, one in s.chosen.items():
            if written.decision.entries[registry] == one.fingerprint and not is_back(one):
                assert ends[registry] == one.worth


@new_examples(40)
@given(s=situations(Kind.HIDDEN, Kind.LOGIN_PART), fails=st.booleans())
def test_a_value_with_one_writer_is_worth_something_only_where_it_is_ours(
    *, s: Situation, fails: bool
) -> None:
    """Whatever a mark of somebody else claims."""
    written = carried_out(s, fails=fails)
    wrote = isinstance(written.decision, Write) and not fails
    mark = s.held.mark.fingerprint if s.held.mark else None
    withheld_ours = s.past.written and (mark == s.past.written if mark else True)
    for registry, end in worth(s, written, Record()).items():
        if s.held.withheld and not wrote and not withheld_ours:
            assert end == DEAD
        one = s.chosen.get(registry)
        if wrote and one is not None and not is_back(one):
            assert end == one.worth


@new_examples(40)
@given(situations(Kind.DOCUMENT), st.lists(st.booleans(), max_size=4))
def test_jobs_are_safe_until_the_first_end_of_all(s: Situation, follows: list[bool]) -> None:
    """Less the longest job where a target does not follow; never without a target."""
    ends = worth(s, carried_out(s, fails=False))
    target = s.observation.target
    targets = []
    for number, each in enumerate(follows):
        policy = replace(target.policy, follows=each, enabled=True)
        targets.append(Place(f"target-{number}"))
        targets[-1].policy = policy
    here = site(targets=targets)
    rotation = here.rotation
    until = safe_until(rotation, Record(), {one.name: ends for one in targets})
    if not targets or not ends:
        assert until == DEAD
        return
    reserve = rotation.schedule.longest_job
    first = min(ends.values())
    for each in follows:
        kept = first if each or first in {DEAD, FOREVER} else first - reserve
        assert until <= kept
    assert until in {first} | ({first - reserve} if first not in {DEAD, FOREVER} else set())


# In time.


def unreadable(error: Exception, *, local: bool = False) -> Callable[[Site], None]:
    """Return what makes a target fail to be read."""

    def happens(here: Site) -> None:
        here.place.unreadable = error
        here.place.local = local

    return happens


FAULTS: Mapping[str, Callable[[Site], None]] = {
    "nothing more": lambda _: None,
    "its registry can't be asked": lambda here: here.world.unreachable.add(HOST),
    "its registry rejects it": lambda here: here.world.valid.clear(),
    "the target can't be reached": unreadable(down()),
    "the target's login is refused": unreadable(LoginRejectedError("401", "wait")),
    "the target forbids": unreadable(PermanentError(Reason.FORBIDDEN, "403", "wait")),
    "the file can't be read": unreadable(
        PermanentError(Reason.UNREADABLE, "no", "chmod"), local=True
    ),
    "the file is gone": unreadable(GoneError(Reason.UNREADABLE, "a directory", "move"), local=True),
    "rotator starts again": lambda here: here.restart(),
}


@new_examples(50)
@given(
    happens=st.sampled_from(sorted(FAULTS)),
    life=st.sampled_from([HOUR, 12 * HOUR, None]),
    waits=st.lists(
        st.sampled_from([1.0, 60.0, 600.0, 2 * HOUR, 11 * HOUR]), min_size=2, max_size=6
    ),
)
def test_jobs_are_not_safe_longer_by_waiting(
    happens: str, life: float | None, waits: list[float]
) -> None:
    """Where nothing can be fetched or written, the end that was said never moves further away."""
    here = site(sources=[WorldSource(world := World(), HOST, life=life)])
    here.world = world
    report = here.cycle()
    here.source.broken = here.place.broken = down()
    FAULTS[happens](here)
    said = report.safe_until or FOREVER
    for seconds in waits:
        report = here.after(seconds)
        until = report.safe_until or (FOREVER if report.job_safe else DEAD)
        assert until <= said
        assert report.job_safe == (until > here.world.now)
        if happens in {"its registry rejects it", "the file can't be read", "the file is gone"}:
            assert not report.job_safe
        said = until


# Several rotators.


@new_examples(40)
@given(
    lives=st.lists(st.sampled_from([HOUR, 2 * HOUR, 12 * HOUR, None]), min_size=2, max_size=3),
    apart=st.booleans(),
    compares=st.booleans(),
    seconds=st.sampled_from([0.0, 12.0]),
)
def test_rotators_on_one_document_come_to_rest(
    *,
    lives: list[float | None],
    apart: bool,
    compares: bool,
    seconds: float,
) -> None:
    """In whatever order they begin, after two rounds none of them writes."""
    world, place = World(), Place()
    place.compares = compares
    rotators = []
    for number, life in enumerate(lives):
        source = WorldSource(world, OTHER if apart and number else HOST, life=life)
        here = site(world, sources=[source], targets=[place], name=f"rotator-{number}")
        here.journal.key = f"key-{number}"
        rotators.append(here)
    for round_ in range(5):
        before = len(place.writes)
        for here in rotators:
            here.cycle()
        world.pass_time(seconds)
        assert round_ < 3 or len(place.writes) == before
    registries = {here.source.registry for here in rotators}
    assert set(place.document.logins()) == registries
    assert all(world.accepts(r, place.password(r) or "") for r in registries)
