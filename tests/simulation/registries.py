"""Registries: the passwords that each accepts, from when on and until when, and what it answers."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator.core.model import Credential, Proof, Secret, Verdict
from tests.simulation.timeline import FOREVER, Timeline
from tests.support import MARKED, NOW

if TYPE_CHECKING:
    from random import Random

USER = "ci"
Login = tuple[str, str]


class Mood(StrEnum):
    """What is wrong with a registry's answers to a proof; pulls work as ever."""

    UNREACHABLE = "unreachable"
    ODD = "odd"  # 400, 404 or a page of something else: no verdict
    REJECTS = "rejects"  # a plain 401 or 403 to everybody
    FLAPS = "flaps"  # each answer is any of these, or right


@dataclass(slots=True)
class Token:
    """A password that its registry accepts from `known_from` on until it dies.

    `ahead` and `behind`: by how many seconds the clocks were ahead of true time on which its end
    was noted, at most and at least. `furthest`: the most, by any clock on which it was ever noted.
    `needed_*`: a job that started then was promised that this password works until then.
    `misdated`: a person put it under another document's mark, which claims another end of it.
    `put_back_at`: when a rotator that did not fetch it last wrote it where it was not.
    """

    registry: str
    password: str
    end: float
    ahead: float
    behind: float = 0.0
    furthest: float = -FOREVER
    known_from: float = 0.0
    dead_at: float = FOREVER
    needed_until: float = 0.0
    needed_since: float = 0.0
    lease: LeaseState | None = None
    put_back_at: float = FOREVER
    misdated: bool = False

    @property
    def dies(self) -> float:
        """When the registry stops accepting it, as far as is decided."""
        return min(self.end, self.dead_at)

    @property
    def says_its_end(self) -> bool:
        """Tell whether its end stands in it, by a clock that is right."""
        return "." in self.password

    @property
    def name(self) -> str:
        """A short name for the trace."""
        return self.password.partition(".")[0]


@dataclass(slots=True)
class LeaseState:
    """A lease as its server has it.

    `published`: some place has held one of its passwords; `used_at`: when something held one last.
    `lost`: why nobody knows of it, where that is excused. `refused`: its server said for good that
    it may not be revoked. `renewed_at`: when its server lengthened it last.
    """

    id: str
    holder: str
    tokens: list[Token]
    end: float
    last_end: float
    made_at: float
    renewed_at: float = FOREVER
    revoked_at: float = FOREVER
    published: bool = False
    used_at: float = 0.0
    lost: str = ""
    refused: bool = False


class Registries:
    """Every registry of the world.

    `delays`: how many seconds each needs until it knows a new password. `moods`: what is wrong
    with a registry's answers, by registry, or by host and registry.
    """

    def __init__(self, time: Timeline) -> None:
        self.time = time
        self.tokens: dict[Login, Token] = {}
        self.delays: dict[str, float] = {}
        self.moods: dict[tuple[str, str], Mood] = {}
        self.moody_until: dict[tuple[str, str], float] = {}
        self.username = Token("any", USER, FOREVER, -FOREVER)

    def issue(self, registry: str, end: float, ahead: float, *, dated: bool = False) -> Token:
        """Make a password that the registry accepts until `end`; `dated`: it says so itself."""
        password = f"{MARKED}{len(self.tokens) + 1}"
        if dated and end < FOREVER:
            fields = json.dumps({"exp": NOW.timestamp() + end}).encode()
            password += f".{base64.urlsafe_b64encode(fields).decode().rstrip('=')}.x"
        token = Token(registry, password, end, ahead)
        token.known_from = self.time.now + self.delays.get(registry, 0.0)
        self.tokens[registry, password] = token
        return token

    def token(self, registry: str, login: tuple[str, str] | None) -> Token | None:
        """Return the token that an entry holds, whether it still works or not."""
        if login is None or login[0] != USER:
            return None
        return self.tokens.get((registry, login[1]))

    def accepts(self, token: Token | None) -> bool:
        """Tell whether a job can pull with this now."""
        return token is not None and token.known_from <= self.time.now < token.dies

    def mood(self, host: str, registry: str) -> Mood | None:
        """Return what is wrong with a registry's answers to a host."""
        return self.moods.get((host, registry)) or self.moods.get(("", registry))

    def was_moody(self, host: str, registry: str, since: float) -> bool:
        """Tell whether something was wrong with a registry's answers to a host since then."""
        ended = max(self.moody_until.get((who, registry), -FOREVER) for who in (host, ""))
        return self.mood(host, registry) is not None or ended >= since

    def prove(self, host: str, login: Credential, chance: Random) -> Proof:
        """Answer a proof."""
        mood = self.mood(host, login.registry)
        if mood is Mood.FLAPS:
            mood = chance.choice([None, Mood.UNREACHABLE, Mood.ODD, Mood.REJECTS])
        if mood is Mood.UNREACHABLE:
            return Proof(Verdict.UNKNOWN, "connection refused")
        if mood is Mood.ODD:
            return Proof(Verdict.UNKNOWN, chance.choice(["400", "404", "502", "200 to anybody"]))
        token = self.token(login.registry, (login.username, login.password.reveal()))
        if mood is Mood.REJECTS or not self.accepts(token):
            return Proof(Verdict.REJECTED, chance.choice(["401", "403"]))
        return Proof(Verdict.ACCEPTED)


def revealed(login: tuple[str, Secret] | None) -> tuple[str, str] | None:
    """Return a login with its text."""
    return None if login is None else (login[0], login[1].reveal())
