"""The step that decides what becomes of one target: a chain of small named rules, in order.

Each rule looks at the situation and decides, or returns None and the next one is asked. A rule's
first line says what it decides, and why. Nothing here touches anything.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core import docker_config
from rotator.core.candidate import DEAD, FOREVER, Candidate
from rotator.core.docker_config import DockerConfig, shown
from rotator.core.errors import PermanentError, Reason
from rotator.core.failure import Failure
from rotator.core.model import Content, Mark, Merge, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rotator.core.candidate import Candidates
    from rotator.core.model import Held, Policy
    from rotator.core.observe import Observation
    from rotator.core.ports import Fingerprint
    from rotator.core.record import TargetRecord

# GitLab and caches in front of it can answer a read with the value before our write.
_STALE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)


class Situation(Struct, frozen=True):
    """All that the rules look at.

    `registries`: the rotation's registries that belong in this target; `complete`: these are all,
    no source has yet to name its own. `chosen`: the candidate that each should have. `remembered`:
    what others had in the document when it was last read. `poll`: the rotation's.
    `reserve`: an entry that lasts longer is good enough to stay. `ends_written`: when those end
    that the target holds as far as we know, whatever their registries say.
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
        """Tell whether the value can't be read back or can't be merged."""
        return self.held.withheld or self.policy.content is not Content.DOCKER_CONFIG

    @property
    def foreign_mark(self) -> Mark | None:
        """Return the mark of another rotator that wrote here last; None where there is none."""
        mark = self.held.mark
        return None if mark is None or mark.fingerprint in self.past.fingerprints else mark

    def named(self, config: DockerConfig) -> dict[str, str]:
        """Return the fingerprint of every login in a document, by registry."""
        return {
            registry: self.fingerprint(docker_config.login_text(*login))
            for registry, login in config.logins().items()
        }

    def value(self) -> tuple[str, dict[str, Candidate]] | None:
        """Return the text of a value with one writer and what is in it; None without any."""
        if self.policy.content is Content.DOCKER_CONFIG:
            logins = [one.credential for one in self.chosen.values()]
            merged = docker_config.merge(DockerConfig(), logins, self.remove)
            return (docker_config.encode(merged.config), dict(self.chosen)) if logins else None
        registry = self.policy.registry or ""
        if registry not in self.chosen:
            return None
        login = self.chosen[registry].credential
        username = self.policy.content is Content.USERNAME
        text = login.username if username else login.password.reveal()
        return text, {registry: self.chosen[registry]}


class Change(Struct, frozen=True):
    """One entry of a target that a write changes: fingerprints before and after, and why."""

    registry: str
    before: str | None
    after: str | None
    why: str


class Keep(Struct, frozen=True):
    """The target stays as it is. `stale`: it was read too soon after our write to be believed.

    `again_at`: when it has to be dealt with again.
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
    document, where the text is one.
    """

    text: Secret
    mark: Mark
    entries: Mapping[str, str]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    set_aside: bool = False
    config: DockerConfig | None = None


Decision = Keep | HoldBack | Write


def plan(situation: Situation) -> Decision:
    """Return what becomes of a target that was read: the first rule that decides."""
    for rule in RULES:
        decision = rule(situation)
        if decision is not None:
            return decision
    raise AssertionError("the last rule decides always")  # pragma: no cover


def stale_read(s: Situation) -> Decision | None:
    """Keep what shows the mark before our last write a moment after it, where reads can be late."""
    mark, past = s.held.mark, s.past
    if s.observation.target.compares or mark is None or past.written_at is None:
        return None
    if mark.fingerprint not in past.fingerprints[1:]:
        return None
    if mark.fingerprint == past.written or not timedelta(0) <= s.now - past.written_at < _STALE:
        return None
    note = "it still shows what was there before our last write: it is read again in a minute"
    return Keep((note,), stale=True, again_at=past.written_at + _STALE + _SECOND)


def nothing_to_publish(s: Situation) -> Decision | None:
    """Hold an empty target back as long as no credential could be fetched."""
    if s.chosen or s.held.withheld or s.held.text is not None:
        return None
    return _nothing_to_publish()


