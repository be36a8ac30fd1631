"""One pass: publish, leave alone what is fresh, renew in time, keep what others put there."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from rotator.core.model import Merge
from tests.simulation.world import World, WorldSource, refused
from tests.support import MARKED
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    Site,
    credential,
    document,
    login,
    seconds_until,
    site,
    target,
)
from tests.unit.core.drivers import Place


def test_the_first_run_publishes() -> None:
    """From nothing to a document that works, with a mark that tells when it ends."""
    here = site()
    report = here.cycle()
    assert here.world.accepts(HOST, here.place.password() or "")
    assert here.place.marked() == here.world.now + timedelta(hours=12)
    assert (report.outcome, report.job_safe) == ("rotated", True)
    assert (credential(report).outcome, credential(report).proof) == ("fetched", "accepted")
    assert credential(report).expires_at == here.place.marked()
    assert (target(report).outcome, target(report).failure) == ("written", None)


def test_what_is_fresh_is_left_alone() -> None:
    """No fetch, no write, and the journal knows what it knew before."""
    here = site()
    here.cycle()
    before, version = here.record, here.place.version
    report = here.after(300)
    assert report.outcome == "fresh"
    assert (credential(report).outcome, target(report).outcome) == ("fresh", "unchanged")
    assert (here.source.fetches, here.place.version) == (1, version)
    after = here.record
    assert (after.credentials, after.sources) == (before.credentials, before.sources)
    assert after.target("target").fingerprints == before.target("target").fingerprints
    assert after.target("target").written_at == before.target("target").written_at


def test_a_credential_is_renewed_when_its_time_has_come() -> None:
    """Not a second before `renew_at`, and then everywhere."""
    here = site()
    here.cycle()
    (known,) = here.record.credentials[HOST]
    assert known.renew_at is not None
    early = seconds_until(known.renew_at, here.world) - 1
    assert here.after(early).outcome == "fresh"
    old = here.place.password()
    report = here.after(1)
    assert (report.outcome, credential(report).outcome) == ("rotated", "fetched")
    assert here.place.password() != old
    assert [change.why for change in target(report).changes] == ["renewed"]


def test_a_credential_keeps_its_time_of_renewal() -> None:
    """A time that is drawn again at each look would be no time at all."""
    here = site()
    here.cycle()
    (drawn,) = here.record.credentials[HOST]
    here.world.draws = lambda: 0.9
    here.after(300)
    here.restart()
    here.after(300)
    assert here.record.credentials[HOST] == (drawn,)


def test_a_credential_from_the_future_is_fetched_again() -> None:
    """The clock went back: every end that was computed before looks later than it is."""
    here = site()
    here.cycle()
    assert here.after(-4).outcome == "fresh"
    assert credential(here.after(-10)).outcome == "fetched"


def test_what_is_given_again_after_the_clock_went_back_is_fetched_once() -> None:
    """Its life begins by the clock that is right; else it would be due for a day."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None)])
    here.cycle()
    here.after(-24 * HOUR)
    assert here.source.fetches == 2
    report = here.after(10)
    assert (here.source.fetches, report.job_safe) == (2, True)


def test_what_can_change_early_is_read_again_where_the_clock_went_back() -> None:
    """Its next poll is a day ahead."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None)])
    here.cycle()
    here.after(240 * HOUR)
    here.restart()
    here.after(-24 * HOUR)
    assert here.source.fetches == 3


def test_what_can_change_early_is_read_again_each_poll() -> None:
    """A password that somebody changes in Vault KV is published within `poll`."""
    world = World()
    here = site(world, sources=[WorldSource(world, life=None)])
    here.cycle()
    assert here.after(301).outcome == "rotated"
    assert (here.source.fetches, len(here.place.writes)) == (2, 1)
    here.source.static = None
    here.after(301)
    assert here.place.password() == f"{MARKED}2"
    assert here.after(10).outcome == "fresh"


def test_force_fetches_whatever_the_schedule_says() -> None:
    """As `run-once` does."""
    here = site()
    here.cycle()
    assert credential(here.cycle(force=True)).outcome == "fetched"
    assert here.source.fetches == 2


def test_everything_else_in_a_document_stays() -> None:
    """Other registries and other keys survive the first write and every renewal."""
    here = site()
    here.place.put(document({OTHER: "s3cr3t-theirs"}, credHelpers={"x": "y"}, HttpHeaders={}))
    here.cycle()
    here.after(11 * HOUR)
    assert here.place.password(OTHER) == "s3cr3t-theirs"
    assert here.place.document.rest == {"credHelpers": {"x": "y"}, "HttpHeaders": {}}
    assert len(here.place.writes) == 2


def test_an_entry_that_no_client_can_read_is_left_out_and_said() -> None:
    """It would break its neighbours."""
    here = site()
    here.place.put('{"auths": {"broken.example.com": {"auth": "?"}}}')
    reported = target(here.cycle())
    assert "broken.example.com" not in here.place.document.auths
    assert any("broken.example.com" in note for note in reported.notes)
    assert {change.why for change in reported.changes} == {"missing", "undecodable"}


def test_a_login_in_a_key_is_not_shown() -> None:
    """What others wrote into a key can be a password, and can't be printed as it is."""
    here = site()
    gone = "bob:s3cr3t-too@gone.example.com"
    broken = "https://bob:s3cr3t-in-the-key@broken.example.com\x1b[2J"
    here.place.put(json.dumps({"auths": {broken: {"auth": "?"}, gone: {}}}))
    here.configure(remove=frozenset({gone}))
    reported = target(here.cycle())
    assert {change.registry for change in reported.changes} == {
        HOST,
        "broken.example.com?[2J",
        "gone.example.com",
    }
    assert "s3cr3t-" not in f"{reported.notes}{reported.changes}"


