"""A rotation with very many targets that can't compare: its cycle runs part after part."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rotator.core import parts
from rotator.core.cycle import Options
from rotator.core.model import Credential, Held, Mark, Proof, Secret, Verdict
from tests.simulation.world import World, WorldSource
from tests.support import MARKED
from tests.unit.core.builders import HOST, HOUR, document, down, foreign, site, target
from tests.unit.core.drivers import Place

if TYPE_CHECKING:
    from rotator.core.record import Record
    from rotator.core.report import Report
    from tests.simulation.world import MemoryJournal


class Asked(World):
    """A world that counts what registries are asked; a test can give the verdict."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.verdicts: list[Verdict] = []

    def prove(self, login: Credential) -> Proof:
        """Count the question, then give a verdict."""
        self.asked.append(login.password.reveal())
        return Proof(self.verdicts.pop(0)) if self.verdicts else super().prove(login)


class Variable(Place):
    """A target that can't compare, whose calls take 0.2 s."""

    compares = False

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name)
        self.world = world
        self.read_at = world.now
        self.ages: list[float] = []
        self.journal: MemoryJournal | None = None
        self.saved: list[Record] = []

    def read(self) -> Held:
        """Read it, and remember when."""
        self.world.pass_time(0.2)
        self.read_at = self.world.now
        return super().read()

    def write(self, text: Secret, mark: Mark, replacing: Held) -> Held:
        """Write it; remember how old the value was that this replaces, and what was saved."""
        if self.journal is not None:
            self.saved.append(self.journal.load())
        self.ages.append((self.world.now - self.read_at).total_seconds())
        self.world.pass_time(0.2)
        return super().write(text, mark, replacing)


class Many:
    """A rotator with seven variables, which it deals with two at once."""

    def __init__(self, **settings: Any) -> None:
        self.world = Asked()
        self.places = [Variable(f"variable-{n}", self.world) for n in range(7)]
        self.source = settings.pop("source", None) or WorldSource(self.world, leased=True)
        self.site = site(self.world, sources=[self.source], targets=self.places, **settings)

    def cycle(self, **options: Any) -> Report:
        """Run one cycle in parts."""
        here = self.site
        report, here.memory = parts.run(
            here.rotation, here.memory, self.world.ports(here.journal), Options(**options), 2
        )
        return report

    def passwords(self) -> set[str | None]:
        """Return what jobs find."""
        return {place.password() for place in self.places}


def test_a_value_is_written_right_after_it_was_read() -> None:
    """Read once, written once; a second has not gone by."""
    many = Many()
    many.cycle()
    many.world.pass_time(11 * HOUR)
    before = [place.reads for place in many.places]
    many.cycle()
    assert many.passwords() == {f"{MARKED}2"}
    assert [place.reads - b for place, b in zip(many.places, before, strict=True)] == [1] * 7
    assert max(age for place in many.places for age in place.ages) < 1


def test_sources_and_registries_are_asked_once() -> None:
    """The first part asks them, whatever the others still have to write."""
    many = Many()
    many.cycle(force=True)
    assert (many.source.fetches, many.world.asked) == (1, [f"{MARKED}1"])


def test_the_report_is_of_the_whole_cycle() -> None:
    """All targets once, one outcome; the journal says the same."""
    many = Many()
    report = many.cycle()
    record = many.site.record
    assert [one.name for one in report.targets] == [place.name for place in many.places]
    assert (report.outcome, report.job_safe) == ("rotated", True)
    assert [one.outcome for one in report.credentials] == ["fetched"]
    assert [one.name for one in report.sources] == ["vault"]
    assert record.outcome == "rotated"
    assert record.started_at == report.started_at
    assert record.whole_at == record.ended_at
    assert record.next_at == report.next_at
    assert record.succeeded_at == record.ended_at
    taken = many.world.now - report.started_at
    assert report.duration_seconds == pytest.approx(taken.total_seconds())


def test_a_failure_in_the_first_part_is_not_forgotten() -> None:
    """The outcome, the last success and the next try are of all parts."""
    many = Many()
    many.places[0].broken = down()
    report = many.cycle()
    record = many.site.record
    assert (report.outcome, report.job_safe, record.succeeded_at) == ("partial", False, None)
    assert target(report, "variable-0").outcome == "failed"
    failure = record.target("variable-0").failure
    assert failure is not None
    assert report.next_at is not None
    assert report.next_at <= max(failure.retry_at, many.world.now + timedelta(seconds=1))
    assert report.next_at >= many.world.now + timedelta(seconds=1)


