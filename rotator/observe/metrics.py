"""The metrics: gauges are made from the status when somebody asks, the rest counts reports.

So a gauge is right at the time of the scrape (what was job-safe may be so no longer), is there
before a daemon's first cycle, and goes with what has left the configuration.
"""

from __future__ import annotations

import platform
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily

from rotator import __version__
from rotator.core.model import Verdict
from rotator.observe.view_model import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client.core import Metric

    from rotator.core.ports import Clock
    from rotator.core.report import Report, TargetReport
    from rotator.observe.access_tokens import TokenEnd
    from rotator.observe.view_model import View

    Values = Iterable[tuple[Sequence[str], datetime | float | None]]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_OUTCOMES = ("rotated", "fresh", "partial", "failed")

# These say that somebody else changed a target: most others follow from what was fetched.
_DRIFT = frozenset({"missing", "edited"})
_HELD = frozenset({"written", "unchanged"})
_CURRENT = frozenset({"fetched", "fresh", "kept"})

# The gauges that show a field of the view: its name, the metric's and what it says.
_OF_ROTATIONS = (
    ("job_safe", "rotator_job_safe",
     "1 while a job that starts now can pull for longest_job from every target, else 0."),
    ("safe_until", "rotator_safe_until_timestamp_seconds",
     "Until when a rotation stays job-safe if nothing can be fetched any more."),
    ("next_at", "rotator_next_cycle_timestamp_seconds", "When the next cycle begins."),
    ("succeeded_at", "rotator_last_success_timestamp_seconds",
     "When a cycle last ended with everything published and fresh."),
)  # fmt: skip
_OF_CREDENTIALS = (
    ("issued_at", "rotator_credential_issued_timestamp_seconds",
     "When a credential's life began, as far as is known."),
    ("renew_at", "rotator_credential_renewal_timestamp_seconds",
     "When a credential will be renewed."),
    ("expires_at", "rotator_credential_expiry_timestamp_seconds", "When a credential ends."),
)  # fmt: skip


