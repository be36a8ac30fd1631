"""Groups: one configured target that stands for one object in each of many namespaces."""

from __future__ import annotations

from rotator.core.errors import PermanentError, Reason
from tests.support import MARKED
from tests.unit.core.builders import down, site
from tests.unit.core.drivers import Place


class Group(Place):
    """One configured target that stands for some places."""

    is_group = True

    def __init__(self, *members: Place) -> None:
        super().__init__("group")
        self.in_place_of = members
        for member in members:
            member.group = "group"

    def members(self) -> tuple[Place, ...]:
        """Return them, unless the server can't be asked."""
        if self.unreadable is not None:
            raise self.unreadable
        return self.in_place_of


def test_a_group_is_written_member_by_member() -> None:
    """Those that come later are filled, those that go are forgotten."""
    one, two, three = Place("one"), Place("two"), Place("three")
    group = Group(one, two)
    here = site(targets=[group])
    report = here.cycle()
    assert (one.password(), two.password(), report.job_safe) == (
        f"{MARKED}1",
        f"{MARKED}1",
        True,
    )
    assert {reported.group for reported in report.targets} == {"group"}
    group.in_place_of = (two, three)
    three.group = "group"
    here.after(300)
    assert three.password() == f"{MARKED}1"
    assert here.record.targets.keys() == {"two", "three"}


def test_a_group_that_can_not_be_listed_is_named_and_counts_as_last_read() -> None:
    """Its members are where they were."""
    group = Group(Place("one"), Place("two"))
    here = site(targets=[group])
    here.cycle()
    group.unreadable = down()
    report = here.after(300)
    assert [(reported.name, reported.outcome) for reported in report.targets] == [
        ("group", "failed")
    ]
    assert report.job_safe
    assert here.record.targets.keys() == {"one", "two", "group"}
    group.unreadable = PermanentError(Reason.NOT_FOUND, "gone", "make it")
    assert here.after(300).job_safe is False


def test_one_group_is_chosen_by_its_name() -> None:
    """`--target` takes the configured name."""
    group, other = Group(Place("one")), Place("other")
    here = site(targets=[group, other])
    report = here.cycle(only=frozenset({"group"}))
    assert [reported.name for reported in report.targets] == ["one"]
    assert here.cycle(only=frozenset({"other"})).targets[0].name == "other"
