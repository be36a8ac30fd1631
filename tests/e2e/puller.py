"""A client that pulls all the time, as jobs with Docker would, and notes every pull that fails."""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rotator.core import docker_config
from rotator.core.errors import DriverError
from tests.servers.registry_tokens import basic
from tests.support import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERY = 0.1
"""Seconds between two jobs."""

DECLARED = {
    # Until the next look at the file, jobs read what somebody put there.
    "the file was swapped for garbage": False,
    # What Vault itself ends is dead in every job at once; until the next look nobody knows.
    "Vault revoked the lease": True,
}
"""The only reasons for which pulls may fail; True: also in jobs that began before."""


@dataclass
class Outage:
    """A time in which pulls may fail; it ends with the first one that works again."""

    why: str
    began: float
    ended: float = field(default=float("inf"))

    def excuses(self, failure: Failure) -> bool:
        """Tell whether it explains a failed pull."""
        first = failure.began if not DECLARED[self.why] else failure.pulled
        return failure.began <= self.ended and self.began <= first


@dataclass(frozen=True)
class Failure:
    """A pull that failed: when its job began, when it pulled (seconds), and what happened."""

    began: float
    pulled: float
    why: str


class Puller:
    """A context manager: every 100 ms a job begins; it pulls then, and again until its end.

    Like a job it reads the file once, when it begins. `longest_job`: seconds for which it may pull.
    """

    def __init__(self, file: Path, host: str, longest_job: float) -> None:
        self._file = file
        self._host = host
        self._longest = longest_job
        self._jobs: deque[tuple[float, str]] = deque()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._last_good = 0.0
        self.pulls = 0
        self.failures: list[Failure] = []
        self.outages: list[Outage] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def unexcused(self) -> list[Failure]:
        """Return the failed pulls that no declared outage explains."""
        return [
            failure
            for failure in self.failures
            if not any(outage.excuses(failure) for outage in self.outages)
        ]

    def finish_jobs(self) -> None:
        """Wait until all jobs that have begun have ended."""
        now = time.monotonic()
        until(lambda: not any(began < now for began, _ in tuple(self._jobs)), 60, "the jobs' end")

    @contextmanager
    def outage(self, why: str) -> Iterator[Outage]:
        """Declare an outage; it lasts until a job that begins after the block pulls well."""
        one = Outage(why, time.monotonic())
        assert why in DECLARED
        self.outages.append(one)
        yield one
        caused = time.monotonic()
        until(lambda: self._last_good > caused, 40, f"the end of an outage: {why}")
        one.ended = self._last_good

    def _run(self) -> None:
        while not self._end.wait(EVERY):
            began = time.monotonic()
            login = self._read(began)
            if login:
                if self._pulls(began, login):
                    self._last_good = began
                self._jobs.append((began, login))
            # In turn, so that each pulls about once a second.
            for _ in range(len(self._jobs) // 10):
                began, login = self._jobs.popleft()
                if self._age(began) < 0.9 * self._longest:
                    self._pulls(began, login)
                    self._jobs.append((began, login))

    def _age(self, began: float) -> float:
        return time.monotonic() - began

    def _read(self, began: float) -> str:
        try:
            logins = docker_config.decode(self._file.read_text()).logins()
            user, password = logins[self._host]
        except (OSError, ValueError, KeyError, DriverError) as error:
            self.failures.append(Failure(began, began, f"{type(error).__name__} in the file"))
            return ""
        return basic(user, password.reveal())

    def _pulls(self, began: float, login: str) -> bool:
        self.pulls += 1
        age = self._age(began)
        challenged, status = self._ask({}), self._ask({"Authorization": login})
        good = (challenged, status) == (401, 200)
        # On a busy machine the answer may come when the job would have ended.
        if not good and self._age(began) <= self._longest:
            why = f"{status} in a job of {age:.1f} s"
            self.failures.append(Failure(began, began + age, why))
        return good

    def _ask(self, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection(self._host, timeout=10)
        try:
            connection.request("GET", "/v2/", headers=headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()
