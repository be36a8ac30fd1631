"""Promises 1 and 2, checked just before a write takes effect.

Nothing that a registry rejects is published, and nothing is lost that was not refreshed.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.core.model import Content, Merge, ProofMode
from tests.simulation import document
from tests.simulation.excuses import CLOCK

if TYPE_CHECKING:
    from tests.simulation.document import Document
    from tests.simulation.drivers import SimTarget
    from tests.simulation.host import Host
    from tests.simulation.place import Place
    from tests.simulation.registries import Token
    from tests.simulation.watch import Watch


def check(watch: Watch, host: Host, target: SimTarget, text: str) -> None:
    """Compare what is about to be written with what is there."""
    place = target.place
    if place.content is not Content.DOCKER_CONFIG:
        if not text:
            watch.broken("never cut off", f"{host.name} writes nothing to {place.name}")
        if place.content is Content.PASSWORD and place.registry:
            token = watch.world.token(place.registry, ("ci", text))
            _check_entry(watch, host, target, place.registry, token)
        return
    try:
        whole = isinstance(json.loads(text).get("auths"), dict)
    except ValueError:
        whole = False
    if not whole:
        watch.broken("never cut off", f"{host.name} writes no docker config to {place.name}")
    after = document.read(text)
    ours = watch.registries_of(host.in_use)
    for registry in sorted(filter(target.policy.wants, ours)):
        entry = place.document.auths.get(registry)
        if entry is not None and after.auths.get(registry) == entry:
            continue  # it stays, whatever stood in its way and was taken out
        token = watch.world.token(registry, after.login(registry))
        _check_entry(watch, host, target, registry, token)
    _check_others(watch, host, target, after, ours)
    _check_spellings(watch, host, place, after, ours)


def _check_spellings(
    watch: Watch, host: Host, place: Place, after: document.Document, ours: set[str]
) -> None:
    """See that no other spelling of our registries' keys is left that clients could prefer."""
    for key in after.auths:
        registry = key.lower()
        if key == registry or registry not in ours:
            continue
        entry, token = after.auths.get(registry), watch.world.token(registry, after.login(registry))
        # Where nothing is known that works, all stays as it is.
        stays = entry is None or entry == place.document.auths.get(registry)
        works = token is not None and token.password not in host.rejected
        works = works and token is not None and token.dies > host.cycle_began
        stays = stays and not (works and registry not in host.silent)
        if entry != after.auths[key] and not stays:
            watch.broken("nothing lost", f"{host.name} leaves {key} behind at {place.name}", place)


def _check_entry(
    watch: Watch, host: Host, target: SimTarget, registry: str, after: Token | None
) -> None:
    """Compare one registry's entry before and after."""
    place = target.place
    before = place.token(registry)
    if after is before:
        return
    if after is None:
        if before is None or not watch.world.accepts(before) or _raced(host, place):
            return
        # By a clock that is ahead of the one that its end was noted on it has ended already, and a
        # hidden value can't be read to be proven.
        over = place.hidden and host.ahead - before.behind > CLOCK
        # Nor do two writers of one know what the other's has.
        over = over or (place.hidden and len(watch.sharers(place)) > 1)
        over = over or (place.hidden and _is_lengthened_unnoted(host, before))
        # Its registry may reject in this cycle what lives.
        over = over or (place.hidden and before.password in host.rejected)
        if not over and registry not in host.in_use.remove:
            watch.broken(
                "nothing lost", f"{host.name} takes live {registry} out of {place.name}", place
            )
        return
    # What was read is passed on, where nobody notices what was written meanwhile.
    if (place.stale or _raced(host, place)) and _is_passed_on(watch, host, place, registry, after):
        return
    _check_published(watch, host, registry, after, place)
    if before is None or not watch.world.accepts(before) or watch.world.accepts(after):
        return
    died_now = host.cycle_began <= after.dies <= watch.time.now
    if host.can_ask(registry) and not died_now and not _raced(host, place):
        watch.broken(
            "nothing lost", f"{host.name} replaces live {before.name} by dead {after.name}"
        )


def _is_lengthened_unnoted(host: Host, token: Token) -> bool:
    """Tell whether a server lengthened a password, and the host died before it noted that."""
    lease = token.lease
    if lease is None or host.died_at < lease.renewed_at:
        return False
    noted = host.journal.saved.source(lease.id.partition("/")[0]).fetched_at
    return noted is None or noted - host.wall() < timedelta(
        seconds=lease.renewed_at - host.time.now
    )


def _check_published(watch: Watch, host: Host, registry: str, after: Token, place: Place) -> None:
    """See whether a password may be put where it was not."""
    # A repair puts back what was there, dead or not.
    if watch.world.token(registry, place.last_readable.login(registry)) is after:
        return
    if after.password in host.rejected:
        watch.broken("proven", f"{host.name} publishes {after.name}, which is rejected")
    if host.in_use.proof is ProofMode.STRICT and after.password not in host.ever_accepted:
        watch.broken("proven", f"{host.name} publishes {after.name}, which was not accepted")
    if host.in_use.proof is ProofMode.OFF and after.misdated and not host.knows_every_mark:
        return  # it is under another rotator's mark, and nobody asks its registry
    if after.end < host.cycle_began and after.ahead - host.ahead <= CLOCK:
        watch.broken("proven", f"{host.name} publishes {after.name}, which has ended", place)


def _is_passed_on(watch: Watch, host: Host, place: Place, registry: str, token: Token) -> bool:
    """Tell whether the last read returned this entry, so that a write only passes it on."""
    login = document.read(host.looks.texts.get(place.name)).login(registry)
    return watch.world.token(registry, login) is token


def _check_others(
    watch: Watch, host: Host, target: SimTarget, after: Document, ours: set[str]
) -> None:
    place, policy = target.place, target.policy
    if policy.merge is Merge.REPLACE or _raced(host, place):
        return
    if place.damaged:
        before = _still_known(host, place)
    else:
        before = place.document.auths
        if _without_helpers(place.document.rest) != _without_helpers(after.rest):
            watch.broken(
                "nothing lost",
                f"{host.name} changes other keys at {place.name}: {place.document.rest} to "
                f"{after.rest}",
            )
    owned = {registry for registry in ours if policy.wants(registry)}
    for key, entry in before.items():
        mine = document.canonical(key) in owned | host.in_use.remove
        if not mine and document.is_decodable(entry) and after.auths.get(key) != entry:
            watch.broken("nothing lost", f"{host.name} loses {key} at {place.name}", place)


def _still_known(host: Host, place: Place) -> dict[str, object]:
    """Return the entries of a damaged document that a repair has to bring back.

    What this process read when it could be read, or what is still legible; nothing where the
    damaged text is stored beside it.
    """
    if place.document.auths:  # another field has a type that no client reads
        return place.document.auths
    remembered = host.looks.entries.get(place.name)
    if remembered is not None:
        return remembered
    if place.damaged_copy == place.text or not (place.text or "").strip():
        return {}
    return document.legible(place.text or "")


def _raced(host: Host, place: Place) -> bool:
    """Tell whether the place changed since it was read, where a write can't tell.

    What is lost so returns within a poll.
    """
    return (place.gap or not place.compares) and host.looks.raced(place)


def _without_helpers(rest: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in rest.items() if key != "credHelpers"}
