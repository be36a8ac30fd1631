"""What becomes of a source's answer: what it lacks, and what it replaces."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rotator.core.candidate import Candidate
from rotator.core.errors import Reason
from rotator.core.fetch import shortcoming, with_fetched, with_resolved
from rotator.core.model import Proof, Verdict
from rotator.core.record import PendingCredential, Record
from rotator.core.rotation import Rotation
from tests.simulation.world import World, WorldSource
from tests.support import NOW
from tests.unit.core.builders import HOST, HOUR, OTHER, login, site
from tests.unit.core.drivers import Fixed


def source() -> WorldSource:
    """Return a source of one registry whose answers can change early."""
    found = WorldSource(World())
    found.changes_early = True
    return found


def candidate(password: str, verdict: Verdict) -> Candidate:
    """Return a candidate of that source."""
    return Candidate(login(password), password, "vault", Proof(verdict))


@pytest.mark.parametrize("registries", [[], [OTHER]], ids=["nothing", "another registry"])
def test_what_an_answer_lacks_waiting_does_not_bring(registries: list[str]) -> None:
    """A person has to put it there, so it is retried slowly."""
    failure = shortcoming(source(), [login("s3cr3t-a", name) for name in registries], NOW)
    assert failure is not None
    assert (failure.reason, failure.permanent) == (Reason.FIELD_MISSING, True)


def test_what_has_ended_waiting_does_not_renew() -> None:
    """Neither the server nor the clock gets better by asking again."""
    failure = shortcoming(source(), [login("s3cr3t-a", expires_in=-1)], NOW + timedelta(seconds=1))
    assert failure is not None
    assert (failure.reason, failure.permanent) == (Reason.EXPIRED, True)


@pytest.mark.parametrize("forced", [(), ("vault",)])
def test_a_rejected_answer_replaces_nothing(forced: tuple[str, ...]) -> None:
    """Whoever asked for it: what is published goes on being the best."""
    old, new = candidate("s3cr3t-old", Verdict.ACCEPTED), candidate("s3cr3t-new", Verdict.REJECTED)
    keyed = [{(HOST, one.fingerprint): one} for one in (old, new)]
    merged = with_fetched(keyed[0], keyed[1], [source()], forced)
    assert not merged[HOST, old.fingerprint].superseded


def test_of_two_sources_for_one_registry_the_first_counts_whenever_it_is_asked() -> None:
    """They name their registries by a fetch only, and are asked at different times."""
    world = World()
    first = WorldSource(world, name="first", life=None, declared=False)
    second = WorldSource(world, name="second", life=None, declared=False)
    here = site(world, sources=[first, second])
    here.cycle()
    published = here.place.password()
    for name in ("second", "first", "second"):
        record = here.record
        sources = {
            one: replace(past, poll_at=world.now + timedelta(hours=one != name))
            for one, past in record.sources.items()
        }
        here.journal.save(replace(record, sources=sources))
        fetches = second.fetches
        here.after(1)
        assert (second.fetches > fetches) == (name == "second")
        assert here.place.password() == published


@pytest.mark.parametrize("forced", [False, True])
def test_what_was_pending_replaces_the_old_one_only_where_it_was_asked_for(*, forced: bool) -> None:
    """Elsewhere the later end wins, so that all rotators agree on what is best."""
    rotation = Rotation("dind", (WorldSource(World()),), ())
    old, new = candidate("s3cr3t-old", Verdict.ACCEPTED), candidate("s3cr3t-new", Verdict.ACCEPTED)
    both = {(HOST, one.fingerprint): one for one in (old, new)}
    record = Record(pending={HOST: PendingCredential(new.fingerprint, NOW, forced=forced)})
    merged = with_resolved(both, rotation, record)
    assert merged[HOST, old.fingerprint].superseded == forced
    assert not merged[HOST, new.fingerprint].superseded


def test_a_forced_credential_that_was_pending_counts_whatever_it_ends() -> None:
    """The clock went back: what is published looks as if it ended later."""
    world = World()
    here = site(world, settle=timedelta(minutes=2))
    here.cycle()
    sooner = world.issue(HOST, HOUR * 6)
    ends = world.valid.pop((HOST, sooner.reveal()))
    here.configure(sources=(Fixed(world, login(sooner, expires_in=6 * HOUR)),))
    here.cycle(force=True)
    assert here.record.pending[HOST].forced
    world.valid[HOST, sooner.reveal()] = ends
    here.after(30)
    assert here.place.password() == sooner.reveal()
