"""What becomes of one target: a chain of small named rules, in order.

Each rule looks at the situation and decides, or returns None and the next one is asked. A rule's
first line says what it decides, and why. Nothing here touches anything.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.core import docker_config
from rotator.core.candidate import DEAD, FOREVER
from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.merging import (
    changes_of,
    mark_needs_correction,
    mark_of,
    marked_end,
    merge_document,
    repaired,
)
from rotator.core.model import Content, Mark, Merge, Secret
from rotator.core.schedule import NOTHING, SECOND
from rotator.core.situation import Change, Decision, HoldBack, Keep, Situation, Write

if TYPE_CHECKING:
    from collections.abc import Callable

# GitLab and caches in front of it can answer a read with the value before our write.
_STALE = timedelta(minutes=1)


def plan(situation: Situation) -> Decision:
    """Return what becomes of a target that was read: the first rule that decides."""
    for rule in RULES:
        decision = rule(situation)
        if decision is not None:
            return decision
    raise AssertionError("the last rule decides always")  # pragma: no cover


def stale_read(s: Situation) -> Decision | None:
    """Keep a target that shows an earlier mark soon after our write, where reads can be late."""
    mark, past = s.held.mark, s.past
    if s.observation.target.compares or mark is None or past.written_at is None:
        return None
    if mark.fingerprint not in past.fingerprints[1:]:
        return None
    if s.held.text is not None and s.fingerprint(s.held.text.reveal()) != mark.fingerprint:
        return None  # somebody edited what was there before
    if mark.fingerprint == past.written or not NOTHING <= s.now - past.written_at < _STALE:
        return None
    note = "it still shows what was there before our last write: it is read again in a minute"
    return Keep((note,), stale=True, again_at=past.written_at + _STALE + SECOND)


def nothing_to_publish(s: Situation) -> Decision | None:
    """Hold an empty target back as long as no credential could be fetched."""
    if s.chosen or s.held.withheld or s.held.text is not None:
        return None
    return _nothing_to_publish()


def value_cannot_be_merged(s: Situation) -> Decision | None:
    """Hold a hidden variable back that may hold others' entries, as nobody can read and merge it.

    Under a mark it holds the entries of the rotator that wrote it and no others. That a person
    replaced the value and left the mark can't be noticed.
    """
    whole = s.policy.content is Content.DOCKER_CONFIG
    if not (s.held.withheld and whole) or s.policy.merge is Merge.REPLACE:
        return None
    if s.held.mark is None or (s.foreign_mark is not None and not s.held.mark.is_whole):
        return _withheld("its other entries would be lost", f"{_VISIBLE}, or set `merge: replace`")
    # Under our own mark, also what it had no room for.
    ours = () if s.foreign_mark is not None else s.past.entries
    lost = sorted({*s.held.mark.expires, *ours} - s.registries - s.remove)
    if not lost:
        return None
    shown = ", ".join(lost)
    return _withheld(f"{shown} would be lost", f"set `remove: [{shown}]`, or `merge: replace`")


def value_would_lose_entries(s: Situation) -> Decision | None:
    """Hold a hidden variable back that holds a working entry whose source gave nothing."""
    if not (s.held.withheld and s.policy.content is Content.DOCKER_CONFIG):
        return None
    lost = sorted(r for r in s.registries - s.chosen.keys() if _may_work(s, r))
    if not lost and s.complete:
        return None
    lost_ones = ", ".join(lost) or "what a source has yet to name"
    return _withheld(f"{lost_ones} would be lost", f"{_CAUSE}, or {_VISIBLE}", waits=True)


def _may_work(s: Situation, registry: str) -> bool:
    """Tell whether a hidden variable may hold an entry that works, by all that is known of it."""
    marked = s.held.mark.expires if s.held.mark else {}
    ends = [
        s.past.ends.get(registry, DEAD),
        s.ends_written.get(registry, DEAD),
        (marked[registry] or FOREVER) if registry in marked else DEAD,
    ]
    is_known = s.held.mark is not None or s.past.written
    is_there = registry in marked or registry in s.past.ends or not is_known
    is_pending = any(one.pending for (r, _), one in s.candidates.items() if r == registry)
    return max(ends) > s.now or (is_there and is_pending)


def value_without_credential(s: Situation) -> Decision | None:
    """Leave a value with one writer as it is while there is no credential for it."""
    if not s.one_writer or s.our_value() is not None:
        return None
    return Keep() if s.policy.content is not Content.DOCKER_CONFIG else _nothing_to_publish()


def value_is_ours(s: Situation) -> Decision | None:
    """Keep a value with one writer that is as we would write it."""
    value = s.our_value() if s.one_writer else None
    if value is None or not _is_value(s, value[0]):
        return None
    return None if mark_needs_correction(s, value[1]) else Keep()


def value_waits_a_poll(s: Situation) -> Decision | None:
    """Keep a value that somebody else wrote after us, until a poll has passed since our write."""
    value = s.our_value() if s.one_writer else None
    if value is None or s.past.written_at is None or _is_value(s, value[0]):
        return None
    again_at = s.past.written_at + 0.85 * s.poll
    unchanged = s.past.written == s.fingerprint(value[0])
    if not unchanged or not s.past.written_at <= s.now < again_at:
        return None
    note = f"{s.last_writer} writes this value too; ours is written again at the next poll"
    mark = s.held.mark
    if mark is not None and mark.fingerprint in s.past.fingerprints[1:]:
        # Our own earlier mark: perhaps a late read, if the clock was set forward since our write.
        again_at = min(again_at, s.now + _STALE)
    return Keep((note,), again_at=again_at)


def write_value(s: Situation) -> Decision | None:
    """Write a value with one writer that is not as we would write it."""
    value = s.our_value() if s.one_writer else None
    if value is None:
        return None
    text, ours = value
    ends = {registry: marked_end(one) for registry, one in ours.items()}
    deeds: tuple[tuple[str, str], ...] = ()
    if s.past.written and not _is_value(s, text) and s.past.written == s.fingerprint(text):
        deeds = (("ours", f"written again, as {s.last_writer} wrote this value since"),)
    return Write(
        text=Secret(text),
        mark=Mark(ends, s.fingerprint(text), s.rotation),
        entries={registry: one.fingerprint for registry, one in ours.items()},
        changes=tuple(
            Change(registry, None, one.fingerprint, "renewed") for registry, one in ours.items()
        ),
        deeds=deeds,
    )


def damaged_document(s: Situation) -> Decision | None:
    """Hold a document back that no client can read, where a repair would lose others' entries."""
    if s.held.text is None or s.observation.config is not None or repaired(s) is not None:
        return None
    return _hold_back(
        Reason.MALFORMED,
        "the docker config there can't be read, and nobody remembers the others' entries in it",
        "see what is in it; if nothing there is wanted, delete it and rotator makes a new one",
    )