def value_cannot_be_merged(s: Situation) -> Decision | None:
    """Hold a hidden variable back that has to be merged, as nobody can read what it holds."""
    whole = s.policy.content is Content.DOCKER_CONFIG
    if not (s.held.withheld and whole) or s.policy.merge is Merge.REPLACE:
        return None
    return _withheld("its other entries would be lost")


def value_would_lose_entries(s: Situation) -> Decision | None:
    """Hold a hidden variable back while an entry in it lives whose source gave nothing."""
    if not (s.held.withheld and s.policy.content is Content.DOCKER_CONFIG):
        return None
    claims = s.held.mark.expires if s.held.mark else {}
    lost = sorted(
        registry
        for registry in s.registries - s.chosen.keys()
        if max(
            s.past.ends.get(registry, DEAD),
            s.ends_written.get(registry, DEAD),
            (claims[registry] or FOREVER) if registry in claims else DEAD,
        )
        > s.now
        or (registry in {**claims, **s.past.ends} and _is_pending(s, registry))
    )
    if not lost and s.complete:
        return None
    return _withheld(f"{', '.join(lost) or 'what a source has yet to name'} would be lost")


def _is_pending(s: Situation, registry: str) -> bool:
    return any(one.pending for (name, _), one in s.candidates.items() if name == registry)


def value_without_credential(s: Situation) -> Decision | None:
    """Leave a value with one writer as it is while there is no credential for it."""
    if not s.one_writer or s.value() is not None:
        return None
    return Keep() if s.policy.content is not Content.DOCKER_CONFIG else _nothing_to_publish()


def value_is_ours(s: Situation) -> Decision | None:
    """Keep a value with one writer that is the one that we would write."""
    value = s.value() if s.one_writer else None
    if value is None or not _is_as_written(s, value[0]):
        return None
    return None if _end_is_later(s, value[1]) else Keep()


def value_waits_a_poll(s: Situation) -> Decision | None:
    """Keep a value that somebody else wrote since, until a poll after our last write of it."""
    value = s.value() if s.one_writer else None
    if value is None or s.past.written_at is None or _is_as_written(s, value[0]):
        return None
    again_at = s.past.written_at + 0.85 * s.poll
    unchanged = s.past.written == s.fingerprint(value[0])
    if not unchanged or not s.past.written_at <= s.now < again_at:
        return None
    note = "somebody else writes this value too; ours is written again at the next poll"
    return Keep((note,), again_at=again_at)


def write_value(s: Situation) -> Decision | None:
    """Write a value with one writer: it is not the one that we would write."""
    value = s.value() if s.one_writer else None
    if value is None:
        return None
    text, ours = value
    ends = {registry: _marked_end(one) for registry, one in ours.items()}
    notes: tuple[str, ...] = ()
    if s.past.written and not _is_as_written(s, text) and s.past.written == s.fingerprint(text):
        notes = ("somebody else wrote this value since; ours was written again",)
    return Write(
        text=Secret(text),
        mark=Mark(ends, s.fingerprint(text), s.rotation),
        entries={registry: one.fingerprint for registry, one in ours.items()},
        changes=tuple(
            Change(registry, None, one.fingerprint, "renewed") for registry, one in ours.items()
        ),
        notes=notes,
    )


def damaged_document(s: Situation) -> Decision | None:
    """Hold a document back that no client can read, where others' entries would be lost."""
    if s.held.text is None or s.observation.config is not None or _repaired(s) is not None:
        return None
    return _hold_back(
        Reason.MALFORMED,
        "the docker config there can't be read, and nobody remembers the others' entries in it",
        "see what is in it; if nothing there is wanted, delete it and rotator makes a new one",
    )


def document_is_right(s: Situation) -> Decision | None:
    """Keep a document that would not change, nor its mark to a later end."""
    merged = _merge(s)
    if merged.set_aside or s.held.text is None or merged.config != s.observation.config:
        return None
    return None if _end_is_later(s, merged.ours) else Keep(merged.notes)


