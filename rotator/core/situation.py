"""What the rules of `plan` look at, and what they can decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core import docker_config, docker_merge
from rotator.core.candidate import DEAD, FOREVER
from rotator.core.docker_config import DockerConfig
from rotator.core.model import Content, Held, Mark, Policy, Secret
from rotator.core.recall import claimed_ends, entries_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from rotator.core.candidate import Candidate, Candidates
    from rotator.core.failure import Failure
    from rotator.core.observe import Observation
    from rotator.core.ports import Fingerprint
    from rotator.core.recall import Memory
    from rotator.core.record import Record, TargetRecord
    from rotator.core.rotation import Ports, Rotation


class Situation(Struct, frozen=True):
    """All that the rules look at.

    `past`: what the record holds of the target. `registries`: those of the rotation that belong in
    this target. `complete`: these are all, as every source has named its own. `chosen`: the
    candidate that the target should hold, by registry. `remembered`: the document as it was last
    read. `poll`: the time between two reads. `reserve`: see `Schedule`. `ends_written`: when the
    entries end that the target held at the last read or write, by registry; also of one that its
    registry rejects.
    """

    observation: Observation
    past: TargetRecord
    rotation: str
    registries: frozenset[str]
    chosen: Mapping[str, Candidate]
    candidates: Candidates
    remove: frozenset[str]
    now: datetime
    poll: timedelta
    reserve: timedelta
    fingerprint: Fingerprint
    ends_written: Mapping[str, datetime] = {}
    complete: bool = True
    remembered: DockerConfig | None = None

    @property
    def policy(self) -> Policy:
        """The target's policy."""
        return self.observation.target.policy

    @property
    def held(self) -> Held:
        """What the target holds."""
        assert self.observation.held is not None  # noqa: S101  only what was read is planned
        return self.observation.held

    @property
    def one_writer(self) -> bool:
        """Tell whether it is a value with one writer: it can't be read back, or can't be merged."""
        return self.held.withheld or self.policy.content is not Content.DOCKER_CONFIG

    @property
    def foreign_mark(self) -> Mark | None:
        """Return the mark of another rotator that wrote here last; None where there is none."""
        mark = self.held.mark
        return None if mark is None or mark.fingerprint in self.past.fingerprints else mark

    @property
    def last_writer(self) -> str:
        """Return who wrote here after us, as far as the mark tells."""
        mark = self.foreign_mark
        return f"another rotator (rotation {mark.rotation})" if mark else "somebody else"

    @property
    def is_edited(self) -> bool:
        """Tell whether somebody edited the document since the mark on it was written."""
        mark = self.held.mark
        claimed = claimed_ends(self.observation, self.past, self.fingerprint)
        return mark is not None and bool(mark.expires) and not claimed

    def entries_of(self, config: DockerConfig) -> dict[str, str]:
        """Return the fingerprint of every login in a document, by registry."""
        return entries_of(config, self.fingerprint)

    def our_value(self) -> tuple[str, dict[str, Candidate]] | None:
        """Return the value with one writer that we would write: its text, and the candidates in it.

        None where there is no credential for it.
        """
        if self.policy.content is Content.DOCKER_CONFIG:
            logins = [one.credential for one in self.chosen.values()]
            merged = docker_merge.merge(DockerConfig(), logins, self.remove)
            return (docker_config.encode(merged.config), dict(self.chosen)) if logins else None
        registry = self.policy.registry or ""
        if registry not in self.chosen:
            return None
        login = self.chosen[registry].credential
        username = self.policy.content is Content.USERNAME
        text = login.username if username else login.password.reveal()
        return text, {registry: self.chosen[registry]}


def situations_of(
    rotation: Rotation,
    observed: Mapping[str, Observation],
    memory: Memory,
    record: Record,
    chosen: Mapping[str, Candidate],
    candidates: Candidates,
    ports: Ports,
    now: datetime,
) -> dict[str, Situation]:
    """Return what the plan of each target that was read is made from."""
    registries = rotation.sources_by_registry(record).keys()
    return {
        name: Situation(
            observation=observation,
            past=record.target(name),
            rotation=rotation.name,
            registries=frozenset(filter(observation.target.policy.wants, registries)),
            chosen={r: c for r, c in chosen.items() if observation.target.policy.wants(r)},
            candidates=candidates,
            remove=rotation.remove,
            now=now,
            poll=rotation.schedule.poll,
            reserve=rotation.schedule.reserve,
            fingerprint=ports.journal.fingerprint,
            ends_written=_ends_written(name, record, candidates),
            complete=rotation.is_complete(record),
            remembered=memory.documents.get(name),
        )
        for name, observation in observed.items()
        if observation.held is not None
    }


def _ends_written(name: str, record: Record, candidates: Candidates) -> dict[str, datetime]:
    ends = {}
    for registry, entry in record.target(name).entries.items():
        known, one = record.known(registry, entry), candidates.get((registry, entry))
        # Its source may have given it again just now, with a later end.
        given = DEAD if one is None else one.end
        if known is not None:
            ends[registry] = max(known.expires_at or FOREVER, known.claim or DEAD, given)
    return ends


class Change(Struct, frozen=True):
    """One entry of a target that a write changes: fingerprints before and after, and why."""

    registry: str
    before: str | None
    after: str | None
    why: str


class Keep(Struct, frozen=True):
    """The target stays as it is. `stale`: the read may show what was there before our last write.

    `again_at`: when the target has to be read again, where a poll is too late.
    """

    notes: tuple[str, ...] = ()
    stale: bool = False
    again_at: datetime | None = None


class HoldBack(Struct, frozen=True):
    """Nothing is written, as it would lose something, or there is nothing to write."""

    failure: Failure
    notes: tuple[str, ...] = ()


class Write(Struct, frozen=True):
    """This text and mark are written. `set_aside`: the damaged text that is there is stored first.

    `entries`: the credential of each registry in the text, by its fingerprint. `config`: the
    document, where the text is one. `deeds`: what the write does beside that, see `report_targets`.
    """

    text: Secret
    mark: Mark
    entries: Mapping[str, str]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    deeds: tuple[tuple[str, str], ...] = ()
    set_aside: bool = False
    config: DockerConfig | None = None


Decision = Keep | HoldBack | Write
