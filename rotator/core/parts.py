"""A cycle of a rotation with very many targets whose server can't compare: part after part.

Nothing on such a server notices a write in the gap between our read and our write, so a value is
written right after it was read. If a thousand were read first, the last ones would be old by then.
The first part asks the sources; the others publish what it chose.
"""

from __future__ import annotations

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
    from rotator.core.ports import Prove
    from rotator.core.recall import Memory
    from rotator.core.rotation import Ports, Rotation

AT_ONCE = 100
"""How many such targets a part has. Their reads take about 0.4 s, at 50 ms a call."""


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
    before = ports.journal.load()
    ports = replace(ports, prove=_once(ports.prove))
    reports = []
    how = options
    for part in parts:
        report, memory = cycle.run(rotation, memory, ports, replace(how, only=part))
        reports.append(report)
        how = replace(options, later_part=True, starting=False)
    report = _together(reports)
    record = ports.journal.load()
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
