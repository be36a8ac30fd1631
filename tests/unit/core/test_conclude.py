"""Job-safe: what is promised to jobs, until when, and that nobody promises what is not known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.errors import Reason
from rotator.core.model import Content, Merge
from tests.simulation.world import World, WorldSource, refused
from tests.unit.core.builders import (
    HOST,
    HOUR,
    OTHER,
    Site,
    credential,
    document,
    down,
    login,
    seconds_until,
    site,
    target,
)
from tests.unit.core.drivers import Fixed, Place

JOB = HOUR


def lives(*hours: float | None) -> Site:
    """Return a rotator whose sources give credentials of these lives."""
    world = World()
    sources = [
        WorldSource(world, f"{n}.example.com", f"s{n}", None if life is None else life * HOUR)
        for n, life in enumerate(hours)
    ]
    return site(world, sources=sources)


@pytest.mark.parametrize(
    ("hours", "safe_for"),
    [
        pytest.param([12], 11 * HOUR, id="its end less the longest job"),
        pytest.param([12, 3], 2 * HOUR, id="the first one that ends"),
        pytest.param([12, None], 11 * HOUR, id="one of two never ends"),
        pytest.param([None], None, id="none ever ends"),
    ],
)
def test_a_job_that_starts_until_then_can_pull(hours: list[float], safe_for: float | None) -> None:
    """`safe_until` is when the promise ends if nothing can be fetched any more."""
    here = lives(*hours)
    report = here.cycle()
    assert report.job_safe
    if safe_for is None:
        assert report.safe_until is None
    else:
        assert seconds_until(report.safe_until, here.world) == safe_for


def test_what_is_left_is_too_little_for_the_longest_job() -> None:
    """Jobs are not safe any more, and it is said since when."""
    here = site()
    here.cycle()
    here.source.broken = refused()
    assert here.after(11 * HOUR - 1).job_safe
    report = here.after(1)
    assert report.job_safe is False
    assert report.safe_until == here.world.now


def test_a_life_shorter_than_the_longest_job_is_not_safe() -> None:
    """However fresh it is."""
    report = lives(0.5).cycle()
    assert (report.outcome, report.job_safe) == ("rotated", False)


def test_running_jobs_that_see_updates_need_no_reserve() -> None:
    """`follows`: each pull sees what is published then."""
    world = World()
    places = [Place("follows", follows=True), Place("short", registries=frozenset())]
    here = site(world, sources=[WorldSource(world, life=HOUR / 2)], targets=places)
    report = here.cycle()
    assert report.job_safe
    assert seconds_until(report.safe_until, world) == HOUR / 2


@pytest.mark.parametrize("failure", ["broken", "unreadable"])
def test_every_target_has_to_be_safe(failure: str) -> None:
    """One that was never written is not."""
    here = site(targets=[Place("good"), Place("bad")])
    setattr(here.rotation.targets[1], failure, down())
    report = here.cycle()
    assert (report.job_safe, report.safe_until) == (False, None)


@pytest.mark.parametrize("failure", ["broken", "unreadable"])
def test_a_target_that_fails_is_safe_as_long_as_what_it_holds(failure: str) -> None:
    """The old credential is still there, and works."""
    here = site(targets=[Place("good"), Place("bad")])
    end = here.cycle().safe_until
    setattr(here.rotation.targets[1], failure, down())
    report = here.after(7 * HOUR)
    assert (report.job_safe, report.safe_until) == (True, end)
    assert target(report, "bad").outcome == "failed"
    assert here.after(4 * HOUR).job_safe is False


def test_a_source_that_never_named_its_registries_makes_nothing_safe() -> None:
    """A job may need what nobody knows of yet."""
    world = World()
    silent = WorldSource(world, OTHER, "silent", declared=False)
    silent.broken = down()
    here = site(world, sources=[WorldSource(world), silent])
    report = here.cycle()
    assert report.job_safe is False
    silent.broken = None
    here.wait_until(report.next_at)
    assert here.cycle().job_safe
    silent.broken = down()
    assert here.after(7 * HOUR).job_safe


def test_a_registry_without_a_credential_makes_nothing_safe() -> None:
    """The configuration says that jobs need it."""
    here = lives(12, 12)
    here.rotation.sources[1].broken = down()  # type: ignore[attr-defined]
    assert here.cycle().job_safe is False


def test_a_credential_without_an_end_is_safe_only_while_its_registry_accepts_it() -> None:
    """A Harbor robot that somebody deleted."""
    here = lives(None)
    assert here.cycle().job_safe
    here.world.valid.clear()
    assert here.after(60).job_safe is False


def test_a_registry_that_can_not_be_asked_breaks_no_promise() -> None:
    """The end that is known still counts."""
    here = site()
    end = here.cycle().safe_until
    here.world.unreachable.add(HOST)
    report = here.after(300)
    assert (report.job_safe, report.safe_until) == (True, end)


def places_nobody_can_look_into() -> dict[str, Place]:
    """Return targets of which only the journal can tell what they hold."""
    hidden = Place("hidden", merge=Merge.REPLACE)
    hidden.hidden = True
    return {
        "unreadable": Place("unreadable"),
        "hidden": hidden,
        "password": Place("password", content=Content.PASSWORD, registry=HOST),
        "username": Place("username", content=Content.USERNAME, registry=HOST),
    }


@pytest.mark.parametrize("kind", places_nobody_can_look_into())
def test_a_rejected_credential_is_safe_nowhere(kind: str) -> None:
    """Also where the target does not show what it holds."""
    place = places_nobody_can_look_into()[kind]
    here = site(targets=[place])
    assert here.cycle().job_safe
    here.world.valid.clear()
    here.source.broken = down()
    if kind == "unreadable":
        place.unreadable = down()
    assert here.after(60).job_safe is False
    here.restart()
    assert here.after(60).job_safe is False


@pytest.mark.parametrize("text", [None, "s3cr3t-typo"])
@pytest.mark.parametrize("failure", ["source", "target"])
def test_a_login_part_that_a_person_broke_is_not_safe(failure: str, text: str | None) -> None:
    """Where it can't be repaired: its source or the target itself is down."""
    here = site(targets=[Place(content=Content.PASSWORD, registry=HOST)])
    here.cycle()
    here.place.put(text)
    if failure == "source":
        here.restart()
        here.source.broken = down()
    else:
        here.place.broken = down()
    assert here.after(60).job_safe is False


