"""What the rules of `plan` have in common: our entries merged into the document that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from rotator.core import docker_entry, docker_merge, docker_salvage
from rotator.core.candidate import FOREVER, Candidate
from rotator.core.docker_config import DockerConfig
from rotator.core.docker_entry import shown
from rotator.core.model import Mark, Merge
from rotator.core.recall import claimed_ends
from rotator.core.situation import Change, Situation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Merged(Struct, frozen=True):
    """A merged document, `config`, and the document that our entries were merged into, `found`.

    `ours`: the candidate of each registry whose entry is ours in it. `left_out`, `helpers`: see
    `MergeResult`. `notes`, `deeds`: see `Write`. `set_aside`: the damaged text that is there has
    to be stored first.
    """

    config: DockerConfig
    found: DockerConfig
    ours: Mapping[str, Candidate]
    left_out: tuple[str, ...]
    helpers: tuple[str, ...]
    notes: tuple[str, ...]
    deeds: tuple[tuple[str, str], ...]
    set_aside: bool


def merge_document(s: Situation) -> Merged:
    """Merge our entries into the document that is there, or into its repaired form."""
    found = s.observation.config
    damaged = found is None and s.held.text is not None
    if found is None:
        found = (repaired(s) if damaged else None) or DockerConfig()
    entries = s.entries_of(found)
    theirs = frozenset(
        registry
        for registry in s.chosen.keys() & found.auths.keys()
        # In a repair the mark may be of another text than the one that is put back.
        if not damaged and foreign_entry_stays(s, registry, entries.get(registry))
    )
    ours = {registry: one for registry, one in s.chosen.items() if registry not in theirs}
    logins = [one.credential for one in ours.values()]
    merged = docker_merge.merge(_base(s, found), logins, s.remove, theirs)
    set_aside = damaged and s.observation.target.sets_aside and bool(_text(s).strip())
    deeds = [(shown(key), "left out: no client can decode it") for key in merged.left_out]
    deeds += [
        (
            f"the credential helper of {shown(key)}",
            "taken out of credHelpers: clients would ask it instead of the entry",
        )
        for key in merged.helpers
    ]
    if damaged:
        aside = ", and the damaged text stored beside it, as *.broken" if set_aside else ""
        deeds.append(("the document there, which no client can read,", f"repaired{aside}"))
    notes = tuple(f"{what}; to do: {todo}" for what, todo in merged.config.warnings())
    return Merged(
        merged.config,
        found,
        ours,
        merged.left_out,
        merged.helpers,
        notes,
        tuple(deeds),
        set_aside,
    )


def repaired(s: Situation) -> DockerConfig | None:
    """Return what a damaged document is replaced by; None where that would lose something.

    Others' entries come from the last read, or from the part that is whole. Where nobody remembers
    them, the damaged text has to be stored beside the document.
    """
    text = _text(s)
    if not s.chosen:
        return None
    if s.remembered is not None:
        return s.remembered
    salvaged = docker_salvage.salvage(text)
    ours = salvaged is not None and bool(s.past.fingerprints)
    others = bool(text.strip()) and s.policy.merge is Merge.PRESERVE
    if others and not (ours or s.observation.target.sets_aside):
        return None
    return salvaged or DockerConfig()


def _text(s: Situation) -> str:
    return s.held.text.reveal() if s.held.text else ""


def _base(s: Situation, found: DockerConfig) -> DockerConfig:
    """Return the part of a document that stays, before our entries are merged into it.

    With `merge: replace` others' entries go, once each source has named its registries.
    """
    if s.policy.merge is Merge.PRESERVE or not s.complete:
        return found
    stays = {
        key: entry
        for key, entry in found.auths.items()
        if docker_entry.registry_key(key) in s.registries
    }
    return DockerConfig(stays)


def foreign_entry_stays(s: Situation, registry: str, fingerprint: str | None) -> bool:
    """Tell whether an entry stays because another rotator wrote it and it is as good as ours.

    `fingerprint`: the entry's. All rotators that share a target compare the ends in its mark. So
    they agree which of two good entries stays, and do not replace each other's for ever.
    """
    if fingerprint is None or s.foreign_mark is None or s.is_edited:
        return False
    entry, ours = s.candidates.get((registry, fingerprint)), s.chosen[registry]
    if entry is None:
        # It was written after we proved what was there. The next cycle proves it.
        expires = s.foreign_mark.expires
        return registry in expires and (expires[registry] or FOREVER) >= ours.end
    if not entry.foreign or entry.rejected or entry.has_ended(s.now):
        return False
    return _is_as_good(s, entry, ours)


def _is_as_good(s: Situation, entry: Candidate, ours: Candidate) -> bool:
    """Tell whether another rotator's entry is as good as the candidate that we would write."""
    claim = entry.claim or FOREVER
    if entry.superseded and (claim < ours.end or (claim == ours.end and not ours.foreign)):
        return False  # it is back after a later one replaced it
    if not entry.end_known:
        return not ours.end_known
    if entry.end >= ours.end:
        return True
    # What another rotator fetched is for that one to publish, and its claim can be later than the
    # end that we believe. Then the entry stays while it is job-safe, or where ours is not either:
    # who left it there may have lost its journal, or may be gone.
    is_safe, ours_is_safe = (one.end - s.now > s.reserve for one in (entry, ours))
    return (ours.foreign or claim >= ours.end) and (is_safe or not ours_is_safe)


