"""Rules that random histories meet too seldom to be sure that a broken one is found."""

from __future__ import annotations

from rotator.core import cycle
from rotator.core.errors import Reason, TemporaryError
from rotator.core.model import Merge, Policy
from rotator.core.recall import Memory
from rotator.core.rotation import Rotation
from tests.simulation.world import MemoryJournal, World, WorldSource, WorldTarget

ONE, TWO = "one.example.com", "two.example.com"


def outage() -> TemporaryError:
    """Return the error of a server that can't be reached."""
    return TemporaryError(Reason.UNREACHABLE, "connection refused", "wait")


class Site:
    """Two sources and one target with `merge: replace`; `run` is a process of its own."""

    def __init__(self, *, hidden: bool, declared: bool = True) -> None:
        self.world = World()
        self.one = WorldSource(self.world, ONE, "one")
        self.two = WorldSource(self.world, TWO, "two", declared=declared)
        self.target = WorldTarget(policy=Policy(merge=Merge.REPLACE))
        self.target.hidden = hidden
        self.journal = MemoryJournal()

    def run(self, *, force: bool = True) -> str:
        """Run one cycle without a memory; return the target's outcome."""
        rotation = Rotation("dind", (self.one, self.two), (self.target,))
        options = cycle.Options(force=force)
        report, _ = cycle.run(rotation, Memory(), self.world.ports(self.journal), options)
        return report.targets[0].outcome


def test_a_hidden_value_keeps_what_only_its_mark_names() -> None:
    """The journal is lost and one source is down: its entry would be lost."""
    site = Site(hidden=True)
    assert site.run() == "written"
    site.journal, site.two.broken = MemoryJournal("two"), outage()
    assert site.run() == "held_back"


def test_a_hidden_value_keeps_what_only_the_journal_names() -> None:
    """The target carries no mark, and one source is down: its entry would be lost."""
    site = Site(hidden=True)
    site.target.marks = False
    assert site.run() == "written"
    site.two.broken = outage()
    assert site.run() == "held_back"


def test_a_hidden_value_waits_for_a_source_that_has_yet_to_name_its_registries() -> None:
    """Nobody knows what it has in the value."""
    site = Site(hidden=True, declared=False)
    site.target.marks = False
    assert site.run() == "written"
    site.journal, site.two.broken = MemoryJournal("two"), outage()
    assert site.run() == "held_back"


def test_a_hidden_value_is_written_where_nothing_in_it_is_alive() -> None:
    """What has ended is not lost."""
    site = Site(hidden=True)
    assert site.run() == "written"
    site.world.pass_time(13 * 3600)
    site.two.broken = outage()
    assert site.run() == "written"


def test_merge_replace_keeps_what_a_source_may_name_that_was_not_asked_yet() -> None:
    """The journal is lost and the source is down: its entry stays."""
    site = Site(hidden=False, declared=False)
    assert site.run() == "written"
    site.journal, site.two.broken = MemoryJournal("two"), outage()
    site.run()
    assert site.target.text is not None
    assert TWO in site.target.text
