"""What one target should hold now, and why: a decision without any effect.

The rules, in the order in which they are asked:

1. A target that withholds its value is composed from what is in hand, if nothing of ours is lost.
2. A document that nobody can read is replaced if we wrote it, else left to a person.
3. Another rotator's entry that works and is not known to end sooner than ours stays.
4. Every other entry of our registries becomes ours; everything else stays.
5. Nothing is written unless that changes an entry, or a mark to a later end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.core import docker_config
from rotator.core.docker_config import DockerConfig, shown
from rotator.core.errors import DriverError, PermanentError, Reason
from rotator.core.model import Content, Mark, Merge, Secret, Verdict
from rotator.core.rotation import DEAD, FOREVER, InHand
from rotator.core.view import Change, Document, View, Wish

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# GitLab and caches in front of it can answer a read with the value before our write.
_STALE = timedelta(minutes=1)


def wish(view: View) -> Wish:
    """Return what should become of the target; raise nothing, touch nothing."""
    if _is_stale(view):
        note = "it still shows what was there before our last write: looked at again in a minute"
        return Wish(view.ends_recorded(), notes=(note,), stale=True)
    if view.target.policy.content is not Content.DOCKER_CONFIG:
        return _wish_half_login(view)
    if view.held.withheld:
        return _wish_withheld(view)
    try:
        found = _decode(view)
    except DriverError as error:
        return Wish(dict.fromkeys(view.served, DEAD), held_back=error)
    return _wish_document(view, found)


def _wish_document(view: View, found: DockerConfig) -> Wish:
    prints = view.prints(found)
    ours = {
        registry: mine
        for registry, mine in view.hand.items()
        if prints.get(registry) == mine.fingerprint
        or not _stays(view, registry, prints.get(registry))
    }
    base = _base(view, found)
    merged = docker_config.merge(base, [mine.credential for mine in ours.values()], view.remove)
    ends = {
        registry: ours[registry].end
        if registry in ours
        else view.end(registry, prints.get(registry))
        for registry in view.served
    }
    notes = (
        *(f"left out {shown(key)}: no client can decode that entry" for key in merged.left_out),
        *(f"{what}; to do: {todo}" for what, todo in merged.config.warnings()),
    )
    if not ours and view.held.text is None:
        return Wish(ends, held_back=_nothing_in_hand(), notes=notes)
    if merged.config == found and view.held.text is not None and not _later(view, ours):
        return Wish(ends, notes=notes)
    return _written(view, merged.config, ends, _changes(view, prints, ours, found, merged), notes)


def _wish_withheld(view: View) -> Wish:
    """A hidden variable can't be read back, so all of it has to come from what is in hand."""
    there, marked = view.ends_recorded(), view.ends_marked()
    unseen = view.served - view.hand.keys()
    lost = sorted(r for r in unseen if max(there[r], marked[r]) > view.now)
    if view.target.policy.merge is not Merge.REPLACE:
        return Wish(view.ends_held(), held_back=_withheld("its other entries would be lost"))
    if lost or not view.told:
        what = ", ".join(lost) or "what a source serves that was not yet asked"
        return Wish(view.ends_held(), held_back=_withheld(f"{what} would be lost"))
    ends = view.ends_of_hand()
    if not view.hand:
        return Wish(ends, held_back=_nothing_in_hand())
    if _is_left(view):
        return Wish(view.ends_marked())
    credentials = [mine.credential for mine in view.hand.values()]
    config = docker_config.merge(DockerConfig(), credentials, view.remove).config
    written = view.fingerprint(docker_config.encode(config))
    if view.is_as_written(written) and not _later(view, view.hand):
        return Wish(ends)
    changes = tuple(
        Change(registry, None, mine.fingerprint, "renewed") for registry, mine in view.hand.items()
    )
    return _written(view, config, ends, changes, ())


def _wish_half_login(view: View) -> Wish:
    """The username or the password alone, for `docker login` in a job's script."""
    policy = view.target.policy
    mine = view.hand.get(policy.registry or "")
    if mine is None:
        held_back = _nothing_in_hand() if view.held.text is None else None
        return Wish(view.ends_held(), held_back=held_back)
    login = mine.credential
    text = login.password if policy.content is Content.PASSWORD else Secret(login.username)
    ends = {login.registry: mine.end}
    same = view.held.text == text
    there = view.held.withheld or view.held.text is not None
    if there and not same and _is_left(view):
        return Wish(view.ends_marked())
    same = same or (view.held.withheld and view.is_as_written(view.fingerprint(text.reveal())))
    if same and not _later(view, {login.registry: mine}):
        return Wish(ends)
    mark = Mark({login.registry: login.expires_at}, view.fingerprint(text.reveal()), view.rotation)
    change = Change(login.registry, None, mine.fingerprint, "renewed")
    return Wish(ends, Document(text, mark), changes=(change,))


