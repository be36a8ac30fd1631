"""One pass of one rotation, from what targets hold to what they should hold.

read each target ─► recall what is in hand ─► prove it ─► which sources are due?
  ─► journal: attempt ─► fetch ─► prove ─► journal: what is known now
  ─► each target: merge, write if that changes it ─► revoke what is replaced ─► journal: settled

Reading comes first because it decides what to fetch. The journal is written before the fetch, so
that a crash loop is a failure with backoff and not a lease per restart, and before the first write,
so that a crash between a write and the end does not make our own entry look foreign.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core import leases, settle
from rotator.core.conclude import conclude, safe_for_jobs
from rotator.core.facts import Answered, Facts, Looked, Memory, Moment, Published
from rotator.core.fetching import ask, is_better, offered
from rotator.core.looking import look_at_all
from rotator.core.proving import accepted, prove, rejected
from rotator.core.publish import carry_out
from rotator.core.recall import Seen, best, is_alive, is_needed, is_waiting, recall
from rotator.core.report import Problem, Report
from rotator.core.rotation import UNPROVEN
from rotator.core.view import View
from rotator.core.wish import wish

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.core.model import Held
    from rotator.core.ports import Source, Target
    from rotator.core.record import Record
    from rotator.core.rotation import InHand, Ports, Rotation

# Seconds after which a call that hangs is given up. Drivers have shorter timeouts of their own.
FETCH, WRITE = 60.0, 60.0


class Options(Struct, frozen=True):
    """How a cycle differs from the usual one.

    `force`: fetch whatever the schedule says. `dry_run`: fetch and prove, write nothing, and end
    the leases that this made. `starting`: a daemon's first cycle, which puts off what is overdue
    where jobs are safe meanwhile: ten thousand hosts that come back together don't ask together.
    """

    force: bool = False
    dry_run: bool = False
    starting: bool = False


USUAL = Options()


def run(
    rotation: Rotation, memory: Memory, ports: Ports, options: Options = USUAL
) -> tuple[Report, Memory]:
    """Run one cycle; return what it did and what is in hand for the next one.

    What a driver raises is in the report, never raised here.
    """
    cycle = _Cycle(rotation, ports, options, ports.clock(), ports.journal.load())
    if rotation.enabled:
        cycle.look(memory)
        cycle.fetch()
        cycle.publish()
        cycle.revoke()
    return cycle.settle(memory)


@dataclass(slots=True)
class _Cycle:
    """The cycle's steps in their order; each reads what the ones before it found."""

    rotation: Rotation
    ports: Ports
    options: Options
    started: datetime
    record: Record

    before: Record = field(init=False)
    looked: dict[str, Looked] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    seen: Seen = field(default_factory=dict)
    hand: dict[str, InHand] = field(default_factory=dict)
    answers: dict[str, Answered] = field(default_factory=dict)
    refused: dict[str, InHand] = field(default_factory=dict)
    unwanted: list[InHand] = field(default_factory=list)
    rejected: frozenset[str] = frozenset()
    published: dict[str, Published] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = self.record

    def look(self, memory: Memory) -> None:
        """Read the targets, and prove what they and memory hold."""
        targets = [target for target in self.rotation.targets if target.policy.enabled]
        self.looked = look_at_all(
            targets, self.record, self.ports.each, self.started, force=self.options.force
        )
        self.held = {name: seen.held for name, seen in self.looked.items() if seen.held}
        fingerprint = self.ports.journal.fingerprint
        found = recall(
            self.rotation, self.held, memory, self.record, fingerprint=fingerprint, now=self.started
        )
        alive = {key: mine for key, mine in found.items() if is_alive(mine, self.started)}
        self.seen = found | self._prove(alive)
        self.rejected = rejected(self.seen, self.before)
        self.hand = best(self.seen, self.started)
        if self.options.starting:
            self._keep(settle.put_off(self.record, self.rotation, self.hand, self._moment()))

    def fetch(self) -> None:
        """Ask the sources that are due; what they give counts when it is proven."""
        now = self._moment()
        needed = [
            source
            for source in self.rotation.sources
            if self.options.force or is_needed(source, self.hand, self.record, self.started)
        ]
        due = [
            source
            for source in needed
            if self.options.force or not is_waiting(source, self.record, self.started)
        ]
        self.record = settle.waiting(self.record, self.rotation, needed, self.hand, now)
        self._keep(settle.attempting(self.record, self.rotation, due, self.hand, now))
        answers = self.ports.each(self._ask, due, FETCH)
        for source, answer in zip(due, answers, strict=True):
            if isinstance(answer, Exception):
                answer = Answered(problem=Problem.of(answer))  # noqa: PLW2901  an answer too
            self.answers[source.name] = answer
        self._look_at_new_registries()
        fingerprint = self.ports.journal.fingerprint
        given, others = offered(self.answers, self.seen, self.before, fingerprint)
        given |= self._prove({key: mine for key, mine in given.items() if mine.proof == UNPROVEN})
        self.seen |= given
        sources = {source.name: source for source in due}
        for (registry, _), mine in given.items():
            if not accepted(mine, self.rotation.proof):
                self.refused[registry] = mine
            elif self.options.force or is_better(
                mine, self.hand.get(registry), sources[mine.source]
            ):
                self.hand[registry] = mine
            else:
                self._leave(mine, f"ends sooner than what is in hand for {registry}, which stays")
        for mine in others:
            registry = mine.credential.registry
            owner = self.rotation.served(self.record)[registry]
            self._leave(mine, f"for {registry} is not used: {owner} comes first")

    def _look_at_new_registries(self) -> None:
        """Recall and prove what targets hold for registries that only the fetch has told."""
        known = self.rotation.served(self.record)
        self.record = settle.serving(self.record, self.answers)
        found = recall(
            self.rotation,
            self.held,
            (),
            self.record,
            fingerprint=self.ports.journal.fingerprint,
            now=self.started,
        )
        new = {key: mine for key, mine in found.items() if key[0] not in known}
        self.seen |= new
        self.seen |= self._prove({k: m for k, m in new.items() if is_alive(m, self.started)})
        self.hand = best(self.seen, self.started)

    def _leave(self, mine: InHand, why: str) -> None:
        """Let go of something that a source gave, and say so."""
        self.unwanted.append(mine)
        self.notes.append(f"what {mine.source} gave {why}")

    def publish(self) -> None:
        """Write every target that should hold something else than it does."""
        targets = [target for target in self.rotation.targets if target.name in self.held]
        for target in targets:
            view = self._view(target)
            self.published[target.name] = Published(view, wish(view))
        claims = {
            name: plan.wish.document.mark.fingerprint
            for name, plan in self.published.items()
            if plan.wish.document is not None
        }
        asked = {name for name, answer in self.answers.items() if answer.credentials}
        answered = {r for r, m in self.hand.items() if m.source in asked} - self.refused.keys()
        ends = {name: plan.wish.ends for name, plan in self.published.items()}
        safe = safe_for_jobs(self.rotation, self.record, ends)
        self._keep(
            settle.knowing(
                self.record, self.rotation, self.hand, claims, answered, safe, self._moment()
            )
        )
        if self.options.dry_run:
            return
        # Called with targets, not with plans: the fan-out knows by them which one still hangs.
        answers = self.ports.each(self._write, targets, WRITE)
        for target, answer in zip(targets, answers, strict=True):
            if isinstance(answer, Exception):
                plan = self.published[target.name]
                answer = replace(plan, problem=Problem.of(answer))  # noqa: PLW2901
            self.published[target.name] = answer

    def revoke(self) -> None:
        """End the leases that nothing needs any more; a refusal is said once."""
        now = self._moment()
        everywhere = frozenset(
            registry
            for registry in self.hand
            if not self.looked.keys() - self.held.keys()
            and all(p.holds(self.hand[registry]) for p in self.published.values())
        )
        if not self.options.dry_run:
            self.record = leases.retire(self.record, self.rotation, self.hand, everywhere, now)
        unwanted, hand = [*self.refused.values(), *self.unwanted], self.hand
        if self.options.dry_run:
            unwanted, hand = [*unwanted, *(m for m in hand.values() if m.fresh)], {}
        self.record = leases.discard(self.record, unwanted, hand, now)
        # A dry run could not write down that it ended what others retired.
        others = self.before.retired if self.options.dry_run else ()
        self.record, notes = leases.end(self.record, self.rotation, others, self.ports.each, now)
        self.notes += notes

    def settle(self, memory: Memory) -> tuple[Report, Memory]:
        """Write down how it ended, and tell it."""
        facts = Facts(
            rotation=self.rotation,
            before=self.before,
            record=self.record,
            hand=self.hand,
            answers=self.answers,
            refused=self.refused,
            rejected=self.rejected,
            looked=self.looked,
            published=self.published,
            notes=tuple(self.notes),
            dry_run=self.options.dry_run,
            started=self.started,
        )
        record, report = conclude(facts, self._moment())
        self._keep(record)
        if not self.rotation.enabled:
            return report, memory
        return report, tuple(mine.credential for mine in self.hand.values() if mine.vouched)

    def _ask(self, source: Source) -> Answered:
        """Fetch from one source; runs in the fan-out, so it changes nothing of the cycle."""
        mine = tuple(m.credential for m in self.hand.values() if m.source == source.name)
        return ask(source, mine, self.ports.clock)

    def _prove(self, offered: Seen) -> Seen:
        return prove(offered, self.rotation.proof, self.ports)

    def _view(self, target: Target) -> View:
        served = set(self.rotation.served(self.record))
        served |= {c.registry for answer in self.answers.values() for c in answer.credentials}
        wanted = frozenset(filter(target.policy.wants, served))
        return View(
            target=target,
            held=self.held[target.name],
            record=self.before.target(target.name),
            rotation=self.rotation.name,
            served=wanted,
            hand={registry: self.hand[registry] for registry in self._publishable() & wanted},
            seen=self.seen,
            rejected=self.rejected,
            remove=self.rotation.remove,
            now=self.started,
            fingerprint=self.ports.journal.fingerprint,
            told=self.rotation.told(self.record),
        )

    def _publishable(self) -> frozenset[str]:
        """Return the registries whose credential in hand may be written where it is not yet.

        What another rotator left and its registry did not accept is not copied in strict mode.
        """
        return frozenset(
            registry
            for registry, mine in self.hand.items()
            if not mine.adopted or accepted(mine, self.rotation.proof)
        )

    def _write(self, target: Target) -> Published:
        """Write one target; runs in the fan-out, so it changes nothing of the cycle."""
        return carry_out(target, self.published[target.name], self.ports.clock)

    def _moment(self) -> Moment:
        return Moment(self.ports.clock(), self.ports.draw)

    def _keep(self, record: Record) -> None:
        if record != self.record and not self.options.dry_run:
            self.ports.journal.save(record)
        self.record = record
