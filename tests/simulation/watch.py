"""Sees everything that the world's rotators do; a broken promise raises `Violation`."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from rotator.core.model import Content
from tests.simulation import budgets, job_safe, recovery, writes
from tests.simulation.drivers import backends_of
from tests.simulation.journal import Covered
from tests.simulation.timeline import Enough, Violation, span
from tests.support import MARKED

if TYPE_CHECKING:
    from rotator.core.record import Record
    from rotator.core.report import Report
    from rotator.core.rotation import Rotation
    from tests.simulation.backend import Backend
    from tests.simulation.drivers import SimTarget
    from tests.simulation.host import Host
    from tests.simulation.place import Place
    from tests.simulation.registries import LeaseState, Registries

# A cycle's own time: a score of calls, each of a third of a second at most.
CYCLE = 20.0
HEARTBEAT = 5.0
URGENT = 15.0
# As often as a host may write a place, each time for a reason of its own, without anything new.
_MOST_WRITES = 4
_ROUNDING = timedelta(seconds=5)


class Watch:
    """The world's rotators, and what was noted of them.

    `disturbed`: faults that are going on; `quiet_from`: when all is right again after those that
    have ended. `recent`: how many things went wrong since the last day began. `clocks_apart`: by
    how many seconds two machines' clocks differed at most since then.
    `most_cycles`: after so many the world ends.
    """

    def __init__(self, world: Registries) -> None:
        self.world = world
        self.time = world.time
        self.hosts: list[Host] = []
        self.places: list[Place] = []
        self.backends: list[Backend] = []
        self.disturbed: Counter[str] = Counter()
        self.quiet_from = 0.0
        self.recent = 0
        self.before_that = 0
        self.clocks_apart = 0.0
        self.excused: Counter[str] = Counter()
        self.most_cycles = 0
        self.jobs = 0
        self.audits = 0
        self.writes_before: dict[str, int] = {}
        self._covers: dict[str, tuple[Covered, ...]] = {}
        self._writes: Counter[tuple[str, str]] = Counter()

    def broken(self, promise: str, what: str, place: Place | None = None) -> NoReturn:
        """Stop the world: a promise was broken, at a place where it is about one."""
        self._say_records()
        if place is not None:
            self.time.say(place.name, f"{place.mark} {place.text}")
        self.time.say("PROMISE", f"{promise}: {what}")
        raise Violation(f"{promise}: {what}")

    def _say_records(self) -> None:
        """Add what every record says to the trace."""
        for host in self.hosts:
            record = host.journal.saved
            ends: dict[str, set[str]] = {}
            for name, target in record.targets.items():
                here = {r: f"{end:%m-%d %H:%M:%S}" for r, end in sorted(target.ends.items())}
                ends.setdefault(str(here), set()).add(f"{name} {target.outcome}")
            host.say(f"record at {host.wall()}: safe until {record.safe_until}")
            for held, names in ends.items():
                host.say(f"  {', '.join(sorted(names))}: {held}")

    # Disturbances.

    def disturbance(self, what: str, recovery_time: float) -> None:
        """Note something that happens at once and is right again so many seconds later."""
        del what
        self.recent += 1
        self.something_is_new()
        self.quiet_from = max(self.quiet_from, self.time.now + recovery_time + CYCLE)

    def clock_was_set(self) -> None:
        """Note how far the machines' clocks are apart."""
        ahead = [host.ahead for host in self.hosts]
        self.clocks_apart = max(self.clocks_apart, max(ahead) - min(ahead))

    def quiet(self) -> bool:
        """Tell whether no fault is going on and everything had the time to be right again."""
        return not self.disturbed.total() and self.time.now >= self.quiet_from

    # What the rotators are configured to do.

    def covers(self, host: Host) -> tuple[Covered, ...]:
        """Return the entries that a host promises to jobs."""
        if host.name not in self._covers:
            longest = host.rotation.schedule.longest_job.total_seconds()
            self._covers[host.name] = tuple(
                # On a target that follows, each pull finds what is published then.
                Covered(target.place, registry, longest * (not target.policy.follows))
                for target in host.targets
                if target.policy.enabled
                for registry in sorted(self.registries_of(host.rotation))
                if target.policy.wants(registry)
            )
        return self._covers[host.name]

    def forget_configuration(self) -> None:
        """Note that somebody's configuration has changed."""
        self._covers.clear()

    def registries_of(self, rotation: Rotation) -> set[str]:
        """Return the registries of all sources, those included that only a fetch tells."""
        return {name for backend in backends_of(rotation) for name in backend.registries}

    def sharers(self, place: Place) -> list[Host]:
        """Return the hosts that publish in a place."""
        return [
            host
            for host in self.hosts
            if any(t.place is place and t.policy.enabled for t in host.targets)
        ]

    # Jobs and leases.

    def job_starts(self, place: Place) -> None:
        """Let a job start with what the place holds now."""
        job_safe.job_starts(self, place)

    def jobs_start(self, host: Host) -> None:
        """Let a job start at each place of a host."""
        for target in host.targets:
            job_safe.job_starts(self, target.place)

    def revoked(self, host: Host, lease: LeaseState) -> None:
        """See a lease revoked."""
        job_safe.revoked(self, host, lease)

    def died(self, host: Host) -> None:
        """See a process die: leases of a fetch that nobody could write down are lost."""
        for backend in self.backends:
            for lease in backend.leases.values():
                mine = lease.holder == host.login_name
                if mine and not lease.published and lease.id not in host.journal.text:
                    lease.lost = "crashed before it was written down"

    # Writes.

    def writes(self, host: Host, target: SimTarget, text: str) -> None:
        """See a write just before it takes effect."""
        self.job_starts(target.place)
        writes.check(self, host, target, text)

    def written(self, host: Host, target: SimTarget) -> None:
        """See a write just after it took effect."""
        host.say(f"writes {target.name}: {self._summary(target.place)}")
        self.job_starts(target.place)
        self._war(host, target.place)

    def _summary(self, place: Place) -> str:
        if place.content is not Content.DOCKER_CONFIG:
            return str(place.text)
        tokens = {registry: place.token(registry) for registry in sorted(place.document.auths)}
        return ", ".join(f"{registry}={token and token.name}" for registry, token in tokens.items())

    def _war(self, host: Host, place: Place) -> None:
        """See whether a host writes a place again and again, though nothing is wrong or new."""
        self._writes[host.name, place.name] += 1
        if self._writes[host.name, place.name] <= _MOST_WRITES or place.one_value:
            return
        if self.quiet():
            self.broken("no write war", f"{host.name} writes {place.name} without end")

    def something_is_new(self) -> None:
        """Note that there is something new to write."""
        self._writes.clear()

    # Records and cycles.

    def saves(self, host: Host, before: Record, after: Record) -> None:
        """See a record saved: a renewal, once drawn, stays until it is due.

        A daemon's first cycle may put it off by a poll where jobs are safe.
        """
        now = host.wall()
        for registry, credentials in after.credentials.items():
            for known in credentials:
                past = before.known(registry, known.fingerprint)
                if past is None or past.expires_at != known.expires_at or past.renew_at is None:
                    continue
                if known.renew_at == past.renew_at or past.claim != known.claim:
                    continue
                soon = past.renew_at <= now + host.rotation.schedule.poll
                due = known.renew_at is not None and known.renew_at <= now
                if not soon and not due:
                    self.broken("schedule", f"{host.name} moves the renewal of {registry}")

    def cycle_begins(self, host: Host) -> None:
        """See a cycle begin."""
        if sum(host.cycles for host in self.hosts) > self.most_cycles:
            raise Enough
        self.jobs_start(host)

    def cycle_ended(self, host: Host, report: Report) -> None:
        """See a cycle end."""
        host.say(
            f"{report.outcome}, job_safe {int(report.job_safe)}, next in "
            f"{span((report.next_at - host.wall()).total_seconds()) if report.next_at else 'never'}"
        )
        failures = [one.failure for one in report.credentials]
        failures += [one.failure for one in report.targets]
        for failure in failures:
            if failure is not None and failure.bug is not None:
                raise failure.bug
        if MARKED in str(report) or MARKED in host.journal.text:
            self.broken("said plainly", f"{host.name} shows a secret")
        if not host.rotation.enabled:
            return
        for credential in host.memory.credentials:
            token = self.world.token(credential.registry, ("ci", credential.password.reveal()))
            if token is not None and token.lease is not None:
                token.lease.used_at = self.time.now
        poll = host.rotation.schedule.poll
        if report.next_at is None or report.next_at > host.wall() + poll + _ROUNDING:
            self.broken("schedule", f"{host.name} lost its schedule: {report.next_at}")
        if report.next_at <= host.wall() - _ROUNDING and report.next_at <= report.started_at:
            self.broken("schedule", f"{host.name} has a schedule in the past: {report.next_at}")
        self._note_clock(host)
        self.jobs_start(host)
        self._at_the_last_second(host)

    def _note_clock(self, host: Host) -> None:
        """Note on which clock the ends were noted that this host's record now holds."""
        for covered in self.covers(host):
            token = covered.place.token(covered.registry)
            if token is not None and host.ahead > token.ahead:
                token.ahead = host.ahead

    def _at_the_last_second(self, host: Host) -> None:
        promise = host.promise
        if promise is None or promise.safe_until.year > 9000:
            return
        left = (promise.safe_until - host.wall()).total_seconds() - 0.5
        if left < host.rotation.schedule.poll.total_seconds():
            self.time.after(left, lambda: self.jobs_start(host))

    # From time to time.

    def audit(self) -> None:
        """Where nothing is wrong, everything is right."""
        if self.quiet():
            self.audits += 1
            recovery.audit(self)

    def window_ends(self, window: float) -> None:
        """Count what was asked and written in the last `window` seconds, a day mostly."""
        for backend in self.backends:
            problem = budgets.calls_too_many(backend, window, self)
            if problem:
                self.broken("allowed calls", problem)
        for place in self.places:
            written = place.writes - self.writes_before.get(place.name, 0)
            self.writes_before[place.name] = place.writes
            problem = budgets.writes_too_many(place, written, window, self)
            if problem:
                self.broken("no write war", problem)
        for backend in self.backends:
            backend.calls.clear()
            backend.given = backend.forced = 0
            backend.shortest = backend.truncates
        self.recent, self.before_that = 0, self.recent
        self.clocks_apart = 0.0
        self.clock_was_set()

    def longest_left(self) -> float:
        """Return how long the longest-lived of all published passwords still works: 0 if none."""
        lives = [0.0]
        for host in self.hosts:
            for covered in self.covers(host):
                token = covered.place.token(covered.registry)
                if token is not None:
                    lives.append(min(token.dies, self.time.now + 1e8) - self.time.now)
        return max(lives)
