"""What is right again where nothing is wrong any more: entries, `job_safe`, documents, leases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.core.model import ProofMode
from tests.simulation import budgets, document
from tests.simulation.excuses import CLOCK

if TYPE_CHECKING:
    from tests.simulation.backend import Backend
    from tests.simulation.host import Host
    from tests.simulation.journal import Covered
    from tests.simulation.place import Place
    from tests.simulation.registries import LeaseState, Token
    from tests.simulation.watch import Watch

# A cycle's own time.
_CYCLE = 20.0


def audit(watch: Watch) -> None:
    """Compare everything with what it should be by now."""
    for host in watch.hosts:
        if not host.alive or host.busy or watch.time.now < host.suspended_until:
            continue
        if not host.rotation.enabled:
            continue
        raced = [c for c in watch.covers(host) if _lost_in_a_race(c.place, host)]
        for covered in watch.covers(host):
            if covered not in raced:
                _entry(watch, host, covered)
        if not raced:
            _removed(watch, host)
            _says_safe(watch, host)
    _leases(watch)


def _entry(watch: Watch, host: Host, covered: Covered) -> None:
    place, registry = covered.place, covered.registry
    token = place.token(registry)
    if token is watch.world.username:
        return
    unasked = host.rotation.proof is ProofMode.OFF
    if token is not None and unasked and not token.known_from <= watch.time.now < token.dead_at:
        return
    if not watch.world.accepts(token):
        watch.broken(
            "right again",
            f"{place.name} has no working password for {registry} ({token and token.name})",
        )
    record = host.journal.saved
    past = record.target(place.name)
    believed, known = (
        past.ends.get(registry),
        record.known(registry, past.entries.get(registry, "")),
    )
    # After a lost journal it is a foreign end, which is believed for a life of its source.
    foreign = known is not None and known.foreign
    doubtful = (
        token is not None
        and token.ahead > host.ahead + CLOCK
        and (believed is not None and not foreign)
        and (believed - host.wall()).total_seconds() > token.dies - watch.time.now + CLOCK
    )
    if doubtful and host.alone and not _is_given_again(token, watch.backends):
        watch.broken("right again", f"{token and token.name} ends on a clock of the past")


def _removed(watch: Watch, host: Host) -> None:
    for target in host.targets:
        if not target.policy.enabled or target.place.one_value:
            continue
        left = host.rotation.remove & set(map(document.canonical, target.place.document.auths))
        if left:
            watch.broken("right again", f"{target.name} still has {sorted(left)}")


def _says_safe(watch: Watch, host: Host) -> None:
    if not watch.covers(host) or not budgets.must_be_safe(host):
        return
    in_turn = any(c.place.one_value and len(watch.sharers(c.place)) > 1 for c in watch.covers(host))
    promise, now = host.promise, host.wall()
    if len(watch.hosts) > 1:
        # What another rotator renewed is found within a poll.
        now -= host.rotation.schedule.poll + timedelta(seconds=_CYCLE)
    if not in_turn and (promise is None or promise.safe_until <= now):
        watch.broken("right again", f"{host.name} does not say job_safe")


def _lost_in_a_race(place: Place, host: Host) -> bool:
    """Tell whether another rotator may have undone a write: that heals within a poll."""
    poll = host.rotation.schedule.poll.total_seconds()
    others = [when for who, when in place.written_at.items() if who != host.name]
    # A value that can't be read is written over whatever is there.
    can_undo = place.gap or not place.compares or place.one_value
    return can_undo and max(others, default=0.0) + poll + place.stale + _CYCLE > place.time.now


def _is_given_again(token: Token | None, backends: list[Backend]) -> bool:
    """Tell whether the token's server gives the same again and again."""
    return any(token in backend.current.values() for backend in backends)


def _leases(watch: Watch) -> None:
    now = watch.time.now
    here = [lease for place in watch.places for lease in place.leases()]
    for backend in watch.backends:
        for lease in backend.leases.values():
            if lease.end <= now or lease.revoked_at <= now or lease.lost or lease.refused:
                continue
            if lease not in here:
                _lease(watch, backend, lease)


def _lease(watch: Watch, backend: Backend, lease: LeaseState) -> None:
    """See a lease whose credentials are nowhere: it is revoked when its time has come."""
    host = next(h for h in watch.hosts if h.name == lease.holder.partition("#")[0])
    if backend not in host.backends:
        return
    if not (host.rotation.enabled and host.alive):
        return
    # A lease that nobody knows of any more, or that ended on a clock set forward.
    if max(host.journal.lost_at, host.forward_at) > lease.made_at:
        return
    schedule = host.rotation.schedule
    wait = (schedule.longest_job + host.rotation.settle + 2 * schedule.poll).total_seconds() + 120
    since = max(lease.used_at, lease.made_at, watch.quiet_from, host.started_at)
    if watch.time.now - since > wait:
        passwords = [token.name for token in lease.tokens]
        watch.broken("leases", f"{lease.id} {passwords} is neither used nor revoked")
