"""The metrics: their names and labels, what they say, and when they say nothing."""

from __future__ import annotations

import subprocess

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from rotator.core.candidate import FOREVER
from rotator.core.report import CredentialReport, TargetReport
from rotator.core.situation import Change
from tests.metrics_served import EXPORTED
from tests.support import NOW, need
from tests.unit.observe.heard import Watched, report
from tests.unit.observe.views import ECR, FILE, HARBOR, TROUBLED, WELL, hours


@pytest.fixture
def watched() -> Watched:
    """Return metrics that have heard one cycle."""
    watched = Watched()
    watched.hear(report())
    return watched


def test_names_and_labels(watched: Watched) -> None:
    """Exactly the names and labels that dashboards and alerts rely on are served."""
    families = text_string_to_metric_families(watched.metrics.textfile())
    exported = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    assert exported == EXPORTED


def test_promtool_finds_nothing_to_say(watched: Watched) -> None:
    """The text is well-formed, and named as Prometheus wants it."""
    promtool = need("promtool", "prometheus")
    for text in (watched.metrics.exposed(), watched.metrics.textfile().encode()):
        done = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")


def test_values(watched: Watched) -> None:
    """Times are seconds since 1970, truth is 1, what a registry said is the one that is 1."""
    assert watched.value("rotator_job_safe", rotation="dind") == 1
    until = watched.value("rotator_safe_until_timestamp_seconds", rotation="dind")
    assert until == (NOW + hours(4)).timestamp()
    ends = watched.value("rotator_credential_expiry_timestamp_seconds", registry=ECR)
    assert ends == (NOW + hours(7)).timestamp()
    proofs = {
        proof: watched.value("rotator_credential_proof", registry=HARBOR, proof=proof)
        for proof in ("accepted", "rejected", "unknown", "skipped")
    }
    assert proofs == {"accepted": 0, "rejected": 1, "unknown": 0, "skipped": 0}
    healths = {h: watched.value("rotator_health", health=h) for h in ("green", "amber", "red")}
    assert healths == {"green": 0, "amber": 1, "red": 0}
    assert watched.value("rotator_cycles_total", outcome="rotated") == 1
    assert watched.value("rotator_cycles_total", outcome="failed") == 0
    errors = watched.value("rotator_fetch_errors_total", source="vault", reason="forbidden")
    assert errors == 1
    assert watched.value("rotator_write_errors_total", target="other", reason="forbidden") == 1
    assert watched.value("rotator_write_duration_seconds_count", target=FILE) == 1
    assert watched.value("rotator_write_duration_seconds_count", target="other") is None
    assert watched.value("rotator_access_token_expiry_timestamp_seconds", kind="gitlab") == (
        (NOW + hours(24)).timestamp()
    )


def test_what_has_no_value_is_absent() -> None:
    """No end, no proof, no cycle, no success: no sample, rather than one that lies."""
    endless = {name: replace(one, end=FOREVER) for name, one in WELL.targets.items()}
    watched = Watched(replace(WELL, targets=endless, safe_until=FOREVER, succeeded_at=None))
    assert watched.value("rotator_safe_until_timestamp_seconds") is None
    assert watched.value("rotator_credential_expiry_timestamp_seconds", registry=HARBOR) is None
    assert watched.value("rotator_last_success_timestamp_seconds") is None
    assert watched.value("rotator_credential_proof") is None
    assert watched.value("rotator_cycles_total") is None
    assert watched.value("rotator_job_safe") == 1


def test_safety_ends_between_two_cycles(watched: Watched) -> None:
    """A gauge is right when it is read, not when the last cycle ended."""
    watched.now = NOW + hours(5)
    assert watched.value("rotator_job_safe") == 0


def test_last_success_survives_a_restart() -> None:
    """It is in the record: the first scrape after a restart has it, before any cycle."""
    assert WELL.succeeded_at is not None
    success = Watched(TROUBLED).value("rotator_last_success_timestamp_seconds")
    assert success == (NOW - hours(2)).timestamp()


@pytest.mark.parametrize(
    ("before", "why", "repairs"),
    [
        ("unchanged", "missing", 1),
        ("unchanged", "edited", 1),
        ("unchanged", "renewed", 0),
        ("failed", "missing", 0),
        (None, "missing", 0),
    ],
)
def test_drift(before: str | None, why: str, repairs: int) -> None:
    """A repair puts back what was there after the cycle before; a first publication is none."""
    watched = Watched()
    if before is not None:
        watched.hear(report(targets=(TargetReport(FILE, before),)))
    change = Change(ECR, "hmac:1", "hmac:2", why)
    watched.hear(report(targets=(TargetReport(FILE, "written", changes=(change,)),)))
    assert watched.value("rotator_drift_repairs_total", target=FILE) == repairs


@pytest.mark.parametrize(("there", "repairs"), [("hmac:ours", 0), ("hmac:theirs", 1)])
def test_rejected_is_drift_if_it_is_not_ours(there: str, repairs: int) -> None:
    """An old document that somebody applies again is drift; our own that has died is not."""
    watched = Watched()
    login = CredentialReport(ECR, "ecr", "fetched", "accepted", fingerprint="hmac:ours")
    before = report(credentials=(login,), targets=(TargetReport(FILE, "unchanged"),))
    watched.hear(before)
    change = Change(ECR, there, "hmac:new", "rejected")
    watched.hear(report(targets=(TargetReport(FILE, "written", changes=(change,)),)))
    assert watched.value("rotator_drift_repairs_total", target=FILE) == repairs


def test_a_registry_that_is_new_is_no_drift() -> None:
    """One that the configuration has only just got was missing, of course."""
    watched = Watched()
    watched.hear(report(targets=(TargetReport(FILE, "unchanged"),)))
    change = Change("new.example.com", None, "hmac:2", "missing")
    watched.hear(report(targets=(TargetReport(FILE, "written", changes=(change,)),)))
    assert watched.value("rotator_drift_repairs_total", target=FILE) == 0


def test_reloads() -> None:
    """A start counts as a good reload; a bad one leaves the time of the last good one."""
    watched = Watched()
    when = "rotator_config_last_reload_success_timestamp_seconds"
    assert watched.value("rotator_config_last_reload_successful") == 1
    watched.now += hours(1)
    watched.metrics.reloaded(False)  # noqa: FBT003  as a listener is called
    assert watched.value("rotator_config_last_reload_successful") == 0
    assert watched.value(when) == NOW.timestamp()
    watched.metrics.reloaded(True)  # noqa: FBT003  as a listener is called
    assert watched.value("rotator_config_last_reload_successful") == 1
    assert watched.value(when) == (NOW + hours(1)).timestamp()


def test_the_file_has_no_process_metrics(watched: Watched) -> None:
    """node_exporter has its own: two of a name would make it refuse the file."""
    assert "process_" not in watched.metrics.textfile()
    assert b"process_resident_memory_bytes" in watched.metrics.exposed()


def test_many_objects_have_one_series() -> None:
    """Else each of 500 namespaces would have a dozen of its own."""
    watched = Watched()
    group = "kubernetes_secret:team-*/docker"
    watched.hear(
        replace(
            report(),
            targets=tuple(
                TargetReport(f"t{n}", "written", seconds=1.0, group=group) for n in range(9)
            ),
        )
    )
    assert watched.value("rotator_write_duration_seconds_count", target=group) == 9
    assert 't1"' not in watched.metrics.textfile()