def write_document(s: Situation) -> Decision | None:
    """Write the document with our entries merged into what others have in it."""
    merged = _merge(s)
    text = docker_config.encode(merged.config)
    return Write(
        text=Secret(text),
        mark=_mark(s, merged, text),
        entries=s.named(merged.config),
        changes=_changes(s, merged),
        notes=merged.notes,
        set_aside=merged.set_aside,
        config=merged.config,
    )


RULES: tuple[Callable[[Situation], Decision | None], ...] = (
    stale_read,
    nothing_to_publish,
    value_cannot_be_merged,
    value_would_lose_entries,
    value_without_credential,
    value_is_ours,
    value_waits_a_poll,
    write_value,
    damaged_document,
    document_is_right,
    write_document,
)
"""The rules in the order in which they are asked."""


# What the rules have in common.


class _Merged(Struct, frozen=True):
    """A merged document: our entries in it, what was left out, and how that is said."""

    config: DockerConfig
    found: DockerConfig
    ours: Mapping[str, Candidate]
    left_out: tuple[str, ...]
    helpers: tuple[str, ...]
    notes: tuple[str, ...]
    set_aside: bool


def _merge(s: Situation) -> _Merged:
    """Merge our entries into the document that is there, or into its repaired form."""
    found = s.observation.config
    damaged = found is None and s.held.text is not None
    if found is None:
        found = (_repaired(s) if damaged else None) or DockerConfig()
    there = s.named(found)
    ours = {
        registry: one
        for registry, one in s.chosen.items()
        if not foreign_entry_stays(s, registry, there.get(registry))
    }
    logins = [one.credential for one in ours.values()]
    others = frozenset(s.chosen.keys() - ours.keys())
    merged = docker_config.merge(_base(s, found), logins, s.remove, others)
    notes = [f"left out {shown(key)}: no client can decode it" for key in merged.left_out]
    notes += [
        f"took the credential helper of {shown(key)} out of credHelpers: clients would ask it "
        "instead of the entry"
        for key in merged.helpers
    ]
    set_aside = damaged and s.observation.target.sets_aside and bool(_text(s).strip())
    if damaged:
        notes.append(
            "the document there could not be read by any client, and was repaired"
            + ("; the damaged text is stored beside it, as *.broken" if set_aside else "")
        )
    notes += [f"{what}; to do: {todo}" for what, todo in merged.config.warnings()]
    return _Merged(
        merged.config, found, ours, merged.left_out, merged.helpers, tuple(notes), set_aside
    )


def _repaired(s: Situation) -> DockerConfig | None:
    """Return what a damaged document is replaced by; None where that would lose something.

    What others had in it is remembered from the last read, or is in the part that is whole. Where
    nobody remembers it, the damaged text has to be stored beside the document.
    """
    text = _text(s)
    if not s.chosen:
        return None
    if not text.strip() or s.policy.merge is Merge.REPLACE:
        return s.remembered or DockerConfig()
    if s.remembered is not None:
        return s.remembered
    salvaged = docker_config.salvage(text)
    ours = salvaged is not None and bool(s.past.fingerprints)
    if s.observation.target.sets_aside or ours:
        return salvaged or DockerConfig()
    return None


def _text(s: Situation) -> str:
    return s.held.text.reveal() if s.held.text else ""


def _base(s: Situation, found: DockerConfig) -> DockerConfig:
    """Return the part of a document that stays, before our entries are merged into it."""
    if s.policy.merge is Merge.PRESERVE or not s.complete:
        return found
    stays = {
        key: entry
        for key, entry in found.auths.items()
        if docker_config.registry_key(key) in s.registries
    }
    return DockerConfig(stays)


def foreign_entry_stays(s: Situation, registry: str, there: str | None) -> bool:
    """Tell whether another rotator's entry is left alone: it works and does not end sooner.

    What ends sooner is left too where ours is only what others published before.
    """
    if there is None or s.foreign_mark is None:
        return False
    entry, ours = s.candidates.get((registry, there)), s.chosen[registry]
    if entry is None:  # it came after we proved what was there: it is proven in the next cycle
        expires = s.foreign_mark.expires
        return registry in expires and (expires[registry] or FOREVER) >= ours.end
    if not entry.foreign or entry.superseded or entry.rejected:
        return False
    if not entry.end_known:
        return not ours.fetched
    if ours.foreign or entry.end >= ours.end:
        return True
    # What it claims decides between two that are good, so that all rotators agree on one of them.
    return (entry.claim or FOREVER) >= ours.end and entry.end - s.now > s.reserve