def mark_needs_correction(s: Situation, ours: Mapping[str, Candidate]) -> bool:
    """Tell whether the mark has to be written again because it gives another end than we know.

    Only the rotator that fetched a credential corrects its end; all others believe the mark. Two
    rotators can fetch the same credential, so only a later end is written. A lease has one owner:
    its end is corrected to a sooner one too, as nobody else writes the later one back. But one
    username can be that of two leases, and another's mark gives the end of the other one.
    """
    if s.held.mark is None:
        return False
    ends = {registry: end or FOREVER for registry, end in s.held.mark.expires.items()}
    of_another = s.one_writer and s.foreign_mark is not None
    return any(
        one.end > ends[registry]
        or (one.credential.lease and one.end != ends[registry] and not of_another)
        for registry, one in ours.items()
        if registry in ends and not one.foreign and one.end_known
    )


def changes_of(s: Situation, merged: Merged) -> tuple[Change, ...]:
    """Return the entries that a merged document changes, and why."""
    before = s.entries_of(merged.found)
    changed = [
        Change(registry, before.get(registry), one.fingerprint, _why(s, before, registry))
        for registry, one in sorted(merged.ours.items())
        if before.get(registry) != one.fingerprint
    ]
    gone = merged.found.auths.keys() - merged.config.auths.keys() - set(merged.left_out)
    changed += [
        Change(shown(key), before.get(docker_entry.registry_key(key)), None, "removed")
        for key in sorted(gone)
        if docker_entry.registry_key(key) not in merged.ours
    ]
    changed += [Change(shown(key), None, None, "undecodable") for key in merged.left_out]
    changed += [Change(shown(key), None, None, "credential helper") for key in merged.helpers]
    return tuple(changed)


def _why(s: Situation, before: Mapping[str, str], registry: str) -> str:
    fingerprint = before.get(registry)
    entry = s.candidates.get((registry, fingerprint)) if fingerprint else None
    if fingerprint is None:
        return "missing"
    if entry is not None and entry.rejected:
        return "rejected"
    if s.chosen[registry].fetched:
        return "renewed"
    return "edited" if entry is None or entry.foreign else "superseded"


def mark_of(s: Situation, merged: Merged, text: str) -> Mark:
    """Return the mark of a document: the end of every entry in it that is known."""
    # The mark of a damaged document does not tell which entries its ends are of.
    is_whole = s.observation.config is not None
    claimed = claimed_ends(s.observation, s.past, s.fingerprint) if is_whole else {}
    entries, before = s.entries_of(merged.config), s.entries_of(merged.found)
    expires = {}
    for registry in {docker_entry.registry_key(key) for key in merged.config.auths}:
        fingerprint = entries.get(registry, "")
        entry = merged.ours.get(registry) or s.candidates.get((registry, fingerprint))
        ends = [marked_end(entry)] if entry is not None and entry.end_known else []
        # Two rotators can fetch the same credential: the later end wins, so that their marks agree.
        # A lease has one owner, who knows its end.
        leased = entry is not None and entry.credential.lease is not None
        stays = registry in claimed and before.get(registry, "") == fingerprint
        if stays and not leased:
            ends.append(claimed[registry])
        if ends:
            latest = max(end or FOREVER for end in ends)
            expires[registry] = None if latest == FOREVER else latest
    return Mark(dict(sorted(expires.items())), s.fingerprint(text), s.rotation)


def marked_end(one: Candidate) -> datetime | None:
    """Return the end that our mark gives for a candidate; another rotator's claim is passed on."""
    return one.claim if one.foreign else one.credential.expires_at
