"""The promises, looked at whenever something happens; a broken one raises `Violation`."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from rotator.core import docker_config
from rotator.core.model import Content, Merge
from tests.simulation import budgets
from tests.simulation.excuses import CLOCK, Failure, edited, excuse, no_compare_and_set
from tests.simulation.outside import USER
from tests.simulation.timeline import Violation, span

if TYPE_CHECKING:
    from rotator.core.record import Record
    from rotator.core.report import Report
    from tests.simulation.backend import Backend
    from tests.simulation.drivers import SimTarget
    from tests.simulation.host import Host
    from tests.simulation.outside import LeaseState, Place, Registries, Token

# A cycle's own time: a score of calls, each of a third of a second at most.
CYCLE = 20.0
HEARTBEAT = 15.0
URGENT = 15.0
_ROUNDING = timedelta(seconds=5)


class Wanted(NamedTuple):
    """One registry's password in one place, by one rotator; `longest`: a job's time, in seconds."""

    host: Host
    target: SimTarget
    registry: str
    longest: float


class Watch:
    """Sees everything that the world's rotators do.

    `disturbed`: faults that are going on; `quiet_from`: when all is right again after those that
    have ended. `recent`: how many things went wrong since the last day began.
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
        self.excused: Counter[str] = Counter()
        self.jobs = 0
        self.audits = 0
        self.writes_before: dict[str, int] = {}
        self._who: dict[str, list[Wanted]] = {}

    def broken(self, promise: str, what: str) -> NoReturn:
        """Stop the world: a promise was broken."""
        self.time.say("PROMISE", f"{promise}: {what}")
        raise Violation(f"{promise}: {what}")

    def disturbance(self, what: str, recovery: float) -> None:
        """Note something that happens at once and is right again so many seconds later."""
        del what
        self.recent += 1
        self.quiet_from = max(self.quiet_from, self.time.now + recovery + CYCLE)

    def quiet(self) -> bool:
        """Tell whether no fault is going on and everything had the time to be right again."""
        return not self.disturbed.total() and self.time.now >= self.quiet_from

    # Job-safe.

    def job_starts(self, place: Place) -> None:
        """Let a job start with what the place holds now, at everybody's word."""
        self.jobs += 1
        for host, target, registry, longest in self.wanted(place):
            promise = host.journal.promise
            if promise is None or host.wall() >= promise.safe_until:
                continue
            token = self.world.token(registry, place.login(registry))
            failure = Failure(host, promise, target, registry, token)
            if token is not None and token.dies > self.time.now + longest:
                if not (edited(failure) or no_compare_and_set(failure)):
                    self._needs(token, longest)
                continue
            why = excuse(failure)
            if why is None:
                ends = "missing" if token is None else span(token.dies - self.time.now)
                said = (promise.safe_until - host.wall()).total_seconds()
                self.broken(
                    "job-safe",
                    f"{place.name} {registry}: {host.name} says safe for {span(said)} and a job "
                    f"of {span(longest)}, the password there "
                    f"({token and token.password}) lasts: {ends}",
                )
            self.excused[why] += 1

    def _needs(self, token: Token, longest: float) -> None:
        if self.time.now + longest > token.needed_until:
            token.needed_until = self.time.now + longest
            token.needed_since = self.time.now

    def revoked(self, host: Host, lease: LeaseState) -> None:
        """See a lease revoked: no job may need it any more."""
        for token in lease.tokens:
            if token.needed_until <= self.time.now or token.dies <= self.time.now:
                continue
            left = token.needed_until - self.time.now
            if host.forward_at >= token.needed_since:
                # A wait of hours is over at once where the clock goes forward during it.
                self.excused["clock_forward"] += 1
            elif token.needed_since >= token.put_back_at:
                # Another rotator put back what it remembered, as somebody had taken it out.
                self.excused["put back"] += 1
            elif any(left <= place.stale for place in self.places):
                # A read hid for so long that the password was still there.
                self.excused["stale"] += 1
            else:
                what = f"{host.name} revokes {token.password}, needed for {span(left)}"
                self.broken("job-safe", what)

    # Nothing lost, nothing half, nothing rejected.

    def writes(self, host: Host, target: SimTarget, text: str, version: object) -> None:
        """See a write just before it takes effect."""
        place = target.place
        if place.compares and version != place.version:
            return
        self.job_starts(place)
        if place.content is not Content.DOCKER_CONFIG:
            if not text:
                self.broken("never half", f"{host.name} writes nothing to {place.name}")
            return
        try:
            document = json.loads(text)
        except ValueError:
            self.broken("never half", f"{host.name} writes no JSON to {place.name}")
        if not isinstance(document.get("auths"), dict):
            self.broken("never half", f"{host.name} writes no auths to {place.name}")
        after = docker_config.decode(text)
        self._check_lost(host, target, after)
        self._check_rejected(host, place, after)

    def _check_lost(self, host: Host, target: SimTarget, after: docker_config.DockerConfig) -> None:
        place = target.place
        before = place.config
        if before is None:
            if target.policy.merge is Merge.PRESERVE and host.name not in place.claimed:
                self.broken("nothing lost", f"{host.name} replaces a strange text at {place.name}")
            return
        owned = {registry for _, t, registry, _ in self.wanted(place) if t is target}
        gone = {
            registry
            for registry in owned
            if self.world.accepts(self.world.token(registry, place.login(registry)))
        } - after.logins().keys()
        if gone:
            self.broken("nothing lost", f"{host.name} takes live {gone} out of {place.name}")
        if target.policy.merge is Merge.REPLACE or (not place.compares and self._raced(target)):
            return
        if before.rest != after.rest:
            self.broken("nothing lost", f"{host.name} changes other keys at {place.name}")
        for key, entry in before.auths.items():
            mine = docker_config.registry_key(key) in owned
            if not mine and docker_config._usable(entry) and after.auths.get(key) != entry:
                self.broken("nothing lost", f"{host.name} loses {key} at {place.name}")

    def _raced(self, target: SimTarget) -> bool:
        """Tell whether the place changed since it was last read, where nothing can compare."""
        return target.place.text != target.seen

    def _check_rejected(self, host: Host, place: Place, after: docker_config.DockerConfig) -> None:
        for registry, login in after.logins().items():
            token = self.world.token(registry, login)
            if token is None or token.password not in host.rejected:
                continue
            there = self.world.token(registry, place.login(registry))
            if there is not token:
                self.broken("proven", f"{host.name} publishes {token.password}, which is rejected")

    def written(self, host: Host, target: SimTarget) -> None:
        """See a write just after it took effect."""
        host.say(f"writes {target.name}: {self._summary(target.place)}")
        self.job_starts(target.place)

    def _summary(self, place: Place) -> str:
        if place.content is not Content.DOCKER_CONFIG:
            return str(place.text)
        return ", ".join(
            f"{registry}={login[1].reveal()}" for registry, login in sorted(place.logins.items())
        )

    # Schedules.

    def saves(self, host: Host, before: Record, after: Record) -> None:
        """See a record saved: a renewal, once drawn, stays until it is due.

        A daemon's first cycle may put it off by a poll where jobs are safe.
        """
        now = host.wall()
        for place in self._places_of(host):
            # Claimed before it is written: a crash in between leaves the claim.
            if after.target(place.name).fingerprints:
                place.claimed.add(host.name)
        for registry, credentials in after.credentials.items():
            for known in credentials:
                past = before.known(registry, known.fingerprint)
                if past is None or past.expires_at != known.expires_at or past.renew_at is None:
                    continue
                soon = past.renew_at <= now
                if host.starting:
                    soon = past.renew_at <= now + host.rotation.schedule.poll
                asked_for = known.renew_at is not None and known.renew_at <= now
                if known.renew_at != past.renew_at and not soon and not asked_for:
                    self.broken("schedule", f"{host.name} moves the renewal of {registry}")

    def cycle_begins(self, host: Host) -> None:
        """See a cycle begin."""
        for place in self._places_of(host):
            self.job_starts(place)

    def cycle_ended(self, host: Host, report: Report) -> None:
        """See a cycle end."""
        host.say(
            f"{report.outcome}, job_safe {int(report.job_safe)}, next in "
            f"{span((report.next_at - host.wall()).total_seconds()) if report.next_at else 'never'}"
        )
        for credential in host.memory:
            token = self.world.token(credential.registry, (USER, credential.password))
            if token is not None and token.lease is not None:
                token.lease.seen_at = self.time.now
        poll = host.rotation.schedule.poll
        if report.next_at is None or report.next_at > host.wall() + poll + _ROUNDING:
            self.broken("schedule", f"{host.name} lost its schedule: {report.next_at}")
        if report.next_at <= host.wall() - _ROUNDING and report.next_at <= report.started_at:
            self.broken("schedule", f"{host.name} has a schedule in the past: {report.next_at}")
        for problem in (c.problem for c in (*report.credentials, *report.targets)):
            if problem is not None and problem.bug is not None:
                raise problem.bug
        for place in self._places_of(host):
            self.job_starts(place)
        if report.job_safe and host.promise is not None:
            self._at_the_last_moment(host)

    def _at_the_last_moment(self, host: Host) -> None:
        promise = host.promise
        if promise is None or promise.safe_until.year > 9000:
            return
        left = (promise.safe_until - host.wall()).total_seconds() - 0.5
        if left < host.rotation.schedule.poll.total_seconds():
            self.time.after(left, lambda: [self.job_starts(p) for p in self._places_of(host)])

    def died(self, host: Host) -> None:
        """See a process die: leases of a fetch that nobody could write down are lost."""
        for backend in self.backends:
            for lease in backend.leases.values():
                mine = lease.holder == host.login_name
                if mine and not lease.published and lease.id not in host.journal.text:
                    lease.lost = "crashed before it was written down"

    def told_ahead(self, host: Host) -> bool:
        """Tell whether some end in this host's places was told on a clock ahead of its own."""
        return any(
            token is not None and token.ahead - host.ahead > CLOCK
            for place in self._places_of(host)
            for token in (
                self.world.token(wanted.registry, place.login(wanted.registry))
                for wanted in self.wanted(place)
            )
        )

    # Right again.

    def audit(self) -> None:  # noqa: C901  one look after another
        """Where nothing is wrong, everything is right."""
        if not self.quiet():
            return
        self.audits += 1
        for host in self.hosts:
            if not host.alive or host.busy or host.time.now < host.suspended_until:
                continue
            for place in self._places_of(host):
                for wanted in self.wanted(place):
                    if wanted.host is not host:
                        continue
                    registry = wanted.registry
                    token = self.world.token(registry, place.login(registry))
                    if not self.world.accepts(token):
                        if self._lost_in_a_race(place, host):
                            continue
                        self.broken(
                            "right again",
                            f"{place.name} has no working password for {registry} "
                            f"({token and token.password})",
                        )
                    doubtful = token is not None and token.ahead > host.ahead + CLOCK
                    if doubtful and len(self.hosts) == 1 and not _is_kept(token, self.backends):
                        self.broken("right again", f"{token.password} ends on a clock of the past")
            raced = any(self._lost_in_a_race(place, host) for place in self._places_of(host))
            if budgets.must_be_safe(host) and not raced and not self._says_safe(host):
                self.broken("right again", f"{host.name} does not say job_safe")
        self._audit_leases()

    def _says_safe(self, host: Host) -> bool:
        promise, now = host.promise, host.wall()
        if len(self.hosts) > 1:
            # What another rotator renewed is seen within a poll.
            now -= host.rotation.schedule.poll + timedelta(seconds=CYCLE)
        return promise is not None and promise.safe_until > now

    def _lost_in_a_race(self, place: Place, host: Host) -> bool:
        """Tell whether another rotator may have undone a write: that heals within a poll."""
        poll = host.rotation.schedule.poll.total_seconds()
        others = [when for who, when in place.written_at.items() if who != host.name]
        return (
            not place.compares
            and max(others, default=0.0) + poll + place.stale + CYCLE > self.time.now
        )

    def _audit_leases(self) -> None:
        now = self.time.now
        here = [lease for place in self.places for lease in place.leases()]
        for backend in self.backends:
            for lease in backend.leases.values():
                if lease.end <= now or lease.revoked_at <= now or lease.lost or lease.refused:
                    continue
                if lease in here:
                    continue
                host = next(h for h in self.hosts if h.name == lease.holder.partition("#")[0])
                # A lease that nobody knows of any more, or that ended on a clock set forward.
                if max(host.journal.lost_at, host.forward_at) > lease.made_at:
                    continue
                schedule = host.rotation.schedule
                wait = (schedule.longest_job + 2 * schedule.poll).total_seconds() + 120
                if now - max(lease.seen_at, lease.made_at, self.quiet_from, host.started_at) > wait:
                    passwords = [token.password for token in lease.tokens]
                    self.broken("leases", f"{lease.id} {passwords} is neither used nor revoked")

    def window_ends(self, window: float) -> None:
        """Count what was asked and written in the last `window` seconds, a day mostly."""
        for backend in self.backends:
            problem = budgets.calls_too_many(backend, window, self)
            if problem:
                self.broken("allowed calls", problem)
        for place in self.places:
            written = place.writes - self.writes_before.get(place.name, 0)
            self.writes_before[place.name] = place.writes
            problem = budgets.writes_too_many(place, written, self)
            if problem:
                self.broken("no write war", problem)
        for backend in self.backends:
            backend.calls.clear()
            backend.given = 0
            backend.shortest = backend.truncates
        self.recent, self.before_that = 0, self.recent

    def left(self) -> float:
        """Return how long the longest-lived of all published passwords still works: 0 if none."""
        lives = [0.0]
        for place in self.places:
            for wanted in self.wanted(place):
                token = self.world.token(wanted.registry, place.login(wanted.registry))
                if token is not None:
                    lives.append(min(token.dies, self.time.now + 1e8) - self.time.now)
        return max(lives)

    def wanted(self, place: Place) -> list[Wanted]:
        """Return who promises what of a place."""
        if place.name not in self._who:
            self._who[place.name] = [
                Wanted(host, target, registry, _longest(host, target))
                for host in self.hosts
                for target in host.rotation.targets
                if target.name == place.name
                for source in host.rotation.sources
                for registry in source.backend.registries
                if target.policy.wants(registry)
            ]
        return self._who[place.name]

    def _places_of(self, host: Host) -> list[Place]:
        return [target.place for target in host.rotation.targets]


def _longest(host: Host, target: SimTarget) -> float:
    """Return for how long a job needs what it finds when it starts."""
    # On a target that follows, each pull sees what is published then.
    return host.rotation.schedule.longest_job.total_seconds() * (not target.policy.follows)


def _is_kept(token: Token | None, backends: list[Backend]) -> bool:
    """Tell whether the token's server gives the same again and again."""
    return any(token in backend.current.values() for backend in backends)