@pytest.mark.parametrize("text", ["{", None, document({OTHER: "s3cr3t-theirs"})])
def test_a_document_that_can_not_be_repaired_is_not_safe(text: str | None) -> None:
    """A person broke it, and the target refuses our write."""
    here = site()
    here.cycle()
    here.place.put(text)
    here.place.broken = down()
    report = here.after(60)
    assert (target(report).outcome, report.job_safe) == ("failed", False)


def test_a_document_that_still_has_our_entry_is_safe_though_its_repair_failed() -> None:
    """Another registry's entry was edited; ours still works."""
    here = lives(12, 12)
    here.cycle()
    there = {key: found[1] for key, found in here.place.document.logins().items()}
    here.place.put(document({**there, "1.example.com": "s3cr3t-typo"}))
    here.place.broken = down()
    report = here.after(60)
    assert report.job_safe is False
    assert target(report).expires_at == here.world.now + timedelta(seconds=12 * HOUR - 60)


def test_a_paused_target_promises_nothing_and_spoils_nothing() -> None:
    """Nobody asked for it to be safe."""
    report = site(targets=[Place("good"), Place("paused", enabled=False)]).cycle()
    assert report.job_safe
    assert target(report, "paused").failure is None


def test_a_rotation_without_an_expiry_reads_as_none() -> None:
    """For ever is told by no date at all."""
    report = lives(None).cycle()
    assert credential(report, "0.example.com").expires_at is None
    assert target(report).expires_at is None
    assert report.as_json()["safe_until"] is None


# What a source gave is not what it should


def test_a_source_that_gives_nothing_for_a_registry_says_so() -> None:
    """Else the line would say failed, and nobody knew why."""
    world = World()
    source = Fixed(world)
    source.answers = ()
    report = site(world, sources=[source]).cycle()
    reported = credential(report)
    assert reported.outcome == "failed"
    assert reported.failure is not None
    assert reported.failure.reason is Reason.FIELD_MISSING
    assert HOST in reported.failure.detail


def test_a_source_that_gives_nothing_at_all_says_so() -> None:
    """Where it names no registries, too."""
    world = World()
    source = Fixed(world, declared=False)
    reported = credential(site(world, sources=[source]).cycle(), None)
    assert reported.outcome == "failed"
    assert reported.failure is not None
    assert reported.failure.hint


def test_a_source_that_gives_what_has_ended_says_so() -> None:
    """The clock of this machine may be wrong, or what it reads is old."""
    world = World()
    source = Fixed(world, login(world.issue(HOST, None), expires_in=-1))
    report = site(world, sources=[source]).cycle()
    reported = credential(report)
    assert reported.failure is not None
    assert reported.failure.reason is Reason.EXPIRED
    assert report.job_safe is False


def test_what_has_ended_does_not_replace_what_works() -> None:
    """Only a known end in the past is worse than anything."""
    world = World()
    source = Fixed(world, login(world.issue(HOST, 12 * HOUR), expires_in=12 * HOUR))
    here = site(world, sources=[source])
    here.cycle()
    password = here.place.password()
    source.answers = (login(world.issue(HOST, None), expires_in=-1),)
    report = here.after(7 * HOUR)
    assert here.place.password() == password
    assert report.job_safe