class Metrics:
    """Everything that Prometheus gets, from reports, reloads and the status.

    `status` and `tokens` are asked at each scrape and must not wait for anything.
    """

    def __init__(
        self, status: Callable[[], View], tokens: Callable[[], Sequence[TokenEnd]], clock: Clock
    ) -> None:
        # Without this each counter has a second series, which nobody asked for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as published
        self._status = status
        self._tokens = tokens
        self._clock = clock
        self._before: dict[str, Report] = {}
        self._reload_good = True
        self._reloaded_at = clock()
        self._registry = registry = CollectorRegistry()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, ("rotation", *labels), registry=registry)

        def histogram(name: str, text: str, label: str) -> Histogram:
            return Histogram(name, text, ("rotation", label), buckets=_SECONDS, registry=registry)

        # fmt: off
        self._cycles = counter(
            "rotator_cycles_total", "Cycles that have ended, by outcome.", "outcome")
        self._cycle_seconds = histogram(
            "rotator_cycle_duration_seconds", "How long cycles took.", "outcome")
        self._fetch_seconds = histogram(
            "rotator_fetch_duration_seconds", "How long fetches took.", "source")
        self._fetch_errors = counter(
            "rotator_fetch_errors_total", "Fetches that failed.", "source", "reason")
        self._write_seconds = histogram(
            "rotator_write_duration_seconds", "How long writes took.", "target")
        self._write_errors = counter("rotator_write_errors_total",
            "Targets that could not be read or written, or were held back.", "target", "reason")
        self._repairs = counter("rotator_drift_repairs_total",
            "Writes that put back what somebody else had changed or removed.", "target")
        # fmt: on
        registry.register(self)

    def add(self, report: Report) -> None:
        """Count what a cycle did."""
        name = report.name
        for outcome in _OUTCOMES:  # at 0 from the start: an increase from nothing does not count
            self._cycles.labels(name, outcome)
        self._cycles.labels(name, report.outcome).inc()
        self._cycle_seconds.labels(name, report.outcome).observe(report.duration_seconds)
        for source in report.sources:
            self._fetch_seconds.labels(name, source.name).observe(source.seconds)
            if source.failure is not None:
                self._fetch_errors.labels(name, source.name, str(source.failure.reason)).inc()
        for target in report.targets:
            whole = target.group or target.name  # else each of many namespaces has its own series
            if target.outcome == "written":
                self._write_seconds.labels(name, whole).observe(target.seconds)
            if target.failure is not None:
                self._write_errors.labels(name, whole, str(target.failure.reason)).inc()
            self._repairs.labels(name, whole).inc(self._is_repair(report, target))
        self._before[name] = report

    def reloaded(self, good: bool) -> None:  # noqa: FBT001  a listener gets it by position
        """Note that the configuration was read again."""
        self._reload_good = good
        if good:
            self._reloaded_at = self._clock()

    def exposed(self) -> bytes:
        """Return all metrics in Prometheus' text format, with those of the process."""
        return generate_latest(self._registry) + generate_latest(self._process)

    def textfile(self) -> str:
        """Return what a textfile collector takes: it has process metrics of its own."""
        return generate_latest(self._registry).decode()

    def _is_repair(self, report: Report, target: TargetReport) -> bool:
        """Tell whether a write undid somebody's change: our document was missing or edited."""
        before = self._before.get(report.name)
        if before is None or target.outcome != "written":
            return False
        held = any(t.name == target.name and t.outcome in _HELD for t in before.targets)
        there = {c.registry: c.fingerprint for c in before.credentials if c.outcome in _CURRENT}
        return held and any(
            change.registry in there
            # Rejected: our own that has died, or somebody else's that never worked.
            and (
                change.why in _DRIFT
                or (change.why == "rejected" and change.before != there[change.registry])
            )
            for change in target.changes
        )

    def collect(self) -> Iterable[Metric]:
        """Yield every gauge; the library calls this at each scrape."""
        rotations = self._status().rotations
        for field, name, text in _OF_ROTATIONS:
            values = (((r.name,), getattr(r, field)) for r in rotations)
            yield _gauge(name, text, "rotation", values)
        yield _gauge(
            "rotator_health",
            "1 for the current one: green (job-safe and fresh), amber (needs attention), red.",
            "rotation health",
            (
                ((r.name, str(health)), r.health is health)
                for r in rotations
                if r.health is not None
                for health in Health
            ),
        )
        known = [((r.name, c.registry), c) for r in rotations for c in r.credentials if c.registry]
        for field, name, text in _OF_CREDENTIALS:
            ends = ((at, getattr(c, field)) for at, c in known)
            yield _gauge(name, text, "rotation registry", ends)
        yield _gauge(
            "rotator_credential_proof",
            "1 for what the registry said of the credential last, 0 for the rest.",
            "rotation registry proof",
            (
                ((*at, str(verdict)), c.proof == verdict)
                for at, c in known
                if c.proof is not None
                for verdict in Verdict
            ),
        )
        yield _gauge(
            "rotator_target_expiry_timestamp_seconds",
            "When the first of the rotation's entries in a target ends.",
            "rotation target",
            (((r.name, t.name), t.expires_at) for r in rotations for t in r.targets),
        )
        yield _gauge(
            "rotator_access_token_expiry_timestamp_seconds",
            "When a token that rotator itself logs in with ends.",
            "kind name",
            (((token.kind, token.name), token.expires_at) for token in self._tokens()),
        )
        yield _gauge(
            "rotator_config_last_reload_successful",
            "1 if the configuration could be read when it was read last, else 0.",
            "",
            [((), self._reload_good)],
        )
        yield _gauge(
            "rotator_config_last_reload_success_timestamp_seconds",
            "When the configuration in use was read.",
            "",
            [((), self._reloaded_at)],
        )
        yield _gauge(
            "rotator_build_info",
            "1, labelled with the versions of rotator and Python.",
            "version python",
            [((__version__, platform.python_version()), 1)],
        )


def _gauge(name: str, text: str, labels: str, values: Values) -> GaugeMetricFamily:
    """Return a gauge; what has no value is left out."""
    family = GaugeMetricFamily(name, text, labels=labels.split())
    for at, value in values:
        if value is not None:
            family.add_metric(
                at, value.timestamp() if isinstance(value, datetime) else float(value)
            )
    return family
