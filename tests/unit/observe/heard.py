"""Metrics that have heard a cycle of a rotation which stands well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from rotator.core.errors import Reason
from rotator.core.failure import Failure
from rotator.core.report import CredentialReport, Report, SourceReport, TargetReport
from rotator.observe.access_tokens import TokenEnd
from rotator.observe.metrics import Metrics
from rotator.observe.view import rotation_view
from rotator.observe.view_model import View
from tests.support import NOW
from tests.unit.observe.views import ECR, FILE, HARBOR, WELL, hours, settings

if TYPE_CHECKING:
    from rotator.core.record import Record

PROBLEM = Failure(Reason.FORBIDDEN, "no", "ask for it")
TOKENS = [TokenEnd("gitlab", "dind/variable", NOW + hours(24))]


def report(**changes: object) -> Report:
    """Return the report of the cycle that made the record WELL."""
    assert WELL.started_at is not None
    whole = Report(
        name="dind",
        outcome="rotated",
        job_safe=True,
        safe_until=WELL.safe_until,
        started_at=WELL.started_at,
        duration_seconds=0.2,
        next_at=WELL.next_at,
        credentials=(
            CredentialReport(ECR, "ecr", "fetched", "accepted", NOW + hours(7)),
            CredentialReport(HARBOR, "vault", "kept", "rejected"),
        ),
        sources=(SourceReport("ecr", 0.1), SourceReport("vault", 0.3, PROBLEM)),
        targets=(
            TargetReport(FILE, "written", NOW + hours(7), 0.01),
            TargetReport("other", "failed", failure=PROBLEM),
        ),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


class Watched:
    """Metrics over one rotation whose record and report a test sets."""

    def __init__(self, record: Record = WELL) -> None:
        self.now = NOW
        self.record = record
        self.report: Report | None = None
        self.tokens = TOKENS
        self.metrics = Metrics(self.status, lambda: self.tokens, lambda: self.now)

    def status(self) -> View:
        """Return how the rotation stands."""
        stand = rotation_view(settings(), self.record, self.now, self.report)
        return View(self.now, "running", (stand,))

    def hear(self, report: Report) -> None:
        """Let a cycle end."""
        self.report = report
        self.metrics.add(report)

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value; None where there is no such sample."""
        for family in text_string_to_metric_families(self.metrics.exposed().decode()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None
