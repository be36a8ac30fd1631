"""How often a source may be asked and a target be written in a day, and what must be job-safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.backend import Kind
from tests.simulation.timeline import span

if TYPE_CHECKING:
    from rotator.core.model import Schedule
    from tests.simulation.backend import Backend
    from tests.simulation.host import Host
    from tests.simulation.place import Place
    from tests.simulation.watch import Watch

# Waits between failures grow to 15 s with full jitter where nothing valid is published: 8 s on
# average, and a day is long enough for the average to show.
_SHORTEST_WAIT = 6.0


def shortest_period(backend: Backend, schedule: Schedule) -> float:
    """Return the fewest seconds between two renewals where nothing goes wrong."""
    if backend.kind is Kind.STATIC:
        return 0.9 * schedule.poll.total_seconds()
    longest = schedule.longest_job.total_seconds()
    life = backend.life
    offset = schedule.renew_after * life
    if life > longest:
        offset = min(offset, 0.75 * (life - longest))
    offset = max(offset, 0.1 * life)
    period = offset - min(schedule.jitter * life, offset / 2)
    # What is cached is asked for again and again, until there is something new.
    return period / 5 if backend.kind is Kind.CACHED else period


def calls_too_many(backend: Backend, window: float, watch: Watch) -> str | None:
    """Tell whether a backend was asked too often in the window that ends now."""
    hosts = [h for h in watch.hosts if backend in h.backends]
    if not hosts:
        return None
    schedule = hosts[0].rotation.schedule
    troubles = watch.recent + watch.before_that
    good = sum(well for _, well in backend.calls)
    normal = window / max(shortest_period(backend, schedule) * backend.shortest, 1.0)
    # Several rotators that share what they publish take turns, but may meet now and then.
    sharing = 1.0 if len(hosts) == 1 else 1.6
    apart = backend.kind in {Kind.STATIC, Kind.CACHED} or not _is_shared(backend, watch)
    # What just covers a job is too old for all others soon after it was published.
    apart = apart or backend.life - schedule.longest_job.total_seconds() < 0.3 * backend.life
    # Without jitter they all ask at once.
    if apart or schedule.jitter == 0:
        sharing = len(hosts)
    allowed = (
        sharing * normal * 1.15 + 3 + len(hosts) + (3 + 2 * len(hosts)) * troubles + backend.forced
    )
    if backend.kind is Kind.CACHED:
        # The nearer its end, the more often something new may be there.
        allowed += 20 * len(hosts)
    if good > allowed:
        return f"{backend.name} gave {good} times in {span(window)}, {allowed:.0f} are normal"
    failed = len(backend.calls) - good
    allowed = len(hosts) * window / _SHORTEST_WAIT + 20 * troubles + backend.forced
    if failed > allowed:
        return f"{backend.name} failed {failed} times in {span(window)}, {allowed:.0f} are normal"
    return None


def _is_shared(backend: Backend, watch: Watch) -> bool:
    """Tell whether rotators can find what others fetched for each of a backend's registries."""
    shared = {
        covered.registry
        for host in watch.hosts
        for covered in watch.covers(host)
        if not covered.place.one_value
    }
    return shared.issuperset(backend.registries)


def writes_too_many(place: Place, written: int, window: float, watch: Watch) -> str | None:
    """Tell whether a place was written more often in the window than anything changed."""
    # A target may have left the configuration since.
    hosts = watch.sharers(place) or watch.hosts
    # A registry that is slow to know its new password gets it in a write of its own.
    given = sum(b.given * (1 + bool(watch.world.delays)) for b in watch.backends)
    if place.stale and not place.marked:
        given *= 2  # without a mark, a late read looks as if somebody had written the old text
    troubles = watch.recent + watch.before_that
    allowed = 1.5 * given + 4 * len(hosts) * (1 + troubles)
    # Where clocks are further apart than a password lives, what one fetched the other finds ended.
    ended = any(watch.clocks_apart > backend.life for backend in watch.backends)
    if len(hosts) > 1 and (place.one_value or ended):
        # Two writers of such a value write it in turn, each once a poll: a poll may be shorter, and
        # each window has a first and a last one.
        poll = hosts[0].rotation.schedule.poll.total_seconds()
        allowed += len(hosts) * (1.3 * window / poll + 1)
    if written > allowed:
        return (
            f"{place.name} was written {written} times in {span(window)}, {allowed:.0f} are normal"
        )
    return None


def must_be_safe(host: Host) -> bool:
    """Tell whether renewals come so early that a record without a fault always says job-safe."""
    schedule = host.rotation.schedule
    for backend in host.backends:
        if backend.kind is Kind.STATIC:
            continue
        reserve = backend.life - schedule.longest_job.total_seconds()
        # A tenth of the life is the soonest that it is renewed.
        late = 0.1 * backend.life + 60 > reserve
        if backend.kind is Kind.CACHED or backend.truncates < 1 or late:
            return False
    return True
