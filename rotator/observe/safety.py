"""Until when jobs are safe by a record and the configuration of now; and where they are not, why.

A cycle notes when the entries in each target end (`core.worth`). What follows from that depends on
the configuration, which may have changed since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rotator.core.candidate import DEAD, FOREVER
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.model import Verdict
from rotator.core.schedule import is_ahead
from rotator.observe.times import duration_text, few, relative

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from rotator.config.schema import RotationSettings
    from rotator.config.sources import Source
    from rotator.config.targets import Target
    from rotator.core.record import Record, SourceRecord, TargetRecord

COVERS = 0.9
"""The share of a life that jobs can count on.

The earliest renewal is after a tenth of a life, and until the next one that much is gone.
"""

CLOCK_BACK = "the clock went back since the last cycle: no end is known until the next one"

_TAKEN_OUT = 2
_MOST_NAMED = 5
_MINUTE = 60


class Safety(NamedTuple):
    """Until when jobs are safe, `DEAD` where they are not; and why they are not, now.

    `targets`: by the names that the record has. `rotation`: what no target's reason says.
    """

    until: datetime
    targets: Mapping[str, Failure]
    rotation: Failure | None

    def reasons(self) -> dict[str, Failure]:
        """Return every reason by the name of the target, empty for the rotation as a whole."""
        return {**self.targets, **({"": self.rotation} if self.rotation is not None else {})}


def safety(settings: RotationSettings, record: Record, now: datetime) -> Safety:
    """Return how safe jobs are by the record and the configuration of now."""
    run = f"rotator run-once {settings.name}"
    if record.ended_at is not None and is_ahead(record.ended_at, now):
        return Safety(DEAD, {}, Failure(Reason.NO_CYCLE, CLOCK_BACK, f"type: {run}"))
    wanted = _wanted(settings, record)
    limits: list[datetime] = []
    reasons: dict[str, Failure] = {}
    is_said = False  # by a target's own failure
    for target in settings.targets:
        if not target.enabled:
            continue
        registries = [r for r in wanted if target.policy().wants(r)]
        for name, past in held(target, record).items():
            ends = _ends(past, registries)
            job = settings.longest_job * (not target.follows)
            own = {r: end if end in {DEAD, FOREVER} else end - job for r, end in ends.items()}
            limits += [DEAD] if past is None else own.values()
            unsafe = {r: ends[r] for r, limit in own.items() if limit <= now}
            if past is None and record.ended_at is not None:
                reasons[name] = Failure(
                    Reason.NO_CYCLE,
                    f"no cycle has read {name} since it is configured",
                    f"type: {run}",
                )
            elif past is not None and unsafe and past.failure is None:
                reasons[name] = _reason(settings, record, past, unsafe, now)
            elif unsafe:
                is_said = True
    until = min(limits, default=DEAD)
    if not all(registries_of(one, record.source(one.name)) for one in settings.sources):
        until = DEAD
    if record.longest_job in {None, settings.longest_job.total_seconds()}:
        # A cycle may also have been ended by a crash after it found that jobs are safe for less.
        until = min(until, record.safe_until or DEAD)
    whole = None if until > now or reasons or is_said else _without_target(settings, record, run)
    return Safety(until, reasons, whole)


def registries_of(source: Source, past: SourceRecord) -> Collection[str]:
    """Return a source's registries: those of the configuration, else those that it gave."""
    given = () if is_changed(source, past) else past.registries
    return source.known_registries() or given


def is_changed(source: Source, past: SourceRecord) -> bool:
    """Tell whether a source is configured in another way, and gave nothing since."""
    return past.changed or (bool(past.configured) and past.configured != source.configured())


def held(target: Target, record: Record) -> dict[str, TargetRecord | None]:
    """Return what the record holds of a target, or of its members where it stands for many.

    None where no cycle has dealt with it.
    """
    name = target.target_name
    own = record.targets.get(name)
    if own is not None and own.configured not in {"", target.configured()}:
        own = None  # it was at another place
    members = {n: past for n, past in record.targets.items() if past.group == name}
    if own is None and members:
        return {**members}
    return {name: own if own is not None and own.outcome not in {"", "paused"} else None}


def advisable(life: timedelta) -> str:
    """Return the longest `longest_job` for this life, as it is written; empty where there is none.

    Rounded down.
    """
    seconds = int((life * COVERS).total_seconds())
    if seconds < 1:
        return ""
    return f"{seconds // _MINUTE}m" if seconds >= _MINUTE else f"{seconds}s"


