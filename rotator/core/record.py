"""What the journal holds of one rotation: all that the targets themselves can't tell.

Never a secret: credentials are named by keyed fingerprints. Losing the record costs one renewal.
The names of the fields on disk stay as they were in version 0.1.0; new ones have defaults.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  the codec reads it

import msgspec
from msgspec import Struct

from rotator.core.model import Lease, Time  # noqa: TC001  as Mapping
from rotator.decoding import decode_json

VERSION = 2


class RecordError(ValueError):
    """The text is no record, or one of a newer version."""


class KnownCredential(Struct, frozen=True):
    """A credential that we fetched or found published, named by its fingerprint.

    `renew_at` is set when the credential is first known; only a daemon's start, an early fetch, or
    a source that gives the same again moves it. `issued_at` of a foreign one is when we first
    found it, `claim` the end that its mark gave then. `foreign`: another rotator fetched it, so its
    lease is not ours to end. `verdict`: the registry's last word, `accepted` or `rejected`; empty
    where it was never asked.
    """

    fingerprint: str
    source: str
    issued_at: Time
    expires_at: Time | None
    renew_at: Time | None
    lease: Lease | None = None
    foreign: bool = msgspec.field(default=False, name="adopted")
    claim: Time | None = None
    verdict: str = ""


class PendingCredential(Struct, frozen=True):
    """A fetched credential that its registry did not accept yet, and since when it is asked.

    `forced`: it was fetched by force. Once it is accepted, it replaces even what ends later.
    """

    fingerprint: str
    since: Time
    tries: int = 1
    forced: bool = False


class FailureRecord(Struct, frozen=True):
    """The last of `count` failures in a row, and when it is tried again."""

    count: int
    reason: str
    detail: str
    hint: str
    since: Time
    retry_at: Time
    permanent: bool = False
    login_stamp: str | None = None


class SourceRecord(Struct, frozen=True):
    """One source: its registries, when it was asked, and its failure if it has one.

    `longest_life`: the longest life in seconds that a credential of it had when we fetched it.
    `learned`, `configured`: see `Source`. `changed`: it is configured in another way than before,
    and gave nothing since.
    """

    registries: tuple[str, ...] = ()
    attempted_at: Time | None = None
    fetched_at: Time | None = None
    poll_at: Time | None = None
    failure: FailureRecord | None = msgspec.field(default=None, name="trouble")
    longest_life: float | None = None
    learned: str = ""
    configured: str = ""
    changed: bool = False


class TargetRecord(Struct, frozen=True):
    """One target, as it was when it was last read or written.

    `fingerprints`: of the documents that we meant to write there, newest first. `written`: the
    fingerprint of the last one whose write was confirmed, at `written_at`. `entries`: the
    fingerprint of the credential of each registry in it. `ends`: until when a job can pull from
    each registry, `FOREVER` without an end; a registry whose entry does not work is not in it.
    `end`: the earliest end of all; None where an entry does not work. `drifts`: when somebody had
    taken our entries out, within the last hour. `drifted`: at how many reads in a row. `group`,
    `configured`: see `Target`.
    `mark`: the fingerprint in its mark. `edited`: the fingerprint in a mark that was left
    on a document when somebody edited it.
    """

    fingerprints: tuple[str, ...] = ()
    written_at: Time | None = None
    outcome: str = ""
    end: Time | None = None
    failure: FailureRecord | None = msgspec.field(default=None, name="trouble")
    written: str = ""
    ends: Mapping[str, Time] = {}
    entries: Mapping[str, str] = {}
    drifts: tuple[Time, ...] = ()
    drifted: int = 0
    group: str | None = None
    mark: str = ""
    edited: str = ""
    configured: str = ""


_NEW_SOURCE, _NEW_TARGET = SourceRecord(), TargetRecord()


class RetiredLease(Struct, frozen=True):
    """A lease whose credential was replaced everywhere, and when it may be revoked.

    `fingerprints` name its credentials, which may be published again before that. `since`: when the
    wait for running jobs began; None where no job can use it.
    """

    source: str
    lease: Lease
    revoke_at: Time
    fingerprints: tuple[str, ...] = ()
    since: Time | None = None


class Record(Struct, frozen=True):
    """Everything the journal holds of one rotation; `credentials` by registry, newest first.

    `whole_at`: when the last cycle ended that left no target out. `notes`: what the last cycle
    said beside outcomes and failures. `longest_job`: in seconds, what
    `safe_until` was computed for.
    """

    version: int = VERSION
    credentials: Mapping[str, tuple[KnownCredential, ...]] = {}
    sources: Mapping[str, SourceRecord] = {}
    targets: Mapping[str, TargetRecord] = {}
    retired: tuple[RetiredLease, ...] = ()
    outcome: str = ""
    started_at: Time | None = None
    ended_at: Time | None = None
    succeeded_at: Time | None = None
    next_at: Time | None = None
    safe_until: Time | None = None
    longest_job: float | None = None
    job_safe: bool = False
    pending: Mapping[str, PendingCredential] = {}
    whole_at: Time | None = None
    notes: tuple[str, ...] = ()

    def dump(self) -> str:
        """Return the record as JSON."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def parse(text: str) -> Record:
        """Return the record that `dump` wrote; raise `RecordError` where it is not one."""
        try:
            record = decode_json(text, Record)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise RecordError(f"it is not a record: {error}") from None
        if record.version > VERSION:
            raise RecordError(f"a newer rotator wrote it (version {record.version})")
        return msgspec.structs.replace(record, version=VERSION)

    def source(self, name: str) -> SourceRecord:
        """Return what is known of a source, which may be nothing."""
        return self.sources.get(name, _NEW_SOURCE)

    def target(self, name: str) -> TargetRecord:
        """Return what is known of a target, which may be nothing."""
        return self.targets.get(name, _NEW_TARGET)

    def known(self, registry: str, fingerprint: str) -> KnownCredential | None:
        """Return what is known of the credential with this fingerprint."""
        for one in self.credentials.get(registry, ()):
            if one.fingerprint == fingerprint:
                return one
        return None
