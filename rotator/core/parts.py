"""A cycle of a rotation with very many targets whose server can't compare: part after part.

Nothing on such a server notices a write in the gap between our read and our write, so a value is
written right after it was read. If a thousand were read first, the last ones would be old by then.
The first part asks the sources, the others publish what it chose, and the last one concludes.
"""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rotator.core import cycle
from rotator.core.cycle import USUAL, Options
from rotator.core.model import Verdict
from rotator.core.report import SUCCEEDED, Report, all_notes, outcome_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.core.model import Credential, Proof
    from rotator.core.ports import Journal, Prove
    from rotator.core.recall import Memory
    from rotator.core.record import Record
    from rotator.core.rotation import Ports, Rotation

AT_ONCE = 128
"""How many such targets a part has: eight rounds of the 16 calls that a server gets at once.

So a value is written within a second of its read where a call takes up to 0.1 s.
"""


def run(
    rotation: Rotation,
    memory: Memory,
    ports: Ports,
    options: Options = USUAL,
    at_once: int = AT_ONCE,
) -> tuple[Report, Memory]:
    """Run one cycle as `cycle.run` does, in parts where the rotation is that large."""
    parts = _parts(rotation, options, at_once)
    if len(parts) == 1 or options.dry_run or not rotation.enabled:
        return cycle.run(rotation, memory, ports, options)
    ports = replace(ports, prove=_once(ports.prove))
    report, memory = cycle.run(rotation, memory, ports, replace(options, only=parts[0], more=True))
    reports = [report]
    journal = _InMemory(ports.journal)
    before = journal.record
    ports = replace(ports, journal=journal)
    for part in parts[1:]:
        how = replace(
            options, only=part, later_part=True, starting=False, more=part is not parts[-1]
        )
        report, memory = cycle.run(rotation, memory, ports, how)
        reports.append(report)
    report, record = _together(reports), journal.record
    record = replace(
        record,
        outcome=report.outcome,
        started_at=report.started_at,
        whole_at=record.whole_at if options.only else record.ended_at,
        succeeded_at=record.ended_at if report.outcome in SUCCEEDED else before.succeeded_at,
        next_at=report.next_at,
        notes=all_notes(report.notes, report.targets),
    )
    ports.journal.save(record)
    return report, memory


class _InMemory:
    """The journal during the later parts: one that has thousands of targets is slow to read.

    What need not outlive a power failure waits until the next part has something that must, or
    until the end. Nothing else writes it, as this cycle has the rotation's lock. Most targets hold
    the same entries, whose fingerprints are made once.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.fingerprint = functools.cache(journal.fingerprint)
        self.record = journal.load()

    def load(self) -> Record:
        """Return the record last saved."""
        return self.record

    def save(self, record: Record, *, lasting: bool = True) -> None:
        """Keep the record, and store it where that can't wait."""
        self.record = record
        if lasting:
            self._journal.save(record)


def _parts(rotation: Rotation, options: Options, at_once: int) -> list[frozenset[str]]:
    """Return the names of each part's targets; those that compare are all in the first."""
    names = options.only or frozenset(target.name for target in rotation.targets)
    uncompared = [t.name for t in rotation.targets if t.name in names and not t.compares]
    later = uncompared[at_once:]
    others = [frozenset(later[i : i + at_once]) for i in range(0, len(later), at_once)]
    return [names - frozenset(later), *others]


def _once(prove: Prove) -> Prove:
    """Return a proof that asks once about each credential, and again about one that is rejected.

    Its registry may still learn of it.
    """
    known: dict[tuple[str, str, str], Proof] = {}

    def proof(login: Credential) -> Proof:
        key = (login.registry, login.username, login.password.reveal())
        if key not in known:
            answer = prove(login)
            if answer.verdict is Verdict.REJECTED:
                return answer
            known[key] = answer
        return known[key]

    return proof


def _together(reports: Sequence[Report]) -> Report:
    """Return one report of all parts: the first asked the sources, the last knows the end."""
    first, last = reports[0], reports[-1]
    targets = {target.name: target for report in reports for target in report.targets}
    # What an earlier part lacked may be there since, for a later one only.
    soonest = min(report.next_at for report in reports if report.next_at is not None)
    after = timedelta(seconds=last.duration_seconds + 1)
    return replace(
        last,
        outcome=outcome_of(first.credentials, targets.values()),
        started_at=first.started_at,
        duration_seconds=sum(report.duration_seconds for report in reports),
        next_at=max(soonest, last.started_at + after),
        credentials=first.credentials,
        sources=first.sources,
        targets=tuple(targets.values()),
        notes=tuple(dict.fromkeys(note for report in reports for note in report.notes)),
    )