def document_is_right(s: Situation) -> Decision | None:
    """Keep a document that is as we would write it, with a mark that needs no correction."""
    merged = merge_document(s)
    if merged.set_aside or s.held.text is None or merged.config != s.observation.config:
        return None
    return None if mark_needs_correction(s, merged.ours) else Keep(merged.notes)


def write_document(s: Situation) -> Decision | None:
    """Write the document with our entries merged into what others have in it."""
    merged = merge_document(s)
    text = docker_config.encode(merged.config)
    return Write(
        text=Secret(text),
        mark=mark_of(s, merged, text),
        entries=s.entries_of(merged.config),
        changes=changes_of(s, merged),
        notes=merged.notes,
        deeds=merged.deeds,
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


def _is_value(s: Situation, text: str) -> bool:
    """Tell whether a value with one writer is this text.

    One that is withheld is judged by what we wrote last, and by its mark.
    """
    if not s.held.withheld:
        return s.held.text == Secret(text)
    written = s.fingerprint(text)
    marked = s.held.mark is not None and s.held.mark.fingerprint == written
    return s.past.written == written and (marked or not s.observation.target.marks)


_VISIBLE = "make the variable visible (delete and create it again)"
_CAUSE = (
    "see what is reported of the source or its credential: the target is written as soon as there "
    "is one"
)


def _hold_back(reason: Reason, detail: str, hint: str, *, waits: bool = False) -> HoldBack:
    """Return the decision; `waits`: for a credential, whose own failure says what to repair."""
    return HoldBack(Failure(reason, detail, hint, permanent=not waits))


def _nothing_to_publish() -> HoldBack:
    return _hold_back(
        Reason.NOT_FOUND,
        "there is nothing to publish here yet: no source has given a credential that can be used",
        _CAUSE,
        waits=True,
    )


def _withheld(why: str, hint: str, *, waits: bool = False) -> HoldBack:
    return _hold_back(
        Reason.IMMUTABLE,
        f"the target withholds its value (hidden), so it can't be merged: {why}",
        hint,
        waits=waits,
    )
