"""A report that goes with the record of a rotation that is well."""

from __future__ import annotations

from rotator.core.report import CredentialReport, Report, TargetReport
from tests.support import NOW
from tests.unit.observe import heard
from tests.unit.observe.views import ECR, FILE, HARBOR, hours


def report(**changes: object) -> Report:
    """Return the report of a cycle in which a registry rejected what was fetched."""
    given: dict[str, object] = {
        "outcome": "fresh",
        "credentials": (
            CredentialReport(ECR, "ecr", "fetched", "accepted", NOW + hours(7)),
            CredentialReport(HARBOR, "vault", "rejected", "rejected"),
        ),
        "sources": (),
        "targets": (TargetReport(FILE, "unchanged", notes=("a note",)),),
        "notes": ("another",),
    }
    return heard.report(**given | changes)