def test_a_key_in_another_spelling_makes_way() -> None:
    """One registry has one key, and the change is told once."""
    here = site()
    here.place.put('{"auths": {"https://registry.example.com/v2/": {"auth": "Y2k6eA=="}}}')
    reported = target(here.cycle())
    assert list(here.place.document.auths) == [HOST]
    assert [change.registry for change in reported.changes] == [HOST]


def test_what_is_to_be_removed_goes_whoever_wrote_it() -> None:
    """And nothing else does; it is told once, when it happens."""
    here = site(remove=frozenset({"old.example.com"}))
    here.place.put(document({"old.example.com": "s3cr3t-old", OTHER: "s3cr3t-theirs"}))
    reported = target(here.cycle())
    assert set(here.place.document.auths) == {HOST, OTHER}
    assert ("old.example.com", "removed") in {(c.registry, c.why) for c in reported.changes}
    assert target(here.after(300)).changes == ()


def test_a_registry_that_left_the_configuration_stays_and_is_said() -> None:
    """Until a person asks for it to be taken out."""
    world = World()
    first, second = WorldSource(world), WorldSource(world, OTHER, "second")
    here = site(world, sources=[first, second])
    here.cycle()
    here.configure(sources=(first,))
    report = here.after(300)
    assert here.place.password(OTHER)
    assert any(OTHER in note and "remove:" in note for note in report.notes)
    here.configure(remove=frozenset({OTHER}))
    report = here.after(300)
    assert here.place.password(OTHER) is None
    assert report.notes == ()


@pytest.mark.parametrize("merge", list(Merge))
def test_a_target_gets_only_the_registries_of_its_filter(merge: Merge) -> None:
    """The others are no matter of this target, nor of its end."""
    world = World()
    sources = [WorldSource(world), WorldSource(world, OTHER, "short", life=2 * HOUR)]
    all_, some = Place("all"), Place("some", registries=frozenset({HOST}), merge=merge)
    report = site(world, sources=sources, targets=[all_, some]).cycle()
    assert set(all_.document.auths) == {HOST, OTHER}
    assert set(some.document.auths) == {HOST}
    assert target(report, "some").expires_at == world.now + timedelta(hours=12)
    assert target(report, "all").expires_at == world.now + timedelta(hours=2)


def test_notes_of_a_target_reach_the_report() -> None:
    """What the driver found when it wrote, and without a write when it read."""
    here = site()
    here.place.notes = ("the mode is 0644",)
    assert target(here.cycle()).notes == ("after the write: the mode is 0644",)
    assert target(here.after(300)).notes == ("the mode is 0644",)


def test_seconds_are_reported_for_each_step() -> None:
    """Fetches and writes are measured by the clock that the core is given."""
    here = site()
    fetch, place = here.source.fetch, here.place

    def slow(previous: object) -> object:
        here.world.pass_time(3)
        return fetch(previous)  # type: ignore[arg-type]

    here.source.fetch = slow  # type: ignore[method-assign, assignment]
    place.meanwhile = lambda: here.world.pass_time(2)
    report = here.cycle()
    assert (report.sources[0].seconds, target(report).seconds) == (3, 2)
    assert report.duration_seconds == 5


def two_for_one() -> tuple[Site, list[WorldSource]]:
    """Return a rotator and its two sources for one registry, which only a fetch can tell."""
    world = World()
    names = "first", "second"
    sources = [WorldSource(world, name=name, declared=False, leased=True) for name in names]
    return site(world, sources=sources), sources


def test_of_two_sources_for_one_registry_the_first_counts_and_it_is_said() -> None:
    """What is published does not change from cycle to cycle."""
    here, _ = two_for_one()
    report = here.cycle()
    assert here.place.password() == f"{MARKED}1"
    assert any("first" in note and "second" in note and HOST in note for note in report.notes)
    assert (credential(report).source, credential(report).outcome) == ("first", "fetched")
    assert here.after(7 * HOUR).outcome != "failed"
    assert here.place.password() == f"{MARKED}3"


def test_of_two_sources_for_one_registry_the_others_lease_is_ended() -> None:
    """Nobody will ever use it."""
    here, sources = two_for_one()
    here.cycle()
    assert [source.revoked for source in sources] == [[], ["lease/2"]]


def test_no_secret_is_in_what_is_stored_or_said() -> None:
    """Neither in the journal, nor in the report, nor in how anything prints."""
    world = World()
    source = WorldSource(world, leased=True)
    here = site(world, sources=[source])
    here.place.put(document({OTHER: login("s3cr3t-theirs").password}))
    reports = [here.cycle(), here.after(12 * HOUR)]
    source.broken = refused()
    reports.append(here.after(12 * HOUR))
    reported = [here.journal.text, *map(repr, reports), *(str(r.as_json()) for r in reports)]
    reported.append(repr(here.memory))
    assert not [text for text in reported if MARKED in text]