def _is_as_written(s: Situation, text: str) -> bool:
    """Tell whether a value with one writer is this text, which we wrote last."""
    if not s.held.withheld:
        return s.held.text == Secret(text)
    written = s.fingerprint(text)
    marked = s.held.mark is not None and s.held.mark.fingerprint == written
    return s.past.written == written and (marked or not s.observation.target.marks)


def _end_is_later(s: Situation, ours: Mapping[str, Candidate]) -> bool:
    """Tell whether the mark has to be written again, as we know a later end than it has.

    Only who fetched a credential corrects its end: all others believe the mark. A lease has one
    owner, so that its end is corrected both ways and nobody writes it back.
    """
    if s.held.mark is None:
        return False
    ends = {registry: end or FOREVER for registry, end in s.held.mark.expires.items()}
    return any(
        one.end > ends[registry] or (one.credential.lease and one.end != ends[registry])
        for registry, one in ours.items()
        if registry in ends and not one.foreign
    )


def _changes(s: Situation, merged: _Merged) -> tuple[Change, ...]:
    there = s.named(merged.found)
    changed = [
        Change(registry, there.get(registry), one.fingerprint, _why(s, there, registry))
        for registry, one in sorted(merged.ours.items())
        if there.get(registry) != one.fingerprint
    ]
    gone = merged.found.auths.keys() - merged.config.auths.keys() - set(merged.left_out)
    changed += [
        Change(shown(key), there.get(docker_config.registry_key(key)), None, "removed")
        for key in sorted(gone)
        if docker_config.registry_key(key) not in merged.ours
    ]
    changed += [Change(shown(key), None, None, "undecodable") for key in merged.left_out]
    changed += [Change(shown(key), None, None, "credential helper") for key in merged.helpers]
    return tuple(changed)


def _why(s: Situation, there: Mapping[str, str], registry: str) -> str:
    name = there.get(registry)
    entry = s.candidates.get((registry, name)) if name else None
    if name is None:
        return "missing"
    if entry is not None and entry.rejected:
        return "rejected"
    if s.chosen[registry].fetched:
        return "renewed"
    return "edited" if entry is None or entry.foreign else "superseded"


def _mark(s: Situation, merged: _Merged, text: str) -> Mark:
    """Return the mark of a document: the end of every entry in it that is known."""
    claims = s.held.mark.expires if s.held.mark else {}
    names = s.named(merged.config)
    expires = {}
    for registry in {docker_config.registry_key(key) for key in merged.config.auths}:
        entry = merged.ours.get(registry)
        entry = entry or s.candidates.get((registry, names.get(registry, "")))
        if entry is not None and entry.end_known:
            expires[registry] = _marked_end(entry)
        elif registry in claims:
            expires[registry] = claims[registry]
    return Mark(dict(sorted(expires.items())), s.fingerprint(text), s.rotation)


def _hold_back(reason: Reason, detail: str, hint: str) -> HoldBack:
    return HoldBack(Failure.of(PermanentError(reason, detail, hint)))


def _marked_end(one: Candidate) -> datetime | None:
    """Return the end that a mark gives: another rotator's claim is passed on as it is."""
    return one.claim if one.foreign else one.credential.expires_at


def _nothing_to_publish() -> HoldBack:
    return _hold_back(
        Reason.NOT_FOUND,
        "there is nothing to publish here yet: no credential for it could be fetched",
        "repair the source that failed; the target is written as soon as one credential is there",
    )


def _withheld(why: str) -> HoldBack:
    return _hold_back(
        Reason.IMMUTABLE,
        f"the target withholds its value (hidden), so it can't be merged: {why}",
        "make the variable visible (delete and create it again), or set `merge: replace`",
    )
