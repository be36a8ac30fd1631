"""Servers that issue credentials: one for each source, asked by every rotator that has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator.core.model import Credential, Lease, Secret
from tests.simulation.registries import USER, LeaseState, Registries, Token
from tests.simulation.timeline import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rotator.core.errors import DriverError
    from tests.simulation.host import Host

# A caching server gives the same credential until this share of its life is left.
_CACHED_UNTIL = 0.1


class Kind(StrEnum):
    """How a source's credentials live."""

    PLAIN = "plain"  # a new one at each fetch, with an end
    ABSOLUTE = "absolute"  # the same, and its end is by the server's clock
    LEASED = "leased"  # renewed while the server lengthens the lease, else a new one
    CACHED = "cached"  # the same at each fetch until it is nearly over
    STATIC = "static"  # no end; changes when somebody changes it


@dataclass(eq=False)
class Backend:
    """One server. `life` in seconds.

    `dated`: its passwords say themselves when they end. `calls`: when it was asked, and whether
    all went well. `given`: how often it gave something; `forced`: how often a person had it asked.
    """

    name: str
    registries: tuple[str, ...]
    kind: Kind
    life: float
    world: Registries
    last_life: float = 0.0
    declared: bool = True
    dated: bool = False
    fault: Callable[[Host], DriverError | None] | None = None
    answers_part: bool = False
    truncates: float = 1.0
    shortest: float = 1.0
    stamp: int = 0
    calls: list[tuple[float, bool]] = field(default_factory=list)
    given: int = 0
    forced: int = 0
    leases: dict[str, LeaseState] = field(default_factory=dict)
    current: dict[str, Token] = field(default_factory=dict)

    def give(self, host: Host, previous: Sequence[Credential]) -> list[Credential]:
        """Answer a fetch, or raise what is wrong just now."""
        problem = self.fault(host) if self.fault else None
        self.calls.append((host.time.now, problem is None and self._all_is_well(host)))
        self.given += problem is None
        if problem is not None:
            host.say(f"fetch {self.name}: {problem.reason}")
            raise problem
        host.watch.something_is_new()
        given = self._answer(host, previous)
        host.say(f"fetch {self.name}: {', '.join(map(_name, given))}")
        return given[:1] if self.answers_part else given

    def _all_is_well(self, host: Host) -> bool:
        """Tell whether there is no reason to ask again soon."""
        # What ends too soon by the host's clock is asked for too often.
        over = self.kind is Kind.ABSOLUTE and host.ahead > 0
        moody = any(self.world.mood(host.name, registry) for registry in self.registries)
        # Where a registry needs longer than `settle`, each credential is given up.
        longest = max(self.world.delays.get(registry, 0.0) for registry in self.registries)
        given_up = longest > host.rotation.settle.total_seconds()
        return not (self.answers_part or over or moody or given_up)

    def _answer(self, host: Host, previous: Sequence[Credential]) -> list[Credential]:
        if self.kind is Kind.LEASED:
            return self._renewed(host, previous) or self._leased(host)
        if self.kind in {Kind.PLAIN, Kind.ABSOLUTE}:
            return [self._credential(host, self._token(host, name)) for name in self.registries]
        answer = []
        for name in self.registries:
            token = self.current.get(name)
            over = token is None or token.dies - host.time.now <= _CACHED_UNTIL * self.life
            if token is None or over:
                token = self.current[name] = self._token(host, name)
            answer.append(self._credential(host, token))
        return answer

    def _token(self, host: Host, registry: str) -> Token:
        if self.kind is Kind.STATIC:
            return self.world.issue(registry, FOREVER, 0.0)
        ahead = 0.0 if self.kind is Kind.ABSOLUTE else host.ahead
        # A dated password says by the server's clock when it ends.
        ahead = max(ahead, 0.0) if self.dated else ahead
        end = host.time.now + self.life * self.truncates
        return self.world.issue(registry, end, ahead, dated=self.dated)

    def _credential(self, host: Host, token: Token, lease: Lease | None = None) -> Credential:
        if self.kind is Kind.STATIC:
            token.ahead = -FOREVER
        elif self.kind is Kind.LEASED and host.alone:
            token.ahead = host.ahead
        elif self.kind is not Kind.ABSOLUTE:
            # Marks tell the latest of all ends that were noted, and reads may be stale.
            token.ahead = max(token.ahead, host.ahead)
        if self.kind is not Kind.ABSOLUTE:
            token.behind = min(token.behind, host.ahead)
            token.furthest = max(token.furthest, host.ahead)
        end = None
        if token.end < FOREVER:
            end = host.wall() + timedelta(seconds=token.end - host.time.now)
            if self.kind is Kind.ABSOLUTE:
                end -= timedelta(seconds=host.ahead)
        password = Secret(token.password)
        return Credential(token.registry, USER, password, host.wall(), end, lease)

    def _leased(self, host: Host) -> list[Credential]:
        now = host.time.now
        tokens = [self._token(host, name) for name in self.registries]
        state = LeaseState(
            id=f"{self.name}/{len(self.leases) + 1}",
            holder=host.login_name,
            tokens=tokens,
            end=tokens[0].end,
            last_end=now + self.last_life,
            made_at=now,
        )
        self.leases[state.id] = state
        for token in tokens:
            token.lease = state
        return self._with_lease(host, state)

    def _renewed(self, host: Host, previous: Sequence[Credential]) -> list[Credential]:
        ids = {credential.lease.id for credential in previous if credential.lease}
        state = self.leases.get(ids.pop()) if len(ids) == 1 else None
        now = host.time.now
        # A dated password can't be lengthened; one that is left out of the answer is not either.
        if state is None or state.holder != host.login_name or self.dated or self.answers_part:
            return []
        end = now + self.life * self.truncates
        if min(state.revoked_at, state.end) <= now or end > state.last_end or self.truncates < 1:
            return []
        if any(token.dies <= now for token in state.tokens):
            return []
        state.end, state.renewed_at = end, now
        for token in state.tokens:
            token.end = end
        return self._with_lease(host, state)

    def _with_lease(self, host: Host, state: LeaseState) -> list[Credential]:
        lease = Lease(
            state.id, host.wall() + timedelta(seconds=state.end - host.time.now), renewable=True
        )
        return [self._credential(host, token, lease) for token in state.tokens]


def _name(login: Credential) -> str:
    return login.password.reveal().partition(".")[0]
