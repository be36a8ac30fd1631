"""Checks the sources `ecr` and `ecr_public`: whom AWS takes us for, and whether it gives a token.

The token is asked for in earnest: that uses nothing up, and there is nothing to revoke.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rotator.checks import registry
from rotator.checks.case import TIMEOUTS
from rotator.core.errors import DriverError
from rotator.core.failure import Failure
from rotator.sources.ecr import EcrSource
from rotator.system.each import ThreadedEach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rotator.checks.case import Case
    from rotator.checks.finding import Findings
    from rotator.config.sources import EcrPublicSourceSettings, EcrSourceSettings
    from rotator.core.model import Credential

# Leaves time for the proof.
_SECONDS = 2.8


def check(
    settings: EcrSourceSettings | EcrPublicSourceSettings, case: Case, findings: Findings
) -> None:
    """Ask STS who we are and ECR for a token, both at once."""
    source = EcrSource(settings, case.clock, TIMEOUTS)
    asked: list[Callable[[], Sequence[Credential] | str]] = [
        partial(source.fetch, ()),
        source.identity,
    ]
    token, identity = ThreadedEach()(lambda ask: ask(), asked, _SECONDS)
    if isinstance(identity, str):
        findings.ok(f"AWS takes us for {identity}")
    elif not isinstance(token, Exception):
        # A network with an endpoint for ECR alone is well enough.
        why = Failure.of(identity).detail if isinstance(identity, DriverError) else "no answer"
        findings.ok(f"the identity that AWS knows us by is not known: {why}")
    if isinstance(token, Exception):
        raise token
    findings.ok(f"ecr gives a token in {settings.region}")
    registry.given([each for each in token if not isinstance(each, str)], case, findings)
