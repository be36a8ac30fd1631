"""What an entry is worth in a target that was not read, or that this cycle does not deal with."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rotator.core.errors import GoneError, LoginRejectedError, PermanentError, Reason
from rotator.core.failure import Failure
from tests.support import MARKED
from tests.unit.core.builders import document, down, published, site, target
from tests.unit.core.drivers import Place


@pytest.mark.parametrize(
    ("error", "safe"),
    [
        (down(), True),
        (LoginRejectedError("401", "make a new token"), True),
        (PermanentError(Reason.FORBIDDEN, "403", "ask"), True),
        (PermanentError(Reason.NOT_FOUND, "no such namespace", "make it"), False),
        (GoneError(Reason.UNSAFE_PATH, "a pipe", "remove it"), False),
        (ValueError("nobody meant this"), False),
    ],
    ids=["unreachable", "login", "forbidden", "not found", "gone", "bug"],
)
@pytest.mark.parametrize("local", [False, True])
def test_a_target_that_can_not_be_read(error: Exception, *, safe: bool, local: bool) -> None:
    """As it was at the last read where jobs go on reading it; never a local file."""
    here = published()
    here.place.local = local
    promised = here.record.safe_until
    here.place.unreadable = error
    report = here.after(60)
    assert report.job_safe is (safe and not local)
    assert report.safe_until == (promised if report.job_safe else None)


def test_what_was_read_last_counts_and_not_what_was_written() -> None:
    """A person took it out, and then nobody could read it any more."""
    here = published()
    here.place.put(document({}))
    here.after(60)
    here.place.unreadable = down()
    assert here.after(60).job_safe is False


def test_a_target_that_can_not_be_read_ends_with_what_it_held() -> None:
    """Something newer elsewhere does not make it last longer."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    here.cycle()
    end = here.world.now + timedelta(hours=12)
    one.unreadable = down()
    report = here.after(120, force=True)
    assert two.password() == f"{MARKED}2"
    assert report.safe_until == end - timedelta(hours=1)


def test_an_unreadable_target_is_not_safe_with_what_was_rejected_meanwhile() -> None:
    """The registry said so when it could be asked; the password is in no memory any more."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    here.cycle()
    here.source.broken = down()
    here.world.valid.clear()
    here.after(60, only=frozenset({"two"}))
    here.restart()
    one.unreadable = down()
    two.policy = replace(two.policy, enabled=False)
    assert here.after(60).job_safe is False


def test_only_some_targets_are_dealt_with_and_the_others_count_as_last_read() -> None:
    """`run-once --target one`: the rotation is not job-safe while the other one holds nothing."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    report = here.cycle(only=frozenset({"one"}))
    assert (one.password(), two.text) == (f"{MARKED}1", None)
    assert [reported.name for reported in report.targets] == ["one"]
    assert report.job_safe is False
    here.cycle()
    report = here.after(60, only=frozenset({"one"}))
    assert report.job_safe
    assert here.record.target("two").outcome == "written"


def test_a_target_that_was_repaired_twice_is_good_where_it_is_left_out() -> None:
    """What was not read counts as at the last read, which found it there."""
    here = site(targets=[Place("one"), Place("two")])
    one = here.rotation.targets[0]
    assert isinstance(one, Place)
    here.cycle()
    for _ in range(2):
        one.put(document({}), one.mark)
        assert here.after(60).job_safe
        assert here.after(60).job_safe
    assert here.after(60, only=frozenset({"two"})).job_safe


def test_a_target_out_of_reach_is_left_out_by_name() -> None:
    """A call on it hangs in another process: the others are written."""
    one, two = Place("one"), Place("two")
    here = site(targets=[one, two])
    held = down("a call hangs")

    def out_of_reach(name: str) -> object:
        return Failure.of(held) if name == "two" else None

    report = here.cycle(out_of_reach=out_of_reach)
    assert (one.password(), two.text, two.reads) == (f"{MARKED}1", None, 0)
    failure = target(report, "two").failure
    assert failure is not None
    assert failure.detail == "a call hangs"
    assert (report.outcome, report.job_safe) == ("partial", False)


def test_a_dry_run_promises_nothing_that_is_not_published() -> None:
    """And asks the server whether it would take the write, where it can be asked."""
    here = site()
    here.place.probes_writes = True
    report = here.cycle(force=True, dry_run=True)
    assert (target(report).outcome, report.job_safe) == ("planned", False)
    assert here.place.probed == 1
    here.place.refuses_probe = PermanentError(Reason.INVALID, "denied by a policy", "ask")
    report = here.cycle(force=True, dry_run=True)
    assert target(report).outcome == "failed"
    assert here.place.text is None


def test_without_an_enabled_target_nothing_is_safe() -> None:
    """No job can pull from nowhere."""
    here = site(targets=[Place(enabled=False)])
    report = here.cycle()
    assert (report.job_safe, report.safe_until) == (False, None)
