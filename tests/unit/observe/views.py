"""Rotations as an operator may find them: one that is well, one in trouble, one that never ran."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from rotator.config.schema import RotationSettings
from rotator.core.candidate import FOREVER
from rotator.core.record import FailureRecord, KnownCredential, Record, SourceRecord, TargetRecord
from rotator.observe.view import rotation_view
from rotator.observe.view_model import RUNNING, RotationView, View
from tests.support import NOW, made

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
HARBOR = "harbor.example.com"
FILE = "file:/opt/.docker/config.json"
VARIABLE = "gitlab_variable:team/apps:DOCKER_AUTH_CONFIG"
HINT = "give the role a new secret id: vault write -f auth/approle/role/rotator/secret-id"


def hours(number: float) -> timedelta:
    """Return that many hours."""
    return timedelta(hours=number)


def settings(name: str = "dind", **more: Any) -> RotationSettings:
    """Return a rotation from Vault and ECR to a file and a variable."""
    vault = {
        "type": "vault",
        "address": "https://vault.example.com",
        "auth": {"method": "approle", "role_id": "r", "secret_id_file": "/run/secret-id"},
        "path": "secret/harbor",
        "registry": HARBOR,
    }
    ecr = {"type": "ecr", "region": "eu-west-1", "accounts": ["123456789012"]}
    variable = {
        "type": "gitlab_variable",
        "url": "https://gitlab.example.com",
        "group": "team/apps",
        "token_file": "/run/gitlab-token",
        "name": VARIABLE,
    }
    settings = {
        "name": name,
        "longest_job": "3h",
        "sources": [ecr, vault],
        "targets": [{"type": "file", "path": "/opt/.docker/config.json"}, variable],
    }
    return made(RotationSettings, **{**settings, **more})


WELL = Record(
    credentials={
        ECR: (
            KnownCredential(
                fingerprint="hmac:3f9a2c41d7e0",
                source="ecr",
                issued_at=NOW - hours(5),
                expires_at=NOW + hours(7),
                renew_at=NOW + hours(1),
            ),
        ),
        HARBOR: (KnownCredential("hmac:aaaabbbbcccc", "vault", NOW - hours(400), None, None),),
    },
    sources={
        "ecr": SourceRecord((ECR,), NOW - hours(5), NOW - hours(5)),
        "vault": SourceRecord((HARBOR,), NOW - hours(0.05), NOW - hours(0.05), NOW + hours(0.03)),
    },
    targets={
        FILE: TargetRecord(
            ("hmac:111122223333",),
            NOW - hours(5),
            "unchanged",
            NOW + hours(7),
            written="hmac:111122223333",
        ),
        VARIABLE: TargetRecord(("hmac:444455556666",), NOW - hours(5), "unchanged", NOW + hours(7)),
    },
    outcome="fresh",
    started_at=NOW - hours(0.05),
    ended_at=NOW - hours(0.05),
    succeeded_at=NOW - hours(0.05),
    next_at=NOW + hours(0.03),
    safe_until=NOW + hours(4),
    job_safe=True,
)

_REFUSED = FailureRecord(
    count=4,
    reason="login_rejected",
    detail="https://vault.example.com refuses the secret id of role r at auth/approle",
    hint=HINT,
    since=NOW - hours(1.5),
    retry_at=NOW + hours(0.2),
    permanent=True,
    login_stamp="1:2:3",
)
_FULL = FailureRecord(
    count=1,
    reason="no_space",
    detail="cannot write /opt/.docker/config.json: no space left on device",
    hint="make room: df -h /opt/.docker",
    since=NOW - hours(0.01),
    retry_at=NOW + hours(0.01),
)

TROUBLED = replace(
    WELL,
    credentials={
        ECR: (
            KnownCredential(
                "hmac:3f9a2c41d7e0", "ecr", NOW - hours(2), NOW + hours(10), NOW + hours(3.8)
            ),
        ),
        HARBOR: (
            KnownCredential(
                "hmac:aaaabbbbcccc", "vault", NOW - hours(4), NOW - hours(0.2), NOW - hours(2)
            ),
        ),
    },
    sources={**WELL.sources, "vault": replace(WELL.sources["vault"], failure=_REFUSED)},
    targets={
        FILE: TargetRecord(("hmac:111122223333",), NOW - hours(4), "failed", None, _FULL),
        VARIABLE: TargetRecord(("hmac:444455556666",), NOW - hours(4), "unchanged", FOREVER),
    },
    outcome="partial",
    succeeded_at=NOW - hours(2),
    safe_until=NOW - hours(3.2),
    job_safe=False,
)

NEVER_RAN = settings("new", sources=[{"type": "ecr", "region": "eu-west-1"}])


def view_of(record: Record, **more: Any) -> RotationView:
    """Return how a rotation with this record stands now."""
    return rotation_view(settings(**more), record, NOW)


VIEW = View(
    NOW,
    RUNNING,
    (
        view_of(WELL),
        view_of(TROUBLED, name="legacy"),
        rotation_view(NEVER_RAN, Record(), NOW),
        view_of(WELL, name="paused-one", enabled=False),
    ),
)
