"""Documents that a job used, and what is said of them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from rotator.checks.document import judge
from rotator.core.model import Credential, Proof, Verdict
from tests.support import MARKED

if TYPE_CHECKING:
    from rotator.inspection import Case, Finding

OLD, NEW = f"{MARKED}old", f"{MARKED}new"

TARGET = "the file"


def document(**passwords: str) -> str:
    """Return a docker config with a login at each of these hosts of example.com."""
    auths = {
        f"{name}.example.com": {"auth": base64.b64encode(f"robot:{password}".encode()).decode()}
        for name, password in passwords.items()
    }
    return json.dumps({"auths": auths}, sort_keys=True, separators=(",", ":"))


def name_of(text: str) -> str:
    """Return a fingerprint: any that is the same for the same text."""
    return f"hmac:{abs(hash(text)):012x}"[:17]


def prove(credential: Credential) -> Proof:
    """Accept the new password alone."""
    if credential.registry == "down.example.com":
        return Proof(Verdict.UNKNOWN, "connection refused")
    good = credential.password.reveal() == NEW
    return Proof(Verdict.ACCEPTED) if good else Proof(Verdict.REJECTED, "it answers 401")


def reported(text: str | bytes, known: Case) -> list[Finding]:
    """Return the judgement; no secret is in it."""
    data = text if isinstance(text, bytes) else text.encode()
    findings = judge(data, "job.json", [known])
    assert MARKED not in str(findings)
    return findings


GOOD = document(harbor=NEW)
