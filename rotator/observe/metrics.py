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
    from rotator.observe.view_model import RotationView, View

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_OUTCOMES = ("rotated", "fresh", "partial", "failed")

# These say that somebody else changed a target: most others follow from what was fetched.
_DRIFT = frozenset({"missing", "edited"})
_HELD = frozenset({"written", "unchanged"})
_CURRENT = frozenset({"fetched", "fresh", "kept"})


class Metrics:
    """Everything that Prometheus gets, from reports, reloads and the status.

    `status` and `tokens` are asked at each scrape and must not wait for anything.
    """

    def __init__(
        self, status: Callable[[], View], tokens: Callable[[], Sequence[TokenEnd]], clock: Clock
    ) -> None:
        # Else each counter brings a second series, which nobody asked for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as published
        self._clock = clock
        self._before: dict[str, Report] = {}
        self._registry = registry = CollectorRegistry()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(name, text, labels, buckets=_SECONDS, registry=registry)

        self._cycles = counter(
            "rotator_cycles_total", "Cycles that have ended, by outcome.", "rotation", "outcome"
        )
        self._cycle_seconds = histogram(
            "rotator_cycle_duration_seconds", "How long cycles took.", "rotation", "outcome"
        )
        self._fetch_seconds = histogram(
            "rotator_fetch_duration_seconds", "How long fetches took.", "rotation", "source"
        )
        self._fetch_errors = counter(
            "rotator_fetch_errors_total", "Fetches that failed.", "rotation", "source", "reason"
        )
        self._write_seconds = histogram(
            "rotator_write_duration_seconds", "How long writes took.", "rotation", "target"
        )
        self._write_errors = counter(
            "rotator_write_errors_total",
            "Targets that could not be read or written, or were held back.",
            *("rotation", "target", "reason"),
        )
        self._repairs = counter(
            "rotator_drift_repairs_total",
            "Writes that put back what somebody else had changed or removed.",
            *("rotation", "target"),
        )
        self._gauges = _Gauges(status, tokens, clock())
        registry.register(self._gauges)

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
        self._gauges.reload_good = good
        if good:
            self._gauges.reloaded_at = self._clock()

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


class _Gauges:
    """Makes the gauges again for each scrape; one without a value is left out."""

    def __init__(
        self,
        status: Callable[[], View],
        tokens: Callable[[], Sequence[TokenEnd]],
        started_at: datetime,
    ) -> None:
        self._status = status
        self._tokens = tokens
        self.reload_good = True
        self.reloaded_at = started_at

    def collect(self) -> Iterable[Metric]:
        """Yield every gauge; called by the library."""
        rotations = self._status().rotations
        yield from _of_rotations(rotations)
        yield from _of_credentials(rotations)
        yield _gauge(
            "rotator_target_expiry_timestamp_seconds",
            "When the first of the rotation's entries in a target ends.",
            ("rotation", "target"),
            (((r.name, t.name), t.expires_at) for r in rotations for t in r.targets),
        )
        yield _gauge(
            "rotator_access_token_expiry_timestamp_seconds",
            "When a token that rotator itself logs in with ends.",
            ("kind", "name"),
            (((token.kind, token.name), token.expires_at) for token in self._tokens()),
        )
        yield _gauge(
            "rotator_config_last_reload_successful",
            "1 if the configuration could be read when it was read last, else 0.",
            (),
            [((), self.reload_good)],
        )
        yield _gauge(
            "rotator_config_last_reload_success_timestamp_seconds",
            "When the configuration in use was read.",
            (),
            [((), self.reloaded_at)],
        )
        yield _gauge(
            "rotator_build_info",
            "1, labelled with the versions of rotator and Python.",
            ("version", "python"),
            [((__version__, platform.python_version()), 1)],
        )


def _of_rotations(rotations: Sequence[RotationView]) -> Iterable[Metric]:
    label = ("rotation",)
    yield _gauge(
        "rotator_job_safe",
        "1 while a job that starts now can pull for longest_job from every target, else 0.",
        label,
        (((r.name,), r.job_safe) for r in rotations),
    )
    yield _gauge(
        "rotator_health",
        "1 for the current one: green (job-safe and fresh), amber (needs attention), red.",
        ("rotation", "health"),
        (
            ((r.name, str(health)), r.health is health)
            for r in rotations
            if r.health is not None
            for health in Health
        ),
    )
    yield _gauge(
        "rotator_safe_until_timestamp_seconds",
        "Until when a rotation stays job-safe if nothing can be fetched any more.",
        label,
        (((r.name,), r.safe_until) for r in rotations),
    )
    yield _gauge(
        "rotator_next_cycle_timestamp_seconds",
        "When the next cycle begins.",
        label,
        (((r.name,), r.next_at) for r in rotations),
    )
    yield _gauge(
        "rotator_last_success_timestamp_seconds",
        "When a cycle last ended with everything published and fresh.",
        label,
        (((r.name,), r.succeeded_at) for r in rotations),
    )


def _of_credentials(rotations: Sequence[RotationView]) -> Iterable[Metric]:
    labels = ("rotation", "registry")
    known = [(r.name, c) for r in rotations for c in r.credentials if c.registry is not None]
    yield _gauge(
        "rotator_credential_issued_timestamp_seconds",
        "When a credential's life began, as far as is known.",
        labels,
        (((name, str(c.registry)), c.issued_at) for name, c in known),
    )
    yield _gauge(
        "rotator_credential_renewal_timestamp_seconds",
        "When a credential will be renewed.",
        labels,
        (((name, str(c.registry)), c.renew_at) for name, c in known),
    )
    yield _gauge(
        "rotator_credential_expiry_timestamp_seconds",
        "When a credential ends.",
        labels,
        (((name, str(c.registry)), c.expires_at) for name, c in known),
    )
    yield _gauge(
        "rotator_credential_proof",
        "1 for what the registry said of the credential last, 0 for the rest.",
        (*labels, "proof"),
        (
            ((name, str(c.registry), str(verdict)), c.proof == verdict)
            for name, c in known
            if c.proof is not None
            for verdict in Verdict
        ),
    )


def _gauge(
    name: str,
    text: str,
    labels: Sequence[str],
    values: Iterable[tuple[Sequence[str], datetime | float | None]],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for at, value in values:
        if isinstance(value, datetime):
            family.add_metric(at, value.timestamp())
        elif value is not None:
            family.add_metric(at, float(value))
    return family
