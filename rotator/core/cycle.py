"""One cycle of one rotation, from what its targets hold to what they should hold.

observe each target ─► recall candidates ─► prove them ─► choose one a registry
  ─► which sources are due? ─► journal: attempt ─► fetch ─► prove ─► choose again
  ─► plan each target ─► journal: what is known ─► write ─► retire leases
  ─► conclude: record and report ─► next_at

Observing comes first because it decides what to fetch. The journal is saved three times:

- Before the fetch. A crash loop is then a failure with backoff, and not a lease per restart.
- Before the first write. After a crash during the writes our own entry does not look foreign.
- At the end.

Only the second of these has to outlive a power failure. What the two others add, the next cycle
finds out again, with one fetch at most.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core import (
    conclude,
    in_use,
    leases,
    record_credentials,
    record_sources,
    record_targets,
    report_credentials,
    report_targets,
)
from rotator.core.choose import choose, standby_of
from rotator.core.due import abandoned_sources, is_waiting, needed_sources, resolved
from rotator.core.fetch import (
    fetch,
    fetched_candidates,
    until_accepted,
    with_fetched,
    with_resolved,
)
from rotator.core.observe import is_wanted, observe, with_members
from rotator.core.plan import plan
from rotator.core.prove import prove
from rotator.core.recall import Memory, recall
from rotator.core.situation import Write, situations_of
from rotator.core.worth import safe_until, worth_of_target
from rotator.core.write import Handled, as_read, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidate, Candidates
    from rotator.core.failure import Failure
    from rotator.core.observe import Observation
    from rotator.core.record import Record
    from rotator.core.report import Report
    from rotator.core.rotation import Ports, Rotation


class Options(Struct, frozen=True):
    """How a cycle differs from the usual one.

    `force`: fetch whatever the schedule says. `dry_run`: fetch and prove, write nothing, and end
    the leases that the fetch made. `starting`: the first cycle of a daemon. It puts off what is
    overdue where jobs are safe meanwhile, so that ten thousand hosts that start together do not
    ask together. `only`: the names of the targets to deal with; all where empty. `later_part`: ask
    no source, as the first part of the same cycle did. `more`: other parts follow. `out_of_reach`
    returns the failure of a target on which a call hangs in another process: it is left alone.
    `patience`: how long to wait until a registry knows a new credential.
    """

    force: bool = False
    dry_run: bool = False
    starting: bool = False
    only: frozenset[str] = frozenset()
    later_part: bool = False
    more: bool = False
    out_of_reach: Callable[[str], Failure | None] = lambda _: None
    patience: timedelta = timedelta(0)


USUAL = Options()


def run(  # noqa: PLR0915  the whole cycle in its order, to be read in one go
    rotation: Rotation, memory: Memory, ports: Ports, options: Options = USUAL
) -> tuple[Report, Memory]:
    """Run one cycle; return what it did and what a daemon carries to the next one.

    A driver's error is in the report, never raised here.
    """
    now = ports.clock()
    before = record_sources.with_configuration(ports.journal.load(), rotation)
    if not rotation.enabled:
        return conclude.paused(rotation, before, now), memory

    # What is there, and the best of it.
    configured = rotation
    rotation, unlisted = with_members(rotation, ports.each, options.only)
    before, gone = record_targets.without_gone(before, configured, rotation)
    failures = unlisted | _out_of_reach(rotation, options)
    observed = observe(
        rotation, before, ports.each, ports.clock, failures, force=options.force, only=options.only
    )
    found = recall(rotation, observed, memory, before, ports.journal.fingerprint, now)
    candidates = with_resolved(prove(found, rotation.proof, ports, now), rotation, before)
    chosen = choose(candidates, rotation, now)

    # Which sources are due? The journal has the attempt before they are asked. From here on
    # `record` is the newest, `saved` is in the journal, and `before` is what the last cycle left.
    record = saved = before
    if options.starting:
        record = record_sources.with_later_start(record, rotation, chosen, ports.at())
        saved = _save(record, saved, ports, options, lasting=False)
    needed = needed_sources(rotation, chosen, candidates, record, now, force=options.force)
    abandoned = abandoned_sources(candidates, record)
    ready = [s for s in needed if s.name not in abandoned and not is_waiting(s, record, now)]
    asked = needed if options.force else ready
    asked = [] if options.later_part else asked
    record = record_sources.with_waits(record, rotation, needed, chosen, ports.at())
    record = record_sources.with_attempts(record, rotation, asked, chosen, ports.at())
    saved = _save(record, saved, ports, options, lasting=False)

    # Fetch. Some sources name their registries only when they give credentials for them: then
    # the credentials that targets hold for these registries are recalled and proven as well.
    answers = fetch(asked, chosen, record, ports)
    known_before = rotation.sources_by_registry(record)
    record = record_sources.with_registries(record, answers)
    if rotation.sources_by_registry(record).keys() - known_before:
        found = recall(rotation, observed, memory, record, ports.journal.fingerprint, now)
        new = {key: one for key, one in found.items() if one.registry not in known_before}
        candidates |= prove(new, rotation.proof, ports, now)

    # Prove what was fetched; then choose again.
    given, surplus = fetched_candidates(
        answers, candidates, record, rotation.sources_by_registry(record), ports.journal.fingerprint
    )
    given = until_accepted(given, rotation, record, ports, options.patience)
    forced = [s.name for s in asked if options.force or record.source(s.name).changed]
    candidates = with_fetched(candidates, given, asked, forced)
    chosen = choose(candidates, rotation, now)
    standby = standby_of(candidates, chosen, now)
    unusable = report_credentials.unusable(candidates, given, rotation, record, now)
    renewed = {one.registry for one in given.values()} | resolved(candidates, record)

    # Plan each target. Before the first write the journal has what is about to be published, and
    # until when jobs are safe, if the writes make that sooner.
    situations = situations_of(rotation, observed, memory, record, chosen, candidates, ports, now)
    record = record_targets.with_drifts(record, situations, now)
    planned = {name: Handled(s, plan(s)) for name, s in situations.items()}
    counted = {n: one for n, one in observed.items() if not (options.more and one.left_out)}
    ends = _ends(rotation, counted, planned, record, chosen, candidates, now)
    record = record_credentials.with_verdicts(record, candidates.values())
    used = {one.fingerprint for one in (*chosen.values(), *standby)}
    record = leases.retire_pending(record, candidates.values(), used, rotation, now)
    record = record_credentials.with_pending(record, candidates.values(), now, forced)
    viable = [*chosen.values(), *(one for one in standby if not one.rejected)]
    record = record_credentials.with_known(
        record, rotation, viable, renewed - unusable.keys(), ports.at()
    )
    record = record_targets.with_documents(record, planned)
    record = conclude.with_sooner_end(record, safe_until(rotation, record, ends), now)
    if answers or any(isinstance(one.decision, Write) for one in planned.values()):
        _save(record, saved, ports, options, lasting=True)

    # Write, then end the leases that nothing needs any more.
    handled = carry_out(planned, ports, dry_run=options.dry_run)
    unwanted = [*surplus, *in_use.unused(given, chosen, standby)]
    fetched = [one for one in given.values() if one.fetched]
    record, notes = leases.end_unneeded(
        record,
        before,
        rotation,
        in_use.InUse(
            replaced=in_use.replaced_everywhere(observed, handled, record, chosen),
            published=in_use.published(rotation, handled, record),
            held_until_now=in_use.held_until_now(situations.values()),
            others_wrote=in_use.others_wrote(situations.values()),
            sure_at=in_use.sure_at(rotation, observed, handled, now),
        ),
        unwanted=[*unwanted, *(fetched if options.dry_run else ())],
        needed=() if options.dry_run else (*chosen.values(), *standby),
        dry_run=options.dry_run,
        each=ports.each,
        at=ports.at(),
    )

    # Conclude: what the journal holds of it, and what is reported.
    record = record_sources.with_answers(
        record, before, rotation, answers, unusable, chosen, ports.at()
    )
    after = as_read(handled) if options.dry_run else handled
    read = {name: observed[name] for name in after}
    ends |= _ends(rotation, read, after, record, chosen, candidates, now)
    credentials = report_credentials.credential_reports(
        rotation, record, chosen, standby, answers, unusable
    )
    targets = report_targets.target_reports(
        rotation, observed, handled, ends, record, dry_run=options.dry_run
    )
    record = record_targets.with_targets(
        record, rotation, observed, handled, targets, ends, ports.at()
    )
    notes += gone + report_credentials.notes(rotation, record, surplus, unwanted)
    record, report = conclude.conclude(
        record,
        rotation,
        credentials,
        targets,
        answers,
        ends,
        notes,
        handled,
        now,
        ports.at(),
        whole=not options.only,
        more=options.more,
    )
    if not options.dry_run:
        ports.journal.save(record, lasting=False)
    return report, conclude.remembered(memory, handled, (*chosen.values(), *standby))


def _save(
    record: Record, saved: Record, ports: Ports, options: Options, *, lasting: bool
) -> Record:
    """Return the record, after it was saved where it differs from the one in the journal."""
    if record != saved and not options.dry_run:
        ports.journal.save(record, lasting=lasting)
    return record


def _out_of_reach(rotation: Rotation, options: Options) -> dict[str, Failure]:
    wanted = [one.name for one in rotation.targets if is_wanted(one, options.only)]
    found = {name: options.out_of_reach(name) for name in wanted}
    return {name: failure for name, failure in found.items() if failure is not None}


def _ends(
    rotation: Rotation,
    observed: Mapping[str, Observation],
    handled: Mapping[str, Handled],
    record: Record,
    chosen: Mapping[str, Candidate],
    candidates: Candidates,
    now: datetime,
) -> dict[str, Mapping[str, datetime]]:
    """Return until when a job can pull, by the name of each target and by registry."""
    sources = rotation.sources_by_registry(record)
    return {
        name: worth_of_target(
            observation,
            handled.get(name),
            {r: s for r, s in sources.items() if observation.target.policy.wants(r)},
            candidates,
            record,
            chosen,
            now,
        )
        for name, observation in observed.items()
    }
