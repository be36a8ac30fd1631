"""What runs when: one job a name, each call in a thread of its own (APScheduler)."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from apscheduler.events import JobEvent

# Threads are made when they are needed; nobody waits because others are slow.
_THREADS = 1000


class Timetable:
    """Calls what is due. A name has one job: setting it forgets the one before.

    `on_failure` gets the name of a job that ended by an exception, with it, or that the scheduler
    did not run, with None.
    """

    def __init__(self, on_failure: Callable[[str, BaseException | None], None]) -> None:
        self._on_failure = on_failure
        self._numbers = itertools.count()
        self._jobs: dict[str, str] = {}
        self._lock = threading.Lock()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # The pulse has a thread of its own: calls that are slow, however many, are not a loop
            # that is stuck.
            executors={
                "default": ThreadPoolExecutor(max_workers=_THREADS),
                "pulse": ThreadPoolExecutor(max_workers=1),
            },
            # The library's default forgets a job that is a second late.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        events = EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES
        self._scheduler.add_listener(self._failed, events)

    def start(self) -> None:
        """Begin to call."""
        self._scheduler.start()

    def set(self, name: str, wait: timedelta, call: Callable[..., None], *args: object) -> None:
        """Make a call after `wait`; a call of this name that has begun is not called off."""
        with self._lock:
            self._forget(name)
            # An id that was never used: while a job of the same id is ending, the library would
            # drop the new one.
            job = f"{name}#{next(self._numbers)}"
            self._jobs[name] = job
            due = datetime.now(UTC) + wait
            self._scheduler.add_job(call, "date", run_date=due, args=args, id=job, name=name)

    def forget(self, name: str) -> None:
        """Call off what this name has set and not begun."""
        with self._lock:
            self._forget(name)

    def pulse(self, call: Callable[[], None]) -> None:
        """Make a call now, in the thread that slow calls don't share: proof that the loop turns."""
        job = f"pulse#{next(self._numbers)}"
        self._scheduler.add_job(call, "date", executor="pulse", id=job, name="pulse")

    def clear(self) -> None:
        """Call off everything that has not begun."""
        self._scheduler.remove_all_jobs()

    def close(self) -> None:
        """Call nothing any more."""
        self._scheduler.shutdown(wait=False)

    def _failed(self, event: JobEvent) -> None:
        self._on_failure(event.job_id.rpartition("#")[0], getattr(event, "exception", None))

    def _forget(self, name: str) -> None:
        with suppress(JobLookupError, KeyError):  # it has begun, or was never set
            self._scheduler.remove_job(self._jobs.pop(name))
