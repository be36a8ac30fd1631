"""The values that everything else is about. All are immutable; none can print a secret."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says in which zone it is; the journal's codec refuses others."""


class Secret:
    """A text that nobody may read in a log. `str()` gives `***`, `reveal()` the text.

    Call `reveal()` in one place a driver, as late as possible, so that a search for it shows every
    place where a secret leaves its type.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # JSON can hold a lone surrogate, which UTF-8 alone can't.
        mine = self._text.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(mine, other._text.encode("utf-8", "surrogatepass"))

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not copied into another process or a file")


class Lease(Struct, frozen=True):
    """What a Vault-like server gave with a dynamic credential: the right to renew or revoke it.

    The id is no secret: it allows nothing without a login. `expires_at` is the earlier of the
    lease's own end and the end of the login token that made it, as the lease dies with that token.
    """

    id: str
    expires_at: Time
    renewable: bool


class Credential(Struct, frozen=True):
    """A login for one registry.

    `registry` is the key it has in `auths` (see `core.docker_entry.registry_key`). `issued_at` is
    when its life began, as far as we know; `expires_at` is None where it has no known end.
    """

    registry: str
    username: str
    password: Secret
    issued_at: datetime
    expires_at: datetime | None = None
    lease: Lease | None = None


class Mark(Struct, frozen=True):
    """What a rotator leaves beside the document it wrote, so that others need not guess.

    `expires` tells when each registry's entry ends (None: no known end). `fingerprint` is the keyed
    hash of the document as written: with the key one can tell whether it was edited since.
    `is_whole`: its place had room for every registry.
    """

    expires: Mapping[str, datetime | None]
    fingerprint: str
    rotation: str
    is_whole: bool = True


class Held(Struct, frozen=True):
    """What a target holds at the time of a read, or after a write.

    `text` is None where there is nothing, or where the target withholds it (`withheld`). `version`
    is the driver's own (a resource version, an inode): the core gives it back with the write.
    `notes` are things that a person should know, though nothing failed.
    """

    text: Secret | None
    mark: Mark | None = None
    version: object = None
    withheld: bool = False
    notes: tuple[str, ...] = ()


class Content(StrEnum):
    """What is published in a target: the whole docker config, or one part of a registry's login."""

    DOCKER_CONFIG = "docker_config"
    USERNAME = "username"
    PASSWORD = "password"  # noqa: S105  the name of a setting


class Merge(StrEnum):
    """What becomes of entries that are not ours: they stay, or ours alone remain."""

    PRESERVE = "preserve"
    REPLACE = "replace"


class ProofMode(StrEnum):
    """How a credential's proof decides whether it is published."""

    LENIENT = "lenient"
    STRICT = "strict"
    OFF = "off"


class Verdict(StrEnum):
    """What a registry said of a credential."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class Proof(Struct, frozen=True):
    """A registry's verdict on a credential, and where there is more to say, what it said."""

    verdict: Verdict
    detail: str = ""


class Policy(Struct, frozen=True):
    """What the configuration says about any target, whatever its driver.

    `registries`: publish only these (None: all). `registry`: the one whose username or password is
    the content. `follows`: running jobs see updates.
    """

    registries: frozenset[str] | None = None
    content: Content = Content.DOCKER_CONFIG
    registry: str | None = None
    merge: Merge = Merge.PRESERVE
    follows: bool = False
    enabled: bool = True

    def wants(self, registry: str) -> bool:
        """Tell whether this registry's credential belongs in the target."""
        if self.content is not Content.DOCKER_CONFIG:
            return registry == self.registry
        return self.registries is None or registry in self.registries


class Schedule(Struct, frozen=True):
    """When to renew and when to retry; `renew_after` and `jitter` are fractions of a life."""

    renew_after: float = 0.5
    jitter: float = 0.05
    poll: timedelta = timedelta(minutes=5)
    retry_initial: timedelta = timedelta(seconds=5)
    retry_max: timedelta = timedelta(minutes=10)
    longest_job: timedelta = timedelta(hours=1)

    @property
    def reserve(self) -> timedelta:
        """How long an entry still has to last if it is to stay until the next poll, job-safe."""
        return self.longest_job + self.poll
