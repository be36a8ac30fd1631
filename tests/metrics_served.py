"""Every sample that the daemon serves, with its labels: what dashboards and alerts may use."""

from __future__ import annotations


def _histogram(name: str, *labels: str) -> dict[str, set[str]]:
    return {
        f"{name}_bucket": {*labels, "le"},
        f"{name}_count": set(labels),
        f"{name}_sum": set(labels),
    }


EXPORTED: dict[str, set[str]] = {
    "rotator_job_safe": {"rotation"},
    "rotator_health": {"rotation", "health"},
    "rotator_safe_until_timestamp_seconds": {"rotation"},
    "rotator_credential_issued_timestamp_seconds": {"rotation", "registry"},
    "rotator_credential_renewal_timestamp_seconds": {"rotation", "registry"},
    "rotator_credential_expiry_timestamp_seconds": {"rotation", "registry"},
    "rotator_credential_proof": {"rotation", "registry", "proof"},
    "rotator_target_expiry_timestamp_seconds": {"rotation", "target"},
    "rotator_cycles_total": {"rotation", "outcome"},
    **_histogram("rotator_cycle_duration_seconds", "rotation", "outcome"),
    **_histogram("rotator_fetch_duration_seconds", "rotation", "source"),
    "rotator_fetch_errors_total": {"rotation", "source", "reason"},
    **_histogram("rotator_write_duration_seconds", "rotation", "target"),
    "rotator_write_errors_total": {"rotation", "target", "reason"},
    "rotator_next_cycle_timestamp_seconds": {"rotation"},
    "rotator_last_success_timestamp_seconds": {"rotation"},
    "rotator_drift_repairs_total": {"rotation", "target"},
    "rotator_access_token_expiry_timestamp_seconds": {"kind", "name"},
    "rotator_config_last_reload_successful": set(),
    "rotator_config_last_reload_success_timestamp_seconds": set(),
    "rotator_build_info": {"version", "python"},
}