def _is_left(view: View) -> bool:
    """Tell whether a value that can't be judged is another rotator's, and ends no sooner.

    Of two that never end nobody can tell which is the newer one: then ours is written, once.
    """
    endless = any(mine.end == FOREVER for mine in view.hand.values())
    half = view.half_print()
    seen = view.seen.get((view.target.policy.registry or "", half)) if half else None
    rejected = seen is not None and seen.proof.verdict is Verdict.REJECTED
    return view.marked_to_last and not endless and not rejected


def _decode(view: View) -> DockerConfig:
    if view.held.text is None:
        return DockerConfig()
    try:
        return docker_config.decode(view.held.text.reveal())
    except DriverError:
        replaceable = view.record.fingerprints or view.target.policy.merge is Merge.REPLACE
        if view.hand and replaceable:
            return DockerConfig()
        raise


def _base(view: View, found: DockerConfig) -> DockerConfig:
    if view.target.policy.merge is Merge.PRESERVE or not view.told:
        return found
    ours = view.served
    kept = {
        key: entry for key, entry in found.auths.items() if docker_config.registry_key(key) in ours
    }
    return DockerConfig(kept)


def _stays(view: View, registry: str, there: str | None) -> bool:
    """Tell whether another rotator's entry is left alone: it works and does not end sooner.

    What ends sooner is left too where ours is only what others published before.
    """
    if there is None or not view.marked_by_another:
        return False
    seen = view.seen.get((registry, there))
    if seen is not None and (not seen.adopted or seen.outdated):
        return False
    if seen is not None and seen.proof.verdict is Verdict.REJECTED:
        return False
    end = view.marked_end.get(registry)
    mine = view.hand[registry]
    return not mine.fresh if end is None else mine.adopted or end >= mine.end


def _later(view: View, ours: Mapping[str, InHand]) -> bool:
    """Tell whether the mark has to be written again, as we know a later end than it tells.

    Only who fetched a credential corrects its end: all others believe the mark. A lease has one
    owner, so that its end is corrected both ways and nobody writes it back.
    """
    if view.held.mark is None:
        return False
    ends = view.marked_end
    return any(
        mine.end > ends[registry] or (mine.credential.lease and mine.end != ends[registry])
        for registry, mine in ours.items()
        if registry in ends and not mine.adopted
    )


def _changes(
    view: View,
    prints: Mapping[str, str],
    ours: Mapping[str, InHand],
    found: DockerConfig,
    merged: docker_config.Merged,
) -> tuple[Change, ...]:
    changed = [
        Change(registry, prints.get(registry), mine.fingerprint, _why(view, prints, registry))
        for registry, mine in sorted(ours.items())
        if prints.get(registry) != mine.fingerprint
    ]
    gone = found.auths.keys() - merged.config.auths.keys() - set(merged.left_out)
    changed += [
        Change(shown(key), prints.get(docker_config.registry_key(key)), None, "removed")
        for key in sorted(gone)
        if docker_config.registry_key(key) not in ours
    ]
    changed += [Change(shown(key), None, None, "undecodable") for key in merged.left_out]
    return tuple(changed)


def _why(view: View, prints: Mapping[str, str], registry: str) -> str:
    there = prints.get(registry)
    seen = view.seen.get((registry, there)) if there else None
    if there is None:
        return "missing"
    if seen is not None and seen.proof.verdict is Verdict.REJECTED:
        return "rejected"
    if view.hand[registry].fresh:
        return "renewed"
    return "edited" if seen is None or seen.adopted else "outdated"


def _written(
    view: View,
    config: DockerConfig,
    ends: Mapping[str, datetime],
    changes: tuple[Change, ...],
    notes: tuple[str, ...],
) -> Wish:
    text = docker_config.encode(config)
    known = {**view.marked_end, **ends}
    expires = {
        registry: None if known[registry] == FOREVER else known[registry]
        for registry in sorted({docker_config.registry_key(key) for key in config.auths})
        if known.get(registry, DEAD) != DEAD
    }
    mark = Mark(expires, view.fingerprint(text), view.rotation)
    return Wish(ends, Document(Secret(text), mark), changes=changes, notes=notes)


def _is_stale(view: View) -> bool:
    """Tell whether a read shows the mark of the write before our last one, a moment after it."""
    mark, record = view.held.mark, view.record
    if mark is None or record.written_at is None or mark.fingerprint not in record.fingerprints[1:]:
        return False
    if mark.fingerprint == record.written:
        return False
    return timedelta(0) <= view.now - record.written_at < _STALE


def _nothing_in_hand() -> DriverError:
    return PermanentError(
        Reason.NOT_FOUND,
        "there is nothing to publish yet: no credential could be fetched",
        "mend the source that failed; the target is written as soon as one credential is there",
    )


def _withheld(why: str) -> DriverError:
    return PermanentError(
        Reason.IMMUTABLE,
        f"the target withholds its value (hidden), so it can't be merged: {why}",
        "make the variable visible (delete and create it again), or set `merge: replace`",
    )