def _wanted(settings: RotationSettings, record: Record) -> list[str]:
    found = {r for one in settings.sources for r in registries_of(one, record.source(one.name))}
    return sorted(found)


def _ends(past: TargetRecord | None, registries: Collection[str]) -> dict[str, datetime]:
    """Return when the entry of each registry in a target ends; `DEAD` where it does not work.

    A journal of version 0.1.0 has the earliest end alone.
    """
    if past is None:
        return {}
    if past.ends:
        return {r: past.ends.get(r, DEAD) for r in registries}
    return dict.fromkeys(registries, past.end or DEAD)


def _reason(
    settings: RotationSettings,
    record: Record,
    past: TargetRecord,
    unsafe: Mapping[str, datetime],
    now: datetime,
) -> Failure:
    """Return why a target is not job-safe; `unsafe`: when these registries' entries end."""
    run = f"rotator run-once {settings.name}"
    dead = sorted(r for r, end in unsafe.items() if end == DEAD)
    if dead and past.drifted >= _TAKEN_OUT:
        return Failure(
            Reason.TAKEN_OUT,
            f"somebody took our entries out of it at {past.drifted} reads in a row: what is there "
            "now counts when the next read finds it there",
            f"find who else writes there; then type: {run}",
        )
    known = {r: record.known(r, past.entries.get(r, "")) for r in unsafe}
    rejected = [r for r in dead if (one := known[r]) and one.verdict == Verdict.REJECTED]
    if rejected:
        return Failure(
            Reason.REJECTED,
            f"what is in it is rejected by {few(rejected, _MOST_NAMED)}",
            f"repair what the source holds; then type: {run}",
        )
    if dead:
        missing = [r for r in dead if r not in past.entries]
        what = "there is no entry in it that clients use" if missing else "nobody knows the end"
        return Failure(
            Reason.NOT_FOUND,
            f"{what} for {few(missing or dead, _MOST_NAMED)}",
            f"see what rotator says of that credential and of this target; then type: {run}",
        )
    first = min(unsafe, key=lambda registry: unsafe[registry])
    end = unsafe[first]
    if end <= now:
        return Failure(
            Reason.EXPIRED,
            f"the entry for {first} in it ended {relative(end, now)}",
            f"see why it was not renewed (the reason of its credential, the log); type: {run}",
        )
    job = duration_text(settings.longest_job)
    one = known[first] or next(iter(record.credentials.get(first, ())), None)
    life = None if one is None or one.expires_at is None else one.expires_at - one.issued_at
    if life is not None and settings.longest_job > life * COVERS:
        longest = advisable(life)
        return Failure(
            Reason.SHORT_LIVED,
            f"`longest_job` is {job}, and the credential for {first} lives {duration_text(life)}: "
            "a job can outlive it",
            "let its source give it a longer life (TTL)"
            f"{longest and f', set `longest_job: {longest}` or less'}, or set `follows: true` "
            "where running jobs see updates",
        )
    return Failure(
        Reason.SHORT_LIVED,
        f"the entry for {first} in it ends {relative(end, now)}, and a job of {job} that starts "
        "now can outlive it",
        f"see why it was not renewed (the reason of its credential, the log); type: {run}",
    )


def _without_target(settings: RotationSettings, record: Record, run: str) -> Failure:
    """Return why a rotation is not job-safe, where no target says it."""
    if record.ended_at is None:
        return Failure(
            Reason.NO_CYCLE,
            "no cycle of it has ended yet",
            f"start the daemon: systemctl start rotator; or type: {run}",
        )
    if not any(target.enabled for target in settings.targets):
        return Failure(
            Reason.NO_CYCLE,
            "none of its targets is enabled: nothing is published",
            "set `enabled: true` for one of them",
        )
    unnamed = [
        one.name for one in settings.sources if not registries_of(one, record.source(one.name))
    ]
    if unnamed:
        what = f"{few(unnamed, _MOST_NAMED)} has yet to name its registries"
        return Failure(Reason.NO_CYCLE, what, f"type: {run}")
    return Failure(
        Reason.NO_CYCLE,
        "the last cycle found jobs not safe, or did not end, and what it noted of the targets does "
        "not say why",
        f"type: {run}",
    )
