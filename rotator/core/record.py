"""What the journal keeps of one rotation: all that the targets themselves can't tell.

Never a secret: credentials are named by keyed fingerprints. Losing the record costs one renewal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from rotator.core.model import Lease  # noqa: TC001

VERSION = 1


class RecordError(ValueError):
    """The text is no record, or one of a newer version."""


@dataclass(frozen=True, slots=True)
class Known:
    """A credential that we fetched or adopted, named by its fingerprint.

    `renew_at` is drawn once, when the credential is first seen. `issued_at` of an adopted one is
    when we first saw it. `adopted`: another rotator fetched it, so its lease is not ours to end.
    """

    fingerprint: str
    source: str
    issued_at: datetime
    expires_at: datetime | None
    renew_at: datetime | None
    lease: Lease | None = None
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """The last of `count` failures in a row, and when it is tried again."""

    count: int
    reason: str
    detail: str
    hint: str
    since: datetime
    retry_at: datetime
    permanent: bool = False
    login_stamp: str | None = None


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One source: what it served last, when it was asked, and its trouble if it has any."""

    registries: tuple[str, ...] = ()
    attempted_at: datetime | None = None
    fetched_at: datetime | None = None
    poll_at: datetime | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """One target: fingerprints of the documents that we meant to write there, newest first.

    `written`: the fingerprint of the last one whose write was confirmed, at `written_at`.
    `ends`: when the entry of each registry ends in it, `FOREVER` where it does not; registries
    whose entry does not work are left out. `end` is the earliest of them, None where one is out.
    """

    fingerprints: tuple[str, ...] = ()
    written_at: datetime | None = None
    outcome: str = ""
    end: datetime | None = None
    trouble: Trouble | None = None
    written: str = ""
    ends: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retired:
    """A lease whose credential was replaced everywhere, and when it may be revoked."""

    source: str
    lease: Lease
    revoke_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """Everything the journal keeps of one rotation; `credentials` by registry, newest first."""

    version: int = VERSION
    credentials: Mapping[str, tuple[Known, ...]] = field(default_factory=dict)
    sources: Mapping[str, SourceRecord] = field(default_factory=dict)
    targets: Mapping[str, TargetRecord] = field(default_factory=dict)
    retired: tuple[Retired, ...] = ()
    outcome: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    succeeded_at: datetime | None = None
    next_at: datetime | None = None
    safe_until: datetime | None = None
    job_safe: bool = False

    def dump(self) -> str:
        """Return the record as JSON."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def parse(text: str) -> Record:
        """Return the record that `dump` wrote; raise `RecordError` where it is not one."""
        try:
            record = msgspec.json.decode(text, type=Record)
        except msgspec.DecodeError as error:
            raise RecordError(f"it is not a record: {error}") from None
        if not all(moment.tzinfo for moment in _moments(asdict(record))):
            raise RecordError("it is not a record: it holds a time without a zone")
        if record.version > VERSION:
            raise RecordError(f"a newer rotator wrote it (version {record.version})")
        return record

    def source(self, name: str) -> SourceRecord:
        """Return what is known of a source, which may be nothing."""
        return self.sources.get(name, SourceRecord())

    def target(self, name: str) -> TargetRecord:
        """Return what is known of a target, which may be nothing."""
        return self.targets.get(name, TargetRecord())

    def known(self, registry: str, fingerprint: str) -> Known | None:
        """Return what is known of the credential with this fingerprint."""
        return next(
            (k for k in self.credentials.get(registry, ()) if k.fingerprint == fingerprint), None
        )


def _moments(value: Any) -> list[datetime]:
    """Return every time in a document of mappings and tuples."""
    if isinstance(value, datetime):
        return [value]
    if isinstance(value, Mapping):
        return [moment for part in value.values() for moment in _moments(part)]
    if isinstance(value, tuple):
        return [moment for part in value for moment in _moments(part)]
    return []
