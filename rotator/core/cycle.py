"""One cycle of one rotation, from what its targets hold to what they should hold.

observe each target ─► recall candidates ─► prove them ─► choose one a registry
  ─► which sources are due? ─► journal: attempt ─► fetch ─► prove ─► choose again
  ─► plan each target ─► journal: what is known ─► write ─► retire leases
  ─► conclude: record and report ─► next_at

Observing comes first because it decides what to fetch. The journal is written before the fetch, so
that a crash loop is a failure with backoff and not a lease per restart, and before the first write,
so that a crash between a write and the end does not make our own entry look foreign. Only the
latter has to outlive a power failure: what the other saves add is found out again, and costs a
fetch at most.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rotator.core import conclude, leases, reports, updates
from rotator.core.choose import choose, standby_of
from rotator.core.due import given_up, is_waiting, needed_sources, resolved
from rotator.core.failure import Failure
from rotator.core.fetch import (
    fetch,
    fetched_candidates,
    until_accepted,
    with_fetched,
    with_resolved,
)
from rotator.core.observe import observe, with_members
from rotator.core.plan import plan
from rotator.core.prove import prove
from rotator.core.recall import Memory, recall
from rotator.core.situation import HoldBack, Keep, Write, situations_of
from rotator.core.updates import At
from rotator.core.worth import entries_now, entries_read, safe_until, worth_of_target
from rotator.core.write import WRITE, Written, probe, write

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidate, Candidates
    from rotator.core.observe import Observation
    from rotator.core.ports import Clock, Target
    from rotator.core.record import Record
    from rotator.core.report import Report
    from rotator.core.rotation import Ports, Rotation


class Options(Struct, frozen=True):
    """How a cycle differs from the usual one.

    `force`: fetch whatever the schedule says. `dry_run`: fetch and prove, write nothing, and end
    the leases that this made. `starting`: a daemon's first cycle, which puts off what is overdue
    where jobs are safe meanwhile: ten thousand hosts that come back together don't ask together.
    `only`: the names of the targets to deal with, all where empty. `later`: an earlier part of the
    same cycle asked the sources. `out_of_reach` tells why a
    target is left alone: a call on it hangs in another process. `patience`: how long to wait for a
    registry to know a new credential.
    """

    force: bool = False
    dry_run: bool = False
    starting: bool = False
    only: frozenset[str] = frozenset()
    later: bool = False
    out_of_reach: Callable[[str], Failure | None] = lambda _: None
    patience: timedelta = timedelta(0)


USUAL = Options()


def run(  # noqa: PLR0915  the whole cycle in its order, to be read in one go
    rotation: Rotation, memory: Memory, ports: Ports, options: Options = USUAL
) -> tuple[Report, Memory]:
    """Run one cycle; return what it did and what a daemon carries to the next one.

    A driver's error is in the report, never raised here.
    """
    now, before = ports.clock(), ports.journal.load()
    if not rotation.enabled:
        return reports.paused(rotation, before, now), memory

    # What is there, and the best of it.
    rotation, unlisted = with_members(rotation, ports.each, options.only)
    failures = unlisted | _out_of_reach(rotation, options)
    observed = observe(
        rotation, before, ports.each, now, failures, force=options.force, only=options.only
    )
    found = recall(rotation, observed, memory, before, ports.journal.fingerprint, now)
    candidates = with_resolved(prove(found, rotation.proof, ports, now), rotation, before)
    chosen = choose(candidates, rotation, now)

    # Which sources are due? The attempt is noted before they are asked.
    record = before
    if options.starting:
        late = updates.with_later_start(record, rotation, chosen, _at(ports))
        record = _journal(before, late, ports, options, lasting=False)
    needed = needed_sources(rotation, chosen, candidates, record, now, force=options.force)
    abandoned = given_up(candidates, record)
    asked = [s for s in needed if s.name not in abandoned and not is_waiting(s, record, now)]
    asked = needed if options.force else asked
    asked = [] if options.later else asked
    waits = updates.with_waits(record, rotation, needed, chosen, _at(ports))
    attempts = updates.with_attempts(waits, rotation, asked, chosen, _at(ports))
    record = _journal(record, attempts, ports, options, lasting=False)

    # Fetch, and prove what was given; then choose again.
    answers = fetch(asked, chosen, before, ports)
    known = rotation.registries(record)
    noted = updates.with_registries(record, answers)
    found = recall(rotation, observed, memory, noted, ports.journal.fingerprint, now)
    new = {key: one for key, one in found.items() if key[0] not in known}
    candidates |= prove(new, rotation.proof, ports, now)
    given, surplus = fetched_candidates(
        answers, candidates, before, rotation.registries(noted), ports.journal.fingerprint
    )
    given = until_accepted(given, rotation, before, ports, options.patience)
    candidates = with_fetched(candidates, given, asked, force=options.force)
    chosen = choose(candidates, rotation, now)
    standby = standby_of(candidates, chosen, now)
    refused = reports.refusals(candidates, given, rotation, before, now)

    # Plan each target. The journal is written before the first write.
    situations = situations_of(rotation, observed, memory, noted, chosen, candidates, ports, now)
    noted = conclude.with_drifts(noted, situations, now)
    planned = {name: Written(s, plan(s)) for name, s in situations.items()}
    ends = _ends(rotation, observed, planned, noted, chosen, candidates, now)
    used = {one.fingerprint for one in (*chosen.values(), *standby)}
    noted = updates.with_verdicts(noted, candidates.values())
    noted = updates.with_pending(
        noted, rotation, candidates.values(), used, now, forced=options.force
    )
    renewed = {one.registry for one in given.values()} | resolved(candidates, before)
    viable = [*chosen.values(), *(one for one in standby if not one.rejected)]
    noted = updates.with_known(noted, rotation, viable, renewed - refused.keys(), _at(ports))
    noted = updates.with_documents(noted, planned)
    noted = updates.with_sooner_end(noted, safe_until(rotation, noted, ends), now)
    if answers or any(isinstance(one.decision, Write) for one in planned.values()):
        _journal(record, noted, ports, options, lasting=True)
    record = noted

    # Write, then end the leases that nothing needs any more.
    written = _on_each_target(planned, probe if options.dry_run else write, ports)
    unwanted = [*surplus, *_unwanted(given, chosen, standby)]
    fetched = [one for one in given.values() if one.fetched]
    record, notes = leases.end_unneeded(
        record,
        before,
        rotation,
        replaced=_replaced_everywhere(observed, written, record, chosen),
        published=_published(rotation, written, record),
        held_until_now={
            name
            for s in situations.values()
            for name in (*s.past.entries.values(), *entries_read(s).values())
        },
        unwanted=[*unwanted, *(fetched if options.dry_run else ())],
        needed=() if options.dry_run else (*chosen.values(), *standby),
        sure_at=_sure_at(rotation, observed, written, now),
        dry_run=options.dry_run,
        each=ports.each,
        at=_at(ports),
    )

    # Conclude: what the journal holds of it, and what is reported.
    record = conclude.with_sources(record, before, rotation, answers, refused, chosen, _at(ports))
    as_it_is = _not_carried_out(written) if options.dry_run else written
    read = {name: observed[name] for name in as_it_is}
    ends |= _ends(rotation, read, as_it_is, record, chosen, candidates, now)
    credentials = reports.credential_reports(rotation, record, chosen, standby, answers, refused)
    targets = reports.target_reports(
        rotation, observed, written, ends, record, dry_run=options.dry_run
    )
    record = conclude.with_targets(record, rotation, observed, written, targets, ends, _at(ports))
    notes += reports.notes(rotation, record, surplus, unwanted)
    record, report = conclude.conclude(
        record,
        rotation,
        credentials,
        targets,
        answers,
        ends,
        notes,
        written,
        now,
        _at(ports),
        whole=not options.only,
    )
    if not options.dry_run:
        ports.journal.save(record, lasting=False)
    return report, conclude.remembered(memory, written, (*chosen.values(), *standby))


def _at(ports: Ports) -> At:
    return At(ports.clock(), ports.random)


def _journal(
    saved: Record, record: Record, ports: Ports, options: Options, *, lasting: bool
) -> Record:
    """Save a record that differs from the one that was saved last, and return it."""
    if record != saved and not options.dry_run:
        ports.journal.save(record, lasting=lasting)
    return record


def _out_of_reach(rotation: Rotation, options: Options) -> dict[str, Failure]:
    found = {target.name: options.out_of_reach(target.name) for target in rotation.targets}
    return {name: failure for name, failure in found.items() if failure is not None}


def _ends(
    rotation: Rotation,
    observed: Mapping[str, Observation],
    written: Mapping[str, Written],
    record: Record,
    chosen: Mapping[str, Candidate],
    candidates: Candidates,
    now: datetime,
) -> dict[str, Mapping[str, datetime]]:
    """Return until when a job can pull, by the target and the registry."""
    registries = rotation.registries(record)
    return {
        name: worth_of_target(
            observation,
            written.get(name),
            {r: s for r, s in registries.items() if observation.target.policy.wants(r)},
            candidates,
            record,
            chosen,
            now,
        )
        for name, observation in observed.items()
    }


def _on_each_target(
    planned: Mapping[str, Written], action: Callable[[Written, Clock], Written], ports: Ports
) -> dict[str, Written]:
    """Carry every plan out at once; return what came of each."""

    # Called with targets, not with plans: the fan-out knows by them which one still hangs.
    def act(target: Target) -> Written:
        return action(planned[target.name], ports.clock)

    targets = [one.situation.observation.target for one in planned.values()]
    answers = zip(planned.items(), ports.each(act, targets, WRITE), strict=True)
    return {
        name: replace(one, failure=Failure.of(answer)) if isinstance(answer, Exception) else answer
        for (name, one), answer in answers
    }


def _unwanted(
    given: Candidates, chosen: Mapping[str, Candidate], standby: Collection[Candidate]
) -> list[Candidate]:
    """Return what sources gave and nobody will use: it was rejected, or it ends sooner."""
    used = {(one.registry, one.fingerprint) for one in (*chosen.values(), *standby)}
    return [one for key, one in given.items() if one.fetched and key not in used]


def _published(
    rotation: Rotation, written: Mapping[str, Written], record: Record
) -> frozenset[str]:
    """Return the fingerprints of the credentials that some target holds.

    One that was not read, because it is paused or can't be reached, holds what it held last.
    """
    entries = [
        entries_now(written[target.name])
        if target.name in written
        else record.target(target.name).entries
        for target in rotation.targets
    ]
    return frozenset(name for one in entries for name in one.values())


def _replaced_everywhere(
    observed: Mapping[str, Observation],
    written: Mapping[str, Written],
    record: Record,
    chosen: Mapping[str, Candidate],
) -> frozenset[str]:
    """Return the registries whose chosen credential is in every target that wants it."""
    wanted: set[str] = set()
    for name, observation in observed.items():
        done = written.get(name)
        if done is None:
            entries = record.target(name).entries if observation.left_out else {}
            others = [r for r, one in chosen.items() if entries.get(r) != one.fingerprint]
            wanted.update(filter(observation.target.policy.wants, others))
        elif (
            done.failure is not None
            or isinstance(done.decision, HoldBack)
            or (isinstance(done.decision, Keep) and done.decision.stale)
        ):
            wanted |= done.situation.registries
    return frozenset(chosen.keys() - wanted)


def _sure_at(
    rotation: Rotation,
    observed: Mapping[str, Observation],
    written: Mapping[str, Written],
    now: datetime,
) -> datetime | None:
    """Return when it will be known again what each target holds; None where it is known now."""
    decisions = [one.decision for one in written.values()]
    times = [one.again_at for one in decisions if isinstance(one, Keep) and one.again_at]
    if any(one.failure is not None for one in observed.values()):
        times.append(now + rotation.schedule.poll)
    return max(times, default=None)


def _not_carried_out(planned: Mapping[str, Written]) -> dict[str, Written]:
    """Return what a dry run leaves: every target as it was read."""
    return {
        name: replace(one, decision=Keep()) if isinstance(one.decision, Write) else one
        for name, one in planned.items()
    }
