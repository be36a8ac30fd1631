"""The rows of a view that are about credentials, by a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.core.errors import Reason
from rotator.core.model import Verdict
from rotator.core.report import iso
from rotator.observe.safety import is_changed, registries_of
from rotator.observe.view_model import CredentialView, FailureView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rotator.config.schema import RotationSettings
    from rotator.config.sources import Source
    from rotator.core.record import FailureRecord, KnownCredential, Record, SourceRecord


def credentials_of(
    settings: RotationSettings, record: Record, now: datetime, asked: Sequence[str]
) -> Iterable[CredentialView]:
    """Yield the row of each registry of each source; `asked`: the sources that are asked now."""
    for source in settings.sources:
        past = record.source(source.name)
        named: list[str | None] = [*sorted(registries_of(source, past))]
        for registry in named or [None]:
            outcome, failure = None, None
            if source.name not in asked:
                outcome, failure = _state(settings, record, source, registry, past, now)
            known = _published(record, registry or "")
            if known is None:
                yield CredentialView(registry, source.name, outcome, failure=failure)
                continue
            alive = known.expires_at is None or known.expires_at > now
            yield CredentialView(
                registry=registry,
                source=source.name,
                outcome=(outcome or "fresh") if alive else "failed",
                issued_at=known.issued_at,
                renew_at=known.renew_at if settings.enabled else None,
                expires_at=known.expires_at,
                fingerprint=known.fingerprint,
                failure=failure,
            )


def recorded(failure: FailureRecord | None) -> FailureView | None:
    """Return a failure as the record has it."""
    if failure is None:
        return None
    return FailureView(
        failure.reason, failure.detail, failure.hint, failure.count, failure.since, failure.retry_at
    )


def _state(
    settings: RotationSettings,
    record: Record,
    source: Source,
    registry: str | None,
    past: SourceRecord,
    now: datetime,
) -> tuple[str | None, FailureView | None]:
    """Return the outcome of a registry's credential and its failure, both None where all is well.

    Its end does not count here.
    """
    known = _published(record, registry or "")
    bad = "failed" if known is None else "kept"
    run = f"rotator run-once {settings.name}"
    if past.failure is not None:
        return bad, recorded(past.failure)
    if is_changed(source, past) or (past.attempted_at is None and record.ended_at is not None):
        how = "it is configured in another way" if is_changed(source, past) else "it is configured"
        failure = FailureView(
            Reason.NO_CYCLE, f"no cycle has asked {source.name} since {how}", f"type: {run}"
        )
        return None if known is None else "kept", failure
    pending = record.pending.get(registry or "")
    if pending is not None:
        until = pending.since + settings.settle
        waits = now < until
        again = f"it is asked again until {iso(until)} (`settle`)"
        failure = FailureView(
            Reason.REJECTED,
            f"{registry} does not accept the new credential of {source.name} yet: {again}"
            if waits
            else f"{registry} did not accept the new credential of {source.name} within `settle`",
            f"wait: a running daemon asks again, then fetches another; without one type: {run}",
        )
        return "pending" if waits else bad, failure
    if known is not None and known != record.credentials[registry or ""][0]:
        return "kept", FailureView(
            Reason.UNREACHABLE,
            f"{registry} could not be asked about the new credential of {source.name}",
            "it is published when its registry accepts it; see that this machine reaches the "
            f"registry, then type: {run}",
        )
    return (None if past.attempted_at is None else "failed") if known is None else None, None


def _published(record: Record, registry: str) -> KnownCredential | None:
    """Return the newest credential of a registry; the one in use where that waits for its proof."""
    known = record.credentials.get(registry, ())
    if known and not known[0].verdict:
        used = {past.entries.get(registry) for past in record.targets.values()}
        for other in known[1:]:
            if other.verdict == Verdict.ACCEPTED and other.fingerprint in used:
                return known[0] if known[0].fingerprint in used else other
    return known[0] if known else None
