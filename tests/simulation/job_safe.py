"""Promise 3: while `job_safe` is 1, a job that starts can pull for `longest_job`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.excuses import Failure, changed, excuse, wrong_clock
from tests.simulation.timeline import span

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.journal import Covered, Promise
    from tests.simulation.place import Place
    from tests.simulation.registries import LeaseState, Token
    from tests.simulation.watch import Watch


def job_starts(watch: Watch, place: Place) -> None:
    """Let a job start with what the place holds now, at everybody's word."""
    watch.jobs += 1
    for host in watch.hosts:
        promise = host.journal.promise
        if promise is None or host.wall() >= promise.safe_until:
            continue
        # What left the configuration since is no longer promised.
        here = {(one.place, one.registry) for one in watch.covers(host)}
        for covered in promise.covers:
            if covered.place is place and (place, covered.registry) in here:
                _job(watch, host, promise, covered)


def _job(watch: Watch, host: Host, promise: Promise, covered: Covered) -> None:
    place, registry, longest = covered
    now, token = watch.time.now, place.token(registry)
    failure = Failure(host, promise, covered, token, now)
    if token is not None and token.known_from <= now and token.dies > now + longest:
        if not (changed(failure) or wrong_clock(failure)):
            # A person may have said since that no job takes so long.
            _needs(token, now, min(longest, host.rotation.schedule.longest_job.total_seconds()))
        return
    why = excuse(failure)
    if why is None:
        said = (promise.safe_until - host.wall()).total_seconds()
        watch.broken(
            "job-safe",
            f"{place.name} {registry}: {host.name} says safe for {span(said)} and a job of "
            f"{span(longest)}, the password there ({token and token.name}) {_state(token, now)}",
            place,
        )
    watch.excused[why] += 1


def _state(token: Token | None, now: float) -> str:
    if token is None:
        return "is missing"
    if now < token.known_from:
        return f"is not known for another {span(token.known_from - now)}"
    return f"lasts for {span(token.dies - now)}"


def _needs(token: Token, now: float, longest: float) -> None:
    if now + longest > token.needed_until:
        token.needed_until = now + longest
        token.needed_since = now


def revoked(watch: Watch, host: Host, lease: LeaseState) -> None:
    """See a lease revoked: no job may need it any more."""
    now = watch.time.now
    for token in lease.tokens:
        if token.needed_until <= now or token.dies <= now:
            continue
        left = token.needed_until - now
        if host.forward_at >= token.needed_since:
            # A wait of hours is over at once where the clock goes forward during it.
            watch.excused["clock forward"] += 1
        elif token.needed_since >= token.put_back_at:
            # Another rotator put back what it remembered, as somebody had taken it out.
            watch.excused["put back"] += 1
        elif any(left <= place.stale for place in watch.places):
            # A read hid for so long that the password was still there.
            watch.excused["stale"] += 1
        else:
            watch.broken("job-safe", f"{host.name} revokes {token.name}, needed for {span(left)}")