def test_the_journal_has_what_a_part_is_about_to_publish() -> None:
    """A crash during its writes must not make our own entries look foreign."""
    many = Many()
    last = many.places[-1]
    last.journal = many.site.journal
    many.cycle()
    (saved,) = last.saved
    assert saved.target(last.name).fingerprints == many.site.record.target(last.name).fingerprints
    written = [bool(saved.target(place.name).written) for place in many.places]
    assert written == [True] * 6 + [False]


def test_a_cycle_has_not_ended_before_its_last_part() -> None:
    """Until then the journal says of the whole what the cycle before said."""
    many = Many()
    many.cycle()
    before = many.site.record
    many.world.pass_time(HOUR)
    for place in many.places:
        place.journal = many.site.journal
    many.cycle(force=True)
    saved = [record for place in many.places for record in place.saved]
    assert len(saved) == 7
    assert {record.ended_at for record in saved} == {before.ended_at}
    assert {record.next_at for record in saved} == {before.next_at}
    assert many.site.record.ended_at != before.ended_at


def test_the_notes_of_all_parts_are_in_the_journal() -> None:
    """Those of a target in the first one too."""
    many = Many()
    many.places[0].notes = ("look here",)
    many.cycle()
    assert "after the write: look here" in many.site.record.notes


def test_a_lease_ends_when_the_last_part_has_replaced_its_credential() -> None:
    """And not before a job that began with it can have ended."""
    many = Many()
    many.cycle()
    many.world.pass_time(HOUR)
    many.cycle(force=True)
    (retired,) = many.site.record.retired
    assert retired.revoke_at >= many.world.now + timedelta(hours=1) - timedelta(seconds=2)
    many.world.pass_time(HOUR)
    many.cycle()
    assert many.source.revoked == ["lease/1"]


def test_a_dry_run_has_one_part() -> None:
    """It writes nothing, so nothing is late; and it fetches once."""
    many = Many()
    report = many.cycle(dry_run=True)
    assert {one.outcome for one in report.targets} == {"planned"}
    assert (len(report.targets), many.source.fetches) == (7, 1)


def test_some_named_targets() -> None:
    """The others are as they were, and this is no whole cycle."""
    many = Many()
    names = frozenset(place.name for place in many.places[:5])
    report = many.cycle(only=names)
    assert {one.name for one in report.targets} == names
    assert [place.text is None for place in many.places] == [False] * 5 + [True] * 2
    assert many.site.record.whole_at is None


def test_a_target_that_compares_waits_for_no_part() -> None:
    """All of them are in the first."""
    many = Many()
    comparing = [Place(f"secret-{n}") for n in range(3)]
    many.site.configure(targets=(*many.places, *comparing))
    many.places[1].broken = down()
    asked = parts._parts(many.site.rotation, Options(), 2)
    assert asked[0] == {"variable-0", "variable-1", *(one.name for one in comparing)}
    assert [len(part) for part in asked[1:]] == [2, 2, 1]
    assert len(many.cycle().targets) == 10


def test_a_credential_that_is_pending_is_proven_again() -> None:
    """A rejection is not remembered from one proof to the next."""
    many = Many()
    many.world.verdicts = [Verdict.REJECTED, Verdict.REJECTED]
    report = many.cycle(patience=timedelta(seconds=15))
    assert report.outcome == "rotated"
    assert many.world.asked == [f"{MARKED}1"] * 3


def test_a_foreign_claim_counts_from_the_last_cycle_that_read_everything() -> None:
    """A cycle of some targets, a second ago, did not look where the claim is."""
    many = Many()
    many.cycle()
    many.world.pass_time(HOUR)
    many.cycle()
    many.world.pass_time(HOUR)
    whole = many.site.record.whole_at
    assert whole is not None
    many.cycle(only=frozenset({"variable-0"}))
    theirs = many.world.issue(HOST, 12 * HOUR)
    mark = foreign({HOST: many.world.now + timedelta(hours=40)})
    many.places[6].put(document({HOST: theirs}), mark)
    many.cycle()
    known = many.site.record.credentials[HOST][0]
    assert known.foreign
    assert known.expires_at == whole + timedelta(hours=12)


def test_what_another_rotator_published_in_a_part_stays_in_the_others() -> None:
    """The other part's targets hold ours; its owner did not replace it."""
    many = Many()
    many.cycle()
    many.world.pass_time(60)
    theirs = many.world.issue(HOST, 13 * HOUR)
    mark = foreign({HOST: many.world.now + timedelta(hours=13)})
    for place in many.places[:2]:
        place.put(document({HOST: theirs}), mark)
    many.cycle()
    many.cycle()
    assert many.passwords() == {theirs.reveal()}
