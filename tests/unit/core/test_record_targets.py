"""What the record holds of targets that leave the configuration."""

from __future__ import annotations

from tests.unit.core.builders import HOST, site
from tests.unit.core.drivers import Place
from tests.unit.core.test_observe_groups import Group


def test_a_target_that_left_is_said_once() -> None:
    """What is there keeps a login that dies: nobody else says so."""
    here = site(targets=[Place("one"), Place("two")])
    here.cycle()
    here.configure(targets=here.rotation.targets[:1])
    report = here.after(300)
    (note,) = report.notes
    assert note.startswith("two is no longer a target; what is there stays and is not renewed.")
    assert HOST in note
    assert (here.record.notes, here.record.targets.keys()) == ((note,), {"one"})
    assert here.after(300).notes == ()


def test_a_dry_run_says_it_and_forgets_nothing() -> None:
    """The next cycle says it too."""
    here = site(targets=[Place("one"), Place("two")])
    here.cycle()
    here.configure(targets=here.rotation.targets[:1])
    assert here.cycle(dry_run=True).notes == here.cycle().notes != ()


def test_a_group_that_left_is_said_as_one() -> None:
    """Its members are no targets of their own."""
    here = site(targets=[Place("other"), Group(Place("one"), Place("two"))])
    here.cycle()
    here.configure(targets=here.rotation.targets[:1])
    (note,) = here.after(300).notes
    assert note.startswith("group is no longer a target")
    assert here.record.targets.keys() == {"other"}


def test_a_target_that_became_a_member_has_not_left() -> None:
    """It is published there as before."""
    one = Place("one")
    here = site(targets=[one, Place("two")])
    here.cycle()
    here.configure(targets=(here.rotation.targets[1], Group(one)))
    assert here.after(300).notes == ()
    assert here.record.targets.keys() == {"one", "two"}


def test_a_group_without_members_was_read() -> None:
    """And those that it had are forgotten."""
    group = Group(Place("one"))
    here = site(targets=[Place("other"), group])
    here.cycle()
    group.in_place_of = ()
    assert here.after(300).notes == ()
    assert here.record.target("group").outcome == "unchanged"
    assert here.record.targets.keys() == {"other", "group"}
    group.in_place_of = (Place("three"),)
    group.in_place_of[0].group = "group"
    here.after(300)
    assert here.record.targets.keys() == {"other", "three"}


def test_a_target_that_moved_under_its_name() -> None:
    """A name of its own, or the same path on another server: what was noted is of the former."""
    before, after = Place("one"), Place("one")
    before.configured, after.configured = "here", "there"
    here = site(targets=[before])
    here.cycle()
    here.configure(targets=(after,))
    report = here.after(300)
    (note,) = report.notes
    assert note.startswith("one is at another place now")
    assert (after.password(), report.job_safe) == (before.password(), True)
    assert here.record.target("one").drifts == ()
    assert here.after(300).notes == ()
