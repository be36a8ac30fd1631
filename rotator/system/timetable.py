"""What runs when: one job a name, each call in a thread of its own (APScheduler)."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

if TYPE_CHECKING:
    from collections.abc import Callable

# Threads are made when they are needed; nobody waits because others are slow.
_THREADS = 1000


class Timetable:
    """Calls what is due. A name has one job: setting it forgets the one before.

    `on_failure` gets the name of a job that ended by an exception, with it, or that the scheduler
    did not run, with None.
    """

    def __init__(self, on_failure: Callable[[str, BaseException | None], None]) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # The pulse has a thread of its own: calls that are slow, however many, are not a loop
            # that is stuck.
            executors={
                "default": ThreadPoolExecutor(max_workers=_THREADS),
                "pulse": ThreadPoolExecutor(max_workers=1),
            },
            # The library's defaults forget a job that is a second late, and one that is due while
            # the last call of its name is ending.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": _THREADS},
        )
        self._scheduler.add_listener(
            lambda event: on_failure(event.job_id, getattr(event, "exception", None)),
            EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES,
        )

    def start(self) -> None:
        """Begin to call."""
        self._scheduler.start()

    def set(self, name: str, wait: timedelta, call: Callable[..., None], *args: object) -> None:
        """Make a call after `wait`; a call of this name that has begun is not called off."""
        due = datetime.now(UTC) + wait
        self._scheduler.add_job(
            call, "date", run_date=due, args=args, id=name, name=name, replace_existing=True
        )

    def forget(self, name: str) -> None:
        """Call off what this name has set and not begun."""
        with suppress(JobLookupError):  # it has begun, or was never set
            self._scheduler.remove_job(name)

    def pulse(self, call: Callable[[], None]) -> None:
        """Make a call now, in the thread that slow calls don't share: proof that the loop turns."""
        # No rotation has this name.
        self._scheduler.add_job(call, "date", executor="pulse", id="#pulse", replace_existing=True)

    def clear(self) -> None:
        """Call off everything that has not begun."""
        self._scheduler.remove_all_jobs()

    def close(self) -> None:
        """Call nothing any more."""
        self._scheduler.shutdown(wait=False)
