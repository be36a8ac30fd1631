"""One thing that fails, hangs or has a bug holds nobody else back, and is said."""

from __future__ import annotations

import pytest

from rotator.core.errors import GoneError, Reason
from tests.simulation.world import World, WorldSource, refused
from tests.support import MARKED
from tests.unit.core.builders import HOUR, OTHER, credential, document, down, site, target
from tests.unit.core.drivers import Place


def test_one_source_that_fails_holds_nobody_back() -> None:
    """The other is published; the entry of the one that failed stays."""
    world = World()
    good, bad = WorldSource(world, name="good"), WorldSource(world, OTHER, "bad")
    here = site(world, sources=[good, bad])
    here.cycle()
    stored = here.place.password(OTHER)
    bad.broken = down()
    report = here.after(7 * HOUR)
    assert report.outcome == "partial"
    assert (credential(report).outcome, credential(report, OTHER).outcome) == ("fetched", "kept")
    assert here.place.password(OTHER) == stored
    problem = credential(report, OTHER).failure
    assert problem is not None
    assert (problem.reason, problem.detail) == (Reason.UNREACHABLE, "connection refused")


def test_one_target_that_fails_holds_nobody_back() -> None:
    """Whether it can't be read or can't be written."""
    places = [Place("unreadable"), Place("read_only"), Place("good")]
    here = site(targets=places)
    places[0].unreadable = down()
    places[1].broken = refused()
    report = here.cycle()
    assert report.outcome == "partial"
    assert [t.outcome for t in report.targets] == ["failed", "failed", "written"]
    problems = [t.failure.reason if t.failure else None for t in report.targets]
    assert problems == [Reason.UNREACHABLE, Reason.FORBIDDEN, None]
    assert places[2].password()


@pytest.mark.parametrize(
    ("error", "safe"),
    [
        pytest.param(down(), True, id="it can't be asked: jobs go on reading it"),
        pytest.param(refused(), True, id="we may not look: jobs go on reading it"),
        pytest.param(
            GoneError(Reason.UNSAFE_PATH, "a pipe is there", "rm it"), False, id="it is gone"
        ),
    ],
)
def test_jobs_are_not_safe_where_the_document_is_gone(error: Exception, *, safe: bool) -> None:
    """What was written once is no promise where something else stands in its place."""
    here = site()
    assert here.cycle().job_safe
    here.place.unreadable = error
    report = here.after(60)
    assert (report.job_safe, target(report).outcome) == (safe, "failed")
    assert (target(report).expires_at is not None) is safe
    here.place.unreadable = None
    assert here.after(60).job_safe


def test_a_call_that_hangs_is_reported_and_holds_nobody_back() -> None:
    """A target, a source: each is given up at its deadline, and nothing else waits."""
    world = World()
    sources = [WorldSource(world), WorldSource(world, OTHER, "slow")]
    here = site(world, sources=sources, targets=[Place("good"), Place("slow")])
    here.hanging = sources[1]
    report = here.cycle()
    assert credential(report).outcome == "fetched"
    problem = credential(report, OTHER).failure
    assert problem is not None
    assert problem.reason is Reason.TIMEOUT
    here.hanging = here.rotation.targets[1]
    problem = target(here.after(600), "slow").failure
    assert problem is not None
    assert problem.reason is Reason.TIMEOUT


def test_a_write_that_hangs_is_reported() -> None:
    """Its target was read well and failed all the same."""
    here = site()

    def stop() -> None:
        here.hanging = here.place

    here.place.after_read = stop
    report = here.cycle()
    problem = target(report).failure
    assert problem is not None
    assert problem.reason is Reason.TIMEOUT
    assert (report.outcome, report.job_safe) == ("failed", False)


@pytest.mark.parametrize("where", ["fetch", "login", "read", "write"])
def test_an_error_that_nobody_meant_is_a_bug_and_not_fatal(where: str) -> None:
    """It is reported with its exception, and the rest of the cycle goes on."""
    world = World()
    good, bad = WorldSource(world), WorldSource(world, OTHER, "bad")
    fine, strange = Place("fine"), Place("strange")
    error = KeyError("auth")

    def fail() -> str:
        raise error

    if where == "fetch":
        bad.broken = error
    elif where == "login":
        bad.login_stamp = fail  # type: ignore[method-assign]
    elif where == "read":
        strange.unreadable = error
    else:
        strange.broken = error
    report = site(world, sources=[good, bad], targets=[fine, strange]).cycle()
    failed = credential(report, OTHER) if where in {"fetch", "login"} else target(report, "strange")
    assert failed.outcome == "failed"
    assert failed.failure is not None
    assert failed.failure.reason is Reason.BUG
    assert report.outcome == "partial"
    assert fine.password() == f"{MARKED}1"
    problems = [t.failure for t in report.sources] + [t.failure for t in report.targets]
    assert [problem.bug for problem in problems if problem] == [error]


def test_nothing_to_publish_is_said() -> None:
    """An empty target stays empty, and its line says what it waits for."""
    here = site()
    here.source.broken = refused()
    report = here.cycle()
    reported = target(report)
    assert (report.outcome, reported.outcome, here.place.text) == ("failed", "held_back", None)
    assert reported.failure is not None
    assert reported.failure.reason is Reason.NOT_FOUND
    assert not reported.failure.permanent, "it is the source that a person has to repair"


def test_a_write_that_failed_says_nothing_of_what_it_would_have_done() -> None:
    """The document was not repaired, and no entry was put back."""
    here = site()
    here.cycle()
    for _ in range(2):
        here.place.put(document({}))
        here.after(300)
    here.place.put('{"auths": {')
    here.place.changed_by_policy = True
    report = target(here.after(300))
    assert report.failure is not None
    assert report.notes == ()
