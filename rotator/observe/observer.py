"""Everything that shows a running daemon to others, put together: metrics, their file, HTTP."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, NamedTuple

from rotator.config.typed import completed
from rotator.observe import metrics_file, page
from rotator.observe.access_tokens import AccessTokens
from rotator.observe.http import Answer, HttpServer, Route, is_loopback
from rotator.observe.metrics import CONTENT_TYPE, Metrics
from rotator.observe.report_log import Logged, news
from rotator.observe.status_json import as_json, fields
from rotator.observe.view import rotation_view
from rotator.observe.view_model import RUNNING, RotationView, View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from structlog.typing import FilteringBoundLogger

    from rotator.config.schema import Configuration, HttpSettings, RotationSettings
    from rotator.core.ports import Clock
    from rotator.core.record import Record
    from rotator.core.report import Report
    from rotator.core.rotation import Rotation

_OK, _UNAVAILABLE = 200, 503
_TEXT = "text/plain; charset=utf-8"


class RotationState(NamedTuple):
    """One rotation of a daemon: its settings, its drivers, and how its last cycle ended."""

    settings: RotationSettings
    rotation: Rotation
    record: Record
    report: Report | None


class Observer:
    """Shows a daemon to all who ask, from `start` to `stop`.

    `states` and `configuration` give what the daemon has now; `turning` tells whether its loop
    turns. `add` takes each cycle's report, `reloaded` whether a reload was good.
    """

    def __init__(
        self,
        states: Callable[[], Sequence[RotationState]],
        configuration: Callable[[], Configuration],
        turning: Callable[[], bool],
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._states = states
        self._configuration = configuration
        self._turning = turning
        self._clock = clock
        self._log = log
        self._tokens = AccessTokens(
            lambda: [(one.settings, one.rotation) for one in states()], clock, log
        )
        self._metrics = Metrics(self.status, self._tokens.ends, clock)
        self._writing = threading.Lock()
        self._unwritten: Logged | None = None
        self._settings: HttpSettings | None = None
        self._server: HttpServer | None = None

    def start(self) -> None:
        """Begin to serve, if the configuration says so."""
        self._settings = self._configuration().http
        if self._settings is not None:
            routes = self._routes(self._settings)
            self._server = HttpServer(self._settings.host, self._settings.port, routes, self._log)
            self._server.start()

    def stop(self) -> None:
        """Serve no longer."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def add(self, report: Report) -> None:
        """Count a cycle, write the metrics file, and ask when the access tokens end."""
        self._metrics.add(report)
        path = self._configuration().metrics_file
        if path is not None:
            with self._writing:
                self._write(path)
        self._tokens.ask_daily()

    def _write(self, path: Path) -> None:
        """Write the metrics file; a failure that lasts is logged once an hour."""
        failure = metrics_file.write(path, self._metrics.textfile())
        what = None if failure is None else failure.detail
        because, self._unwritten = news(self._unwritten, what, self._clock())
        if failure is not None and because is not None:
            metrics_file.log_failure(failure, self._log)

    def reloaded(self, good: bool) -> None:  # noqa: FBT001  a listener gets it by position
        """Count a reload, and serve as the configuration says now."""
        self._metrics.reloaded(good)
        if self._configuration().http != self._settings:
            self.stop()
            self.start()

    def status(self) -> View:
        """Return how the daemon's rotations stand now."""
        now = self._clock()
        states = self._states()
        views = (rotation_view(one.settings, one.record, now, one.report) for one in states)
        return View(now, RUNNING, tuple(views))

    def _routes(self, settings: HttpSettings) -> dict[str, Route]:
        routes = {
            "/metrics": Route(lambda _: Answer(self._metrics.exposed(), CONTENT_TYPE)),
            "/healthz": Route(lambda _: self._healthz()),
            "/readyz": Route(lambda _: self._readyz()),
        }
        shown = settings.status_page
        if is_loopback(settings.host) if shown is None else shown:
            routes["/"] = Route(self._page, local=True)
            routes["/api/status"] = Route(lambda _: self._json(as_json(self.status())), local=True)
        return routes

    def _page(self, query: str) -> Answer:
        body = page.render(self.status(), query, self._configuration().file).encode()
        policy = page.content_security_policy()
        return Answer(body, "text/html; charset=utf-8", policy=policy)

    def _healthz(self) -> Answer:
        if self._turning():
            return Answer(b"ok\n", _TEXT)
        why = b"the loop does not turn, or a rotation has no next cycle: restart rotator\n"
        return Answer(why, _TEXT, _UNAVAILABLE)

    def _readyz(self) -> Answer:
        status = self.status()
        ready = bool(status.rotations) and not status.unsafe  # without any, it has just begun
        document = {"ready": ready, "rotations": [_reasons(one) for one in status.unsafe]}
        return self._json(document, _OK if ready else _UNAVAILABLE)

    def _json(self, document: dict[str, Any], status: int = _OK) -> Answer:
        text = json.dumps(completed(document, self._configuration().file))
        return Answer(f"{text}\n".encode(), "application/json", status)


def _reasons(rotation: RotationView) -> dict[str, Any]:
    """Say why a rotation is not job-safe."""
    reasons = [
        {"of": names, **fields(failure, "reason detail hint")}
        for names, failure in rotation.failures()
    ]
    return {**fields(rotation, "name outcome in_cycle"), "reasons": reasons}
