"""What the rules of `plan` have in common: our entries merged into what others have there."""

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
    """A merged document: our entries in it, what was left out, and how that is said."""

    config: DockerConfig
    found: DockerConfig
    ours: Mapping[str, Candidate]
    left_out: tuple[str, ...]
    helpers: tuple[str, ...]
    notes: tuple[str, ...]
    set_aside: bool


def merge_document(s: Situation) -> Merged:
    """Merge our entries into the document that is there, or into its repaired form."""
    found = s.observation.config
    damaged = found is None and s.held.text is not None
    if found is None:
        found = (repaired(s) if damaged else None) or DockerConfig()
    there = s.named(found)
    ours = {
        registry: one
        for registry, one in s.chosen.items()
        if registry not in found.auths or not foreign_entry_stays(s, registry, there.get(registry))
    }
    logins = [one.credential for one in ours.values()]
    others = frozenset(s.chosen.keys() - ours.keys())
    merged = docker_merge.merge(_base(s, found), logins, s.remove, others)
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
    return Merged(
        merged.config, found, ours, merged.left_out, merged.helpers, tuple(notes), set_aside
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
    """Return the part of a document that stays, before our entries are merged into it."""
    if s.policy.merge is Merge.PRESERVE or not s.complete:
        return found
    stays = {
        key: entry
        for key, entry in found.auths.items()
        if docker_entry.registry_key(key) in s.registries
    }
    return DockerConfig(stays)


def foreign_entry_stays(s: Situation, registry: str, there: str | None) -> bool:
    """Tell whether another rotator's entry is left alone: it works and does not end sooner.

    One that ends sooner is left too where ours is only one that others published before.
    """
    if there is None or s.foreign_mark is None or s.is_edited:
        return False
    entry, ours = s.candidates.get((registry, there)), s.chosen[registry]
    if entry is None:  # it came after we proved what was there: it is proven in the next cycle
        expires = s.foreign_mark.expires
        return registry in expires and (expires[registry] or FOREVER) >= ours.end
    claim = entry.claim or FOREVER
    ends_sooner = claim < ours.end or (claim == ours.end and not ours.foreign)
    if not entry.foreign or entry.rejected or (entry.superseded and ends_sooner):
        return False
    if not entry.end_known:
        return not ours.end_known
    if ours.foreign or entry.end >= ours.end:
        return True
    # The claimed end decides between two that are good, so that all rotators agree on one of them.
    return claim >= ours.end and entry.end - s.now > s.reserve


def end_is_later(s: Situation, ours: Mapping[str, Candidate]) -> bool:
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
        if registry in ends and not one.foreign and one.end_known
    )


def changes_of(s: Situation, merged: Merged) -> tuple[Change, ...]:
    """Return the entries that a merged document changes, and why."""
    there = s.named(merged.found)
    changed = [
        Change(registry, there.get(registry), one.fingerprint, _why(s, there, registry))
        for registry, one in sorted(merged.ours.items())
        if there.get(registry) != one.fingerprint
    ]
    gone = merged.found.auths.keys() - merged.config.auths.keys() - set(merged.left_out)
    changed += [
        Change(shown(key), there.get(docker_entry.registry_key(key)), None, "removed")
        for key in sorted(gone)
        if docker_entry.registry_key(key) not in merged.ours
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


def mark_of(s: Situation, merged: Merged, text: str) -> Mark:
    """Return the mark of a document: the end of every entry in it that is known."""
    # The ends in an edited document's mark are not passed on under a new fingerprint. In a damaged
    # document nobody knows which entries they are of.
    is_whole = s.observation.config is not None
    claimed = claimed_ends(s.observation, s.past, s.fingerprint) if is_whole else {}
    names, there = s.named(merged.config), s.named(merged.found)
    expires = {}
    for registry in {docker_entry.registry_key(key) for key in merged.config.auths}:
        name = names.get(registry, "")
        entry = merged.ours.get(registry) or s.candidates.get((registry, name))
        stays = registry in claimed and there.get(registry, "") == name
        own = [marked_end(entry)] if entry is not None and entry.end_known else []
        leased = entry is not None and entry.credential.lease is not None
        # Two rotators may be given the same: the later end wins, so that they agree.
        theirs = [claimed[registry]] if stays and not leased else []
        if own or theirs:
            latest = max(end or FOREVER for end in (*own, *theirs))
            expires[registry] = None if latest == FOREVER else latest
    return Mark(dict(sorted(expires.items())), s.fingerprint(text), s.rotation)


def marked_end(one: Candidate) -> datetime | None:
    """Return the end that a mark gives: another rotator's claim is passed on as it is."""
    return one.claim if one.foreign else one.credential.expires_at
