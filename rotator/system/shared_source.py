"""One fetch for all rotations that want the same of the same source."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct, field

from rotator.core.errors import DriverError
from rotator.core.ports import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from rotator.core.model import Credential, Lease

WINDOW = 30.0  # seconds for which an answer serves the other rotations too


class Fetches(Struct):
    """The last answer of one driver, for all that share it; `steady`: seconds no one can set."""

    driver: Source
    steady: Callable[[], float]
    lock: Lock = field(default_factory=Lock)
    answer: Sequence[Credential] | DriverError | None = None
    asked_at: float = 0.0
    given_to: set[str] = field(default_factory=set)

    def fetch(self, previous: Sequence[Credential], who: str) -> Sequence[Credential]:
        """Return the answer that another rotation got just now, else ask the driver.

        A failure is shared too: the same wrong login must not be offered once a rotation. A
        rotation that asks again wants a new answer. A lease is never shared: one rotation ends it.
        """
        with self.lock:
            recent = self.steady() - self.asked_at < WINDOW
            if self.answer is None or not recent or who in self.given_to:
                self.given_to = set()
                try:
                    self.answer = self.driver.fetch(previous)
                except DriverError as error:
                    self.answer = error
                self.asked_at = self.steady()
            self.given_to.add(who)
            answer = self.answer
            if not isinstance(answer, DriverError) and any(login.lease for login in answer):
                self.answer = None
        if isinstance(answer, DriverError):
            raise answer
        return answer


class SharedSource(Source):
    """A rotation's own view of a source that others use with the same settings."""

    def __init__(self, name: str, rotation: str, fetches: Fetches) -> None:
        super().__init__(name, fetches.driver.registries)
        self._who = f"{rotation}/{name}"
        self._fetches = fetches
        self._driver = fetches.driver
        self.revoke_after: timedelta | None = fetches.driver.revoke_after

    @property
    def changes_early(self) -> bool:  # type: ignore[override]  # the driver may know after a fetch
        """Tell what the driver tells."""
        return self._driver.changes_early

    @property
    def learned(self) -> str:
        """Return what the driver has learned."""
        return self._driver.learned

    @learned.setter
    def learned(self, learned: str) -> None:
        self._driver.learned = learned

    @property
    def token_expires_at(self) -> datetime | None:
        """Return when the driver's own login ends, where it has one that ends."""
        return self._driver.token_expires_at

    def fetch(self, previous: Sequence[Credential]) -> Sequence[Credential]:
        """Return what the source gives, asking it once for all that share it."""
        return self._fetches.fetch(previous, self._who)

    def login_stamp(self) -> str | None:
        """Return what the driver tells."""
        return self._driver.login_stamp()

    def revoke(self, lease: Lease) -> None:
        """End a lease; the driver is not for two threads at once."""
        with self._fetches.lock:
            self._driver.revoke(lease)
